"""`naslib-swap score`: the SWAP-Score of a model of the user's."""

from __future__ import annotations

import json
import re
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Optional

import typer

from naslib_swap.cli.factory import build, cause
from naslib_swap.cli.printing import print_table
from naslib_swap.errors import SwapError

if TYPE_CHECKING:
    from torch import Tensor


def score(
    models: Annotated[
        list[str],
        typer.Argument(
            help="package.module:factory or path/to/file.py:factory; several are ranked."
        ),
    ],
    input_shape: Annotated[
        Optional[str], typer.Option(help="Shape of one image, such as 3,32,32: natural crops.")
    ] = None,
    input_file: Annotated[
        Optional[Path],
        typer.Option(
            help="A minibatch: .npy; .npz, whose names are the forward pass's arguments; or .pt "
            "with a tensor, tuple or dict."
        ),
    ] = None,
    samples: Annotated[
        int, typer.Option(help="Images to take of natural crops; with a file, the first ones.")
    ] = 32,
    inputs: Annotated[
        str, typer.Option(help="With --input-shape: natural, noise, cifar10, ... or a path.")
    ] = "natural",
    repeats: Annotated[int, typer.Option(help="Re-initialisations; 0: weights as built.")] = 0,
    seed: Annotated[int, typer.Option(help="Of weights, crops and dropout.")] = 0,
    mode: Annotated[str, typer.Option(help="train (batch statistics) or eval.")] = "train",
    mu: Annotated[Optional[float], typer.Option(help="Regularise: thousands.")] = None,
    sigma: Annotated[Optional[float], typer.Option(help="Regularise: thousands.")] = None,
    device: Annotated[Optional[str], typer.Option(help="cpu or cuda.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, a line a model.")] = False,
) -> None:
    """Score models of your own; a factory is called without arguments and returns a torch module.

    The scores of one call rank these models against each other, and nothing else.
    """
    import torch

    from naslib_swap.score import regularised_swap_score, swap_score

    if (mu is None) != (sigma is None):
        raise SwapError(f"got mu={mu} and sigma={sigma}, expected both or neither.")
    if samples < 2:
        raise SwapError(f"got --samples {samples}, expected at least 2: one pattern tells nothing.")
    _check_device(device)
    if len(models) != len(set(models)):
        raise SwapError("a model stands twice, expected each once.")
    batch = _batch(input_shape, input_file, inputs, samples, seed)
    rows = []
    for name in models:
        torch.manual_seed(seed)
        net = build(name)
        given = _in_type_of(net, batch)
        options: dict[str, Any] = {
            "repeats": repeats,
            "seed": seed,
            "mode": mode,
            "device": device,
        }
        try:
            if mu is not None and sigma is not None:
                regularised = regularised_swap_score(net, given, mu=mu, sigma=sigma, **options)
                swap = regularised.swap
                row = {"reg_score": regularised.score, "log_reg_score": regularised.log_score}
            else:
                swap, row = swap_score(net, given, **options), {}
        except SwapError as error:
            raise SwapError(f"{name}: {error}") from error
        except Exception as error:  # the user's forward pass may raise anything
            raise SwapError(
                f"{name} failed on inputs {_described(given)}: {cause(error)}. Give the shape and "
                "the kind of numbers that it takes."
            ) from error
        rows.append({"model": name, **asdict(swap), "near_bound": swap.near_bound, **row})
    rank_by = "score" if mu is None else "log_reg_score"
    rows.sort(key=lambda row: row[rank_by], reverse=True)
    if as_json:
        for row in rows:
            typer.echo(json.dumps(row))
        return
    _print(rows)


def _check_device(device: str | None) -> None:
    from naslib_swap.devices import refusal

    error = None if device is None else refusal(device)
    if error is not None:
        raise SwapError(
            f"cannot use --device {device!r}: {cause(error)}. Expected cpu, or cuda where there is "
            "a GPU."
        ) from error


def _described(batch: Any) -> str:
    """Kinds and shapes, such as ``float32 [32, 3, 8, 8]``."""
    from torch import Tensor

    if isinstance(batch, Tensor):
        return f"{str(batch.dtype).removeprefix('torch.')} {list(batch.shape)}"
    if isinstance(batch, dict):
        return ", ".join(f"{name} {_described(value)}" for name, value in batch.items())
    if isinstance(batch, tuple):
        return ", ".join(map(_described, batch))
    return repr(batch)


