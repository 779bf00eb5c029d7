"""Make optimisers of ours selectable by name in NASLib's search runners.

The runners hold their optimisers in a dictionary literal of classes that they have imported by
name, filled after the configuration is read. So, while the configuration is read, the class is put
into the runner's globals under the name of a stock optimiser whose slot it takes, and the
configuration says that slot; when the optimiser is made, the configuration gets its own name back.
"""

from __future__ import annotations

import logging
from importlib import import_module
from types import FrameType
from typing import Any

logger = logging.getLogger("naslib.swap")

OPTIMISERS: dict[str, str] = {"swap_re": "naslib_swap.optimizers.naslib_swap_re:SwapRE"}
"""Name for `optimizer NAME` -> module:class of a NASLib MetaOptimizer that takes `config`."""

SLOTS: dict[str, tuple[str, str]] = {
    "nas": ("re", "RegularizedEvolution"),
    "bbo-bs": ("re", "RegularizedEvolution"),
    "nas_predictor": ("npenas", "Npenas"),
}
"""Configuration type of a runner -> the slot that is taken: its name, and the class in it."""


def settle(config: Any, config_type: str, caller: FrameType) -> None:
    """Make `config.optimizer` work in the runner whose frame is `caller`.

    Nothing happens unless it names one of `OPTIMISERS` and the runner has the slot's class.
    """
    name = config.get("optimizer")
    if name not in OPTIMISERS or config_type not in SLOTS:
        return
    slot, stock = SLOTS[config_type]
    if stock not in caller.f_globals:
        return
    kind = load(name)

    def make(runner_config: Any, *args: Any, **options: Any) -> Any:
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


def load(name: str) -> Any:
    """Import the class of an optimiser of ours."""
    module, _, attribute = OPTIMISERS[name].partition(":")
    return getattr(import_module(module), attribute)
