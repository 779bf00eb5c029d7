"""The comparators against definitions written out on a tiny encoder."""

from __future__ import annotations

import copy
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from naslib_swap.errors import SwapError
from naslib_swap.flexibert.batches import TextBatch, load
from naslib_swap.flexibert.benchmark import load_benchmark, load_released
from naslib_swap.flexibert.comparators import PROXIES, RELEASED
from naslib_swap.flexibert.configuration import FlexiBertConfig
from naslib_swap.flexibert.encoder import parse
from naslib_swap.flexibert.modelling import FlexiBertModel
from naslib_swap.flexibert.observation import Observation, observe
from naslib_swap.flexibert.probe import TextProbe
from naslib_swap.flexibert.weights import draw

TEXT = "32/SA-WMA-4-16x2/LT-DCT-2-16x1/DSC-5-4-16x1"
SMALL = {"vocab_size": 50, "embedding_size": 8, "max_position_embeddings": 16}


def _batch(samples: int = 5, length: int = 6) -> TextBatch:
    ids = torch.randint(1, 50, (samples, length), generator=torch.Generator().manual_seed(1))
    return TextBatch(ids, torch.ones_like(ids), torch.zeros_like(ids), "test", "test", "test")


def _net(text: str = TEXT, dropout: float = 0.0) -> FlexiBertModel:
    torch.manual_seed(0)
    config = FlexiBertConfig.from_encoder(
        parse(text),
        "trained",
        hidden_dropout_prob=dropout,
        attention_probs_dropout_prob=dropout,
        **SMALL,
    )
    return FlexiBertModel(config)


@pytest.fixture(scope="module")
def seen() -> Observation:
    return observe(_net(), _batch(), cotangent="random", seed=3)


def _value(name: str, seen: Observation) -> float:
    return PROXIES[name].compute(SimpleNamespace(observation=lambda: seen))


def test_gradients_are_those_of_plain_backward(seen: Observation) -> None:
    net = seen.net
    plain = copy.deepcopy(net)
    out = plain(**_batch().inputs()).last_hidden_state
    out.backward(torch.randn(out.shape, generator=torch.Generator().manual_seed(3)))
    for name, p in plain.named_parameters():
        torch.testing.assert_close(seen.gradients[name], p.grad, rtol=1e-4, atol=1e-5)


def test_chunks_equal_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    net = _net()
    whole = observe(net, _batch(), cotangent="random", seed=3)
    monkeypatch.setattr("naslib_swap.flexibert.observation._CHUNK", 2)
    parts = observe(net, _batch(), cotangent="random", seed=3)
    assert whole.heads == pytest.approx(parts.heads, rel=1e-5)
    assert whole.attention == pytest.approx(parts.attention, rel=1e-5)
    assert len(whole.activations) == len(parts.activations) == 4
    for a, b in zip(whole.activations, parts.activations):
        torch.testing.assert_close(a, b)
    for name, gradient in whole.gradients.items():
        torch.testing.assert_close(gradient, parts.gradients[name], rtol=1e-3, atol=1e-4)


def test_the_released_cotangent_gives_rounding_noise() -> None:
    net = _net()
    noise = observe(net, _batch(), cotangent="paper").gradients
    signal = observe(net, _batch(), cotangent="random").gradients
    name = "layers.0.mixing.query.weight"
    assert float(noise[name].abs().max()) < 1e-4 * float(signal[name].abs().max())


def test_observing_leaves_no_trace() -> None:
    net = _net(dropout=0.1).eval()
    before = {name: p.detach().clone() for name, p in net.named_parameters()}
    state = torch.random.get_rng_state()
    first = observe(net, _batch(), seed=5)
    assert torch.equal(torch.random.get_rng_state(), state)
    assert not net.training
    assert all(not m._forward_hooks for m in net.modules())
    for name, p in net.named_parameters():
        assert p.grad is None
        assert torch.equal(p, before[name])
    again = observe(net, _batch(), seed=5)
    assert first.heads == again.heads
    assert all(torch.equal(g, again.gradients[n]) for n, g in first.gradients.items())


