"""Scores kept on disk: one SQLite file, safe with any number of processes.

A score depends on search space, dataset, architecture and the settings that made it, and on nothing
else; these four are its key. A file that cannot be used is said once, and scoring goes on without.
"""

from __future__ import annotations

import json
import logging
import sqlite3
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any, Optional

logger = logging.getLogger("naslib.swap")

_TABLE = """
CREATE TABLE IF NOT EXISTS scores (
    space TEXT, dataset TEXT, architecture TEXT, settings TEXT, value TEXT,
    PRIMARY KEY (space, dataset, architecture, settings)
) WITHOUT ROWID
"""
_WAIT = 60.0
"""Seconds to wait for another process's write."""


class ScoreCache:
    """A file of scores; each score is a JSON object of numbers."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._usable = True

    def get(
        self, space: str, dataset: str, architecture: str, settings: Mapping[str, Any]
    ) -> Optional[dict[str, Any]]:
        """Return the score of that key, or None."""
        rows = self._run(
            "SELECT value FROM scores"
            " WHERE space=? AND dataset=? AND architecture=? AND settings=?",
            (space, dataset, architecture, settings_key(settings)),
        )
        return json.loads(rows[0][0]) if rows else None

    def put(
        self,
        space: str,
        dataset: str,
        architecture: str,
        settings: Mapping[str, Any],
        value: Mapping[str, Any],
    ) -> None:
        """Keep a score; where another process was first, its score stays (they are equal)."""
        self._run(
            "INSERT OR IGNORE INTO scores VALUES (?, ?, ?, ?, ?)",
            (space, dataset, architecture, settings_key(settings), json.dumps(dict(value))),
        )

    def count(self) -> int:
        """Return the number of scores in the file."""
        rows = self._run("SELECT COUNT(*) FROM scores", ())
        return int(rows[0][0]) if rows else 0

    def _run(self, statement: str, values: tuple[str, ...]) -> list[tuple[Any, ...]]:
        """Run one statement in a transaction of its own; nothing where the file is unusable."""
        if not self._usable:
            return []
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            # A connection for each statement: none is carried over a fork.
            with closing(sqlite3.connect(self.path, timeout=_WAIT)) as connection, connection:
                connection.execute(_TABLE)
                return connection.execute(statement, values).fetchall()
        except (OSError, sqlite3.Error) as error:
            self._give_up(error)
            return []

    def _give_up(self, error: Exception) -> None:
        self._usable = False
        logger.warning(
            "scores are not kept: %s cannot be used (%s); remove it, or name another folder in "
            "NASLIB_SWAP_CACHE",
            self.path,
            error,
        )


def settings_key(settings: Mapping[str, Any]) -> str:
    """Write settings as one text that does not depend on their order."""
    return json.dumps(dict(settings), sort_keys=True)
