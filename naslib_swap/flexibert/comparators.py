"""The proxies that SWAP is compared with on text: Table I of arXiv 2605.07378, and trivial ones.

Those that need passes are functions of (network, observation); the others of the encoder alone.
Definitions as in the scripts released with arXiv 2306.00288 (here: released), whose sums and means
over documents they follow; "normalised" forms there are the same divided by the number of terms.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Callable

import numpy as np
import torch
from torch import Tensor, nn

from naslib_swap.errors import SwapError
from naslib_swap.flexibert.configuration import FlexiBertConfig
from naslib_swap.flexibert.encoder import Encoder, Layer
from naslib_swap.flexibert.modelling import EncoderLayer, FlexiBertModel
from naslib_swap.flexibert.observation import Observation
from naslib_swap.flexibert.weights import hollow
from naslib_swap.predictors.passes.multiply_accumulates import MultiplyAccumulates

_JITTER = 1e-5


@dataclass(frozen=True)
class Comparator:
    """A comparator: its name, its title in tables, its column in the released file, its source."""

    name: str
    title: str
    released: str
    reference: str
    compute: Callable[[FlexiBertModel, Observation], float]


@dataclass(frozen=True)
class TrivialProxy:
    """A number that needs no pass: of a network on the meta device, its encoder, and T tokens."""

    name: str
    title: str
    compute: Callable[[FlexiBertModel, Encoder, int], float]


def _layers(net: FlexiBertModel) -> Iterator[EncoderLayer]:
    for layer in net.layers:
        assert isinstance(layer, EncoderLayer)
        yield layer


def _linear(*modules: object) -> Iterator[nn.Linear]:
    for module in modules:
        if isinstance(module, nn.Module):
            yield from (m for m in module.modules() if isinstance(m, nn.Linear))


def _with_gradients(
    net: FlexiBertModel, seen: Observation, chosen: Iterable[nn.Linear]
) -> Iterator[tuple[Tensor, Tensor]]:
    names = {id(parameter): name for name, parameter in net.named_parameters()}
    for linear in chosen:
        yield linear.weight.detach(), seen.gradients[names[id(linear.weight)]]


def synaptic_diversity(net: FlexiBertModel, seen: Observation) -> float:
    """Σ over linear layers of the mixing blocks of ‖W‖_* · ‖∂W‖_* (nuclear norms)."""
    chosen = (m for layer in _layers(net) for m in _linear(layer.mixing, layer.mixing_output))
    return sum(
        float(torch.linalg.svdvals(w).sum() * torch.linalg.svdvals(g).sum())
        for w, g in _with_gradients(net, seen, chosen)
    )


def synaptic_saliency(net: FlexiBertModel, seen: Observation) -> float:
    """Σ over linear layers of the feed-forward networks of Σ |W ⊙ ∂W|."""
    chosen = (
        m for layer in _layers(net) for m in _linear(layer.feed_forward, layer.feed_forward_output)
    )
    return sum(float((w * g).abs().sum()) for w, g in _with_gradients(net, seen, chosen))


def dss_indicator(net: FlexiBertModel, seen: Observation) -> float:
    """Synaptic Diversity of the mixing blocks plus Synaptic Saliency of the feed-forward ones."""
    return synaptic_diversity(net, seen) + synaptic_saliency(net, seen)


def head_importance(net: FlexiBertModel, seen: Observation) -> float:
    """Σ |W ⊙ ∂W| over linear layers inside the mixing operations with at least 128 outputs."""
    chosen = (
        m for layer in _layers(net) for m in _linear(layer.mixing) if m.weight.shape[0] >= 128
    )
    return sum(float((w * g).abs().sum()) for w, g in _with_gradients(net, seen, chosen))


def activation_distance(net: FlexiBertModel, seen: Observation) -> float:
    """Mean over activation calls of Σ over pairs of tokens of the units that agree on x > 0.

    Tokens of the first document. This is the released "normalised" form: the released sum grows
    with the number of hooks left behind by earlier encoders (see docs/flexibert.md).
    """
    agreements = []
    for activation in seen.activations:
        on = (activation > 0).to(torch.float64)
        agreements.append(float((on @ on.T + (1 - on) @ (1 - on).T).sum()))
    return float(np.mean(agreements))


def jacobian_score(net: FlexiBertModel, seen: Observation) -> float:
    """−Σ (log(λ + k) + 1/(λ + k)), λ the spectrum of the correlations between features.

    The features are the columns of the gradient of the position embeddings, [positions, E], over
    the positions in use.
    """
    gradient = seen.gradients["embeddings.positions.weight"]
    used = gradient[gradient.abs().sum(1) > 0]
    correlations = np.corrcoef(used.double().numpy().T)
    spectrum = np.linalg.eigvalsh(correlations) + _JITTER
    # Rounding may leave an eigenvalue of zero a little below it.
    spectrum = np.maximum(spectrum, _JITTER / 2)
    return float(-np.sum(np.log(spectrum) + 1 / spectrum))


def head_confidence(net: FlexiBertModel, seen: Observation) -> float:
    """Σ over projections of the mean over documents and features of the maximum over tokens."""
    return sum(seen.heads)


def softmax_confidence(net: FlexiBertModel, seen: Observation) -> float:
    """Σ over mixing operations of the mean of the maximum over heads of their softmax."""
    return sum(seen.attention)


_TF_TAS = "Zhou et al., Training-free Transformer Architecture Search (arXiv 2203.12217)"
_SERIANNI = "Serianni and Kalita (arXiv 2306.00288)"

COMPARATORS = {
    comparator.name: comparator
    for comparator in (
        Comparator(
            "synaptic_diversity",
            "Synaptic Diversity",
            "Synaptic Diversity",
            _TF_TAS,
            synaptic_diversity,
        ),
        Comparator(
            "synaptic_saliency",
            "Synaptic Saliency",
            "Synaptic Saliency",
            "Tanaka et al. (arXiv 2006.05467)",
            synaptic_saliency,
        ),
        Comparator(
            "activation_distance",
            "Activation Distance",
            "Activation Distance Normalized",
            "Mellor et al. (arXiv 2006.04647)",
            activation_distance,
        ),
        Comparator("jacobian", "Jacobian Score", "Jacobian Score", _SERIANNI, jacobian_score),
        Comparator(
            "head_confidence", "Head Confidence", "Head Confidence", _SERIANNI, head_confidence
        ),
        Comparator(
            "softmax_confidence",
            "Head Softmax Confidence",
            "Head Softmax Confidence",
            _SERIANNI,
            softmax_confidence,
        ),
        Comparator(
            "head_importance", "Head Importance", "Head Importance", _SERIANNI, head_importance
        ),
        Comparator("dss", "DSS indicator", "", _TF_TAS, dss_indicator),
    )
}


def _parameters(net: FlexiBertModel, encoder: Encoder, length: int) -> float:
    return float(sum(p.numel() for p in net.parameters()))


def _flops(net: FlexiBertModel, encoder: Encoder, length: int) -> float:
    """Floating-point operations of products and convolutions for one document of ``length``."""
    if net.device.type != "meta":
        raise SwapError(f"FLOPs are counted on the meta device; got a network on {net.device}")
    with MultiplyAccumulates() as embedding, torch.no_grad():
        net.embed(torch.zeros(1, length, dtype=torch.long, device="meta"))
    config = net.config
    layers = (
        _layer_macs(layer, config.fidelity, config.hidden_size, length)
        for layer in config.encoder.layers
    )
    return 2.0 * (embedding.count + sum(layers))


@lru_cache(maxsize=1024)
def _layer_macs(layer: Layer, fidelity: str, hidden_size: int, length: int) -> int:
    """Multiply-accumulates of a layer, for one document: many encoders share a kind of layer."""
    net = hollow(FlexiBertConfig.from_encoder(Encoder(hidden_size, (layer,)), fidelity))
    stream = torch.empty(1, length, hidden_size, device="meta")
    with MultiplyAccumulates() as macs, torch.no_grad():
        net.layers[0].eval()(stream, None)
    return macs.count


TRIVIAL = {
    proxy.name: proxy
    for proxy in (
        TrivialProxy("params", "#params", _parameters),
        TrivialProxy("flops", "#FLOPs", _flops),
        TrivialProxy("depth", "number of layers", lambda net, encoder, length: len(encoder.layers)),
        TrivialProxy(
            "layers_hidden",
            "(layers, hidden)",
            # Lexicographic: no hidden size reaches the weight of one more layer.
            lambda net, encoder, length: len(encoder.layers) * 1e6 + encoder.hidden_size,
        ),
        TrivialProxy(
            "activation_calls",
            "activation calls",
            lambda net, encoder, length: encoder.activation_calls,
        ),
    )
}
