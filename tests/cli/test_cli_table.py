from __future__ import annotations

import csv
import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from naslib_swap import spaces
from naslib_swap.cli.main import main
from naslib_swap.scoring.store import LineStore

COUNT = 12
PROXIES = "swap,params,depth"


@pytest.fixture(scope="module")
def truth(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A user's table: DARTS architectures, made-up accuracies, one proxy already scored."""
    space, rng = spaces.get("darts"), np.random.default_rng(5)
    path = tmp_path_factory.mktemp("truth") / "truth.csv"
    with open(path, "w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["arch", "val_accuracy", "my_proxy"])
        for _ in range(COUNT):
            rows.writerow([space.encode(space.sample(rng)), *(90 + rng.random(2)).round(3)])
    return path


def _arguments(truth: Path, out: Path, *more: str) -> list[str]:
    return [
        "table", "--space", "darts", "--variant", "tiny", "--truth-file", str(truth), "--archs",
        "all", "--proxies", PROXIES, "--samples", "4", "--workers", "1", "--out", str(out), *more,
    ]  # fmt: skip


@pytest.fixture
def call(monkeypatch, capsys):
    """Run the command line in this process; returns status, what it printed, and its errors."""

    def run(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["naslib-swap", *arguments])
        with pytest.raises(SystemExit) as end:
            main()
        printed = capsys.readouterr()
        return int(end.value.code or 0), printed.out, printed.err

    return run


@pytest.fixture
def no_pictures(monkeypatch):
    """Leave the drawing out, which takes most of the time of a small table."""
    monkeypatch.setattr("naslib_swap.evaluation.results._pictures", lambda out, outcome: [])


MAIN = "from naslib_swap.cli.main import main; main()"


def _command(*arguments: str) -> list[str]:
    return [sys.executable, "-c", MAIN, *arguments]


def _stored(out: Path) -> list:
    return list(LineStore(out / "scores.jsonl").records())


def _rows(out: Path) -> dict[str, dict[str, str]]:
    with open(out / "correlations.csv", newline="") as file:
        return {row["proxy"]: row for row in csv.DictReader(file)}


def test_a_table_of_the_users_own(truth, tmp_path, call):
    status, printed, errors = call(*_arguments(truth, tmp_path / "deep" / "out"))
    out = tmp_path / "deep" / "out"
    assert status == 0
    assert "darts (tiny) / cifar10: 12 of 12 architectures, 1 seed, 4 images (natural)" in printed
    assert "my_proxy (stored)" in printed
    assert "\nk = 10.\n" in printed
    assert errors.splitlines()[0] == "loading accuracies and images"
    assert "scoring, quick proxies first: 0/12" in errors
    assert "scoring, quick proxies first: 12/12" in errors
    written = {path.name for path in out.iterdir()}
    assert written >= {"scores.jsonl", "correlations.csv", "correlations.md", "report.html"}
    assert not [name for name in written if ".part" in name]
    rows = _rows(out)
    assert set(rows) == {"swap", "params", "depth", "my_proxy"}
    assert rows["my_proxy"]["source"] == "stored"
    assert all(float(rows[p]["seconds_per_arch"]) >= 0 for p in ("swap", "params", "depth"))
    assert {r.key.proxy for r in _stored(out)} == set(PROXIES.split(","))


def test_a_second_run_scores_nothing_and_quiet_prints_nothing(truth, tmp_path, call, no_pictures):
    call(*_arguments(truth, tmp_path, "--no-timings"))
    scores = (tmp_path / "scores.jsonl").read_bytes()
    table = (tmp_path / "correlations.csv").read_bytes()
    status, printed, errors = call(*_arguments(truth, tmp_path, "--no-timings", "--quiet"))
    assert (status, printed, errors) == (0, "", "")
    assert (tmp_path / "scores.jsonl").read_bytes() == scores
    assert (tmp_path / "correlations.csv").read_bytes() == table


def test_a_configuration_and_what_wins_over_it(truth, tmp_path, call, no_pictures):
    config = tmp_path / "plan.yaml"
    config.write_text(
        f"space: darts\nvariant: tiny\ntruth_file: {truth}\narchs: all\nsamples: 4\n"
        "proxies: [params, depth]\nseeds: 2\n"
    )
    status, _, _ = call("table", "--config", str(config), "--archs", "5", "--workers", "1",
                        "--out", str(tmp_path / "out"))  # fmt: skip
    assert status == 0
    rows = _rows(tmp_path / "out")
    assert (rows["params"]["n"], rows["params"]["seeds"]) == ("5", "2")


def test_nasbench201_from_its_packaged_accuracies(tmp_path, call, no_pictures):
    pytest.importorskip("analognasbench", reason="needs the analog extra")
    status, printed, _ = call("table", "--archs", "5", "--samples", "4", "--proxies",
                              "swap,reg_swap,params", "--workers", "1",
                              "--out", str(tmp_path))  # fmt: skip
    assert status == 0
    assert "nasbench201 / cifar10: 5 of 15625 architectures" in printed
    assert set(_rows(tmp_path)) == {"swap", "reg_swap", "params"}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (["--proxies", "swap,swop"], "got the proxy 'swop'"),
        (["--space", "darts3000"], "got the search space 'darts3000'"),
        (["--task", "mnist"], "there is no task 'mnist'"),
        (["--variant", "huge"], "got variant 'huge'"),
        (["--archs", "some"], "got archs 'some', expected a whole number, or all"),
        (["--archs", "2"], "got 2 architectures to sample"),
        (["--seeds", "0"], "got seeds 0"),
        (["--samples", "1"], "got samples 1, expected at least 2"),
        (["--proxies", ""], "expected at least one name, or all"),
        (["--inputs", "nowhere"], "unknown source of images 'nowhere'"),
        (["--truth", "oracle"], "got the source of accuracies 'oracle'"),
        (["--config", "figure5"], "cannot read the configuration figure5"),
        (["--device", "warp"], "cannot use the device 'warp'"),
        (["--mu", "1"], "got mu=1.0 and sigma=None"),
        (["--seeds", "9" * 23], f"got seeds {'9' * 23}, expected at most 10,000"),
        (["--seeds", "9999999999"], "got seeds 9999999999, expected at most 10,000"),
        (["--repeats", "9999999999"], "got repeats 9999999999, expected at most 1,000,000"),
        (["--mu", "1e200", "--sigma", "1"], "got mu=1e+200, sigma=1 for a network"),
        (["--resolution", "999999"], "expected at most 1,073,741,824. Take fewer samples"),
        (["--workers", "0"], "got 0 workers, expected at least 1"),
        (["--workers", "99999"], "got 99999 workers, expected at most 4,096"),
        (["--backend", "nope"], "got backend 'nope', expected one of loky, dask, ray"),
        (["--address", "x"], "got the address 'x' for loky, expected --backend dask or ray"),
        (
            ["--backend", "dask", "--address", "x"],
            "got the address 'x', expected that of a running",
        ),
        (["--inputs", "nope", "--proxies", "params"], "unknown source of images 'nope'"),
        (["--inputs", "cifar10", "--inputs-path", "nope", "--proxies", "params"], "no file or fo"),
        (["--resolution", "999999", "--proxies", "params"], "expected at most 1,073,741,824"),
        (["--order", "last", "--proxies", "params"], "got order 'last', expected first or random"),
        (["--truth-file", ""], "got truth_file '', expected some text; leave the option out"),
        (["--config", ""], "cannot read the configuration : "),
        (["--out", ""], "got --out '', expected a name; . is the working folder"),
    ],
)
def test_bad_input_is_one_line_and_leaves_nothing_behind(truth, tmp_path, call, change, message):
    status, printed, errors = call(*_arguments(truth, tmp_path / "out", *change, "--quiet"))
    assert status == 2
    assert printed == ""
    assert errors.startswith("error: ")
    assert message in errors
    assert errors.count("\n") == 1
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (["--workers", "0"], "got 0 workers"),
        (["--backend", "nope"], "got backend 'nope'"),
        (["--address", "x"], "got the address 'x'"),
        (["--backend", "ray", "--address", "x"], "got the address 'x'"),
        (["--seeds", "9" * 23], "got seeds"),
    ],
)
def test_bad_input_is_refused_also_when_nothing_is_left_to_do(
    tmp_path, call, no_pictures, truth, change, message
):
    assert call(*_arguments(truth, tmp_path, "--proxies", "params", "--quiet"))[0] == 0
    arguments = _arguments(truth, tmp_path, "--proxies", "params", "--quiet", *change)
    status, printed, errors = call(*arguments)
    assert (status, printed) == (2, "")
    assert message in errors
    assert errors.count("\n") == 1


