"""swap_re inside NASLib: each test is a process of its own, for NASLib changes much at import."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest
import yaml

from naslib_swap import spaces

CONFIGS = Path(__file__).parents[2] / "configs" / "nas"
FEW = ["--search.population_size", "3", "--search.sample_size", "2", "--swap.samples", "4"]


def run(command: list[str], folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    pytest.importorskip("fvcore", reason="NASLib's own requirements are not installed")
    return subprocess.run(
        [sys.executable, *command],
        cwd=folder,
        env={**os.environ, "NASLIB_SWAP_CACHE": str(folder), "OMP_NUM_THREADS": "1", **environment},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )


def search(root: Path, folder: Path, runner: str, *arguments: str, epochs: int = 5) -> str:
    script = str(root / "naslib" / "runners" / runner / "runner.py")
    done = run([script, *arguments, "--search.epochs", str(epochs), *FEW], folder)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.mark.naslib
@pytest.mark.slow
@pytest.mark.parametrize("syntax", [["--optimizer", "swap_re"], ["optimizer", "swap_re"]])
def test_nas_runner_takes_swap_re_by_name(naslib_root, tmp_path, syntax):
    output = search(naslib_root, tmp_path, "nas", *syntax)
    assert "Final architecture hash" in output
    (final,) = tmp_path.glob("run/nasbench201/cifar10/swap_re/*/search/model_final.pth")
    assert final.stat().st_size > 0


@pytest.mark.naslib
@pytest.mark.slow
@pytest.mark.parametrize(
    ("runner", "saved"),
    [("nas", "run/nasbench201/cifar10/swap_re"), ("nas_predictors", "run/**/nasbench201/swap_re")],
)
def test_the_default_run_evolves_and_reports_what_is_known(
    naslib_root, data_dir, tmp_path, runner, saved
):
    script = str(naslib_root / "naslib" / "runners" / runner / "runner.py")
    arguments = ["--optimizer", "swap_re", "--search.epochs", "7", "--swap.samples", "4"]
    done = run([script, *arguments], tmp_path)
    output = done.stdout + done.stderr
    assert done.returncode == 0, output
    assert "7 epochs are a first population of 5 and 2 cycles (samples of 3)" in output
    assert output.count("is reported as -1") == 1
    assert len(re.findall(r"Validation accuracy: [1-9]", output)) == 7
    assert re.search(r"final architecture .*: validation accuracy [1-9]", output)
    assert list(tmp_path.glob(f"{saved}/*/search/model_final.pth"))
    assert len(list(tmp_path.glob("run/**/model_final.pth"))) == 1


@pytest.mark.naslib
@pytest.mark.slow
def test_a_population_without_cycles_is_warned_of(naslib_root, tmp_path):
    script = str(naslib_root / "naslib" / "runners" / "nas" / "runner.py")
    arguments = ["--optimizer", "swap_re", "--search.epochs", "3", *FEW]
    done = run([script, *arguments], tmp_path)
    assert done.returncode == 0, done.stderr
    assert "leave no cycle, which is a random search" in done.stdout + done.stderr


@pytest.mark.naslib
@pytest.mark.slow
@pytest.mark.parametrize("runner", ["bbo", "nas_predictors"])
def test_other_runners(naslib_root, tmp_path, runner):
    if runner == "bbo":
        pytest.importorskip("tensorboard", reason="NASLib's bbo runner needs it")
    config = str(CONFIGS / "nasbench201_cifar10.yaml")
    output = search(naslib_root, tmp_path, runner, "--config-file", config)
    assert "Final architecture hash" in output
    assert list(tmp_path.glob("run/**/swap_re/**/model_final.pth"))


@pytest.mark.naslib
@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    [
        "nasbench101_cifar10",
        "nasbench301_cifar10",
        "transbench101_micro_class_scene",
        "transbench101_macro_class_scene",
    ],
)
def test_other_spaces(naslib_root, tmp_path, name):
    output = search(
        naslib_root, tmp_path, "nas", "--config-file", str(CONFIGS / f"{name}.yaml"), epochs=4
    )
    assert "Final architecture hash" in output


@pytest.mark.naslib
@pytest.mark.slow
def test_without_any_accuracy(naslib_root, tmp_path):
    script = str(naslib_root / "naslib" / "runners" / "nas" / "runner.py")
    command = [script, "--optimizer", "swap_re", "--search.epochs", "4", *FEW]
    done = run(command, tmp_path, NASLIB_SWAP_DATA=str(tmp_path))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "reported as -1" in done.stdout + done.stderr


@pytest.mark.naslib
@pytest.mark.slow
def test_a_combination_needs_no_more_packages(naslib_root, tmp_path):
    output = search(naslib_root, tmp_path, "nas", "--optimizer", "swap_re", "--search.proxy=az_nas")
    assert "Final architecture hash" in output


@pytest.mark.naslib
@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--search.proxy", "az_naz"], "unknown search.proxy 'az_naz'; known are depth, "),
        (
            ["--search.proxy", "az_nas", "--search.weighting", "adaptive"],
            "got size weighting 'adaptive' for the combination 'az_nas'",
        ),
        (["--search.removal", "best"], "got removal 'best', expected worst or oldest"),
    ],
)
def test_settings_that_cannot_be_are_one_line(naslib_root, tmp_path, arguments, message):
    script = str(naslib_root / "naslib" / "runners" / "nas" / "runner.py")
    done = run([script, "--optimizer", "swap_re", *arguments], tmp_path)
    assert done.returncode == 2, done.stderr
    assert f"naslib-swap: error: {message}" in done.stderr
    assert "Traceback" not in done.stderr


_RESUMED = """
    import os, sys
    from naslib_swap.plugin import hook
    hook.install()
    sys.path.insert(0, sys.argv[1])
    from fvcore.common.config import CfgNode
    from naslib.defaults.trainer import Trainer
    from naslib.search_spaces import NasBench201SearchSpace
    from naslib.utils import get_dataset_api
    from naslib_swap.optimizers.naslib_swap_re import SwapRE

    def searched(save, epochs, seed=0, resume_from="", **others):
        os.makedirs(save + "/search", exist_ok=True)
        config = CfgNode(dict(
            dataset="cifar10", seed=seed, save=save, save_arch_weights=False,
            search=dict(epochs=epochs, seed=seed, population_size=3, sample_size=2,
                        mutations=2, offspring=1, checkpoint_freq=1, **others),
            evaluation=dict(epochs=1),
        ))
        optimizer = SwapRE(config)
        optimizer.adapt_search_space(
            NasBench201SearchSpace(), dataset_api=get_dataset_api("nasbench201", "cifar10"))
        Trainer(optimizer, config, lightweight_output=True).search(resume_from=resume_from)
        return optimizer

    whole = searched("whole", 7)
    searched("part", 4)
    resumed = searched("part", 7, resume_from="part/search/model_final.pth")
    assert resumed.evolution.state == whole.evolution.state
    final = whole.get_final_architecture()
    assert str(tuple(final.get_hash())) == whole.evolution.top(1)[0].arch
    final.parse()
    assert sum(p.numel() for p in final.parameters()) > 10_000
    assert len(whole.train_statistics()) == 4
    def refused(**others):
        try:
            searched("part", 8, resume_from="part/search/model_final.pth", **others)
        except ValueError as error:
            print("refused:", error)

    refused(seed=1)
    refused(proxy="reg_swap")
    refused(weighting="adaptive")
    refused(removal="oldest")
    refused(crossover=0.9)
    for name, value in (("SAMPLES", "6"), ("INPUTS", "noise"), ("MU", "7")):
        os.environ["NASLIB_SWAP_" + name] = value
        if name == "MU":
            os.environ["NASLIB_SWAP_SIGMA"] = "9"
        refused()
        del os.environ["NASLIB_SWAP_" + name]
        os.environ["NASLIB_SWAP_SAMPLES"] = "4"
