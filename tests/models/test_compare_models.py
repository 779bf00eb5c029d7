"""Comparing models: measured by hand, judged, refused and written."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import ttest_ind
from torch import nn

from naslib_swap import SwapError, compare_models, swap_score
from naslib_swap.models.judgement import alike, near_bound, ranked
from naslib_swap.models.measure import ModelScore, needed_by
from naslib_swap.score import SignCount, SwapScore

IMAGES = torch.randn(6, 3, 8, 8, generator=torch.Generator().manual_seed(0))


def narrow() -> nn.Module:
    return nn.Sequential(nn.Conv2d(3, 2, 3), nn.ReLU())


def wide() -> nn.Module:
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Conv2d(4, 4, 3), nn.ReLU())


def raises() -> nn.Module:
    raise RuntimeError("no such layer")


def test_a_comparison_measures_what_a_hand_does() -> None:
    found = compare_models({"narrow": narrow, "wide": wide}, IMAGES)
    rows = found.table.set_index("model")
    assert found.table["model"].tolist() == ["wide", "narrow"]
    assert rows.loc["narrow", "values"] == 2 * 6 * 6
    assert rows.loc["narrow", "parameters"] == 2 * 27 + 2
    assert rows.loc["narrow", "macs"] == 2 * 6 * 6 * 27
    assert rows.loc["wide", "macs"] == 4 * 6 * 6 * 27 + 4 * 4 * 4 * 36
    assert rows.loc[["narrow", "wide"], "depth"].tolist() == [1, 2]
    assert rows.loc["narrow", "score_per_value"] == rows.loc["narrow", "score"] / 72
    assert rows["samples"].tolist() == [6, 6]


def test_a_module_keeps_its_weights_and_a_factory_draws_from_the_seed() -> None:
    net = narrow()
    before = swap_score(net, IMAGES).score
    assert compare_models({"net": net}, IMAGES, seed=5).scored[0].score == before
    torch.manual_seed(5)
    drawn = swap_score(narrow(), IMAGES, seed=5).score
    torch.manual_seed(99)
    assert compare_models({"net": narrow}, IMAGES, seed=5).scored[0].score == drawn


def test_lazy_weights_are_drawn_from_the_seed() -> None:
    def lazy() -> nn.Module:
        return nn.Sequential(nn.Flatten(), nn.LazyLinear(30), nn.LazyBatchNorm1d(), nn.ReLU())

    def plain() -> nn.Module:
        return nn.Sequential(nn.Flatten(), nn.Linear(192, 30), nn.BatchNorm1d(30), nn.ReLU())

    images = torch.randn(32, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    found = compare_models({"lazy": lazy, "plain": plain}, images, samples="auto", draws=2)
    assert found.records[0]["draws"] == found.records[1]["draws"]
    assert "Run the network once" in str(
        compare_models({"given": lazy()}, IMAGES).failed[0].error  # yours, which stays as it is
    )
    wrong = compare_models({"lazy": lambda: nn.Sequential(nn.LazyConv2d(2, 9))}, IMAGES)
    assert "lazy failed on inputs float32 [2, 3, 8, 8]" in str(wrong.failed[0].error)


def test_one_bad_model_costs_its_own_row() -> None:
    found = compare_models({"bad": raises, "narrow": narrow, "number": lambda: 3}, IMAGES)
    assert [one.name for one in found.scored] == ["narrow"]
    errors = {one.name: one.error for one in found.failed}
    assert "cannot build bad: RuntimeError: no such layer" in str(errors["bad"])
    assert errors["number"] == "number returned int, expected a torch.nn.Module."
    assert found.table["error"].notna().sum() == 2


def test_draws_are_runs_under_one_seed_after_another() -> None:
    together = compare_models({"net": wide}, IMAGES, draws=3, seed=2)
    alone = [compare_models({"net": wide}, IMAGES, seed=seed).scored[0].score for seed in (2, 3, 4)]
    assert together.records[0]["draws"] == alone
    assert together.records[0]["spread"] == pytest.approx(np.std(alone, ddof=1))
    assert together.scored[0].score == pytest.approx(np.mean(alone))


def test_equal_models_share_their_rank() -> None:
    found = compare_models({"a": wide, "b": wide, "c": narrow}, IMAGES, draws=3)
    assert found.view["rank"].tolist() == ["1=", "1=", "3"]
    assert "Ranks with = are not told apart by 3 draws (95 %): 2 of 3." in found.remarks


@settings(max_examples=40)
@given(st.lists(st.lists(st.integers(0, 9), min_size=4, max_size=4), min_size=2, max_size=4))
def test_ranks_are_those_of_welchs_test(scores: list[list[int]]) -> None:
    def better(one: list[int], other: list[int]) -> bool:
        if np.var(one) + np.var(other) == 0:
            return np.mean(one) > np.mean(other)
        p = ttest_ind(one, other, equal_var=False).pvalue
        return bool(np.mean(one) > np.mean(other) and p < 0.05)

    expected = [1 + sum(better(other, mine) for other in scores) for mine in scores]
    assert [rank for rank, _ in ranked(scores)] == expected


def test_regularised_by_a_rule_over_the_set() -> None:
    found = compare_models({"narrow": narrow, "wide": wide}, IMAGES, rule="largest")
    largest = max(one.swap.parameters for one in found.scored) / 1000
    assert (found.mu, found.sigma) == (largest, largest**2)
    best = found.records[0]
    assert best["log_reg_score"] == pytest.approx(math.log(best["score"]))
    assert "log reg-SWAP" in found.view


def test_other_proxies_are_columns_and_their_failures_too() -> None:
    found = compare_models({"wide": wide}, IMAGES, proxies="swap,params,reg_swap")
    assert found.records[0]["params"] == found.scored[0].swap.parameters / 1e6
    assert "needs the settings mu and sigma" in found.records[0]["reg_swap"]


# How many samples


def test_auto_takes_the_fewest_samples_off_the_bound() -> None:
    images = torch.randn(40, 3, 8, 8, generator=torch.Generator().manual_seed(1))
    said: list[str] = []
    found = compare_models({"wide": wide}, images, samples="auto", note=said.append)
    chosen = found.samples
    torch.manual_seed(0)
    net = wide()
    near = {n: swap_score(net, images[:n], seed=0).near_bound for n in (8, 12, 16, 24, 32, 40)}
    assert not near[chosen]
    assert all(near[n] for n in near if n < chosen)
    assert any(f"--samples {chosen}" in text for text in said)


def test_auto_says_nothing_of_models_that_have_no_score() -> None:
    said: list[str] = []
    found = compare_models({"bad": raises}, IMAGES, samples="auto", note=said.append)
    assert found.failed
    assert not said


def test_what_two_kinds_of_signs_share_of_their_bounds_is_said_of_the_nearer() -> None:
    def score(**kinds: SignCount) -> ModelScore:
        total = sum(int(kind.patterns) for kind in kinds.values())
        values = sum(kind.values for kind in kinds.values())
        swap = SwapScore(total, (total,), 8, values, 6561, total / 6561, 1, {}, {}, kinds)
        return ModelScore("net", draws=(swap,))

    # Signed values that are exactly 0 give more patterns than two signs have.
    both = score(rectified=SignCount(256, 9000, 256), signed=SignCount(769, 9000, 256))
    assert near_bound([both]).startswith("Near the bound, where a score tells little: net (100%)")
    # All 2^8 patterns of two signs, though V is the bound: more samples help.
    assert "take more samples" in near_bound([score(signed=SignCount(256, 5000, 256))])
    assert "take fewer samples" in near_bound([score(rectified=SignCount(250, 255, 255))])


def test_all_samples_that_are_given_are_taken() -> None:
    images = torch.randn(40, 3, 8, 8)
    assert compare_models({"wide": wide}, images).samples == 40
    assert compare_models({"wide": wide}, images, samples=7).samples == 7


def test_models_near_the_bound_are_named() -> None:
    images = torch.randn(2, 3, 8, 8)
    found = compare_models({"wide": wide, "narrow": narrow}, images, samples=2)
    assert found.remarks[0].startswith("Near the bound, where a score tells little: ")
    assert "wide" in found.remarks[0]
    assert "--samples auto" in found.remarks[0]


# Alike


def gelu() -> nn.Module:
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.GELU())


def test_unlike_models_are_said_to_be_unlike() -> None:
    found = compare_models({"relu": wide, "gelu": gelu}, IMAGES)
    assert "Not alike: some activations have two signs and some three" in alike(found.scored)

    def normed() -> nn.Module:
        return nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU())

    found = compare_models({"a": wide, "b": normed}, IMAGES)
    assert "2 families (" in alike(found.scored)
    assert "BatchNorm2d/Conv2d" in alike(found.scored)


def test_alike_models_come_with_their_correlations() -> None:
    def of(width: int) -> nn.Module:
        return nn.Sequential(nn.Conv2d(3, width, 3), nn.ReLU())

    nets = {f"w{width}": of(width) for width in (1, 2, 3, 5, 8)}
    images = torch.randn(16, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    line = alike(compare_models(nets, images).scored)
    assert line.startswith(
        "Alike: one family (Conv2d), the same inputs. Spearman of SWAP with V 1."
    )
    assert line.endswith("it ranks these as V does, and says no more.")


def test_inputs_that_differ_are_said() -> None:
    def shaped(side: int) -> nn.Module:
        net = wide()
        net.input_shape = (3, side, side)  # type: ignore[assignment]
        return net

    found = compare_models({"a": shaped(8), "b": shaped(9)}, samples=4)
    assert "Not alike: inputs differ (natural, float32 [4, 3, " in alike(found.scored)


# Memory


def test_what_would_not_fit_is_refused_with_the_most_samples_that_do() -> None:
    images = torch.randn(64, 3, 32, 32)
    found = compare_models({"wide": wide}, images, samples=64, memory=0.002)
    error = str(found.failed[0].error)
    assert "for 64 samples, and 2 MB of memory are free: at most --samples " in error
    most = int(error.split("at most --samples ")[1].split()[0])
    assert compare_models({"wide": wide}, images, samples=most, memory=0.002).scored
    assert compare_models({"wide": wide}, images, samples=most + 1, memory=0.002).failed


def test_weights_that_would_not_fit_are_never_drawn() -> None:
    def huge() -> nn.Module:
        return nn.Sequential(nn.Linear(10**6, 10**7), nn.ReLU())  # 40 TB

    found = compare_models({"huge": huge}, torch.randn(4, 8))
    assert "huge has 40,000" in str(found.failed[0].error).replace("40000", "40,000")


def test_a_footprint_by_hand_on_meta_and_on_samples() -> None:
    from naslib_swap.models.footprint import footprint

    class Branching(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Linear(4, 8)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            if float(x.sum()) > math.inf:  # which the meta device cannot tell
                return x
            return torch.relu(self.layer(x))

    x = torch.randn(5, 4)
    plain = footprint(nn.Sequential(nn.Linear(4, 8), nn.ReLU()), x, seed=0, mode="train")
    assert plain is not None
    assert (plain.weights, plain.row, plain.macs) == (4 * 40, 16, 32)
    assert (plain.most, plain.sum) == (2 * 32, 2 * 32)
    assert needed_by(plain)[0] == 160
    branching = footprint(Branching(), x, seed=0, mode="train")
    assert branching is not None
    assert branching.macs == 32
    assert footprint(nn.Linear(3, 3), x, seed=0, mode="train") is None


def test_what_would_not_fit_is_refused_before_its_weights_are_drawn() -> None:
    built: list[str] = []

    class Masked(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Linear(4, 8)
            built.append(self.layer.weight.device.type)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            if not (x == x).all():  # as where a language model looks for masked tokens
                return x
            return torch.relu(self.layer(x))

    found = compare_models({"masked": Masked}, torch.randn(9, 4), memory=1e-6)
    assert "for 9 samples, and 0.001 MB of memory are free: at most" in str(found.failed[0].error)
    assert built == ["meta"]


# Inputs


def test_bytes_of_images_are_recognised(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 255, (5, 9, 10, 3), dtype=np.uint8)
    np.save(tmp_path / "a.npy", pixels)
    np.savez(tmp_path / "b.npz", images=pixels, labels=np.arange(5))
    np.save(tmp_path / "c.npy", pixels.transpose(0, 3, 1, 2))
    np.savez(tmp_path / "d.npz", whatever=pixels)
    said: list[str] = []
    found = [
        compare_models({"wide": wide}, input_file=str(tmp_path / name), note=said.append)
        for name in ("a.npy", "b.npz", "c.npy", "d.npz")
    ]
    assert {one.scored[0].digest for one in found} == {found[0].scored[0].digest}
    assert found[0].scored[0].inputs.endswith("a.npy, float32 [5, 3, 9, 10]")
    assert any("taken for 5 images of 9x10x3" in text for text in said)
    assert any("has 5 rows, fewer than --samples 32" in text for text in said)
    held = compare_models({"wide": wide}, torch.from_numpy(pixels)).scored[0]
    assert held.inputs == "the inputs, float32 [5, 3, 9, 10]"
    small = compare_models({"wide": wide}, input_file=str(tmp_path / "a.npy"), input_shape="3,8,8")
    assert small.scored[0].inputs.endswith("float32 [5, 3, 8, 8]")


def test_a_folder_of_pictures(tmp_path: Path) -> None:
    from PIL import Image

    for number in range(3):
        Image.fromarray(np.full((8, 9, 3), 80 * number, dtype=np.uint8)).save(
            tmp_path / f"{number}.png"
        )
    found = compare_models({"wide": wide}, str(tmp_path), input_shape="3,8,8", samples=3)
    assert found.scored[0].swap.samples == 3
    said: list[str] = []
    few = compare_models({"wide": wide}, str(tmp_path), samples=4, note=said.append)
    assert few.scored[0].inputs.endswith("float32 [3, 3, 8, 9]")  # their own shape
    assert f"{tmp_path} has 3 rows, fewer than --samples 4: all of them are taken" in said
    Image.fromarray(np.zeros((7, 12, 3), dtype=np.uint8)).save(tmp_path / "3.png")
    first = compare_models({"wide": wide}, str(tmp_path), samples=3)
    assert first.scored[0].inputs.endswith("float32 [3, 3, 8, 9]")  # the fourth is not looked at
    mixed = compare_models({"wide": wide}, str(tmp_path), samples=4)
    assert "pictures of 2 sizes, expected --input-shape, such as 3,7,9" in str(
        mixed.failed[0].error
    )


def test_an_array_alone_is_the_first_argument_whatever_its_name(tmp_path: Path) -> None:
    class Named(nn.Module):
        def forward(self, x: torch.Tensor, y: torch.Tensor | None = None) -> torch.Tensor:
            return torch.relu(x if y is None else x * y)

    pixels = np.random.default_rng(0).normal(size=(4, 6)).astype(np.float32)
    scores = []
    for number, names in enumerate([("arr_0",), ("x",), ("images", "labels"), ("x", "y")]):
        file = tmp_path / f"{number}.npz"
        np.savez(file, **{n: pixels if n in names[:1] else np.full((4, 1), -1.0) for n in names})
        found = compare_models({"named": Named}, str(file), samples=4)
        scores.append(found.scored[0].digest)
    assert scores[0] == scores[1] == scores[2] != scores[3]


def test_texts_for_a_model_of_tokens(tmp_path: Path) -> None:
    class Tiny(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.table = nn.Embedding(20, 6)

        def forward(self, ids: torch.Tensor) -> torch.Tensor:
            return torch.relu(self.table(ids))

    embedded = compare_models({"tiny": Tiny}, text="embedded", samples=4, length=8).scored[0]
    assert embedded.inputs == "text, int64 [4, 8] of 20"
    (tmp_path / "some.txt").write_text("one two three four five six seven eight nine ten " * 2)
    own = compare_models({"tiny": Tiny}, text=str(tmp_path / "some.txt"), samples=9, length=8)
    assert own.scored[0].swap.samples == 2
    said: list[str] = []
    file = str(tmp_path / "some.txt")
    named = compare_models({"tiny": Tiny}, file, samples=9, length=8, note=said.append)
    assert named.scored[0].digest == own.scored[0].digest
    assert f"{file} has 2 texts of 8 tokens, fewer than --samples 9: all of them are taken" in said
    short = compare_models({"tiny": Tiny}, text=str(tmp_path / "some.txt"), length=11)
    assert "has 20 words, expected at least 22" in str(short.failed[0].error)
    same = compare_models({"tiny": Tiny}, text=str(tmp_path / "some.txt"), length=10)
    assert "all windows of 10 tokens are alike" in str(same.failed[0].error)
    asked = compare_models({"tiny": Tiny}, samples=4)
    assert "--text embedded?" in str(asked.failed[0].error)
    none = compare_models({"wide": wide}, text="embedded")
    assert "has no table of embeddings" in str(none.failed[0].error)


@settings(max_examples=40)
@given(
    vocabulary=st.integers(6, 400),
    reserved=st.frozensets(st.integers(0, 400), max_size=3),
    length=st.integers(2, 12),
)
def test_tokens_stay_in_the_vocabulary(
    vocabulary: int, reserved: frozenset[int], length: int
) -> None:
    from hypothesis import assume

    from naslib_swap.models.model import Takes
    from naslib_swap.models.texts import tokens

    assume(set(range(min(5, vocabulary // 2), vocabulary)) - reserved)
    found = tokens(Takes("tokens", (length,), vocabulary, reserved), 4, None)
    assert found.shape == (4, length)
    assert int(found.min()) >= 0
    assert int(found.max()) < vocabulary
    assert not reserved.intersection(found.flatten().tolist())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"mu": 1.0}, "got mu=1.0 and sigma=None"),
        ({"rule": "biggest"}, "got rule 'biggest', expected one of largest"),
        ({"rule": "largest", "mu": 3.0, "sigma": 2.0}, "got a rule, and mu and sigma"),
        ({"mode": "test"}, "got mode='test'"),
        ({"memory": -1.0}, "expected gigabytes above 0"),
        ({"samples": "many"}, "expected a whole number, or auto"),
        ({"samples": 2.5}, "expected a whole number, or auto"),
        ({"inputs": "natral"}, "unknown source of images 'natral'"),
        ({"text": "none.txt"}, "there is no file none.txt"),
        ({"inputs": "none.npy"}, "there is no file none.npy, expected a minibatch"),
        ({"inputs": "none.txt"}, "there is no file none.txt, expected a text"),
        ({"inputs": "a.txt", "text": "b.txt"}, "got texts by both --inputs and --text"),
        ({"wat": 1}, "unknown option(s) wat"),
    ],
)
def test_options_that_do_not_fit_end_it_at_once(options: dict, message: str) -> None:
    with pytest.raises(SwapError) as caught:
        compare_models({"bad": raises}, **{"input_shape": "3,8,8", **options})
    assert message in str(caught.value)


# What comes out


def test_it_is_written_in_every_form(tmp_path: Path) -> None:
    from naslib_swap.models.files import write_comparison

    found = compare_models({"a|<b>": wide, "=cmd": narrow, "bad": raises}, IMAGES)
    rows = [json.loads(line) for line in found.to_json().splitlines()]
    assert [row["model"] for row in rows] == ["a|<b>", "=cmd", "bad"]
    assert rows[2]["error"].startswith("cannot build bad")
    assert "'=cmd" in found.to_csv()
    assert r"a\|\<b\>" in found.to_markdown()
    html = found._repr_html_()
    assert "<td>a|&lt;b&gt;</td>" in html
    assert "cannot build bad" in html
    write_comparison(found, tmp_path / "out")
    assert {file.name for file in (tmp_path / "out").iterdir()} == {
        "models.json", "models.csv", "models.md", "models.png", "models.svg",
    }  # fmt: skip
