"""Names from outside are text to every reader of a table, never markup."""

from __future__ import annotations

import csv
import html
import io
import re
import sys
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from rich.console import Console

from naslib_swap import Plan, compare, csv_files, spaces
from naslib_swap.cli.main import main
from naslib_swap.cli.printing import as_text as for_terminal
from naslib_swap.evaluation.markdown import as_text as for_markdown
from naslib_swap.evaluation.markdown import markdown_table
from naslib_swap.evaluation.report import title_of
from naslib_swap.quoting import brief, legible, without_controls

NAMES = (
    "nwot[mean]", "nwot[std]", "a[/b]", "[bold red]x", "[link=http://x]y", ":smile:",
    r"$\frac{$", "$x$", "a|b", r"a\|b", "a b", "a  b", "two\nlines", r"two\nlines", "\x1b[31mred",
    "bell\x07", "=cmd|' /C calc'!A0", "'=cmd|' /C calc'!A0", "+1", "-2+3", "@SUM(A1)", "x\ty",
    "<script>alert(1)</script>", "&lt;b&gt;", "`code`", "**bold**", "_em_", "# heading", "SWAP",
    "#Params", "'quoted'", '"quoted"', "\u202eright", "\u00a0", "ünï", "名前", "x" * 400 + "1",
    "x" * 400 + "2",
)  # fmt: skip

TEXTS = st.text(min_size=1, max_size=20)


