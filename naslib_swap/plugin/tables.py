"""NASLib's zero-cost tables (`zc_<space>.json`), with the proxies that they lack.

`get_zc_benchmark_api` returns a `Table`: read on first use, one level of nesting and one style of
key whatever the file has, flat numbers as `{"score": ...}`. An `Entry` that lacks a proxy scores
its architecture on demand.
"""

from __future__ import annotations

import functools
import logging
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any, Callable, Optional

from naslib_swap.errors import BadFile
from naslib_swap.plugin import failure
from naslib_swap.plugin.keys import canonical

logger = logging.getLogger("naslib.swap")

NOT_PROXIES = frozenset({"val_accuracy", "arch", "idx"})
Scorer = Callable[[str, str], Optional[Mapping[str, float]]]
"""Takes an architecture's text and a proxy; returns its score, or None for an unknown proxy."""


class Entry(dict):  # type: ignore[type-arg]
    """What a table knows of one architecture; a missing proxy is scored when it is asked for."""

    def __init__(self, known: Mapping[str, Any], arch: str, scorer: Scorer, names: Any) -> None:
        super().__init__(known)
        self._arch = arch
        self._scorer = scorer
        self._names = names

    def __missing__(self, name: str) -> Any:
        score = self._scorer(self._arch, name) if name in self._names() else None
        if score is None:
            raise KeyError(name)
        self[name] = dict(score)
        return self[name]

    def __contains__(self, name: object) -> bool:
        return super().__contains__(name) or name in self._names()

    def __reduce__(self) -> Any:
        return dict, (dict(self),)


class Table(Mapping):  # type: ignore[type-arg]
    """One dataset's architectures, by the text of the architecture in any style."""

    def __init__(self, space: str, dataset: str, root: Path, scorer: Scorer, names: Any) -> None:
        self.space = space
        self.dataset = dataset
        self._root = root
        self._scorer = scorer
        self._names = names
        self._entries: Optional[dict[str, Entry]] = None
        self._texts: dict[str, str] = {}

    def __getitem__(self, arch: str) -> Entry:
        entries = self._load()
        return entries[self._texts.get(canonical(str(arch)) or str(arch), str(arch))]

    def __contains__(self, arch: object) -> bool:
        try:
            self[str(arch)]
        except KeyError:
            return False
        return True

    def __iter__(self) -> Iterator[str]:
        return iter(self._load())

    def __len__(self) -> int:
        return len(self._load())

    @failure.loud
    def _load(self) -> dict[str, Entry]:
        if self._entries is None:
            path = find(self.space, self._root)
            rows = read(path, self.space, self.dataset)
            scorer = whole_columns(self._scorer, rows, path)
            self._entries = {
                text: Entry(scored(row), text, scorer, self._names) for text, row in rows.items()
            }
            self._texts = {canonical(text) or text: text for text in rows}
        return self._entries


def patch(module: ModuleType) -> None:
    """Wrap `naslib.utils.get_dataset_api.get_zc_benchmark_api`."""
    original = module.get_zc_benchmark_api  # type: ignore[attr-defined]

    @functools.wraps(original)
    def get_zc_benchmark_api(search_space: str, dataset: str) -> Table:
        return table(search_space, dataset, module.get_project_root())  # type: ignore[attr-defined]

    module.get_zc_benchmark_api = get_zc_benchmark_api  # type: ignore[attr-defined]


def table(space: str, dataset: str, root: Path) -> Table:
    """Make the table of one space and dataset; `root` is NASLib's package folder."""
    from naslib_swap.plugin import live
    from naslib_swap.plugin.measures import known_measures

    scorer = telling(functools.partial(live.reported, space, dataset))
    return Table(space, dataset, Path(root), scorer, known_measures)


def telling(
    scorer: Scorer, every: float = 10.0, clock: Callable[[], float] = time.monotonic
) -> Scorer:
    """Make a scorer log how far it is, at most once in `every` seconds.

    A runner asks for one architecture after another and says nothing meanwhile: a few hundred
    networks of nine images each take minutes.
    """
    began = said = clock()
    count = 0

    def wanted(arch: str, name: str) -> Optional[Mapping[str, float]]:
        nonlocal said, count
        score = scorer(arch, name)
        count += 1
        now = clock()
        if now - said >= every:
            said = now
            logger.info("%s: %d architectures scored in %.0f s", name, count, now - began)
        return score

    return wanted


def find(space: str, root: Path) -> Path:
    """Find a table: NASLib's data folder, then NASLIB_SWAP_DATA, then what was downloaded."""
    from naslib_swap import spaces
    from naslib_swap.ground_truth import catalogue

    own = Path(root) / "data" / f"zc_{space}.json"
    if own.is_file():
        return own
    known = {name: spaces.get(name).suite_zero for name in spaces.names()}
    name = known.get(space, "")
    if not name:
        with_table = ", ".join(other for other, entry in known.items() if entry)
        raise BadFile(f"there is no table {own}; known tables are those of {with_table}")
    found = catalogue.find(catalogue.entry(name))
    if found is None:
        raise BadFile(
            f"the table of {space} was not found: run `naslib-swap data fetch {name}`, or put "
            f"zc_{space}.json into {own.parent}"
        )
    # What lies in NASLib's own folder is the user's; this is meant to be the original.
    catalogue.confirm(catalogue.entry(name), found)
    return found


def read(path: Path, space: str, dataset: str) -> dict[str, dict[str, Any]]:
    """Read one dataset of a table; some files nest their datasets under the space's name."""
    from naslib_swap.json_files import read_json
    from naslib_swap.quoting import listed

    data = read_json(path, "table of zero-cost proxies")
    if not isinstance(data, dict):
        raise BadFile(f"the table {path} holds a {type(data).__name__}; expected an object")
    if dataset not in data and isinstance(data.get(space), dict):
        data = data[space]
    if dataset not in data:
        raise BadFile(f"the table {path} has no dataset {dataset!r}; it has {listed(sorted(data))}")
    rows: dict[str, dict[str, Any]] = data[dataset]
    if not isinstance(rows, dict) or not all(isinstance(row, dict) for row in rows.values()):
        raise BadFile(f"the table {path} is no object of architectures, each an object of scores")
    return rows


def whole_columns(scorer: Scorer, rows: Mapping[str, Mapping[str, Any]], path: Path) -> Scorer:
    """Refuse to score what would stand beside a table's own scores of the same proxy.

    Those were made under other settings, or may have been, and would not rank with new ones.
    """
    held = Counter(name for row in rows.values() for name in row)

    @failure.loud
    def wanted(arch: str, name: str) -> Optional[Mapping[str, float]]:
        if held[name]:
            raise BadFile(
                f"{path} has {name} for {held[name]} of {len(rows)} architectures, but not for "
                f"{arch}; a score made now need not rank with those. Complete the column with "
                f"`naslib-swap precompute --into`, or remove it from the table"
            )
        return scorer(arch, name)

    return wanted


def scored(row: Mapping[str, Any]) -> dict[str, Any]:
    """Write every proxy of a row as `{"score": ...}`."""
    return {
        name: value if name in NOT_PROXIES or isinstance(value, Mapping) else {"score": value}
        for name, value in row.items()
    }
