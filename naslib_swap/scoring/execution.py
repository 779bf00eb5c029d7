"""Where and by how many workers scores are computed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Optional

from naslib_swap.errors import BadArgument
from naslib_swap.options import option

if TYPE_CHECKING:
    from naslib_swap.scoring.backends import Crew

BACKENDS = ("loky", "dask", "ray")
MOST_WORKERS = 4096

_ADDRESS = re.compile(r"(\w+://)?[^\s/]+:\d+/?|inproc://\S+|auto|local")


@dataclass(frozen=True)
class Workers:
    """Where scores are computed; no score depends on it.

    One worker is this process itself. More: :func:`naslib_swap.scoring.backends.crew`.

    Raises
    ------
    BadArgument
        Fewer than one worker or too many, an unknown backend, an address for none, or of none.
    """

    workers: Optional[int] = option(None, "Processes that score.", shown="one per processor")
    backend: str = option("loky", "What they are: loky, dask or ray.")
    address: Optional[str] = option(None, "Of a running Dask or Ray cluster; all of it is used.")

    def __post_init__(self) -> None:
        if self.workers is not None and self.workers < 1:
            raise BadArgument(f"got {self.workers} workers, expected at least 1.")
        if self.workers is not None and self.workers > MOST_WORKERS:
            raise BadArgument(f"got {self.workers} workers, expected at most {MOST_WORKERS:,}.")
        if self.backend not in BACKENDS:
            raise BadArgument(
                f"got backend {self.backend!r}, expected one of {', '.join(BACKENDS)}."
            )
        if self.backend == "loky" and self.address is not None:
            raise BadArgument(
                f"got the address {self.address!r} for loky, expected --backend dask or ray."
            )
        if self.address is not None and not _ADDRESS.fullmatch(self.address):
            raise BadArgument(
                f"got the address {self.address!r}, expected that of a running cluster, such as "
                + ("tcp://host:8786." if self.backend == "dask" else "host:6379, or auto.")
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
    """How a run over a store is computed: where, and what of it need not be computed again."""

    retry_failed: bool = option(False, "Score again what failed in an earlier run.")
    rescore: bool = option(False, "Compute also what comes with the package.")
