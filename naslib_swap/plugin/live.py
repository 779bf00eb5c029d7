"""Scores of architectures that a table lacks: from our own networks, or from NASLib's measures.

SWAP is scored on the space's native network (the same structure as NASLib's, built in milliseconds)
over the plugin's fixed minibatch; the score depends on space, dataset, architecture and settings
alone. A proxy of NASLib's that a table lacks is computed by NASLib, on NASLib's graph.
"""

from __future__ import annotations

import functools
import logging
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple, Optional

from naslib_swap.plugin import failure, images, settings
from naslib_swap.plugin.cache import ScoreCache
from naslib_swap.plugin.keys import canonical
from naslib_swap.plugin.tables import Scorer

logger = logging.getLogger("naslib.swap")

SCORING = 1
"""Part of every key on disk: raise it when the same settings come to give other scores."""

OURS = ("swap", "reg_swap")


def scorer(space: str, dataset: str) -> Scorer:
    """Return what scores the architectures of one space and dataset on demand."""

    @failure.loud
    def wanted(arch: str, name: str) -> Optional[Mapping[str, float]]:
        return score(space, dataset, arch, name)

    return wanted


def score(space: str, dataset: str, arch: str, name: str) -> Mapping[str, float]:
    """Score an architecture by a measure of ours or of NASLib's; SwapError where it cannot be."""
    if name in OURS:
        return score_architecture(space, dataset, arch, name)
    return _score_by_naslib(space, dataset, arch, name)


def score_architecture(space: str, dataset: str, arch: str, name: str) -> dict[str, float]:
    """Score `swap` or `reg_swap` of an architecture; `{"score": ..., "time": seconds}`.

    The score of `reg_swap` is the logarithm, log psi - (theta - mu)^2 / sigma: same order, and it
    does not underflow. `time` is what the score took when it was made. SwapError for an
    architecture, space or dataset that is unknown.
    """
    import math

    from naslib_swap import spaces
    from naslib_swap.regularisation import log_factor

    wanted = settings.current()
    kept = _psi(space, dataset, spaces.get(space).parse(canonical(arch) or arch), wanted)
    value = float(kept["psi"])
    if name == "reg_swap":
        rule = regularisation(space, dataset, wanted)
        value = math.log(value) + log_factor(kept["parameters"] / 1000, rule.mu, rule.sigma)
    return {"score": value, "time": float(kept["seconds"])}


def regularisation(space: str, dataset: str, wanted: settings.Settings) -> Any:
    """Return mu and sigma: those the user gives, else by the default rule from sampled networks."""
    from naslib_swap.regularisation import Regularisation

    if wanted.mu is not None and wanted.sigma is not None:
        return Regularisation(wanted.mu, wanted.sigma)
    return _sampled_regularisation(space, dataset, wanted.sizes, wanted.seed)


@functools.lru_cache(maxsize=16)
def _sampled_regularisation(space: str, dataset: str, sizes: int, seed: int) -> Any:
    from naslib_swap.scoring.study import regularisation_of

    rule = regularisation_of(space, dataset, count=sizes, seed=seed)
    logger.info(
        "reg_swap: mu=%.6g, sigma=%.6g (thousands of parameters; rule %r on %d sampled networks)",
        rule.mu,
        rule.sigma,
        rule.rule,
        sizes,
    )
    return rule


@functools.cache
def _psi(space: str, dataset: str, arch: Any, wanted: settings.Settings) -> dict[str, Any]:
    """Return psi, parameters and seconds of an architecture, from disk where they are there."""
    from naslib_swap import spaces

    found = spaces.get(space)
    batch = _minibatch(space, dataset, wanted)
    key = {
        "scoring": SCORING,
        "samples": wanted.samples_for(space),
        "repeats": wanted.repeats,
        "seed": wanted.seed,
        "images": batch.digest,
        **_device_key(),
    }
    cache = _cache() if wanted.keep else None
    encoded = found.encode(arch)
    kept = cache.get(space, dataset, encoded, key) if cache is not None else None
    if kept is None:
        kept = _score_network(space, dataset, arch, batch.images, wanted)
        if cache is not None:
            cache.put(space, dataset, encoded, key, kept)
    return kept


