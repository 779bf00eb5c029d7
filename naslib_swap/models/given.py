"""What models are given: the same numbers for all, or each what it takes."""

from __future__ import annotations

import hashlib
import inspect
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from naslib_swap import inputs as images
from naslib_swap.arguments import mapped, tensors_in
from naslib_swap.errors import BadArgument, BadFile, Unscorable
from naslib_swap.inputs import datasets, fitting, hub
from naslib_swap.inputs.files import Images, open_images
from naslib_swap.models.model import Model, Takes
from naslib_swap.models.plan import EMBEDDED, NATURAL, SIZES, ModelsPlan
from naslib_swap.models.texts import tokens
from naslib_swap.quoting import one_line

_ARRAYS = (".npy", ".npz", ".pt", ".pth")
_TEXTS = (".txt", ".jsonl", ".parquet")
_CHANNELS = (1, 3)
_LABELS = ("labels", "label", "targets", "y")


@dataclass(frozen=True, eq=False)
class Batch:
    """A minibatch of one model: the numbers, and in words what they are."""

    value: Any
    said: str

    @property
    def samples(self) -> int:
        """S."""
        sizes = [len(t) for t in tensors_in([self.value]) if t.dim()]
        return max(sizes, default=0)

    @property
    def digest(self) -> str:
        """What identifies the exact numbers."""
        found = hashlib.sha256()
        for tensor in tensors_in([self.value]):
            found.update(f"{tensor.dtype}{tuple(tensor.shape)}".encode())
            found.update(tensor.detach().cpu().contiguous().view(torch.uint8).numpy().tobytes())
        return found.hexdigest()[:16]


@dataclass(frozen=True, eq=False)
class Given:
    """What a user gives to models.

    Attributes
    ----------
    plan
        The options.
    fixed
        Numbers that all models get as they are; None where each gets what it takes.
    pictures
        Images [H, W, C] of the user's, which are brought to what a model takes.
    note
        Called with what the user should know.
    """

    plan: ModelsPlan
    fixed: Any = None
    pictures: Images | None = None
    note: Callable[[str], None] = lambda text: None

    @property
    def rows(self) -> int | None:
        """How many samples there are; None where there is no end."""
        if self.pictures is not None:
            return self.pictures.total
        return None if self.fixed is None else Batch(self.fixed, "").samples

    def batch(self, model: Model, net: nn.Module, samples: int, seed: int) -> Batch:
        """Return what one model is given.

        Raises
        ------
        SwapError
            Where nothing says what it takes, or that cannot be had.
        """
        if self.fixed is not None:
            value = _typed(net, _first(_called(net, self.fixed), samples))
            return Batch(value, described(value))
        takes = model.takes(net)
        if takes.kind == "tokens" or (takes.kind == "unknown" and self.plan.text is not None):
            return self._of_tokens(model, net, takes, samples)
        if self.plan.inputs == self.plan.text:
            raise BadArgument(f"{model.name} takes {takes.kind}, and {self.name} holds texts.")
        shape = self.plan.shape or takes.shape
        if takes.kind not in ("unknown", "images") or (shape is None and self.pictures is None):
            raise _unknown(model, net, takes)
        if self.pictures is not None:
            found = _pictured(self, min(samples, self.pictures.total), shape, seed)
        else:
            found = _loaded(self.plan.inputs, samples, shape or (), seed)
        value = _typed(net, found)
        return Batch(value, f"{self.name}, {described(value)}")

    @property
    def name(self) -> str:
        """What the user calls the inputs."""
        return one_line(self.plan.input_file or self.plan.inputs)

    def _of_tokens(self, model: Model, net: nn.Module, takes: Takes, samples: int) -> Batch:
        if self.pictures is not None or self.plan.inputs not in (NATURAL, self.plan.text):
            raise BadArgument(
                f"{model.name} takes tokens, and {self.name} holds images; give --text."
            )
        if takes.vocabulary is None:
            table = next((m for m in net.modules() if isinstance(m, nn.Embedding)), None)
            if table is None:
                raise BadArgument(
                    f"{model.name} has no table of embeddings, so it takes no tokens; leave the "
                    "texts."
                )
            takes = Takes("tokens", (self.plan.length,), table.num_embeddings)
        text = None if self.plan.text == EMBEDDED else self.plan.text
        value = tokens(takes, samples, text)
        if self.plan.samples is not None and len(value) < samples:
            self.note(
                f"{'the embedded text' if text is None else one_line(text)} has {len(value)} texts "
                f"of {value.shape[1]} tokens, fewer than --samples {samples}: all of them are taken"
            )
        return Batch(
            value,
            f"{'text' if text is None else one_line(text)}, {described(value)} of "
            f"{takes.vocabulary:,}",
        )