"""


@pytest.mark.naslib
@pytest.mark.slow
def test_trainer_resumes_to_the_same_search(naslib_root, tmp_path):
    environment = {"NASLIB_SWAP_SAMPLES": "4"}
    command = ["-c", textwrap.dedent(_RESUMED), str(naslib_root)]
    done = run(command, tmp_path, **environment)
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search("refused: .*its seed is 0, this search's is 1", done.stdout)
    named = re.findall("refused: .* belongs to another search: its (\\w+) is", done.stdout)
    assert named == [
        "seed",
        "proxy",
        "settings",
        "settings",
        "settings",
        "recipe",
        "recipe",
        "settings",
    ]


_WITH_ACCURACIES = """
    import os, sys
    from naslib_swap.plugin import hook
    hook.install()
    sys.path.insert(0, sys.argv[1])
    from fvcore.common.config import CfgNode
    from naslib.search_spaces import NasBench201SearchSpace, NasBenchASRSearchSpace
    from naslib_swap.optimizers.naslib_swap_re import SwapRE

    class Benchmark(dict):
        def __missing__(self, arch):
            curves = dict(train_acc1es=[99.0], eval_acc1es=[90.0], cost_info=dict(train_time=7.0))
            return {"cifar10-valid": curves}

    config = CfgNode(dict(dataset="cifar10", seed=0, search=dict(
        epochs=2, population_size=2, sample_size=2, weighting="adaptive", removal="oldest")))
    optimizer = SwapRE(config)
    optimizer.adapt_search_space(
        NasBench201SearchSpace(), dataset_api={"nb201_data": Benchmark()})
    optimizer.new_epoch(0)
    for report_incumbent in (True, False):
        assert optimizer.train_statistics(report_incumbent) == (99.0, 90.0, 90.0, 7.0)
    assert optimizer.test_statistics()["cifar10-valid"]["eval_acc1es"] == [90.0]
    assert optimizer.evolution.settings.weighting.mode == "adaptive"
    assert optimizer.evolution.settings.removal == "oldest"
    optimizer.adapt_search_space(NasBench201SearchSpace(), dataset_api=None)
    optimizer.new_epoch(0)
    assert optimizer.train_statistics() == (-1, -1, -1, -1)
    assert optimizer.test_statistics() == -1
    try:
        optimizer.adapt_search_space(NasBenchASRSearchSpace())
    except ValueError as error:
        print("refused:", error)
