"""Scores of architectures that a table lacks: looked up in this machine's store, or made and kept.

Proxies of ours are scored as every command scores them. What NASLib has a measure of its own for is
computed by NASLib, on NASLib's graph.
"""

from __future__ import annotations

import functools
import logging
import sys
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Optional

from naslib_swap.errors import Unscorable
from naslib_swap.plugin import failure, images, measures, settings
from naslib_swap.plugin.keys import canonical
from naslib_swap.plugin.settings import Settings

if TYPE_CHECKING:
    from naslib_swap.regularisation import Regularisation
    from naslib_swap.scoring import Architecture, Conditions, Recipe, Score
    from naslib_swap.scoring.store import Store

logger = logging.getLogger("naslib.swap")

FAILED = -1e8
"""NASLib's sign for an architecture that a proxy gives no score for."""

_TOGETHER = ("swap", "reg_swap")  # one pass gives both


@failure.loud
def reported(space: str, dataset: str, arch: str, name: str) -> Mapping[str, float]:
    """Do as `score`; where the architecture has no score, give NASLib's sign for that, and warn."""
    from naslib_swap import proxies

    try:
        return score(space, dataset, arch, name)
    except Unscorable as error:
        worst = FAILED if proxies.get(name).higher_is_better else -FAILED
        logger.warning("%s; it is reported as %g", error, worst)
        return {"score": worst, "time": 0.0}


def score(space: str, dataset: str, arch: str, name: str) -> Mapping[str, float]:
    """Score an architecture by a proxy of ours or by a measure of NASLib's.

    Parameters
    ----------
    space, dataset
        As NASLib calls them.
    arch
        The architecture in any notation that the space knows.
    name
        The proxy. Scores of regularised ones are logarithms: the same order, and no underflow.

    Returns
    -------
    dict
        ``score``, and ``time``: the seconds that it took when it was made.

    Raises
    ------
    Unscorable
        The proxy is not defined for this architecture.
    SwapError
        An unknown space, data set or architecture; images that cannot be loaded; a proxy that
        failed on the way.
    """
    if not measures.is_ours(name):
        return _score_by_naslib(space, dataset, arch, name)
    wanted = settings.current()
    subject = architecture(space, dataset, arch, wanted)
    found = _scores(subject, _TOGETHER if name in _TOGETHER else (name,), wanted)[name]
    _tell_regularisation(space, dataset, name, wanted)
    return {"score": measures.value_of(found, name, subject.name), "time": found.seconds}


def scores(space: str, dataset: str, arch: str, names: tuple[str, ...]) -> Mapping[str, Score]:
    """Score an architecture by several proxies of ours in one go.

    They share passes, and are ours also where NASLib has measures of these names: a combination
    ranks by what this package calls them. What fails has its reason in ``error``.

    Raises
    ------
    SwapError
        An unknown space, data set or architecture; images that cannot be loaded.
    """
    wanted = settings.current()
    return _scores(architecture(space, dataset, arch, wanted), names, wanted)


def architecture(space: str, dataset: str, arch: str, wanted: Settings) -> Architecture:
    """Return the subject that an architecture of NASLib's is."""
    from naslib_swap.scoring import Architecture

    return Architecture(space, dataset, canonical(arch) or arch, wanted.variant)


@functools.lru_cache(maxsize=16)
def conditions(space: str, dataset: str, names: tuple[str, ...], wanted: Settings) -> Conditions:
    """Return the conditions of all scores of a space and data set, and say them in the log.

    Raises
    ------
    SwapError
        An unknown space, data set or proxy; settings that cannot be; images that cannot be loaded.
    """
    from naslib_swap import proxies, spaces

    plan = replace(images.placed(wanted, dataset, _naslib_data()), space=space, task=dataset)
    plan.check()
    made = plan.conditions(names)
    if any("data" in proxies.get(name).needs for name in names):
        batch = made.inputs.batch(spaces.get(space).task(dataset), wanted.seed)
        logger.info(
            "scores use %d images %s: %s%s (digest %s)%s",
            len(batch.images),
            "x".join(map(str, batch.images.shape[1:])),
            batch.source,
            f" from {plan.inputs_path}" if plan.inputs_path else "",
            batch.digest,
            _advice(dataset) if plan.inputs == "natural" else "",
        )
    return made


def regularisation(space: str, dataset: str, wanted: Settings) -> Regularisation:
    """Return the mu and sigma of regularised scores: those given, or by the rule."""
    from naslib_swap.regularisation import Regularisation

    used = conditions(space, dataset, _TOGETHER, wanted).settings
    return Regularisation(used["mu"], used["sigma"])


def recipe(space: str, dataset: str, name: str) -> Recipe:
    """Return what all scores of a space and data set by a proxy, as `score`, are made with now."""
    if not measures.is_ours(name):
        return _recipe_of_naslib(_loader(space, dataset))
    return recipes(space, dataset, _TOGETHER if name in _TOGETHER else (name,))[name]


def recipes(space: str, dataset: str, names: tuple[str, ...]) -> Mapping[str, Recipe]:
    """Return what all scores of a space and data set, as `scores`, are made with now."""
    from naslib_swap import spaces
    from naslib_swap.scoring import Recipe

    wanted = settings.current()
    # It is the same for all architectures.
    subject = architecture(space, dataset, spaces.get(space).example, wanted)
    made = conditions(space, dataset, names, wanted)
    return {name: Recipe.of(subject, name, made, wanted.seed) for name in names}


