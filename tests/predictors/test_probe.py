"""Passes are shared, networks come back as they were, failures are reported."""

from __future__ import annotations

import time
from collections import OrderedDict
from functools import cache
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from naslib_swap.errors import SwapError
from naslib_swap.predictors.passes.probe import Probe
from naslib_swap.proxies import get, names
from naslib_swap.scoring.network import score_network
from naslib_swap.scoring.record import Score

SETTINGS = {"mu": 1.0, "sigma": 2.0, "regions_samples": 20, "depth": None}
SHARING = ["nwot", "grad_norm", "snip", "plain", "fisher", "jacov", "epe_nas", "grasp"]


class Network(nn.Module):
    """Batch normalisation, dropout, a frozen layer, a hook: all that could be left changed."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.body = nn.Sequential(
            nn.Conv2d(3, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(), nn.Dropout(0.2),
            nn.Conv2d(4, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(inplace=True),
        )  # fmt: skip
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.head = nn.Linear(4, 3)
        self.passes = 0

    def forward(self, x: Tensor) -> Tensor:
        self.passes += 1
        return self.head(self.pool(self.body(x)).flatten(1))


class Encoder(Network):
    """The same with a transformer's layer in place of the pool."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.TransformerEncoderLayer(4, 2, 8, dropout=0.2, batch_first=True)

    def forward(self, x: Tensor) -> Tensor:
        self.passes += 1
        return self.head(self.layer(self.body(x).flatten(2).transpose(1, 2)).mean(1))


# Those that are defined for transformers alone.
TRANSFORMERS = {"dss": Encoder, "v_pca": Encoder, "w_pca": Encoder}


def minibatch(samples: int = 6, channels: int = 3) -> SimpleNamespace:
    generator = torch.Generator().manual_seed(1)
    images = torch.randn(samples, channels, 8, 8, generator=generator)
    return SimpleNamespace(images=images, labels=torch.arange(samples) % 3)


def snapshot(net: nn.Module) -> dict[str, Any]:
    return {
        "values": {name: (id(t), t.tolist()) for name, t in net.state_dict(keep_vars=True).items()},
        "gradients": [(p.requires_grad, p.grad if p.grad is None else p.grad.tolist())
                      for p in net.parameters()],
        "modes": [module.training for module in net.modules()],
        "hooks": [(len(m._forward_hooks), len(m._forward_pre_hooks), len(m._backward_hooks))
                  for m in net.modules()],
        "attributes": [sorted(vars(module)) for module in net.modules()],
        "random": torch.get_rng_state().tolist(),
        "grad_mode": torch.is_grad_enabled(),
        "cudnn": torch.backends.cudnn.deterministic,
    }  # fmt: skip


def lived_in(name: str = "") -> Network:
    net = TRANSFORMERS.get(name, Network)()
    net(minibatch().images)  # running statistics of their own
    net.eval()
    net.body[3].train()
    net.body[0].weight.requires_grad_(False)
    net.head.weight.grad = torch.ones_like(net.head.weight)
    net.head.register_forward_hook(lambda module, given, output: None)
    return net


@pytest.mark.parametrize("name", names())
def test_every_proxy_leaves_the_network_as_it_was(name: str) -> None:
    net = lived_in(name)
    before = snapshot(net)
    result = score_network(Probe(net, minibatch(), settings=SETTINGS), [name])[name]
    assert result.error is None
    assert snapshot(net) == before


