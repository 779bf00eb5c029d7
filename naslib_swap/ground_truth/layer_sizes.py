"""The sizes that records of vision transformers hold, beside which a proxy has to stand."""

from __future__ import annotations

from collections.abc import Iterable

from naslib_swap import spaces
from naslib_swap.spaces.autoformer import AutoFormer
from naslib_swap.spaces.pit import PitSpace

_WIDEST = 10_000


def layer_sizes(space: str, archs: Iterable[str]) -> dict[str, dict[str, float]]:
    """Return trivial scores of architectures of a space of vision transformers, by name.

    Parameters
    ----------
    space
        A space of AutoFormer's kind, or PiT.
    archs
        Architectures in the space's own notation.

    Returns
    -------
    dict
        ``width`` of the last layer; ``depth_then_width``, which ranks by the number of layers, and
        by that width where it is equal; and sums over layers: ``widths``, ``heads``, ``ffn_ratios``
        (of the feed-forward network's width to the layer's) and ``ffn_widths``.
    """
    found = spaces.get(space)
    assert isinstance(found, (AutoFormer, PitSpace))
    scores: dict[str, dict[str, float]] = {}
    for arch in archs:
        layers = found.layers(found.parse(arch))
        last = layers[-1][0]
        sizes = {
            "width": last,
            "depth_then_width": len(layers) + last / _WIDEST,
            "widths": sum(width for width, _, _ in layers),
            "heads": sum(heads for _, heads, _ in layers),
            "ffn_ratios": sum(hidden / width for width, _, hidden in layers),
            "ffn_widths": sum(hidden for _, _, hidden in layers),
        }
        for name, value in sizes.items():
            scores.setdefault(name, {})[arch] = float(value)
    return scores
