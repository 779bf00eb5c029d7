"""Tables keep whole cells, whatever the width of the terminal."""

from __future__ import annotations

import pytest

from naslib_swap.cli.printing import print_table

COLUMNS = ["proxy", "Spearman", "95 % interval", "failed"]
ROWS = [["reg-SWAP", "0.907", "0.87 to 0.93", ""], ["NWOT", "0.793", "0.72 to 0.85", "5"]]


def printed(capsys: pytest.CaptureFixture[str]) -> str:
    print_table("a title", COLUMNS, ROWS, left={"proxy"}, bold={0})
    return capsys.readouterr().out


def test_nothing_is_left_out_of_a_pipe(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "30")
    shown = printed(capsys)
    assert all(cell in shown for row in [COLUMNS, *ROWS] for cell in row)
    assert "Not shown" not in shown


@pytest.mark.parametrize(
    ("width", "lacking"), [(60, None), (45, "failed"), (30, "95 % interval, failed"), (9, "95 %")]
)
def test_a_narrow_terminal_gets_fewer_columns(
    width: int,
    lacking: str | None,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    monkeypatch.setenv("FORCE_COLOR", "1")
    shown = printed(capsys)
    assert "reg-SWAP" in shown
    assert "0.793" in shown
    assert ("Too wide to show here" in " ".join(shown.split())) == bool(lacking)
    assert ("0.72 to 0.85" in shown) == (width >= 45)
