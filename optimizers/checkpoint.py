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

from naslib_swap.errors import SwapError
from naslib_swap.files import write_text
from naslib_swap.optimizers.evolution import EvolutionState, Failure, Record
from naslib_swap.optimizers.fitness import Moments

FORMAT = 1


def save(path: Path, state: EvolutionState, identity: Mapping[str, Any]) -> None:
    """Write `state` to `path`, whole or not at all.

    Args:
        path: the checkpoint file; replaced where it exists.
        state: what `load` will give back.
        identity: plain data that says which search this is: space, seed, settings, version.

    Raises:
        SwapError: the folder cannot be written to.
    """
    body = {"format": FORMAT, "identity": dict(identity), "state": pack(state)}
    text = json.dumps(body, separators=(",", ":"))
    write_text(path, f"{_digest(text)}\n{text}\n")


def load(path: Path, identity: Mapping[str, Any]) -> EvolutionState:
    """The state in `path`, if it belongs to the search that `identity` describes.

    Raises:
        SwapError: the file is missing, damaged, or of another search; it stays as it is.
    """
    if not path.is_file():
        raise SwapError(f"no checkpoint at {path}: start the search without resuming")
    try:
        digest, text = path.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise SwapError(f"cannot read checkpoint {path}: {error.strerror or error}") from error
    except ValueError as error:  # also bytes that are no text
        raise _damaged(path, "it has not the two lines expected") from error
    if digest != _digest(text):
        raise _damaged(path, "its checksum does not match")
    try:
        body = json.loads(text)
        written_format, written = body["format"], dict(body["identity"])
    except (ValueError, TypeError, KeyError) as error:
        raise _damaged(path, "it does not say which search it is of") from error
    if written_format != FORMAT:
        raise SwapError(
            f"checkpoint {path} has format {written_format}, expected {FORMAT}: "
            "resume it with the version of naslib-swap that wrote it"
        )
    # Through JSON and back, so that tuples and lists compare as what they become on disk.
    expected = json.loads(json.dumps(dict(identity)))
    for key in [*expected, *(set(written) - set(expected))]:
        found, wanted = written.get(key), expected.get(key)
        if found != wanted:
            raise SwapError(
                f"checkpoint {path} belongs to another search ({key}: {found!r} there, {wanted!r} "
                "here): resume with the same options, or write elsewhere"
            )
    try:
        return unpack(body["state"])
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise _damaged(path, "what it holds is not the state of a search") from error


def pack(state: EvolutionState) -> dict[str, Any]:
    """The state as plain data for JSON."""
    return {
        "cycle": state.cycle,
        "population": list(state.population),
        "history": [asdict(record) for record in state.history.values()],
        "failures": [asdict(failure) for failure in state.failures.values()],
        "sizes": asdict(state.sizes),
        "generator": state.generator,
        "exhausted": state.exhausted,
    }


def unpack(data: Mapping[str, Any]) -> EvolutionState:
    """The inverse of `pack`."""
    records = [Record(**{**one, "parents": tuple(one["parents"])}) for one in data["history"]]
    # Absent where an earlier version wrote the state: it had none.
    failures = [
        Failure(**{**one, "parents": tuple(one["parents"])}) for one in data.get("failures", [])
    ]
    return EvolutionState(
        cycle=data["cycle"],
        population=list(data["population"]),
        history={record.arch: record for record in records},
        failures={failure.arch: failure for failure in failures},
        sizes=Moments(**data["sizes"]),
        generator=dict(data["generator"]),
        exhausted=data["exhausted"],
    )


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _damaged(path: Path, why: str) -> SwapError:
    return SwapError(
        f"checkpoint {path} is damaged ({why}): expected a file written by this program. "
        "It was left as it is; start the search anew in another folder"
    )
