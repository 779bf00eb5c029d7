"""NCD: SWAP and NWOT of a network whose non-linearity is held down while it is scored.

Counts of activation patterns fall again as convolutions are added, so that among deep networks they
correlate negatively with accuracy. NCD masks most of each convolution's input and normalises each
sample by itself; then it scores as usual.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

from naslib_swap.activations import Kind, recording
from naslib_swap.errors import Unscorable
from naslib_swap.predictors.nwot import log_determinant
from naslib_swap.predictors.passes.forward import GATES
from naslib_swap.predictors.passes.isolation import isolated, run
from naslib_swap.predictors.passes.less_nonlinearity import LessNonlinearity
from naslib_swap.predictors.passes.probe import Probe
from naslib_swap.proxies import Measurement, Proxy
from naslib_swap.score import swap_score

ALPHA = 0.95


def ncd_swap(probe: Probe) -> Measurement:
    """Return the SWAP-Score under NCD; its mean over re-initialisations.

    Raises
    ------
    BadArgument
        If ``ncd_alpha`` is out of range.
    Unscorable
        If no convolution ran, or as `swap`.

    Notes
    -----
    Settings: ``ncd_alpha``, the share of each convolution's input that is masked (0.95), and
    ``repeats``. Masks are drawn for each call from the probe's seed, independently for every entry
    of the input, samples included, as dropout's; all output channels share them, and what is left
    is not scaled up (the normalisation would undo that). Batch norm becomes layer norm over
    channels and positions without weight and bias. That samples do not share a mask is a choice
    made here.
    """
    with _held_down(probe):
        swap = swap_score(
            probe.net,
            probe.images,
            repeats=int(probe.settings.get("repeats", 0)),
            seed=probe.seed,
        )
    return Measurement(swap.score, swap.saturation)


def ncd_nwot(probe: Probe) -> float:
    """Return NWOT under NCD; see `ncd_swap` for what is raised and the setting ``ncd_alpha``."""
    patterns: list[Tensor] = []

    def note(output: Tensor, kind: Kind) -> bool:
        if kind.name in GATES:
            patterns.append(output > 0)
        return kind.name in GATES

    net = probe.net
    with _held_down(probe), isolated(net, probe.seed), torch.no_grad(), recording(net, note):
        run(net, probe.images)
    return log_determinant(patterns, len(probe.images))


@contextmanager
def _held_down(probe: Probe) -> Iterator[None]:
    with LessNonlinearity(float(probe.settings.get("ncd_alpha", ALPHA))) as seen:
        yield
    if not seen.convolutions:
        raise Unscorable("no convolution ran; NCD masks the inputs of convolutions")


_REFERENCE = "Kang et al. 2025, Beyond the Limits: Overcoming Negative Correlation, ICCV 2025"

PROXY = (
    Proxy(
        name="ncd_swap",
        title="SWAP with NCD",
        compute=ncd_swap,
        needs=frozenset({"data"}),
        reference=_REFERENCE,
        scale="distinct patterns",
        reads=frozenset({"ncd_alpha", "repeats"}),
        size_weighable=True,
        by_default=False,
    ),
    Proxy(
        name="ncd_nwot",
        title="NWOT with NCD",
        compute=ncd_nwot,
        needs=frozenset({"data"}),
        reference=_REFERENCE,
        scale="natural logarithm",
        reads=frozenset({"ncd_alpha"}),
        size_weighable=True,
        by_default=False,
    ),
)