@pytest.mark.parametrize("backend", ["nope", "agg"])
def test_no_backend_of_matplotlib_is_needed(truth, tmp_path, backend, forks):
    arguments = _arguments(truth, tmp_path, "--proxies", "params", "--quiet")
    environment = {**os.environ, "MPLBACKEND": backend}
    code = f"import sys\nassert 'matplotlib' not in sys.modules\n{MAIN}"
    done = forks.run(code, *arguments, folder=tmp_path, environment=environment)
    assert (done.returncode, done.stderr) == (0, "")
    assert (tmp_path / "ranking-darts-cifar10.png").exists()


def test_an_out_that_is_a_file_is_refused(truth, tmp_path, call):
    (tmp_path / "out").write_text("in the way")
    status, _, errors = call(*_arguments(truth, tmp_path / "out", "--quiet"))
    assert status == 2
    assert f"error: cannot write {tmp_path}/out/scores.jsonl" in errors
    assert "Give a folder that you may write to" in errors
    assert (tmp_path / "out").read_text() == "in the way"


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ("arch,score\na,1\n", "lacks the column val_accuracy"),
        ("arch,val_accuracy\nnonsense,90\n", "nonsense"),
    ],
)
def test_a_table_that_cannot_be_used_is_refused(tmp_path, call, table, message):
    path = tmp_path / "t.csv"
    path.write_text(table)
    status, _, errors = call(*_arguments(path, tmp_path / "out", "--quiet"))
    assert status == 2
    assert message in errors
    assert not (tmp_path / "out").exists()


