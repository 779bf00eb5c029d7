"""From stored scores to tables: frames, CSV and Markdown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from naslib_swap import combinations, csv_files, proxies
from naslib_swap.combinations import Combination
from naslib_swap.evaluation import libra
from naslib_swap.evaluation.advice import advice
from naslib_swap.evaluation.cohorts import with_combinations
from naslib_swap.evaluation.correlate import correlate
from naslib_swap.evaluation.markdown import as_text, markdown_table
from naslib_swap.evaluation.overview import overview
from naslib_swap.evaluation.published import beside_stored, stored_scores
from naslib_swap.files import write_text
from naslib_swap.ground_truth import GroundTruth
from naslib_swap.ground_truth.nasbench301_surrogate import Predictions
from naslib_swap.quoting import legible, one_line
from naslib_swap.scoring.study import Study, nothing_scored

# What people are shown, of all that correlations.csv holds: heading and format of each column.
SHOWN: Mapping[str, tuple[str, str]] = {
    "n": ("n", "d"),
    "spearman": ("Spearman", ".3f"),
    "spearman_common": ("common", ".3f"),
    "interval": ("95 % interval", ""),
    "behind": ("behind the best", ""),
    "spearman_std": ("± seeds", ".3f"),
    "kendall": ("Kendall", ".3f"),
    "spearman_given_params": ("given #params", ".2f"),
    "spearman_given_flops": ("given FLOPs", ".2f"),
    "spearman_within_depth": ("within depth", ".2f"),
    "ndcg": ("nDCG@k", ".3f"),
    "regret": ("regret@k", ".2f"),
    "stored_spearman": ("stored", ".3f"),
    "seconds_per_arch": ("ms/arch", ".1f"),
    "saturated_fraction": ("saturated", ".0%"),
    "failed": ("failed", "d"),
}

LABELLED = "chosen with accuracies"

MARKS: Mapping[str, str] = {
    "computed": "",
    "combined": " *",
    LABELLED: " ‡",
    "stored": " (stored)",
}
"""What stands behind the name of a row, by where its scores come from."""

_INTERVALS = {"interval": ("ci_low", "ci_high"), "behind": ("behind_low", "behind_high")}

NOTES = (
    "Correlations are positive where a proxy ranks as it is meant to. n: architectures that the "
    "proxy scored. Common: Spearman correlation on the architectures that every computed proxy "
    "scored; where proxies failed, compare these, as failures are seldom average networks. "
    "Interval: bootstrap over architectures. Behind the best: how much lower the Spearman "
    "correlation is than that of the first row, on the same resamples, 95 % interval; where it "
    "holds 0, the two cannot be told apart. ± seeds: standard deviation over seeds. Given "
    "#params, given FLOPs: partial Spearman correlation with these held fixed. Within depth: "
    "Spearman correlation among architectures of equal depth. nDCG@k: how good the k best by "
    "proxy are, 1 at best. regret@k: accuracy lost, against the best of these architectures, by "
    "training the k best by proxy. Stored: Spearman correlation of scores that came with the "
    "accuracies. ms/arch: what the proxy costs alone, one thread. Saturated: scores at their "
    "upper bound, which tell nothing apart. *: a combination, the sum over proxies of "
    "log(rank / n); its scores hold among these architectures only, each resample of its interval "
    "is ranked anew, and its ms/arch adds up those of its members. ‡: a combination that was "
    "chosen with the accuracies of one half of the architectures; its row is that of the other "
    "half, also what it is behind. No other computed row uses accuracies or trained weights."
)

OVERVIEW = (
    "Spearman correlation of each row on each task. Mean and worst are over the tasks that a row "
    "has."
)

_STORED_NOTES = (
    "Computed and stored scores on the same architectures: Spearman correlation of each with the "
    "accuracies, their difference, and the agreement, Spearman correlation of one with the other."
)


@dataclass(frozen=True)
class Outcome:
    """The result of comparing one task.

    Attributes
    ----------
    space, task, title
        What was compared, and its name for people.
    table
        One row per proxy, see :class:`naslib_swap.evaluation.correlate.Correlation`, with
        ``source`` "computed", "combined", "chosen with accuracies" or "stored".
    beside
        Computed against stored scores.
    scores
        One row per architecture, proxy and seed.
    accuracy
        The accuracies of the architectures.
    remarks
        What a reader should be warned of.
    advice
        Which row to take, in words; empty where none ranks better than chance.
    """

    space: str
    task: str
    title: str
    table: pd.DataFrame
    beside: pd.DataFrame
    scores: pd.DataFrame
    accuracy: Mapping[str, float]
    remarks: tuple[str, ...]
    advice: str = ""

    def nothing_scored(self) -> str | None:
        """Return what to tell the user where every computed score failed; else None."""
        computed = self.table.loc[self.table["source"] == "computed", "proxy"]
        return nothing_scored([self.scores[self.scores["proxy"].isin(computed)]])


def outcome_of(
    study: Study,
    truth: GroundTruth,
    scores: pd.DataFrame,
    *,
    combined: Sequence[Combination] = (),
    labelled: bool = False,
    subset: str = "all",
    top: int = 10,
    timings: bool = True,
) -> Outcome:
    """Compare a study's scores with the accuracies, and with the scores that came with these.

    Combinations of proxies are made of the scores and get rows of their own; with ``labelled``,
    LIBRA has one too, which uses accuracies.

    Without ``timings`` the table has no ``seconds_per_arch``: two runs then give the same bytes.
    """
    directions = directions_of((*study.proxies, *truth.proxies))
    stored = stored_scores(study, truth)
    whole, made, remarks = with_combinations(scores, combined, truth.accuracy.keys())
    everything = pd.concat([f for f in (whole, stored) if len(f)], ignore_index=True)
    table = correlate(
        everything,
        truth.accuracy,
        directions,
        computed=study.proxies,
        combinations=made,
        k=top,
    )
    sources = {
        **dict.fromkeys(study.proxies, "computed"),
        **dict.fromkeys((one.name for one in made), "combined"),
    }
    if labelled:
        chosen = libra.choose(scores, truth.accuracy, study.proxies)
        row, rows, remark = _libra(chosen, scores, made, truth.accuracy, study.proxies, top)
        table = pd.concat([table, row], ignore_index=True)
        everything = pd.concat([everything, rows], ignore_index=True)
        sources[libra.NAME] = LABELLED
        remarks.append(remark)
    table["source"] = [sources.get(proxy, "stored") for proxy in table["proxy"]]
    table.loc[table["source"] == "stored", "seeds"] = 0
    table["subset"], table["sampled_from"] = subset, _known(truth)
    if not timings:
        table["seconds_per_arch"] = float("nan")
    beside = beside_stored(scores, truth, directions)
    extra = ["proxy", "stored_n", "stored_spearman", "difference", "agreement"]
    table = table.merge(beside[extra], on="proxy", how="left")
    return Outcome(
        space=study.space,
        task=study.task,
        title=_title(study, table, truth),
        table=table,
        beside=beside,
        scores=everything,
        accuracy=truth.accuracy,
        remarks=(*_remarks(scores), *remarks),
        advice=advice(table, title_of),
    )


def _libra(
    chosen: libra.Choice,
    scores: pd.DataFrame,
    others: Sequence[Combination],
    accuracy: Mapping[str, float],
    computed: Sequence[str],
    top: int,
) -> tuple[pd.DataFrame, pd.DataFrame, str]:
    """Return LIBRA's row on the architectures held out, its scores there, and a remark."""
    held_out = scores[scores["arch"].isin(chosen.held_out)]
    combined = [*others, chosen.combination]
    whole, made, _ = with_combinations(held_out, combined, chosen.held_out)
    names = (*computed, *(one.name for one in made))
    table = correlate(
        whole, accuracy, directions_of(names), computed=computed, combinations=made, k=top
    )
    is_libra = table["proxy"] == libra.NAME
    best = table[~is_libra].iloc[0]
    remark = (
        f"{libra.TITLE} is {', '.join(map(title_of, chosen.combination.members))}, chosen with the "
        f"accuracies of {len(chosen.chosen_on)} architectures and compared on the "
        f"{len(chosen.held_out)} others; there the best row without accuracies is "
        f"{title_of(best['proxy'])} ({best['spearman']:.3f})."
    )
    return table[is_libra], whole[whole["proxy"] == libra.NAME], remark


