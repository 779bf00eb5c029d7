"""An encoder and its documents, with the passes that proxies share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Optional

import torch

from naslib_swap.flexibert.batches import TextBatch
from naslib_swap.flexibert.chunked import Trail, count_patterns
from naslib_swap.flexibert.configuration import FlexiBertConfig
from naslib_swap.flexibert.modelling import FlexiBertModel
from naslib_swap.flexibert.observation import Observation, observe
from naslib_swap.flexibert.weights import draw, hollow, observation_seed
from naslib_swap.patterns import PatternCounter
from naslib_swap.predictors.passes.feed_forward import SHARE, counting
from naslib_swap.predictors.passes.shared import SharedPasses


class TextProbe(SharedPasses):
    """One encoder on one batch of documents, as proxies look at it.

    Parameters
    ----------
    config
        The encoder.
    batch
        S documents of T tokens.
    settings
        ``mode``: ``"train"`` (with dropout, the paper's choice) or ``"eval"``, for SWAP.
        ``cotangent``: see :func:`naslib_swap.flexibert.observation.observe`. ``observed``: how many
        of the documents the comparators see; their passes cost more than SWAP's.
    seed
        Of weights, dropout and cotangent.
    trail
        What SWAP goes on from, where the encoder departs from the one before it. Scores do not
        depend on it, but for their seconds.
    """

    def __init__(
        self,
        config: FlexiBertConfig,
        batch: TextBatch,
        *,
        settings: Optional[Mapping[str, Any]] = None,
        seed: int = 0,
        trail: Optional[Trail] = None,
    ) -> None:
        super().__init__(torch.device("cpu"))
        self.config = config
        self.batch = batch
        self.settings = {"mode": "train", "cotangent": "random", "observed": 32, **(settings or {})}
        self.seed = seed
        self.trail = trail

    def hollow(self) -> FlexiBertModel:
        """Return the network without weights, on the meta device, in eval mode."""
        return self.once("hollow", lambda: hollow(self.config).eval())

    def observation(self) -> Observation:
        """Draw the network, run it forward and backward over the first documents."""
        return self.once("observation", self._observe)

    def components(self) -> list[int]:
        """Count, for each layer, the principal components of its first feed-forward layer.

        Those that hold 99 % of the variance over all tokens of the first documents, in eval mode.
        """
        return self.once("components", self._components)

    def patterns(self) -> PatternCounter:
        """Count the activation patterns of the whole batch."""
        return self.once("patterns", self._count)

    def _observed(self) -> TextBatch:
        samples, length = self.batch.input_ids.shape
        return self.batch.cut(min(self.settings["observed"], samples), length)

    def _components(self) -> list[int]:
        net = draw(self.config, self.seed).eval()
        firsts = [layer.feed_forward.layers[0] for layer in net.layers]
        with torch.no_grad(), counting(firsts, SHARE) as counts:
            net(**self._observed().inputs())
        return counts

    def _observe(self) -> Observation:
        return observe(
            draw(self.config, self.seed),
            self._observed(),
            cotangent=self.settings["cotangent"],
            seed=observation_seed(self.config, self.seed),
        )

    def _count(self) -> PatternCounter:
        return count_patterns(
            self.config, self.batch, seed=self.seed, mode=self.settings["mode"], trail=self.trail
        )
