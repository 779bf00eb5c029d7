"""A comparison of models as files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from naslib_swap.figures import save
from naslib_swap.files import write_text

if TYPE_CHECKING:
    from naslib_swap.models.comparison import ModelComparison


def write_comparison(found: ModelComparison, folder: Path) -> None:
    """Write ``models.json``, ``.csv``, ``.md``, ``.png`` and ``.svg``, each whole or not at all.

    Raises
    ------
    BadFile
        If the folder cannot be written.
    """
    whole = {"samples": found.samples, "models": found.records, "remarks": found.remarks}
    write_text(folder / "models.json", json.dumps(whole, indent=1) + "\n")
    write_text(folder / "models.csv", found.to_csv())
    write_text(folder / "models.md", found.to_markdown())
    if found.scored:
        save(found.figure(), folder, "models")
