from __future__ import annotations

import os
import signal
from collections.abc import Callable
from dataclasses import replace

import pytest

from naslib_swap.scoring import Architecture, Conditions, Images, Study
from naslib_swap.scoring.backends import crew
from naslib_swap.scoring.dispatch import Dispatch
from naslib_swap.scoring.single import failed
from naslib_swap.scoring.study import missing


@pytest.fixture(scope="session")
def study(genotypes: tuple[str, ...]) -> Study:
    return Study(
        space="darts",
        task="cifar10",
        subjects={arch: Architecture("darts", "cifar10", arch, "tiny") for arch in genotypes},
        proxies=("swap", "params", "depth", "nwot", "l2_norm"),
        seeds=(0, 1),
        conditions=Conditions(
            Images("natural", samples=6),
            {"repeats": 0, "batch_repeats": 1, "mu": 1.0, "sigma": 1.0},
        ),
    )


@pytest.fixture(scope="session")
def part() -> Callable[[Study, int], Study]:
    """The first architectures of a study."""

    def first(study: Study, count: int) -> Study:
        return replace(study, subjects=dict(list(study.subjects.items())[:count]))

    return first


@pytest.fixture
def reason_of_a_killer(study: Study) -> Callable[[str], str]:
    """Score by a backend, one architecture killing its worker; give the reason of its failure.

    That all others are scored, each once, is asserted here.
    """
    unlucky, here = list(study.subjects)[1], os.getpid()

    def dying(job):  # nested, so that it travels to the workers by value
        assert os.getpid() != here
        if job.subject.name == unlucky:
            os.kill(os.getpid(), signal.SIGKILL)
        return failed(job, "scored")

    def reason(backend: str) -> str:
        jobs = missing(replace(study, seeds=(0,)))
        with crew(backend, 2) as hands:
            done = list(Dispatch(hands, jobs, dying))
        errors = {records[0].key.arch: records[0].score.error for records in done}
        assert len(done) == len(jobs) == len(errors)
        found = errors.pop(unlucky)
        assert set(errors.values()) == {"scored"}
        return found

    return reason
