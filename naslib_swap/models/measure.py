"""Scoring one model: built, refused where it would not fit, scored, and timed."""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Optional

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from naslib_swap import proxies
from naslib_swap.arguments import Arguments
from naslib_swap.devices import usable
from naslib_swap.errors import SwapError, Unscorable
from naslib_swap.inputs.minibatch import Minibatch, drawn_labels
from naslib_swap.models.footprint import SAMPLES, Footprint, footprint, weights_of
from naslib_swap.models.given import Batch, Given, described
from naslib_swap.models.memory import available, peak
from naslib_swap.models.model import Model
from naslib_swap.models.plan import ModelsPlan
from naslib_swap.models.raised import cause
from naslib_swap.predictors.passes.probe import Probe
from naslib_swap.quoting import one_line
from naslib_swap.regularisation import log_regularised
from naslib_swap.restoration import restored
from naslib_swap.score import SwapScore, swap_score
from naslib_swap.scoring.network import score_network
from naslib_swap.seeding import seeded

GIGABYTE = 1e9


@dataclass(frozen=True)
class ModelScore:
    """What came of one model.

    Attributes
    ----------
    name
        What the user calls it.
    error
        Why it has no score, in one sentence; None where it has one.
    draws
        A score for each draw of weights and crops.
    seconds
        What one score took, the median over draws.
    peak_bytes
        Memory that the first score took beyond the network and its inputs; None where the system
        does not tell.
    macs
        Multiply-accumulates of one sample; None where they could not be counted.
    depth
        Weighted layers on the longest path; None where no such path was found.
    inputs, digest
        What it was given, in words, and what identifies the exact numbers of the first draw.
    family
        A name that models of one kind share.
    proxies
        Further proxies by name: values, or what went wrong.
    """

    name: str
    error: Optional[str] = None
    draws: tuple[SwapScore, ...] = ()
    seconds: float = math.nan
    peak_bytes: Optional[int] = None
    macs: Optional[float] = None
    depth: Optional[int] = None
    inputs: str = ""
    digest: str = ""
    family: str = ""
    proxies: Mapping[str, Any] = field(default_factory=dict)

    @property
    def swap(self) -> SwapScore:
        """The first draw."""
        return self.draws[0]

    @property
    def score(self) -> float:
        """The mean over draws."""
        return statistics.fmean(one.score for one in self.draws)

    @property
    def near_bound(self) -> bool:
        """Whether any draw is near its bound."""
        return any(one.near_bound for one in self.draws)

    @property
    def drawn(self) -> tuple[float, ...]:
        """The scores whose spread is noise: of draws, or else of re-initialisations."""
        if len(self.draws) > 1:
            return tuple(one.score for one in self.draws)
        return tuple(map(float, self.swap.psi))

    @property
    def spread(self) -> float:
        """Standard deviation over draws, or else over re-initialisations; NaN of a single one."""
        return statistics.stdev(self.drawn) if len(self.drawn) > 1 else math.nan

    def log_regularised(self, mu: float, sigma: float) -> tuple[float, ...]:
        """Return the logarithm of the regularised score, for each of `drawn`."""
        theta = self.swap.parameters / 1000
        return tuple(log_regularised(score, theta, mu, sigma) for score in self.drawn)


