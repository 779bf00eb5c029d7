"""Where NASLib is, and which one it is."""

from __future__ import annotations

import importlib.util
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Optional

ROOT_VARIABLE = "NASLIB_ROOT"


@dataclass(frozen=True)
class Checkout:
    """A NASLib source tree: the folder that holds `naslib/`, and what git knows about it."""

    root: Path
    branch: Optional[str] = None
    commit: Optional[str] = None
    version: Optional[str] = None


def from_script() -> Optional[Path]:
    """Find the checkout that the running script belongs to, by its path; None when none."""
    script = sys.argv[0] if sys.argv else ""
    if not script or script in ("-c", "-m"):
        return None
    return above(Path(script))


def above(path: Path) -> Optional[Path]:
    """Find the nearest folder above `path` that holds the package `naslib`."""
    for folder in path.absolute().parents:
        if holds_naslib(folder):
            return folder
    return None


def holds_naslib(folder: Path) -> bool:
    """Whether `folder` is the root of a NASLib checkout."""
    package = folder / "naslib"
    return (package / "__init__.py").is_file() and (package / "search_spaces").is_dir()


def find() -> Optional[Path]:
    """Find a checkout: `NASLIB_ROOT`, the running script, the importable package, this folder."""
    named = os.environ.get(ROOT_VARIABLE)
    if named and holds_naslib(Path(named)):
        return Path(named)
    script = from_script()
    if script is not None:
        return script
    for entry in [*sys.path, os.getcwd()]:
        folder = Path(entry or os.getcwd())
        if holds_naslib(folder):
            return folder
    return _installed()


def _installed() -> Optional[Path]:
    """Find an installed package, also one that is no folder of `sys.path` (an editable one)."""
    try:
        spec = importlib.util.find_spec("naslib")
    except (ImportError, ValueError):
        return None
    folder = Path(spec.origin).parents[1] if spec is not None and spec.origin else None
    return folder if folder is not None and holds_naslib(folder) else None


def describe(root: Path) -> Checkout:
    """Read version, branch and commit from the files; no command is run."""
    return Checkout(root, *_git_head(root / ".git"), version=_version(root))


def _git_head(git: Path) -> tuple[Optional[str], Optional[str]]:
    try:
        head = (git / "HEAD").read_text().strip()
    except OSError:
        return None, None
    if not head.startswith("ref: "):
        return None, head
    reference = head[len("ref: ") :]
    branch = reference.rsplit("/", 1)[-1]
    try:
        return branch, (git / reference).read_text().strip()
    except OSError:
        return branch, _packed(git / "packed-refs", reference)


def _packed(packed: Path, reference: str) -> Optional[str]:
    try:
        lines = packed.read_text().splitlines()
    except OSError:
        return None
    for line in lines:
        if line.endswith(" " + reference):
            return line.split()[0]
    return None


def _version(root: Path) -> Optional[str]:
    try:
        text = (root / "naslib" / "__version__.py").read_text()
    except OSError:
        return None
    return text.strip().splitlines()[-1].split()[-1].strip("\"'")
