"""Measuring architectures of a search space: their scores, as every door gives them, and sizes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from naslib_swap import proxies, spaces
from naslib_swap.combinations import Combination
from naslib_swap.errors import Unscorable
from naslib_swap.optimizers.evolution import Measure, Measured, Unscored
from naslib_swap.optimizers.fitness import Scored
from naslib_swap.scoring import shipped
from naslib_swap.scoring.architecture import Architecture
from naslib_swap.scoring.backends import Crew
from naslib_swap.scoring.conditions import Conditions
from naslib_swap.scoring.dispatch import Dispatch
from naslib_swap.scoring.record import Record, Score
from naslib_swap.scoring.single import score
from naslib_swap.scoring.study import Study, missing, survey


@dataclass(frozen=True)
class NetworkMeasure:
    """Scores an architecture's network and counts its parameters.

    Attributes
    ----------
    space, task, variant
        What is scored; None takes the task's own variant.
    proxy
        Where lower is better, the score is the negative of its value. With a combination, its name.
    conditions
        See `naslib_swap.scoring.conditions_for`.
    seed
        Of weights and images.
    combination
        Its members are scored in place of the proxy. An architecture is measured where any of them
        gives it a value.
    """

    space: str
    task: str
    variant: str | None = None
    proxy: str = "swap"
    conditions: Conditions = field(default_factory=Conditions)
    seed: int = 0
    combination: Combination | None = None

    @property
    def scored(self) -> tuple[str, ...]:
        """Names of the proxies that score an architecture."""
        return (self.proxy,) if self.combination is None else self.combination.members

    def subject(self, arch: Any) -> Architecture:
        """Return what is scored."""
        return Architecture(
            self.space, self.task, spaces.get(self.space).encode(arch), self.variant
        )

    def __call__(self, arch: Any) -> Scored:
        """Measure one architecture, in this process.

        Raises
        ------
        Unscorable
            It has no score; the message names it.
        """
        subject = self.subject(arch)
        found = shipped.scores(subject, self.scored, self.conditions, self.seed)
        lacking = [name for name in self.scored if name not in found]
        if lacking:
            found.update(score(subject, lacking, self.conditions, seed=self.seed))
        measured = self._measured(subject, found)
        if isinstance(measured, Unscored):
            raise Unscorable(f"{self.proxy} cannot score {subject.text}: {measured.error}")
        return measured

    def by(self, hands: Crew) -> Measure:
        """Return what has architectures measured by workers, all that were asked for at once.

        An architecture whose worker died is tried once more alone, and then has no score.
        """
        dispatch, found = Dispatch(hands), dict[str, dict[str, Score]]()

        def keep(records: Iterable[Record]) -> None:
            for record in records:
                found[record.key.arch][record.key.proxy] = record.score

        def waited(subject: Architecture) -> Measured:
            while len(found[subject.name]) < len(self.scored):
                keep(dispatch.take())
            return self._measured(subject, found.pop(subject.name))

        def measure(archs: Sequence[Any]) -> Iterable[Measured]:
            subjects = {subject.name: subject for subject in map(self.subject, archs)}
            found.update((name, {}) for name in subjects)
            study = Study(
                self.space, self.task, subjects, self.scored, (self.seed,), self.conditions
            )
            known = survey([study])
            keep(shipped.taken([study], known))
            dispatch.give(missing(study, known))
            return map(waited, subjects.values())

        return measure

    def _measured(self, subject: Architecture, found: Mapping[str, Score]) -> Measured:
        values = {name: found[name].value for name in self.scored}
        errors = {name: str(found[name].error) for name in values if values[name] is None}
        if len(errors) == len(values):
            return Unscored("; ".join(dict.fromkeys(errors.values())))
        size = subject.parameters() / 1000
        if self.combination is not None:
            return Scored(None, size, values, errors)
        value = found[self.proxy].value
        assert value is not None
        sign = 1 if proxies.get(self.proxy).higher_is_better else -1
        return Scored(sign * value, size)