@dataclass(frozen=True)
class Measuring:
    """How models are scored: the options, what they are given, and what memory there is."""

    plan: ModelsPlan
    given: Given

    @property
    def device(self) -> torch.device:
        """Where networks run."""
        return torch.device("cpu") if self.plan.device is None else usable(self.plan.device)

    @property
    def free(self) -> int | None:
        """Bytes that may still be taken."""
        if self.plan.memory is not None:
            return int(self.plan.memory * GIGABYTE)
        return available(self.device)

    def foreseen(self, model: Model, samples: int, seed: int) -> Footprint | None:
        """Follow a model before its weights are drawn and its inputs are read.

        None where it has to be built first.

        Raises
        ------
        Unscorable
            It would not fit into memory.
        """
        if not model.redrawn:
            return None
        try:
            with torch.device("meta"):
                net = model.build(seed)
            needed = weights_of(net)
        except Exception:  # it is built again, with values
            return None
        free = self.free
        if free is not None and needed > free:
            raise Unscorable(
                f"{model.name} has {_size(needed)} of weights, and {_size(free)} of memory are "
                "free: take a smaller model."
            )
        try:
            few = self.given.batch(model, net, SAMPLES, seed)
        except Exception:  # raised again where there are values
            return None
        seen = footprint(net, few.value, seed=seed, mode=self.plan.mode)
        self.refuse(model, seen, samples)
        return seen

    def swap(self, model: Model, net: nn.Module, batch: Batch, seed: int) -> SwapScore:
        """Score a built network.

        Raises
        ------
        Unscorable
            Says in one line what went wrong.
        """
        plan = self.plan
        try:
            return swap_score(
                net,
                batch.value,
                repeats=plan.repeats,
                seed=seed,
                mode=plan.mode,
                dropout=plan.dropout,
                check_rows=False if plan.no_check_rows else "auto",
                device=plan.device,
            )
        except SwapError as error:
            raise Unscorable(f"{model.name}: {error}") from error
        except Exception as error:  # the user's forward pass may raise anything
            raise _refused(model, batch, error) from error

    def shaped(self, model: Model, net: nn.Module, batch: Batch, seed: int) -> None:
        """Run a network that we built and that has lazy weights: this draws them.

        Raises
        ------
        Unscorable
            Says in one line what went wrong.
        """
        if not model.redrawn or not any(map(is_lazy, (*net.parameters(), *net.buffers()))):
            return
        given = Arguments.of(batch.value)
        try:
            with seeded(seed), torch.no_grad():
                net.eval()(*given.positional, **given.keywords)
            net.train()
        except Exception as error:  # the user's forward pass may raise anything
            raise _refused(model, batch, error) from error

    def refuse(self, model: Model, seen: Footprint | None, samples: int) -> None:
        """Raise Unscorable where so many samples would not fit, with the most that do."""
        free = self.free
        samples = min(samples, self.given.rows or samples)
        if seen is None or free is None:
            return
        fixed, each = needed_by(seen, gradients=self._gradients)
        if fixed + each * samples <= free:
            return
        most = int((free - fixed) / each)
        told = f"at most --samples {most} fit" if most >= SAMPLES else "not even two samples fit"
        raise Unscorable(
            f"{model.name} needs about {_size(fixed + each * samples)} for {samples} samples, and "
            f"{_size(free)} of memory are free: {told}. Fewer samples, smaller inputs or a smaller "
            "model."
        )

    @property
    def _gradients(self) -> bool:
        others = (proxies.get(name) for name in proxies.chosen(self.plan.proxies))
        return any(one.passes or "gradients" in one.needs for one in others)

    def score(self, model: Model, samples: int) -> ModelScore:
        """Return what comes of one model, all draws of it.

        Raises
        ------
        SwapError
            Says why it has no score.
        """
        plan = self.plan
        draws: list[SwapScore] = []
        seconds: list[float] = []
        first: ModelScore | None = None
        for seed in range(plan.seed, plan.seed + plan.draws):
            seen = self.foreseen(model, samples, seed) if first is None else None
            net = model.build(seed)
            if first is None and seen is None:  # refused before all inputs are read
                few = self.given.batch(model, net, SAMPLES, seed)
                self.shaped(model, net, few, seed)
                seen = footprint(net, few.value, seed=seed, mode=plan.mode)
                self.refuse(model, seen, samples)
            batch = self.given.batch(model, net, samples, seed)
            self.shaped(model, net, batch, seed)
            start = time.perf_counter()
            with peak(self.device) as taken:
                draws.append(self.swap(model, net, batch, seed))
            seconds.append(time.perf_counter() - start)
            if first is None:
                first = ModelScore(
                    name=model.name,
                    peak_bytes=taken.taken,
                    macs=None if seen is None else seen.macs,
                    depth=_depth(net, batch, seed),
                    inputs=batch.said,
                    digest=batch.digest,
                    family=model.family(net),
                    proxies=self._others(net, batch, seed),
                )
            del net
        assert first is not None  # there is at least one draw
        return replace(first, draws=tuple(draws), seconds=statistics.median(seconds))

    def _others(self, net: nn.Module, batch: Batch, seed: int) -> dict[str, Any]:
        """Return the values of the other proxies by name, or what went wrong with them."""
        plan = self.plan
        names = [name for name in proxies.chosen(plan.proxies) if name != "swap"]
        if not names:
            return {}
        if not isinstance(batch.value, Tensor):
            several = "it has several inputs, which swap alone can be scored on"
            return dict.fromkeys(names, several)
        labels = drawn_labels(batch.samples, plan.classes, seed)
        sizes = {k: v for k, v in (("mu", plan.mu), ("sigma", plan.sigma)) if v is not None}
        probe = _probe(net.to(plan.device or "cpu"), batch.value, labels, seed,
                       {"repeats": plan.repeats, **sizes})  # fmt: skip
        with restored(net):
            found = score_network(probe, names)
        return {name: one.error if one.value is None else one.value for name, one in found.items()}


