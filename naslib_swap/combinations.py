"""Combinations of proxies: scores that a cohort of architectures has together.

A combination adds up, for each architecture, the logarithms of its ranks by several proxies. So its
values hold within one cohort only: those of two tables cannot be compared. It costs nothing beyond
its members.

>>> from naslib_swap.combinations import read
>>> read("mine=swap+params").members
('swap', 'params')
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from naslib_swap import proxies
from naslib_swap.errors import BadArgument
from naslib_swap.registry import Registry

__all__ = ["COMBINATIONS", "Combination", "get", "names", "read", "register", "signed", "weights"]

Vector = Any  # a numpy array: options of commands name combinations, and start without numpy

LEAST = 3
"""Architectures of the smallest cohort."""


@dataclass(frozen=True)
class Combination:
    """Proxies whose ranks within a cohort are added up; higher is better.

    Attributes
    ----------
    name
        What tables and commands call it.
    title
        What pictures call it.
    members
        Names of proxies.
    groups
        Members by the question that they answer, each in one of two groups or more. They weigh as
        much as they agree with members of other groups within the cohort (see `weights`). Without
        groups all count alike.
    against
        Members that count the other way round: where all else is equal, little of them is better.
    reference
        Paper and equation.
    """

    name: str
    title: str
    members: tuple[str, ...]
    groups: tuple[tuple[str, ...], ...] = ()
    reference: str = ""
    against: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if len(set(self.members)) < 2 or len(set(self.members)) != len(self.members):
            raise BadArgument(
                f"got the combination {self.name!r} of {', '.join(self.members) or 'nothing'}, "
                "expected two or more different proxies."
            )
        if self.groups and (
            len(self.groups) < 2 or sorted(sum(self.groups, ())) != sorted(self.members)
        ):
            raise BadArgument(
                f"got the groups {self.groups} in the combination {self.name!r}, expected two or "
                f"more that hold each of {', '.join(self.members)} once."
            )
        if not set(self.against) < set(self.members):
            raise BadArgument(
                f"got {', '.join(self.against)} against in the combination {self.name!r}, expected "
                "members, and one more that counts as it is."
            )

    def of(self, values: Vector) -> Vector:
        """Combine the members' values within a cohort.

        Parameters
        ----------
        values
            float [members, ..., m] for m architectures, higher is better (see `signed`); NaN where
            a member has no score, which counts as its worst. Axes in between are other cohorts.

        Returns
        -------
        ndarray
            float [..., m]: the sum over members of weight * log(rank / m), where rank 1 is the
            worst and equal values share their mean rank.

        Raises
        ------
        BadArgument
            If the cohort is smaller than three, or a member has no value at all.
        """
        import numpy as np

        values = np.asarray(values, dtype=float)
        size = values.shape[-1]
        if size < LEAST:
            raise BadArgument(
                f"got a cohort of {size} for the combination {self.name!r}, expected at least "
                f"{LEAST} architectures: it is made of ranks among them."
            )
        for member, row in zip(self.members, values):
            if np.isnan(row).all():
                raise BadArgument(
                    f"the combination {self.name!r} needs {member}, which gave no architecture a "
                    "score. Leave it out, or combine others."
                )
        return self.among(values)

    def among(self, values: Vector) -> Vector:
        """Do as `of` for any cohort: in one of two, or without a member's values, it says little.

        A search needs a fitness from its first architecture on.
        """
        import numpy as np

        values = np.asarray(values, dtype=float)
        turned = np.array([name in self.against for name in self.members])
        rows = [-row if other else row for other, row in zip(turned, values)]
        ranks = _ranks(np.array(rows, dtype=float).reshape(values.shape))
        logs = np.log(ranks / ranks.shape[-1])
        if self.groups:
            of = {name: place for place, group in enumerate(self.groups) for name in group}
            logs *= weights(ranks, [of[name] for name in self.members])[..., None]
        # 2 * 6 = 3 * 4, but the sums of their logarithms differ in the last bit.
        return logs.sum(0).round(12)


def weights(ranks: Vector, groups: Sequence[int]) -> Vector:
    """Weigh members by how far they agree with those of other groups; a group shares one vote.

    Parameters
    ----------
    ranks
        float [members, ..., m]: each member's ranks of the m architectures of a cohort.
    groups
        The group that each member is of, of two or more.

    Returns
    -------
    ndarray
        float [members, ...]: agreement / size of the member's group. A member's agreement is the
        mean of its rank correlations with all members of other groups, 0 where that is negative.
        Where nothing agrees, all weigh 1. Members whose values are all equal weigh 0.

    Examples
    --------
    >>> import numpy as np
    >>> weights(np.array([[1, 2, 3], [1, 2, 3], [1, 3, 2]]), [0, 0, 1]).round(2)
    array([0.25, 0.25, 0.5 ])
    """
    import numpy as np

    centred = ranks - ranks.mean(-1, keepdims=True)
    lengths = np.sqrt((centred**2).sum(-1, keepdims=True))
    centred = np.divide(centred, lengths, out=np.zeros_like(centred), where=lengths > 0)
    alike = np.einsum("i...m,j...m->ij...", centred, centred)
    same = np.equal.outer(groups, groups)
    share = ~same / (~same).sum(1, keepdims=True) / same.sum(1, keepdims=True)
    found: Vector = np.maximum(np.einsum("ij...,ij->i...", alike, share), 0.0)
    return np.where(found.any(0), found, 1.0)


def _ranks(values: Vector) -> Vector:
    import numpy as np
    from scipy.stats import rankdata

    ranks: Vector = rankdata(np.where(np.isnan(values), -np.inf, values), axis=-1)
    return ranks


def signed(values: Vector, member: str) -> Vector:
    """Return a proxy's values so that higher is better; others than ours are taken to be so."""
    return values if proxies.higher_is_better(member) else -values


