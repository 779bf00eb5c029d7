from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from naslib_swap.errors import SwapError
from naslib_swap.evaluation import job as job_module
from naslib_swap.scoring.backends import Crew
from naslib_swap.scoring.job import failed_records, score_job
from naslib_swap.scoring.run import run, score_jobs
from naslib_swap.scoring.store import ScoreStore, read_records
from naslib_swap.scoring.study import SCORES_VERSION, Digests, InputsSpec, Study, settings_of
from naslib_swap.scoring.survey import gather, missing_jobs, survey


def _run(study: Study, path: Path, **options) -> int:
    with ScoreStore(path) as store:
        return run([study], store, **options)


def _values(path: Path) -> dict:
    return {
        (r["arch"], r["proxy"], r["seed"]): (r["value"], r["saturation"], r["settings_id"])
        for r in read_records(path)
    }


@pytest.fixture(scope="module")
def reference(study: Study, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All scores of the study, from this process."""
    path = tmp_path_factory.mktemp("reference") / "scores.jsonl"
    assert _run(study, path) == len(study.archs) * len(study.seeds)
    return path


def test_every_score_is_stored_once_with_its_settings(study, reference):
    records = list(read_records(reference))
    assert len(records) == len(study.archs) * len(study.seeds) * len(study.proxies)
    assert len(_values(reference)) == len(records)
    swap = next(r for r in records if r["proxy"] == "swap")
    assert swap["settings"] == {
        "version": SCORES_VERSION,
        "variant": "tiny",
        "inputs": "natural",
        "samples": 6,
        "digest": swap["settings"]["digest"],
        "repeats": 0,
        "batch_repeats": 1,
    }
    assert swap["value"] > 1
    assert swap["seconds"] > 0


def test_two_processes_score_bit_for_bit_what_one_does(study, reference, tmp_path):
    _run(study, tmp_path / "s.jsonl", workers=2)
    assert _values(tmp_path / "s.jsonl") == _values(reference)


def test_neither_the_order_nor_the_company_of_proxies_matters(study, reference, tmp_path):
    other = replace(study, archs=study.archs[::-1], proxies=study.proxies[::-1], seeds=(1, 0))
    torch.manual_seed(99)
    _run(other, tmp_path / "s.jsonl")
    assert _values(tmp_path / "s.jsonl") == _values(reference)
    for proxy in ("l2_norm", "nwot"):
        _run(replace(study, proxies=(proxy,)), tmp_path / f"{proxy}.jsonl")
    alone = {**_values(tmp_path / "l2_norm.jsonl"), **_values(tmp_path / "nwot.jsonl")}
    assert alone == {k: v for k, v in _values(reference).items() if k[1] in ("l2_norm", "nwot")}


def test_seeds_change_weights_and_crops(study, reference):
    values = _values(reference)
    changed = [
        p for p in study.proxies
        if values[study.archs[0], p, 0] != values[study.archs[0], p, 1]
    ]  # fmt: skip
    assert {"nwot", "l2_norm"} <= set(changed)
    assert values[study.archs[0], "params", 0][0] == values[study.archs[0], "params", 1][0]
    digests = {(r["seed"], r["settings"]["digest"]) for r in read_records(reference)}
    assert len(digests) == 2


def test_only_what_is_missing_is_scored(study, reference, tmp_path):
    path = tmp_path / "s.jsonl"
    lines = reference.read_bytes().splitlines(keepends=True)
    # Seven whole architectures, two proxies of the eighth, and half a line.
    path.write_bytes(b"".join(lines[:37]) + lines[37][:20])
    seen = []
    assert _run(study, path, progress=lambda done, total: seen.append((done, total))) == 9
    assert seen == [(n, 9) for n in range(10)]
    assert _values(path) == _values(reference)
    assert len(list(read_records(path))) == len(lines)
    assert _run(study, path) == 0


def test_more_proxies_seeds_and_architectures_add_to_what_is_there(study, reference, tmp_path):
    path = tmp_path / "s.jsonl"
    part = replace(study, archs=study.archs[:5], proxies=("swap",), seeds=(0,))
    assert _run(part, path) == 5
    _run(study, path)
    assert _values(path) == _values(reference)


def test_the_process_is_left_as_it_was(study, tmp_path):
    torch.manual_seed(5)
    state, threads = torch.get_rng_state(), torch.get_num_threads()
    _run(replace(study, archs=study.archs[:2]), tmp_path / "s.jsonl")
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.get_num_threads() == threads


def test_drawing_weights_leaves_the_generators_of_gpus_alone(study, monkeypatch):
    seeded: list[int] = []
    monkeypatch.setattr(torch.cuda, "manual_seed_all", seeded.append)
    monkeypatch.setattr(job_module, "score_network", lambda probe, names: {})
    torch.manual_seed(7)
    assert seeded == [7]  # what torch.manual_seed does
    assert score_job(next(missing_jobs(study, frozenset()))) == []
    assert seeded == [7]


def test_other_settings_are_scored_anew_and_named(study, reference, tmp_path):
    path = tmp_path / "s.jsonl"
    path.write_bytes(reference.read_bytes())
    notes: list[str] = []
    other = replace(study, settings={**study.settings, "repeats": 2}, seeds=(0,))
    assert _run(other, path, note=notes.append) == len(study.archs)
    assert len(notes) == 1
    assert "also holds 8 score(s)" in notes[0]  # of SWAP: no other proxy reads `repeats`
    assert "repeats 0 (now 2)" in notes[0]
    frame = gather([other], path)[0]
    assert len(frame) == len(study.archs) * len(study.proxies)
    assert len(gather([study], path)[0]) == 2 * len(frame)


def test_a_network_that_cannot_be_built_is_a_failure_with_its_reason(
    study, reference, tmp_path, monkeypatch
):
    space = type(job_module.spaces.get("darts"))
    build, unlucky = space.build, study.archs[3]

    def short_of_memory(self, arch, **options):
        if self.encode(arch) == unlucky:
            raise MemoryError("no room for 40 GB")
        return build(self, arch, **options)

    monkeypatch.setattr(space, "build", short_of_memory)
    path = tmp_path / "s.jsonl"
    _run(study, path)
    failed = [r for r in read_records(path) if r["value"] is None]
    assert {(r["arch"], r["error"]) for r in failed} == {
        (unlucky, "MemoryError: no room for 40 GB")
    }
    assert len(failed) == len(study.proxies) * len(study.seeds)
    notes: list[str] = []
    assert _run(study, path, note=notes.append) == 0
    assert "10 score(s) failed in an earlier run; --retry-failed" in notes[0]

    monkeypatch.undo()
    assert _run(study, path, retry_failed=True) == 2
    assert _values(path) == _values(reference)  # of a score stored twice the last one counts
    assert not gather([study], path)[0]["value"].isna().any()


def test_a_failing_proxy_does_not_take_the_others_along(study, tmp_path):
    path = tmp_path / "s.jsonl"
    asked = replace(study, archs=study.archs[:2], proxies=("reg_swap", "params"), settings={})
    _run(asked, path)
    by_proxy = {r["proxy"]: r for r in read_records(path)}
    assert by_proxy["reg_swap"]["value"] is None
    assert "mu and sigma" in by_proxy["reg_swap"]["error"]
    assert by_proxy["params"]["value"] > 0


def test_labels_of_the_users_own_belong_to_the_scores_of_what_reads_them(study, tmp_path):
    pixels = np.random.default_rng(0).integers(256, size=(6, 32, 32, 3), dtype=np.uint8)
    stores, files = [], []
    for name, labels in (("a", [0, 1, 2, 3, 4, 5]), ("b", [5, 5, 5, 0, 0, 0])):
        files.append(tmp_path / f"{name}.npz")
        np.savez(files[-1], images=pixels, labels=np.array(labels))
        inputs = InputsSpec("cifar10", samples=6, path=str(files[-1]))
        asked = replace(
            study, archs=study.archs[:1], proxies=("grad_norm", "nwot"), seeds=(0,), inputs=inputs
        )
        stores.append(tmp_path / f"{name}.jsonl")
        _run(asked, stores[-1])
    one, other = ({r["proxy"]: r for r in read_records(path)} for path in stores)
    assert one["grad_norm"]["settings_id"] != other["grad_norm"]["settings_id"]
    assert one["grad_norm"]["value"] != other["grad_norm"]["value"]
    assert one["nwot"]["settings_id"] == other["nwot"]["settings_id"]
    notes: list[str] = []
    assert _run(asked, stores[0], note=notes.append) == 1
    assert "also holds 1 score(s)" in notes[0]
    assert "labels " in notes[0]


def test_drawn_labels_and_those_of_known_data_sets_change_no_settings(study):
    job = next(missing_jobs(study, frozenset()))
    assert job.digests.labels is None
    assert "labels" not in settings_of(study, "grad_norm", job.digests)
    assert "labels" in settings_of(study, "grad_norm", Digests("d", "l"))


def test_a_worker_refuses_other_images(study):
    job = next(missing_jobs(study, frozenset()))
    with pytest.raises(SwapError, match=r"digest .* expected 0000.* same files"):
        score_job(replace(job, digests=Digests("0000")))


def test_a_killed_worker_costs_its_own_architecture_alone(reason_of_a_killer):
    assert "the worker died" in reason_of_a_killer("loky")


def test_workers_that_all_die_end_the_run():
    def lost(task):
        raise ChildProcessError

    def start(tasks):
        next(iter(tasks))
        raise ChildProcessError
        yield

    hands = Crew(run=start, alone=lost, lost=(ChildProcessError,))
    jobs = [_job(number) for number in range(20)]
    with pytest.raises(SwapError, match="workers died on 5 architectures in a row"):
        list(score_jobs(jobs, hands, score_job, failed_records))


def _job(number: int):
    study = Study("darts", "cifar10", (), ("params",))
    return job_module.Job(study, str(number), 0, ("params",), Digests(""))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"workers": 0}, "got 0 workers, expected at least 1"),
        ({"backend": "threads"}, "got backend 'threads', expected one of loky, dask, ray"),
        ({"address": "tcp://localhost:1"}, "expected --backend dask or ray"),
    ],
)
def test_impossible_workers_are_refused(study, tmp_path, options, message):
    with pytest.raises(SwapError, match=message):
        _run(study, tmp_path / "s.jsonl", **options)
    assert (tmp_path / "s.jsonl").read_bytes() == b""


def test_a_foreign_file_of_lines_is_refused(study, tmp_path):
    path = tmp_path / "s.jsonl"
    path.write_text(json.dumps({"model": "resnet", "top1": 0.7}) + "\n")
    with pytest.raises(SwapError, match=r"expected a stored score with space, task.*'resnet'"):
        _run(study, path)
    assert path.read_text().count("\n") == 1


def test_an_older_version_is_scored_anew(study, reference):
    records = [{**r, "settings": {**r["settings"], "version": 0}, "settings_id": "old"}
               for r in read_records(reference)]  # fmt: skip
    found = survey([study], records)
    assert not found.done
    assert found.others == {f"version 0 (now {SCORES_VERSION})": len(records)}
