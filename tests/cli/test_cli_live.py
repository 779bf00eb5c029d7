"""The ranking as it grows: on a terminal, and in a log."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from naslib_swap.cli import live as module
from naslib_swap.cli.live import Ranking, Row, live, whisker

ROWS = [
    Row("reg-SWAP", ("0.912", "20"), True, (0.8, 0.912, 0.97)),
    Row("[bold]x\x1b[31m", ("-0.300", "20"), False, (-0.6, -0.3, 0.1)),
    Row("NWOT", ("0.100", "20")),
]


def ranking(rows=ROWS) -> Ranking:
    return Ranking("so far", ("proxy", "Spearman", "n"), rows)


def drawn(rows, height: int = 30) -> str:
    console = Console(file=io.StringIO(), width=100, height=height, force_terminal=False)
    picture = module._Picture("scoring", console)
    picture.watched = module.Watched(picture.show)
    picture.watched.source = lambda: ranking(rows)
    picture.show(5, 20)
    console.print(picture.drawn())
    return console.file.getvalue()


def test_a_terminal_sees_rows_intervals_and_the_time_left():
    text = drawn(ROWS)
    lines = text.splitlines()
    assert lines[0].strip() == "so far"
    assert [line.split()[0] for line in lines[2:5]] == ["reg-SWAP", "[bold]x\\x1b[31m", "NWOT"]
    assert "●" in lines[2]
    assert "5/20" in lines[-1]
    assert "s left" in lines[-1]


def test_a_low_terminal_gets_the_first_rows():
    text = drawn(ROWS * 4, height=10)
    assert text.count("Spearman") == 1
    assert "and 8 more rows" in text


def test_before_the_first_row_there_is_a_bar():
    assert drawn([]).strip().startswith("scoring")


def test_a_log_gets_lines_that_name_the_best(capsys, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("FORCE_COLOR", raising=False)
    with live("scoring") as watched:
        watched.show(0, 2)
        watched.source = ranking
        watched.show(2, 2)
    first, last = capsys.readouterr().err.splitlines()
    assert first == "scoring: 0/2"
    assert last.startswith("scoring: 2/2")
    assert last.endswith("; best so far: reg-SWAP 0.912, [bold]x\\x1b[31m -0.300, NWOT 0.100")


def test_quiet_shows_nothing(capsys):
    with live("scoring", quiet=True) as watched:
        watched.show(1, 2)
    assert capsys.readouterr() == ("", "")


def test_intervals_outside_the_scale_end_at_its_edge():
    assert whisker((-0.5, 0.0, 0.5), 5) == "●──  "
    assert whisker((0.2, 1.2, 1.5), 5).endswith("●")
    assert whisker(None) == ""


def test_models_rank_as_they_are_scored():
    from torch import nn

    from naslib_swap.cli.score import _ranking
    from naslib_swap.models.compare import compare_planned
    from naslib_swap.models.plan import ModelsPlan

    nets = {
        "[b]narrow": lambda: nn.Sequential(nn.Conv2d(3, 1, 3), nn.ReLU()),
        "none": nn.Identity,
        "wide": lambda: nn.Sequential(nn.Conv2d(3, 3, 3), nn.ReLU()),
    }
    sources, seen = [], []
    compare_planned(
        nets,
        None,
        ModelsPlan(input_shape="3,5,5", samples=4),
        watch=sources.append,
        progress=lambda done, total: seen.append(_ranking(sources[0]())),
    )
    assert [[row.name for row in one.rows] for one in seen] == [
        *([], ["[b]narrow"], ["[b]narrow"]),
        ["wide", "[b]narrow"],
    ]
    best = seen[-1].rows[0]
    assert best.interval is not None
    assert best.cells[1] == f"{best.interval[1]:.1%}"
