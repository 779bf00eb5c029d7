"""L-SWAG: how little gradients vary, layer by layer, times the activation patterns."""

from __future__ import annotations

import math
from typing import Any, Callable

from torch import Tensor, nn

from naslib_swap.errors import BadArgument, Unscorable
from naslib_swap.predictors.passes.image_gradients import for_each_layer
from naslib_swap.predictors.passes.layers import WeightedLayer, weighted_layers
from naslib_swap.predictors.passes.minibatch_gradients import READS, minibatch_gradients
from naslib_swap.predictors.passes.objective import loss_of
from naslib_swap.predictors.passes.probe import Probe
from naslib_swap.predictors.swap import swap_of
from naslib_swap.proxies import Measurement, Proxy

BINS = 10
WHOLE = (0.0, 1.0)
VARIANCES = ("samples", "batches")


def compute(probe: Probe) -> Measurement:
    """Return Lambda * Psi: the steadiness of the gradients times the SWAP-Score.

    Lambda is the sum over Conv2d and Linear layers in an interval of depth of
    log sum_w 1 / std_i |dL(x_i, y_i) / dw|; Psi is the number of distinct patterns of the whole
    network, with its saturation.

    Where Lambda is negative, the product turns round: more patterns make it lower. The paper does
    not say what then. It takes layers of few weights whose gradients vary by more than 1, which
    untrained networks of the spaces here do not have.

    Raises
    ------
    BadArgument
        For an unknown variance or an interval that is none.
    Unscorable
        If no gradient in the interval varies.

    Notes
    -----
    Settings, with what was chosen where the paper leaves it open:

    - ``l_swag_interval``: two fractions of the depth, in tenths. Layer l of D (from 0, in the order
      of `net.modules()`) lies in bin floor(10 l / D) of ten. Without it: the whole network. Search
      spaces bring their own (`SearchSpace.gradient_interval`), found without labels or accuracies
      by benchmarks/gradient_interval.py.
    - ``l_swag_variance``: ``"samples"``, over single images, as the paper's equations 2 to 4 argue;
      batch norm's statistics then count as constants, so that one backward pass gives the gradients
      of all images. ``"batches"``: over minibatches, as ZiCo, cut by ``zico_batches``.
    - Those of swap and of the loss.

    The variance is the population's. Weights whose gradient does not vary are left out, as are
    layers that the loss does not reach. Psi goes over all layers.
    """
    return probe.once("l_swag", lambda: _computed(probe))


def _computed(probe: Probe) -> Measurement:
    swap = swap_of(probe)
    layers = layer_values(probe, _steadiness, probe.settings.get("l_swag_interval", WHOLE))
    logs = [math.log(value) for _, value in layers if value > 0]
    if not logs:
        raise Unscorable(
            "no gradient varies in the layers of l_swag_interval; expected two different images or "
            "more, a loss that reaches these layers, and an interval that holds some"
        )
    return Measurement(sum(logs) * swap.score, swap.saturation)


def layer_values(
    probe: Probe, look: Callable[[Tensor], float], interval: Any = WHOLE
) -> list[tuple[int, float]]:
    """Return (bin of depth, what `look` returns) of each layer in the interval.

    `look` gets the standard deviation of |dL/dw| of each weight, a float tensor. Settings:
    ``l_swag_variance`` and those of the loss.
    """
    how = probe.settings.get("l_swag_variance", VARIANCES[0])
    if how not in VARIANCES:
        raise BadArgument(f"got l_swag_variance {how!r}, expected one of {', '.join(VARIANCES)}.")
    bins = layers_within(probe.net, interval)

    def seen(gradients: Tensor) -> float:
        return look(_deviation(gradients))

    found: dict[WeightedLayer, float] = {}
    if how == "batches":
        layers = weighted_layers(probe.net)
        for layer, gradients in zip(layers, minibatch_gradients(probe, "L-SWAG")):
            if gradients is not None and layer in bins:
                found[layer] = seen(gradients)
    elif bins:
        samples = len(probe.images)
        by_image: dict[Any, float] = for_each_layer(
            probe,
            list(bins),
            lambda output: loss_of(probe, output) * samples,
            seen,
            otherwise="set l_swag_variance to 'batches'",
        )
        found = by_image
    return [(place, found[layer]) for layer, place in bins.items() if layer in found]


def layers_within(net: nn.Module, interval: Any = WHOLE) -> dict[WeightedLayer, int]:
    """Return the Conv2d and Linear layers in the interval, and the bin of depth of each."""
    first, last = _bins(interval)
    layers = weighted_layers(net)
    bins = {layer: BINS * index // len(layers) for index, layer in enumerate(layers)}
    return {layer: place for layer, place in bins.items() if first <= place < last}


def _bins(interval: Any) -> tuple[int, int]:
    try:
        first, last = (float(end) for end in interval)
    except (TypeError, ValueError):
        first, last = 0.0, 0.0
    if not 0 <= first < last <= 1:
        raise BadArgument(
            f"got l_swag_interval {interval!r}, expected two fractions of the depth in tenths, the "
            "first below the second, such as (0.2, 0.5)."
        )
    return round(BINS * first), round(BINS * last)


def _deviation(gradients: Tensor) -> Tensor:
    """Return the standard deviation of |g| of each weight: [samples, ...] -> [weights]."""
    sizes = gradients.flatten(1).abs_()  # in place, as what follows: they are large
    # Much faster than `std` over so short a dimension.
    return sizes.sub_(sizes.mean(0)).square_().mean(0).sqrt_()


def _steadiness(deviations: Tensor) -> float:
    inverse = deviations.reciprocal()
    return float(inverse.masked_fill_(deviations == 0, 0).sum())


PROXY = Proxy(
    name="l_swag",
    title="L-SWAG",
    compute=compute,
    needs=frozenset({"data", "labels", "gradients"}),
    reference="Casarin et al. 2025, arXiv 2505.07300, equation 1",
    scale="natural logarithm times distinct patterns",
    reads=READS | {"repeats", "batch_repeats", "l_swag_interval", "l_swag_variance"},
)
