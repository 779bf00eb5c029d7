"""The same scores from a Ray cluster, and what a dead worker costs there."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from naslib_swap.errors import SwapError
from naslib_swap.scoring import Execution, run
from naslib_swap.scoring.backends import crew
from naslib_swap.scoring.store import LineStore

ray = pytest.importorskip("ray", reason="needs the package ray")


@pytest.fixture(autouse=True)
def _let_go() -> Iterator[None]:
    yield
    ray.shutdown()


@pytest.mark.slow
def test_scores_are_the_same_bits(study, tmp_path, part):
    few = replace(part(study, 4), seeds=(0,))
    found = []
    for backend in ("loky", "ray"):
        path = tmp_path / f"{backend}.jsonl"
        with LineStore(path) as store:
            assert run([few], store, Execution(workers=2, backend=backend)) == 4
            found.append({r.key: r.score.value for r in store.records()})
    assert found[0] == found[1]
    assert None not in found[0].values()


@pytest.mark.slow
def test_a_killed_worker_costs_its_own_architecture_alone(reason_of_a_killer):
    assert "the worker died, killed or out of memory" in reason_of_a_killer("ray")


def test_an_address_at_which_nothing_listens_is_an_error():
    message = r"no Ray cluster answers at ray://127\.0\.0\.1:1: .*Start one with `ray start --head`"
    with pytest.raises(SwapError, match=message), crew("ray", 2, "ray://127.0.0.1:1"):
        pass
