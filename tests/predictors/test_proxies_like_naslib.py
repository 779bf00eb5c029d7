"""Values equal those of NASLib's measures on the same network, weights and batch."""

from __future__ import annotations

import importlib
import math
import sys
import types
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from naslib_swap import inputs, spaces
from naslib_swap.predictors.passes.probe import Probe
from naslib_swap.scoring.network import score_network

pytestmark = pytest.mark.naslib

SAMPLES = 12
PACKAGE = "naslib_pruners_alone"
# Plain and GraSP are sums of terms of both signs, in which rounding weighs more.
TOLERANCE = {
    "grad_norm": 1e-4,
    "snip": 1e-4,
    "fisher": 1e-4,
    "l2_norm": 1e-6,
    "jacov": 1e-4,
    "epe_nas": 1e-4,
    "nwot": 1e-6,
    "synflow": 1e-9,
    "zen": 1e-5,
    "plain": 1e-3,
    "grasp": 1e-3,
}


@pytest.fixture(scope="module")
def predictive(naslib_root: Path) -> Iterator[types.ModuleType]:
    """NASLib's `pruners.predictive`, without the packages that the rest of NASLib needs."""
    home = naslib_root / "naslib" / "predictors" / "utils"
    stubs = {
        PACKAGE: _package(PACKAGE, home),
        f"{PACKAGE}.models": _package(f"{PACKAGE}.models", home / "models"),
        f"{PACKAGE}.pruners": _package(f"{PACKAGE}.pruners", home / "pruners"),
        "tensorwatch": types.ModuleType("tensorwatch"),
    }
    stubs["tensorwatch"].ModelStats = object  # only the annotation of a function unused here
    patch = pytest.MonkeyPatch()
    for name, module in stubs.items():
        patch.setitem(sys.modules, name, module)
    yield importlib.import_module(f"{PACKAGE}.pruners.predictive")
    patch.undo()
    for name in [name for name in sys.modules if name.startswith(PACKAGE)]:
        del sys.modules[name]


def _package(name: str, folder: Path) -> types.ModuleType:
    module = types.ModuleType(name)
    module.__path__ = [str(folder)]
    module.__all__ = []
    return module


def _before_pooling(self: nn.Module, images: Tensor) -> Tensor:
    """What NASLib's networks of NAS-Bench-201 and TransNAS-Bench-101 offer to Zen-Score."""
    seen: list[Tensor] = []
    pool = next(m for m in self.modules() if isinstance(m, nn.AdaptiveAvgPool2d))
    handle = pool.register_forward_hook(lambda _, given, __: seen.append(given[0]))
    self(images)
    handle.remove()
    return seen[0]


@pytest.fixture(scope="module", params=["(2, 0, 3, 4, 1, 2)", "(0, 4, 3, 0, 2, 1)"])
def network(request: pytest.FixtureRequest) -> nn.Module:
    space = spaces.get("nasbench201")
    torch.manual_seed(5)
    net = space.build(space.parse(request.param))
    net.forward_before_global_avg_pool = types.MethodType(_before_pooling, net)
    return net


@pytest.fixture(scope="module")
def minibatch() -> inputs.Minibatch:
    return inputs.load("natural", samples=SAMPLES, shape=(3, 16, 16), seed=3)


@pytest.fixture(scope="module")
def ours(network: nn.Module, minibatch: inputs.Minibatch) -> dict:
    return score_network(Probe(network, minibatch, seed=11, num_classes=10), TOLERANCE)


@pytest.mark.parametrize("name", TOLERANCE)
def test_value_equals_naslibs(
    name: str,
    network: nn.Module,
    minibatch: inputs.Minibatch,
    ours: dict,
    predictive: types.ModuleType,
) -> None:
    torch.manual_seed(11)
    theirs = predictive.find_measures(
        network,
        [(minibatch.images.clone(), minibatch.labels)],
        ("random", 1, 10),
        torch.device("cpu"),
        F.cross_entropy,
        [name],
    )
    theirs = math.log(theirs) if name == "synflow" else theirs
    assert ours[name].error is None
    assert ours[name].value == pytest.approx(theirs, rel=TOLERANCE[name])
