"""Scores that come with the package: SWAP of whole benchmarks, made once, found by their recipe.

`naslib_swap/tables/SPACE.npz` holds what SWAP saw of each network: psi, its bound, V. A regularised
score follows from psi and the size, whatever mu and sigma are. Nothing here imports torch.
"""

from __future__ import annotations

import functools
import io
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Optional

from naslib_swap.errors import BadArgument, BadFile
from naslib_swap.files import write_bytes
from naslib_swap.regularisation import log_regularised
from naslib_swap.scoring.recipe import VERSION, Recipe, unweighed
from naslib_swap.scoring.record import Key, Record, Score

if TYPE_CHECKING:
    import numpy as np

    from naslib_swap.scoring.conditions import Conditions
    from naslib_swap.scoring.study import Block, Study, Survey
    from naslib_swap.scoring.subject import Subject

PROXIES = ("swap", "reg_swap", "values")
"""The proxies whose scores follow from what a table holds."""


class Seen(NamedTuple):
    """What SWAP saw of one network: patterns (psi), the bound of their number, values (V)."""

    patterns: int
    bound: int
    values: int


@dataclass(frozen=True)
class Column:
    """What one run saw of the networks of a space, under one seed.

    Attributes
    ----------
    variants
        Task -> variant of the network. Tasks whose networks differ in heads alone that SWAP does
        not look at share a column.
    seed, recipe
        Of the scores by `swap`; the recipe's variant is that of the first task.
    seen
        [networks, 3]: patterns, bound and values; 0 where the run has no score.
    """

    variants: Mapping[str, str]
    seed: int
    recipe: Recipe
    seen: np.ndarray

    def of(self, task: str) -> Recipe:
        """Return the recipe of a task's scores, as far as recipes are compared here."""
        return unweighed(replace(self.recipe, variant=self.variants[task]))

    def at(self, place: int) -> Optional[Seen]:
        """Return what was seen of a network, or None."""
        patterns, bound, values = self.seen[place].tolist()
        return Seen(patterns, bound, values) if patterns else None


@dataclass(frozen=True)
class Table:
    """The scores of one space.

    Attributes
    ----------
    space
        Its name.
    places
        The place of each network, by its canonical name.
    keys
        The place of each architecture, by the key of NASLib's tables, written with tuples.
    sizes
        Task -> number of parameters of each network.
    rules
        Task -> mu and sigma that the space's default rule gives, in thousands of parameters.
    columns
        The scores.
    """

    space: str
    places: Mapping[str, int]
    keys: Mapping[str, int]
    sizes: Mapping[str, np.ndarray]
    rules: Mapping[str, tuple[float, float]]
    columns: tuple[Column, ...]

    def column(self, task: str, seed: int, recipe: Recipe) -> Optional[Column]:
        """Return the column whose scores were made with a recipe; None where there is none."""
        wanted = unweighed(recipe)
        for column in self.columns:
            if task in column.variants and column.seed == seed and column.of(task) == wanted:
                return column
        return None

    def difference(self, task: str, seed: int, recipe: Recipe) -> str:
        """Say in what its scores of a task differ from a recipe; empty where it has none."""
        wanted = unweighed(recipe)
        said = []
        for column in self.columns:
            if task in column.variants:
                own = column.of(task)
                differs = [own.difference(wanted)] if own != wanted else []
                differs += [f"seed {column.seed} (now {seed})"] if column.seed != seed else []
                said.append(", ".join(differs))
        return min(said, key=len, default="")

    def score(
        self, column: Column, task: str, place: int, name: str, recipe: Recipe
    ) -> Optional[Score]:
        """Return the score of a network by a proxy of `PROXIES`; None where there is none.

        Its seconds are 0: nothing was computed.
        """
        seen = column.at(place)
        if seen is None:
            return None
        if name == "values":
            return Score(float(seen.values))
        value = float(seen.patterns)
        if name == "reg_swap":
            settings = dict(recipe.settings)
            theta = int(self.sizes[task][place]) / 1000
            try:
                value = log_regularised(value, theta, settings["mu"], settings["sigma"])
            except BadArgument:  # computing it says why
                return None
        return Score(value, saturation=seen.patterns / seen.bound)


