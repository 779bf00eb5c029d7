"""What a user asks of a comparison."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar, Optional

from naslib_swap import spaces
from naslib_swap.combinations import Combination, requested
from naslib_swap.errors import BadArgument
from naslib_swap.options import (
    count_or_all,
    names_or_all,
    option,
    plan_of,
    read_config,
)
from naslib_swap.proxies import DEFAULT, chosen
from naslib_swap.scoring.plan import MOST_SEEDS, ScoringPlan

if TYPE_CHECKING:
    from naslib_swap.ground_truth import GroundTruth


@dataclass(frozen=True)
class Plan(ScoringPlan):
    """One task of one space, and how to compare proxies on it: the options of ``table``.

    Examples
    --------
    >>> plan = Plan(space="nasbench101", archs=50, proxies=("swap", "params"))
    >>> plan.truth_source()
    'suite-zero'
    """

    archs: Optional[int] = option(
        200, "Architectures to sample, or all.", read=count_or_all, shown="200"
    )
    subset: str = option(
        "all", "Part of the space to sample from: all, or a name such as nasbench201's reachable."
    )
    proxies: tuple[str, ...] = option(
        (DEFAULT,),
        "Names of proxies and combinations, separated by commas; default, or all.",
        read=names_or_all,
        shown="default",
    )
    combine: tuple[str, ...] = option(
        (),
        "Sums of log ranks of your own, separated by commas: mine=swap+params+nwot.",
        read=names_or_all,
        shown="none",
    )
    libra: bool = option(
        False, "Add LIBRA: proxies chosen with half of the accuracies, judged on the other half."
    )
    seeds: int = option(1, "How many seeds: 0, 1, ...", least=1, most=MOST_SEEDS)
    truth: Optional[str] = option(
        None, "Accuracies: analog, suite-zero, nasbench201, darts1000, csv, ..."
    )
    truth_file: Optional[str] = option(None, "A file of accuracies, such as arch,val_accuracy CSV.")
    stored: Optional[str] = option(
        None, "A source of stored scores to show beside ours, e.g. suite-zero."
    )
    top: int = option(10, "k of nDCG and regret.", least=1)

    def columns(self) -> tuple[tuple[str, ...], tuple[Combination, ...]]:
        """Return the proxies to score, and the combinations to make of them.

        Raises
        ------
        BadArgument
            For a name that nothing has.
        """
        return requested(self.proxies, self.combine)

    def truth_source(self) -> str:
        """Return the source of accuracies: the one named, or the one that fits the task."""
        if self.truth is not None:
            return self.truth
        if self.truth_file is not None:
            return "csv"
        return spaces.get(self.space).task(self.task).accuracies or "csv"

    def accuracies(self) -> GroundTruth:
        """Load the accuracies, those of the subset."""
        from naslib_swap import ground_truth

        truth = ground_truth.load(
            self.truth_source(), space=self.space, task=self.task, path=self.truth_file
        )
        space = spaces.get(self.space)
        belongs = space.subset(self.subset)
        if self.subset == "all":
            return truth
        kept = {a: value for a, value in truth.accuracy.items() if belongs(space.parse(a))}
        return replace(truth, accuracy=kept)


@dataclass(frozen=True)
class PrecomputePlan(Plan):
    """What is to be scored into a table of one space: the options of ``precompute``.

    ``task`` may name several tasks, separated by commas.
    """

    task: str = option("cifar10", "Tasks, separated by commas.")
    proxies: tuple[str, ...] = option(
        ("swap", "reg_swap"),
        "Names separated by commas, or all.",
        read=names_or_all,
        shown="swap,reg_swap",
    )
    archs: Optional[int] = option(
        None, "How many of the architectures with an accuracy, or all.", read=count_or_all,
        shown="all",
    )  # fmt: skip
    archs_file: Optional[str] = option(None, "Architectures, one per line, in any known notation.")
    into: Optional[str] = option(
        None,
        "A table whose architectures are scored, and to whose copy in --out they are added. It "
        "stays as it is, unless --out names it too.",
    )
    anew: bool = option(False, "Compute anew what the table has already.")
    HIDDEN: ClassVar[tuple[str, ...]] = ("seeds", "top", "stored", "combine", "libra", "subset")

    def columns(self) -> tuple[tuple[str, ...], tuple[Combination, ...]]:
        """Return the proxies to score; combinations hold within a cohort, not in a table of all.

        Raises
        ------
        BadArgument
            For a name that no proxy has.
        """
        return chosen(self.proxies), ()


def plans_from_config(config: str, given: Mapping[str, Any] | None = None) -> list[Plan]:
    """Read plans from YAML: shared options at the top, one entry per task under ``tasks``.

    Parameters
    ----------
    config
        The path of a file, or the name of a packaged one: ``config_names("table")``.
    given
        Options that win over the file's, for every task; ``space`` and ``task`` among them choose
        from the tasks of a file that lists several.

    Raises
    ------
    SwapError
        The file is missing or no YAML mapping, has a key or a kind of value that no option has, or
        none of its tasks is chosen.
    """
    content = read_config(config, "table")
    options = dict(given or {})
    tasks = content.pop("tasks", None)
    if tasks is None:
        return [plan_of(Plan, {**content, **options}, config)]
    if not isinstance(tasks, list) or not tasks or not all(isinstance(t, dict) for t in tasks):
        raise BadArgument(f"{config}: expected `tasks` to be a list of options by name.")
    chosen: dict[str, Any] = {
        name: options.pop(name) for name in ("space", "task") if name in options
    }
    plans = [plan_of(Plan, {**content, **task, **options}, config) for task in tasks]
    kept = [p for p in plans if all(getattr(p, n) == value for n, value in chosen.items())]
    if not kept:
        wanted = " and ".join(f"{name} {value!r}" for name, value in chosen.items())
        raise BadArgument(
            f"{config} has no task with {wanted}; it holds "
            f"{', '.join(f'{p.space}/{p.task}' for p in plans)}."
        )
    return kept
