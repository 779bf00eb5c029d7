"""Where and by how many workers scores are computed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Optional

from naslib_swap.errors import BadArgument
from naslib_swap.options import option

if TYPE_CHECKING:
    from naslib_swap.scoring.backends import Crew

BACKENDS = ("loky", "dask", "ray")


@dataclass(frozen=True)
class Workers:
    """Where scores are computed; no score depends on it.

    One worker is this process itself. More: :func:`naslib_swap.scoring.backends.crew`.

    Raises
    ------
    BadArgument
        Fewer than one worker, an unknown backend, an address for none.
    """

    workers: Optional[int] = option(None, "Processes that score.", shown="one per processor")
    backend: str = option("loky", "joblib's: loky, dask or ray.")
    address: Optional[str] = option(None, "Of a running Dask or Ray cluster; all of it is used.")

    def __post_init__(self) -> None:
        if self.workers is not None and self.workers < 1:
            raise BadArgument(f"got {self.workers} workers, expected at least 1.")
        if self.backend not in BACKENDS:
            raise BadArgument(
                f"got backend {self.backend!r}, expected one of {', '.join(BACKENDS)}."
            )
        if self.backend == "loky" and self.address is not None:
            raise BadArgument(
                f"got the address {self.address!r} for loky, expected --backend dask or ray."
            )

    @contextmanager
    def crew(self, most: int) -> Iterator[Crew]:
        """Start workers, at most as many as there are jobs."""
        from naslib_swap.scoring.backends import crew, processors

        workers = processors() if self.workers is None else self.workers
        with crew(self.backend, max(1, min(workers, most)), self.address) as hands:
            yield hands


@dataclass(frozen=True)
class Execution(Workers):
    """How a run over a store is computed: where, and whether what failed is tried again."""

    retry_failed: bool = option(False, "Score again what failed in an earlier run.")