def _print(rows: list[dict[str, Any]]) -> None:
    regularised = "log_reg_score" in rows[0]
    columns = ["model", "score", *(["log reg-SWAP"] if regularised else [])]
    columns += ["saturation", "#params", "values V", "bound", "recorded", "seen only"]
    cells = [
        [
            row["model"],
            f"{row['score']:,.1f}",
            *([f"{row['log_reg_score']:.4f}"] if regularised else []),
            f"{row['saturation']:.1%}",
            f"{row['parameters']:,}",
            f"{row['values']:,}",
            f"{row['bound']:,}",
            _counts(row["recorded"]),
            _counts(row["unrecorded"]),
        ]
        for row in rows
    ]
    left = {"model", "recorded", "seen only"}
    print_table("SWAP-Score, best first", columns, cells, left=left, keep=2 + regularised)
    if any(row["near_bound"] for row in rows):
        remark = (
            "A score within 5 % of its bound, or of 2^samples after GELU and the like, tells "
            "little: use more samples, or --repeats 32."
        )
    else:
        remark = "Compare scores made with the same inputs only."
    typer.echo(f"{rows[0]['samples']} samples. {remark}")


def _counts(calls: dict[str, int]) -> str:
    return ", ".join(f"{name} x{count}" for name, count in sorted(calls.items()))


def _batch(
    shape: str | None, file: Path | None, source: str, samples: int, seed: int
) -> Tensor | Any:
    if (shape is None) == (file is None):
        raise SwapError(
            "expected either --input-shape (such as 3,32,32) or --input-file, "
            + ("got neither." if shape is None else "got both.")
        )
    if shape is not None:
        from naslib_swap import inputs

        try:
            wanted = tuple(int(n) for n in shape.split(","))
        except ValueError:
            raise SwapError(
                f"got --input-shape {shape!r}, expected numbers such as 3,32,32."
            ) from None
        # Labels are not looked at: any data set will do.
        return inputs.load(
            source, samples=samples, shape=wanted, num_classes=1000, seed=seed
        ).images
    assert file is not None
    return _first(_read(file), samples)


def _read(file: Path) -> Any:
    import numpy as np
    import torch

    try:
        if file.suffix in (".pt", ".pth"):
            return torch.load(file, map_location="cpu", weights_only=True)
        loaded = np.load(file, allow_pickle=False)
        if isinstance(loaded, np.ndarray):
            return _as_tensor(loaded)
        return {name: _as_tensor(loaded[name]) for name in loaded.files}
    except Exception as error:  # reported as it is: every reader has errors of its own
        raise SwapError(
            f"cannot read {file}: {_in_short(error)}. Expected .npy, .npz or .pt with numbers."
        ) from None


def _in_short(error: Exception) -> str:
    """The first sentence of an error, without the colours that torch puts in."""
    plain = re.sub(r"\x1b\[[0-9;]*m", "", str(error)).strip()
    return plain.split("\n")[0].split(". ")[0].rstrip(".") or type(error).__name__


def _in_type_of(net: Any, batch: Any) -> Any:
    """The batch with its float64 tensors, which is what numpy makes, in the type of the weights."""
    import torch

    if isinstance(batch, dict):
        return {name: _in_type_of(net, value) for name, value in batch.items()}
    if isinstance(batch, tuple):
        return tuple(_in_type_of(net, value) for value in batch)
    if isinstance(batch, torch.Tensor) and batch.dtype == torch.float64:
        weights = (p.dtype for p in net.parameters() if p.is_floating_point())
        return batch.to(next(weights, torch.float32))
    return batch


def _as_tensor(array: Any) -> Tensor:
    import torch

    return torch.from_numpy(array)


def _first(batch: Any, samples: int) -> Any:
    from torch import Tensor

    if isinstance(batch, Tensor):
        return batch[:samples] if batch.dim() else batch
    if isinstance(batch, dict):
        return {name: _first(value, samples) for name, value in batch.items()}
    if isinstance(batch, (list, tuple)):
        return tuple(_first(value, samples) for value in batch)
    return batch