def _edited(truth: Path, path: Path, accuracy) -> Path:
    with open(truth, newline="") as source, open(path, "w", newline="") as target:
        rows = list(csv.reader(source))
        for number, row in enumerate(rows[1:]):
            row[1] = str(accuracy(number))
        csv.writer(target).writerows(rows)
    return path


def test_a_row_without_an_accuracy_is_left_out_and_said(truth, tmp_path, call, no_pictures):
    holes = _edited(truth, tmp_path / "nan.csv", lambda n: "nan" if n == 3 else 90 + n)
    status, _, errors = call(*_arguments(holes, tmp_path / "out"))
    assert status == 0
    assert "nan.csv" in errors
    assert _rows(tmp_path / "out")["swap"]["n"] == str(COUNT - 1)


def test_accuracies_that_are_all_equal_are_refused_before_anything_is_scored(truth, tmp_path, call):
    out = tmp_path / "out"
    equal = _edited(truth, tmp_path / "equal.csv", lambda n: 90)
    status, _, errors = call(*_arguments(equal, out, "--quiet"))
    assert status == 2
    assert "all have the accuracy 90" in errors
    assert not out.exists()


def test_constant_scores_are_a_warning_and_have_no_number(truth, tmp_path, call, no_pictures):
    # Two images have four patterns of two signs: every network shows them all.
    status, _, errors = call(*_arguments(truth, tmp_path, "--samples", "2"))
    assert status == 0
    assert "warning: swap gives all 12 architectures the score 4 under seed 0" in errors
    assert "use more samples" in errors
    row = _rows(tmp_path)["swap"]
    assert (row["n"], row["spearman"], row["ci_low"], row["saturated_fraction"]) == (
        "12", "", "", "1",
    )  # fmt: skip


def test_a_run_of_which_every_score_failed_says_so_and_fails(
    truth, tmp_path, call, no_pictures, monkeypatch
):
    def broken(self, arch, **options):
        raise RuntimeError("no such kernel")

    monkeypatch.setattr(type(spaces.get("darts")), "build", broken)
    status, printed, errors = call(*_arguments(truth, tmp_path, "--quiet", "--proxies", "swap"))
    assert (status, printed) == (1, "")
    assert errors == (
        "error: all 12 scores failed, the first with: RuntimeError: no such kernel. "
        "--retry-failed tries again.\n"
    )
    _, _, errors = call("--debug", *_arguments(truth, tmp_path, "--proxies", "swap"))
    assert 'raise RuntimeError("no such kernel")' in errors
    assert (tmp_path / "correlations.csv").exists()
    monkeypatch.undo()


def test_scores_of_other_settings_are_named_and_kept(truth, tmp_path, call, no_pictures):
    call(*_arguments(truth, tmp_path))
    before = (tmp_path / "scores.jsonl").read_bytes()
    status, _, errors = call(*_arguments(truth, tmp_path, "--samples", "5"))
    assert status == 0
    assert "also holds 12 score(s) of these architectures made with other settings" in errors
    assert "samples 4 (now 5)" in errors
    assert (tmp_path / "scores.jsonl").read_bytes().startswith(before)


