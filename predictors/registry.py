"""The proxies by name."""

from __future__ import annotations

from importlib import import_module

from naslib_swap.errors import SwapError
from naslib_swap.predictors.proxy import Proxy

# Proxy name -> the module of this package that holds it as `PROXY`. Modules are imported on first
# use. This is the order of tables: baselines first, then by what the proxies look at.
_MODULES: dict[str, str] = {
    "swap": "swap",
    "reg_swap": "reg_swap",
    "params": "params",
    "flops": "flops",
    "depth": "depth",
    "reg_params": "reg_params",
    "reg_flops": "reg_flops",
    "l2_norm": "l2_norm",
    "nwot": "nwot",
    "linear_regions": "linear_regions",
    "ntk": "ntk",
    "jacov": "jacov",
    "epe_nas": "epe_nas",
    "grad_norm": "grad_norm",
    "snip": "snip",
    "plain": "plain",
    "fisher": "fisher",
    "grasp": "grasp",
    "synflow": "synflow",
    "zen": "zen",
    "zico": "zico",
}


def names() -> tuple[str, ...]:
    """The names of all proxies, in the order of tables."""
    return tuple(_MODULES)


def get(name: str) -> Proxy:
    """The proxy of that name.

    Raises:
        SwapError: If there is none.
    """
    if name not in _MODULES:
        raise SwapError(f"unknown proxy {name!r}; known proxies are {', '.join(_MODULES)}")
    proxy: Proxy = import_module(f"naslib_swap.predictors.{_MODULES[name]}").PROXY
    return proxy
