"""The comparators against definitions written out on a tiny encoder."""

from __future__ import annotations

import copy
from pathlib import Path

import numpy as np
import pytest
import torch

from naslib_swap.errors import SwapError
from naslib_swap.flexibert.batches import TextBatch, load
from naslib_swap.flexibert.benchmark import load_benchmark, load_released
from naslib_swap.flexibert.comparators import COMPARATORS, TRIVIAL
from naslib_swap.flexibert.configuration import FlexiBertConfig
from naslib_swap.flexibert.encoder import parse
from naslib_swap.flexibert.modelling import FlexiBertModel
from naslib_swap.flexibert.observation import Observation, observe

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
def seen() -> tuple[FlexiBertModel, Observation]:
    net = _net()
    return net, observe(net, _batch(), cotangent="random", seed=3)


def test_gradients_are_those_of_plain_backward(seen: tuple[FlexiBertModel, Observation]) -> None:
    net, observation = seen
    plain = copy.deepcopy(net)
    out = plain(**_batch().inputs()).last_hidden_state
    out.backward(torch.randn(out.shape, generator=torch.Generator().manual_seed(3)))
    for name, p in plain.named_parameters():
        torch.testing.assert_close(observation.gradients[name], p.grad, rtol=1e-4, atol=1e-5)


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
    with pytest.raises(SwapError, match="unknown cotangent 'ones'"):
        observe(_net(), _batch(), cotangent="ones")
    with pytest.raises(SwapError, match="documents of 17 tokens"):
        observe(_net(), _batch(length=17))


def _products(net: FlexiBertModel, seen: Observation, names: list[str]) -> float:
    weights = dict(net.named_parameters())
    return sum(float((weights[n].detach() * seen.gradients[n]).abs().sum()) for n in names)


def _weights(net: FlexiBertModel, *, within: tuple[str, ...]) -> list[str]:
    return [
        name
        for name, p in net.named_parameters()
        if name.endswith("weight") and p.dim() == 2 and any(f".{w}." in name for w in within)
    ]


def test_saliency_is_of_the_feed_forward_networks(
    seen: tuple[FlexiBertModel, Observation],
) -> None:
    net, observation = seen
    names = _weights(net, within=("feed_forward", "feed_forward_output"))
    assert len(names) == 4 + 3
    saliency = COMPARATORS["synaptic_saliency"].compute(net, observation)
    assert saliency == pytest.approx(_products(net, observation, names), rel=1e-5)


def test_importance_is_of_wide_projections() -> None:
    net = _net("256/SA-WMA-2-16x1/DSC-5-4-16x1")
    observation = observe(net, _batch(samples=2))
    weights = dict(net.named_parameters())
    names = [n for n in _weights(net, within=("mixing",)) if weights[n].shape[0] >= 128]
    assert len(names) == 4 + 4  # the convolution's kernels have 2 x 5 outputs, and do not count
    importance = COMPARATORS["head_importance"].compute(net, observation)
    assert importance == pytest.approx(_products(net, observation, names), rel=1e-5)


def test_diversity_is_a_product_of_nuclear_norms(
    seen: tuple[FlexiBertModel, Observation],
) -> None:
    net, observation = seen
    names = _weights(net, within=("mixing", "mixing_output"))
    weights = dict(net.named_parameters())
    expected = sum(
        np.linalg.norm(weights[n].detach().numpy(), "nuc")
        * np.linalg.norm(observation.gradients[n].numpy(), "nuc")
        for n in names
    )
    diversity = COMPARATORS["synaptic_diversity"].compute(net, observation)
    assert diversity == pytest.approx(expected, rel=1e-4)
    dss = COMPARATORS["dss"].compute(net, observation)
    saliency = COMPARATORS["synaptic_saliency"].compute(net, observation)
    assert dss == pytest.approx(diversity + saliency)


