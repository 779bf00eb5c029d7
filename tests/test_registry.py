"""Proxies, spaces and sources by name: our own, other packages', and those added by hand."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from importlib import metadata

import pytest

from naslib_swap import ground_truth, proxies, spaces
from naslib_swap.errors import BadArgument
from naslib_swap.proxies import Proxy
from naslib_swap.registry import Registry


@pytest.fixture
def registry() -> Registry:
    return Registry("proxy", "naslib_swap.predictors", "PROXY", "naslib_swap.test_group")


def _proxy(name: str) -> Proxy:
    return Proxy(name, f"Another {name}", compute=len)


def test_every_module_of_the_folder_is_found_by_the_name_it_gives():
    assert {"swap", "reg_swap", "params", "flops", "depth", "zico"} <= set(proxies.names())
    assert all(proxies.get(name).name == name for name in proxies.names())
    assert list(proxies.names()) == sorted(proxies.names())
    assert {"darts", "nasbench201", "transbench101_macro"} <= set(spaces.names())
    assert {"analog", "csv", "darts1000", "suite-zero"} <= set(ground_truth.sources())


def test_an_unknown_name_lists_the_known_ones():
    with pytest.raises(BadArgument, match=r"got the proxy 'swop', expected one of depth, .*swap"):
        proxies.get("swop")
    with pytest.raises(BadArgument, match=r"got the search space 'x', expected one of "):
        spaces.get("x")
    with pytest.raises(BadArgument, match=r"got the source of accuracies 'x', expected one of "):
        ground_truth.load("x")


def test_what_is_registered_is_found_once(registry):
    mine = registry.register(_proxy("mine"))
    assert registry.get("mine") is mine
    assert "mine" in registry.names()
    assert registry.registered() == (mine,)
    registry.register(mine)  # again: nothing happens
    with pytest.raises(BadArgument, match="there is a proxy 'mine' already"):
        registry.register(Proxy("mine", "Not the same", compute=len))
    with pytest.raises(BadArgument, match="as a proxy, expected something with a name"):
        registry.register(object())


def test_a_thread_that_comes_while_another_one_loads_waits(registry, monkeypatch):
    """Both threads of a Dask worker ask at its start; importing a module may ask again."""
    loading, never = threading.Event(), threading.Event()

    def slowly():
        yield _proxy("first")
        assert registry.names() == ("first",)
        loading.set()
        never.wait(0.2)
        yield _proxy("last")

    monkeypatch.setattr(registry, "_own", slowly)
    with ThreadPoolExecutor(2) as threads:
        names = threads.submit(registry.names)
        assert loading.wait(10)
        assert threads.submit(registry.get, "last").result(10).name == "last"
        assert names.result(10) == ("first", "last")


def test_a_name_of_our_own_cannot_be_taken(registry):
    with pytest.raises(BadArgument, match="there is a proxy 'swap' already"):
        registry.register(_proxy("swap"))


class _Point:
    def __init__(self, name, found):
        self.name, self.value, self._found = name, f"package:{name}", found

    def load(self):
        if isinstance(self._found, Exception):
            raise self._found
        return self._found


def test_other_packages_add_theirs_and_a_broken_one_takes_nobody_along(registry, monkeypatch):
    class Points(list):
        def select(self, group):
            return self if group == "naslib_swap.test_group" else []

    points = Points(
        [
            _Point("broken", ImportError("no module named gone")),
            _Point("swap", _proxy("swap")),  # taken
            _Point("two", (_proxy("one"), _proxy("two"))),
        ]
    )
    monkeypatch.setattr(metadata, "entry_points", lambda: points)
    with pytest.warns(UserWarning, match="is left out: ") as warned:
        assert {"one", "two", "swap"} <= set(registry.names())
    said = [str(warning.message) for warning in warned]
    assert any("'broken'" in text and "no module named gone" in text for text in said)
    assert any("'swap'" in text and "already" in text for text in said)
    assert registry.get("swap").title == "SWAP"