@functools.cache
def _tell_regularisation(space: str, dataset: str, name: str, wanted: Settings) -> None:
    from naslib_swap import proxies

    if "mu" in proxies.get(name).reads:
        rule = regularisation(space, dataset, wanted)
        logger.info("%s: mu=%.6g, sigma=%.6g (thousands of parameters)", name, rule.mu, rule.sigma)


def _advice(dataset: str) -> str:
    if dataset not in images.FOLDERS:
        return ""
    return f"; --swap.inputs {images.DATASET} takes those of {dataset}"


def _scores(subject: Architecture, names: tuple[str, ...], wanted: Settings) -> Mapping[str, Score]:
    """Return the scores of an architecture by some proxies; those that the store lacks are made."""
    from naslib_swap import scoring
    from naslib_swap.scoring import Key, Recipe, Record, shipped

    made = conditions(subject.space, subject.task, names, wanted)
    store, seed = _store(wanted.keep), wanted.seed
    recipes = {name: Recipe.of(subject, name, made, seed) for name in names}
    keys = {
        name: Key(subject.space, subject.task, subject.name, name, seed, recipe.id)
        for name, recipe in recipes.items()
    }
    found: dict[str, Score] = {}
    if wanted.shipped:
        found = shipped.scores(subject, names, made, seed)
        for name in names:
            _tell_shipped(subject.space, subject.task, name, seed, recipes[name])
    stored = {name: store.get(key) for name, key in keys.items() if name not in found}
    found.update((name, score) for name, score in stored.items() if score is not None)
    lacking = [name for name in names if name not in found]
    if lacking:
        new = scoring.score(subject, lacking, made, seed=seed)
        # What failed is not kept: the next run may have the memory, or the repaired proxy.
        good = [name for name in lacking if new[name].value is not None]
        store.append(Record(keys[name], new[name], recipes[name]) for name in good)
        if "swap" in good:
            _look_at_bound(subject.space, new["swap"], made.inputs.samples)
        found.update(new)
    return found


@functools.cache
def _tell_shipped(space: str, dataset: str, name: str, seed: int, recipe: Recipe) -> None:
    # Cached: once for each recipe, not for each architecture.
    from naslib_swap.scoring import shipped

    table = shipped.load(space)
    if table is not None and table.column(dataset, seed, recipe) is not None:
        logger.info("scores of %s/%s by %s come with the package", space, dataset, name)
    elif why := shipped.why_not(space, dataset, name, seed, recipe):
        logger.info("%s", why)


def _look_at_bound(space: str, swap: Score, samples: int) -> None:
    # Where the bound is the number of values, more samples would not raise it.
    from naslib_swap.patterns import fills_samples

    if (swap.saturation or 0) > 0.95 and fills_samples(swap.value or 0, samples):
        _warn_of_bound(space, samples)


@functools.cache
def _warn_of_bound(space: str, samples: int) -> None:
    # Cached: once for each number of samples, not for each architecture.
    logger.warning(
        "%s: some networks reach over 95 %% of the highest score that %d samples can give, %d; "
        "more tell them apart better (--swap.samples %d)",
        space,
        samples,
        2**samples,
        2 * samples,
    )


def _naslib_data() -> Optional[Path]:
    package = sys.modules.get("naslib")
    file = getattr(package, "__file__", None)
    return Path(file).parent / "data" if file else None


@functools.cache
def _store(keep: bool) -> Store:
    # One for the process: it says only once that it cannot be used.
    from naslib_swap.scoring.cache import machine_store
    from naslib_swap.scoring.store import MemoryStore

    return machine_store(logger.warning) if keep else MemoryStore()


def _score_by_naslib(space: str, dataset: str, arch: str, name: str) -> dict[str, float]:
    """Compute one of NASLib's measures as NASLib's own live path does; stored like ours."""
    from naslib_swap.scoring import Key, Record, Score

    wanted = settings.current()
    loader = _loader(space, dataset)
    recipe = _recipe_of_naslib(loader)
    text = canonical(arch) or arch
    key = Key(space, dataset, text, name, wanted.seed, recipe.id)
    store = _store(wanted.keep)
    found = store.get(key)
    if found is None:
        start = time.perf_counter()
        value = _ask_naslib(space, dataset, text, name, loader.loader, wanted.seed)
        found = Score(value, time.perf_counter() - start)
        store.append([Record(key, found, recipe)])
    assert found.value is not None
    return {"score": found.value, "time": found.seconds}


def _recipe_of_naslib(loader: _Loader) -> Recipe:
    import torch

    from naslib_swap.scoring import Recipe

    return Recipe(
        digest=loader.digest,
        device="cuda" if torch.cuda.is_available() else "cpu",  # as NASLib chooses
        settings=(("by", "NASLib"),),
        source=loader.source,
    )


def _ask_naslib(space: str, dataset: str, arch: str, name: str, loader: Any, seed: int) -> float:
    import ast

    from naslib.predictors.zerocost import ZeroCost
    from naslib.search_spaces import get_search_space

    from naslib_swap.seeding import seeded

    with seeded(seed):
        graph = get_search_space(space, dataset)
        graph.set_spec(ast.literal_eval(arch))
        graph.parse()
        return float(ZeroCost(method_type=name).query(graph, dataloader=loader))


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
    if batch is None:
        return _Loader(loader, f"naslib:{dataset}", dataset)
    return _Loader(loader, batch.digest, batch.source)


class _Loader(NamedTuple):
    loader: Any
    digest: str
    source: str
