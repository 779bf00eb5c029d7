"""SWAP-NAS: evolution guided by a training-free score.

Algorithm 1 of the SWAP papers (arXiv 2403.04161, 2605.07378): P random architectures are scored;
then, cycle by cycle, a tournament over a sample of the population gives a parent, either its best
member or, by a coin, the best offspring of a crossover between its best two; mutations of the
parent are scored, the best of them enters and the worst member leaves. `removal="oldest"` is
regularised evolution proper (Real et al. 2019, arXiv 1802.01548).

This file knows no network, no file and no NASLib: architectures come from a search space, their
measurements from a pure function.
"""

from __future__ import annotations

import heapq
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Callable, Protocol, Union

import numpy as np

from naslib_swap.errors import SwapError
from naslib_swap.optimizers.fitness import Moments, Scored, SizeWeighting, fitness
from naslib_swap.regularisation import Regularisation

Measure = Callable[[Any], Scored]
Mapper = Callable[[Callable[[Any], Any], Sequence[Any]], Iterable[Any]]

# A neighbourhood can be used up. After this many fruitless tries in a row the mutants move one
# mutation further from the parent, so that the search goes on until the space itself is used up.
_TRIES_PER_RADIUS = 20
_LARGEST_RADIUS = 20
_DRAWS_PER_MEMBER = 1000
_FILLED_IN_A_STEP = 8


@dataclass(frozen=True)
class Unscorable:
    """Why an architecture has no score."""

    error: str


@dataclass(frozen=True)
class Attempt:
    """A measure whose SwapError is a result: one bad architecture does not end a search."""

    measure: Measure

    def __call__(self, arch: Any) -> Scored | Unscorable:
        """What `measure` gives, or why it gives nothing."""
        try:
            return self.measure(arch)
        except SwapError as error:
            return Unscorable(str(error))


class Moves(Protocol):
    """What evolution asks of a search space (`naslib_swap.spaces.SearchSpace` offers it)."""

    @property
    def name(self) -> str:
        """The space's name."""

    def sample(self, rng: np.random.Generator) -> Any:
        """A random architecture."""

    def mutate(self, arch: Any, rng: np.random.Generator) -> Any:
        """A neighbour of `arch`, never `arch` itself."""

    def crossover(self, a: Any, b: Any, rng: np.random.Generator) -> Any:
        """A mixture of two architectures."""

    def encode(self, arch: Any) -> str:
        """The canonical string."""

    def parse(self, text: str) -> Any:
        """The architecture of a canonical string."""