def needed_by(seen: Footprint, *, gradients: bool = False) -> tuple[float, float]:
    """Return the bytes that scoring takes: beside the samples, and for each of them.

    Beside the values that are there at once, their patterns are kept, at two bits a value, and some
    values are looked at once more, to see whose rows they are. The weights are kept, to come back
    as they were. On five networks, this is 1.0 to 2.3 times what was taken (docs/models.md).
    """
    each = 2 * seen.row + 3 * seen.most + seen.sum / 16
    if gradients:
        each += 2 * seen.sum
    return seen.weights * (3 if gradients else 1), each


def failed(name: str, error: BaseException) -> ModelScore:
    """Return what came of a model that has no score."""
    return ModelScore(name, error=str(error))


def record(one: ModelScore) -> dict[str, Any]:
    """Return one model as plain data."""
    if one.error is not None:
        return {"model": one.name, "error": one.error}
    swap = asdict(one.swap)
    swap.update(score=one.score, saturation=one.score / one.swap.bound)
    return {
        "model": one.name,
        **swap,
        "near_bound": one.near_bound,
        "draws": [draw.score for draw in one.draws],
        "spread": None if math.isnan(one.spread) else one.spread,
        "score_per_value": one.score / one.swap.values,
        "macs": one.macs,
        "depth": one.depth,
        "seconds": one.seconds,
        "peak_bytes": one.peak_bytes,
        "inputs": one.inputs,
        "digest": one.digest,
        "family": one.family,
    }


def _probe(
    net: nn.Module, value: Tensor, labels: np.ndarray, seed: int, settings: Mapping[str, Any]
) -> Probe:
    batch = Minibatch(value, torch.from_numpy(labels), "given", "", labels_are_real=False)
    return Probe(net, batch, seed=seed, settings=settings)


def _refused(model: Model, batch: Batch, error: Exception) -> Unscorable:
    return Unscorable(
        f"{model.name} failed on inputs {described(batch.value)}: {one_line(cause(error), 400)}. "
        "Give the shape and the kind of numbers that it takes."
    )


def _depth(net: nn.Module, batch: Batch, seed: int) -> int | None:
    if not isinstance(batch.value, Tensor):
        return None
    few = batch.value[:SAMPLES]
    with restored(net):
        probe = _probe(net, few, np.zeros(len(few), dtype=np.int64), seed, {})
        found = score_network(probe, ["depth"])["depth"].value
    return int(found) if found else None


def _size(size: float) -> str:
    return f"{size / GIGABYTE:.1f} GB" if size >= GIGABYTE else f"{size / 1e6:.3g} MB"
