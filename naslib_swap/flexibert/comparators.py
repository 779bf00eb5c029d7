"""The proxies that encoders are scored by: SWAP, those of arXiv 2605.07378's Table I, others.

Each is a function of a `TextProbe`. Comparators are defined as in the scripts released with arXiv
2306.00288 (here: released), whose sums and means over documents they follow; "normalised" forms
there are the same divided by the number of terms.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import TYPE_CHECKING, Callable

import numpy as np
import torch
from torch import Tensor, nn

from naslib_swap.flexibert.configuration import FlexiBertConfig
from naslib_swap.flexibert.encoder import Encoder, Layer
from naslib_swap.flexibert.modelling import EncoderLayer
from naslib_swap.flexibert.observation import Observation
from naslib_swap.flexibert.weights import hollow
from naslib_swap.predictors.passes.multiply_accumulates import MultiplyAccumulates
from naslib_swap.proxies import Measurement, Proxy
from naslib_swap.score import count_parameters

if TYPE_CHECKING:
    from naslib_swap.flexibert.probe import TextProbe

_JITTER = 1e-5


def swap(probe: TextProbe) -> Measurement:
    """Return the number of distinct activation patterns over the batch, and its saturation."""
    counter = probe.patterns()
    count = counter.count()
    return Measurement(float(count), count / counter.bound)


def _layers(seen: Observation) -> Iterator[EncoderLayer]:
    for layer in seen.net.layers:
        assert isinstance(layer, EncoderLayer)
        yield layer


def _linear(*modules: object) -> Iterator[nn.Linear]:
    for module in modules:
        if isinstance(module, nn.Module):
            yield from (m for m in module.modules() if isinstance(m, nn.Linear))


def _with_gradients(
    seen: Observation, chosen: Iterable[nn.Linear]
) -> Iterator[tuple[Tensor, Tensor]]:
    names = {id(parameter): name for name, parameter in seen.net.named_parameters()}
    for linear in chosen:
        yield linear.weight.detach(), seen.gradients[names[id(linear.weight)]]


def synaptic_diversity(probe: TextProbe) -> float:
    """Σ over linear layers of the mixing blocks of ‖W‖_* · ‖∂W‖_* (nuclear norms)."""
    seen = probe.observation()
    chosen = (m for layer in _layers(seen) for m in _linear(layer.mixing, layer.mixing_output))
    return sum(
        float(torch.linalg.svdvals(w).sum() * torch.linalg.svdvals(g).sum())
        for w, g in _with_gradients(seen, chosen)
    )


def synaptic_saliency(probe: TextProbe) -> float:
    """Σ over linear layers of the feed-forward networks of Σ |W ⊙ ∂W|."""
    seen = probe.observation()
    chosen = (
        m for layer in _layers(seen) for m in _linear(layer.feed_forward, layer.feed_forward_output)
    )
    return sum(float((w * g).abs().sum()) for w, g in _with_gradients(seen, chosen))


def dss_indicator(probe: TextProbe) -> float:
    """Synaptic Diversity of the mixing blocks plus Synaptic Saliency of the feed-forward ones."""
    return synaptic_diversity(probe) + synaptic_saliency(probe)


def head_importance(probe: TextProbe) -> float:
    """Σ |W ⊙ ∂W| over linear layers inside the mixing operations with at least 128 outputs."""
    seen = probe.observation()
    chosen = (
        m for layer in _layers(seen) for m in _linear(layer.mixing) if m.weight.shape[0] >= 128
    )
    return sum(float((w * g).abs().sum()) for w, g in _with_gradients(seen, chosen))


def activation_distance(probe: TextProbe) -> float:
    """Mean over activation calls of Σ over pairs of tokens of the units that agree on x > 0.

    Tokens of the first document. This is the released "normalised" form: the released sum grows
    with the number of hooks left behind by earlier encoders (see docs/flexibert.md).
    """
    agreements = []
    for activation in probe.observation().activations:
        on = (activation > 0).to(torch.float64)
        agreements.append(float((on @ on.T + (1 - on) @ (1 - on).T).sum()))
    return float(np.mean(agreements))


def jacobian_score(probe: TextProbe) -> float:
    """−Σ (log(λ + k) + 1/(λ + k)), λ the spectrum of the correlations between features.

    The features are the columns of the gradient of the position embeddings, [positions, E], over
    the positions in use.
    """
    gradient = probe.observation().gradients["embeddings.positions.weight"]
    used = gradient[gradient.abs().sum(1) > 0]
    correlations = np.corrcoef(used.double().numpy().T)
    spectrum = np.linalg.eigvalsh(correlations) + _JITTER
    # Rounding may leave an eigenvalue of zero a little below it.
    spectrum = np.maximum(spectrum, _JITTER / 2)
    return float(-np.sum(np.log(spectrum) + 1 / spectrum))


def head_confidence(probe: TextProbe) -> float:
    """Σ over projections of the mean over documents and features of the maximum over tokens."""
    return sum(probe.observation().heads)


def softmax_confidence(probe: TextProbe) -> float:
    """Σ over mixing operations of the mean of the maximum over heads of their softmax."""
    return sum(probe.observation().attention)


def v_pca(probe: TextProbe) -> float:
    """Σ over layers of the principal components that hold 99 % of the first FFN layer's output."""
    return float(sum(probe.components()))