@dataclass(frozen=True)
class EvolutionSettings:
    """What shapes the search; how long it runs is the caller's business.

    Attributes:
        population: P, members alive.
        sample: members that a tournament draws, without replacement; half of P by default, as in
            the papers.
        mutations: children scored in a cycle.
        offspring: offspring scored where a crossover makes the parent.
        crossover: probability of that coin.
        removal: who leaves, "worst" (the papers) or "oldest" (Real et al. 2019).
        weighting: how size enters the fitness.

    Raises:
        SwapError: a value out of its range.
    """

    population: int = 20
    sample: int | None = None
    mutations: int = 5
    offspring: int = 5
    crossover: float = 0.5
    removal: str = "worst"
    weighting: SizeWeighting = field(default_factory=SizeWeighting)

    def __post_init__(self) -> None:
        if self.population < 2:
            raise SwapError(f"population {self.population}: expected at least 2 members")
        if self.sample is not None and not 1 <= self.sample <= self.population:
            raise SwapError(
                f"sample {self.sample}: expected between 1 and the population, {self.population}"
            )
        if self.mutations < 1 or self.offspring < 1:
            raise SwapError(
                f"mutations {self.mutations}, offspring {self.offspring}: expected at least 1 each"
            )
        if not 0 <= self.crossover <= 1:
            raise SwapError(f"crossover {self.crossover}: expected a probability")
        if self.removal not in ("worst", "oldest"):
            raise SwapError(f"removal {self.removal!r}: expected worst or oldest")

    @property
    def tournament(self) -> int:
        """Members drawn in a tournament."""
        return self.sample if self.sample is not None else max(1, self.population // 2)


@dataclass(frozen=True)
class Record:
    """One scored architecture, in the order of scoring.

    Attributes:
        index: 0, 1, 2, ... over the whole search.
        cycle: 0 for the first population, then 1, 2, ...
        arch: canonical string.
        origin: "random", "crossover" or "mutation".
        parents: canonical strings of what it was made from.
        score, size: the measurement.
        fitness: its fitness under the mu and sigma of that moment.
        entered: whether it joined the population (it may have left again at once).
    """

    index: int
    cycle: int
    arch: str
    origin: str
    parents: tuple[str, ...]
    score: float
    size: float
    fitness: float
    entered: bool

    @property
    def measured(self) -> Scored:
        """Score and size."""
        return Scored(self.score, self.size)


@dataclass(frozen=True)
class Failure:
    """One architecture that could not be scored; it is neither a parent, a result nor tried again.

    Attributes:
        index: counted together with the records.
        cycle, arch, origin, parents: as in a `Record`.
        error: why.
    """

    index: int
    cycle: int
    arch: str
    origin: str
    parents: tuple[str, ...]
    error: str


Tried = Union[Record, Failure]


@dataclass
class EvolutionState:
    """All that the next step depends on: plain data, serialised by `checkpoint`.

    `population` holds canonical strings, oldest first; `history` every architecture ever scored;
    `failures` those that could not be scored.
    """

    cycle: int = 0
    population: list[str] = field(default_factory=list)
    history: dict[str, Record] = field(default_factory=dict)
    failures: dict[str, Failure] = field(default_factory=dict)
    sizes: Moments = field(default_factory=Moments)
    generator: dict[str, Any] = field(default_factory=dict)
    exhausted: bool = False

    def tried(self) -> list[Tried]:
        """Records and failures in the order of scoring."""
        both: list[Tried] = [*self.history.values(), *self.failures.values()]
        return sorted(both, key=lambda one: one.index)


class Evolution:
    """A search that advances one step at a time.

    Args:
        space: where architectures come from.
        measure: score and size of one architecture, or SwapError where it cannot be scored; a pure
            function, or the order in which `mapper` calls it would matter.
        settings: see `EvolutionSettings`.
        seed: of the one generator that all random choices come from.
        mapper: calls `measure` on several architectures, in order; `map`, or a pool of workers.
        admissible: architectures for which it is False are never scored.
        state: go on from here instead of from the beginning.

    A step that raises leaves the state as it was before.
    """

    def __init__(
        self,
        space: Moves,
        measure: Measure,
        settings: EvolutionSettings,
        seed: int = 0,
        *,
        mapper: Mapper = map,
        admissible: Callable[[Any], bool] | None = None,
        state: EvolutionState | None = None,
    ) -> None:
        self.space = space
        self.measure = measure
        self.settings = settings
        self.mapper = mapper
        self.admissible = admissible
        self._rng = np.random.default_rng(seed)
        self.state = EvolutionState(generator=dict(self._rng.bit_generator.state))
        if state is not None:
            self.restore(state)

    def restore(self, state: EvolutionState) -> None:
        """Go on from `state`, which is from now on this evolution's own."""
        self._rng.bit_generator.state = dict(state.generator)
        self.state = state

    @property
    def filled(self) -> bool:
        """Whether the first population is complete."""
        return self.state.cycle > 0 or len(self.state.population) >= self.settings.population

    def step(self) -> list[Tried]:
        """Score a few members of the first population, or run a cycle; returns the newly tried.

        An empty list with `state.exhausted` means that no unseen architecture could be found.

        Raises:
            SwapError: so far as many architectures failed as the population should have members,
                and none was scored.
        """
        return self.cycle() if self.filled else self.fill(_FILLED_IN_A_STEP)

    def fill(self, count: int) -> list[Tried]:
        """Try up to `count` random architectures; those that can be scored are members."""
        failures = self.state.failures
        if not self.state.population and len(failures) >= self.settings.population:
            raise SwapError(
                f"none of the first {len(failures)} architectures could be scored; the reason of "
                f"the first: {next(iter(failures.values())).error}"
            )
        with _Transaction(self):
            wanted = min(count, self.settings.population - len(self.state.population))
            fresh = self._random(wanted)
            tried: list[Tried] = []
            for (key, _), measured in zip(fresh.items(), self._measured(list(fresh.values()))):
                one = self._admit({key: measured}, "random", (), entering=True)
                self.state.population += [record.arch for record in _scored(one)]
                tried += one
        return tried

    def cycle(self) -> list[Tried]:
        """One cycle of Algorithm 1."""
        with _Transaction(self):
            self.state.cycle += 1
            drawn = self._rng.choice(
                len(self.state.population), size=self.settings.tournament, replace=False
            )
            ranked = self._ranked([self.state.population[i] for i in sorted(drawn)])
            parent = ranked[0]
            tried: list[Tried] = []
            if len(ranked) > 1 and self._rng.random() < self.settings.crossover:
                parent, tried = self._cross(ranked[0], ranked[1])
            children = self._mutants(parent)
            if not children:
                self.state.exhausted = True
                return tried
            measured = dict(zip(children, self._measured(list(children.values()))))
            mutants = self._admit(measured, "mutation", (parent,), entering=True)
            self.state.population += [record.arch for record in _scored(mutants) if record.entered]
            self._remove()
            return [*tried, *mutants]

    def value(self, key: str) -> float:
        """Fitness of a scored architecture under the mu and sigma now in force."""
        return fitness(self.state.history[key].measured, self.weighting())

    def best(self) -> Record:
        """The fittest living member."""
        return self.state.history[self._ranked(self.state.population)[0]]

    def top(self, count: int) -> list[Record]:
        """The `count` fittest architectures ever scored, weighed by the final mu and sigma."""
        best = heapq.nlargest(count, self.state.history, key=self.value)
        return [self.state.history[key] for key in best]

    def weighting(self) -> Regularisation | None:
        """mu and sigma now in force; None where size does not count."""
        return self.settings.weighting.after(self.state.sizes)

    def _ranked(self, keys: Sequence[str]) -> list[str]:
        return sorted(keys, key=self.value, reverse=True)

    def _measured(self, archs: Sequence[Any]) -> list[Scored | Unscorable]:
        return list(self.mapper(Attempt(self.measure), archs))

    def _weigh(self, measured: Sequence[Scored]) -> list[float]:
        """Admit sizes to the history and give the fitness of each under the new mu and sigma."""
        for one in measured:
            self.state.sizes = self.state.sizes.add(one.size)
        return [fitness(one, self.weighting()) for one in measured]

    def _admit(
        self,
        measured: Mapping[str, Scored | Unscorable],
        origin: str,
        parents: tuple[str, ...],
        *,
        entering: bool,
    ) -> list[Tried]:
        """Add architectures to history or failures; of those scored, the best may be `entering`."""
        scored = {key: one for key, one in measured.items() if isinstance(one, Scored)}
        weighed = dict(zip(scored, self._weigh(list(scored.values()))))
        best = max(weighed, key=weighed.__getitem__) if weighed and entering else None
        tried: list[Tried] = []
        for key, one in measured.items():
            common: dict[str, Any] = {
                "index": len(self.state.history) + len(self.state.failures),
                "cycle": self.state.cycle,
                "arch": key,
                "origin": origin,
                "parents": parents,
            }
            if isinstance(one, Scored):
                record = Record(
                    **common,
                    score=one.score,
                    size=one.size,
                    fitness=weighed[key],
                    entered=key == best,
                )
                self.state.history[key] = record
                tried.append(record)
            else:
                failure = Failure(**common, error=one.error)
                self.state.failures[key] = failure
                tried.append(failure)
        return tried

    def _is_new(self, key: str, arch: Hashable, also: dict[str, Any]) -> bool:
        if key in self.state.history or key in self.state.failures or key in also:
            return False
        return self.admissible is None or self.admissible(arch)

    def _random(self, count: int) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for _ in range(_DRAWS_PER_MEMBER * count):
            arch = self.space.sample(self._rng)
            key = self.space.encode(arch)
            if self._is_new(key, arch, found):
                found[key] = arch
                if len(found) == count:
                    break
        if len(found) < count:
            failed = len(self.state.failures)
            raise SwapError(
                f"{_DRAWS_PER_MEMBER * count} random draws from {self.space.name} gave only "
                f"{len(found)} of {count} different architectures within the limits set"
                + (f" ({failed} could not be scored)" if failed else "")
                + ": take a smaller population or wider limits"
            )
        return found

    def _cross(self, first: str, second: str) -> tuple[str, list[Tried]]:
        """The best offspring of two members; offspring seen before are not scored again."""
        a, b = self.space.parse(first), self.space.parse(second)
        made: list[str] = []
        fresh: dict[str, Any] = {}
        for _ in range(self.settings.offspring):
            arch = self.space.crossover(a, b, self._rng)
            key = self.space.encode(arch)
            made.append(key)
            if self._is_new(key, arch, fresh):
                fresh[key] = arch
        measured = dict(zip(fresh, self._measured(list(fresh.values()))))
        tried = self._admit(measured, "crossover", (first, second), entering=False)
        known = [key for key in dict.fromkeys(made) if key in self.state.history]
        # Without an admissible offspring the better parent stands in.
        return (self._ranked(known)[0] if known else first), tried

    def _mutants(self, parent: str) -> dict[str, Any]:
        origin = self.space.parse(parent)
        found: dict[str, Any] = {}
        for attempt in range(_TRIES_PER_RADIUS * _LARGEST_RADIUS):
            arch = origin
            for _ in range(1 + attempt // _TRIES_PER_RADIUS):
                arch = self.space.mutate(arch, self._rng)
            key = self.space.encode(arch)
            if self._is_new(key, arch, found):
                found[key] = arch
                if len(found) == self.settings.mutations:
                    break
        return found

    def _remove(self) -> None:
        if len(self.state.population) > self.settings.population:
            if self.settings.removal == "oldest":
                del self.state.population[0]
            else:
                # Of equals the oldest leaves: `min` keeps the first.
                worst = min(
                    range(len(self.state.population)),
                    key=lambda i: self.value(self.state.population[i]),
                )
                del self.state.population[worst]

    def _snapshot(self) -> EvolutionState:
        state = self.state
        return EvolutionState(
            cycle=state.cycle,
            population=list(state.population),
            history=state.history,  # only ever grows: its length is enough to undo
            failures=state.failures,  # likewise
            sizes=state.sizes,
            generator=dict(self._rng.bit_generator.state),
            exhausted=state.exhausted,
        )

    def _undo(self, before: EvolutionState, scored: int, failed: int) -> None:
        for key in list(before.history)[scored:]:
            del before.history[key]
        for key in list(before.failures)[failed:]:
            del before.failures[key]
        self.restore(before)


def _scored(tried: Iterable[Tried]) -> list[Record]:
    return [one for one in tried if isinstance(one, Record)]


class _Transaction:
    """A step as a whole or not at all: an interrupted search can be saved and resumed."""

    def __init__(self, evolution: Evolution) -> None:
        self.evolution = evolution
        self.before = evolution._snapshot()
        self.scored = len(evolution.state.history)
        self.failed = len(evolution.state.failures)

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        if kind is not None:
            self.evolution._undo(self.before, self.scored, self.failed)
        else:
            self.evolution.state.generator = dict(self.evolution._rng.bit_generator.state)
