"""`naslib-swap score`: the SWAP-Score of a model of the user's."""

from __future__ import annotations

import json
import math
import re
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Optional

import typer

from naslib_swap.cli.declared import command
from naslib_swap.cli.factory import build, cause
from naslib_swap.cli.printing import print_table
from naslib_swap.errors import BadArgument, BadFile, SwapError, Unscorable
from naslib_swap.options import names_or_all, option, plan_of
from naslib_swap.quoting import shown
from naslib_swap.regularisation import log_factor, log_regularised
from naslib_swap.scoring.plan import MOST_REPEATS

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class ScorePlan:
    """How models of the user's are scored: the options of ``score``."""

    input_shape: Optional[str] = option(None, "Shape of one image, such as 3,32,32: natural crops.")
    input_file: Optional[str] = option(
        None,
        "A minibatch: .npy; .npz, whose names are the forward pass's arguments; or .pt with a "
        "tensor, tuple or dict.",
    )
    samples: int = option(
        32, "Images to take of natural crops; with a file, the first ones.", least=2
    )
    inputs: str = option("natural", "With --input-shape: natural, noise, cifar10, ... or a path.")
    proxies: tuple[str, ...] = option(
        ("swap",), "Further columns: names separated by commas, or all.", read=names_or_all,
        shown="swap",
    )  # fmt: skip
    classes: int = option(10, "For proxies that look at labels: these are drawn.", least=2)
    repeats: int = option(0, "Re-initialisations; 0: weights as built.", least=0, most=MOST_REPEATS)
    seed: int = option(0, "Of weights, crops and whatever else is random.", least=0)
    mode: str = option("train", "train (batch statistics) or eval.")
    dropout: bool = option(False, "Leave dropout on, drawn from the seed.")
    no_check_rows: bool = option(
        False, "Take it that activations have one row per sample, without a check."
    )
    mu: Optional[float] = option(None, "Regularise: thousands of parameters.")
    sigma: Optional[float] = option(None, "Regularise: thousands of parameters.")
    device: Optional[str] = option(None, "cpu or cuda.")


@command(ScorePlan)
def score(
    given: dict[str, Any],
    models: Annotated[
        list[str],
        typer.Argument(
            help="package.module:factory or path/to/file.py:factory; several are ranked."
        ),
    ],
    as_json: Annotated[
        bool, typer.Option("--json", help="Print JSON, one line per model.")
    ] = False,
) -> None:
    """Score models of your own; a factory is called without arguments and returns a torch module.

    The scores of one call rank these models against each other, and nothing else.
    """
    plan = plan_of(ScorePlan, given, "the command line")
    from naslib_swap.devices import usable

    if (plan.mu is None) != (plan.sigma is None):
        raise BadArgument(f"got mu={plan.mu} and sigma={plan.sigma}, expected both or neither.")
    if plan.mu is not None and plan.sigma is not None:
        log_factor(0.0, plan.mu, plan.sigma)  # complain now, not after the scores
    if len(models) != len(set(models)):
        raise BadArgument("a model is there twice, expected each once.")
    if plan.device is not None:
        usable(plan.device)
    batch = _batch(plan)
    rows = [_scored(name, batch, plan) for name in models]
    rank_by = "score" if plan.mu is None else "log_reg_score"
    rows.sort(key=lambda row: row[rank_by], reverse=True)
    if as_json:
        for row in rows:
            typer.echo(json.dumps(row))
    else:
        _print(rows)


def _scored(name: str, batch: Any, plan: ScorePlan) -> dict[str, Any]:
    """Return everything that is reported about one model."""
    import torch

    from naslib_swap.score import swap_score

    torch.manual_seed(plan.seed)
    net = build(name)
    given = _in_type_of(net, batch)
    try:
        swap = swap_score(
            net,
            given,
            repeats=plan.repeats,
            seed=plan.seed,
            mode=plan.mode,
            dropout=plan.dropout,
            check_rows=not plan.no_check_rows,
            device=plan.device,
        )
    except SwapError as error:
        raise Unscorable(f"{name}: {error}") from error
    except Exception as error:  # the user's forward pass may raise anything
        raise Unscorable(
            f"{name} failed on inputs {_described(given)}: {cause(error)}. Give the shape and "
            "the kind of numbers that it takes."
        ) from error
    row = {"model": name, **asdict(swap), "near_bound": swap.near_bound}
    if plan.mu is not None and plan.sigma is not None:
        log_score = log_regularised(swap.score, swap.parameters / 1000, plan.mu, plan.sigma)
        row.update(reg_score=math.exp(log_score), log_reg_score=log_score)
    return {**row, **_others(net, given, plan)}


