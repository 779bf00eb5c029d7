"""A whole search on a native search space: from a plain request to files. Needs no NASLib.

>>> found = find(Request(space="darts", settings=EvolutionSettings()), cycles=50)  # doctest: +SKIP
>>> found.best.arch  # doctest: +SKIP
"Genotype(normal=[...], ...)"
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Callable

import numpy as np

from naslib_swap import __version__, inputs, spaces
from naslib_swap.errors import SwapError
from naslib_swap.files import write_text
from naslib_swap.inputs import Minibatch
from naslib_swap.optimizers import search
from naslib_swap.optimizers.drawing import cell_graphs, draw_cells, draw_curve
from naslib_swap.optimizers.evolution import Evolution, EvolutionSettings, Moves, Record
from naslib_swap.optimizers.fitness import SizeWeighting
from naslib_swap.optimizers.measuring import NetworkMeasure, workers
from naslib_swap.optimizers.size_limits import SizeLimits
from naslib_swap.optimizers.tied_cells import TiedCells
from naslib_swap.predictors import registry
from naslib_swap.scoring.network import SCORES_VERSION
from naslib_swap.regularisation import from_sizes
from naslib_swap.spaces.nasbench201 import architecture_string
from naslib_swap.spaces.networks import chosen_variant

_SIZES_SAMPLED = 1000
_TOP = 10


@dataclass(frozen=True)
class SpaceDefaults:
    """What a search does on a space unless told otherwise; docs/search.md has the measurements.

    Attributes:
        variant: the network that is scored.
        evaluation: name -> (variant, classes) of the networks that would be trained afterwards; the
            first is the one that size limits mean.
        samples, repeats: images, and re-initialisations, for a SWAP-Score.
        rule: how mu and sigma are chosen: "adaptive", or a rule of `naslib_swap.regularisation`
            over the sizes of 1000 random architectures.
    """

    variant: str
    evaluation: Mapping[str, tuple[str, int]]
    samples: int
    repeats: int
    rule: str


DEFAULTS: dict[str, SpaceDefaults] = {
    "darts": SpaceDefaults(
        variant="tiny",
        evaluation={"cifar10": ("cifar10", 10), "imagenet": ("imagenet", 1000)},
        samples=16,
        repeats=8,
        rule="adaptive",
    ),
    "nasbench201": SpaceDefaults(
        variant="full",
        evaluation={"full": ("full", 10)},
        samples=16,
        repeats=0,
        rule="largest",
    ),
}


@dataclass(frozen=True)
class Request:
    """All that a search's result depends on, apart from how long it runs.

    Attributes:
        space: "darts" or "nasbench201".
        settings: of the evolution; without a `weighting` given here, see `weigh`.
        proxy: a name of the proxy registry.
        source, path: the images, as for `naslib_swap.inputs.load`.
        variant, samples, repeats: None for the space's own.
        smallest, largest: limits on the parameters of the network to be trained.
        seed: of the search, the weights and the choice of images.
    """

    space: str = "darts"
    settings: EvolutionSettings = field(default_factory=EvolutionSettings)
    proxy: str = "swap"
    source: str = "natural"
    path: str | None = None
    variant: str | None = None
    samples: int | None = None
    repeats: int | None = None
    smallest: int | None = None
    largest: int | None = None
    seed: int = 0


@dataclass(frozen=True)
class Found:
    """A finished search: its evolution, how it ended, and its best architectures, best first."""

    evolution: Evolution
    outcome: search.Outcome
    top: tuple[Record, ...]

    @property
    def best(self) -> Record:
        """The fittest architecture ever scored, under the final mu and sigma."""
        return self.top[0]


def defaults(space: str) -> SpaceDefaults:
    """The defaults of a native space.

    Raises:
        SwapError: no search is offered on that space.
    """
    if space not in DEFAULTS:
        raise SwapError(f"cannot search space {space!r}: expected one of {', '.join(DEFAULTS)}")
    return DEFAULTS[space]


def check(request: Request) -> None:
    """Complain of what can be known to be wrong before anything is loaded, scored or written.

    Raises:
        SwapError: an unknown space, variant or proxy; too few images or re-initialisations; a proxy
            that cannot guide a search, or not with the weighting given.
    """
    chosen = defaults(request.space)
    space = spaces.get(request.space)
    chosen_variant(_variant(request), space.variants, space.name)
    _check_proxy(request.proxy, request.settings.weighting)
    samples, repeats = _scale(request)
    if samples < 2:
        raise SwapError(f"samples {samples}: expected at least 2 images to compare")
    if repeats < 0:
        raise SwapError(
            f"repeats {repeats}: expected 0 (weights as they are built) or more; the default on "
            f"{request.space} is {chosen.repeats}"
        )


def _check_proxy(name: str, weighting: SizeWeighting) -> None:
    proxy = registry.get(name)
    if "mu" in proxy.reads:
        bare = name.removeprefix("reg_")
        raise SwapError(
            f"proxy {name} is {bare} weighed by size, which the search does itself: "
            f"give --proxy {bare} with --mu and --sigma"
        )
    if weighting.mode != "none" and not proxy.size_weighable:
        raise SwapError(
            f"proxy {name} cannot be weighed by size ({weighting.mode}): it can be negative, and a "
            "logarithm is needed. Search by it without --mu, --sigma and --adaptive"
        )


def moves(request: Request) -> Moves:
    """The space as the search walks it: DARTS cells are tied where only one of them is scored."""
    space = spaces.get(request.space)
    if request.space == "darts" and _variant(request) == "tiny":
        return TiedCells(space)
    return space


def weigh(space: str, seed: int = 0) -> SizeWeighting:
    """The size weighting of a space's default rule."""
    rule = defaults(space).rule
    if rule == "adaptive":
        return SizeWeighting("adaptive")
    request = Request(space=space, seed=seed)
    walk, count = moves(request), spaces.get(space).parameters
    rng = np.random.default_rng([seed, 1])
    sizes = [
        count(walk.sample(rng), variant=_variant(request)) / 1000 for _ in range(_SIZES_SAMPLED)
    ]
    found = from_sizes(sizes, rule)
    return SizeWeighting("fixed", found.mu, found.sigma)