"""


@pytest.mark.naslib
@pytest.mark.slow
def test_statistics_with_and_without_a_benchmark(naslib_root, tmp_path):
    command = ["-c", textwrap.dedent(_WITH_ACCURACIES), str(naslib_root)]
    done = run(command, tmp_path, NASLIB_SWAP_SAMPLES="4")
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search("refused: swap_re cannot search 'asr': expected one of", done.stdout)


_UNRELIABLE = """
    import sys
    from naslib_swap.plugin import hook
    hook.install()
    sys.path.insert(0, sys.argv[1])
    from fvcore.common.config import CfgNode
    from naslib.search_spaces import NasBench201SearchSpace
    from naslib_swap import scoring
    from naslib_swap.optimizers.naslib_swap_re import SwapRE
    from naslib_swap.plugin import live

    sys.argv[0] = "naslib/runners/nas/runner.py"  # where errors of ours end the process
    score, calls, fails = scoring.score, [], {1, 4}

    def unreliable(subject, names, *args, **options):
        calls.append(subject)
        if len(calls) in fails:
            return dict.fromkeys(names, scoring.Score(None, error="not this one"))
        return score(subject, names, *args, **options)

    scoring.score = unreliable

    def searched():
        calls.clear()
        live._store.cache_clear()
        optimizer = SwapRE(CfgNode(dict(dataset="cifar10", seed=0, search=dict(
            epochs=4, population_size=3, sample_size=2))))
        optimizer.adapt_search_space(NasBench201SearchSpace(), dataset_api=None)
        for epoch in range(4):
            optimizer.new_epoch(epoch)
            assert optimizer.train_statistics() == (-1, -1, -1, -1)
        return optimizer.evolution.state

    state = searched()
    assert len(state.failures) == 2 and len(state.population) == 3
    print("went on")
    fails = range(1000)
    searched()
