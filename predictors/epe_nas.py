"""EPE-NAS: Jacov, class by class."""

from __future__ import annotations

import numpy as np

from naslib_swap.errors import Unscorable
from naslib_swap.predictors.passes.probe import Probe
from naslib_swap.proxies import Proxy

EPSILON = 1e-5
# Up to this many outputs classes add up; above, they are compared with one another.
FEW_CLASSES = 100


def compute(probe: Probe) -> float:
    """Return sum_c |E_c| up to 100 classes; above, the mean over c of sum_d |E_c - E_d|.

    E_c = sum over the entries of class c's correlation matrix of log(|entry| + 1e-5), divided by
    the number of images of the class above 100 classes. Rows of the correlation matrix are the
    Jacobian's rows of the images with that label. A class with one image adds log(1 + 1e-5), and
    above 100 classes is left out.

    Raises
    ------
    Unscorable
        If the network's output is not [S, classes].
    """
    output = probe.forward().output
    if output.ndim != 2:
        raise Unscorable(
            f"EPE-NAS is defined for class scores [S, classes], not for outputs of shape "
            f"{tuple(output.shape)}"
        )
    jacobian = probe.jacobian().cpu().numpy()
    labels = probe.labels.cpu().numpy()
    many = output.shape[1] > FEW_CLASSES
    scores = []
    for label in np.unique(labels):
        rows = jacobian[labels == label]
        if many and len(rows) == 1:
            continue
        total = np.log(np.abs(np.atleast_2d(np.corrcoef(rows))) + EPSILON).sum()
        scores.append(total / len(rows) if many else total)
    values = np.array(scores)
    if many:
        return float(np.abs(values[:, None] - values).sum() / max(len(values), 1))
    return float(np.abs(values).sum())


PROXY = Proxy(
    name="epe_nas",
    title="EPE-NAS",
    compute=compute,
    needs=frozenset({"data", "labels", "gradients"}),
    reference="Lopes et al. 2021, arXiv 2102.08099",
    scale="linear",
    passes=frozenset({"forward", "jacobian"}),
)