def sizes(space: str, arch: Any, variant: str | None = None) -> dict[str, int]:
    """Parameters of the network that is scored (`variant`), and of those to be trained."""
    chosen, count = defaults(space), spaces.get(space).parameters
    found = {"search": count(arch, variant=chosen.variant if variant is None else variant)}
    for name, (trained, classes) in chosen.evaluation.items():
        found[name] = count(arch, variant=trained, num_classes=classes)
    return found


def find(
    request: Request,
    *,
    cycles: int,
    seconds: float | None = None,
    folder: Path | None = None,
    jobs: int = 1,
    resume: bool = False,
    progress: Callable[[Evolution], None] | None = None,
) -> Found:
    """Run a search and, where a folder is given, write its files.

    The folder gets `history.jsonl`, `checkpoint.json` and, at the end, `result.json`, `cells.png`,
    `curve.png` and, for DARTS, `genotype.txt`.

    Args:
        request: what to search, where and by what.
        cycles, seconds: the budget, see `search.run`.
        folder: where the files go; None writes none.
        jobs: worker processes; the result does not depend on them.
        resume: go on from the folder's checkpoint.
        progress: called after each step.

    Raises:
        SwapError: a request that cannot be met; a checkpoint that does not fit; another search in
            the folder. What is on disk stays as it is.
    """
    if resume and folder is None:
        raise SwapError("resuming needs the folder of the search that was cut off")
    check(request)
    measure = _measure(request)
    limits = _limits(request)
    walk = moves(request)
    if limits is not None:
        limits.check(walk, np.random.default_rng([request.seed, 2]))
    identity = _identity(request, measure.minibatch)
    with search.alone(folder) if folder is not None else nullcontext(), workers(jobs) as mapper:
        state = search.begin(folder, identity, resume=resume) if folder is not None else None
        evolution = Evolution(
            walk,
            measure,
            request.settings,
            request.seed,
            mapper=mapper,
            admissible=limits,
            state=state,
        )
        outcome = search.run(
            evolution,
            cycles=cycles,
            seconds=seconds,
            folder=folder,
            identity=identity,
            progress=progress,
        )
        found = Found(evolution, outcome, tuple(evolution.top(_TOP)))
        if folder is not None and found.top:
            write(folder, request, found)
    return found


