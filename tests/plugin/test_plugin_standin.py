"""The whole hook on a stand-in NASLib: its runners, started as a user starts them."""

from __future__ import annotations

import json
import math
import os
import random
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from naslib_swap import spaces
from naslib_swap.plugin import hook
from naslib_swap.scoring.conditions import regularisation_of

PROJECT = Path(hook.__file__).parents[2]
STANDIN = Path(__file__).parent / "standin"
LAUNCH = """
import sys
from naslib_swap.plugin.launcher import launch
launch(sys.argv[1], sys.argv[2:])
"""


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkout of the stand-in, with a start-up file in a folder of its own beside it."""
    root = tmp_path_factory.mktemp("checkout")
    shutil.copytree(STANDIN / "naslib", root / "naslib")
    return root


def environment_of(checkout: Path, **more: str) -> dict[str, str]:
    env = {
        **os.environ,
        "PYTHONPATH": str(PROJECT),
        "NASLIB_SWAP_CACHE": str(checkout / "cache"),
        "OMP_NUM_THREADS": "1",
        **more,
    }
    for name in ("NASLIB_SWAP_DATA", "NASLIB_ROOT", "NASLIB_SWAP_DISABLE"):
        env.pop(name, None) if name not in more else None
    return env


def script_of(checkout: Path, runner: str) -> str:
    return str(checkout / "naslib" / "runners" / runner / "runner.py")


def run(
    checkout: Path, runner: str, *arguments: str, folder: Path | None = None, **environment: str
) -> subprocess.CompletedProcess:
    """Run a runner through the launcher, which does what start-up does where it is installed."""
    return subprocess.run(
        [sys.executable, "-c", LAUNCH, script_of(checkout, runner), *arguments],
        capture_output=True,
        text=True,
        env=environment_of(checkout, **environment),
        cwd=folder or checkout,
        check=False,
    )


Run = Callable[..., subprocess.CompletedProcess]


@pytest.fixture
def forked(forks: Any, checkout: Path) -> Run:
    """The same in a process that need not import torch."""

    def run(runner: str, *arguments: str, code: str = LAUNCH) -> subprocess.CompletedProcess:
        arguments = (script_of(checkout, runner), *arguments)
        return forks.run(code, *arguments, folder=checkout, environment=environment_of(checkout))

    return run


def answer(result: subprocess.CompletedProcess) -> dict:
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout.strip().splitlines()[-1])


def table() -> dict:
    return json.loads((STANDIN / "naslib" / "data" / "zc_nasbench201.json").read_text())["cifar10"]


def test_swap_runs_as_written_and_its_scores_are_kept(checkout: Path, tmp_path: Path, forked: Run):
    first = answer(run(checkout, "zc", "--predictor", "swap", folder=tmp_path))
    assert all(score > 1 for score in first["scores"])
    assert first["kendalltau"] == first["kendalltau"], "nan: the correlation failed"
    computed = answer(forked("zc", "--predictor", "swap", "--swap.shipped=false"))
    assert computed["scores"] == pytest.approx(first["scores"], abs=4), "as with the package"
    assert (checkout / "cache" / "scores.sqlite").is_file()
    again = answer(forked("zc", "predictor", "reg_swap", "--swap.mu=500", "--swap.sigma", "1000"))
    assert "swap" not in again["config"], "settings of the plugin stay out of NASLib's records"
    space = spaces.get("nasbench201")
    random.seed(0)
    for score, weighed in zip(first["scores"], again["scores"]):
        arch = random.choice([eval(text) for text in table()])
        distance = space.parameters(arch) / 1000 - 500
        assert weighed == pytest.approx(math.log(score) - distance**2 / 1000)
    assert len(list(Path(checkout / "naslib" / "data").iterdir())) == 1, "nothing is written there"


def test_every_proxy_that_naslib_lacks_is_a_measure(forked: Run):
    found = answer(forked("zc", "--predictor", "depth"))
    random.seed(0)
    archs = [eval(text) for text in table()]
    expected = [spaces.get("nasbench201").depth(random.choice(archs)) for _ in range(4)]
    assert found["scores"] == expected


def test_naslibs_own_proxy_keeps_its_values(forked: Run):
    found = answer(forked("zc", "--seed", "3"))
    random.seed(3)
    archs = [eval(text) for text in table()]
    expected = [table()[str(random.choice(archs))]["l2_norm"]["score"] for _ in range(4)]
    assert found["scores"] == expected
    assert found["config"]["seed"] == 3


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--predicter", "swap"], "unknown key 'predicter'; known keys are"),
        (["--predictor", "swop"], "unknown zero-cost predictor 'swop'; known are depth, "),
        (["predictor", "swap", "--swap.inputs", "nowhere"], "unknown source of images 'nowhere'"),
        (["predictor", "swap", "--swap.images", "noise"], "swap: images is now called inputs."),
        (["--search_space", "nasbench2O1"], "unknown search_space 'nasbench2O1'; known are nasb"),
        (["--dataset", "cifar1O"], "unknown dataset of nasbench201 'cifar1O'; known are"),
        (["--test_size", "0"], "test_size = 0: expected at least 1"),
    ],
)
def test_an_error_is_one_line_and_status_2(forked: Run, arguments: list[str], message: str):
    result = forked("zc", *arguments)
    assert result.returncode == 2
    assert len(result.stderr.strip().splitlines()) == 1
    assert result.stderr.startswith("naslib-swap: error: ")
    assert message in result.stderr


def test_our_optimiser_takes_a_slot_and_gets_its_name_back(
    checkout: Path, tmp_path: Path, forked: Run
):
    (tmp_path / "made_up.py").write_text(
        "class Mine:\n"
        "    def __init__(self, config): self.config = config\n"
        "    def before_training(self): pass\n"
    )
    named = (
        "from naslib_swap.plugin import optimisers\n"
        "optimisers.OPTIMISERS['mine'] = 'made_up:Mine'\n"
    )
    (tmp_path / "sitecustomize.py").write_text(named)
    path = os.pathsep.join([str(tmp_path), str(PROJECT)])
    result = run(checkout, "nas", "optimizer", "mine", PYTHONPATH=path)
    assert answer(result) == ["Mine", "mine", "re", "mine", 10], "a default of 100 in 50 epochs"
    code = f"import sys\nsys.path.insert(1, {str(tmp_path)!r})\n{named}{LAUNCH}"
    given = ["--optimizer", "mine", "--search.population_size", "100"]
    assert answer(forked("nas", *given, code=code))[-1] == 100
    result = forked("nas", "--optimizer", "re", code=code)
    assert answer(result) == ["RegularizedEvolution", "re", "re", "re", 100]
    result = forked("nas", "--optimizer", "swap_er", code=code)
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr.endswith("unknown optimizer 'swap_er'; known are mine, re, swap_re\n")


def test_a_graph_is_scored_by_its_architecture_a_network_as_it_is(checkout: Path, forks: Any):
    code = """
