"""SWAP-Score: the number of distinct sample-wise activation patterns."""

from __future__ import annotations

from naslib_swap.predictors.passes.probe import Probe
from naslib_swap.proxies import Measurement, Proxy
from naslib_swap.score import SwapScore, swap_score


def swap_of(probe: Probe) -> SwapScore:
    """Return the SWAP-Score of the probe's network, computed once for all proxies that use it.

    Settings: `repeats` (0: weights as they are) and `batch_repeats` (repeats computed at once).
    """
    return probe.once(
        "swap",
        lambda: swap_score(
            probe.net,
            probe.images,
            repeats=int(probe.settings.get("repeats", 0)),
            batch_repeats=int(probe.settings.get("batch_repeats", 1)),
            seed=probe.seed,
        ),
    )


def compute(probe: Probe) -> Measurement:
    """Return Psi, the number of distinct sample-wise patterns; its mean over re-initialisations."""
    swap = swap_of(probe)
    return Measurement(swap.score, swap.saturation)


PROXY = Proxy(
    name="swap",
    title="SWAP",
    compute=compute,
    needs=frozenset({"data"}),
    reference="Peng et al. 2024, arXiv 2403.04161, definition 3.2",
    scale="distinct patterns",
    reads=frozenset({"repeats", "batch_repeats"}),
    size_weighable=True,
)