def given_inputs(inputs: Any, plan: ModelsPlan, note: Callable[[str], None]) -> Given:
    """Return what models are given.

    Parameters
    ----------
    inputs
        A tensor, tuple or mapping, as `swap_score` takes them; None leaves it to the plan.
    plan
        The options.
    note
        Called with what the user should know.

    Raises
    ------
    SwapError
        A file that cannot be read, or options that do not go together.
    """
    if inputs is not None:
        if plan.input_file is not None or plan.inputs != NATURAL:
            raise BadArgument("got inputs twice, expected numbers, or options that name them.")
        return _held(inputs, replace(plan, inputs="the inputs"), "the inputs", note)
    plan = _named(plan)
    file = plan.input_file
    if file is None and Path(plan.inputs).suffix in _ARRAYS and Path(plan.inputs).is_file():
        file = plan.inputs
    elif file is not None and plan.inputs != NATURAL:
        raise BadArgument("got both --inputs and --input-file, expected one of them.")
    if file is not None:
        return _held(_read(Path(file)), plan, one_line(file), note)
    if plan.shape is not None and plan.samples is not None:
        images.check(plan.inputs, samples=plan.samples, shape=plan.shape)
    elif plan.inputs not in (NATURAL, plan.text):
        images.check(plan.inputs, samples=plan.samples or 2, shape=(3, 32, 32))
    if plan.inputs.lower() in images.sources() or plan.inputs == plan.text:
        return Given(plan, note=note)
    most = plan.samples or SIZES[-1]
    if not plan.inputs.startswith("hf:"):
        return _of_images(open_images(Path(plan.inputs), most), plan, note)
    name = plan.inputs[len("hf:") :]
    rows = hub.read_rows(name, most)
    if hub.pictures_in(rows) is None:
        hub.texts_of(rows, name)  # complain now, where there are none
        return Given(replace(plan, text=plan.inputs), note=note)
    return _of_images(_listed(hub.images_of(rows, name)[0]), plan, note)


def described(value: Any) -> str:
    """Say kinds and shapes, such as ``float32 [32, 3, 8, 8]``."""
    if isinstance(value, Tensor):
        return f"{str(value.dtype).removeprefix('torch.')} {list(value.shape)}"
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {described(item)}" for name, item in value.items())
    if isinstance(value, (tuple, list)):
        return ", ".join(map(described, value))
    return repr(value)


def _named(plan: ModelsPlan) -> ModelsPlan:
    """Return the options with texts among the inputs as texts, and saved data sets as ``hf:``."""
    inputs, text = (
        f"hf:{name}" if name is not None and hub.is_saved(name) else name
        for name in (plan.inputs, plan.text)
    )
    if Path(str(inputs)).suffix in _TEXTS:
        if text is not None:
            raise BadArgument("got texts by both --inputs and --text, expected one of them.")
        text = inputs
    known = (None, EMBEDDED)
    if text not in known and not str(text).startswith("hf:") and not Path(str(text)).is_file():
        raise BadFile(f"there is no file {one_line(text)}, expected a text, or embedded.")
    if Path(str(inputs)).suffix in _ARRAYS and not Path(str(inputs)).is_file():
        raise BadFile(f"there is no file {one_line(inputs)}, expected a minibatch.")
    return replace(plan, inputs=str(inputs), text=text)


def _held(value: Any, plan: ModelsPlan, name: str, note: Callable[[str], None]) -> Given:
    pictures = _pictures(value)
    if pictures is not None:
        note(
            f"{name}: taken for {len(pictures)} images of {'x'.join(map(str, pictures.shape[1:]))}"
        )
        return _of_images(_listed(pictures), plan, note)
    if plan.input_shape is not None:
        raise BadArgument(
            f"got --input-shape, and {name} that has a shape of its own, expected one of them."
        )
    return _counted(Given(plan, fixed=value, note=note), name)


def _of_images(pictures: Images, plan: ModelsPlan, note: Callable[[str], None]) -> Given:
    given = Given(plan, pictures=pictures, note=note)
    if pictures.total < 2:
        raise BadFile(f"{given.name} has a single image, expected several.")
    return _counted(given, given.name)


def _listed(pictures: Sequence[np.ndarray] | np.ndarray) -> Images:
    return Images(len(pictures), None, lambda places: (pictures[place] for place in places))


def _counted(given: Given, name: str) -> Given:
    """Say so where there are fewer rows than samples."""
    rows, samples = given.rows or 0, given.plan.samples
    if samples is not None and 1 < rows < samples:
        given.note(f"{name} has {rows} rows, fewer than --samples {samples}: all of them are taken")
    return given


def _called(net: nn.Module, value: Any) -> Any:
    """Return arguments by name; or one array alone, which is the first of them or no name there."""
    if not isinstance(value, Mapping):
        return value
    names = inspect.signature(net.forward).parameters
    taken = [key for key in value if key in names or key not in _LABELS]
    anything = any(one.kind is one.VAR_KEYWORD for one in names.values())
    if len(taken) != 1:
        return value
    name = taken[0]
    known = name in names or anything
    return value[name] if not known or name == next(iter(names), None) else value


