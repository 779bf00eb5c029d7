"""Entropy of the spectrum of the Fisher information of a few weights: the core of VKDNW."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from naslib_swap.errors import BadArgument, Unscorable
from naslib_swap.predictors.passes.drawn_weights import drawn_weights, kaiming
from naslib_swap.predictors.passes.entry_gradients import entry_gradients
from naslib_swap.predictors.passes.isolation import isolated, scratch_buffers
from naslib_swap.predictors.passes.noise import noise
from naslib_swap.predictors.passes.probe import Probe
from naslib_swap.proxies import Proxy

SAMPLES = 64
TENSORS = 128
ENTRIES = 1
READS = frozenset({"vkdnw_samples", "vkdnw_tensors", "vkdnw_entries"})

QUANTILES = 9
_SMOOTHING = 0.05
_SMALL = 1e-10


def compute(probe: Probe) -> float:
    """Return -sum q log(q + 1e-10) over nine quantiles q of the Fisher information's spectrum.

    The quantiles .1, .2, ..., .9 of the singular values of `fisher_information`, over their sum.
    It is at most log 9.

    Raises
    ------
    Unscorable
        If the network gives no class scores; if one of the parameters looked at is of another layer
        than convolutions, linear and norm layers; if images mix (batch norm without running
        statistics), or a layer does not keep one row per image.

    Notes
    -----
    Settings: ``vkdnw_samples``, images of noise (64); ``vkdnw_tensors``, how many of the first
    parameter tensors are looked at (128); ``vkdnw_entries``, how many entries of each, evenly
    spaced from the first to the last (1: the first).
    """
    return spectral_entropy(torch.linalg.eigvalsh(fisher_information(probe)))


def fisher_information(probe: Probe) -> Tensor:
    """Return mean_n J_n^T S_n J_n, float64 [entries, entries]; computed once for all who ask.

    J_n is the Jacobian of image n's logits by the entries, S_n = diag(q) - q q^T the covariance of
    its class with the probabilities q = .95 softmax + .05 / C. Weights are He's by fan-in, images
    N(0, 1), in eval mode, batch norm on the statistics that it begins with (0 and 1).

    S_n = L L^T with L of C - 1 columns, so that C - 1 backward passes give L^T J_n: the formula
    of the paper. The authors' code multiplies L instead of L^T, which is another matrix,
    J^T L^T L J.
    """
    return probe.once("fisher_information", lambda: _fisher_information(probe))


def spectral_entropy(eigenvalues: Tensor) -> float:
    """Return the entropy of the quantiles .1 to .9 of eigenvalues [P], over their sum."""
    places = torch.arange(1, QUANTILES + 1, dtype=eigenvalues.dtype, device=eigenvalues.device) / 10
    quantiles = eigenvalues.clamp_min(0).quantile(places)
    shares = quantiles / (quantiles.sum() + _SMALL)
    return float(-(shares * (shares + _SMALL).log()).sum())


def factor(probabilities: Tensor) -> Tensor:
    """Return L with L L^T = diag(q) - q q^T: [S, C] -> [S, C, C - 1].

    The Cholesky factor in closed form (Tanabe and Sagae 1992); its last column would be 0.
    """
    q = probabilities
    rest = q.flip(1).cumsum(1).flip(1)  # q_k + q_{k+1} + ...
    here, after = rest[:, :-1], rest[:, 1:]
    lower = -q[:, :, None] * (q[:, :-1] / (here * after)).sqrt()[:, None, :]
    diagonal = torch.diag_embed((q[:, :-1] * after / here).sqrt())
    return lower.tril(-1) + nn.functional.pad(diagonal, (0, 0, 0, 1))


def _fisher_information(probe: Probe) -> Tensor:
    samples, tensors, entries = (
        _whole(probe, name, default)
        for name, default in (
            ("vkdnw_samples", SAMPLES),
            ("vkdnw_tensors", TENSORS),
            ("vkdnw_entries", ENTRIES),
        )
    )
    net = probe.net
    generator = torch.Generator().manual_seed(probe.seed)
    state = {name: parameter.detach() for name, parameter in net.named_parameters()}
    state.update(drawn_weights(net, generator, kaiming))
    state.update(scratch_buffers(net))
    state.update(_first_statistics(net))
    chosen = {
        name: _spaced(parameter.numel(), entries)
        for name, parameter in list(net.named_parameters())[:tensors]
    }
    images = noise(probe, samples, generator)
    if not images.is_floating_point():
        raise Unscorable(f"VKDNW needs floating-point inputs, not {images.dtype}")
    with isolated(net, probe.seed, training=False):
        found = entry_gradients(net, images, state, chosen, _directions, probe.num_classes)
    rows = found.flatten(0, 1).double()
    return rows.T @ rows / samples


def _directions(logits: Tensor) -> Tensor:
    softmax = logits.double().softmax(1)
    smoothed = (1 - _SMOOTHING) * softmax + _SMOOTHING / softmax.shape[1]
    return factor(smoothed).to(logits)


def _first_statistics(net: nn.Module) -> dict[str, Tensor]:
    """Return batch norm's running means 0 and variances 1, by name."""
    state = {}
    for prefix, module in net.named_modules():
        if not isinstance(module, _BatchNorm):
            continue
        if module.running_mean is None or module.running_var is None:
            raise Unscorable(
                "a batch norm has no running statistics, so that images mix in eval mode too; "
                "VKDNW needs track_running_stats=True"
            )
        start = f"{prefix}." if prefix else ""
        state[f"{start}running_mean"] = torch.zeros_like(module.running_mean)
        state[f"{start}running_var"] = torch.ones_like(module.running_var)
    return state


def _spaced(length: int, count: int) -> list[int]:
    """List `count` whole numbers from 0 to length - 1, evenly spaced; each once."""
    if count == 1:
        return [0]
    return sorted({math.floor(i * (length - 1) / (count - 1)) for i in range(count)})


def _whole(probe: Probe, name: str, default: int) -> int:
    value = probe.settings.get(name, default)
    if not isinstance(value, int) or value < 1:
        raise BadArgument(f"got {name} {value!r}, expected a whole number of at least 1.")
    return value


PROXY = Proxy(
    name="vkdnw_entropy",
    title="VKDNW's entropy",
    compute=compute,
    needs=frozenset({"gradients"}),
    reference="Tybl and Neumann 2025, arXiv 2502.04975",
    scale="nats",
    reads=READS,
    passes=frozenset({"fisher_information"}),
    by_default=False,
)
