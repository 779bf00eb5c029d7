"""The page of a comparison, used as people use it."""

from __future__ import annotations

import csv
import io
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from naslib_swap.evaluation.page import page
from naslib_swap.evaluation.report import Outcome, outcome_of
from naslib_swap.ground_truth import GroundTruth
from naslib_swap.scoring import Architecture, Conditions, Images, Study

HOSTILE = "<img src=x onerror=alert(1)></script><script>alert(2)</script>"
FORMULA = "=1+2"
ARCHS = tuple(sorted([*(f"arch-{n:02}" for n in range(38)), HOSTILE, FORMULA]))
RNG = np.random.default_rng(8)
ACCURACY = dict(zip(ARCHS, [10.0, *(90 + 4 * RNG.random(39)).round(4)]))
NOISE = {"swap": 0.5, "ntk": 3.0, "nwot": 1.0, HOSTILE: 2.0, "depth": 1.5}
LOST = "arch-07"


def _outcome(task: str) -> Outcome:
    subjects = {arch: Architecture("nasbench201", task, arch) for arch in ARCHS}
    computed = ("swap", "ntk", "nwot", "depth")
    study = Study(
        "nasbench201", task, subjects, computed, (0, 1), Conditions(Images("natural", 16))
    )
    rows = []
    for proxy, noise in NOISE.items():
        for seed in (0, 1):
            for arch in ARCHS:
                value = ACCURACY[arch] + noise * RNG.normal()
                value = -value if proxy == "ntk" else value
                value = float("nan") if (proxy, arch) == ("nwot", LOST) else value
                error = "Unscorable: <i>none</i>" if np.isnan(value) else None
                rows.append(
                    ("nasbench201", task, proxy, arch, seed, value, 0.5, 0.002, error, None)
                )
    columns = ["space", "task", "proxy", "arch", "seed", "value", "saturation", "seconds", "error",
               "trace"]  # fmt: skip
    truth = GroundTruth("nasbench201", task, "csv", ACCURACY)
    return outcome_of(study, truth, pd.DataFrame(rows, columns=columns))


@pytest.fixture(scope="module")
def outcomes() -> list[Outcome]:
    return [_outcome("cifar10"), _outcome("cifar100")]


@pytest.fixture(scope="module")
def report(outcomes: list[Outcome], tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("page") / "report.html"
    path.write_text(page(outcomes, {}), encoding="utf-8")
    return path


@pytest.fixture
def opened(browser: Any, report: Path) -> Any:
    sized(browser, 1280)
    for kind in ("browser", "performance"):
        browser.get_log(kind)  # what came before, such as the browser's own first page
    browser.get(report.resolve().as_uri())
    return browser


def sized(browser: Any, width: int, height: int = 1000) -> None:
    """Give the browser a window of exactly this size."""
    size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)


def until(answer: Callable[[], Any], seconds: float = 20) -> Any:
    """Wait until something is there."""
    end = time.monotonic() + seconds
    while True:
        if found := answer():
            return found
        assert time.monotonic() < end, "the page did not come to it"
        time.sleep(0.1)


def see(browser: Any, css: str) -> Any:
    """Scroll to an element; return it."""
    found = browser.find_element("css selector", css)
    browser.execute_script("arguments[0].scrollIntoView({block: 'center', behavior: 'instant'})",
                           found)  # fmt: skip
    return found


def panel(browser: Any, number: int) -> Any:
    plot = see(browser, f"#task-0 .panel:nth-child({number + 1}) .plot")
    until(lambda: browser.execute_script(f"return !!TASKS[0].panels.charts[{number}]"))
    time.sleep(0.3)
    return plot


def pixel(browser: Any, number: int, point: list[float]) -> tuple[float, float]:
    """Where a point of a panel is, from the panel's centre."""
    return tuple(
        browser.execute_script(
            "const chart = TASKS[0].panels.charts[arguments[0]];"
            "const at = chart.convertToPixel({seriesId: 'all'}, arguments[1]);"
            "return [at[0] - chart.getWidth() / 2, at[1] - chart.getHeight() / 2];",
            number,
            point,
        )
    )