def test_observe_refuses_nonsense() -> None:
    with pytest.raises(SwapError, match="got cotangent 'ones', expected one of paper, random"):
        observe(_net(), _batch(), cotangent="ones")
    with pytest.raises(SwapError, match="documents of 17 tokens"):
        observe(_net(), _batch(length=17))


def _products(seen: Observation, names: list[str]) -> float:
    weights = dict(seen.net.named_parameters())
    return sum(float((weights[n].detach() * seen.gradients[n]).abs().sum()) for n in names)


def _weights(net: FlexiBertModel, *, within: tuple[str, ...]) -> list[str]:
    return [
        name
        for name, p in net.named_parameters()
        if name.endswith("weight") and p.dim() == 2 and any(f".{w}." in name for w in within)
    ]


def test_saliency_is_of_the_feed_forward_networks(seen: Observation) -> None:
    net = seen.net
    names = _weights(net, within=("feed_forward", "feed_forward_output"))
    assert len(names) == 4 + 3
    saliency = _value("synaptic_saliency", seen)
    assert saliency == pytest.approx(_products(seen, names), rel=1e-5)


def test_importance_is_of_wide_projections() -> None:
    net = _net("256/SA-WMA-2-16x1/DSC-5-4-16x1")
    seen = observe(net, _batch(samples=2))
    weights = dict(net.named_parameters())
    names = [n for n in _weights(net, within=("mixing",)) if weights[n].shape[0] >= 128]
    assert len(names) == 4 + 4  # the convolution's kernels have 2 x 5 outputs, and do not count
    importance = _value("head_importance", seen)
    assert importance == pytest.approx(_products(seen, names), rel=1e-5)


def test_diversity_is_a_product_of_nuclear_norms(seen: Observation) -> None:
    net = seen.net
    names = _weights(net, within=("mixing", "mixing_output"))
    weights = dict(net.named_parameters())
    expected = sum(
        np.linalg.norm(weights[n].detach().numpy(), "nuc")
        * np.linalg.norm(seen.gradients[n].numpy(), "nuc")
        for n in names
    )
    diversity = _value("synaptic_diversity", seen)
    assert diversity == pytest.approx(expected, rel=1e-4)
    dss = _value("dss", seen)
    saliency = _value("synaptic_saliency", seen)
    assert dss == pytest.approx(diversity + saliency)


def test_activation_distance_counts_agreements(seen: Observation) -> None:
    assert [tuple(a.shape) for a in seen.activations] == [
        (6, 128), (6, 16), (6, 128), (6, 128)
    ]  # fmt: skip
    total = 0
    for activation in seen.activations:
        on = activation.numpy() > 0
        total += sum(int((on[i] == on[j]).sum()) for i in range(6) for j in range(6))
    found = _value("activation_distance", seen)
    assert found == pytest.approx(total / 4)


def test_head_confidences(seen: Observation) -> None:
    net = seen.net
    outputs: list[torch.Tensor] = []
    probabilities: list[torch.Tensor] = []
    attention = net.layers[0].mixing
    handles = [
        module.register_forward_hook(lambda m, a, out, to=to: to.append(out.detach()))
        for module, to in (
            (attention.query, outputs),
            (attention.weight, outputs),
            (attention.attention.softmax, probabilities),
            (net.layers[1].mixing.transform, probabilities),
        )
    ]
    net(**_batch().inputs())
    for handle in handles:
        handle.remove()
    assert len(seen.heads) == 4 + 1 + 3
    for mine, output in zip(seen.heads, outputs):
        assert mine == pytest.approx(float(output.numpy().max(axis=1).mean()), rel=1e-4)
    soft = [probabilities[0], probabilities[1].softmax(-1)]
    for mine, p in zip(seen.attention, soft):
        assert mine == pytest.approx(float(p.numpy().max(axis=1).mean()), rel=1e-4)
    assert _value("head_confidence", seen) == sum(seen.heads)
    assert _value("softmax_confidence", seen) == sum(seen.attention)


