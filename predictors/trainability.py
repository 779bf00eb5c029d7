"""Trainability of AZ-NAS: whether each block passes gradients on without stretching them."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from naslib_swap.errors import Unscorable
from naslib_swap.predictors.passes.probe import Probe
from naslib_swap.predictors.passes.stages import READS, rows_of, stages
from naslib_swap.proxies import Proxy

_SMALL = 1e-6


def compute(probe: Probe) -> float:
    """Return the mean over blocks of 2 - s - 1 / (s + 1e-6), largest where every s is 1.

    s is the largest singular value of the matrix [channels in, channels out] that leads from random
    signs at a block's output to their gradient at its input, averaged over samples and positions.
    Where the block lowers the resolution, the pixels that go into one become channels.

    Settings: those of `naslib_swap.predictors.passes.stages`.

    Raises
    ------
    Unscorable
        If a block passes its input on unchanged, where the score is -infinity by its definition; if
        one does not depend on the block before it, raises the resolution, or changes the number of
        tokens.
    """
    features = stages(probe)
    generator = torch.Generator().manual_seed(probe.seed)
    scores = [_of(before, after, generator) for before, after in zip(features, features[1:])]
    return sum(scores) / len(scores)


def _of(before: Tensor, after: Tensor, generator: torch.Generator) -> float:
    signs = (torch.randint(2, after.shape, generator=generator) * 2 - 1).to(after)
    gradient = None
    if after.requires_grad:
        (gradient,) = torch.autograd.grad(
            after, before, signs, retain_graph=True, allow_unused=True
        )
    if gradient is None:
        raise Unscorable("a block's output does not depend on the block before it")
    if gradient.shape == signs.shape and torch.equal(gradient, signs):
        raise Unscorable(
            "a block passes its input on unchanged, so that its trainability is -infinity; "
            "such a network counts as the worst"
        )
    return trainability(_folded(gradient, signs), signs)


def trainability(gradient: Tensor, signs: Tensor) -> float:
    """Return 2 - s - 1 / (s + 1e-6) for a block; see `compute`.

    Parameters
    ----------
    gradient, signs
        At the block's input and output, [S, channels, H, W] or [S, tokens, channels], the same but
        for the channels.
    """
    rows, out = rows_of(gradient), rows_of(signs)
    matrix = rows.T @ out / len(out)
    small = matrix @ matrix.T if len(matrix) <= matrix.shape[1] else matrix.T @ matrix
    largest = float(torch.linalg.eigvalsh(small)[-1].clamp_min(0).sqrt())
    return 2 - largest - 1 / (largest + _SMALL)


def _folded(gradient: Tensor, signs: Tensor) -> Tensor:
    """Turn pixels into channels where the output has fewer pixels than the input."""
    if gradient.ndim == 3 and gradient.shape[1] != signs.shape[1]:
        raise Unscorable(
            f"a block turns {gradient.shape[1]} into {signs.shape[1]} tokens; trainability is "
            "defined where a block keeps tokens"
        )
    if gradient.ndim != 4 or gradient.shape[2:] == signs.shape[2:]:
        return gradient
    (height, width), (below, beside) = gradient.shape[2:], signs.shape[2:]
    stride = -(-height // below)
    if (below, beside) != (-(-height // stride), -(-width // stride)):
        raise Unscorable(
            f"a block turns {height} x {width} into {below} x {beside} pixels; trainability is "
            "defined where a block keeps the resolution or divides it by a whole number"
        )
    padded = F.pad(gradient, (0, beside * stride - width, 0, below * stride - height))
    return F.pixel_unshuffle(padded, stride)


PROXY = Proxy(
    name="trainability",
    title="Trainability",
    compute=compute,
    needs=frozenset({"gradients"}),
    reference="Lee and Ham 2024, AZ-NAS, arXiv 2403.19232, section 3.2",
    scale="linear",
    reads=READS,
    passes=frozenset({"stages"}),
)
