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
import time
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Callable, Union

import numpy as np

from naslib_swap.combinations import LEAST, Combination
from naslib_swap.errors import BadArgument, SwapError, Unscorable
from naslib_swap.optimizers.fitness import Moments, Scored, SizeWeighting, fitness
from naslib_swap.optimizers.pareto import standing, undominated
from naslib_swap.optimizers.ranking import Ranking
from naslib_swap.regularisation import Regularisation
from naslib_swap.spaces.space import Moves

# A neighbourhood can be used up. After this many fruitless tries in a row the mutants move one
# mutation further from the parent, so that the search goes on until the space itself is used up.
_TRIES_PER_RADIUS = 20
_LARGEST_RADIUS = 20
_DRAWS_PER_MEMBER = 1000
_FILLED_IN_A_STEP = 8

SCORE = "score"
"""The objective that is the fitness."""

MOST_MEMBERS = 1_000_000
MOST_CHILDREN = 10_000
"""Of a cycle: all are drawn before one is scored."""


@dataclass(frozen=True)
class Unscored:
    """Why an architecture has no score."""

    error: str


Measured = Union[Scored, Unscored]

Measure = Callable[[Sequence[Any]], Iterable[Measured]]
"""Begins to measure several architectures; the results, in order, are waited for when read."""

Mapper = Callable[[Callable[[Any], Any], Sequence[Any]], Iterable[Any]]
"""Calls a function on each of several things, in order: `map`, or that of a pool of workers."""


@dataclass(frozen=True)
class Attempt:
    """A function that measures; its SwapError is a result, and does not end a search."""

    measure: Callable[[Any], Scored]

    def __call__(self, arch: Any) -> Measured:
        """Return what `measure` gives, or why it gives nothing."""
        try:
            return self.measure(arch)
        except SwapError as error:
            return Unscored(str(error))


def each(measure: Callable[[Any], Scored], mapper: Mapper = map) -> Measure:
    """Return a `Measure` that calls a function on each architecture."""
    return lambda archs: mapper(Attempt(measure), archs)