def test_jacobian_score_by_hand() -> None:
    gradient = torch.tensor([[1.0, 2.0], [2.0, 1.0], [3.0, 3.0], [0.0, 0.0]])
    seen = Observation(_net(), [], [], [], {"embeddings.positions.weight": gradient})
    correlation = np.corrcoef([1, 2, 3], [2, 1, 3])[0, 1]  # the last position is not in use
    spectrum = np.array([1 + correlation, 1 - correlation]) + 1e-5
    expected = -np.sum(np.log(spectrum) + 1 / spectrum)
    assert _value("jacobian", seen) == pytest.approx(expected)


def _trivial(text: str, tokens: int = 10) -> dict[str, float]:
    config = FlexiBertConfig.from_encoder(parse(text), "trained")
    probe = TextProbe(config, _batch(length=tokens))
    names = ("params", "flops", "depth", "layers_hidden", "activation_calls")
    return {name: float(PROXIES[name].compute(probe)) for name in names}


def test_trivial_proxies() -> None:
    net = FlexiBertModel(FlexiBertConfig.from_encoder(parse(TEXT), "trained"))
    found = _trivial(TEXT)
    assert found["depth"] == 3
    assert found["activation_calls"] == 4
    assert found["params"] == sum(p.numel() for p in net.parameters())
    deeper = _trivial("128/SA-SDP-2-8x1")["layers_hidden"]
    wider = _trivial("256/SA-SDP-2-8x1")["layers_hidden"]
    assert deeper < wider < found["layers_hidden"]


def test_flops_by_hand() -> None:
    tokens, width = 10, 128
    macs = 4 * tokens * width * width  # query, key, value, output
    macs += 2 * tokens * tokens * width  # scores and their use
    macs += 2 * tokens * width * 4 * width  # feed-forward
    assert _trivial("128/SA-SDP-2-8x1", tokens)["flops"] == 2 * macs


def test_principal_components_of_the_first_feed_forward_layers() -> None:
    config = FlexiBertConfig.from_encoder(parse(TEXT), "trained", **SMALL)
    probe = TextProbe(config, _batch(), settings={"observed": 3}, seed=2)
    net = draw(config, 2).eval()
    counts = []

    def count(layer: torch.nn.Module, given: object, output: torch.Tensor) -> None:
        spectrum = np.linalg.eigvalsh(np.cov(output.detach().reshape(18, -1).double().numpy().T))
        held = np.cumsum(spectrum[::-1]) / spectrum.sum()
        counts.append(int(np.argmax(held > 0.99)) + 1)

    for layer in net.layers:
        layer.feed_forward.layers[0].register_forward_hook(count)
    net(**_batch(3).inputs())
    assert PROXIES["v_pca"].compute(probe) == sum(counts)
    size = sum(p.numel() for p in net.parameters()) / 1e6
    assert PROXIES["w_pca"].compute(probe) == pytest.approx(sum(counts) * size)


def test_released_columns_are_of_proxies_there_are() -> None:
    assert set(RELEASED) <= set(PROXIES)


@pytest.mark.slow
def test_confidences_equal_the_released_ones_nearly(data_dir: Path) -> None:
    """Forward statistics agree, though weights and documents are others: it is the same network."""
    released, batch = load_released(), load(samples=8, length=512)
    for entry in load_benchmark()[:6]:
        torch.manual_seed(0)
        net = FlexiBertModel(FlexiBertConfig.from_encoder(entry.encoder))
        seen = observe(net, batch, cotangent="paper")
        for name in ("head_confidence", "softmax_confidence"):
            expected = released[RELEASED[name]][entry.id]
            assert _value(name, seen) == pytest.approx(expected, rel=0.03)
