"""A search's whole state on disk: written atomically, read only where it fits.

Two lines: the SHA-256 of the second, and JSON with the format, what identifies the search and the
state. Floats are written so that they read back exactly; a resumed search is the undisturbed one.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from naslib_swap.errors import BadArgument, BadFile
from naslib_swap.files import write_bytes
from naslib_swap.optimizers.evolution import Batch, Candidate, EvolutionState, Failure, plain
from naslib_swap.optimizers.fitness import Moments

FORMAT = 2


def save(path: Path, state: EvolutionState, identity: Mapping[str, Any]) -> None:
    """Write `state` to `path`, whole or not at all.

    Parameters
    ----------
    path
        The checkpoint file; replaced where it exists.
    state
        What `load` will return.
    identity
        Plain data that says which search this is: its plan, the recipe of its scores, the version.

    Raises
    ------
    BadFile
        The folder cannot be written to.
    """
    body = {"format": FORMAT, "identity": dict(identity), "state": _plain(state)}
    # A long history is most of a search's memory: it is copied once, and never as dicts.
    data = json.dumps(body, separators=(",", ":"), default=plain).encode()
    write_bytes(path, hashlib.sha256(data).hexdigest().encode(), b"\n", data, b"\n")


def require(path: Path) -> None:
    """Raise BadFile where there is no checkpoint."""
    if not path.is_file():
        raise BadFile(f"there is no checkpoint at {path}: start the search without resuming.")


def load(path: Path, identity: Mapping[str, Any]) -> EvolutionState:
    """Read the state in `path`, if it belongs to the search that `identity` describes.

    The file stays as it is.

    Raises
    ------
    BadFile
        The file is missing, damaged, or of another version.
    BadArgument
        It is of another search.
    """
    require(path)
    try:
        digest, text = path.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise BadFile(f"cannot read checkpoint {path}: {error.strerror or error}.") from error
    except ValueError as error:  # also bytes that are no text
        raise _damaged(path, "it has not the two lines expected") from error
    if digest != _digest(text):
        raise _damaged(path, "its checksum does not match")
    try:
        body = json.loads(text)
        written_format, written = body["format"], dict(body["identity"])
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise _damaged(path, "it does not say which search it is of") from error
    if written_format != FORMAT:
        raise BadFile(
            f"checkpoint {path} has format {written_format}, expected {FORMAT}: another version of "
            "naslib-swap wrote it. Resume it with that version, or search anew elsewhere; it was "
            "left as it is."
        )
    # Through JSON and back, so that tuples and lists compare as what they become on disk.
    expected = json.loads(json.dumps(dict(identity)))
    differs = _difference(written, expected)
    if differs:
        raise BadArgument(
            f"checkpoint {path} belongs to another search ({differs}): resume with the same "
            "options, or write elsewhere."
        )
    try:
        return unpack(body["state"])
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise _damaged(path, "what it holds is not the state of a search") from error


def pack(state: EvolutionState) -> dict[str, Any]:
    """Return the state as plain data for JSON."""
    body = _plain(state)
    made = ("history", "failures", "waiting")
    return {**body, **{name: list(map(plain, body[name])) for name in made}}


def _plain(state: EvolutionState) -> dict[str, Any]:
    """Return the state as plain data, but for candidates, failures and batches."""
    return {
        "cycle": state.cycle,
        "population": list(state.population),
        "history": list(state.history.values()),
        "failures": list(state.failures.values()),
        "sizes": asdict(state.sizes),
        "generator": state.generator,
        "exhausted": state.exhausted,
        "waiting": state.waiting,
    }


def unpack(data: Mapping[str, Any]) -> EvolutionState:
    """Return the state that `pack` wrote."""
    candidates = [Candidate(**_as_tuples(one, "parents")) for one in data["history"]]
    failures = [Failure(**_as_tuples(one, "parents")) for one in data["failures"]]
    return EvolutionState(
        cycle=data["cycle"],
        population=list(data["population"]),
        history={candidate.arch: candidate for candidate in candidates},
        failures={failure.arch: failure for failure in failures},
        sizes=Moments(**data["sizes"]),
        generator=dict(data["generator"]),
        exhausted=data["exhausted"],
        waiting=[Batch(**_as_tuples(one, "parents", "archs", "made")) for one in data["waiting"]],
    )


def _as_tuples(one: Mapping[str, Any], *names: str) -> dict[str, Any]:
    return {**one, **{name: tuple(one[name]) for name in names}}


def _difference(written: Mapping[str, Any], expected: Mapping[str, Any], within: str = "") -> str:
    """Name the first difference; empty where there is none."""
    for key in [*expected, *(set(written) - set(expected))]:
        found, wanted = written.get(key), expected.get(key)
        if isinstance(found, dict) and isinstance(wanted, dict):
            differs = _difference(found, wanted, f"{within}{key}.")
            if differs:
                return differs
        elif found != wanted:
            return f"{within}{key}: {found!r} there, {wanted!r} here"
    return ""


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _damaged(path: Path, why: str) -> BadFile:
    return BadFile(
        f"checkpoint {path} is damaged ({why}), expected a file written by this program. It was "
        "left as it is; start the search anew in another folder."
    )