def w_pca(probe: TextProbe) -> float:
    """V-PCA times the number of parameters in millions."""
    return v_pca(probe) * params(probe) / 1e6


def params(probe: TextProbe) -> float:
    """Return the number of parameters: every one once, biases and norms included."""
    return float(count_parameters(probe.hollow()))


def flops(probe: TextProbe) -> float:
    """Return the floating-point operations of products and convolutions for one document.

    Two for each multiply-accumulate. Fourier transforms and what is done element by element are
    not counted.
    """
    config, length = probe.config, probe.batch.input_ids.shape[1]
    with MultiplyAccumulates() as embedding, torch.no_grad():
        probe.hollow().embed(torch.zeros(1, length, dtype=torch.long, device="meta"))
    layers = (
        _layer_macs(layer, config.fidelity, config.hidden_size, length)
        for layer in config.encoder.layers
    )
    return 2.0 * (embedding.count + sum(layers))


@lru_cache(maxsize=1024)
def _layer_macs(layer: Layer, fidelity: str, hidden_size: int, length: int) -> int:
    """Count a layer's multiply-accumulates for one document; many encoders share a layer."""
    net = hollow(FlexiBertConfig.from_encoder(Encoder(hidden_size, (layer,)), fidelity))
    stream = torch.empty(1, length, hidden_size, device="meta")
    with MultiplyAccumulates() as macs, torch.no_grad():
        net.layers[0].eval()(stream, None)
    return macs.count


def depth(probe: TextProbe) -> float:
    """Return the number of layers."""
    return float(len(probe.config.encoder.layers))


def layers_hidden(probe: TextProbe) -> float:
    """Return layers and hidden size as the benchmark states them, the layers first.

    Lexicographic: no hidden size reaches the weight of one more layer.
    """
    encoder = probe.config.encoder
    return len(encoder.layers) * 1e6 + encoder.hidden_size


def activation_calls(probe: TextProbe) -> float:
    """Return how often an activation function is called in one forward pass."""
    return float(probe.config.encoder.activation_calls)


_TF_TAS = "Zhou et al., Training-free Transformer Architecture Search (arXiv 2203.12217)"
_W_PCA = "Wang, W-PCA (arXiv 2504.15983)"
_SERIANNI = "Serianni and Kalita (arXiv 2306.00288)"


def _comparator(
    compute: Callable[[TextProbe], float],
    name: str,
    title: str,
    reference: str,
    *,
    gradients: bool = True,
    observed: str = "observation",
) -> Proxy:
    return Proxy(
        name,
        title,
        compute,
        needs=frozenset({"data", "gradients"} if gradients else {"data"}),
        reads=frozenset({"observed", "cotangent"} if gradients else {"observed"}),
        passes=frozenset({observed}),
        reference=reference,
    )


PROXIES: dict[str, Proxy] = {
    proxy.name: proxy
    for proxy in (
        Proxy(
            "swap",
            "SWAP",
            swap,
            needs=frozenset({"data"}),
            reads=frozenset({"mode"}),
            reference="arXiv 2605.07378",
        ),
        _comparator(synaptic_diversity, "synaptic_diversity", "Synaptic Diversity", _TF_TAS),
        _comparator(
            synaptic_saliency,
            "synaptic_saliency",
            "Synaptic Saliency",
            "Tanaka et al. (arXiv 2006.05467)",
        ),
        _comparator(
            activation_distance,
            "activation_distance",
            "Activation Distance",
            "Mellor et al. (arXiv 2006.04647)",
            gradients=False,
        ),
        _comparator(jacobian_score, "jacobian", "Jacobian Score", _SERIANNI),
        _comparator(
            head_confidence, "head_confidence", "Head Confidence", _SERIANNI, gradients=False
        ),
        _comparator(
            softmax_confidence,
            "softmax_confidence",
            "Head Softmax Confidence",
            _SERIANNI,
            gradients=False,
        ),
        _comparator(head_importance, "head_importance", "Head Importance", _SERIANNI),
        _comparator(dss_indicator, "dss", "DSS indicator", _TF_TAS),
        _comparator(v_pca, "v_pca", "V-PCA", _W_PCA, gradients=False, observed="components"),
        _comparator(w_pca, "w_pca", "W-PCA", _W_PCA, gradients=False, observed="components"),
        Proxy("params", "#params", params),
        Proxy("flops", "#FLOPs", flops),
        Proxy("depth", "number of layers", depth),
        Proxy("layers_hidden", "(layers, hidden)", layers_hidden),
        Proxy("activation_calls", "activation calls", activation_calls),
    )
}

STATED = frozenset({"layers_hidden"})
"""Those that look at the encoder as stated: equal networks may differ by them."""

RELEASED = {
    "params": "Number of Parameters",
    "synaptic_diversity": "Synaptic Diversity",
    "synaptic_saliency": "Synaptic Saliency",
    "activation_distance": "Activation Distance Normalized",
    "jacobian": "Jacobian Score",
    "head_confidence": "Head Confidence",
    "softmax_confidence": "Head Softmax Confidence",
    "head_importance": "Head Importance",
}
"""Columns of the released file, by proxy."""
