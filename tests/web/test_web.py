"""Pages as text: what goes in stays data, whatever it holds."""

from __future__ import annotations

import configparser
import json
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from naslib_swap import web
from naslib_swap.evaluation.heat import heat_map
from naslib_swap.web import document, numbers, script_json

ROOT = Path(__file__).parents[2]
WEB = Path(web.__file__).parent
HOSTILE = "</script><script>alert(1)</script><!--<script>"


class _Scripts(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[dict[str, str | None], str]] = []
        self.others: list[str] = []
        self._open = False

    def handle_starttag(self, tag, attrs):
        self._open = tag == "script"
        if self._open:
            self.found.append((dict(attrs), ""))
        else:
            self.others.append(tag)

    def handle_data(self, data):
        if self._open:
            attributes, text = self.found[-1]
            self.found[-1] = (attributes, text + data)

    def handle_endtag(self, tag):
        self._open = False


def parsed(page: str) -> _Scripts:
    reader = _Scripts()
    reader.feed(page)
    return reader


@given(st.text())
@example(HOSTILE)
@example("\u2028\u2029&amp;")
def test_texts_come_back_as_they_were(text):
    page = parsed(f"<p><script type='application/json'>{script_json({text: text})}</script>")
    assert len(page.found) == 1
    assert json.loads(page.found[0][1]) == {text: text}


def test_a_page_has_two_scripts_and_asks_for_nothing():
    page = document(HOSTILE, "<h1>Hello</h1>", {"name": HOSTILE}, ("tables.js",))
    found = parsed(page).found
    assert [attributes for attributes, _ in found] == [
        {"type": "application/json", "id": "data"}, {},
    ]  # fmt: skip
    assert json.loads(found[0][1]) == {"name": HOSTILE}
    assert "default-src 'none'" in page
    assert "sourceMappingURL" not in page


def test_numbers_are_what_json_holds():
    found = numbers([1.0, 1e300, float("inf"), float("nan"), -2.5, 1234567.0])
    assert found == [1, 1e300, None, None, -2.5, 1234570]
    with pytest.raises(ValueError, match="not JSON compliant"):
        script_json([float("nan")])


def test_every_file_of_a_page_is_packaged_and_every_library_has_its_licence():
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg")
    patterns = setup["options.package_data"]["naslib_swap.web"].split(", ")
    packaged = {path.name for pattern in patterns for path in WEB.glob(pattern)}
    assert packaged == {path.name for path in WEB.iterdir() if path.suffix not in (".py", ".pyc")
                        and path.is_file()}  # fmt: skip
    for library in WEB.glob("*.min.js"):
        assert (WEB / f"LICENSE-{library.name.split('.')[0]}.txt").is_file()


def test_a_heat_map_has_a_number_in_every_cell():
    import numpy as np

    cells = np.array([[1.0, -0.25], [np.nan, 3.0]])
    shown = heat_map(["<b>", "b"], ["x", "tasks"], cells, plain={1}, ours={1})
    assert "<b>" not in shown
    assert "&lt;b&gt;" in shown
    assert '<td style="background:#2166ac;color:#fff">1.00</td><td>-0.25</td>' in shown
    assert "<td>–</td><td>3</td>" in shown