"""


@pytest.mark.naslib
@pytest.mark.slow
def test_an_architecture_without_a_score_does_not_end_a_runner(naslib_root, tmp_path):
    command = ["-c", textwrap.dedent(_UNRELIABLE), str(naslib_root)]
    done = run(command, tmp_path, NASLIB_SWAP_SAMPLES="4", NASLIB_SWAP_KEEP="0")
    assert "went on" in done.stdout, done.stdout + done.stderr
    assert done.returncode == 2
    assert "none of the first 3 architectures could be scored" in done.stderr


_BY_COMBINATION = """
    import os, sys, types

    def stub(name, **attributes):
        module = sys.modules[name] = types.ModuleType(name)
        vars(module).update(attributes)

    # The two names of NASLib's that the optimiser's file needs.
    for name in ("naslib", "naslib.optimizers", "naslib.optimizers.core", "naslib.search_spaces",
                 "naslib.search_spaces.core"):
        stub(name)
    stub("naslib.optimizers.core.metaclasses", MetaOptimizer=type("MetaOptimizer", (), {}))
    stub("naslib.search_spaces.core.query_metrics", Metric=None)

    import numpy as np
    from naslib_swap import scoring, spaces
    from naslib_swap.optimizers.naslib_swap_re import SwapRE
    from naslib_swap.plugin import live

    rng = np.random.default_rng(0)

    def scores(space, dataset, arch, names):
        found = {name: scoring.Score(float(sum(map(ord, arch + name)) % 97)) for name in names}
        if arch.startswith("(0"):
            found["trainability"] = scoring.Score(None, error="no gradient")
        return found

    live.scores = scores
    live.recipes = lambda space, dataset, names: {n: scoring.Recipe(source=n) for n in names}

    class Config(dict):
        __getattr__ = dict.__getitem__

    space = types.SimpleNamespace(get_type=lambda: "nasbench201", OPTIMIZER_SCOPE=[])

    def searched(epochs, **others):
        optimizer = SwapRE(Config(dataset="cifar10", seed=0, search=Config(
            epochs=epochs, population_size=4, sample_size=2,
            **{"proxy": "az_nas", "weighting": "default", **others})))
        optimizer.adapt_search_space(space)
        return optimizer

    whole = searched(12)
    for epoch in range(12):
        whole.new_epoch(epoch)
        if epoch == 6:
            (saved,) = whole.get_checkpointables()["model"].state_dict().items()
    state = whole.evolution.state
    assert {tuple(one.values) for one in state.history.values()} == {
        ("expressivity", "progressivity", "trainability", "flops")}
    lacking = [one for one in state.history.values() if one.errors]
    assert lacking and all(
        one.errors == {"trainability": f"trainability has no score for {one.arch}: no gradient"}
        for one in lacking)
    assert whole.evolution.settings.weighting.mode == "none"
    resumed = searched(12)
    resumed.get_checkpointables()["model"].load_state_dict(dict([saved]))
    for epoch in range(7, 12):
        resumed.new_epoch(epoch)
    assert resumed.evolution.state == state
    for others in ({"weighting": "adaptive"}, {"proxy": "swap", "weighting": "none"}):
        try:
            other = searched(12, **others)
            other.get_checkpointables()["model"].load_state_dict(dict([saved]))
        except ValueError as error:
            print("refused:", error)

    space.get_type = lambda: "nasbench301"
    os.environ["NASLIB_SWAP_VARIANT"] = "suite-zero"
    (measured,) = searched(12).evolution.measure([spaces.get("nasbench301").sample(rng)])
    print("size:", measured.size)
"""


def test_a_combination_guides_and_resumes(tmp_path):
    """Without NASLib: the optimiser's own part."""
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(_BY_COMBINATION)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    refused = [line for line in done.stdout.splitlines() if line.startswith("refused: ")]
    assert len(refused) == 2
    assert "got size weighting 'adaptive' for the combination 'az_nas'" in refused[0]
    assert "its proxy is 'az_nas', this search's is 'swap'" in refused[1]
    space = spaces.get("nasbench301")
    arch = space.sample(np.random.default_rng(0))
    size = space.parameters(arch, variant="suite-zero", num_classes=10) / 1000
    assert f"size: {size}" in done.stdout


def test_there_is_a_config_for_every_task_of_naslibs_spaces():
    tabled = [spaces.get(name) for name in spaces.names() if spaces.get(name).suite_zero]
    expected = {f"{space.name}_{task}" for space in tabled for task in space.tasks}
    assert {path.stem for path in CONFIGS.glob("*.yaml")} == expected
    for path in CONFIGS.glob("*.yaml"):
        config = yaml.safe_load(path.read_text())
        assert config["optimizer"] == "swap_re"
        assert f"{config['search_space']}_{config['dataset']}" == path.stem
        assert config["search"]["sample_size"] <= config["search"]["population_size"]
