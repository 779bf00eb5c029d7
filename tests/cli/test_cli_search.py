from __future__ import annotations

import json
import re
import subprocess
import sys

import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from naslib_swap import spaces
from naslib_swap.cli.search import _ranking, search
from naslib_swap.cli.session import Terminated
from naslib_swap.errors import SwapError
from naslib_swap.optimizers.evolution import Evolution, EvolutionSettings, each
from naslib_swap.optimizers.fitness import Scored, SizeWeighting

SMALL = (
    "--space nasbench201 --population 4 --mutations 2 --offspring 1 --samples 3 --workers 1 "
    "--cycles 2 "
)


def invoke(arguments: str, folder: object):
    app = typer.Typer()
    app.command()(search)
    return CliRunner().invoke(app, [*arguments.split(), "--out", str(folder)])


def refusal(options: str, folder: object) -> str:
    """The error of a small search with these options."""
    result = invoke(SMALL + options, folder)
    assert isinstance(result.exception, SwapError)
    return str(result.exception)


def test_prints_the_result_and_writes_the_files(tmp_path):
    darts = "--space darts --repeats 1 --samples 6 "
    result = invoke(SMALL + darts, tmp_path / "out")
    assert result.exit_code == 0, result.output
    assert result.stdout.startswith("Genotype(normal=[")
    assert "parameters: search" in result.stdout
    assert "imagenet" in result.stdout
    assert "all cycles done" in result.stdout
    assert (tmp_path / "out" / "cells.png").exists()


