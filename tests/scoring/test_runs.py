from __future__ import annotations

import errno
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from naslib_swap import proxies, spaces
from naslib_swap.errors import BadArgument, BadFile, SwapError
from naslib_swap.proxies import Proxy
from naslib_swap.scoring import VERSION, Architecture, Execution, Images, Recipe, Study, run, score
from naslib_swap.scoring import single as single_module
from naslib_swap.scoring.backends import Crew, processors
from naslib_swap.scoring.dispatch import Dispatch
from naslib_swap.scoring.single import score_job
from naslib_swap.scoring.store import LineStore, MemoryStore
from naslib_swap.scoring.study import COLUMNS, gather, missing, survey


def _run(study: Study, path: Path, *, execution: Execution | None = None, **options) -> int:
    with LineStore(path) as store:
        return run([study], store, execution, **options)


def _records(path: Path) -> list:
    return list(LineStore(path).records())


def _values(path: Path) -> dict:
    return {
        (key.arch, key.proxy, key.seed): (score.value, score.saturation, key.recipe)
        for key, score, _ in _records(path)
    }


@pytest.fixture(scope="module")
def reference(study: Study, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All scores of the study, from this process."""
    path = tmp_path_factory.mktemp("reference") / "scores.jsonl"
    assert _run(study, path) == len(study.subjects) * len(study.seeds)
    return path


def test_every_score_is_stored_once_with_its_recipe(study, reference):
    records = _records(reference)
    assert len(records) == len(study.subjects) * len(study.seeds) * len(study.proxies)
    assert len(_values(reference)) == len(records)
    swap = next(r for r in records if r.key.proxy == "swap")
    assert (swap.recipe.version, swap.recipe.variant, swap.recipe.samples) == (VERSION, "tiny", 6)
    assert swap.recipe.shape == (3, 32, 32)
    assert len(swap.recipe.digest) == 16
    assert dict(swap.recipe.settings) == {"batch_repeats": 1, "repeats": 0}
    assert swap.score.value > 1
    assert swap.score.seconds > 0
    params = next(r for r in records if r.key.proxy == "params")
    assert (params.recipe.samples, params.recipe.digest, params.recipe.settings) == (0, "", ())


def test_one_score_alone_is_that_of_the_run(study, reference):
    subject = next(iter(study.subjects.values()))
    for seed in study.seeds:
        alone = score(subject, ["nwot", "swap"], study.conditions, seed=seed)
        for name, found in alone.items():
            assert found.value == _values(reference)[subject.name, name, seed][0]


def test_two_processes_score_bit_for_bit_what_one_does(study, reference, tmp_path):
    _run(study, tmp_path / "s.jsonl", execution=Execution(workers=2))
    assert _values(tmp_path / "s.jsonl") == _values(reference)


def test_neither_the_order_nor_the_company_of_proxies_matters(study, reference, tmp_path):
    other = replace(
        study,
        subjects=dict(reversed(study.subjects.items())),
        proxies=study.proxies[::-1],
        seeds=(1, 0),
    )
    torch.manual_seed(99)
    _run(other, tmp_path / "s.jsonl")
    assert _values(tmp_path / "s.jsonl") == _values(reference)
    for proxy in ("l2_norm", "nwot"):
        _run(replace(study, proxies=(proxy,)), tmp_path / f"{proxy}.jsonl")
    alone = {**_values(tmp_path / "l2_norm.jsonl"), **_values(tmp_path / "nwot.jsonl")}
    assert alone == {k: v for k, v in _values(reference).items() if k[1] in ("l2_norm", "nwot")}


def test_seeds_change_weights_and_crops(study, reference):
    values, first = _values(reference), next(iter(study.subjects))
    changed = [p for p in study.proxies if values[first, p, 0] != values[first, p, 1]]
    assert {"nwot", "l2_norm"} <= set(changed)
    assert values[first, "params", 0][0] == values[first, "params", 1][0]
    digests = {(r.key.seed, r.recipe.digest) for r in _records(reference) if r.recipe.digest}
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
    assert len(_records(path)) == len(lines)
    assert _run(study, path) == 0


def test_more_proxies_seeds_and_architectures_add_to_what_is_there(
    study, reference, tmp_path, part
):
    path = tmp_path / "s.jsonl"
    assert _run(replace(part(study, 5), proxies=("swap",), seeds=(0,)), path) == 5
    _run(study, path)
    assert _values(path) == _values(reference)


def test_equal_networks_are_scored_once_and_listed_each(tmp_path):
    # Without an edge 1→2 the two inner nodes can change places.
    twins = ("(2, 3, 0, 1, 4, 2)", "(3, 2, 0, 1, 2, 4)")
    study = Study(
        "nasbench201",
        "cifar10",
        {text: Architecture("nasbench201", "cifar10", text) for text in twins},
        ("swap", "params"),
    )
    store = MemoryStore()
    assert run([study], store) == 1
    frame = gather([study], store)[0]
    assert sorted(frame["arch"]) == sorted(2 * twins)
    assert frame.groupby("proxy")["value"].nunique().tolist() == [1, 1]


def test_the_process_is_left_as_it_was(study, tmp_path, part):
    torch.manual_seed(5)
    state, threads = torch.get_rng_state(), torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        _run(part(study, 2), tmp_path / "s.jsonl")
        assert torch.equal(torch.get_rng_state(), state)
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(threads)


def test_drawing_weights_leaves_the_generators_of_gpus_alone(study, monkeypatch):
    seeded: list[int] = []
    monkeypatch.setattr(torch.cuda, "manual_seed_all", seeded.append)
    torch.manual_seed(7)
    assert seeded == [7]  # what torch.manual_seed does
    next(iter(study.subjects.values())).build(0)
    assert seeded == [7]


def test_other_settings_are_scored_anew_and_named(study, reference, tmp_path):
    path = tmp_path / "s.jsonl"
    path.write_bytes(reference.read_bytes())
    notes: list[str] = []
    settings = {**study.conditions.settings, "repeats": 2}
    other = replace(study, conditions=replace(study.conditions, settings=settings), seeds=(0,))
    assert _run(other, path, note=notes.append) == len(study.subjects)
    assert len(notes) == 1
    assert "also holds 8 score(s)" in notes[0]  # of SWAP: no other proxy reads `repeats`
    assert "repeats 0 (now 2)" in notes[0]
    frame = gather([other], LineStore(path))[0]
    assert len(frame) == len(study.subjects) * len(study.proxies)
    assert len(gather([study], LineStore(path))[0]) == 2 * len(frame)


def test_a_network_that_cannot_be_built_is_a_failure_with_its_reason(
    study, reference, tmp_path, monkeypatch
):
    space = type(spaces.get("darts"))
    build, unlucky = space.build, list(study.subjects)[3]

    def short_of_memory(self, arch, **options):
        if self.encode(arch) == unlucky:
            raise MemoryError("no room for 40 GB")
        return build(self, arch, **options)

    monkeypatch.setattr(space, "build", short_of_memory)
    path = tmp_path / "s.jsonl"
    _run(study, path)
    failed = [r for r in _records(path) if r.score.value is None]
    assert {(r.key.arch, r.score.error) for r in failed} == {
        (unlucky, "MemoryError: no room for 40 GB")
    }
    # The sizes and the depth of an architecture need no network.
    assert {r.key.proxy for r in failed} == {"swap", "nwot", "l2_norm"}
    notes: list[str] = []
    assert _run(study, path, note=notes.append) == 0
    assert "6 score(s) failed in an earlier run; --retry-failed" in notes[0]

    monkeypatch.undo()
    assert _run(study, path, execution=Execution(workers=1, retry_failed=True)) == 2
    assert _values(path) == _values(reference)  # of a score stored twice the last one counts
    assert not gather([study], LineStore(path))[0]["value"].isna().any()


def test_a_text_that_is_no_architecture_is_refused():
    with pytest.raises(BadArgument, match="'nonsense' is no NAS-Bench-201 architecture"):
        score(Architecture("nasbench201", "cifar10", "nonsense"), ["depth"])


def test_a_failing_proxy_does_not_take_the_others_along(study, tmp_path, part):
    path = tmp_path / "s.jsonl"
    conditions = replace(study.conditions, settings={})
    _run(replace(part(study, 2), proxies=("reg_swap", "params"), conditions=conditions), path)
    by_proxy = {r.key.proxy: r.score for r in _records(path)}
    assert by_proxy["reg_swap"].value is None
    assert "mu and sigma" in by_proxy["reg_swap"].error
    assert by_proxy["reg_swap"].trace is None  # a request that cannot be met is no bug
    assert by_proxy["params"].value > 0


@pytest.fixture
def a_proxy(monkeypatch):
    """Register a proxy for one test."""
    monkeypatch.setattr(proxies.PROXIES, "_found", dict(proxies.PROXIES._found))
    monkeypatch.setattr(proxies.PROXIES, "_by_hand", {})
    monkeypatch.setattr(proxies.PROXIES, "_asked", False)
    return lambda compute: proxies.register(Proxy("mine", "Mine", compute))


def test_a_bug_in_a_proxy_keeps_its_line(study, tmp_path, part, a_proxy):
    def compute(probe):
        return 1 / 0  # the line to be told

    a_proxy(compute)
    _run(replace(part(study, 1), proxies=("mine",), seeds=(0,)), tmp_path / "s.jsonl")
    (record,) = _records(tmp_path / "s.jsonl")
    assert record.score.error == "ZeroDivisionError: division by zero"
    assert "1 / 0  # the line to be told" in record.score.trace


def test_a_proxy_registered_here_is_known_to_the_workers(study, tmp_path, part, a_proxy):
    a_proxy(lambda probe: float(probe.seed % 1000))
    asked = replace(part(study, 2), proxies=("mine",), seeds=(0,))
    _run(asked, tmp_path / "s.jsonl", execution=Execution(workers=2))
    expected = {s.name: s.weights_seed(0) % 1000 for s in asked.subjects.values()}
    assert {r.key.arch: r.score.value for r in _records(tmp_path / "s.jsonl")} == expected


def test_a_full_disk_is_not_taken_for_a_bad_architecture(study, tmp_path, part, a_proxy):
    def compute(probe):
        raise OSError(errno.ENOSPC, "No space left on device")

    a_proxy(compute)
    with pytest.raises(OSError, match="No space left"):
        _run(replace(part(study, 1), proxies=("mine",)), tmp_path / "s.jsonl")
    assert _records(tmp_path / "s.jsonl") == []


def test_labels_of_the_users_own_belong_to_the_scores_of_what_reads_them(study, tmp_path, part):
    pixels = np.random.default_rng(0).integers(256, size=(6, 32, 32, 3), dtype=np.uint8)
    stores, files = [], []
    for name, labels in (("a", [0, 1, 2, 3, 4, 5]), ("b", [5, 5, 5, 0, 0, 0])):
        files.append(tmp_path / f"{name}.npz")
        np.savez(files[-1], images=pixels, labels=np.array(labels))
        images = Images("cifar10", samples=6, path=str(files[-1]))
        asked = replace(
            part(study, 1),
            proxies=("grad_norm", "nwot"),
            seeds=(0,),
            conditions=replace(study.conditions, inputs=images),
        )
        stores.append(tmp_path / f"{name}.jsonl")
        _run(asked, stores[-1])
    one, other = ({r.key.proxy: r for r in _records(path)} for path in stores)
    assert one["grad_norm"].recipe != other["grad_norm"].recipe
    assert one["grad_norm"].score.value != other["grad_norm"].score.value
    assert one["nwot"].recipe == other["nwot"].recipe
    notes: list[str] = []
    assert _run(asked, stores[0], note=notes.append) == 1
    assert "also holds 1 score(s)" in notes[0]
    assert "labels " in notes[0]


def test_the_same_images_by_another_name_are_the_same_recipe(study, tmp_path, data_dir):
    file = data_dir / "images" / "cifar10_train_first512.npz"
    subject = next(iter(study.subjects.values()))
    ids = {
        Recipe.of(subject, "swap", replace(study.conditions, inputs=images), 0).id
        for images in (Images("cifar10", 6, path=str(file)), Images("cifar10", 6, str(file)))
    }
    assert len(ids) == 1


def test_a_worker_refuses_other_images(study):
    job = missing(study)[0]
    with pytest.raises(BadFile, match=r"digest .* expected 0000.* same files"):
        score_job(job._replace(digests="0000"))


def test_a_killed_worker_costs_its_own_architecture_alone(reason_of_a_killer):
    assert "the worker died" in reason_of_a_killer("loky")


def test_workers_that_all_die_end_the_run(study):
    def lost(*task):
        raise ChildProcessError

    hands = Crew(lost, most=2, lost=(ChildProcessError,))
    with pytest.raises(SwapError, match="workers died on 5 architectures in a row"):
        list(Dispatch(hands, missing(study)))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"workers": 0}, "got 0 workers, expected at least 1"),
        ({"backend": "threads"}, "got backend 'threads', expected one of loky, dask, ray"),
        ({"address": "tcp://localhost:1"}, "expected --backend dask or ray"),
    ],
)
def test_impossible_workers_are_refused_also_where_nothing_is_left_to_do(options, message):
    with pytest.raises(SwapError, match=message):
        Execution(**options)


def test_workers_are_as_many_as_the_processors_that_are_allotted(monkeypatch):
    monkeypatch.setenv("SLURM_CPUS_PER_TASK", "1")
    assert processors() == 1
    monkeypatch.setenv("SLURM_CPUS_PER_TASK", "100000")
    assert processors() < 100000


def test_a_foreign_file_of_lines_is_refused(study, tmp_path):
    path = tmp_path / "s.jsonl"
    path.write_text('{"model": "resnet", "top1": 0.7}\n')
    with pytest.raises(BadFile, match=r"begins with .*resnet.* not written by naslib-swap"):
        _run(study, path)
    assert path.read_text().count("\n") == 1


def test_scores_of_another_version_are_not_used(study, reference):
    records = []
    for key, found, recipe in _records(reference):
        older = replace(recipe, version=1)
        records.append((key._replace(recipe=older.id), found, older))
    seen = survey([study], records)
    assert not any(map(any, (block.known for block in seen.blocks.values())))
    assert seen.others == {f"version 1 (now {VERSION})": len(records)}


def test_a_study_of_nothing_lacks_nothing(study):
    nothing = replace(study, subjects={})
    store = MemoryStore()
    assert missing(nothing) == []
    assert run([nothing], store) == 0
    (frame,) = gather([nothing], store)
    assert list(frame.columns) == list(COLUMNS)
    assert not len(frame)


def test_scoring_waits_for_no_inputs_that_are_not_there(study):
    conditions = replace(study.conditions, inputs=Images("/no/such/folder", 6))
    with pytest.raises(SwapError, match="unknown source of images"):
        single_module.score(next(iter(study.subjects.values())), ["swap"], conditions)


def test_networks_are_built_on_the_cpu_whatever_the_default_device():
    arch = Architecture("nasbench201", "cifar10", "(2, 0, 3, 2, 0, 4)")
    with torch.device("meta"):
        built = arch.build(0)
    assert all(map(torch.equal, built.parameters(), arch.build(0).parameters()))