COMBINATIONS: Registry[Combination] = Registry(
    "combination", "naslib_swap.predictors", "COMBINATION", "naslib_swap.combinations"
)
register, get, names = COMBINATIONS.register, COMBINATIONS.get, COMBINATIONS.names


def read(text: str) -> Combination:
    """Read a combination of the user's: ``name=member+member-member``.

    A minus makes a member count the other way round, also the first one.

    Raises
    ------
    BadArgument
        Another form; a name that a proxy or combination has; a member that no proxy is.
    """
    name, equals, listed = (part.strip() for part in text.partition("="))
    listed = listed if listed.startswith("-") else f"+{listed}"
    signs = re.findall(r"[+-]", listed)
    parts = [part.strip() for part in re.split(r"[+-]", listed)[1:]]
    if not equals or not name or len(parts) < 2 or not all(parts):
        raise BadArgument(
            f"got the combination {text!r}, expected a name and its members, such as "
            "mine=swap+params."
        )
    if name in (*proxies.names(), *names()):
        raise BadArgument(
            f"got a combination named {name!r}, as a proxy or combination is already, expected "
            "another name."
        )
    members = tuple(proxies.get(part).name for part in parts)
    against = tuple(name for sign, name in zip(signs, members) if sign == "-")
    return Combination(name, name, members, against=against)


def find(name: str, own: Sequence[str] = ()) -> Combination | None:
    """Return the combination of that name; None where it is a proxy's.

    Parameters
    ----------
    name
        Of a proxy or combination.
    own
        Combinations of the user's, as `read` takes them.

    Raises
    ------
    BadArgument
        For a name that nothing has; for `own` that `read` does not take.
    """
    theirs = {one.name: one for one in _read_all(own)}
    if name in theirs:
        return theirs[name]
    if name in names():
        return get(name)
    if name not in proxies.names():
        raise _unknown(name, (*names(), *theirs))
    return None


def _read_all(own: Sequence[str]) -> tuple[Combination, ...]:
    theirs = tuple(read(text) for text in own)
    if len({one.name for one in theirs}) != len(theirs):
        raise BadArgument(f"got two combinations of one name among {', '.join(own)}.")
    return theirs


def _unknown(name: str, combinations: Sequence[str]) -> BadArgument:
    return BadArgument(
        f"got the proxy {name!r}, expected one of {', '.join(proxies.names())}, or a combination "
        f"of them: {', '.join(combinations)}."
    )


def requested(
    asked: Sequence[str], own: Sequence[str] = ()
) -> tuple[tuple[str, ...], tuple[Combination, ...]]:
    """Return the proxies to score and the combinations to make of them.

    Parameters
    ----------
    asked
        Names of proxies and combinations; ``default`` and, as no name, all, as in
        `naslib_swap.proxies.chosen`.
    own
        Combinations of the user's, as `read` takes them. Their members are scored.

    Returns
    -------
    tuple
        The proxies, members of combinations included; every combination whose members are among
        them.

    Raises
    ------
    BadArgument
        For a name that nothing has.

    Examples
    --------
    >>> proxies_, combinations_ = requested(["params"], ["mine=params+depth"])
    >>> proxies_, [one.name for one in combinations_]
    (('params', 'depth'), ['mine'])
    """
    theirs = _read_all(own)
    ours = names()
    known = (*ours, *proxies.names(), proxies.DEFAULT)
    if unknown := [name for name in asked if name not in known]:
        raise _unknown(unknown[0], ours)
    single = [name for name in asked if name not in ours]
    wanted = [*(get(name) for name in asked if name in ours), *theirs]
    scored = dict.fromkeys(proxies.chosen(single)) if single or not asked else {}
    for one in wanted:
        scored.update(dict.fromkeys(one.members))
    made = [get(name) for name in ours if set(get(name).members) <= set(scored)]
    return tuple(scored), (*made, *theirs)