def directions_of(names: Sequence[str]) -> dict[str, bool]:
    """Return whether higher values of each proxy are better; True for unknown proxies."""
    return {name: proxies.higher_is_better(name) for name in names}


def title_of(proxy: str) -> str:
    """Return the name of a proxy in tables and pictures; different proxies have different names."""
    titles = {
        name: known.get(name).title for known in (proxies, combinations) for name in known.names()
    }
    titles[libra.NAME] = libra.TITLE
    if proxy in titles:
        return legible(titles[proxy])
    return repr(proxy) if proxy in titles.values() else legible(proxy)


def _known(truth: GroundTruth) -> float:
    """Return how many architectures have an accuracy; NaN where any may be asked for."""
    return float("nan") if isinstance(truth.accuracy, Predictions) else len(truth.accuracy)


def _title(study: Study, table: pd.DataFrame, truth: GroundTruth) -> str:
    subject = next(iter(study.subjects.values()))
    chosen = getattr(subject, "chosen", None)
    variant = f" ({chosen})" if chosen else ""
    inputs = study.conditions.inputs
    known, subset = table["sampled_from"].iloc[0], table["subset"].iloc[0]
    whole = "" if pd.isna(known) else f" of {int(known)}"
    part = "" if subset == "all" else f" {subset}"
    return one_line(
        f"{study.space}{variant} / {study.task}: {int(table['n'].max())}{whole}{part} "
        f"architectures, "
        f"{_plural(len(study.seeds), 'seed')}, {inputs.samples} images "
        f"({inputs.source}), accuracies: {truth.source}"
    )