def mouse(browser: Any) -> Any:
    from selenium.webdriver import ActionChains

    return ActionChains(browser, duration=50)


def table_of(browser: Any, name: str, key: str) -> list[Any]:
    return browser.execute_script(
        f"return TASKS[0].{name}.getRows('active').map((row) => row.getData()[arguments[0]])", key
    )


def networks(browser: Any) -> None:
    see(browser, "#task-0 .networks")
    until(lambda: browser.execute_script("return !!TASKS[0].networks?.initialized"))


def test_it_opens_without_errors_or_requests(opened, report):
    networks(opened)
    assert [line for line in opened.get_log("browser") if line["level"] != "INFO"] == []
    sent = [json.loads(line["message"])["message"] for line in opened.get_log("performance")]
    asked = {one["params"]["request"]["url"] for one in sent
             if one["method"] == "Network.requestWillBeSent"}  # fmt: skip
    assert {url for url in asked if not url.startswith("data:")} <= {report.resolve().as_uri()}
    assert not opened.execute_script("return document.querySelectorAll('img, iframe').length")
    assert opened.execute_script("return document.scripts.length") == 2


@pytest.mark.parametrize("width", [1280, 390])
def test_nothing_is_wider_than_the_window(opened, width):
    sized(opened, width)
    opened.refresh()
    networks(opened)
    panel(opened, 0)
    assert opened.execute_script("return document.documentElement.scrollWidth") <= width
    sizes = opened.execute_script(
        "return [...document.querySelectorAll('p, td, .tabulator-cell, .panel header')]"
        ".filter((one) => one.offsetParent && !one.closest('.heat'))"
        ".map((one) => parseFloat(getComputedStyle(one).fontSize))"
    )
    assert min(sizes) >= 12


def test_a_point_names_its_network(opened, outcomes):
    plot = panel(opened, 0)
    task = opened.execute_script("return TASKS[0].task")
    place = task["archs"].index(HOSTILE)
    x, y = pixel(opened, 0, opened.execute_script(
        "const [t, i] = [TASKS[0].task, arguments[0]];"
        "return [ranks(t.proxies[0].values, t.proxies[0].higher)[i], ranks(t.accuracy, true)[i]];",
        place))  # fmt: skip
    mouse(opened).move_to_element_with_offset(plot, x, y).perform()
    shown = until(lambda: [tip.text for tip in opened.find_elements("css selector", ".tip")
                           if HOSTILE in tip.text])  # fmt: skip
    assert f"{float(f'{ACCURACY[HOSTILE]:.5g}'):g}" in shown[0]
    scores = outcomes[0].scores
    first = scores["proxy"] == outcomes[0].table["proxy"].iloc[0]
    mean = scores.loc[first & (scores["arch"] == HOSTILE), "value"].mean()
    assert f"{float(f'{mean:.5g}'):g}" in shown[0]
    mouse(opened).move_to_element_with_offset(plot, x, y).click().perform()
    card = until(lambda: opened.find_element("css selector", "#task-0 .card").text)
    assert HOSTILE in card
    assert f"10 · rank {len(ARCHS)}" in card


def test_what_is_picked_in_one_panel_is_picked_in_all_and_in_the_table(opened):
    networks(opened)
    plot = panel(opened, 1)
    width, height = plot.size["width"], plot.size["height"]
    left, top = width * 0.15, height * 0.1
    mouse(opened).move_to_element_with_offset(plot, left, -top * 3).click_and_hold().move_by_offset(
        width * 0.2, height * 0.3
    ).release().perform()
    said = until(lambda: [one.text for one in opened.find_elements("css selector", "#task-0 .soft")
                          if "networks picked" in one.text])[0]  # fmt: skip
    count = int(said.split()[0])
    assert 0 < count < len(ARCHS)
    for number in range(len(NOISE)):
        panel(opened, number)
    picked = opened.execute_script(
        "return TASKS[0].panels.charts.map((chart) => chart.getOption().series"
        ".find((one) => one.id === 'picked').data.map((one) => one.value[2]).sort())"
    )
    chosen = opened.execute_script("return [...TASKS[0].panels.state.picked].sort()")
    assert picked[1] == chosen
    assert all(set(one) <= set(chosen) and len(one) >= count - 1 for one in picked)
    assert sorted(table_of(opened, "networks", "id")) == sorted(chosen)
    clear = opened.execute_script(
        "return [...document.querySelectorAll('#task-0 button')]"
        ".find((one) => one.textContent === 'Clear')"
    )
    opened.execute_script("arguments[0].click()", clear)
    assert len(table_of(opened, "networks", "id")) == len(ARCHS)


