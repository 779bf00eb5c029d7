"""The documentation site builds without a warning, and its notebook runs."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
NOTEBOOK = ROOT / "docs" / "ten_minutes.ipynb"


def test_the_notebook_is_there_with_what_it_printed():
    cells = json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]
    code = [cell for cell in cells if cell["cell_type"] == "code"]
    assert all(cell["outputs"] for cell in code if "print" in str(cell["source"]))
    text = "".join(json.dumps(cell["outputs"]) for cell in code)
    assert "Traceback" not in text
    assert not re.search(r"/(home|root|tmp|work)/", text)


@pytest.mark.slow
def test_the_notebook_runs_and_says_the_same(tmp_path):
    nbformat = pytest.importorskip("nbformat")
    nbclient = pytest.importorskip("nbclient")
    pytest.importorskip("ipykernel")
    book = nbformat.read(NOTEBOOK, as_version=4)
    before = [printed(cell) for cell in book.cells if "swap_score" in cell.source]
    nbclient.NotebookClient(
        book, timeout=600, resources={"metadata": {"path": str(tmp_path)}}
    ).execute()
    assert [printed(cell) for cell in book.cells if "swap_score" in cell.source] == before


def printed(cell) -> str:
    return "".join(out.get("text", "") for out in cell.get("outputs", []))


@pytest.mark.slow
def test_the_site_builds_without_a_warning(tmp_path):
    pytest.importorskip("mkdocs")
    pytest.importorskip("material")
    pytest.importorskip("mkdocstrings")
    pytest.importorskip("mkdocs_jupyter")
    subprocess.run(["make", "links"], cwd=ROOT, capture_output=True, check=True)
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    first = (tmp_path / "index.html").read_text(encoding="utf-8")
    assert "Which command for which question" in first
    reference = (tmp_path / "reference" / "comparisons" / "index.html").read_text(encoding="utf-8")
    assert "Score architectures by zero-cost proxies" in reference


def test_pages_are_all_in_the_navigation():
    named = set(re.findall(r"[\w/]+\.(?:md|ipynb)", (ROOT / "mkdocs.yml").read_text()))
    there = {
        path.relative_to(ROOT / "docs").as_posix()
        for kind in ("md", "ipynb")
        for path in (ROOT / "docs").rglob(f"*.{kind}")
    }
    assert there <= named
    assert named - there == {"contributing.md", "security.md", "changelog.md"}
