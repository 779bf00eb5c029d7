"""Dependencies point one way, as docs/architecture.md says."""

from __future__ import annotations

import ast
import graphlib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
HOMES = {
    "naslib_swap": ROOT / "naslib_swap",
    "naslib_swap.predictors": ROOT / "predictors",
    "naslib_swap.optimizers": ROOT / "optimizers",
}
LAYERS = [
    {"cli"},
    {"flexibert", "models", "plugin", "optimizers"},
    {"evaluation"},
    {"scoring"},
    {"predictors", "inputs", "ground_truth"},
    {"spaces"},
    {"core"},
]
ALLOWED = {
    ("naslib_swap.optimizers.naslib_swap_re", "plugin"),  # NASLib's optimiser
    ("naslib_swap.proxies", "predictors"),  # the registry names what a proxy is given
    ("naslib_swap.plugin.hook", "plugin.startup"),
}


def modules() -> dict[str, Path]:
    found = {}
    for package, folder in HOMES.items():
        for path in folder.rglob("*.py"):
            parts = path.relative_to(folder).with_suffix("").parts
            found[".".join((package, *(part for part in parts if part != "__init__")))] = path
    return found


MODULES = modules()


def statements(path: Path) -> Iterator[str]:
    """What a module imports, inside functions too; not for types alone."""
    pending: list[ast.AST] = [ast.parse(path.read_text(encoding="utf-8"))]
    while pending:
        node = pending.pop()
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            continue
        pending += ast.iter_child_nodes(node)
        if isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)


def imported(path: Path) -> Iterator[str]:
    """Modules of ours that a module imports."""
    for name in statements(path):
        while name and name not in MODULES:
            name = name.rpartition(".")[0]
        if name:
            yield name


IMPORTS = {name: set(imported(path)) - {name} for name, path in MODULES.items()}


def layer(module: str) -> int:
    part = module.split(".")[1] if "." in module else "core"
    named = (rank for rank, layer in enumerate(LAYERS) if part in layer)
    return next(named, len(LAYERS) - 1)


def allowed(module: str, other: str) -> bool:
    return any(module == one and other.startswith(f"naslib_swap.{place}") for one, place in ALLOWED)


def test_no_layer_imports_from_one_above():
    wrong = [
        f"{module} -> {other}"
        for module, others in IMPORTS.items()
        for other in others
        if layer(other) < layer(module) and not allowed(module, other)
    ]
    assert wrong == []


def test_there_is_no_cycle_of_imports():
    graph = {
        module: {other for other in others if not allowed(module, other)}
        for module, others in IMPORTS.items()
    }
    graphlib.TopologicalSorter(graph).prepare()


def test_a_cycle_would_be_seen():
    with pytest.raises(graphlib.CycleError):
        graphlib.TopologicalSorter({"a": {"b"}, "b": {"a"}}).prepare()


def test_only_the_plugin_imports_naslib():
    wrong = [
        module
        for module, path in MODULES.items()
        if "plugin" not in module and not module.rpartition(".")[2].startswith("naslib_")
        if any(name.split(".")[0] == "naslib" for name in statements(path))
    ]
    assert wrong == []


def test_nothing_is_imported_that_only_unix_has():
    only_unix = {"fcntl", "grp", "posix", "pwd", "resource", "termios"}
    wrong = {
        module: found
        for module, path in MODULES.items()
        if (found := only_unix.intersection(name.split(".")[0] for name in statements(path)))
    }
    assert wrong == {}
