from __future__ import annotations

import os
import signal
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from naslib_swap import spaces
from naslib_swap.scoring.backends import crew
from naslib_swap.scoring.job import failed_records
from naslib_swap.scoring.run import score_jobs
from naslib_swap.scoring.study import InputsSpec, Study
from naslib_swap.scoring.survey import missing_jobs


@pytest.fixture(scope="session")
def genotypes() -> tuple[str, ...]:
    """Eight architectures of the DARTS space, whose tiny networks score in milliseconds."""
    space, rng = spaces.get("darts"), np.random.default_rng(0)
    return tuple(space.encode(space.sample(rng)) for _ in range(8))


@pytest.fixture(scope="session")
def study(genotypes: tuple[str, ...]) -> Study:
    return Study(
        space="darts",
        task="cifar10",
        archs=genotypes,
        proxies=("swap", "params", "depth", "nwot", "l2_norm"),
        seeds=(0, 1),
        inputs=InputsSpec("natural", samples=6),
        settings={"repeats": 0, "batch_repeats": 1, "mu": 1.0, "sigma": 1.0},
        variant="tiny",
    )


@pytest.fixture
def reason_of_a_killer(study: Study) -> Callable[[str], str]:
    """Score by a backend, one architecture killing its worker; give the reason of its failure.

    That all others are scored, each once, is asserted here.
    """
    unlucky, here = study.archs[1], os.getpid()

    def dying(job):  # nested, so that it travels to the workers by value
        assert os.getpid() != here
        if job.arch == unlucky:
            os.kill(os.getpid(), signal.SIGKILL)
        return failed_records(job, "scored")

    def reason(backend: str) -> str:
        jobs = list(missing_jobs(replace(study, seeds=(0,)), frozenset()))
        with crew(backend, 2) as hands:
            done = list(score_jobs(jobs, hands, dying, failed_records))
        errors = {records[0]["arch"]: records[0]["error"] for records in done}
        assert len(done) == len(jobs) == len(errors)
        found = errors.pop(unlucky)
        assert set(errors.values()) == {"scored"}
        return found

    return reason