@dataclass(frozen=True)
class EvolutionSettings:
    """What shapes the search; how long it runs is the caller's business.

    Attributes
    ----------
    population
        P, members alive.
    sample
        Members that a tournament draws, without replacement; half of P by default, as in the
        papers, and two with several objectives.
    mutations
        Children scored in a cycle.
    offspring
        Offspring scored where a crossover makes the parent.
    crossover
        Probability of that coin.
    removal
        Who leaves, "worst" (the papers) or "oldest" (Real et al. 2019).
    weighting
        How size enters the fitness.
    combination
        Where it is one of proxies that guides the search: fitness is the combined score among all
        that was scored so far. What measures gives its members' values.
    pareto
        Several objectives in place of the fitness alone: "score" for it, and names of costs, which
        should be small. The living are compared as in NSGA-II, all children join, and those leave
        that stand worst.
    in_flight
        W, cycles under way at any time, so that many workers have work; the papers have one. See
        `Evolution.cycle`.

    Raises
    ------
    BadArgument
        A value out of its range.
    """

    population: int = 20
    sample: int | None = None
    mutations: int = 5
    offspring: int = 5
    crossover: float = 0.5
    removal: str = "worst"
    weighting: SizeWeighting = field(default_factory=SizeWeighting)
    combination: Combination | None = None
    pareto: tuple[str, ...] = ()
    in_flight: int = 1

    def __post_init__(self) -> None:
        self._check_pareto()
        if self.population < 2:
            raise BadArgument(f"got population {self.population}, expected at least 2 members.")
        if self.population > MOST_MEMBERS:
            raise BadArgument(
                f"got population {self.population}, expected at most {MOST_MEMBERS:,} members."
            )
        if self.sample is not None and not 1 <= self.sample <= self.population:
            raise BadArgument(
                f"got sample {self.sample}, expected between 1 and the population, "
                f"{self.population}."
            )
        if self.mutations < 1 or self.offspring < 1:
            raise BadArgument(
                f"got mutations {self.mutations} and offspring {self.offspring}, expected at least "
                "1 each."
            )
        if self.in_flight < 1:
            raise BadArgument(f"got {self.in_flight} cycles in flight, expected at least 1.")
        if self.children > MOST_CHILDREN:
            raise BadArgument(
                f"got mutations {self.mutations} and offspring {self.offspring}"
                + f" of {self.in_flight} cycles, {self.children:,} in all" * (self.in_flight > 1)
                + f", expected at most {MOST_CHILDREN:,} each."
            )
        if not 0 <= self.crossover <= 1:
            raise BadArgument(f"got crossover {self.crossover}, expected a probability.")
        if self.removal not in ("worst", "oldest"):
            raise BadArgument(f"got removal {self.removal!r}, expected worst or oldest.")
        if self.combination is not None:
            self._check_combination(self.combination)

    def _check_combination(self, combination: Combination) -> None:
        if self.weighting.mode != "none":
            raise BadArgument(
                f"got size weighting {self.weighting.mode!r} for the combination "
                f"{combination.name!r}, expected none: a sum of log ranks has no logarithm. Make "
                "flops or params one of its members instead."
            )
        if self.population < LEAST:
            raise BadArgument(
                f"got population {self.population}, expected at least {LEAST} members for the "
                f"combination {combination.name!r}, which ranks them."
            )

    def _check_pareto(self) -> None:
        if not self.pareto:
            return
        if len(set(self.pareto)) < 2 or len(set(self.pareto)) < len(self.pareto):
            raise BadArgument(
                f"got the objectives {', '.join(self.pareto)}, expected two or more different "
                f"ones, such as {SCORE},params."
            )
        if SCORE not in self.pareto:
            raise BadArgument(
                f"got the objectives {', '.join(self.pareto)}, expected {SCORE} among them: "
                "without it nothing says which network is good."
            )
        if self.removal != "worst":
            raise BadArgument(
                f"got removal {self.removal!r} with several objectives, expected worst: NSGA-II "
                "keeps those that stand best."
            )

    @property
    def children(self) -> int:
        """The most that are scored at any time."""
        return self.in_flight * max(self.mutations, self.offspring)

    @property
    def tournament(self) -> int:
        """The number of members that a tournament draws."""
        if self.sample is not None:
            return self.sample
        return 2 if self.pareto else max(1, self.population // 2)


@dataclass(frozen=True)
class Candidate:
    """One scored architecture, in the order of scoring.

    Attributes
    ----------
    index
        0, 1, 2, ... over the whole search.
    cycle
        0 for the first population, then 1, 2, ...
    arch
        The architecture in the space's notation.
    origin
        "random", "crossover" or "mutation".
    parents
        What it was made from, in the space's notation.
    score, size
        The measurement.
    fitness
        Its fitness under the mu and sigma of that moment, or among all scored by then.
    entered
        Whether it joined the population (it may have left again at once).
    values, errors, costs
        The rest of the measurement (`Scored`).
    """

    index: int
    cycle: int
    arch: str
    origin: str
    parents: tuple[str, ...]
    score: float | None
    size: float
    fitness: float
    entered: bool
    values: Mapping[str, float | None] = field(default_factory=dict)
    errors: Mapping[str, str] = field(default_factory=dict)
    costs: Mapping[str, float] = field(default_factory=dict)

    @property
    def measured(self) -> Scored:
        """What was measured."""
        return Scored(self.score, self.size, self.values, self.errors, self.costs)


@dataclass(frozen=True)
class Failure:
    """One architecture that could not be scored; it is no parent, no result, and not tried again.

    Attributes
    ----------
    index
        Counted together with the candidates.
    cycle, arch, origin, parents
        As in a `Candidate`.
    error
        Why.
    """

    index: int
    cycle: int
    arch: str
    origin: str
    parents: tuple[str, ...]
    error: str


Tried = Union[Candidate, Failure]


@dataclass(frozen=True)
class Batch:
    """Children of one cycle that are being scored.

    Attributes
    ----------
    cycle, origin, parents
        As in a `Candidate`.
    archs
        The new ones, in the space's notation.
    made
        Names of the networks of all offspring, also of those tried before.
    """

    cycle: int
    origin: str
    parents: tuple[str, ...]
    archs: tuple[str, ...]
    made: tuple[str, ...] = ()


def plain(one: Tried | Batch) -> dict[str, Any]:
    """Return its fields for JSON: `values`, `errors` and `costs` only where there are some."""
    return {name: value for name, value in asdict(one).items() if value != {}}


@dataclass
class EvolutionState:
    """All that the next step depends on: plain data, serialised by `checkpoint`.

    Attributes
    ----------
    cycle
        Cycles done.
    population
        The living, oldest first, in the space's notation.
    history
        Every architecture ever scored.
    failures
        Those that could not be scored.
    sizes
        Moments of the sizes of all that was scored.
    generator
        State of the random generator.
    exhausted
        Whether the last cycle found nothing new.
    waiting
        Batches of the cycles under way, in the order of breeding.
    """

    cycle: int = 0
    population: list[str] = field(default_factory=list)
    history: dict[str, Candidate] = field(default_factory=dict)
    failures: dict[str, Failure] = field(default_factory=dict)
    sizes: Moments = field(default_factory=Moments)
    generator: dict[str, Any] = field(default_factory=dict)
    exhausted: bool = False
    waiting: list[Batch] = field(default_factory=list)

    def tried(self) -> list[Tried]:
        """Return candidates and failures in the order of scoring."""
        both: list[Tried] = [*self.history.values(), *self.failures.values()]
        return sorted(both, key=lambda one: one.index)


class Evolution:
    """A search that advances one step at a time.

    Architectures with the same network (`space.canonical`) count as one: it is scored once. They
    keep the notation in which they were drawn, as moves depend on it.

    A step that raises leaves the state as it was before.

    Parameters
    ----------
    space
        Where architectures come from.
    measure
        See `Measure`; what it gives depends on the architecture alone. `each` makes one from a
        function of a single architecture.
    settings
        See `EvolutionSettings`.
    seed
        Of the one generator that all random choices come from.
    admissible
        Architectures for which it is False are never scored.
    state
        Go on from here instead of from the beginning.

    Attributes
    ----------
    seconds
        Spent in waiting for measurements.
    """

    def __init__(
        self,
        space: Moves,
        measure: Measure,
        settings: EvolutionSettings,
        seed: int = 0,
        *,
        admissible: Callable[[Any], bool] | None = None,
        state: EvolutionState | None = None,
    ) -> None:
        self.space = space
        self.measure = measure
        self.settings = settings
        self.admissible = admissible
        self.seconds = 0.0
        self._ranking: Ranking | None = None
        self._rng = np.random.default_rng(seed)
        self.restore(state or EvolutionState(generator=dict(self._rng.bit_generator.state)))

    def restore(self, state: EvolutionState) -> None:
        """Go on from `state`, which is from now on this evolution's own."""
        self._rng.bit_generator.state = dict(state.generator)
        self.state = state
        # Name of the network -> the notation in which it was tried, or is being tried.
        self._tried = {self._name(self.space.parse(key)): key for key in _keys(state)}
        self._begun: deque[Iterable[Measured]] = deque()  # of the first that wait
        self._rank_anew()

    @property
    def filled(self) -> bool:
        """Whether the first population is complete."""
        return self.state.cycle > 0 or len(self.state.population) >= self.settings.population

    def step(self) -> list[Tried]:
        """Score a few members of the first population, or run a cycle.

        Returns
        -------
        list
            The newly tried. An empty list with `state.exhausted` means that no unseen architecture
            could be found.

        Raises
        ------
        SwapError
            As many architectures failed as the population should have members, and none was scored;
            a member of the combination scored none of the first population; or the space has too
            few.
        """
        return (
            self.cycle()
            if self.filled
            else self.fill(max(_FILLED_IN_A_STEP, self.settings.children))
        )

    def fill(self, count: int) -> list[Tried]:
        """Try up to `count` random architectures; those that can be scored are members."""
        failures = self.state.failures
        if not self.state.population and len(failures) >= self.settings.population:
            raise Unscorable(
                f"none of the first {len(failures)} architectures could be scored; the reason of "
                f"the first: {next(iter(failures.values())).error}"
            )
        with _Transaction(self):
            wanted = min(count, self.settings.population - len(self.state.population))
            self.state.waiting.append(Batch(0, "random", (), tuple(self._random(wanted))))
            tried: list[Tried] = []
            batch, measured = self._next()
            for key, one in zip(batch.archs, measured):
                tried += self._admit(replace(batch, archs=(key,)), [one])
            self.state.population += [candidate.arch for candidate in _scored(tried)]
        return tried

    def cycle(self) -> list[Tried]:
        """Run Algorithm 1 until one more cycle is done; returns the newly tried.

        Several cycles may be under way. Their batches, first offspring and then mutants, are scored
        at the same time, and admitted in the order of breeding; once one is admitted the next is
        bred. So all depends on the number of cycles in flight, never on what was scored first.
        """
        self._check_members()
        with _Transaction(self):
            state, before, tried = self.state, self.state.cycle, list[Tried]()
            while len(state.waiting) < self.settings.in_flight:
                state.waiting.append(self._cross(state.cycle + len(state.waiting) + 1))
            while state.cycle == before:
                batch, measured = self._next()
                tried += self._admit(batch, measured)
                if batch.origin == "crossover":
                    state.waiting.append(self._mutate(batch.cycle, self._parent(batch)))
                else:
                    state.cycle += 1
            state.exhausted = not any(one.archs for one in [batch, *state.waiting])
            state.population += [one.arch for one in _scored(tried) if one.entered]
            self._remove()
        return tried

    def value(self, key: str) -> float:
        """Return the fitness of a scored architecture now: by mu and sigma, or among all scored."""
        if self._ranking is not None:
            return self._ranking.fitness[key]
        return fitness(self.state.history[key].measured, self.weighting())

    def best(self) -> Candidate:
        """Return the fittest living member."""
        return self.state.history[max(self.state.population, key=self.value)]

    def top(self, count: int) -> list[Candidate]:
        """Return the `count` fittest ever scored, by their fitness now."""
        best = heapq.nlargest(count, self.state.history, key=self.value)
        return [self.state.history[key] for key in best]

    def front(self) -> list[Candidate]:
        """Return those ever scored that none dominates, by falling fitness; the best alone without.

        Of equal ones the first counts.
        """
        if not self.settings.pareto:
            return self.top(1)
        keys = list(self.state.history)
        free = [keys[i] for i in undominated(self._points(keys))]
        return [self.state.history[key] for key in sorted(free, key=self.value, reverse=True)]

    def weighting(self) -> Regularisation | None:
        """Return mu and sigma now in force; None where size does not count."""
        return self.settings.weighting.after(self.state.sizes)

    def _ranked(self, keys: Sequence[str]) -> list[str]:
        """Put keys in order, best first: by fitness, or as they stand among the living."""
        if not self.settings.pareto:
            return sorted(keys, key=self.value, reverse=True)
        cohort = list(dict.fromkeys([*self.state.population, *keys]))
        stands = dict(zip(cohort, standing(self._points(cohort)).tolist()))
        return sorted(keys, key=stands.__getitem__, reverse=True)

    def _points(self, keys: Sequence[str]) -> np.ndarray:
        """Return the objectives of these, all to be small: float64 [keys, objectives]."""
        history = self.state.history
        return np.array(
            [
                [-self.value(key) if name == SCORE else history[key].costs[name] for key in keys]
                for name in self.settings.pareto
            ]
        ).T

    def _weigh(self, measured: Mapping[str, Scored]) -> dict[str, float]:
        """Admit sizes and values to the history and give the fitness of each that follows."""
        for one in measured.values():
            self.state.sizes = self.state.sizes.add(one.size)
        if self._ranking is not None:
            self._ranking = self._ranking.add(measured)
            return {key: self._ranking.fitness[key] for key in measured}
        return {key: fitness(one, self.weighting()) for key, one in measured.items()}

    def _rank_anew(self) -> None:
        combination = self.settings.combination
        history = {key: one.measured for key, one in self.state.history.items()}
        self._ranking = None if combination is None else Ranking(combination).add(history)

    def _check_members(self) -> None:
        """Complain of a member that scored nothing: the rest is not the combination asked for."""
        ranking = self._ranking
        if ranking is not None and (blank := ranking.unscored()):
            member, first = blank[0], next(iter(self.state.history.values()))
            raise Unscorable(
                f"none of the first {len(self.state.history)} architectures has a score by "
                f"{member}, a member of the combination {ranking.combination.name!r}; the reason "
                f"of the first: {first.errors.get(member, 'it was not asked')}"
            )

    def _next(self) -> tuple[Batch, list[Measured]]:
        """Begin to measure all that waits, and wait for the first batch."""
        start, waiting = time.perf_counter(), self.state.waiting
        for batch in waiting[len(self._begun) :]:
            self._begun.append(self.measure(list(map(self.space.parse, batch.archs))))
        measured = list(self._begun[0])
        del self._begun[0]
        self.seconds += time.perf_counter() - start
        return waiting.pop(0), measured

    def _admit(self, batch: Batch, measured: Sequence[Measured]) -> list[Tried]:
        """Add architectures to history or failures; of mutants that were scored the best enters."""
        results = dict(zip(batch.archs, measured))
        weighed = self._weigh({k: one for k, one in results.items() if isinstance(one, Scored)})
        entering = batch.origin != "crossover"
        best = max(weighed, key=weighed.__getitem__) if weighed and entering else None
        tried: list[Tried] = []
        for key, one in results.items():
            common: dict[str, Any] = {
                "index": len(self.state.history) + len(self.state.failures),
                "cycle": batch.cycle,
                "arch": key,
                "origin": batch.origin,
                "parents": batch.parents,
            }
            if isinstance(one, Scored):
                candidate = Candidate(
                    **common,
                    score=one.score,
                    size=one.size,
                    fitness=weighed[key],
                    entered=entering and (key == best or bool(self.settings.pareto)),
                    values=one.values,
                    errors=one.errors,
                    costs=one.costs,
                )
                self.state.history[key] = candidate
                tried.append(candidate)
            else:
                failure = Failure(**common, error=one.error)
                self.state.failures[key] = failure
                tried.append(failure)
        return tried

    def _name(self, arch: Any) -> str:
        return self.space.encode(self.space.canonical(arch))

    def _add_if_new(self, arch: Any, fresh: list[str]) -> str:
        """Add an architecture to `fresh` unless its network was tried; returns that one's name."""
        name = self._name(arch)
        if name not in self._tried and (self.admissible is None or self.admissible(arch)):
            self._tried[name] = self.space.encode(arch)
            fresh.append(self._tried[name])
        return name

    def _random(self, count: int) -> list[str]:
        found: list[str] = []
        for _ in range(_DRAWS_PER_MEMBER * count):
            self._add_if_new(self.space.sample(self._rng), found)
            if len(found) == count:
                return found
        failed = len(self.state.failures)
        raise BadArgument(
            f"{_DRAWS_PER_MEMBER * count} random draws from {self.space.name} gave only "
            f"{len(found)} of {count} different architectures within the limits set"
            + (f" ({failed} could not be scored)" if failed else "")
            + ": take a smaller population or wider limits."
        )

    def _cross(self, cycle: int) -> Batch:
        """Draw a tournament; breed offspring of its best two, or mutants of its best, by a coin."""
        population = self.state.population
        drawn = self._rng.choice(len(population), size=self.settings.tournament, replace=False)
        ranked = self._ranked([population[i] for i in sorted(drawn)])
        if len(ranked) < 2 or self._rng.random() >= self.settings.crossover:
            return self._mutate(cycle, ranked[0])
        a, b = map(self.space.parse, ranked[:2])
        fresh: list[str] = []
        made = [
            self._add_if_new(self.space.crossover(a, b, self._rng), fresh)
            for _ in range(self.settings.offspring)
        ]
        return Batch(cycle, "crossover", tuple(ranked[:2]), tuple(fresh), tuple(made))

    def _parent(self, batch: Batch) -> str:
        """Return the best of a couple's offspring, also where it was scored before."""
        keys = [self._tried[name] for name in dict.fromkeys(batch.made) if name in self._tried]
        known = [key for key in keys if key in self.state.history]
        # Without an admissible offspring the better parent takes its place.
        return self._ranked(known)[0] if known else batch.parents[0]

    def _mutate(self, cycle: int, parent: str) -> Batch:
        """Breed a parent's new mutants."""
        origin, fresh = self.space.parse(parent), list[str]()
        for attempt in range(_TRIES_PER_RADIUS * _LARGEST_RADIUS):
            arch = origin
            for _ in range(1 + attempt // _TRIES_PER_RADIUS):
                arch = self.space.mutate(arch, self._rng)
            self._add_if_new(arch, fresh)
            if len(fresh) == self.settings.mutations:
                break
        return Batch(cycle, "mutation", (parent,), tuple(fresh))

    def _remove(self) -> None:
        while len(self.state.population) > self.settings.population:
            if self.settings.pareto:
                # The others move apart as one leaves: each is weighed anew.
                self.state.population.remove(self._ranked(self.state.population)[-1])
            elif self.settings.removal == "oldest":
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
            waiting=list(state.waiting),
        )

    def _undo(self, before: EvolutionState, scored: int, failed: int) -> None:
        for key in list(before.history)[scored:]:
            del before.history[key]
        for key in list(before.failures)[failed:]:
            del before.failures[key]
        self._rng.bit_generator.state = dict(before.generator)
        self.state = before
        left = set(_keys(before))
        self._tried = {name: key for name, key in self._tried.items() if key in left}
        self._begun.clear()
        self._rank_anew()


def _keys(state: EvolutionState) -> list[str]:
    waiting = [arch for batch in state.waiting for arch in batch.archs]
    return [*state.history, *state.failures, *waiting]


def _scored(tried: Iterable[Tried]) -> list[Candidate]:
    return [one for one in tried if isinstance(one, Candidate)]


class _Transaction:
    """A step done completely or not at all: an interrupted search can be saved and resumed."""

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