def _score_network(
    space: str, dataset: str, arch: Any, batch: Any, wanted: settings.Settings
) -> dict[str, Any]:
    from naslib_swap import spaces
    from naslib_swap.score import swap_score
    from naslib_swap.seeding import one_thread, seeded
    from naslib_swap.spaces.tasks import get_task

    task = get_task(space, dataset)
    start = time.perf_counter()
    # One thread: these networks are small, and threads that wait for one another on a machine that
    # is busy with something else take twenty times as long.
    with one_thread():
        with seeded(wanted.seed):
            network = spaces.get(space).build(
                arch,
                variant=task.variant,
                num_classes=task.num_classes,
                in_channels=task.in_channels,
            )
        scored = swap_score(
            network, batch, repeats=wanted.repeats, seed=wanted.seed, device=_device()
        )
    # Where the bound is the number of values, more samples would not raise it.
    if scored.near_bound and scored.bound < scored.values:
        _warn_of_bound(space, scored.bound, scored.samples)
    return {
        "psi": scored.score,
        "parameters": scored.parameters,
        "seconds": time.perf_counter() - start,
    }


def _device() -> str:
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"


def _device_key() -> dict[str, str]:
    """Part of a score's key on disk: sums differ by device, and with them the signs counted."""
    device = _device()
    return {} if device == "cpu" else {"device": device}


@functools.cache
def _warn_of_bound(space: str, bound: int, samples: int) -> None:
    # Cached: once for each bound, not for each architecture.
    logger.warning(
        "%s: some networks reach over 95 %% of the highest score that %d samples can give, %d; "
        "more tell them apart better (--swap.samples %d)",
        space,
        samples,
        bound,
        2 * samples,
    )


def images_digest(space: str, dataset: str, wanted: settings.Settings) -> str:
    """Return what identifies the images that architectures are scored on, by their content."""
    return str(_minibatch(space, dataset, wanted).digest)


def _minibatch(space: str, dataset: str, wanted: settings.Settings) -> Any:
    from naslib_swap.spaces.tasks import get_task

    task = get_task(space, dataset)
    return images.minibatch(
        dataset,
        wanted.shape_for(task.input_shape),
        task.num_classes,
        wanted.samples_for(space),
        wanted.seed,
        wanted.images,
        _naslib_data(),
    )


def _naslib_data() -> Optional[Path]:
    import sys

    package = sys.modules.get("naslib")
    file = getattr(package, "__file__", None)
    return Path(file).parent / "data" if file else None


@functools.lru_cache(maxsize=1)
def _cache() -> ScoreCache:
    from naslib_swap.ground_truth.catalogue import cache_folder

    return ScoreCache(cache_folder() / "naslib_scores.sqlite")


def _score_by_naslib(space: str, dataset: str, arch: str, name: str) -> dict[str, float]:
    """Compute one of NASLib's measures as NASLib's own live path does; kept on disk like ours."""
    import ast

    from naslib.predictors.zerocost import ZeroCost
    from naslib.search_spaces import get_search_space

    from naslib_swap.seeding import seeded

    wanted = settings.current()
    loader = _loader(space, dataset)
    key = {
        "scoring": SCORING,
        "by": "NASLib",
        "seed": wanted.seed,
        "images": loader.digest,
        **_device_key(),
    }
    text = canonical(arch) or arch
    cache = _cache() if wanted.keep else None
    kept = cache.get(space, dataset, text, {**key, "proxy": name}) if cache is not None else None
    if kept is None:
        start = time.perf_counter()
        with seeded(wanted.seed):
            graph = get_search_space(space, dataset)
            graph.set_spec(ast.literal_eval(text))
            graph.parse()
            value = ZeroCost(method_type=name).query(graph, dataloader=loader.loader)
        kept = {"score": float(value), "time": time.perf_counter() - start}
        if cache is not None:
            cache.put(space, dataset, text, {**key, "proxy": name}, kept)
    return kept


@functools.lru_cache(maxsize=4)
def _loader(space: str, dataset: str) -> _Loader:
    """Build NASLib's loader for its own measures, or the plugin's minibatch in its place."""
    import numpy as np
    from naslib.utils import get_project_root, get_train_val_loaders, load_default_config

    logger.info("the table of %s lacks this proxy: NASLib computes it on its own networks", space)
    config = load_default_config("zc")
    config.search_space, config.dataset = space, dataset
    config.data = f"{get_project_root()}/data"
    # NASLib did not ask for this loader: what the run draws from must not be reseeded by it.
    state = np.random.get_state()  # noqa: NPY002
    try:
        loader = get_train_val_loaders(config)[0]
    finally:
        np.random.set_state(state)  # noqa: NPY002
    batch = loader.stand_in
    return _Loader(loader, batch.digest if batch is not None else f"naslib:{dataset}")


class _Loader(NamedTuple):
    loader: Any
    digest: str
