"""Each mixing operation against a plain reference in numpy and scipy."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.fft
import scipy.special
import torch

from naslib_swap.flexibert.encoder import Layer
from naslib_swap.flexibert.mixing import Mixing, build_mixing

WIDTH, BATCH, LENGTH = 16, 3, 7
OPERATIONS = [("SA", "SDP"), ("SA", "WMA"), ("LT", "DFT"), ("LT", "DCT"), ("DSC", 5), ("DSC", 9)]


def _built(operation: str, parameter: str | int, heads: int = 4) -> tuple[Mixing, torch.Tensor]:
    torch.manual_seed(0)
    mixing = build_mixing(Layer(operation, parameter, heads, 8, 1), WIDTH, dropout=0.1).double()
    for p in mixing.parameters():
        torch.nn.init.normal_(p, 0.0, 0.5)
    return mixing.eval(), torch.randn(BATCH, LENGTH, WIDTH, dtype=torch.float64)


def _affine(linear: torch.nn.Module, x: np.ndarray) -> np.ndarray:
    weight = linear.weight.detach().numpy()
    bias = 0.0 if linear.bias is None else linear.bias.detach().numpy()
    return x @ weight.T + bias


def _attend(q: np.ndarray, k: np.ndarray, v: np.ndarray, real: np.ndarray) -> np.ndarray:
    """One head of one document: q, k, v [T, D]; ``real`` bool [T]."""
    scores = q @ k.T / np.sqrt(q.shape[1])
    scores[:, ~real] = -np.inf
    return scipy.special.softmax(scores, axis=1) @ v


def _self_attention(mixing: Mixing, x: np.ndarray, real: np.ndarray, heads: int) -> np.ndarray:
    query = _affine(mixing.query, x)
    if getattr(mixing, "weight", None) is not None:
        query = _affine(mixing.weight, query)
    parts = [np.split(a, heads, axis=1) for a in (query, _affine(mixing.key, x))]
    values = np.split(_affine(mixing.value, x), heads, axis=1)
    return np.concatenate([_attend(q, k, v, real) for q, k, v in zip(*parts, values)], axis=1)


def _linear_transform(mixing: Mixing, x: np.ndarray, real: np.ndarray, kind: str) -> np.ndarray:
    mixed = _affine(mixing.input, x) * real[:, None]
    heads = np.split(mixed, mixing.heads, axis=1)
    if kind == "DFT":
        return np.concatenate([np.fft.fft2(head).real for head in heads], axis=1)
    return np.concatenate([scipy.fft.dctn(head, type=2) for head in heads], axis=1)


def _span_convolution(mixing: Mixing, x: np.ndarray, real: np.ndarray, kernel: int) -> np.ndarray:
    heads, reach = mixing.heads, kernel // 2
    attended = _self_attention(mixing, x, real, heads)
    masked = x * real[:, None]
    padded = np.pad(masked, ((reach, reach), (0, 0)))
    depthwise = mixing.span.depthwise.weight.detach().numpy()[:, 0]  # [W, K]
    pointwise = mixing.span.pointwise
    points = np.pad(_affine(mixing.point, x) * real[:, None], ((reach, reach), (0, 0)))
    out = np.zeros_like(attended)
    for t in range(len(x)):
        window = padded[t : t + kernel]  # [K, W]
        local = (window * depthwise.T).sum(0)
        span = local @ pointwise.weight.detach().numpy()[:, :, 0].T
        span = span + pointwise.bias.detach().numpy()
        logits = _affine(mixing.kernels, span * _affine(mixing.query, x)[t])
        for h, row in enumerate(logits.reshape(heads, kernel)):
            size = out.shape[1] // heads
            columns = slice(h * size, (h + 1) * size)
            out[t, columns] = scipy.special.softmax(row) @ points[t : t + kernel, columns]
    return np.concatenate([attended, out], axis=1)


def _reference(
    mixing: Mixing, operation: str, parameter: str | int, x: np.ndarray, real: np.ndarray
) -> np.ndarray:
    if operation == "SA":
        return _self_attention(mixing, x, real, 4)
    if operation == "LT":
        return _linear_transform(mixing, x, real, str(parameter))
    return _span_convolution(mixing, x, real, int(parameter))


@pytest.mark.parametrize(("operation", "parameter"), OPERATIONS)
@pytest.mark.parametrize("masked", [False, True])
def test_equals_the_reference(operation: str, parameter: str | int, masked: bool) -> None:
    mixing, x = _built(operation, parameter)
    real = torch.ones(BATCH, LENGTH, dtype=torch.bool)
    if masked:
        real[1, 5:] = False
        real[2, 2:] = False
    found = mixing(x, real if masked else None).detach().numpy()
    assert found.shape == (BATCH, LENGTH, WIDTH)
    for document, mask, mine in zip(x.numpy(), real.numpy(), found):
        np.testing.assert_allclose(
            mine, _reference(mixing, operation, parameter, document, mask), rtol=1e-9, atol=1e-9
        )


@pytest.mark.parametrize(("operation", "parameter"), OPERATIONS)
@pytest.mark.parametrize("heads", [1, 2, 4])
def test_shape_at_any_number_of_heads_and_length(
    operation: str, parameter: str | int, heads: int
) -> None:
    mixing, _ = _built(operation, parameter, heads)
    for length in (1, 3, 8):
        x = torch.randn(2, length, WIDTH, dtype=torch.float64)
        assert mixing(x, None).shape == x.shape


@pytest.mark.parametrize(("operation", "parameter"), OPERATIONS)
def test_content_of_masked_tokens_has_no_effect(operation: str, parameter: str | int) -> None:
    mixing, x = _built(operation, parameter)
    mask = torch.ones(BATCH, LENGTH, dtype=torch.bool)
    mask[:, 4:] = False
    other = x.clone()
    other[:, 4:] = torch.randn_like(other[:, 4:])
    torch.testing.assert_close(mixing(x, mask)[:, :4], mixing(other, mask)[:, :4])
    assert not torch.allclose(mixing(x, None)[:, :4], mixing(other, None)[:, :4])


@pytest.mark.parametrize(("operation", "parameter"), OPERATIONS)
def test_gradients_reach_every_weight_and_input(operation: str, parameter: str | int) -> None:
    mixing, x = _built(operation, parameter)
    x.requires_grad_()
    out = mixing(x, None)
    out.backward(torch.randn(out.shape, dtype=out.dtype))
    for name, p in mixing.named_parameters():
        # A softmax does not see what is added to all keys alike.
        if name != "key.bias":
            assert p.grad is not None, name
            assert p.grad.abs().max() > 1e-6, name
    assert (x.grad.abs().amax(-1) > 1e-9).all()


@pytest.mark.parametrize(("operation", "parameter"), OPERATIONS)
def test_documents_do_not_mix(operation: str, parameter: str | int) -> None:
    mixing, x = _built(operation, parameter)
    torch.testing.assert_close(mixing(x, None)[1:2], mixing(x[1:2], None))
