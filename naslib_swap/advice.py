"""What to do about a forward pass that failed."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from naslib_swap.arguments import Arguments, tensors_in
from naslib_swap.errors import SwapError, Unscorable


@contextmanager
def advised(net: nn.Module, arguments: Arguments, *, mode: str) -> Iterator[None]:
    """Say what to do about an error of the forward passes inside, where that can be told.

    Parameters
    ----------
    net
        The network that runs.
    arguments
        What it is called with.
    mode
        ``"train"`` or ``"eval"``.

    Raises
    ------
    Unscorable
        In place of an error whose cause is known. Other errors pass as they are.
    """
    try:
        yield
    except SwapError:
        raise
    except Exception as error:
        # Ctrl-C inside torch's dispatch can come out as another error.
        interrupted = isinstance(error.__context__, KeyboardInterrupt)
        advice = None if interrupted else _advice(str(error), net, arguments, mode)
        if advice is None:
            raise
        reason = str(error).strip().split("\n")[0].split(". ")[0].rstrip(".")
        raise Unscorable(f"{type(net).__name__} failed ({reason}). {advice}") from error


def refuse_vmap(output: Any, depth: int = 0) -> None:
    """Refuse an activation inside ``torch.func.vmap``, beyond `depth` of them that are ours.

    Raises
    ------
    Unscorable
        If the forward pass itself calls ``vmap``, which hides a dimension of its activations.
    """
    if isinstance(output, Tensor) and torch._C._functorch.maybe_get_level(output) > depth:
        raise Unscorable(
            "the forward pass calls torch.func.vmap, whose activations cannot be told apart by "
            "sample. Score a network that works on the whole batch, [S, ...], instead."
        )


def _advice(reason: str, net: nn.Module, arguments: Arguments, mode: str) -> str | None:
    if any(".quantized." in type(module).__module__ for module in net.modules()):
        return (
            "Quantised layers cannot be scored so: score the network of floating numbers that it "
            "was converted from."
        )
    if re.search(r"vmap|batching rule", reason, re.IGNORECASE):
        return (
            "Branches on values, recurrent layers and some others cannot run for several "
            "initialisations at once: pass batch_repeats=1."
        )
    if _is_pair(arguments):
        return (
            "The inputs look like [images, labels], as a DataLoader gives them: pass the images "
            "alone, inputs[0]."
        )
    misfit = _misfit(net, arguments)
    if misfit is not None:
        return misfit
    if "inference tensor" in reason.lower():
        return (
            "Its tensors were made in inference mode and cannot be updated: score "
            "copy.deepcopy(net), or build it outside torch.inference_mode()."
        )
    if mode == "train" and "target" in reason.lower():
        return (
            "A detector wants targets in train mode: pass them, as (images, targets), or "
            "mode='eval'."
        )
    return _advice_on_types(net, arguments) if "type" in reason.lower() else None


def _is_pair(arguments: Arguments) -> bool:
    given = arguments.positional
    if len(given) != 2 or arguments.keywords or not all(isinstance(v, Tensor) for v in given):
        return False
    images, labels = given
    whole = not labels.is_floating_point() and labels.shape == (arguments.samples,)
    return bool(images.is_floating_point() and whole)


def _misfit(net: nn.Module, arguments: Arguments) -> str | None:
    """What to do where a forward pass does not take such arguments."""
    try:
        signature = inspect.signature(net.forward)
        signature.bind(*arguments.positional, **arguments.keywords)
    except TypeError:
        pass
    except ValueError:  # there is no signature
        return None
    else:
        return None
    takes = f"Its forward pass takes {signature}"
    if arguments.keywords and not arguments.positional:
        return (
            f"{takes}. A mapping holds keyword arguments; pass one argument that is itself a "
            "mapping as (mapping,)."
        )
    if len(arguments.positional) > 1:
        return (
            f"{takes}. A list or tuple holds positional arguments; pass one argument that is "
            "itself a list as (list,), and samples of one shape as torch.stack(list)."
        )
    return f"{takes}. Pass all that it asks for, what is no batch by functools.partial(net, ...)."


def _advice_on_types(net: nn.Module, arguments: Arguments) -> str | None:
    weights = next((p.dtype for p in net.parameters() if p.is_floating_point()), None)
    given = {t.dtype for t in tensors_in([*arguments.positional, *arguments.keywords.values()])}
    if weights is None or weights in given:
        return None
    types = ", ".join(sorted(map(str, given)))
    return f"Its weights are {weights}, the inputs {types}: pass inputs.to({weights})."
