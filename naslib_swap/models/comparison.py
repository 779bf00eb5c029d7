"""What comes of a comparison of models, and how it is shown."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from functools import cached_property
from html import escape
from typing import TYPE_CHECKING, Any, Optional

import pandas as pd

from naslib_swap import csv_files
from naslib_swap.evaluation.markdown import as_text, markdown_table
from naslib_swap.models.judgement import alike, near_bound, noise, ranked
from naslib_swap.models.measure import ModelScore, record

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_HIDDEN = {"psi", "kinds", "recorded", "unrecorded", "draws"}


@dataclass(frozen=True)
class ModelComparison:
    """Models compared on the same inputs.

    Attributes
    ----------
    models
        What came of each, best first; those without a score last.
    samples
        S.
    mu, sigma
        Thousands of parameters that scores were weighed by; None where they were not.
    """

    models: tuple[ModelScore, ...]
    samples: int
    mu: Optional[float] = None
    sigma: Optional[float] = None

    @property
    def scored(self) -> tuple[ModelScore, ...]:
        """The models that have a score, best first."""
        return tuple(one for one in self.models if one.error is None)

    @property
    def failed(self) -> tuple[ModelScore, ...]:
        """The models that have none."""
        return tuple(one for one in self.models if one.error is not None)

    @cached_property
    def ranks(self) -> list[tuple[int, bool]]:
        """The rank of each scored model, and whether it shares it within noise."""
        return ranked([self._weighed(one) for one in self.scored])

    @cached_property
    def remarks(self) -> tuple[str, ...]:
        """What the comparison is worth, in sentences."""
        found = (near_bound(self.scored), noise(self.scored, self.ranks), alike(self.scored))
        return tuple(text for text in found if text)

    @cached_property
    def records(self) -> list[dict[str, Any]]:
        """Every model as plain data, best first."""
        found = []
        for one, (rank, tied) in zip(self.scored, self.ranks):
            row = {**record(one), "rank": rank, "tied": tied}
            if self.mu is not None:
                logs = self._weighed(one)
                log_score = sum(logs) / len(logs)
                row.update(reg_score=math.exp(log_score), log_reg_score=log_score)
            found.append({**row, **one.proxies})
        return found + [record(one) for one in self.failed]

    @cached_property
    def table(self) -> pd.DataFrame:
        """One row per model, best first, with ``error`` where there is no score."""
        rows = [{k: v for k, v in row.items() if k not in _HIDDEN} for row in self.records]
        frame = pd.DataFrame(rows)
        first = [name for name in ("rank", "tied", "model") if name in frame]
        return frame[[*first, *(name for name in frame.columns if name not in first)]]

    @property
    def view(self) -> pd.DataFrame:
        """The table as people read it: texts, one row per scored model."""
        return pd.DataFrame([self._said(row) for row in self.records if "error" not in row])

    def to_json(self) -> str:
        """Return one line of JSON per model, best first."""
        return "".join(f"{json.dumps(row)}\n" for row in self.records)

    def to_csv(self) -> str:
        """Return the table as CSV."""
        return csv_files.written(self.table)

    def to_markdown(self) -> str:
        """Return the table as people read it, the errors and the remarks, as Markdown."""
        lines = [f"- {as_text(one.error)}" for one in self.failed]
        said = [f"{self.samples} samples.", *map(as_text, self.remarks)]
        parts = [
            markdown_table(self.view) if self.scored else "",
            "\n".join(lines),
            "\n\n".join(said),
        ]
        return "\n".join(part if part.endswith("\n") else f"{part}\n" for part in parts if part)

    def figure(self) -> Figure:
        """Draw the scores, their spread and their bounds."""
        from naslib_swap.models.pictures import scores

        return scores(self)

    def _repr_html_(self) -> str:
        """Return what notebooks show."""
        view = self.view
        head = "".join(f"<th>{escape(str(name))}</th>" for name in view.columns)
        rows = [
            "<tr>" + "".join(f"<td>{escape(str(cell))}</td>" for cell in row) + "</tr>"
            for row in view.itertuples(index=False)
        ]
        said = [*(str(one.error) for one in self.failed), f"{self.samples} samples.", *self.remarks]
        return (
            f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table>"
            + "".join(f"<p>{escape(text)}</p>" for text in said)
        )

    def _weighed(self, one: ModelScore) -> tuple[float, ...]:
        if self.mu is None or self.sigma is None:
            return one.drawn
        return one.log_regularised(self.mu, self.sigma)

    def _said(self, row: dict[str, Any]) -> dict[str, str]:
        spread = "" if row["spread"] is None else f" ± {row['spread']:,.1f}"
        said = {
            "rank": f"{row['rank']}{'=' if row['tied'] else ''}",
            "model": row["model"],
            "score": f"{row['score']:,.1f}{spread}",
        }
        if self.mu is not None:
            said["log reg-SWAP"] = f"{row['log_reg_score']:.4f}"
        said.update({name: _number(row[name]) for name in self._others})
        return {
            **said,
            "values V": f"{row['values']:,}",
            "SWAP/V": f"{row['score_per_value']:.3g}",
            "saturation": f"{row['saturation']:.1%}",
            "#params": f"{row['parameters']:,}",
            "MMACs": "" if row["macs"] is None else f"{row['macs'] / 1e6:,.4g}",
            "depth": "" if row["depth"] is None else str(row["depth"]),
            "seconds": f"{row['seconds']:.2f}",
            "peak MB": "" if row["peak_bytes"] is None else f"{row['peak_bytes'] / 1e6:,.0f}",
            "bound": f"{row['bound']:,}",
            "recorded": _counts(row["recorded"]),
            "seen only": _counts(row["unrecorded"]),
        }

    @property
    def _others(self) -> list[str]:
        return list(dict.fromkeys(name for one in self.scored for name in one.proxies))


def _number(value: Any) -> str:
    return value if isinstance(value, str) else f"{value:.6g}"


def _counts(calls: dict[str, int]) -> str:
    return ", ".join(f"{name} x{count}" for name, count in sorted(calls.items()))
