"""What a release is checked with: `nox` runs all of it, `nox -s smoke-3.12` one part.

Everything installs the wheel that `build` makes, never the checkout. Torch comes from wherever pip
finds it; TORCH names another one, such as TORCH="torch==2.8.0".
"""

from __future__ import annotations

import configparser
import os
from pathlib import Path

import nox

ROOT = Path(__file__).parent
DIST = ROOT / "build" / "release"
PYTHONS = ["3.9", "3.10", "3.11", "3.12", "3.13"]
TORCH = os.environ.get("TORCH", "torch")
TESTS = ("-m", "not slow", "-n", os.environ.get("WORKERS", "2"), "--dist", "loadfile")

nox.options.default_venv_backend = "venv"
nox.options.sessions = ["build", "smoke", "tests", "lowest", "newest", "kernelless", "ray",
                        "extras", "docs"]  # fmt: skip


def wheel() -> str:
    """Return the path of the wheel that `build` made."""
    found = sorted(DIST.glob("*.whl"))
    if not found:
        raise FileNotFoundError("there is no wheel; run `nox -s build` first")
    return str(found[-1])


def installed(session: nox.Session, *others: str, extras: str) -> None:
    """Install the wheel, also where an older build of this version is there (`nox -r`)."""
    session.install(*others, f"{wheel()}[{extras}]")
    session.install("--no-deps", "--force-reinstall", wheel())


def declared(option: str) -> list[str]:
    """Return the requirements of the package, or of one of its extras."""
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg")
    section = "options" if option == "install_requires" else "options.extras_require"
    return [line for line in setup[section][option].split("\n") if line and line[0] != "#"]


def tested(session: nox.Session, *chosen: str) -> None:
    """Run tests on what is installed; the sources are out of reach."""
    home = Path(session.create_tmp()) / "checkout"
    home.mkdir(exist_ok=True)
    sources = {"naslib_swap", "predictors", "optimizers", "build", ".git", ".venv", ".nox"}
    for name in sorted({path.name for path in ROOT.iterdir()} - sources):
        link = home / name
        if not link.is_symlink():
            link.symlink_to(ROOT / name)
    with session.chdir(home):
        session.run("pytest", "-o", "pythonpath=", "-p", "no:cacheprovider",
                    # These read the sources.
                    "--ignore", "tests/test_layers.py", "--ignore", "tests/test_docstrings.py",
                    *chosen, *session.posargs)  # fmt: skip


@nox.session
def build(session: nox.Session) -> None:
    """Make the sdist, and the wheel from it; check what their pages on an index would show."""
    session.install("build", "twine")
    session.run("python", "-m", "build", "--outdir", str(DIST), str(ROOT))
    session.run("twine", "check", "--strict", *map(str, DIST.iterdir()))


@nox.session(python=PYTHONS)
def smoke(session: nox.Session) -> None:
    """Check a bare environment: the wheel and what it asks for, nothing else."""
    installed(session, TORCH, extras="analog")
    with session.chdir(session.create_tmp()):
        session.run("naslib-swap", "doctor")
        session.run("naslib-swap", "table", "--archs", "12", "--proxies", "params,swap,nwot",
                    "--samples", "8", "--out", "smoke", "--quiet")  # fmt: skip
        session.run("naslib-swap", "search", "--space", "nasbench201", "--cycles", "5",
                    "--out", "smoke-search", "--quiet")  # fmt: skip


@nox.session(python=PYTHONS)
def tests(session: nox.Session) -> None:
    """Run the fast tests on every Python."""
    installed(session, TORCH, extras="analog,text,test")
    tested(session, *TESTS)


@nox.session(python="3.9")
def lowest(session: nox.Session) -> None:
    """Run the fast tests with the lowest versions that the package asks for."""
    least = [one.replace(">=", "==") + ".*" for one in declared("install_requires")]
    others = [one for one in least if not one.startswith("torch")]
    first = os.environ.get("TORCH") or next(one for one in least if one.startswith("torch"))
    installed(session, first, *others, extras="analog,test")
    tested(session, *TESTS)


@nox.session(python="3.13")
def newest(session: nox.Session) -> None:
    """Run the fast tests with the newest versions there are, pre-releases too."""
    session.install(TORCH)
    session.install("--upgrade", "--pre", *(
        one for one in declared("install_requires") if not one.startswith("torch")
    ))  # fmt: skip
    installed(session, extras="analog,test")
    tested(session, *TESTS)


@nox.session(python="3.11")
def kernelless(session: nox.Session) -> None:
    """Run the tests of the core without the compiled kernel."""
    installed(session, TORCH, extras="analog,test")
    session.env["NASLIB_SWAP_KERNEL"] = "numpy"
    tested(session, *TESTS, "tests/core", "tests/predictors", "tests/scoring")


@nox.session(python="3.11")
def ray(session: nox.Session) -> None:
    """Run the tests that need a Ray cluster."""
    installed(session, TORCH, "ray", extras="analog,test,cluster")
    tested(session, "-n", "0", "tests/scoring/test_ray.py", "tests/scoring/test_clusters.py")


@nox.session(python="3.11")
def extras(session: nox.Session) -> None:
    """Resolve every extra that a text names, from the wheel."""
    session.install(TORCH)
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg")
    for name in setup["options.extras_require"]:
        session.run("pip", "install", "--dry-run", "--quiet", f"{wheel()}[{name}]")


@nox.session(python="3.11")
def docs(session: nox.Session) -> None:
    """Build the documentation; a warning is an error."""
    installed(session, TORCH, extras="docs")
    session.run("make", "links", external=True)
    session.run("mkdocs", "build", "--strict", "--site-dir", str(ROOT / "build" / "site"))
