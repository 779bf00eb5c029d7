"""V: the number of intermediate values that SWAP-Score looks at."""

from __future__ import annotations

from naslib_swap.predictors import swap
from naslib_swap.predictors.passes.probe import Probe
from naslib_swap.proxies import Proxy


def compute(probe: Probe) -> float:
    """Return V, the number of post-activations of one sample, from the pass of `swap`.

    A trivial baseline: what SWAP knows beyond V is what it knows of the patterns themselves.
    """
    return swap.swap_of(probe).values


PROXY = Proxy(
    name="values",
    title="V",
    compute=compute,
    needs=frozenset({"data"}),
    reference="Peng et al. 2024, arXiv 2403.04161, definition 3.1",
    scale="post-activations per sample",
    reads=swap.PROXY.reads,
    by_default=False,
)