@pytest.fixture(scope="module")
def truth(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A user's table of DARTS architectures whose columns have these names."""
    space, rng = spaces.get("darts"), np.random.default_rng(5)
    path = tmp_path_factory.mktemp("hostile") / "$a[b]|c.csv"
    with open(path, "w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(["arch", "val_accuracy", *NAMES])
        for number in range(6):
            arch = space.encode(space.sample(rng))
            rows.writerow([arch, 90 + number, *rng.random(len(NAMES)).round(3)])
    return path


@pytest.fixture(scope="module")
def results(truth: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a comparison with these columns leaves in its folder."""
    out = tmp_path_factory.mktemp("out")
    plan = Plan(space="darts", variant="tiny", truth_file=str(truth), archs=None,
                proxies=("params", "depth"))  # fmt: skip
    found = compare(plan, out=out)[0].table["proxy"]
    assert set(found) == {"params", "depth", *(name.strip() for name in NAMES if name.strip())}
    return out


def kept() -> list[str]:
    """The names that the table has: those of columns are stripped, and one must be left."""
    return [name.strip() for name in NAMES if name.strip()]


def lone_controls(text: str) -> set[str]:
    return {c for c in text if not c.isprintable() and c != "\n"}


def test_the_csv_has_a_row_for_each_and_no_formula(results):
    text = (results / "correlations.csv").read_text(encoding="utf-8")
    rows = list(csv.reader(io.StringIO(text)))
    names = [row[0] for row in rows[1:]]
    assert len(set(names)) == len(names) == 2 + len(kept())
    cells = [cell for row in rows for cell in row]
    assert not [c for c in cells if c[:1] in tuple("=+@\t\r") or re.match(r"-(?![\d.])", c)]
    assert not lone_controls(text)
    assert "'+1" in names
    numbers = pd.read_csv(io.StringIO(text))
    assert all(numbers[n].dtype.kind == "f" for n in ("spearman", "ci_low", "kendall"))
    assert (numbers["spearman"] < 0).any()


def test_markdown_shows_each_in_a_cell_of_its_own(results):
    text = (results / "correlations.md").read_text(encoding="utf-8")
    assert not lone_controls(text)
    rendered = MarkdownIt("gfm-like", {"linkify": False}).render(text)
    assert "<script" not in rendered
    found = {html.unescape(cell) for cell in re.findall(r"<td>(.*?)</td>", rendered)}
    wanted = {f"{title_of(name)} (stored)" for name in kept()}
    assert {" ".join(name.split()) for name in wanted} <= {" ".join(c.split()) for c in found}


def test_the_page_and_the_pictures_hold_text_alone(results):
    page = (results / "report.html").read_text(encoding="utf-8")
    assert page.count("<script") == 2  # the data, which hold no "<", and what shows them
    assert not lone_controls(page)
    cells = [html.unescape(cell) for cell in re.findall(r"<td>(.*?)</td>", page)]
    wanted = {f"{title_of(name)} (stored)" for name in kept()}
    assert wanted <= set(cells)
    for kind in ("ranking", "scatter", "proxies"):
        drawing = ElementTree.parse(results / f"{kind}-darts-cifar10.svg")
        texts = {"".join(one.itertext()) for one in drawing.iter() if one.tag.endswith("}text")}
        shown = {brief(title_of(name), 32) for name in kept()}
        assert {" ".join(s.split()) for s in shown} <= {
            " ".join(t.removesuffix(" (stored)").split()) for t in texts
        }
        assert (results / f"{kind}-darts-cifar10.png").read_bytes().startswith(b"\x89PNG")


def test_the_command_prints_each(truth, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("naslib_swap.evaluation.results._pictures", lambda out, outcome: [])
    arguments = ["table", "--space", "darts", "--variant", "tiny", "--truth", "csv", "--truth-file",
                 str(truth), "--archs", "all", "--proxies", "params,depth", "--workers", "1",
                 "--out", str(tmp_path)]  # fmt: skip
    monkeypatch.setattr(sys, "argv", ["naslib-swap", *arguments])
    with pytest.raises(SystemExit, match="0"):
        main()
    printed = capsys.readouterr()
    assert not lone_controls(printed.out + printed.err)
    first = [line.split("│")[1].strip() for line in printed.out.splitlines() if "│" in line]
    assert {f"{title_of(name)} (stored)" for name in kept()} <= set(first)


@given(TEXTS, TEXTS)
def test_different_names_stay_different(one, other):
    assert legible(one).isprintable()
    assert (legible(one) == legible(other)) == (one == other)
    assert (title_of(one) == title_of(other)) == (one == other)


def test_titles_of_proxies_are_not_taken_by_names():
    assert [title_of(n) for n in ("swap", "SWAP", "'SWAP'")] == ["SWAP", "'SWAP'", "\"'SWAP'\""]


@given(TEXTS)
def test_a_terminal_gets_what_is_there(name):
    text = legible(name)
    console = Console(file=io.StringIO(), width=1000, force_terminal=True, color_system=None)
    console.print(for_terminal(text))
    assert console.file.getvalue() == text + "\n"
    assert without_controls(name).replace("\n", "").isprintable()


@given(TEXTS)
@example("0)")
@example("123456789. a")
@example("---")
@example("1.5 a")
def test_markdown_renders_what_is_there(name):
    text = " ".join(legible(name).split())
    shown = MarkdownIt("gfm-like", {"linkify": False}).render(for_markdown(text))
    assert html.unescape(shown) == (f"<p>{text}</p>\n" if text else "")
    table = markdown_table(pd.DataFrame({"proxy": [text or "x"], "n": ["1"]}))
    rendered = MarkdownIt("gfm-like", {"linkify": False}).render(table)
    assert html.unescape(re.findall("<td>(.*?)</td>", rendered)[0]) == (text or "x")


@given(st.lists(TEXTS, min_size=1, unique=True))
def test_a_spreadsheet_gets_texts_and_numbers(names):
    frame = pd.DataFrame({"name": names, "value": -1.5})
    rows = list(csv.reader(io.StringIO(csv_files.written(frame))))[1:]
    assert len({name for name, _ in rows}) == len(names)
    assert not [name for name, _ in rows if name.startswith(("=", "+", "-", "@", "\t", "\r"))]
    assert {value for _, value in rows} == {"-1.5"}


def test_names_are_cut_in_the_middle():
    assert brief("short", 5) == "short"
    assert brief("x" * 50 + "1", 8) == "xxxx…xx1"
    assert brief("abcdef", 4) == "ab…f"