@pytest.mark.parametrize(
    ("options", "weighting"),
    [
        ("--mu 0.9 --sigma 1.1", {"mode": "fixed", "mu": 0.9, "sigma": 1.1}),
        ("--adaptive", {"mode": "adaptive", "mu": None, "sigma": None}),
        ("--proxy params", {"mode": "none", "mu": None, "sigma": None}),
    ],
)
@pytest.mark.usefixtures("no_drawings")
def test_options_reach_the_search(options, weighting, tmp_path):
    result = invoke(SMALL + options, tmp_path)
    assert result.exit_code == 0, result.output
    written = json.loads((tmp_path / "result.json").read_text())
    assert written["settings"]["weighting"] == {**weighting, "rule": ""}
    assert written["settings"]["population"] == 4


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("--mu 0.9 --sigma 1 --adaptive", "give either --mu and --sigma, or --rule, --adaptive"),
        ("--population 1", "got population 1"),
        ("--population 100000000000000000", "expected at most 1,000,000 members"),
        ("--offspring 100000000000000000", "expected at most 10,000 each"),
        ("--mutations 100000000000000000", "expected at most 10,000 each"),
        ("--max-params 10", "at most 10 parameters"),
        ("--repeats -3", "search: got repeats -3, expected at least 0"),
        ("--workers 0", "got 0 workers, expected at least 1"),
        ("--variant bogus", "got variant 'bogus'"),
        ("--images cifar10", "--images is now called --inputs"),
        ("--image-path x", "--image-path is now called --inputs-path"),
    ],
)
def test_a_wrong_command_is_one_clear_error_and_writes_nothing(options, message, tmp_path):
    assert message in refusal(options, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_limit_of_no_time(tmp_path):
    assert "got time limit 0" in refusal("--time-limit 0", tmp_path / "out")
    assert not (tmp_path / "out" / "result.json").exists()


def test_nothing_to_resume_leaves_no_folder(tmp_path):
    assert "there is no checkpoint at" in refusal("--resume", tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.usefixtures("no_drawings")
def test_the_size_printed_is_that_of_the_network_scored(tmp_path):
    small = "--space darts --population 2 --mutations 1 --offspring 1 --samples 2 --repeats 1 "
    result = invoke(small + "--workers 1 --cycles 1 --variant cifar10 --plain", tmp_path)
    assert result.exit_code == 0, result.output
    written = json.loads((tmp_path / "result.json").read_text())
    scored = round(1000 * written["top"][0]["size"])
    assert scored > 1_000_000
    assert written["parameters"]["search"] == scored
    assert f"parameters: search {scored:,}, cifar10 {scored:,}," in result.stdout


@pytest.mark.usefixtures("no_drawings")
def test_time_limit_and_resume(tmp_path):
    stopped = invoke(SMALL + "--cycles 100000 --time-limit 1", tmp_path)
    assert stopped.exit_code == 0, stopped.output
    assert "time limit reached" in stopped.stdout
    cycles = json.loads((tmp_path / "result.json").read_text())["cycles"]
    resumed = invoke(SMALL + f"--cycles {cycles + 2} --resume", tmp_path)
    assert resumed.exit_code == 0, resumed.output
    assert json.loads((tmp_path / "result.json").read_text())["cycles"] == cycles + 2


def test_a_terminal_sees_the_front_with_its_costs():
    settings = EvolutionSettings(
        population=6, weighting=SizeWeighting("none"), pareto=("score", "params")
    )
    measure = each(lambda arch: Scored(float(sum(arch)), 1.0, costs={"params": float(arch[0])}))
    evolution = Evolution(spaces.get("nasbench201"), measure, settings)
    assert _ranking(evolution).rows == []
    evolution.step()
    seen, front = _ranking(evolution), evolution.front()
    assert seen.columns[:3] == (f"front so far: {len(front)}", "score", "params")
    found = [(f"{one.score:.6g}", f"{one.costs['params']:.0f}") for one in front]
    assert [row.cells[:2] for row in seen.rows] == found


@pytest.mark.usefixtures("no_drawings")
def test_a_combination_of_the_users_guides(tmp_path):
    mine = "--combine mine=params+depth --proxy mine"
    result = invoke(SMALL + mine, tmp_path)
    assert result.exit_code == 0, result.output
    written = json.loads((tmp_path / "result.json").read_text())
    assert f"mine {written['fitness']:.6g} among all scored; " in result.stdout
    assert list(written["values"]) == ["params", "depth"]
    resumed = invoke(SMALL + mine + " --cycles 4 --resume", tmp_path)
    assert resumed.exit_code == 0, resumed.output


@pytest.mark.slow  # a process that imports torch; a second for each architecture
def test_az_nas_guides_and_goes_on(tmp_path):
    def ran(folder: str, cycles: int, *more: str) -> subprocess.CompletedProcess[str]:
        small = "--space nasbench201 --population 3 --mutations 1 --offspring 1 --workers 1"
        command = ["search", *small.split(), "--proxy", "az_nas", "--cycles", str(cycles)]
        return subprocess.run(
            [sys.executable, "-m", "naslib_swap.cli", *command, "--out", folder, *more],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )

    for done in (ran("parts", 1), ran("parts", 2, "--resume"), ran("whole", 2)):
        assert done.returncode == 0, done.stderr
        assert "az_nas -" in done.stdout
    parts, whole = ((tmp_path / n / "history.jsonl").read_bytes() for n in ("parts", "whole"))
    assert parts == whole
    members = {tuple(json.loads(line)["values"]) for line in whole.splitlines()}
    assert members == {("expressivity", "progressivity", "trainability", "flops")}
    refused = ran("other", 1, "--adaptive")
    assert refused.returncode == 2
    assert "got size weighting 'adaptive' for the combination 'az_nas'" in refused.stderr
    assert not (tmp_path / "other").exists()


def test_an_interrupt_says_how_to_go_on_where_something_was_saved(tmp_path, monkeypatch):
    def interrupted(*_: object, **__: object) -> None:
        if saves:
            (tmp_path / "checkpoint.json").write_text("{}")
        raise stop

    monkeypatch.setattr("naslib_swap.optimizers.native.search", interrupted)
    advice = "go on with the same command and --resume"
    saves, stop = False, KeyboardInterrupt()
    result = invoke(SMALL, tmp_path)
    assert result.exit_code == 130
    assert "interrupted; nothing was saved yet." in result.output
    saves, stop = True, Terminated()
    result = invoke(SMALL, tmp_path)
    assert result.exit_code == 143
    assert f"terminated; {advice}" in result.output
    # Another search's checkpoint is none to go on from.
    assert advice not in invoke(SMALL, tmp_path).output
    assert advice in invoke(f"{SMALL} --resume", tmp_path).output


def test_a_search_within_limits_says_what_its_network_costs_and_is_worth(tmp_path):
    table = tmp_path / "truth.csv"
    rng = np.random.default_rng(0)
    space = spaces.get("nasbench201")
    archs = dict.fromkeys(space.encode(space.sample(rng)) for _ in range(3000))
    rows = [f'"{arch}",{place / 100}' for place, arch in enumerate(archs)]
    table.write_text("arch,val_accuracy\n" + "\n".join(rows) + "\n")
    options = f"--proxy params --pareto score,flops --max-params 900000 --truth-file {table}"
    result = invoke(SMALL + options, tmp_path / "out")
    assert result.exit_code == 0, result.output
    assert re.search(r"^costs: params [\d,]+, flops [\d.e+,]+$", result.stdout, re.M)
    assert re.search(r"^front of score, flops: \d+ networks \(front.png\)$", result.stdout, re.M)
    assert re.search(r"^true accuracy: .*\(csv, [\d,]+ networks\)", result.stdout, re.M)


@pytest.mark.usefixtures("no_drawings")
def test_a_function_of_the_users_chooses(tmp_path):
    file = tmp_path / "mine.py"
    file.write_text("def accuracy(arch):\n    return arch.count('2')\n")
    options = f"--proxy params --verify 3 --accuracy {file}:accuracy"
    result = invoke(SMALL + options, tmp_path / "out")
    assert result.exit_code == 0, result.output
    assert "chosen by the true accuracies of 3: " in result.stdout
    file = tmp_path / "failing.py"
    file.write_text("def accuracy(arch):\n    raise ZeroDivisionError('lost')\n")
    options = f"--proxy params --verify 3 --accuracy {file}:accuracy"
    message = refusal(options, tmp_path / "failed")
    assert re.search(
        r"accuracy failed on \(.*\): ZeroDivisionError: lost \(failing.py, line 2\)", message
    )
    assert (tmp_path / "failed" / "checkpoint.json").exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("--max-latency toaster:5", "got the device 'toaster', expected one with a table"),
        ("--max-latency raspi4", "got the latency limit 'raspi4', expected a device and"),
        ("--min-params 9 --max-params 8", "got 9 as the fewest parameters and 8 as the most"),
        ("--max-flops 1", "has at most 1 multiply-accumulates; they had"),
        ("--pareto score", "got the objectives score, expected two or more"),
        ("--verify 2 --accuracy nowhere", "got the function 'nowhere', expected package.module"),
        ("--verify 2 --accuracy math:nowhere", "'math' has no 'nowhere', expected a function"),
        ("--accuracy math:sqrt", "got --accuracy without --verify"),
        ("--latency-file none.csv --max-latency phone:3", "none.csv"),
    ],
)
def test_impossible_wishes_are_refused_before_scoring(options, message, tmp_path):
    assert message in refusal("--proxy params " + options, tmp_path / "out")
    assert not (tmp_path / "out").exists()
