"""Run one of NASLib's runners with the hook in place: the explicit route to what start-up does."""

from __future__ import annotations

import runpy
import sys
from collections.abc import Sequence
from pathlib import Path

from naslib_swap.errors import BadArgument, BadFile
from naslib_swap.plugin import checkout, hook


def launch(runner: str, arguments: Sequence[str]) -> None:
    """Run a runner in this process, as `python RUNNER ARGUMENTS...` would.

    `runner` is a script's path, or its place below `naslib/runners` with or without `runner.py`
    ("zc", "zc/benchmarks", "nas/runner.py"). SwapError when there is no such runner; otherwise
    whatever the runner raises.
    """
    script = find_runner(runner)
    root = checkout.above(script)
    hook.install()
    # As the interpreter does for a script, and the checkout behind it.
    sys.argv = [str(script), *arguments]
    sys.path.insert(0, str(script.parent))
    if root is not None:
        sys.path.insert(1, str(root))
    runpy.run_path(str(script), run_name="__main__")


def find_runner(runner: str) -> Path:
    """Find the script of a runner; SwapError that lists the runners when there is none."""
    given = Path(runner)
    if given.suffix == ".py" and given.is_file():
        return given.absolute()
    root = checkout.find()
    if root is None:
        raise BadFile(
            f"runner {runner!r}: no NASLib checkout was found; give the script's path, run from "
            f"inside the checkout, or set {checkout.ROOT_VARIABLE}"
        )
    runners = root / "naslib" / "runners"
    if not runners.is_dir():
        raise BadFile(
            f"runner {runner!r}: the NASLib in {root} has no runners, as is so where it was "
            f"installed without -e; give a runner's path in a checkout, or set "
            f"{checkout.ROOT_VARIABLE} to one"
        )
    for candidate in (runners / runner / "runner.py", runners / runner, root / runner):
        if candidate.is_file():
            return candidate
    raise BadArgument(
        f"there is no runner {runner!r} in {runners}; there are {', '.join(names(runners))}"
    )


def names(runners: Path) -> list[str]:
    """List the scripts of a folder of runners as `find_runner` takes them."""
    scripts = sorted(runners.rglob("*.py"))
    relative = [script.relative_to(runners) for script in scripts]
    return [str(p.parent if p.name == "runner.py" else p) for p in relative]