def _remarks(scores: pd.DataFrame) -> list[str]:
    found = []
    failed = scores[scores["error"].notna()]
    for error, rows in failed.groupby("error"):
        names = list(dict.fromkeys(rows["proxy"]))
        archs = list(dict.fromkeys(rows["arch"]))
        found.append(
            f"{', '.join(map(legible, names))} failed on "
            f"{_plural(len(archs), 'architecture')}, {legible(archs[0])} "
            f"{'for one' if len(archs) > 1 else 'alone'}: {one_line(error, 1000)}"
        )
    for (proxy, seed), rows in scores.dropna(subset=["value"]).groupby(["proxy", "seed"]):
        if len(rows) >= 3 and rows["value"].nunique() == 1:
            full = (rows["saturation"] >= 1).all()
            found.append(
                f"{legible(proxy)} gives all {len(rows)} architectures the score "
                f"{rows['value'].iloc[0]:g} under seed {seed}: nothing to rank."
                + (" It is the upper bound; use more samples." if full else "")
            )
    return found


def presented(table: pd.DataFrame) -> pd.DataFrame:
    """Return the columns that people read, as text; those that hold nothing are left out."""
    view = pd.DataFrame(
        {"proxy": [title_of(p) + MARKS[s] for p, s in zip(table["proxy"], table["source"])]}
    )
    all_common = (table["n_common"] == table["n"]).all()  # then n and common say nothing new
    for name, (heading, form) in SHOWN.items():
        if all_common and name in ("n", "spearman_common"):
            continue
        if name in _INTERVALS:
            low, high = (table[end] for end in _INTERVALS[name])
            cells = ["" if pd.isna(a) else f"{a:.2f} to {b:.2f}" for a, b in zip(low, high)]
        elif name == "seconds_per_arch":
            cells = [_number(1000 * value, form) for value in table[name]]
        else:
            cells = [_number(value, form) for value in table[name]]
        if name == "failed":
            cells = ["" if cell == "0" else cell for cell in cells]
        if any(cells):
            view[heading] = cells
    return view


def footnote(table: pd.DataFrame) -> str:
    """Return what the headings of the table above it mean."""
    text = f"k = {int(table['k'].max())}."
    if (table["n_common"] == table["n"]).all():
        return text
    common = _plural(int(table["n_common"].max()), "architecture")
    return f"{text} Common to all computed proxies: {common}."


def presented_beside(beside: pd.DataFrame) -> pd.DataFrame:
    """Return computed against stored scores as text."""
    return pd.DataFrame(
        {
            "proxy": [title_of(p) for p in beside["proxy"]],
            "n": [str(n) for n in beside["stored_n"]],
            "computed": [_number(v, ".3f") for v in beside["computed_spearman"]],
            "stored": [_number(v, ".3f") for v in beside["stored_spearman"]],
            "difference": [_number(v, "+.3f") for v in beside["difference"]],
            "agreement": [_number(v, ".3f") for v in beside["agreement"]],
        }
    )


def _number(value: Any, form: str) -> str:
    return "" if pd.isna(value) else format(value, form)


def _plural(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def presented_overview(outcomes: Sequence[Outcome]) -> pd.DataFrame:
    """Return the overview of several tasks as text."""
    table = overview(outcomes)
    sources = pd.concat([o.table for o in outcomes]).set_index("proxy")["source"]
    marks = {proxy: MARKS[source] for proxy, source in sources.items() if source != "stored"}
    view = {"proxy": [title_of(p) + marks.get(p, "") for p in table.index]}
    for name, values in table.items():
        form = ".0f" if name == "tasks" else ".3f"
        view[str(name)] = [_number(value, form) for value in values]
    if (table["tasks"] == len(outcomes)).all():
        del view["tasks"]
    return pd.DataFrame(view)


def markdown(outcomes: Sequence[Outcome]) -> str:
    """Return the tables as Markdown, with the notes that explain their columns."""
    parts = ["# Zero-cost proxies against accuracies\n"]
    if len(outcomes) > 1:
        parts += [OVERVIEW + "\n", markdown_table(presented_overview(outcomes))]
    for outcome in outcomes:
        parts += [
            f"## {as_text(outcome.title)}\n",
            markdown_table(presented(outcome.table)),
            footnote(outcome.table) + "\n",
            *([as_text(outcome.advice) + "\n"] if outcome.advice else []),
            *(f"- {as_text(remark)}\n" for remark in outcome.remarks),
        ]
        if len(outcome.beside):
            parts += [_STORED_NOTES + "\n", markdown_table(presented_beside(outcome.beside))]
    parts.append(NOTES + "\n")
    return "\n".join(parts)


def write_tables(out: Path, outcomes: Sequence[Outcome]) -> None:
    """Write ``correlations.csv`` and ``correlations.md`` into a folder."""
    whole = pd.concat([outcome.table for outcome in outcomes], ignore_index=True)
    write_text(out / "correlations.csv", csv_files.written(whole))
    write_text(out / "correlations.md", markdown(outcomes))