def test_a_network_that_fails_midway_is_left_as_it_was() -> None:
    class Broken(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            raise torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB")

    net = lived_in()
    net.pool = Broken()
    before = snapshot(net)
    scores = score_network(Probe(net, minibatch(), settings=SETTINGS), names())
    assert snapshot(net) == before
    for name in SHARING:
        assert scores[name].value is None
        assert scores[name].error == (
            "OutOfMemoryError: CUDA out of memory. Tried to allocate 20.00 GiB"
        )
    assert scores["params"].error is None
    assert scores["l2_norm"].error is None


def test_a_pass_that_failed_is_not_tried_again() -> None:
    class Broken(Network):
        def forward(self, x: Tensor) -> Tensor:
            super().forward(x)
            raise RuntimeError("out of memory")

    net = Broken()
    scores = score_network(Probe(net, minibatch()), SHARING)
    assert net.passes == 1
    assert {score.error for score in scores.values()} == {"RuntimeError: out of memory"}


def test_proxies_share_one_forward_pass() -> None:
    net = Network()
    scores = score_network(Probe(net, minibatch()), SHARING)
    assert net.passes == 1
    assert list(scores) == SHARING
    assert [score.error for score in scores.values()] == [None] * len(SHARING)


@cache
def in_company(kind: type[Network]) -> tuple[Network, dict[str, Score]]:
    """A network, and what all proxies give it together."""
    net = kind()
    return net, score_network(Probe(net, minibatch(), settings=SETTINGS), reversed(names()))


@pytest.mark.parametrize("name", names())
def test_a_score_does_not_depend_on_company(name: str) -> None:
    net, together = in_company(TRANSFORMERS.get(name, Network))
    alone = score_network(Probe(net, minibatch(), settings=SETTINGS), [name])[name]
    assert alone.value == together[name].value
    assert alone.error is None


@pytest.mark.parametrize("name", names())
def test_the_metadata_name_every_pass_and_setting_that_is_used(name: str) -> None:
    class Noticing(dict):
        def __init__(self) -> None:
            super().__init__(SETTINGS)
            self.read: set[str] = set()

        def get(self, key: str, default: Any = None) -> Any:
            self.read.add(key)
            return super().get(key, default)

        def __getitem__(self, key: str) -> Any:
            self.read.add(key)
            return super().__getitem__(key)

    settings = Noticing()
    probe = Probe(TRANSFORMERS.get(name, Network)(), minibatch(), settings=settings)
    proxy = get(name)
    proxy.compute(probe)
    assert settings.read <= proxy.reads
    shared = {"forward", "loss", "loss_graph", "jacobian"}
    assert probe._asked & shared <= proxy.passes
    assert proxy.needs <= {"data", "labels", "gradients"}
    assert proxy.name == name
    assert proxy.title
    assert proxy.reference
    assert proxy.scale


def test_seconds_include_the_passes_that_others_had_paid_for() -> None:
    class Slow(Network):
        def forward(self, x: Tensor) -> Tensor:
            time.sleep(0.05)
            return super().forward(x)

    start = time.perf_counter()
    scores = score_network(Probe(Slow(), minibatch()), ["nwot", "snip", "grad_norm", "params"])
    wall = time.perf_counter() - start
    for name in ("nwot", "snip", "grad_norm"):
        assert 0.05 <= scores[name].seconds <= wall
    assert scores["params"].seconds < 0.05


def test_the_seed_decides_what_is_drawn() -> None:
    net, batch = Network(), minibatch()
    first, again, other = (
        score_network(Probe(net, batch, seed=seed), ["zen", "nwot"]) for seed in (1, 1, 2)
    )
    torch.manual_seed(99)
    for name in ("zen", "nwot"):  # dropout is drawn too
        assert first[name].value == again[name].value != other[name].value


def test_dead_weights_and_nan_are_reported_as_not_finite() -> None:
    net = Network()
    nn.init.constant_(net.head.weight, float("nan"))
    score = score_network(Probe(net, minibatch()), ["l2_norm"])["l2_norm"]
    assert score.value is None
    assert score.error == "not finite: nan"


def test_a_network_without_a_path_has_no_flow() -> None:
    net = Network()
    nn.init.zeros_(net.head.weight)
    score = score_network(Probe(net, minibatch()), ["synflow"])["synflow"]
    assert score.error is not None
    assert score.error.startswith("the flow is 0")


def test_unknown_names_are_refused_before_anything_runs() -> None:
    net = Network()
    with pytest.raises(SwapError, match=r"got the proxy 'snap', expected one of depth, .*swap"):
        score_network(Probe(net, minibatch()), ["snip", "snap"])
    assert net.passes == 0


def test_labels_beyond_the_outputs_say_so() -> None:
    batch = minibatch()
    batch.labels[0] = 42
    score = score_network(Probe(Network(), batch), ["snip"])["snip"]
    assert score.error == (
        "labels go from 0 to 42, but the network has 3 outputs; build it with as many "
        "as there are classes"
    )


def test_an_odd_minibatch_cannot_be_halved_for_zico() -> None:
    score = score_network(Probe(Network(), minibatch(5)), ["zico"])["zico"]
    assert score.error == "5 images cannot be cut into 2 equal minibatches for ZiCo"


class Returning(Network):
    """Wraps the logits of `Network`."""

    def __init__(self, wrap: Any) -> None:
        super().__init__()
        self.wrap = wrap

    def forward(self, x: Tensor) -> Any:
        return self.wrap(super().forward(x))


class Output(OrderedDict):
    """Like transformers.ModelOutput: a mapping with attributes."""

    def __init__(self, logits: Tensor) -> None:
        super().__init__(hidden=torch.zeros(2, 2), logits=logits)
        self.logits = logits


PLAIN = ("snip", "jacov", "epe_nas", "zico", "synflow")


@cache
def of_plain_logits() -> dict[str, float | None]:
    found = score_network(Probe(Network(), minibatch(), num_classes=3), PLAIN)
    return {name: score.value for name, score in found.items()}


@pytest.mark.parametrize(
    "wrap",
    [
        lambda y: (y, torch.ones(6, 7)),
        lambda y: (torch.ones(6, 7), y),
        lambda y: [y],
        lambda y: {"features": torch.ones(6, 7), "logits": y},
        Output,
        lambda y: SimpleNamespace(logits=y),
    ],
    ids=["logits first", "features first", "list", "dict", "model output", "attribute"],
)
def test_logits_are_found_in_what_networks_return(wrap: Any) -> None:
    wrapped = score_network(Probe(Returning(wrap), minibatch(), num_classes=3), PLAIN)
    assert {k: v.error for k, v in wrapped.items()} == dict.fromkeys(PLAIN)
    assert {k: v.value for k, v in wrapped.items()} == of_plain_logits()


def test_networks_that_return_no_tensor_say_so() -> None:
    score = score_network(Probe(Returning(lambda y: "nothing"), minibatch()), ["snip"])["snip"]
    assert score.error is not None
    assert score.error.startswith("the network returned str; expected a tensor")


class Dense(nn.Module):
    """A decoder: maps to maps, without a global pool."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.encoder = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU())
        self.last = nn.Conv2d(4, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.last(self.encoder(x))


@pytest.mark.parametrize("channels", [3, 5])
def test_dense_outputs_have_all_proxies_of_convolutions_but_those_of_class_scores(
    channels: int,
) -> None:
    probe = Probe(Dense(channels), minibatch(), num_classes=channels, settings=SETTINGS)
    scores = score_network(probe, names())
    failed = {name: score.error for name, score in scores.items() if score.error}
    assert failed.keys() - TRANSFORMERS == {"epe_nas", "vkdnw", "vkdnw_entropy"}
    assert "not for outputs of shape" in failed["epe_nas"]
    assert "expected scores of two classes or more" in failed["vkdnw"]


def test_the_loss_and_its_targets_can_be_set() -> None:
    net, batch = Dense(3), minibatch()
    targets = torch.zeros(6, 3, 8, 8)
    given = {"loss": "mse", "targets": targets}
    score = score_network(Probe(net, batch, settings=given), ["grad_norm"])["grad_norm"]
    loss = net.train()(batch.images).pow(2).mean()
    gradients = torch.autograd.grad(loss, [net.encoder[0].weight, net.last.weight])
    assert score.value == pytest.approx(sum(float(g.norm()) for g in gradients), rel=1e-5)
    wrong = score_network(
        Probe(net, batch, settings={"loss": "l1", "targets": targets[:, :1]}), ["snip"]
    )["snip"]
    assert wrong.error is not None
    assert "needs targets of the output's shape (6, 3, 8, 8)" in wrong.error
    unknown = score_network(Probe(net, batch, settings={"loss": "hinge"}), ["snip"])["snip"]
    assert unknown.error is not None
    assert "unknown loss 'hinge'; known losses are cross_entropy, l1, mse" in unknown.error


def test_a_network_that_works_in_place_leaves_the_images_alone():
    torch.manual_seed(0)
    net = nn.Sequential(
        nn.ReLU(inplace=True), nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, 3)
    )
    batch = minibatch()
    before = batch.images.clone()
    chosen = ["swap", "nwot", "grad_norm", "jacov", "zico", "ntk", "synflow", "flops"]
    together = score_network(Probe(net, batch, num_classes=3), chosen)
    assert torch.equal(batch.images, before)
    for name in chosen:
        assert together[name].error is None, (name, together[name].error)
        alone = score_network(Probe(net, batch, num_classes=3), [name])[name]
        assert alone.value == together[name].value


def test_an_interrupt_that_torch_turns_into_an_error_is_one():
    class Interrupted(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            try:
                raise KeyboardInterrupt
            finally:
                raise RuntimeError("trying to pop from empty mode stack")

    with pytest.raises(KeyboardInterrupt):
        score_network(Probe(Interrupted(), minibatch(), num_classes=3), ["swap"])
