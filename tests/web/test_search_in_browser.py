"""The page of a search, in a browser."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from naslib_swap import SearchPlan, search
from naslib_swap.optimizers.page import front


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Any]:
    out = tmp_path_factory.mktemp("search")
    plan = SearchPlan("nasbench201", proxy="params", population=5, cycles=4)
    return out, search(plan, out=out)


def test_the_front_is_what_no_smaller_one_beats():
    assert front([1.0, 2.0, 2.0, 3.0, 4.0], [1.0, 3.0, 2.0, 3.0, float("nan")]) == [0, 1]


def test_all_that_was_scored_is_on_the_page(found, browser):
    out, result = found
    size = {"width": 1280, "height": 1000, "deviceScaleFactor": 1, "mobile": False}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    browser.get_log("browser")
    browser.get((out / "report.html").resolve().as_uri())
    time.sleep(1)
    names = browser.execute_script("return HISTORY.getRows('active').map((r) => r.getData().arch)")
    assert sorted(names) == sorted(one.arch for one in result.state.history.values())
    assert names[0] == result.best.arch
    assert browser.execute_script("return CHARTS.length") == 2
    assert browser.execute_script("return document.querySelectorAll('figure svg').length") == 1
    assert result.best.arch in browser.find_element("css selector", ".card").text
    assert browser.execute_script("return document.documentElement.scrollWidth") <= 1280
    wrong = [line for line in browser.get_log("browser") if line["level"] != "INFO"]
    assert wrong == []
