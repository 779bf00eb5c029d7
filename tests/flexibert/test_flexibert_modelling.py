from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import AutoConfig, AutoModel

from naslib_swap import swap_score
from naslib_swap.errors import SwapError
from naslib_swap.flexibert.benchmark import load_benchmark, load_released
from naslib_swap.flexibert.configuration import FlexiBertConfig
from naslib_swap.flexibert.encoder import parse, sample
from naslib_swap.flexibert.modelling import FlexiBertModel

TEXT = "128/SA-WMA-4-512x3/LT-DFT-2-512x1/DSC-9-4-1024x3/LT-DCT-4-512x1"
SMALL = {"vocab_size": 50, "embedding_size": 8, "max_position_embeddings": 16}


def _model(text: str = TEXT, fidelity: str = "paper", **settings: int) -> FlexiBertModel:
    torch.manual_seed(0)
    return FlexiBertModel(
        FlexiBertConfig.from_encoder(parse(text), fidelity, **{**SMALL, **settings})
    ).eval()


def _ids(batch: int = 3, length: int = 9) -> torch.Tensor:
    return torch.randint(1, 50, (batch, length), generator=torch.Generator().manual_seed(1))


def test_paper_fidelity_ignores_hidden_size_and_feed_forward_dimension() -> None:
    config = FlexiBertConfig.from_encoder(parse(TEXT), "paper")
    assert config.hidden_size == 256
    assert [config.feed_forward_widths(i) for i in range(4)] == [[1024] * n for n in (3, 1, 3, 1)]


def test_trained_fidelity_takes_them_as_given() -> None:
    config = FlexiBertConfig.from_encoder(parse(TEXT), "trained")
    assert config.hidden_size == 128
    assert config.feed_forward_widths(0) == [512, 512, 512]
    assert config.feed_forward_widths(1) == [512]
    assert config.feed_forward_widths(2) == [512, 1024, 1024]


@pytest.mark.parametrize("fidelity", ["paper", "trained"])
def test_output_shape_and_hidden_states(fidelity: str) -> None:
    model = _model(fidelity=fidelity)
    width = model.config.hidden_size
    out = model(_ids(), output_hidden_states=True)
    assert out.last_hidden_state.shape == (3, 9, width)
    assert [tuple(s.shape) for s in out.hidden_states] == [(3, 9, width)] * 5
    assert model(_ids(), return_dict=False)[0].shape == (3, 9, width)


@pytest.mark.parametrize("fidelity", ["paper", "trained"])
def test_save_and_load_round_trip(fidelity: str, tmp_path: Path) -> None:
    model = _model(fidelity=fidelity)
    model.save_pretrained(tmp_path)
    config = AutoConfig.from_pretrained(tmp_path)
    assert isinstance(config, FlexiBertConfig)
    assert config.encoder == parse(TEXT)
    assert (config.fidelity, config.hidden_size) == (fidelity, model.config.hidden_size)
    again = AutoModel.from_pretrained(tmp_path).eval()
    torch.testing.assert_close(
        again(_ids()).last_hidden_state, model(_ids()).last_hidden_state, rtol=0, atol=0
    )


def test_masks_matter_when_trained_and_are_ignored_in_the_paper() -> None:
    mask = torch.ones(3, 9, dtype=torch.long)
    mask[:, 6:] = 0
    for fidelity, ignored in (("paper", True), ("trained", False)):
        model = _model(fidelity=fidelity)
        masked = model(_ids(), attention_mask=mask).last_hidden_state
        plain = model(_ids()).last_hidden_state
        assert torch.equal(masked, plain) is ignored


def test_padding_has_no_effect_on_real_tokens_when_trained() -> None:
    model = _model(fidelity="trained")
    mask = torch.ones(3, 9, dtype=torch.long)
    mask[:, 6:] = 0
    other = _ids()
    other[:, 6:] = 7
    torch.testing.assert_close(
        model(_ids(), attention_mask=mask).last_hidden_state[:, :6],
        model(other, attention_mask=mask).last_hidden_state[:, :6],
    )


def test_every_weight_gets_a_gradient() -> None:
    for fidelity in ("paper", "trained"):
        model = _model(fidelity=fidelity)
        out = model(_ids()).last_hidden_state
        out.backward(torch.randn(out.shape, generator=torch.Generator().manual_seed(2)))
        for name, p in model.named_parameters():
            assert p.grad is not None, name
            if not name.endswith("key.bias"):
                assert p.grad.abs().max() > 0, name


def test_a_linear_transform_alone_lacks_its_residual_in_the_paper() -> None:
    text = "128/LT-DFT-2-512x1"
    assert _model(text).layers[0].mixing_output is None
    assert _model(text, "trained").layers[0].mixing_output is not None
    assert _model("128/SA-SDP-2-512x1").layers[0].mixing_output is not None


def test_swap_counts_each_feed_forward_layer_once() -> None:
    score = swap_score(_model(), {"input_ids": _ids(batch=4)})
    assert score.samples == 4
    assert score.values == 9 * 1024 * 8
    assert score.recorded == {"gelu": 8}


def test_weights_follow_the_seed() -> None:
    a, b = _model(), _model()
    assert all(torch.equal(x, y) for x, y in zip(a.parameters(), b.parameters()))
    weight = _model(vocab_size=2000).embeddings.words.weight.detach()
    assert abs(float(weight[1:].std()) - 0.02) < 0.001
    assert float(weight[0].abs().max()) == 0


def test_bad_input_is_refused() -> None:
    model = _model()
    with pytest.raises(SwapError, match="documents of 17 tokens, expected at most 16"):
        model(_ids(length=17))
    with pytest.raises(SwapError, match="either input_ids or inputs_embeds"):
        model()
    with pytest.raises(SwapError, match="got fidelity 'real', expected one of paper, trained"):
        FlexiBertConfig(fidelity="real")
    with pytest.raises(SwapError, match="3 heads, which do not divide the width 256"):
        FlexiBertConfig.from_encoder(parse("9/SA-SDP-3-512x1"), "paper")


def test_embedded_words_may_be_given() -> None:
    model = _model()
    words = model.get_input_embeddings()(_ids())
    torch.testing.assert_close(
        model(inputs_embeds=words).last_hidden_state, model(_ids()).last_hidden_state
    )


def test_sampled_encoders_build_and_run() -> None:
    rng = np.random.default_rng(3)
    for fidelity in ("paper", "trained"):
        config = FlexiBertConfig.from_encoder(sample(rng), fidelity, **SMALL)
        out = FlexiBertModel(config)(_ids()).last_hidden_state
        assert torch.isfinite(out).all()


def _check_parameter_counts(step: int) -> None:
    released = load_released()["Number of Parameters"]
    for entry in load_benchmark()[::step]:
        with torch.device("meta"):
            model = FlexiBertModel(FlexiBertConfig.from_encoder(entry.encoder))
        assert sum(p.numel() for p in model.parameters()) == released[entry.id], entry.id


def test_parameter_counts_equal_the_released_ones(data_dir: Path) -> None:
    _check_parameter_counts(step=25)


@pytest.mark.slow
def test_all_parameter_counts_equal_the_released_ones(data_dir: Path) -> None:
    assert len(load_benchmark()) == 500
    _check_parameter_counts(step=1)
