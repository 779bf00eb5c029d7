"""Comparing proxies on FlexiBERT encoders, from a plan to tables and pictures."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Optional, Union

import numpy as np
import pandas as pd

from naslib_swap.errors import BadArgument, Unscorable
from naslib_swap.evaluation.standings import Standings
from naslib_swap.flexibert import report
from naslib_swap.flexibert.benchmark import BenchmarkEntry, load_benchmark, load_released
from naslib_swap.flexibert.comparators import PROXIES, RELEASED, STATED
from naslib_swap.flexibert.encoder import Encoder, encode
from naslib_swap.flexibert.plan import FlexibertPlan
from naslib_swap.flexibert.report import Comparison, name_of
from naslib_swap.flexibert.subject import TRAIL, TextEncoder
from naslib_swap.flexibert.texts import Texts
from naslib_swap.scoring.conditions import Conditions
from naslib_swap.scoring.execution import Execution
from naslib_swap.scoring.record import Score
from naslib_swap.scoring.runs import run
from naslib_swap.scoring.single import score
from naslib_swap.scoring.store import store_of
from naslib_swap.scoring.study import COLUMNS, Study, gather, nothing_scored, recipes_of


def compare_encoders(
    plan: FlexibertPlan,
    *,
    out: Union[str, Path, None] = None,
    execution: Optional[Execution] = None,
    progress: Callable[[int, int], None] = lambda done, total: None,
    note: Callable[[str], None] = lambda text: None,
    released: bool = False,
    watch: Optional[Callable[[Standings], None]] = None,
) -> Comparison:
    """Score encoders by zero-cost proxies and compare the ranks with their GLUE scores.

    Parameters
    ----------
    plan
        What to score, and how.
    out
        Folder for ``scores.jsonl``, ``flexibert.md``, CSV tables and pictures; None writes
        nothing. What it holds already is not scored again.
    execution
        Where it is computed; None in this process.
    progress
        Called with the number of jobs done and the number there are.
    note
        Called with what a user should know.
    released
        Whether to compare with the released values too.
    watch
        Called once, before anything is scored, with the ranking as it grows.

    Returns
    -------
    Comparison
        Its ``table`` and ``tasks`` are data frames with one row per proxy.

    Raises
    ------
    SwapError
        A plan that cannot be met, a folder that cannot be written, or no score at all.

    Examples
    --------
    >>> from naslib_swap.flexibert import FlexibertPlan, compare_encoders
    >>> plan = FlexibertPlan(archs=6, proxies=("swap", "params"), samples=16, length=32)
    >>> compare_encoders(plan).table["proxy"].tolist()  # doctest: +SKIP
    ['params', 'swap']
    """
    entries = drawn_entries(plan, note)
    names = plan.proxies or tuple(PROXIES)
    study = study_of(plan, {name_of(entry): entry.encoder for entry in entries})
    recipes_of(study)  # loads the text, and complains now rather than later
    folder = None if out is None else Path(out)
    with store_of(folder, note) as store:
        try:
            standings = Standings([study], [report.truth_of(entries)])
            if watch is not None:
                watch(standings)
            # In this order encoders share what they begin with; quick proxies do not go first.
            run([study], store, execution, progress=progress, note=note, came=standings.add)
        finally:
            TRAIL.clear()
        (computed,) = gather([study], store)
    frames = [frame for frame in (computed, _as_stated(study, names)) if len(frame)]
    scores = pd.concat(frames, ignore_index=True)
    if (message := nothing_scored([scores])) is not None:
        raise Unscorable(f"{message}. Once that is mended, --retry-failed scores them again.")
    found = Comparison(
        title=_title(plan, study),
        entries=entries,
        proxies=names,
        scores=scores,
        table=report.table_one(scores, entries),
        tasks=report.task_table(scores, entries),
        released=report.released_table(scores, load_released(), RELEASED) if released else None,
    )
    if folder is not None:
        _write(folder, found)
    return found


def score_encoder(encoder: Encoder, plan: FlexibertPlan, *, seed: int = 0) -> dict[str, Score]:
    """Score one encoder by the proxies of a plan.

    Parameters
    ----------
    encoder
        What is scored.
    plan
        How; which encoders it names does not matter here.
    seed
        Of weights, dropout and cotangent.

    Returns
    -------
    dict
        A score for each proxy; what went wrong is in its ``error``.

    Raises
    ------
    SwapError
        An unknown proxy, or text that cannot be loaded.
    """
    subject = TextEncoder(encode(encoder), plan.fidelity, plan.operations)
    try:
        return score(subject, plan.proxies or tuple(PROXIES), conditions_of(plan), seed=seed)
    finally:
        TRAIL.clear()


def conditions_of(plan: FlexibertPlan) -> Conditions:
    """Return the conditions that all scores of a plan are made under."""
    return Conditions(
        Texts(plan.text, plan.tokenizer, plan.samples, plan.length),
        {"mode": plan.mode, "cotangent": plan.cotangent, "observed": plan.observed},
    )


def study_of(plan: FlexibertPlan, encoders: Mapping[str, Encoder]) -> Study:
    """Return what is to be scored: encoders that begin alike side by side.

    One that ends where another goes on comes after it: see
    :class:`~naslib_swap.flexibert.chunked.Trail`.
    """
    subjects = {
        name: TextEncoder(encode(encoder), plan.fidelity, plan.operations)
        for name, encoder in encoders.items()
    }
    end = "~"  # behind every part's name

    def parts(named: tuple[str, TextEncoder]) -> tuple[str, ...]:
        return (*named[1].configuration().parts(), end)

    return Study(
        space=TextEncoder.space,
        task=TextEncoder.task,
        subjects=dict(sorted(subjects.items(), key=parts)),  # type: ignore[arg-type]
        proxies=tuple(name for name in plan.proxies or PROXIES if name not in STATED),
        seeds=tuple(range(plan.seeds)),
        conditions=conditions_of(plan),
    )


def drawn_entries(
    plan: FlexibertPlan, note: Callable[[str], None] = lambda text: None
) -> list[BenchmarkEntry]:
    """Load the benchmark and draw the encoders that a plan asks for.

    Raises
    ------
    SwapError
        A benchmark that cannot be read; fewer than three encoders, or more than there are.
    """
    entries = load_benchmark(plan.benchmark)
    if plan.archs == 0:
        note("archs 0 stands for all encoders, as it used to; write all.")
    if not plan.archs:
        return entries
    if not 3 <= plan.archs <= len(entries):
        raise BadArgument(
            f"got {plan.archs} encoders to draw, expected 3 to {len(entries)}, or all."
        )
    drawn = np.random.default_rng(0).permutation(len(entries))[: plan.archs]
    return [entries[i] for i in sorted(drawn)]


def _as_stated(study: Study, names: Sequence[str]) -> pd.DataFrame:
    """Return rows as `gather` does, of the proxies that look at encoders as they are stated.

    The study scores each network once, and these may differ where networks are equal.
    """
    rows: list[tuple[Any, ...]] = [
        (study.space, study.task, name, arch, seed, value, np.nan, 0.0, None, None)
        for name in names
        if name in STATED
        for arch, subject in sorted(study.subjects.items())
        for value in [PROXIES[name].compute(subject.probe(study.conditions, 0))]
        for seed in study.seeds
    ]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _title(plan: FlexibertPlan, study: Study) -> str:
    texts = study.conditions.inputs
    (tokens,) = texts.shape(TextEncoder.takes)
    return (
        f"{len(study.subjects)} encoders, {plan.fidelity}, {texts.samples} documents of {tokens} "
        f"tokens ({texts.source}), {plan.seeds} seed(s)"
    )


def _write(folder: Path, found: Comparison) -> None:
    from naslib_swap.figures import save
    from naslib_swap.flexibert import pictures

    report.write_tables(folder, found.sections())
    save(
        pictures.proxies_against_glue(found.scores, found.entries, found.proxies), folder, "proxies"
    )
    if "swap" in found.proxies:
        save(pictures.swap_against_tasks(found.scores, found.entries), folder, "tasks")