def _pictures(value: Any) -> np.ndarray | None:
    """Return images as uint8 [N, H, W, C], where the numbers are such."""
    certain = True
    if isinstance(value, Mapping):
        named = [key for key in value if key not in _LABELS]
        if len(named) != 1:
            return None
        certain = len(value) > 1 or named[0] in ("images", "x", "arr_0")
        value = value[named[0]]
    if isinstance(value, Tensor) and value.dtype == torch.uint8:
        value = value.numpy()
    if not isinstance(value, np.ndarray) or value.dtype != np.uint8 or value.ndim not in (3, 4):
        return None
    if value.ndim == 3:  # grey
        return value[..., None] if certain and min(value.shape[1:]) > 3 else None
    if value.shape[-1] in _CHANNELS:
        return value
    return value.transpose(0, 2, 3, 1) if value.shape[1] in _CHANNELS else None


@lru_cache(maxsize=4)
def _pictured(given: Given, samples: int, shape: tuple[int, ...] | None, seed: int) -> Tensor:
    assert given.pictures is not None
    places = range(samples)
    if shape is None:  # their own
        # All that will be taken, also where a trial takes fewer.
        every = range(min(given.pictures.total, given.plan.samples or SIZES[-1]))
        sizes = {one.shape for one in given.pictures.pick(every)}
        height, width = (min(size[place] for size in sizes) for place in (0, 1))
        if len(sizes) > 1:
            raise BadArgument(
                f"{given.name} has pictures of {len(sizes)} sizes, expected --input-shape, such as "
                f"3,{height},{width}."
            )
        shape = (sizes.pop()[-1], height, width)
    wanted = fitting.layout(shape)
    colours = (
        one if one.shape[-1] == 3 else np.repeat(one, 3, axis=-1)
        for one in given.pictures.pick(places)
    )
    fitted = datasets.fitted(datasets.Raw(colours, None), wanted, given.name)
    normal = fitting.normalised(fitted, datasets.IMAGENET_STATISTICS)
    return torch.from_numpy(fitting.arranged(normal, wanted, seed))


def _unknown(model: Model, net: nn.Module, takes: Takes) -> Exception:
    if takes.kind not in ("unknown", "images"):
        return Unscorable(
            f"{model.name} takes {takes.kind}, which we do not have: give --inputs with its "
            "arguments by name (.npz), or the tensor (.npy)."
        )
    hint = ""
    for layer in net.modules():
        if isinstance(layer, nn.Conv2d):
            hint = f" Its first convolution takes {layer.in_channels} channels."
            break
        if isinstance(layer, nn.Linear):
            hint = f" Its first layer takes {layer.in_features} numbers: a .npy of such rows?"
            break
        if isinstance(layer, nn.Embedding):
            hint = f" It has a table of {layer.num_embeddings:,} embeddings: --text embedded?"
            break
    return BadArgument(
        f"{model.name}: expected --input-shape (such as 3,32,32) or --inputs with a file, got "
        f"neither, and the model has no input_shape of its own.{hint}"
    )


@lru_cache(maxsize=4)
def _loaded(source: str, samples: int, shape: tuple[int, ...], seed: int) -> Tensor:
    # Labels are not looked at: any data set will do.
    found = images.load(source, samples=samples, shape=shape, num_classes=1000, seed=seed)
    return found.images


def _read(file: Path) -> Any:
    try:
        if file.suffix in (".pt", ".pth"):
            return torch.load(file, map_location="cpu", weights_only=True)
        loaded = np.load(file, allow_pickle=False)
        if isinstance(loaded, np.ndarray):
            return torch.from_numpy(loaded)
        return {name: torch.from_numpy(loaded[name]) for name in loaded.files}
    except Exception as error:  # reported as it is: every reader has its own errors
        raise BadFile(
            f"cannot read {file}: {_in_short(error)}. Expected .npy, .npz or .pt with numbers."
        ) from None


def _in_short(error: Exception) -> str:
    """Return the first sentence of an error, without the colours that torch puts in."""
    plain = re.sub(r"\x1b\[[0-9;]*m", "", str(error)).strip()
    return plain.split("\n")[0].split(". ")[0].rstrip(".") or type(error).__name__


def _typed(net: nn.Module, value: Any) -> Any:
    """Return the numbers with their floating tensors in the type of the network's weights."""
    weights = (p.dtype for p in net.parameters() if p.is_floating_point())
    kind = next(weights, torch.float32)

    def leaf(one: Any) -> Any:
        return one.to(kind) if isinstance(one, Tensor) and one.is_floating_point() else one

    return leaf(value) if isinstance(value, Tensor) else mapped(value, leaf)


def _first(value: Any, samples: int) -> Any:
    if isinstance(value, Tensor):
        return value[:samples] if value.dim() else value
    if isinstance(value, Mapping):
        return {name: _first(item, samples) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return tuple(_first(item, samples) for item in value)
    return value
