"""Weight re-initialisation of the SWAP protocol, repeatable from a seed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from naslib_swap.errors import Unscorable
from naslib_swap.seeding import whole_seed

_WEIGHTED = (
    nn.Conv1d,
    nn.Conv2d,
    nn.Conv3d,
    nn.ConvTranspose1d,
    nn.ConvTranspose2d,
    nn.ConvTranspose3d,
    nn.Linear,
    nn.Bilinear,
)
_NORMS = (
    nn.modules.batchnorm._NormBase,
    nn.GroupNorm,
    nn.LayerNorm,
    *([nn.RMSNorm] if hasattr(nn, "RMSNorm") else []),  # since torch 2.4
)
# By name: nothing is imported for them.
_FOREIGN_WEIGHTED = re.compile(r"transformers\.pytorch_utils\.Conv1D$")
# RMSNorm of Llama and the like. Gemma's adds 1 to its weight.
_FOREIGN_NORMS = re.compile(r"(?!.*\.Gemma).*RMSNorm$|.*\.T5LayerNorm$")
_EMBEDDINGS = (nn.Embedding, nn.EmbeddingBag)
# Embeddings that are parameters of a module: positions, class tokens, relative position tables.
_EMBEDDING_NAMES = re.compile(r"embed|pos(itions?)?(_|$)|position|token")


class StandardNormal:
    """Re-initialisation as in arXiv 2403.04161, section 5.

    Parameters
    ----------
    net
        The network to draw weights for.
    seed
        A whole number.

    Raises
    ------
    Unscorable
        If nothing would be drawn, so that every repeat would be the same; if a weight is computed
        from other parameters (weight or spectral normalisation), shares its elements (expanded) or
        is no floating number (quantised); or if a module of an unknown kind holds a matrix or
        larger parameter, which would stay as built.

    Notes
    -----
    Weights of convolutions, linear and bilinear layers, recurrent layers and cells, and the
    projections of multi-head attention are drawn from N(0, 1), their biases are 0; norm layers get
    weight 1 and bias 0. What stays as it is: embeddings (also parameters whose name says embedding,
    position or token), and other parameters with one dimension above 1 at most, such as the slopes
    of PReLU or layer scales.

    Numbers are drawn on the CPU in the order of ``net.modules()``, so that every device sees the
    same weights.
    """

    def __init__(self, net: nn.Module, seed: int) -> None:
        self._names = {id(parameter): name for name, parameter in net.named_parameters()}
        self._generator = torch.Generator("cpu").manual_seed(whole_seed(seed))
        self._drawn: list[Tensor] = []
        self._constant: list[tuple[Tensor, float]] = []
        self._norms = [module for module in net.modules() if isinstance(module, _NORMS)]
        left: list[str] = []
        for prefix, module in net.named_modules():
            values = _values_of(module)
            if values is None:
                left += [f"{prefix}.{name}".lstrip(".") for name in _left_as_built(module)]
                continue
            for name, value in values.items():
                tensor = getattr(module, name, None)
                if tensor is None:
                    continue
                self._require_drawable(module, name, tensor)
                if value is None:
                    self._drawn.append(tensor)
                else:
                    self._constant.append((tensor, value))
        if not self._drawn:
            raise Unscorable(
                f"{type(net).__name__} has no convolution or linear layer, expected at least one "
                "to re-initialise. Score it with repeats=0."
            )
        # A parameter may stand in several modules.
        known = {id(tensor) for tensor in (*self._drawn, *(tensor for tensor, _ in self._constant))}
        left = [name for name in left if id(net.get_parameter(name)) not in known]
        if left:
            raise Unscorable(
                f"{type(net).__name__} holds parameters of unknown kinds ({', '.join(left[:3])}"
                f"{', ...' if len(left) > 3 else ''}), which re-initialisation would leave as "
                "built; expected convolutions, linear, recurrent and attention layers of torch. "
                "Build them from these, or score it with repeats=0."
            )

    @torch.no_grad()
    def draw(self) -> None:
        """Give the network its next weights, in place."""
        for weight in self._drawn:
            self._draw_into(weight.data)  # so that graphs which the caller holds stay valid
        for tensor, value in self._constant:
            with torch.inference_mode(tensor.is_inference()):
                tensor.data.fill_(value)

    @torch.no_grad()
    def draw_stacked(self, repeats: int) -> dict[str, Tensor]:
        """Return the network's next ``repeats`` weights and biases, [repeats, ...] by name.

        They are those that as many calls of :meth:`draw` would give. Use them inside
        :meth:`identity_norms`.
        """
        identity = {id(p) for norm in self._norms for p in norm.parameters(recurse=False)}
        stacked = {
            self._names[id(tensor)]: tensor.new_full((repeats, *tensor.shape), value)
            for tensor, value in self._constant
            if id(tensor) not in identity
        }
        for weight in self._drawn:
            stacked[self._names[id(weight)]] = weight.new_empty((repeats, *weight.shape))
        for repeat in range(repeats):
            for weight in self._drawn:
                self._draw_into(stacked[self._names[id(weight)]][repeat])
        return stacked

    @contextmanager
    def identity_norms(self) -> Iterator[None]:
        """Norm layers without weight and bias: what 1 and 0 do, without the arithmetic."""
        kept = [dict(norm._parameters) for norm in self._norms]
        try:
            for norm in self._norms:
                for name in norm._parameters:
                    norm._parameters[name] = None
            yield
        finally:
            for norm, parameters in zip(self._norms, kept):
                norm._parameters.update(parameters)

    def _draw_into(self, weight: Tensor) -> None:
        with torch.inference_mode(weight.is_inference()):
            if weight.device.type == "cpu" and weight.dtype == torch.float32:
                weight.normal_(0, 1, generator=self._generator)
            else:
                weight.copy_(torch.randn(weight.shape, generator=self._generator, device="cpu"))

    def _require_drawable(self, module: nn.Module, name: str, tensor: Tensor) -> None:
        if id(tensor) not in self._names:
            raise Unscorable(
                f"the {name} of a {type(module).__name__} is computed from other "
                "parameters (weight_norm, spectral_norm or another parametrisation), "
                "expected a parameter to draw anew. Remove the parametrisation, or score "
                "with repeats=0."
            )
        shared = any(n > 1 and s == 0 for n, s in zip(tensor.shape, tensor.stride()))
        if shared or not tensor.is_floating_point():
            given = "expanded from fewer numbers" if shared else f"of type {tensor.dtype}"
            raise Unscorable(
                f"the {name} of a {type(module).__name__} is {given}, expected floating numbers "
                "with memory of their own to draw anew. Score with repeats=0."
            )


def _values_of(module: nn.Module) -> dict[str, float | None] | None:
    """What each parameter of a module becomes: a constant, or None for N(0, 1).

    None for a module of another kind.
    """
    path = f"{type(module).__module__}.{type(module).__name__}"
    if isinstance(module, _WEIGHTED) or _FOREIGN_WEIGHTED.match(path):
        return {"weight": None, "bias": 0.0}
    if isinstance(module, _NORMS) or _FOREIGN_NORMS.match(path):
        return {"weight": 1.0, "bias": 0.0}
    if isinstance(module, nn.MultiheadAttention):
        projections = ("in_proj_weight", "q_proj_weight", "k_proj_weight", "v_proj_weight")
        return {
            **dict.fromkeys(projections),
            **dict.fromkeys(("in_proj_bias", "bias_k", "bias_v"), 0.0),
        }
    if isinstance(module, nn.RNNBase):
        return {name: _recurrent(name) for name in module._flat_weights_names}
    if isinstance(module, nn.RNNCellBase):
        return {name: _recurrent(name) for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")}
    return None


def _recurrent(name: str) -> float | None:
    return 0.0 if name.startswith("bias") else None


def _left_as_built(module: nn.Module) -> list[str]:
    """Names of the parameters of an unknown module that are more than a vector."""
    if isinstance(module, _EMBEDDINGS):
        return []
    return [
        name
        for name, parameter in module._parameters.items()
        if parameter is not None
        and sum(size > 1 for size in parameter.shape) > 1
        and not _EMBEDDING_NAMES.search(name.lower())
    ]