def find(key: Key, recipe: Recipe) -> Optional[Score]:
    """Return the score of a key that was made with a recipe, or None where none is shipped.

    Examples
    --------
    >>> from naslib_swap.scoring import Architecture, Key, Recipe, conditions_for
    >>> net = Architecture("nasbench201", "cifar10", "(0, 2, 3, 2, 3, 1)")
    >>> recipe = Recipe.of(net, "swap", conditions_for(net.space, net.task), 0)
    >>> find(Key(net.space, net.task, net.name, "swap", 0, recipe.id), recipe).value
    50032.0
    """
    if key.proxy not in PROXIES:
        return None
    table = load(key.space)
    place = None if table is None else table.places.get(key.arch)
    if table is None or place is None:
        return None
    column = table.column(key.task, key.seed, recipe)
    return None if column is None else table.score(column, key.task, place, key.proxy, recipe)


def scores(
    subject: Subject, names: Iterable[str], conditions: Conditions, seed: int
) -> dict[str, Score]:
    """Return those scores of a subject, by some proxies, that come with the package."""
    found = {}
    for name in [name for name in names if name in PROXIES]:
        recipe = Recipe.of(subject, name, conditions, seed)
        key = Key(subject.space, subject.task, subject.name, name, seed, recipe.id)
        score = find(key, recipe)
        if score is not None:
            found[name] = score
    return found


def why_not(space: str, task: str, name: str, seed: int, recipe: Recipe) -> str:
    """Say why no score of a task is taken from the package, where it has some; else nothing."""
    table = load(space) if name in PROXIES else None
    differs = "" if table is None else table.difference(task, seed, recipe)
    if not differs:
        return ""
    return (
        f"the scores of {space}/{task} by {name} that come with the package were made with other "
        f"settings: {differs}. They are not used."
    )


def taken(
    studies: Iterable[Study], known: Survey, note: Callable[[str], None] = lambda text: None
) -> list[Record]:
    """Return what studies lack and the package has, and enter it into what is known.

    Parameters
    ----------
    studies
        What is wanted.
    known
        What is there already.
    note
        Called with one sentence for each task: how many scores are taken, and why others are not.
    """
    found: list[Record] = []
    for study in studies:
        counts: dict[str, int] = {}
        for name in [name for name in study.proxies if name in PROXIES]:
            why = ""
            for seed in study.seeds:
                block = known.blocks.get((study.space, study.task, name, seed))
                if block is None or all(map(block.done, range(len(block.known)))):
                    continue
                records = list(_of_block(study, name, seed, block))
                found += records
                if records:
                    counts[name] = counts.get(name, 0) + len(records)
                else:
                    why = why or why_not(study.space, study.task, name, seed, block.recipe)
            if why:
                note(why)
        if counts:
            said = ", ".join(f"{count} by {name}" for name, count in counts.items())
            note(
                f"scores of {study.space}/{study.task} that come with the package: {said}. They "
                "are not computed here; --rescore computes them."
            )
    return found


def _of_block(study: Study, name: str, seed: int, block: Block) -> Iterable[Record]:
    table = load(study.space)
    column = None if table is None else table.column(study.task, seed, block.recipe)
    if table is None or column is None:
        return
    for arch, place in block.places.items():
        row = table.places.get(arch)
        if row is None or block.done(place):
            continue
        score = table.score(column, study.task, row, name, block.recipe)
        if score is None:
            continue
        block.put(place, score)
        yield Record(
            Key(study.space, study.task, arch, name, seed, block.recipe.id), score, block.recipe
        )


def names() -> tuple[str, ...]:
    """Return the spaces that scores are shipped of."""
    folder = _folder()
    files = [path.name for path in folder.iterdir()] if folder.is_dir() else []
    return tuple(sorted(name[:-4] for name in files if name.endswith(".npz")))


