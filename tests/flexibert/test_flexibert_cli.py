"""The command `flexibert`, called as Typer calls it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from naslib_swap.cli.flexibert import flexibert
from naslib_swap.errors import SwapError
from naslib_swap.flexibert import FlexibertPlan
from naslib_swap.flexibert.benchmark import find_encoder
from naslib_swap.flexibert.encoder import parse, to_dict
from naslib_swap.options import config_names, plan_of, read_config

TEXTS = ("128/SA-SDP-2-512x1/LT-DFT-2-512x1", "128/SA-WMA-4-512x1", "256/LT-DCT-4-512x1")


def _command(*arguments: str) -> str:
    app = typer.Typer()
    app.command()(flexibert)
    result = CliRunner().invoke(app, list(arguments), catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def test_compares_and_resumes(
    files: dict[str, str], tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    out = tmp_path / "out"
    arguments = [
        *("--benchmark", files["benchmark"], "--text", files["text"], "--tokenizer", "trained"),
        *("--samples", "4", "--length", "4", "--proxies", "swap,params,depth"),
        *("--out", str(out), "--workers", "1"),
    ]
    assert "3 encoders, paper, 4 documents of 4 tokens" in _command(*arguments)
    names = {path.name for path in out.iterdir()}
    assert {"flexibert.md", "table-i.csv", "tasks.csv", "proxies.png", "tasks.svg"} <= names
    before = (out / "scores.jsonl").read_bytes()
    request.getfixturevalue("no_pictures")
    _command(*arguments, "--quiet")
    assert (out / "scores.jsonl").read_bytes() == before


@pytest.mark.usefixtures("no_pictures")
def test_failures_are_retried_and_all_of_them_are_an_error(
    files: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    common = ["--text", files["text"], "--tokenizer", "trained", "--samples", "4"]
    arguments = [
        *("--benchmark", files["benchmark"], *common, "--proxies", "swap"),
        *("--out", str(out), "--workers", "1"),
    ]

    def fail(*arguments: object, **options: object) -> None:
        raise RuntimeError("no memory")

    with monkeypatch.context() as broken:
        broken.setattr("naslib_swap.flexibert.probe.count_patterns", fail)
        with pytest.raises(SwapError, match="all 3 scores failed, the first with: Runtime"):
            _command(*arguments)
        with pytest.raises(SwapError, match="every score failed; the table says why"):
            _command("--encoder", TEXTS[0], "--proxies", "swap", *common)
    with pytest.raises(SwapError, match="all 3 scores failed"):
        _command(*arguments)
    assert "Table I" in _command(*arguments, "--retry-failed")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--length", "513"], "got documents of 513 tokens, expected at most 512"),
        (["--seeds", "0"], "got seeds 0, expected at least 1"),
    ],
)
def test_impossible_options_are_refused(
    files: dict[str, str], tmp_path: Path, arguments: list[str], message: str
) -> None:
    common = ["--text", files["text"], "--tokenizer", "trained", "--samples", "4"]
    with pytest.raises(SwapError, match=message):
        _command("--benchmark", files["benchmark"], "--out", str(tmp_path), *common, *arguments)
    assert not (tmp_path / "scores.jsonl").exists()


def test_scores_one_encoder(files: dict[str, str], tmp_path: Path) -> None:
    path = tmp_path / "encoder.json"
    path.write_text(json.dumps(to_dict(parse(TEXTS[0]))))
    common = ("--text", files["text"], "--tokenizer", "trained", "--samples", "4")
    found = _command("--encoder", str(path), "--proxies", "swap,params", *common)
    assert TEXTS[0] in found.replace("\n", "")
    assert "#params" in found


def test_finds_encoders(files: dict[str, str]) -> None:
    assert find_encoder("1", files["benchmark"]) == parse(TEXTS[1])
    assert find_encoder(TEXTS[2]) == parse(TEXTS[2])
    assert find_encoder("random:3") == find_encoder("random:3") != find_encoder("random:4")
    for given, message in (
        ("9", "no encoder 9"),
        ("random:x", "expected random or random:SEED"),
        ("none.json", "cannot read the encoder none.json"),
        ("bert", "cannot read the encoder 'bert'"),
        ("²", "cannot read the encoder '²'"),
        ("random:²", "expected random or random:SEED"),
        ("²56/SA-SDP-2-512x1", "cannot read the encoder '²56"),
        ("256/DSC-²-2-512x1", "operation DSC got the parameter '²'"),
    ):
        with pytest.raises(SwapError, match=message):
            find_encoder(given, files["benchmark"])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b'{"hidden_size": 128, "nas_config": null}', "encoder's nas_config is None; expected a m"),
        (b'{"hparams": 5}', "the encoder's hparams is 5; expected a mapping"),
        (b'{"model_hparam_overrides": []}', r"model_hparam_overrides is \[\]; expected a mapping"),
        (b'{"hidden_size": 128, "nas_config": 3}', "the encoder's nas_config is 3"),
        (b'{"a": "\xff"}', r"cannot read the encoder .*encoder\.json: 'utf-8' codec can't decode"),
        (b"{", "the encoder is no JSON"),
        (b"[" * 100_000, "the encoder is no JSON"),
    ],
)
def test_encoders_that_are_none(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "encoder.json"
    path.write_bytes(content)
    with pytest.raises(SwapError, match=message):
        find_encoder(str(path))


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("operation_type", ["SA"], r"unknown operation \['SA'\]"),
        ("operation_parameter", ["SDP"], r"operation SA got the parameter \['SDP'\]"),
        ("num_operation_heads", None, "a layer's heads is None"),
        ("feed_forward_dimension", {}, "a layer's feed_forward_dimension is {}"),
        ("num_feed_forward", "1", "a layer's feed_forward_layers is '1'"),
    ],
)
def test_layers_of_the_wrong_kind(tmp_path: Path, key: str, value: object, message: str) -> None:
    given = to_dict(parse(TEXTS[1]))
    given["nas_config"]["encoder_layers"][0][key] = value
    path = tmp_path / "encoder.json"
    path.write_text(json.dumps(given))
    with pytest.raises(SwapError, match=message):
        find_encoder(str(path))


@pytest.mark.parametrize("suffix", [".txt", ".jsonl", ".parquet"])
def test_text_that_cannot_be_read(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"text{suffix}"
    path.write_bytes(b"caf\xe9\n")
    with pytest.raises(SwapError, match=r"cannot read the text .*text"):
        _command("--encoder", TEXTS[0], "--text", str(path), "--samples", "4")


def test_other_files_that_cannot_be_read(files: dict[str, str], tmp_path: Path) -> None:
    path = tmp_path / "latin1"
    path.write_bytes(b"caf\xe9\n")
    arguments = (
        *("--encoder", "1", "--benchmark", files["benchmark"]),
        *("--text", files["text"], "--samples", "4"),
    )
    with pytest.raises(SwapError, match=r"latin1 cannot be read"):
        _command(*arguments, "--tokenizer", str(path))
    with pytest.raises(SwapError, match="latin1 is no JSON"):
        find_encoder("1", str(path))
    path.write_text("[3]")
    with pytest.raises(SwapError, match="entry 0 is 3; expected a mapping"):
        find_encoder("1", str(path))


def _plan(config: str, **given: object) -> FlexibertPlan:
    return plan_of(FlexibertPlan, {**read_config(config, "flexibert"), **given}, config)


def test_reads_options(tmp_path: Path) -> None:
    path = tmp_path / "options.yaml"
    path.write_text("fidelity: trained\nsamples: 8\n")
    assert _plan(str(path)) == FlexibertPlan(fidelity="trained", samples=8)
    assert _plan(str(path), samples=4) == FlexibertPlan(fidelity="trained", samples=4)
    for content, message in (
        (b"colour: red", r"unknown option\(s\) colour"),
        (b"samples: many", "got samples 'many', expected int"),
        (b"samples: 1", "got samples 1, expected at least 2"),
        (b"- 1", "expected options by name"),
        (b"text: \xff", "cannot read .*options.yaml: 'utf-8' codec can't decode"),
    ):
        path.write_bytes(content)
        with pytest.raises(SwapError, match=message) as caught:
            _plan(str(path))
        assert "\n" not in str(caught.value)


def test_packaged_configurations() -> None:
    assert config_names("flexibert") == ("paper", "table1", "trained")
    for name in config_names("flexibert"):
        plan = _plan(name)
        assert plan.length == 128
        assert plan.fidelity == ("trained" if name == "trained" else "paper")
    assert _plan("table1").proxies == ()


def test_the_command_line_wins_over_the_file(files: dict[str, str], tmp_path: Path) -> None:
    config = tmp_path / "mine.yaml"
    config.write_text("samples: 4\nlength: 9\nproxies: depth\ntokenizer: trained\n")
    arguments = ["--config", str(config), "--length", "3", "--proxies", "params, swap"]
    found = _command("--encoder", TEXTS[0], "--text", files["text"], *arguments)
    assert "4 documents of 3 tokens" in " ".join(found.split())
    assert "#params" in found
    assert "SWAP" in found
    assert "layers" not in found
