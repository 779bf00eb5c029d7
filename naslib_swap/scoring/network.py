"""Measuring one network by any number of proxies."""

from __future__ import annotations

import math
import traceback
from collections.abc import Iterable

from naslib_swap.errors import SwapError
from naslib_swap.predictors.passes.shared import SharedPasses
from naslib_swap.proxies import Measurement, Proxy, get
from naslib_swap.scoring.record import Score


def score_network(probe: SharedPasses, proxies: Iterable[str | Proxy]) -> dict[str, Score]:
    """Score a probe's network by each proxy, sharing the passes they have in common.

    A proxy that fails, or gives a number that is not finite, has its reason in ``error``; the
    others go on. Running out of memory is such a failure: nothing is tried again on fewer images.
    The network comes back as it was: weights, gradients, buffers, modes, hooks, generators.

    Parameters
    ----------
    probe
        The network and the minibatch.
    proxies
        Proxies, or their names.

    Returns
    -------
    dict
        A score for each name, in the order of ``proxies``.

    Raises
    ------
    BadArgument
        For a name that no proxy has, before anything is computed.
    OSError
        Where the machine is at fault, not the network: a full disk, say.
    """
    found = {p.name: p for p in (get(p) if isinstance(p, str) else p for p in proxies)}
    sharing = [proxy for proxy in found.values() if proxy.passes]
    # A loss pass whose gradients have a graph serves those who need none; not the other way.
    sharing.sort(key=lambda proxy: "loss_graph" not in proxy.passes)
    others = [proxy for proxy in found.values() if not proxy.passes]
    scores = {}
    try:
        for proxy in sharing:
            scores[proxy.name] = _score(probe, proxy)
        probe.release()  # frees the graph before proxies that build their own
        for proxy in others:
            scores[proxy.name] = _score(probe, proxy)
    finally:
        probe.release()
    return {name: scores[name] for name in found}


def _score(probe: SharedPasses, proxy: Proxy) -> Score:
    result, seconds = probe.measure(proxy.compute)
    if isinstance(result, Exception):
        return failure(result, seconds)
    try:
        measured = result if isinstance(result, Measurement) else Measurement(float(result))
        value, saturation = float(measured.value), measured.saturation
    except (TypeError, ValueError) as error:
        return failure(error, seconds)
    if not math.isfinite(value):
        return Score(None, seconds, f"not finite: {value}", saturation)
    return Score(value, seconds, None, saturation)


def failure(error: Exception, seconds: float = 0.0) -> Score:
    """Return a score without a value: a `SwapError`'s message; of others the kind and trace."""
    if isinstance(error, SwapError):
        return Score(None, seconds, str(error))
    trace = "".join(traceback.format_exception(type(error), error, error.__traceback__))
    return Score(None, seconds, f"{type(error).__name__}: {error}", None, trace)
