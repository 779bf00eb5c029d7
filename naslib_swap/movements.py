"""Signs, in a forward pass, that rows of an activation may be something else than samples.

Only calls are looked at, so that a network pays next to nothing for it; whether rows really moved
is for :mod:`naslib_swap.rows` to find out.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor


def _spellings(*names: str) -> frozenset[Any]:
    found = (getattr(home, name, None) for home in (torch, Tensor, F) for name in names)
    return frozenset(function for function in found if function is not None)


# Views that exchange dimensions: dimension 0 is kept exactly if its stride is.
_EXCHANGES = _spellings(
    "transpose", "swapaxes", "swapdims", "permute", "movedim", "moveaxis", "t", "adjoint"
) | {getattr(Tensor, name).__get__ for name in ("T", "mT", "H", "mH")}
# Over dimension 0 they leave out rows, and move none.
_REDUCTIONS = _spellings(
    *("mean", "sum", "var", "std", "var_mean", "std_mean", "max", "min", "amax", "amin", "norm"),
    *("median", "prod", "all", "any", "argmax", "argmin", "logsumexp", "nanmean", "nansum"),
)
# Functions that move rows along a dimension: where among the arguments it stands, and its default.
_ALONG: dict[Any, tuple[int, int]] = {
    **dict.fromkeys(_spellings("cat", "concat", "concatenate", "stack"), (1, 0)),
    **dict.fromkeys(_spellings("index_select", "gather", "scatter", "index_add"), (1, 0)),
    **dict.fromkeys(_spellings("sort", "argsort"), (1, -1)),
    **dict.fromkeys(_spellings("flip"), (1, 0)),
    **dict.fromkeys(_spellings("topk", "roll", "take_along_dim"), (2, -1)),
}
_INDEXING = Tensor.__getitem__
_CONVOLUTIONS = _spellings(
    *(f"conv{way}{n}d" for way in ("", "_transpose") for n in (1, 2, 3)),
)
# Attention and recurrence over dimension 0, unless told that it holds the batch.
_RECURRENCES = _spellings("lstm", "gru", "rnn_relu", "rnn_tanh")
_SPECIAL = frozenset(
    {*_EXCHANGES, *_ALONG, _INDEXING, *_CONVOLUTIONS, *_RECURRENCES, F.multi_head_attention_forward}
)


class Watch:
    """Notes the calls of one forward pass.

    Attributes
    ----------
    samples
        S.
    functions
        All functions that returned a tensor.
    moves
        Calls after which rows may not be samples: (function, shapes before and after).
    """

    def __init__(self, samples: int) -> None:
        self.samples = samples
        self.functions: set[Any] = set()
        self.moves: list[tuple[Any, ...]] = []

    def note(self, func: Any, args: Any, kwargs: Mapping[str, Any], output: Any) -> None:
        """Take note of one call."""
        several = isinstance(output, (tuple, list))
        out = output[0] if several and output else output
        if not isinstance(out, Tensor):
            return
        self.functions.add(func)
        if func is torch.einsum:
            operands = args[1] if isinstance(args[1], (tuple, list)) else args[1:]
            if not _einsum_keeps_rows(args[0], operands, self.samples):
                self.moves.append((func, args[0], tuple(out.shape)))
            return
        first = args[0] if args else next(iter(kwargs.values()), None)
        if isinstance(first, (tuple, list)) and first:
            first = first[0]
        if not isinstance(first, Tensor) or not first.dim() or first.shape[0] != self.samples:
            return
        if not _keeps_rows(func, first, args, kwargs, out):
            self.moves.append((func, tuple(first.shape), tuple(out.shape)))


def _keeps_rows(
    func: Any, first: Tensor, args: Any, kwargs: Mapping[str, Any], out: Tensor
) -> bool:
    if not out.dim() or out.shape[0] != first.shape[0]:
        return not out.dim() or func in _REDUCTIONS
    if func not in _SPECIAL:
        return True
    if func in _EXCHANGES:
        return out.stride(0) == first.stride(0)
    if func is _INDEXING:
        index = args[1][0] if isinstance(args[1], tuple) and args[1] else args[1]
        return index is Ellipsis or isinstance(index, slice)
    if func in _ALONG:
        place, default = _ALONG[func]
        given = args[place] if len(args) > place else kwargs.get("dim", kwargs.get("dims", default))
        dims = given if isinstance(given, (tuple, list)) else (given,)
        return not {0, -out.dim()} & set(dims)
    if func in _CONVOLUTIONS:
        weight = args[1] if len(args) > 1 else kwargs["weight"]
        return first.dim() == weight.dim()
    if func is F.multi_head_attention_forward:
        return False
    if func in _RECURRENCES:
        packed = not isinstance(args[2], list)
        return bool(args[-1]) and not packed
    return True


def _einsum_keeps_rows(equation: str, operands: Any, samples: int) -> bool:
    """Whether operands of S rows hand them on: their first letter is the result's."""
    given, _, result = equation.replace(" ", "").partition("->")
    return all(
        term[:1] == result[:1]
        for term, operand in zip(given.split(","), operands)
        if operand.dim() and operand.shape[0] == samples
    )