import torch
from naslib.predictors import ZeroCost
from naslib.search_spaces import get_search_space
graph = get_search_space("nasbench201", "cifar10")
graph.set_spec((0, 2, 3, 2, 3, 1))
native = ZeroCost("swap").query(graph)
batch = [(torch.randn(8, 3, 32, 32), torch.zeros(8, dtype=torch.long))]
own = ZeroCost("swap").query(graph, dataloader=batch)
many = ZeroCost("swap").query([graph, graph], dataloader=batch)
net = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(4, 3, bias=False), torch.nn.ReLU())
torch.nn.init.eye_(net[1].weight)
rows = torch.tensor([[1.0, -1, 1, 0], [-1, 1, 1, 0]]).reshape(2, 1, 2, 2)
# Patterns of the three values over the two samples: 10, 01, 11.
plain = ZeroCost("swap").query(net, dataloader=[(rows, torch.zeros(2))])
print([native > 1000, 1 <= own <= 4, many == [own, own], plain == 3])
graph.auxiliary_head = torch.nn.Linear(1000, 10)
print([ZeroCost("reg_params").query(graph, dataloader=batch), ZeroCost("depth").query(graph)])
from naslib_swap.proxies import Proxy, register
register(Proxy("widest", "Widest", lambda probe: max(p.shape[0] for p in probe.net.parameters())))
print([ZeroCost("widest").query(graph), ZeroCost("widest").query(graph, dataloader=batch)])
bare = [(rows, None)]
for ask in (
    lambda: ZeroCost("swop"),
    lambda: ZeroCost("swap").query(net),
    lambda: ZeroCost("swap").query(net, dataloader=bare),
):
    try:
        ask()
    except ValueError as error:
        print(error)
"""
    env = {**os.environ, "PYTHONPATH": os.pathsep.join([str(checkout), str(PROJECT)])}
    env |= {"NASLIB_SWAP_CACHE": str(checkout / "cache"), "OMP_NUM_THREADS": "1"}
    installed = "from naslib_swap.plugin.hook import install; install()\n"
    result = forks.run(installed + code, folder=checkout, environment=env)
    shown, second, third, name, loader, labels = result.stdout.strip().splitlines()[-6:]
    assert shown == "[True, True, True, True]", result.stderr
    # The stand-in's network is 3072 x 4 weights and 4 biases; its auxiliary head does not count.
    rule = regularisation_of("nasbench201", "cifar10")
    assert json.loads(second) == [rule.of((3072 * 4 + 4) / 1e6, (3072 * 4 + 4) / 1e3), 21]
    assert json.loads(third) == [64, 10]
    assert name.startswith("unknown zero-cost predictor 'swop'; known are depth, ")
    assert loader.startswith("swap of a Sequential: give its inputs")
    assert "got a batch of (Tensor, NoneType) from the loader" in labels
