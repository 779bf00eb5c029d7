"""What `naslib-swap doctor` finds out."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Optional

from naslib_swap.errors import SwapError
from naslib_swap.plugin import checkout, hook, placeholders, startup

PACKAGES = (
    *("torch", "numpy", "scipy", "scikit-learn", "fvcore", "networkx", "torchvision"),
    "tensorboard",
)
MODULES = (
    "naslib.utils",
    "naslib.defaults.predictor_evaluator",
    "naslib.predictors",
    "naslib.search_spaces",
    "naslib.evaluators.zc_evaluator",
)
"""NASLib modules that are imported to see which repairs it needs."""

EXPECTED = "Develop"


@dataclass(frozen=True)
class Finding:
    """One thing looked at; `status` is "ok", "note" (some runs are affected) or "problem".

    `details` is what one line has no room for; `naslib-swap doctor --json` shows it.
    """

    name: str
    status: str
    detail: str
    advice: str = ""
    details: tuple[str, ...] = ()


def diagnose() -> list[Finding]:
    """Look at everything; imports NASLib where it is found."""
    on = hook.is_installed()
    findings = [_versions(), _kernel(), _hook(on), *_startup_files()]
    root = checkout.find()
    findings += [_naslib(root), *_data_folder()]
    if root is not None:
        findings += _import_naslib(root)
        findings += _tables(root)
        findings += _images(root)
    return findings


def _versions() -> Finding:
    from naslib_swap import __version__

    found = [f"naslib-swap {__version__}", f"Python {sys.version.split()[0]}"]
    found += [f"{name} {_version(name) or 'absent'}" for name in PACKAGES]
    return Finding("versions", "ok", ", ".join(found))


def _kernel() -> Finding:
    from naslib_swap import patterns

    try:
        found = patterns.kernel()
    except SwapError as error:
        return Finding("kernel", "problem", str(error))
    if found == "compiled":
        return Finding("kernel", "ok", found)
    advice = "counting takes several times as long; install a C compiler, then reinstall"
    return Finding("kernel", "note", found, advice)


def _version(name: str) -> Optional[str]:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _hook(on: bool) -> Finding:
    if on:
        return Finding("hook", "ok", "on")
    if startup.disabled():
        return Finding(
            "hook", "problem", "switched off", f"unset {startup.DISABLE_VARIABLE} to switch it on"
        )
    return Finding(
        "hook",
        "problem",
        "off: this interpreter did not run the start-up file",
        "reinstall with pip, or run runners as `naslib-swap naslib RUNNER ARGS...`",
    )


def _startup_files() -> Iterator[Finding]:
    folders = [Path(entry) for entry in sys.path if entry]
    found = [folder / "naslib_swap.pth" for folder in folders]
    found = [path for path in dict.fromkeys(found) if path.is_file()]
    if len(found) == 1:
        yield Finding("start-up file", "ok", str(found[0]))
    elif found:
        yield Finding(
            "start-up file",
            "note",
            ", ".join(map(str, found)),
            "several installations are on the path; uninstall all but one",
        )
    else:
        yield Finding(
            "start-up file", "problem", "there is no naslib_swap.pth", "reinstall with pip"
        )


def _naslib(root: Optional[Path]) -> Finding:
    if root is None:
        return Finding(
            "NASLib",
            "note",
            "no checkout was found; all but the plugin works without",
            "git clone -b Develop https://github.com/automl/NASLib, and run from there or set "
            f"{checkout.ROOT_VARIABLE}",
        )
    found = checkout.describe(root)
    branch, commit = found.branch or "unknown branch", (found.commit or "commit ?")[:12]
    detail = f"{root} (version {found.version or 'unknown'}, {branch}, {commit})"
    if found.branch not in (None, EXPECTED):
        return Finding("NASLib", "note", detail, f"the plugin is tested with the branch {EXPECTED}")
    return Finding("NASLib", "ok", detail)


def _import_naslib(root: Path) -> Iterator[Finding]:
    hook.install()
    if str(root) not in sys.path:
        sys.path.insert(0, str(root))
    for name in MODULES:
        try:
            importlib.import_module(name)
        except Exception as error:
            yield Finding(
                "import", "problem", f"{name}: {type(error).__name__}: {error}", _advice(error)
            )
            return
    from naslib_swap.plugin import repairs

    yield Finding("import", "ok", "NASLib's predictors, search spaces and evaluators import")
    done = "; ".join(f"{name} ({where})" for name, where in sorted(repairs.applied.items()))
    yield Finding("repairs", "ok", done or "none were needed")
    for problem in hook.problems:
        yield Finding("repairs", "problem", problem, "this NASLib differs from branch Develop")
    if placeholders.stood_in:
        yield _placeholders(placeholders.stood_in)
    if _version("tensorboard") is None:
        yield Finding(
            "bbo runner", "note", "it needs tensorboard, which is absent", "pip install tensorboard"
        )


def _placeholders(stood_in: Mapping[str, placeholders.Absence]) -> Finding:
    names = sorted(stood_in)
    return Finding(
        "placeholders",
        "note",
        f"{len(names)} packages that zero-cost runs do not use: {', '.join(names)}",
        "other runs may need them: `naslib-swap doctor --json` says why each is absent, "
        "pip install 'naslib-swap[naslib]' installs all",
        tuple(f"{name}: {stood_in[name].reason}; {stood_in[name].advice}" for name in names),
    )


def _advice(error: Exception) -> str:
    if isinstance(error, ModuleNotFoundError) and error.name:
        return f"pip install {error.name}, or pip install 'naslib-swap[naslib]'"
    return "set NASLIB_SWAP_DISABLE=1 to see whether NASLib imports without the plugin"


def _data_folder() -> Iterator[Finding]:
    from naslib_swap.ground_truth.catalogue import DATA_VARIABLE, data_folder

    try:
        folder = data_folder()
    except SwapError as error:
        yield Finding("data folder", "problem", str(error), f"correct or unset {DATA_VARIABLE}")
    else:
        if folder is not None:
            yield Finding("data folder", "ok", str(folder))


def _tables(root: Path) -> Iterator[Finding]:
    from naslib_swap import spaces
    from naslib_swap.plugin import tables

    for space in spaces.names():
        name = spaces.get(space).suite_zero
        if not name:
            continue
        try:
            yield Finding(f"table {space}", "ok", str(tables.find(space, root / "naslib")))
        except SwapError:
            advice = f"naslib-swap data fetch {name}"
            yield Finding(f"table {space}", "problem", "not found", advice)


def _images(root: Path) -> Iterator[Finding]:
    from naslib_swap.plugin.images import FOLDERS
    from naslib_swap.scoring.cache import machine_store

    for dataset, (_, folder) in FOLDERS.items():
        path = root / "naslib" / "data" / folder
        if path.is_dir():
            yield Finding(f"images {dataset}", "ok", str(path))
        else:
            yield Finding(
                f"images {dataset}",
                "note",
                f"{path} is not there: --swap.inputs dataset looks elsewhere for it",
                "put NASLib's data set there, or name a folder: --swap.inputs FOLDER",
            )
    store = machine_store()
    there = store.path.is_file()
    kept = f"{store.count()} in {store.path}" if there else f"none yet in {store.path}"
    yield Finding("kept scores", "ok", kept)
