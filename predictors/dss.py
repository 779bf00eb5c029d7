"""DSS: synaptic diversity of attention plus synaptic saliency of all else, for transformers."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from naslib_swap.errors import Unscorable
from naslib_swap.predictors.passes.layers import weights
from naslib_swap.predictors.passes.ones import gradients_of_ones
from naslib_swap.predictors.passes.probe import Probe
from naslib_swap.proxies import Proxy

# What separate projections of queries, or all three at once, are called.
_PROJECTIONS = ("qkv", "query", "q_proj", "to_q", "to_qkv", "q_lin")
_HOLDERS = (nn.Linear, nn.MultiheadAttention)


def compute(probe: Probe) -> float:
    """Return the sum over weights of attention of ||W||_* ||G||_*, and over others of sum |W G|.

    G is the gradient of the sum of the outputs for one image of ones, weights by absolute value,
    in eval mode and float64; ||.||_* is the nuclear norm. Others are those of Conv2d (the patch
    embedding) and Linear layers, the head included.

    What belongs to attention: the matrices of `nn.MultiheadAttention`, and linear layers in modules
    whose class is called attention or that have a linear layer called qkv, query, q_proj or the
    like. A projection back counts as attention whatever its shape, while the authors' code takes
    only square ones. Each matrix counts as the network has it: one of queries, keys and values
    together is not taken apart.

    Raises
    ------
    Unscorable
        If the network has no attention, its inputs are tokens, or the gradients are 0.
    """
    attention = _matrices_of_attention(probe.net)
    if not attention:
        raise Unscorable(
            f"{type(probe.net).__name__} has no attention; DSS is defined for transformers: "
            "nn.MultiheadAttention, or modules called attention with linear layers"
        )
    inside = {id(weight) for weight in attention}
    others = [weight for weight in weights(probe.net) if id(weight) not in inside]
    pairs = gradients_of_ones(probe, [*attention, *others], train=False)
    diversity = sum(_nuclear(w) * _nuclear(g) for w, g in pairs[: len(attention)])
    saliency = sum(float((w * g).abs().sum()) for w, g in pairs[len(attention) :])
    if diversity + saliency == 0:
        raise Unscorable("all gradients are 0: no path of non-zero weights joins image and output")
    return diversity + saliency


def _matrices_of_attention(net: nn.Module) -> list[Tensor]:
    found = {
        id(parameter): parameter
        for module in net.modules()
        if _is_attention(module)
        for part in module.modules()
        for name, parameter in part.named_parameters(recurse=False)
        if name.endswith("weight") and parameter.ndim == 2 and isinstance(part, _HOLDERS)
    }
    return list(found.values())


def _is_attention(module: nn.Module) -> bool:
    named = "attention" in type(module).__name__.lower()
    return named or any(
        name in _PROJECTIONS and isinstance(child, nn.Linear)
        for name, child in module.named_children()
    )


def _nuclear(matrix: Tensor) -> float:
    return float(torch.linalg.svdvals(matrix).sum())


PROXY = Proxy(
    name="dss",
    title="DSS",
    compute=compute,
    needs=frozenset({"gradients"}),
    reference="Zhou et al. 2022, TF-TAS, arXiv 2203.12217",
    scale="linear",
    by_default=False,
)
