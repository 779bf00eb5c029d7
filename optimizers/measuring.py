"""Measuring architectures of a search space: their scores, as every door gives them, and sizes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from naslib_swap import proxies, spaces
from naslib_swap.errors import Unscorable
from naslib_swap.optimizers.evolution import Measure, Measured, Unscored
from naslib_swap.optimizers.fitness import Scored
from naslib_swap.scoring.architecture import Architecture
from naslib_swap.scoring.backends import Crew
from naslib_swap.scoring.conditions import Conditions
from naslib_swap.scoring.record import Score
from naslib_swap.scoring.runs import score_jobs
from naslib_swap.scoring.single import score
from naslib_swap.scoring.study import Study, missing


@dataclass(frozen=True)
class NetworkMeasure:
    """Scores an architecture's network and counts its parameters.

    Attributes
    ----------
    space, task, variant
        What is scored; None takes the task's own variant.
    proxy
        Where lower is better, the score is the negative of its value.
    conditions
        See `naslib_swap.scoring.conditions_for`.
    seed
        Of weights and images.
    """

    space: str
    task: str
    variant: str | None = None
    proxy: str = "swap"
    conditions: Conditions = field(default_factory=Conditions)
    seed: int = 0

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
        found = score(subject, [self.proxy], self.conditions, seed=self.seed)[self.proxy]
        measured = self._measured(subject, found)
        if isinstance(measured, Unscored):
            raise Unscorable(f"{self.proxy} cannot score {subject.text}: {measured.error}")
        return measured

    def by(self, hands: Crew) -> Measure:
        """Return what measures different architectures by workers, the results in order.

        An architecture whose worker died is tried once more alone, and then has no score.
        """

        def measure(archs: Sequence[Any]) -> list[Measured]:
            subjects = {subject.name: subject for subject in map(self.subject, archs)}
            study = Study(
                self.space, self.task, subjects, (self.proxy,), (self.seed,), self.conditions
            )
            found = {
                record.key.arch: record.score
                for records in score_jobs(missing(study), hands)
                for record in records
            }
            return [self._measured(subject, found[name]) for name, subject in subjects.items()]

        return measure

    def _measured(self, subject: Architecture, found: Score) -> Measured:
        if found.value is None:
            return Unscored(str(found.error))
        sign = 1 if proxies.get(self.proxy).higher_is_better else -1
        return Scored(sign * found.value, subject.parameters() / 1000)
