"""Make optimisers of ours selectable by name in NASLib's search runners.

The runners hold their optimisers in a dictionary literal of classes that they have imported by
name, filled after the configuration is read. So, while the configuration is read, the class is put
into the runner's globals under the name of a stock optimiser whose slot it takes, and the
configuration says that slot; when the optimiser is made, the configuration gets its own name back.
"""

from __future__ import annotations

import logging
from collections.abc import Collection
from importlib import import_module
from types import FrameType
from typing import Any, Optional

logger = logging.getLogger("naslib.swap")

OPTIMISERS: dict[str, str] = {"swap_re": "naslib_swap.optimizers.naslib_swap_re:SwapRE"}
"""Name for `optimizer NAME` -> module:class of a NASLib MetaOptimizer that takes `config`."""

SLOTS: dict[str, tuple[str, str]] = {
    "nas": ("re", "RegularizedEvolution"),
    "bbo-bs": ("re", "RegularizedEvolution"),
    "nas_predictor": ("npenas", "Npenas"),
}
"""Configuration type of a runner -> the slot that is taken: its name, and the class in it."""

SMALLEST_POPULATION = 5
POPULATIONS = 5
"""The population that replaces a runner's default is the epochs divided by this."""


def settle(
    config: Any, config_type: str, caller: FrameType, given: Collection[str] = frozenset()
) -> None:
    """Make `config.optimizer` work in a runner.

    Nothing happens unless it names one of `OPTIMISERS` and the runner has the slot's class.

    Parameters
    ----------
    config
        The runner's configuration; its optimiser becomes the slot's name, and its population fits
        the epochs (see `fit_population`).
    config_type
        NASLib's name for the kind of configuration, a key of `SLOTS`.
    caller
        The frame of the runner: the class goes into its globals.
    given
        Dotted keys that the user set; what is not among them is a default of the runner.
    """
    name = config.get("optimizer")
    if name not in OPTIMISERS or config_type not in SLOTS:
        return
    slot, stock = SLOTS[config_type]
    if stock not in caller.f_globals:
        return
    kind = load(name)
    fitted = fit_population(config.search, given)

    def make(runner_config: Any, *args: Any, **options: Any) -> Any:
        if fitted:
            logger.info("%s: %s", name, fitted)
        own = runner_config.clone()
        own.optimizer = name
        optimiser = kind(own)
        before_training = optimiser.before_training

        def restore_and_train() -> Any:
            runner_config.optimizer = name
            return before_training()

        # The last call before training, and after every look at the slot's name.
        optimiser.before_training = restore_and_train
        return optimiser

    caller.f_globals[stock] = make
    config.optimizer = slot
    logger.info("optimizer %s takes the slot of %r in this runner", name, slot)


def fit_population(search: Any, given: Collection[str]) -> Optional[str]:
    """Fit a runner's default population to the epochs, so that most of them are cycles.

    An epoch is a member of the first population or a cycle. The runners' defaults (100 members in
    50 epochs, 30 in 10) would leave no cycle, which is a random search. The population becomes a
    fifth of the epochs, at least 5 and at most the default, and leaves one cycle where it can; the
    sample becomes half of that at most. What the user gave stays as it is.

    Parameters
    ----------
    search
        The node `search` of a configuration: `epochs`, `population_size`, `sample_size`.
    given
        Dotted keys that the user set.

    Returns
    -------
    What was done, in words; None where nothing was.
    """
    if "search.population_size" in given or not hasattr(search, "population_size"):
        return None
    epochs, default = int(search.epochs), int(search.population_size)
    population = max(SMALLEST_POPULATION, epochs // POPULATIONS)
    population = max(1, min(population, default, epochs - 1))
    if population == default:
        return None
    search.population_size = population
    if "search.sample_size" not in given:
        search.sample_size = min(int(search.sample_size), max(1, (population + 1) // 2))
    return (
        f"{epochs} epochs are a first population of {population} and {epochs - population} "
        f"cycles (samples of {search.sample_size}); the runner's default population is {default}; "
        "set another with --search.population_size"
    )


def load(name: str) -> Any:
    """Import the class of an optimiser of ours."""
    module, _, attribute = OPTIMISERS[name].partition(":")
    return getattr(import_module(module), attribute)
