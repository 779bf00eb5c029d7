"""SWAP-Score of an encoder, part by part and a few documents at a time.

Nothing in these encoders mixes documents, so the signs of a whole batch can be gathered from
chunks: the same count as :func:`naslib_swap.swap_score` (exactly so without dropout), in less
memory, and faster, since a chunk's activations stay in cache.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Optional

import numpy as np
import torch
from torch import Tensor

from naslib_swap.activations import Kind, recording
from naslib_swap.errors import BadArgument, Unscorable
from naslib_swap.flexibert.batches import TextBatch
from naslib_swap.flexibert.choices import MODES
from naslib_swap.flexibert.configuration import FlexiBertConfig
from naslib_swap.flexibert.modelling import EncoderLayer, FlexiBertModel
from naslib_swap.flexibert.weights import draw_part, hollow, weights_seed
from naslib_swap.patterns import PatternCounter
from naslib_swap.seeding import derived_seed, seeded

_CHUNK = 16


@dataclass(frozen=True)
class _Station:
    """What a part of an encoder made of a batch.

    Attributes
    ----------
    stream
        What it hands on, one tensor [documents, T, W] per chunk; none where nothing follows.
    patterns
        Those of its activations.
    """

    stream: list[Tensor]
    patterns: PatternCounter


class Trail:
    """What the parts of the last encoder made of their batch, for the next one to start from.

    An encoder that begins like the one before goes on where they part. Counts do not depend on it.
    """

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        """Forget everything."""
        self._batch: object = None
        self._parts: list[str] = []
        self.stations: list[_Station] = []

    def rewind(self, batch: object, parts: tuple[str, ...]) -> None:
        """Keep the stations which these parts have in common with the last encoder's."""
        if batch != self._batch:
            self.clear()
            self._batch = batch
        common = 0
        for mine, theirs in zip(self._parts, parts):
            last = common + 1 == len(parts)
            if mine != theirs or not (last or self.stations[common].stream):
                break
            common += 1
        del self._parts[common:], self.stations[common:]

    def add(self, part: str, station: _Station) -> None:
        """Go on by one part."""
        self._parts.append(part)
        self.stations.append(station)


def count_patterns(
    config: FlexiBertConfig,
    batch: TextBatch,
    *,
    seed: int = 0,
    mode: str = "train",
    trail: Optional[Trail] = None,
) -> PatternCounter:
    """Return a counter that has seen every activation of a batch, one row per document.

    Parameters
    ----------
    config
        The encoder.
    batch
        S documents of T tokens.
    seed
        Of weights and dropout, part by part (:func:`naslib_swap.flexibert.weights.draw`).
    mode
        ``"train"`` (with dropout) or ``"eval"``.
    trail
        Of the encoder before; what is on it is not computed again.

    Raises
    ------
    BadArgument
        An unknown mode.
    Unscorable
        An activation that holds NaN.
    """
    if mode not in MODES:
        raise BadArgument(f"got mode {mode!r}, expected one of {', '.join(MODES)}.")
    way = Trail() if trail is None else trail
    parts = config.parts()
    way.rewind((batch.digest, batch.input_ids.shape, seed, mode), parts)
    net = hollow(config).train(mode == "train")
    with torch.no_grad():
        for number in range(len(way.stations), len(parts)):
            drawn = weights_seed(config, number, seed)
            with seeded(drawn):
                draw_part(net, number)
            if number == 0:
                station = _embedded(net, batch, drawn)
            else:
                station = _through_layer(net, number, way.stations[-1].stream, batch, drawn)
            way.add(parts[number], station)
    counter = PatternCounter(len(batch.input_ids))
    for station in way.stations:
        counter.merge(station.patterns)
    return counter


@contextmanager
def _drawing(seed: int, rows: slice) -> Iterator[None]:
    """Seed dropout for a chunk.

    Each chunk has a seed of its own, since a layer draws less where no other follows it.
    """
    with seeded(derived_seed(seed, "dropout", str(rows.start))):
        yield


def _chunks(batch: TextBatch) -> Iterator[slice]:
    for start in range(0, len(batch.input_ids), _CHUNK):
        yield slice(start, start + _CHUNK)


def _embedded(net: FlexiBertModel, batch: TextBatch, seed: int) -> _Station:
    stream = []
    for rows in _chunks(batch):
        with _drawing(seed, rows):
            stream.append(net.embed(batch.input_ids[rows], batch.token_type_ids[rows]))
    return _Station(stream, PatternCounter(len(batch.input_ids)))


def _through_layer(
    net: FlexiBertModel, number: int, before: list[Tensor], batch: TextBatch, seed: int
) -> _Station:
    layer = net.layers[number - 1]
    assert isinstance(layer, EncoderLayer)
    # No activation depends on the last layer's last product, up to a sixth of the work.
    goes_on = number < len(net.layers)
    stream: list[Tensor] = []
    signs = _Signs(len(batch.input_ids), f"layer {number - 1}")
    with recording(layer, signs.take):
        for rows, x in zip(_chunks(batch), before):
            signs.start_chunk(rows.start)
            with _drawing(seed, rows):
                mixed = layer.mix(x, net.mask(batch.attention_mask[rows]))
                inner = layer.feed_forward(mixed)
                if goes_on:
                    stream.append(layer.feed_forward_output(inner, mixed))
    return _Station(stream, signs.patterns())


class _Signs:
    """The signs of each activation call of a layer, int8 [S, values], filled chunk by chunk."""

    def __init__(self, samples: int, layer: str) -> None:
        self._samples = samples
        self._layer = layer
        self._start = 0
        self._call = 0
        self._calls: list[tuple[Any, bool]] = []  # numpy arrays

    def start_chunk(self, start: int) -> None:
        self._start, self._call = start, 0

    def take(self, activation: Tensor, kind: Kind) -> bool:
        flat = activation.detach().flatten(1).numpy()
        if self._call == len(self._calls):
            signs = np.empty((self._samples, flat.shape[1]), dtype=np.int8)
            self._calls.append((signs, kind.signed))
        # NaN has no sign; as an integer it would pass for one.
        if np.isnan(flat.max()):
            raise Unscorable(
                f"activation call {self._call} of {self._layer} holds NaN, which has no sign; "
                "check the weights."
            )
        above, below = np.greater(flat, 0).view(np.int8), np.less(flat, 0).view(np.int8)
        rows = self._calls[self._call][0][self._start : self._start + len(flat)]
        np.subtract(above, below, out=rows)
        self._call += 1
        return True

    def patterns(self) -> PatternCounter:
        counter = PatternCounter(self._samples)
        for signs, signed in self._calls:
            counter.add(torch.from_numpy(signs), signed=signed)
        return counter