def write(folder: Path, request: Request, found: Found) -> None:
    """Write the result of a search: JSON, genotype, pictures."""
    arch = spaces.get(request.space).parse(found.best.arch)
    result = {
        **_identity(request, found.evolution.measure.minibatch),  # type: ignore[attr-defined]
        "found": found.best.arch,
        "architecture": describe(request.space, arch),
        "score": found.best.score,
        "fitness": found.evolution.value(found.best.arch),
        "parameters": sizes(request.space, arch, request.variant),
        "weighting": _plain(found.evolution.weighting()),
        "ended": found.outcome.reason,
        "cycles": found.evolution.state.cycle,
        "scored": len(found.evolution.state.history),
        "failed": len(found.evolution.state.failures),
        "seconds": round(found.outcome.seconds, 3),
        "top": [
            {**asdict(record), "fitness": found.evolution.value(record.arch)}
            for record in found.top
        ],
    }
    write_text(folder / "result.json", json.dumps(result, indent=2) + "\n")
    if request.space == "darts":
        write_text(folder / "genotype.txt", found.best.arch + "\n")
    draw_cells(folder / "cells.png", cell_graphs(request.space, arch))
    records = list(found.evolution.state.history.values())
    draw_curve(folder / "curve.png", records, found.evolution.weighting())


def describe(space: str, arch: Any) -> dict[str, Any]:
    """An architecture as JSON that other programs can read."""
    if space == "darts":
        normal, reduction = ([list(edge) for edge in cell] for cell in arch)
        concat = [2, 3, 4, 5]
        return {
            "normal": normal,
            "normal_concat": concat,
            "reduce": reduction,
            "reduce_concat": concat,
        }
    return {"operations": list(arch), "string": architecture_string(arch)}


def _variant(request: Request) -> str:
    return request.variant if request.variant is not None else defaults(request.space).variant


def _scale(request: Request) -> tuple[int, int]:
    """Images and re-initialisations of a score."""
    chosen = defaults(request.space)
    samples = request.samples if request.samples is not None else chosen.samples
    return samples, request.repeats if request.repeats is not None else chosen.repeats


def _measure(request: Request) -> NetworkMeasure:
    samples, repeats = _scale(request)
    return NetworkMeasure(
        space=request.space,
        variant=_variant(request),
        minibatch=inputs.load(
            request.source,
            samples=samples,
            seed=request.seed,
            path=request.path,
            # The network has ten outputs; where labels are not looked at, any data set will do.
            num_classes=10 if "labels" in registry.get(request.proxy).needs else 1000,
        ),
        proxy=request.proxy,
        repeats=repeats,
        seed=request.seed,
    )


def _limits(request: Request) -> SizeLimits | None:
    if request.smallest is None and request.largest is None:
        return None
    variant, classes = next(iter(defaults(request.space).evaluation.values()))
    count = spaces.get(request.space).parameters
    return SizeLimits(
        lambda arch: count(arch, variant=variant, num_classes=classes),
        request.smallest,
        request.largest,
    )


def _identity(request: Request, minibatch: Minibatch) -> dict[str, Any]:
    """What a checkpoint must agree on. The images count by content, not by where they lie."""
    samples, repeats = _scale(request)
    plain = asdict(request)
    del plain["path"]
    return {
        "program": "naslib-swap search",
        "version": __version__,
        "scores": SCORES_VERSION,
        **plain,
        "variant": _variant(request),
        "samples": samples,
        "repeats": repeats,
        "images": minibatch.digest,
    }


def _plain(weighting: Any) -> dict[str, Any] | None:
    return None if weighting is None else asdict(weighting)