@functools.cache
def load(space: str) -> Optional[Table]:
    """Return the table of a space; None where there is none of today's version of scores."""
    if space not in names():
        return None
    table = read((_folder() / f"{space}.npz").read_bytes())
    return table if all(c.recipe.version == VERSION for c in table.columns) else None


def read(content: bytes) -> Table:
    """Read what `write` wrote."""
    import numpy as np

    with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
        about = json.loads(arrays["about"].tobytes())
        lines = arrays["networks"].tobytes().decode().split("\n")
        keys = arrays["keys"].tobytes().decode().split("\n")
        return Table(
            space=about["space"],
            places={name: place for place, name in enumerate(lines)},
            keys=dict(zip(keys, arrays["key_places"].tolist())),
            sizes={task: arrays[f"sizes {task}"] for task in about["rules"]},
            rules={task: (mu, sigma) for task, (mu, sigma) in about["rules"].items()},
            columns=tuple(
                Column(
                    one["variants"], one["seed"], Recipe.read(one["recipe"]), arrays[f"seen {n}"]
                )
                for n, one in enumerate(about["columns"])
            ),
        )


def write(path: Path, table: Table) -> None:
    """Write a table, compressed; equal tables give equal bytes."""
    import numpy as np

    def text(value: str) -> np.ndarray:
        return np.frombuffer(value.encode(), np.uint8)

    about: dict[str, Any] = {
        "space": table.space,
        "rules": {task: list(rule) for task, rule in table.rules.items()},
        "columns": [
            {"variants": dict(c.variants), "seed": c.seed, "recipe": c.recipe.plain()}
            for c in table.columns
        ],
    }
    arrays: dict[str, Any] = {
        "about": text(json.dumps(about)),
        "networks": text("\n".join(table.places)),
        "keys": text("\n".join(table.keys)),
        "key_places": np.array(list(table.keys.values()), np.uint32),
        **{f"sizes {task}": sizes.astype(np.uint32) for task, sizes in table.sizes.items()},
        **{f"seen {n}": c.seen.astype(np.uint32) for n, c in enumerate(table.columns)},
    }
    content = io.BytesIO()
    np.savez_compressed(content, **arrays)
    write_bytes(path, content.getvalue())


def columns_of(
    records: Iterable[Record], places: Mapping[str, int], groups: Sequence[Mapping[str, str]]
) -> tuple[Column, ...]:
    """Collect the scores of `swap` and `values` in some records into columns.

    Parameters
    ----------
    records
        Of one space.
    places
        The place of each network.
    groups
        Task -> variant for the tasks that share their scores, once for each group.

    Raises
    ------
    BadFile
        Two tasks of one group have different scores of a network.
    """
    import numpy as np

    found: dict[tuple[int, int, Recipe], np.ndarray] = {}
    for key, score, recipe in records:
        number = next((n for n, group in enumerate(groups) if key.task in group), None)
        place = places.get(key.arch)
        current = recipe.version == VERSION and score.value is not None
        if number is None or place is None or not current or key.proxy not in ("swap", "values"):
            continue
        shared = replace(recipe, variant=next(iter(groups[number].values())))
        seen = found.setdefault((number, key.seed, shared), np.zeros((len(places), 3), np.uint32))[
            place
        ]
        assert score.value is not None
        if key.proxy == "values":
            seen[2] = round(score.value)
            continue
        if seen[0] not in (0, round(score.value)):
            raise BadFile(
                f"{key.arch} has the scores {seen[0]} and {score.value:g} on the tasks "
                f"{', '.join(groups[number])}, expected one: they do not share what is scored."
            )
        assert score.saturation is not None
        seen[:2] = round(score.value), round(score.value / score.saturation)
    return tuple(
        Column(dict(groups[number]), seed, recipe, seen)
        for (number, seed, recipe), seen in found.items()
    )


def _folder() -> Any:
    return resources.files("naslib_swap") / "tables"