def test_a_results_folder_of_something_else_is_refused(truth, tmp_path, call):
    (tmp_path / "scores.jsonl").write_text(json.dumps({"model": "resnet"}) + "\n")
    status, _, errors = call(*_arguments(truth, tmp_path, "--quiet"))
    assert status == 2
    assert "It was not written by naslib-swap and stays as it is" in errors
    (tmp_path / "scores.jsonl").write_text("not json\n{}\n")
    status, _, errors = call(*_arguments(truth, tmp_path, "--quiet"))
    assert status == 2
    assert "begins with 'not json', expected scores as JSON objects" in errors
    assert (tmp_path / "scores.jsonl").read_text() == "not json\n{}\n"


def test_a_disk_that_fills_up_loses_nothing(truth, tmp_path, call, no_pictures, forks):
    out = tmp_path / "out"
    limited = (
        "import resource, signal\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (9000, 9000))\n"
        f"{MAIN}\n"
    )
    arguments = _arguments(truth, out, "--no-timings", "--quiet")
    done = forks.run(limited, *arguments, folder=tmp_path)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "What was stored before is safe; make room" in done.stderr
    stored = len(_stored(out))
    assert 0 < stored < 3 * COUNT
    assert stored % 3 == 0  # whole architectures
    assert call(*arguments)[0] == 0
    assert call(*_arguments(truth, tmp_path / "plain", "--no-timings", "--quiet"))[0] == 0
    _same_tables(out, tmp_path / "plain")


def _same_tables(one: Path, other: Path) -> None:
    for name in ("correlations.csv", "correlations.md", "report.html"):
        assert (one / name).read_bytes() == (other / name).read_bytes(), name


def _killed(arguments: list[str], out: Path, lines: int, timeout: float = 240) -> bool:
    """Start the command and kill it -9 once so many lines are stored; False if it ended first."""
    process = subprocess.Popen(
        _command(*arguments), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        start_new_session=True,
    )  # fmt: skip
    end = time.monotonic() + timeout
    while process.poll() is None and time.monotonic() < end:
        stored = out / "scores.jsonl"
        if stored.exists() and stored.read_bytes().count(b"\n") >= lines:
            break
        time.sleep(0.01)
    ended = process.poll() is not None
    if not ended:
        os.killpg(process.pid, signal.SIGKILL)
    process.wait(timeout=60)
    return not ended


def test_a_run_that_was_killed_goes_on_and_gives_the_same_bytes(truth, tmp_path, call):
    out = tmp_path / "killed"
    more = ("--no-timings", "--quiet", "--seeds", "2")
    assert _killed(_arguments(truth, out, *more), out, lines=6)
    stored = out / "scores.jsonl"
    with open(stored, "ab") as file:
        file.write(b'{"space": "darts", "ta')  # and it was in the midst of a line
    assert 6 <= stored.read_bytes().count(b"\n") < 6 * COUNT
    assert not (out / "correlations.csv").exists()
    assert call(*_arguments(truth, out, *more))[0] == 0
    assert call(*_arguments(truth, tmp_path / "plain", *more))[0] == 0
    _same_tables(out, tmp_path / "plain")
    assert len(_stored(out)) == 6 * COUNT


@pytest.mark.slow
def test_ten_kills_at_random_moments_and_two_workers_give_the_same_bytes(truth, tmp_path, call):
    out, chance = tmp_path / "killed", random.Random(1)
    more = ("--no-timings", "--quiet", "--seeds", "20", "--workers", "2")
    total, kills = 3 * COUNT * 20, 0
    for number in range(10):
        kills += _killed(
            _arguments(truth, out, *more), out, lines=round((number + chance.random()) * total / 12)
        )
    assert kills == 10
    assert call(*_arguments(truth, out, *more))[0] == 0
    assert call(*_arguments(truth, tmp_path / "plain", *more[:-1], "1"))[0] == 0
    _same_tables(out, tmp_path / "plain")


def test_an_interrupt_says_how_to_go_on(truth, tmp_path, call, monkeypatch):
    from naslib_swap.scoring import dispatch

    score = dispatch.score_job
    taken: list[object] = []

    def interrupted(job):
        taken.append(job)
        if len(taken) > 3:
            raise KeyboardInterrupt
        return score(job)

    # What a default argument holds is not looked up again.
    monkeypatch.setattr(dispatch.Dispatch.__init__, "__defaults__", ((), interrupted))
    status, _, errors = call(*_arguments(truth, tmp_path, "--quiet"))
    assert status == 130
    assert "Run the same command again to go on" in errors
    assert len(_stored(tmp_path)) == 9
    monkeypatch.undo()
