"""SWAP-Score and its regularised form (arXiv 2403.04161, definitions 3.1 to 3.4; 2605.07378).

>>> net = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.ReLU())
>>> swap_score(net, torch.randn(16, 4)).bound
8
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.func import functional_call, vmap

from naslib_swap.activations import DEFAULT_ACTIVATIONS, ActivationTable, Calls, Kind, recording
from naslib_swap.advice import advised, refuse_vmap
from naslib_swap.arguments import Arguments, Inputs, Network, module_of
from naslib_swap.devices import device_of, usable
from naslib_swap.errors import SwapError
from naslib_swap.initialisation import StandardNormal
from naslib_swap.patterns import PatternCounter
from naslib_swap.regularisation import log_factor, log_regularised
from naslib_swap.restoration import restored, set_mode
from naslib_swap.seeding import repeatable


@dataclass(frozen=True)
class SwapScore:
    """A SWAP-Score and what it was made of.

    Attributes
    ----------
    score
        Mean of ``psi``.
    psi
        Number of distinct patterns, for each repeat (one where the weights were left alone).
    samples, values
        S, the minibatch size, and V, the number of recorded intermediate values.
    bound
        min(V, 2^S), or min(V, 3^S) where a recorded activation can be negative.
    saturation
        ``score / bound``, in (0, 1]. At 1 a single score tells nothing apart.
    parameters
        Theta: number of parameters of the scored network (not in thousands).
    recorded, unrecorded
        Calls of each kind of activation that were recorded, and that were seen only.
    """

    score: float
    psi: tuple[int, ...]
    samples: int
    values: int
    bound: int
    saturation: float
    parameters: int
    recorded: Mapping[str, int]
    unrecorded: Mapping[str, int]

    @property
    def near_bound(self) -> bool:
        """Whether the score is within 5 % of all that so many samples can show.

        That is the bound; or, after GELU, SiLU and the like, 2^S: their outputs are hardly ever
        exactly zero, so that a value has two signs, not three.
        """
        return self.saturation > 0.95 or abs(self.score / 2**self.samples - 1) < 0.05


@dataclass(frozen=True)
class RegularisedSwapScore:
    """A SWAP-Score weighed by the size of its network.

    Rank by ``log_score``: ``score`` underflows to 0 a little way from ``mu`` where ``sigma`` is
    small. ``mu`` and ``sigma`` are in thousands of parameters.
    """

    score: float
    log_score: float
    mu: float
    sigma: float
    swap: SwapScore


def swap_score(
    net: Network,
    inputs: Inputs,
    *,
    repeats: int = 0,
    batch_repeats: int = 1,
    seed: int = 0,
    mode: str = "train",
    activations: ActivationTable = DEFAULT_ACTIVATIONS,
    device: torch.device | str | None = None,
) -> SwapScore:
    """Count the distinct sample-wise activation patterns of a network over a minibatch.

    Parameters
    ----------
    net
        Any module, or a ``functools.partial`` of one for arguments that are no batch. It comes
        back as it was, also when its forward pass raises
        (:func:`~naslib_swap.restoration.restored`).
    inputs
        A tensor [S, ...], a sequence (positional arguments) or a mapping (keyword arguments). All
        tensors in it have S (or 1) along dimension 0; more in
        :meth:`~naslib_swap.arguments.Arguments.of`.
    repeats
        0 scores the weights as they are. R > 0 re-initialises R times from ``seed``
        (:class:`~naslib_swap.initialisation.StandardNormal`) and takes the mean.
    batch_repeats
        How many re-initialisations run as one computation (``torch.func.vmap``): faster for tiny
        networks, at the memory of so many forward passes. The weights are the same; sums may round
        differently, so a count can differ by a pattern where a sign hangs by a rounding error.
    seed
        Seed of the re-initialisation, and of anything random in the forward pass (dropout).
    mode
        ``"train"`` (batch statistics, the papers' choice) or ``"eval"``.
    activations
        What counts as an activation.
    device
        Where to run; by default where the network is.

    Raises
    ------
    SwapError
        No activation was recorded; scripted code; fewer than two samples; inputs that disagree on
        their number; NaN in the inputs or in an activation; weights that cannot be drawn anew;
        ``repeats``, ``batch_repeats`` or ``mode`` out of range.

    Notes
    -----
    Definition 3.2 of arXiv 2403.04161: the cardinality of the set of sample-wise patterns. Counts
    are exact for any S.
    """
    if repeats < 0:
        raise SwapError(f"got repeats={repeats}, expected 0 (weights as they are) or more.")
    if not all(isinstance(n, (int, np.integer)) for n in (repeats, batch_repeats)):
        raise SwapError(
            f"got repeats={repeats} and batch_repeats={batch_repeats}, expected whole numbers."
        )
    if batch_repeats < 1:
        raise SwapError(f"got batch_repeats={batch_repeats}, expected 1 or more.")
    if mode not in ("train", "eval"):
        raise SwapError(f"got mode={mode!r}, expected 'train' or 'eval'.")
    net, bound = module_of(net)
    _require_visible(net)
    with repeatable(seed), restored(net):
        target = device_of(net) if device is None else usable(device)
        if target is not None and target != device_of(net):
            net.to(target)
        arguments = Arguments.of(inputs, target, bound)
        set_mode(net, mode == "train")
        parameters = count_parameters(net)
        initialisation = StandardNormal(net, seed) if repeats else None
        psi: list[int] = []
        while len(psi) < max(1, repeats):
            together = min(batch_repeats, repeats - len(psi))
            with advised(net, arguments, mode=mode):
                if initialisation is not None and together > 1:
                    counters, calls = _count_together(
                        net, arguments, activations, initialisation, together
                    )
                else:
                    if initialisation is not None:
                        initialisation.draw()
                    counters, calls = _count_once(net, arguments, activations)
            psi.extend(counter.count() for counter in counters)
        counter = counters[0]
    score = sum(psi) / len(psi)
    return SwapScore(
        score=score,
        psi=tuple(psi),
        samples=counter.samples,
        values=counter.values,
        bound=counter.bound,
        saturation=score / counter.bound,
        parameters=parameters,
        recorded=dict(calls.recorded),
        unrecorded=dict(calls.unrecorded),
    )


def regularised_swap_score(
    net: Network,
    inputs: Inputs,
    *,
    mu: float,
    sigma: float,
    parameters: int | None = None,
    **options: Any,
) -> RegularisedSwapScore:
    """Weigh :func:`swap_score` by ``exp(-(theta - mu)^2 / sigma)`` (definition 3.4).

    ``theta``, ``mu`` and ``sigma`` are in thousands of parameters; ``sigma`` is not squared.
    ``parameters`` overrides the network's own count, for example to leave out an auxiliary head.
    Further options are those of :func:`swap_score`.
    """
    log_factor(0.0, mu, sigma)  # complain before the work, not after it
    swap = swap_score(net, inputs, **options)
    theta = (swap.parameters if parameters is None else parameters) / 1000
    log_score = log_regularised(swap.score, theta, mu, sigma)
    return RegularisedSwapScore(
        score=math.exp(log_score),
        log_score=log_score,
        mu=mu,
        sigma=sigma,
        swap=swap,
    )


def count_parameters(net: nn.Module) -> int:
    """Return the number of parameters of a network, each counted once."""
    return sum(parameter.numel() for parameter in net.parameters())


_Counted = tuple[list[PatternCounter], Calls]


def _count_once(net: nn.Module, arguments: Arguments, activations: ActivationTable) -> _Counted:
    """One forward pass with the weights as they are."""
    counter = PatternCounter(arguments.samples, arguments.device)

    def consume(output: Any, kind: Kind) -> bool:
        refuse_vmap(output)
        if not _has_samples(output, arguments.samples):
            return False
        counter.add(output, signed=kind.signed, name=kind.name)
        return True

    with torch.no_grad(), recording(net, consume, activations) as calls:
        arguments.call(net)
    _require_values(counter, calls, net)
    return [counter], calls


def _count_together(
    net: nn.Module,
    arguments: Arguments,
    activations: ActivationTable,
    initialisation: StandardNormal,
    repeats: int,
) -> _Counted:
    """One forward pass for several re-initialisations, drawn as a loop would draw them."""
    weights = initialisation.draw_stacked(repeats)
    buffers = {
        name: buffer.expand(repeats, *buffer.shape).clone() for name, buffer in net.named_buffers()
    }
    kinds: list[Kind] = []
    passes: list[Calls] = []

    def forward(*state: dict[str, Tensor]) -> tuple[tuple[Tensor, ...], tuple[Tensor, ...]]:
        outputs: list[Tensor] = []
        maxima: list[Tensor] = []

        def consume(output: Any, kind: Kind) -> bool:
            refuse_vmap(output, depth=1)
            if not _has_samples(output, arguments.samples):
                return False
            # Copies, since what follows may change the output in place; of a rectifier's output
            # its positive values are all that counts, at a quarter of the memory.
            outputs.append(output.clone() if kind.signed else output > 0)
            maxima.append(output.amax())
            kinds.append(kind)
            return True

        with recording(net, consume, activations) as calls:
            arguments.call(lambda *given, **named: functional_call(net, state, given, named))
        passes.append(calls)
        return tuple(outputs), tuple(maxima)

    with torch.no_grad(), initialisation.identity_norms():
        outputs, maxima = vmap(forward, randomness="different")(weights, buffers)
    counters = [PatternCounter(arguments.samples, arguments.device) for _ in range(repeats)]
    for stacked, highest, kind in zip(outputs, maxima, kinds):
        for counter, output, maximum in zip(counters, stacked, highest):
            counter.add(output, signed=kind.signed, name=kind.name, maximum=maximum)
    _require_values(counters[0], passes[0], net)
    return counters, passes[0]


def _has_samples(output: Any, samples: int) -> bool:
    """Whether dimension 0 holds the samples; windows or patches folded into it are values."""
    if not isinstance(output, Tensor) or not output.dim() or not output.numel():
        return False
    return output.shape[0] % samples == 0


def _require_visible(net: nn.Module) -> None:
    if any(map(_is_opaque, net.modules())):
        hidden = [name or "itself" for name, m in net.named_modules() if _is_opaque(m)]
        raise SwapError(
            f"{type(net).__name__} holds scripted, traced or compiled code "
            f"({', '.join(hidden[:3])}), whose activations cannot be seen; expected plain modules. "
            "Pass the network as it was before torch.jit or torch.compile."
        )


def _is_opaque(module: nn.Module) -> bool:
    # By their parts: torch's class of compiled modules takes seconds to import.
    compiled = "_orig_mod" in module._modules or module.__dict__.get("_compiled_call_impl")
    return isinstance(module, torch.jit.ScriptModule) or bool(compiled)


def _require_values(counter: PatternCounter, calls: Calls, net: nn.Module) -> None:
    if not counter.values:
        seen = ", ".join(sorted(calls.unrecorded)) or "none"
        raise SwapError(
            f"{type(net).__name__} showed no activation to record (seen but not recorded: {seen}); "
            "expected ReLU, GELU, SiLU or the like, as a module or a function outside scripted or "
            "compiled code. Pass activations=DEFAULT_ACTIVATIONS.with_module(...) or "
            ".with_function(...) to record others."
        )
