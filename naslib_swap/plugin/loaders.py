"""NASLib's image loaders, built when something iterates them.

Every zero-cost runner builds CIFAR-10 loaders, and a run from tables never reads them. So
`get_train_val_loaders` returns at once. When a NASLib measure asks for images, NASLib builds the
loaders; if it cannot (no files, no torchvision), a data set with a fixed image size gets the
plugin's own minibatch instead, and the log says so.
"""

from __future__ import annotations

import functools
import logging
from collections.abc import Iterator
from types import ModuleType
from typing import Any, Callable, NamedTuple, Optional

from naslib_swap.plugin import failure

logger = logging.getLogger("naslib.swap")


class Loaders(NamedTuple):
    """What `get_train_val_loaders` returns, and the minibatch that stands in for it, if any."""

    five: tuple[Any, ...]
    stand_in: Any


class LazyLoaders:
    """The five things that `get_train_val_loaders` returns, built together on first use."""

    def __init__(self, build: Callable[[], Loaders], config: Any) -> None:
        self._build = build
        self._built: Optional[Loaders] = None
        self.config = config

    def get(self) -> Loaders:
        """Build them, once."""
        if self._built is None:
            self._built = self._build()
        return self._built


class Lazy:
    """One of the five."""

    def __init__(self, loaders: LazyLoaders, index: int) -> None:
        self._loaders = loaders
        self._index = index

    @property
    def config(self) -> Any:
        """The configuration that the loader was asked for with."""
        return self._loaders.config

    @property
    def stand_in(self) -> Any:
        """The plugin's minibatch where NASLib has no images, else None; builds the loaders."""
        return self._loaders.get().stand_in

    def _it(self) -> Any:
        return self._loaders.get().five[self._index]

    def __iter__(self) -> Iterator[Any]:
        return iter(self._it())

    def __len__(self) -> int:
        return len(self._it())

    def __call__(self, *args: Any) -> Any:
        """Apply a transform."""
        return self._it()(*args)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return getattr(self._it(), name)

    def __deepcopy__(self, memo: Any) -> Lazy:
        # NASLib copies the loader, images included, for every query; nothing of ours changes.
        return self


def patch(module: ModuleType) -> None:
    """Wrap `naslib.utils.dataset.get_train_val_loaders`."""
    original = module.get_train_val_loaders  # type: ignore[attr-defined]

    @functools.wraps(original)
    def get_train_val_loaders(config: Any, mode: str = "train") -> tuple[Any, ...]:
        import numpy as np

        # NASLib reseeds numpy while it builds the loaders; runs depend on it.
        np.random.seed(config.search.seed)  # noqa: NPY002
        build = functools.partial(_built, original, config, mode)
        loaders = LazyLoaders(build, config)
        return tuple(Lazy(loaders, index) for index in range(5))

    module.get_train_val_loaders = get_train_val_loaders  # type: ignore[attr-defined]


@failure.loud
def _built(original: Any, config: Any, mode: str) -> Loaders:
    import numpy as np

    from naslib_swap.plugin import images

    state = np.random.get_state()  # noqa: NPY002
    try:
        return Loaders(tuple(original(config, mode=mode)), None)
    except Exception as error:
        # NASLib's own data code fails in many ways (URLError, RuntimeError, a placeholder, ...).
        batch = images.stand_in(config, error)
        logger.warning(
            "NASLib has no images of %s (%s): using %s; scores are not those of the data set",
            config.dataset,
            " ".join(str(error).split()),
            batch.source,
        )
        loader = [(batch.images, batch.labels)]
        return Loaders((loader, loader, loader, None, None), batch)
    finally:
        np.random.set_state(state)  # noqa: NPY002
