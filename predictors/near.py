"""NEAR: how many directions the values of each layer fill."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.conv import _ConvNd

from naslib_swap.activations import Kind, recording
from naslib_swap.errors import BadArgument, Unscorable
from naslib_swap.predictors.passes.drawn_weights import drawn_weights, kaiming
from naslib_swap.predictors.passes.isolation import isolated, run, scratch_buffers
from naslib_swap.predictors.passes.probe import Probe
from naslib_swap.predictors.passes.stages import rows_of
from naslib_swap.proxies import Proxy

REPEATS = 1

_WITH_WEIGHT = (_ConvNd, nn.Linear, _BatchNorm, nn.GroupNorm, nn.LayerNorm)


def compute(probe: Probe) -> float:
    """Return the effective ranks of all layers' values, summed; their mean over draws of weights.

    Values are the outputs of convolutions, linear and norm layers that have a weight
    (pre-activation) and of activations (post-activation), modules or functions. Rows are samples
    and positions, [S, channels, H, W], or samples and tokens, [S, tokens, features]; columns are
    channels or features. A layer's matrix has all its columns and as many random rows, so that it
    is square, of the first samples that have enough of them; all rows where there are too few. A
    layer whose values are all 0 or not finite counts 0.

    Raises
    ------
    Unscorable
        If no layer was seen.

    Notes
    -----
    Settings: ``near_repeats``, how often the weights are drawn (1; docs/proxies.md has how well
    seeds agree; the paper has 32).

    The paper draws the layers' parameters anew by their own default law; here they are He's by
    fan-in, biases 0, norm layers 1 and 0, in train mode. An effective rank does not depend on
    scale, so that the law makes no difference in front of batch normalisation. Parameters of other
    modules (embeddings, the projections of `nn.MultiheadAttention`) stay as they are.

    Rows of few samples, neighbours in an image, are what the paper's sampling gives; rows of all
    samples tell 3 x 3 convolutions from 1 x 1 less well (docs/proxies.md).
    """
    repeats = probe.settings.get("near_repeats", REPEATS)
    if not isinstance(repeats, int) or repeats < 1:
        raise BadArgument(f"got near_repeats {repeats!r}, expected a whole number of at least 1.")
    generator = torch.Generator().manual_seed(probe.seed)
    return sum(_of_one_draw(probe, generator) for _ in range(repeats)) / repeats


def effective_ranks(matrices: Tensor) -> Tensor:
    """Return exp(-sum p log p), p the singular values over their sum: [N, rows, columns] -> [N].

    The effective rank of Roy and Vetterli (2007); 0 for matrices of zeros, or not finite.
    """
    finite = matrices.isfinite().flatten(1).all(1)
    values = torch.linalg.svdvals(matrices.masked_fill(~finite[:, None, None], 0))
    total = values.sum(1, keepdim=True)
    shares = values / total.clamp_min(torch.finfo(values.dtype).tiny)
    ranks = torch.special.entr(shares).sum(1).exp()
    return ranks.masked_fill(total[:, 0] == 0, 0)


def _of_one_draw(probe: Probe, generator: torch.Generator) -> float:
    net = probe.net
    state = {**drawn_weights(net, generator, kaiming), **scratch_buffers(net)}
    blocks = _Blocks(generator)

    def note_layer(module: nn.Module, given: Any, output: Any) -> None:
        blocks.add(output)

    def note_activation(output: Tensor, kind: Kind) -> bool:
        return blocks.add(output)

    handles = []
    try:
        for module in net.modules():
            if isinstance(module, _WITH_WEIGHT) and module.weight is not None:
                handles.append(module.register_forward_hook(note_layer))
        with isolated(net, probe.seed), torch.no_grad(), recording(net, note_activation):
            run(net, probe.images, state, channels_last=True)
    finally:
        for handle in handles:
            handle.remove()
    if not blocks.by_shape:
        raise Unscorable(
            f"no layer of {type(net).__name__} gave [S, channels, ...] or [S, tokens, features]; "
            "NEAR looks at convolutions, linear and norm layers, and activations"
        )
    return sum(float(effective_ranks(torch.stack(m)).sum()) for m in blocks.by_shape.values())


class _Blocks:
    """Square blocks of layers' values, by shape; layers of one shape have the same random rows."""

    def __init__(self, generator: torch.Generator) -> None:
        self.by_shape: dict[torch.Size, list[Tensor]] = {}
        self._generator = generator
        self._chosen: dict[torch.Size, Tensor] = {}

    def add(self, output: Any) -> bool:
        if not isinstance(output, Tensor) or output.ndim < 2 or not output.is_floating_point():
            return False
        one = rows_of(output[:1].detach())
        enough = -(-one.shape[1] // max(len(one), 1))
        rows = rows_of(output[:enough].detach())
        if rows.shape not in self._chosen:
            order = torch.randperm(len(rows), generator=self._generator)
            self._chosen[rows.shape] = order[: rows.shape[1]].to(rows.device)
        block = rows[self._chosen[rows.shape]]
        self.by_shape.setdefault(block.shape, []).append(block)
        return True


PROXY = Proxy(
    name="near",
    title="NEAR",
    compute=compute,
    needs=frozenset({"data"}),
    reference="Husistein et al. 2025, arXiv 2408.08776, section 3",
    scale="effective ranks, summed over layers",
    reads=frozenset({"near_repeats"}),
    by_default=False,
)
