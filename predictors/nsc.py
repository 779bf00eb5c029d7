"""NSC: how much information random weights of a network's shapes can carry."""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import lru_cache
from typing import Any, Union

from torch import nn
from torch.nn.modules.conv import _ConvNd

from naslib_swap.errors import BadArgument, Unscorable
from naslib_swap.predictors.passes.probe import Probe
from naslib_swap.proxies import Proxy

LAW = "xavier"

# Projections that heads share, by name: how many in one layer.
_PROJECTIONS = dict.fromkeys(("query", "key", "value", "q_proj", "k_proj", "v_proj"), 1)
_PROJECTIONS["qkv"] = 3
_HEADS = ("num_attention_heads", "num_heads", "n_heads")


def compute(probe: Probe) -> float:
    """Return the sum over linear maps of E log det(I + W W^T), W random of the map's shape.

    Maps are convolutions (as the matrix of their kernels, [out, in * height * width], one for each
    group), linear layers, and the projections of attention to queries, keys and values, one map for
    each head, [width of a head, in]. Embeddings, norm layers, biases and the classifier are left
    out. Neither data nor values of weights matter.

    Raises
    ------
    Unscorable
        If the network has no such map.

    Notes
    -----
    Settings: ``nsc_law``, the standard deviation of weights: ``"xavier"``, sqrt(2 / (m + n)) for m
    outputs and n inputs (default), ``"kaiming"``, sqrt(2 / n), or a number (the paper has .02 too).

    The classifier is the last linear layer in the order of modules, unless it has another number of
    outputs than the probe has classes. Heads are known for `nn.MultiheadAttention`, and for modules
    that have a number of heads and linear layers named query, key, value, q_proj, k_proj, v_proj or
    qkv, as those of HuggingFace and timm; other layers of attention count as they are.
    """
    law = probe.settings.get("nsc_law", LAW)
    outline = probe.outline
    shapes = list(_maps(outline, probe.num_classes))
    if not shapes:
        raise Unscorable(
            f"{type(outline).__name__} has no convolution or linear layer beside its classifier; "
            "NSC looks at their shapes"
        )
    return sum(capacity(m, n, law) for m, n in shapes)


@lru_cache(maxsize=4096)
def capacity(m: int, n: int, law: Union[str, float] = LAW) -> float:
    """Return E log det(I + W W^T) for a random m x n matrix, by the law of Marchenko and Pastur.

    With p the smaller and q the larger of m and n, and s the standard deviation of W, it is
    p E log(1 + q s^2 x), x of the law with ratio p / q; here in closed form (Verdu and Shamai 1999,
    equation 9).

    Raises
    ------
    BadArgument
        For an unknown law.

    Examples
    --------
    >>> round(capacity(64, 64), 3)
    37.149
    """
    p, q = sorted((m, n))
    ratio, gain = p / q, q * _variance(m, n, law)
    root = math.sqrt(ratio)
    high, low = (math.sqrt(gain * (1 + sign * root) ** 2 + 1) for sign in (1, -1))
    quarter = (high - low) ** 2 / 4
    mean = (
        math.log1p(gain - quarter)
        + math.log1p(gain * ratio - quarter) / ratio
        - quarter / (ratio * gain)
    )
    return p * mean


def _variance(m: int, n: int, law: Union[str, float]) -> float:
    if law == "xavier":
        return 2 / (m + n)
    if law == "kaiming":
        return 2 / n
    if isinstance(law, (int, float)) and 0 < law < math.inf:
        return float(law) ** 2
    raise BadArgument(
        f"got nsc_law {law!r}, expected xavier, kaiming or a positive number (the standard "
        "deviation of weights)."
    )


def _maps(net: nn.Module, num_classes: int | None) -> Iterator[tuple[int, int]]:
    """Yield the shape (outputs, inputs) of every map."""
    classifier = _classifier(net, num_classes)
    heads = _heads(net)
    for module in net.modules():
        if isinstance(module, nn.MultiheadAttention):
            for inputs in (module.embed_dim, module.kdim, module.vdim):
                yield from [(module.head_dim, inputs)] * module.num_heads
        elif isinstance(module, _ConvNd):
            # Of a transposed convolution, the map from an output's side: in by out.
            outputs = module.in_channels if module.transposed else module.out_channels
            within = module.weight[0].numel()
            yield from [(outputs // module.groups, within)] * module.groups
        elif isinstance(module, nn.Linear) and module is not classifier:
            count = heads.get(module, 1)
            yield from [(module.out_features // count, module.in_features)] * count


def _classifier(net: nn.Module, num_classes: int | None) -> nn.Module | None:
    linear = [module for module in net.modules() if isinstance(module, nn.Linear)]
    if not linear or num_classes not in (None, linear[-1].out_features):
        return None
    return linear[-1]


def _heads(net: nn.Module) -> dict[nn.Module, int]:
    """Map linear layers that the heads of attention share to the number of maps in them."""
    found: dict[nn.Module, int] = {}
    for module in net.modules():
        counts: list[Any] = [vars(module).get(name) for name in _HEADS]
        count = next((c for c in counts if isinstance(c, int) and c > 0), None)
        for name, child in module.named_children():
            if not isinstance(child, nn.Linear) or name not in _PROJECTIONS or not count:
                continue
            if child.out_features % (count * _PROJECTIONS[name]) == 0:
                found[child] = count * _PROJECTIONS[name]
    return found


PROXY = Proxy(
    name="nsc",
    title="NSC",
    compute=compute,
    reference="arXiv 2609.23087 (Neural Spectral Capacity)",
    scale="nats",
    reads=frozenset({"nsc_law"}),
)