def test_the_best_by_accuracy_can_be_picked(opened):
    networks(opened)
    see(opened, "#task-0 .pick-top").click()
    best = sorted(ACCURACY, key=ACCURACY.get)[-10:]
    assert sorted(table_of(opened, "networks", "arch")) == sorted(best)


def test_outliers_do_not_squeeze_the_rest(opened):
    panel(opened, 0)
    extent = ("return TASKS[0].panels.charts[0].getModel().getComponent('yAxis', 0)"
              ".axis.scale.getExtent()")  # fmt: skip
    assert sorted(opened.execute_script(extent)) == [1, len(ARCHS)]
    switch = opened.execute_script(
        "return document.querySelector('#task-0 .explorer .switch button:nth-child(2)')"
    )
    opened.execute_script("arguments[0].click()", switch)
    low, high = opened.execute_script(extent)
    assert low <= 10
    assert high >= max(ACCURACY.values())


def test_tables_sort_filter_and_choose_columns(opened):
    networks(opened)
    scored = opened.execute_script("return TASKS[0].task.proxies.map((proxy) => proxy.title)")
    column = f"p{scored.index('NWOT')}"
    head = see(opened, f"#task-0 .networks .tabulator-col[tabulator-field={column}] span")
    for order in (True, False):
        opened.execute_script("arguments[0].click()", head)
        values = table_of(opened, "networks", column)
        assert values[-1] is None  # what has no score comes last, either way
        assert values[:-1] == sorted(values[:-1], reverse=order)
    box = opened.find_element("css selector", "#task-0 .networks input[type=search]")
    box.send_keys("arch-1")
    assert sorted(table_of(opened, "networks", "arch")) == [f"arch-1{n}" for n in range(10)]
    limit = opened.find_element(
        "css selector", "#task-0 .networks .tabulator-col[tabulator-field=accuracy] input"
    )
    limit.send_keys(">92")
    wanted = {a for a in ARCHS if a.startswith("arch-1") and ACCURACY[a] > 92}
    until(lambda: set(table_of(opened, "networks", "arch")) == wanted)
    hide = opened.execute_script(
        "return [...document.querySelectorAll('#task-0 .networks .menu label')]"
        ".find((one) => one.textContent === 'accuracy').querySelector('input')"
    )
    opened.execute_script("arguments[0].click()", hide)
    assert not opened.execute_script("return TASKS[0].networks.getColumn('accuracy').isVisible()")


def test_a_table_is_copied_as_csv_without_formulas(opened):
    networks(opened)
    opened.execute_script("navigator.clipboard.writeText = async (text) => { window.got = text; }")
    button = opened.execute_script(
        "return [...document.querySelectorAll('#task-0 .networks button')]"
        ".find((one) => one.textContent === 'Copy as CSV')"
    )
    opened.execute_script("arguments[0].click()", button)
    rows = list(
        csv.DictReader(io.StringIO(until(lambda: opened.execute_script("return window.got"))))
    )
    assert {row["architecture"] for row in rows} == {*ARCHS, f"'{FORMULA}"} - {FORMULA}
    by_name = {row["architecture"].lstrip("'"): float(row["accuracy"]) for row in rows}
    assert by_name == pytest.approx(ACCURACY)


def test_without_scripts_all_is_still_there_to_read(report, outcomes):
    text = report.read_text(encoding="utf-8")
    assert text.count('<div class="static">') == len(outcomes)
    assert "&lt;img src=x onerror=alert(1)&gt;" in text
    assert "<img" not in text.split("<script", 1)[0]
