"""Scoring one network by any number of proxies."""

from __future__ import annotations

import math
from collections.abc import Iterable

from naslib_swap.predictors.probe import Probe
from naslib_swap.predictors.proxy import Measurement, Proxy, ProxyScore
from naslib_swap.predictors.registry import get

# Counted up when the value of a proxy changes for the same network and minibatch: stored scores of
# an older version are then scored anew, and searches of one are not resumed.
SCORES_VERSION = 2


def score_network(probe: Probe, names: Iterable[str]) -> dict[str, ProxyScore]:
    """Score `probe.net` by each of the named proxies, sharing the passes they have in common.

    A proxy that fails, or gives a number that is not finite, has its reason in `error`; the others
    go on. Running out of memory is such a failure: nothing is tried again on fewer images. The
    network comes back as it was: weights, gradients, buffers, modes, hooks, generators.

    Args:
        probe: The network and the minibatch.
        names: Names from `registry.names()`.

    Returns:
        A `ProxyScore` for each name, in the order of `names`.

    Raises:
        SwapError: For a name that no proxy has, before anything is computed.
    """
    proxies = {name: get(name) for name in names}
    sharing = [name for name, proxy in proxies.items() if proxy.passes]
    # A loss pass whose gradients have a graph serves those who need none; not the other way.
    sharing.sort(key=lambda name: "loss_graph" not in proxies[name].passes)
    others = [name for name, proxy in proxies.items() if not proxy.passes]
    scores = {}
    try:
        for name in sharing:
            scores[name] = _score(probe, proxies[name])
        probe.release()  # frees the graph before proxies that build their own
        for name in others:
            scores[name] = _score(probe, proxies[name])
    finally:
        probe.release()
    return {name: scores[name] for name in proxies}


def _score(probe: Probe, proxy: Proxy) -> ProxyScore:
    result, seconds = probe.measure(proxy.compute)
    if isinstance(result, Exception):
        return ProxyScore(None, seconds, f"{type(result).__name__}: {result}")
    measured = result if isinstance(result, Measurement) else Measurement(float(result))
    if not math.isfinite(measured.value):
        return ProxyScore(None, seconds, f"not finite: {measured.value}", measured.saturation)
    return ProxyScore(float(measured.value), seconds, None, measured.saturation)