def test_activation_distance_counts_agreements(seen: tuple[FlexiBertModel, Observation]) -> None:
    net, observation = seen
    assert [tuple(a.shape) for a in observation.activations] == [
        (6, 128), (6, 16), (6, 128), (6, 128)
    ]  # fmt: skip
    total = 0
    for activation in observation.activations:
        on = activation.numpy() > 0
        total += sum(int((on[i] == on[j]).sum()) for i in range(6) for j in range(6))
    found = COMPARATORS["activation_distance"].compute(net, observation)
    assert found == pytest.approx(total / 4)


def test_head_confidences(seen: tuple[FlexiBertModel, Observation]) -> None:
    net, observation = seen
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
    assert len(observation.heads) == 4 + 1 + 3
    for mine, output in zip(observation.heads, outputs):
        assert mine == pytest.approx(float(output.numpy().max(axis=1).mean()), rel=1e-4)
    soft = [probabilities[0], probabilities[1].softmax(-1)]
    for mine, p in zip(observation.attention, soft):
        assert mine == pytest.approx(float(p.numpy().max(axis=1).mean()), rel=1e-4)
    assert COMPARATORS["head_confidence"].compute(net, observation) == sum(observation.heads)
    assert COMPARATORS["softmax_confidence"].compute(net, observation) == sum(observation.attention)


def test_jacobian_score_by_hand() -> None:
    gradient = torch.tensor([[1.0, 2.0], [2.0, 1.0], [3.0, 3.0], [0.0, 0.0]])
    seen = Observation([], [], [], {"embeddings.positions.weight": gradient})
    correlation = np.corrcoef([1, 2, 3], [2, 1, 3])[0, 1]  # the last position is not in use
    spectrum = np.array([1 + correlation, 1 - correlation]) + 1e-5
    expected = -np.sum(np.log(spectrum) + 1 / spectrum)
    assert COMPARATORS["jacobian"].compute(_net(), seen) == pytest.approx(expected)


def test_trivial_proxies() -> None:
    encoder = parse(TEXT)
    with torch.device("meta"):
        net = FlexiBertModel(FlexiBertConfig.from_encoder(encoder, "trained")).eval()
    found = {name: proxy.compute(net, encoder, 10) for name, proxy in TRIVIAL.items()}
    assert found["depth"] == 3
    assert found["activation_calls"] == 4
    assert found["params"] == sum(p.numel() for p in net.parameters())
    deeper = TRIVIAL["layers_hidden"].compute(net, parse("128/SA-SDP-2-8x1"), 10)
    wider = TRIVIAL["layers_hidden"].compute(net, parse("256/SA-SDP-2-8x1"), 10)
    assert deeper < wider < found["layers_hidden"]


def test_flops_by_hand() -> None:
    encoder = parse("128/SA-SDP-2-8x1")
    with torch.device("meta"):
        net = FlexiBertModel(FlexiBertConfig.from_encoder(encoder, "trained")).eval()
    tokens, width = 10, 128
    macs = 4 * tokens * width * width  # query, key, value, output
    macs += 2 * tokens * tokens * width  # scores and their use
    macs += 2 * tokens * width * 4 * width  # feed-forward
    assert TRIVIAL["flops"].compute(net, encoder, tokens) == 2 * macs
    with pytest.raises(SwapError, match="meta device"):
        TRIVIAL["flops"].compute(_net(), encoder, tokens)


@pytest.mark.slow
def test_confidences_equal_the_released_ones_nearly(data_dir: Path) -> None:
    """Forward statistics agree, though weights and documents are others: it is the same network."""
    released, batch = load_released(), load(samples=8, length=512)
    for entry in load_benchmark()[:6]:
        torch.manual_seed(0)
        net = FlexiBertModel(FlexiBertConfig.from_encoder(entry.encoder))
        seen = observe(net, batch, cotangent="paper")
        for name in ("head_confidence", "softmax_confidence"):
            comparator = COMPARATORS[name]
            expected = released[comparator.released][entry.id]
            assert comparator.compute(net, seen) == pytest.approx(expected, rel=0.03)
