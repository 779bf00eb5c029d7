"""Zero-cost proxies: one a file, found through `registry`, computed through `score_network`."""

from __future__ import annotations

from naslib_swap.predictors.probe import Probe
from naslib_swap.predictors.proxy import Measurement, Proxy, ProxyScore
from naslib_swap.predictors.registry import get, names
from naslib_swap.predictors.scoring import score_network

__all__ = ["Measurement", "Probe", "Proxy", "ProxyScore", "get", "names", "score_network"]
