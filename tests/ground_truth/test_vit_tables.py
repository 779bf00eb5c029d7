"""OoD-ViT-NAS and ViTBench-101: small files, damaged ones, and the real ones."""

from __future__ import annotations

import copy
import json
from collections import OrderedDict
from pathlib import Path
from typing import Any

import pytest
import torch

from naslib_swap import ground_truth, spaces
from naslib_swap.errors import SwapError
from naslib_swap.ground_truth import GroundTruth

NARROW = "192-" + "-".join(["3h4"] * 12)


def network(width: int, accuracy: Any, **more: Any) -> dict[str, Any]:
    setting = {"layer_num": 12, "mlp_ratio": [4] * 12, "num_heads": [3] * 12}
    setting["embed_dim"] = [width] * 12
    performance = {"Imagenet": {"clean": accuracy, "corruption": {"Fog": {"1": 60}}}}
    return {"net_setting": setting, "performance": performance, **more}


RECORDS = {
    "0": network(192, 75.25, params=5.5, flops=1250.0),
    "1": network(216, 75.5, params=7.0, flops="none"),
    "2": network(240, 74, params=8.5),
}


def ood(tmp_path: Path, content: Any) -> GroundTruth:
    path = tmp_path / "table.json"
    path.write_text(json.dumps(content))
    return ground_truth.load("ood-vit-nas", space="autoformer_tiny", task="imagenet", path=path)


def test_accuracies_and_stored_sizes(tmp_path: Path) -> None:
    loaded = ood(tmp_path, RECORDS)
    assert loaded.accuracy == {
        NARROW: 75.25,
        NARROW.replace("192", "216"): 75.5,
        NARROW.replace("192", "240"): 74,
    }
    assert loaded.proxies["params"] == dict(zip(loaded.accuracy, (5.5, 7.0, 8.5)))
    assert loaded.proxies["flops"] == {NARROW: 1250.0}
    sizes = {name: scores[NARROW] for name, scores in loaded.proxies.items() if name != "params"}
    assert sizes == {
        "flops": 1250.0,
        "width": 192.0,
        "depth_then_width": 12.0192,
        "widths": 12 * 192.0,
        "heads": 36.0,
        "ffn_ratios": 48.0,
        "ffn_widths": 12 * 768.0,
    }
    assert loaded.notes == ()


def test_a_record_without_accuracies_is_left_out_and_said(tmp_path: Path) -> None:
    more = network(192, 70)
    more["net_setting"]["num_heads"] = [4] * 12
    del more["performance"]["Imagenet"]["clean"]
    loaded = ood(tmp_path, {**RECORDS, "3": more})
    assert len(loaded.accuracy) == 3
    assert "1 of 4 rows have no accuracy (the first is None, of '192-4h4-" in loaded.notes[0]
    with pytest.raises(SwapError, match=r"1 of 3 rows have no accuracy .* leaves 2 architectures"):
        ood(tmp_path, {**RECORDS, "2": more})


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ([], "expected an object of records, each with a net_setting"),
        ({"0": 3}, "expected an object of records, each with a net_setting"),
        ({"a": {"params": 3}}, r"table.json, record a: .* is no AutoFormer-T architecture"),
        ({"0": network(448, 80)}, "expected a width of 192, 216 or 240 instead of 448"),
        ({"0": network(192, 80), "1": network(192, 81)}, "has two accuracies, 80.0 and 81.0"),
    ],
)
def test_what_is_no_table_of_ood_vit_nas(tmp_path: Path, content: Any, message: str) -> None:
    with pytest.raises(SwapError, match=message):
        ood(tmp_path, content)


PIT = {"base_dim": 16, "mlp_ratio": 6, "depth": [2, 8, 4], "num_heads": [2, 4, 4]}


def pit_records() -> list[dict[str, Any]]:
    found = []
    for base, accuracy in ((16, 60.5), (24, 61.25), (32, 63.0)):
        columns = {"c100_kd_acc": accuracy, "c100_base_acc": -accuracy, "flower_kd_acc": 1.0}
        found.append({"arch": {**PIT, "base_dim": base}, **columns})
    return copy.deepcopy(found)


def pit(tmp_path: Path, content: Any, source: str = "vitbench", task: str = "cifar100") -> Any:
    path = tmp_path / "gt.pth"
    torch.save(content, path)
    return ground_truth.load(source, space="pit", task=task, path=path)


def test_distilled_and_plain_columns(tmp_path: Path) -> None:
    keys = [f"{base}r6-2x2h-8x4h-4x4h" for base in (16, 24, 32)]
    distilled = pit(tmp_path, pit_records())
    assert (distilled.source, distilled.task) == ("vitbench", "cifar100")
    assert distilled.accuracy == dict(zip(keys, (60.5, 61.25, 63.0)))
    assert {name: scores[keys[0]] for name, scores in distilled.proxies.items()} == {
        "width": 64.0,
        "depth_then_width": 14.0064,
        "widths": 2 * 32 + 12 * 64.0,
        "heads": 2 * 2 + 12 * 4.0,
        "ffn_ratios": 14 * 6.0,
        "ffn_widths": 6 * (2 * 32 + 12 * 64.0),
    }
    plain = pit(tmp_path, pit_records(), "vitbench-base")
    assert plain.source == "vitbench-base"
    assert plain.accuracy == dict(zip(keys, (-60.5, -61.25, -63.0)))


def test_what_is_no_table_of_vitbench(tmp_path: Path) -> None:
    with pytest.raises(SwapError, match="expected a list of records, each with an arch"):
        pit(tmp_path, {"a": 1})
    with pytest.raises(SwapError, match="3 of 3 rows have no accuracy"):
        pit(tmp_path, pit_records(), task="chaoyang")
    with pytest.raises(SwapError, match=r"gt.pth, record 0: .* is no PiT architecture"):
        pit(tmp_path, [{"arch": {**PIT, "base_dim": 17}}])
    with pytest.raises(SwapError, match="its pickle asks for collections"):
        pit(tmp_path, OrderedDict(pit_records()[0]))
    with pytest.raises(SwapError, match="'vitbench' has no task 'imagenet'"):
        pit(tmp_path, pit_records(), task="imagenet")


@pytest.mark.parametrize(
    ("source", "space", "count", "lowest", "highest"),
    [
        ("ood-vit-nas", "autoformer_tiny", 1001, 74.4, 75.6),
        ("ood-vit-nas", "autoformer_small", 1001, 79.4, 81.7),
        ("vitbench", "vitbench_autoformer", 100, 0, 100),
        ("vitbench", "pit", 100, 0, 100),
        ("vitbench-base", "pit", 100, 0, 100),
    ],
)
def test_the_real_files(
    data_dir: Path, source: str, space: str, count: int, lowest: float, highest: float
) -> None:
    for task in spaces.get(space).tasks:
        loaded = ground_truth.load(source, space=space, task=task)
        assert len(loaded.accuracy) == count
        assert lowest <= min(loaded.accuracy.values()) < max(loaded.accuracy.values()) <= highest
