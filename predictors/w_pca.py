"""W-PCA and V-PCA: principal components of what a transformer's feed-forward networks compute."""

from __future__ import annotations

from naslib_swap.errors import BadArgument
from naslib_swap.predictors.passes.feed_forward import SHARE, principal_components
from naslib_swap.predictors.passes.probe import Probe
from naslib_swap.proxies import Proxy


def v_pca(probe: Probe) -> float:
    """Return the sum over layers of the principal components that hold 99 % of the variance.

    A layer is the first linear one of a feed-forward network, before its activation; all tokens of
    all samples are rows, padding included. The share must exceed ``pca_share``.

    Raises
    ------
    BadArgument
        If ``pca_share`` is out of range.
    Unscorable
        If no feed-forward network of a transformer ran.

    Notes
    -----
    Settings: ``pca_share``, in (0, 1): 0.99, as the authors take for BERT; they take 0.9 for the
    blocks of MobileBERT. Eval mode is a choice made here: dropout would add components that no
    token made.
    """
    share = float(probe.settings.get("pca_share", SHARE))
    if not 0 < share < 1:
        raise BadArgument(
            f"got pca_share={share}, expected the share of the variance to be exceeded: above 0, "
            "below 1."
        )
    return float(sum(probe.once("components", lambda: principal_components(probe, share))))


def w_pca(probe: Probe) -> float:
    """Return V-PCA times the number of parameters in millions; see `v_pca`."""
    return v_pca(probe) * probe.parameters / 1e6


_REFERENCE = "Wang 2025, W-PCA, arXiv 2504.15983"

PROXY = (
    Proxy(
        name="v_pca",
        title="V-PCA",
        compute=v_pca,
        needs=frozenset({"data"}),
        reference=_REFERENCE,
        scale="components",
        reads=frozenset({"pca_share"}),
        size_weighable=True,
        by_default=False,
    ),
    Proxy(
        name="w_pca",
        title="W-PCA",
        compute=w_pca,
        needs=frozenset({"data"}),
        reference=_REFERENCE,
        scale="components times millions of parameters",
        reads=frozenset({"pca_share"}),
        by_default=False,
    ),
)