def _others(net: Any, given: Any, plan: ScorePlan) -> dict[str, Any]:
    """Return the values of the other proxies by name, or what went wrong with them."""
    import numpy as np
    from torch import Tensor

    from naslib_swap import proxies
    from naslib_swap.inputs.minibatch import drawn_labels, make_minibatch
    from naslib_swap.predictors.passes.probe import Probe
    from naslib_swap.restoration import restored
    from naslib_swap.scoring.network import score_network

    names = [name for name in proxies.chosen(plan.proxies) if name != "swap"]
    if not names:
        return {}
    if not isinstance(given, Tensor):
        raise BadArgument("got several inputs, which swap alone can be scored on; leave --proxies.")
    labels = drawn_labels(len(given), plan.classes, plan.seed)
    batch = make_minibatch(np.asarray(given.float()), labels, source="given", labels_are_real=False)
    sizes = {k: v for k, v in (("mu", plan.mu), ("sigma", plan.sigma)) if v is not None}
    settings = {"repeats": plan.repeats, **sizes}
    probe = Probe(net.to(plan.device or "cpu"), batch, seed=plan.seed, settings=settings)
    with restored(net):
        found = score_network(probe, names)
    return {name: one.error if one.value is None else one.value for name, one in found.items()}


def _described(batch: Any) -> str:
    """Say kinds and shapes, such as ``float32 [32, 3, 8, 8]``."""
    from torch import Tensor

    if isinstance(batch, Tensor):
        return f"{str(batch.dtype).removeprefix('torch.')} {list(batch.shape)}"
    if isinstance(batch, dict):
        return ", ".join(f"{name} {_described(value)}" for name, value in batch.items())
    if isinstance(batch, tuple):
        return ", ".join(map(_described, batch))
    return repr(batch)


_SAID = (
    "model", "score", "psi", "samples", "values", "bound", "saturation", "parameters", "recorded",
    "unrecorded", "kinds", "near_bound", "reg_score", "log_reg_score",
)  # fmt: skip


def _print(rows: list[dict[str, Any]]) -> None:
    regularised = "log_reg_score" in rows[0]
    others = [name for name in rows[0] if name not in _SAID]
    columns = ["model", "score", *(["log reg-SWAP"] if regularised else []), *others]
    columns += ["saturation", "#params", "values V", "bound", "recorded", "seen only"]
    cells = [
        [
            row["model"],
            f"{row['score']:,.1f}",
            *([f"{row['log_reg_score']:.4f}"] if regularised else []),
            *(row[n] if isinstance(row[n], str) else f"{row[n]:.6g}" for n in others),
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
    remark = "Compare scores made with the same inputs only."
    if any(row["near_bound"] for row in rows):
        remark = (
            "A score within 5 % of its bound, or of 2^samples after GELU and the like, tells "
            "little: use more samples, or --repeats 32."
        )
    typer.echo(f"{rows[0]['samples']} samples. {remark}")


def _counts(calls: dict[str, int]) -> str:
    return ", ".join(f"{name} x{count}" for name, count in sorted(calls.items()))


def _batch(plan: ScorePlan) -> Tensor | Any:
    shape, file = plan.input_shape, plan.input_file
    if (shape is None) == (file is None):
        raise BadArgument(
            "expected either --input-shape (such as 3,32,32) or --input-file, "
            + ("got neither." if shape is None else "got both.")
        )
    if file is not None:
        return _first(_read(Path(file)), plan.samples)
    assert shape is not None
    from naslib_swap import inputs

    try:
        wanted = tuple(int(n) for n in shape.split(","))
    except ValueError:
        raise BadArgument(
            f"got --input-shape {shown(shape)}, expected numbers such as 3,32,32."
        ) from None
    # Labels are not looked at: any data set will do.
    return inputs.load(
        plan.inputs, samples=plan.samples, shape=wanted, num_classes=1000, seed=plan.seed
    ).images


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
    except Exception as error:  # reported as it is: every reader has its own errors
        raise BadFile(
            f"cannot read {file}: {_in_short(error)}. Expected .npy, .npz or .pt with numbers."
        ) from None


def _in_short(error: Exception) -> str:
    """Return the first sentence of an error, without the colours that torch puts in."""
    plain = re.sub(r"\x1b\[[0-9;]*m", "", str(error)).strip()
    return plain.split("\n")[0].split(". ")[0].rstrip(".") or type(error).__name__


def _in_type_of(net: Any, batch: Any) -> Any:
    """Return the batch with its floating tensors in the type of the network's weights."""
    import torch

    if isinstance(batch, dict):
        return {name: _in_type_of(net, value) for name, value in batch.items()}
    if isinstance(batch, tuple):
        return tuple(_in_type_of(net, value) for value in batch)
    if isinstance(batch, torch.Tensor) and batch.is_floating_point():
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
