"""Comparing models, from names or modules to a table and what it is worth."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Union

from naslib_swap.errors import BadArgument, SwapError
from naslib_swap.models.comparison import ModelComparison
from naslib_swap.models.given import Batch, given_inputs
from naslib_swap.models.measure import Measuring, ModelScore, failed
from naslib_swap.models.model import Asked, Model
from naslib_swap.models.names import models_named
from naslib_swap.models.own import given_model
from naslib_swap.models.pilot import fewest_samples
from naslib_swap.models.plan import ModelsPlan
from naslib_swap.models.raised import cause
from naslib_swap.options import plan_of
from naslib_swap.quoting import one_line
from naslib_swap.regularisation import from_sizes

if TYPE_CHECKING:
    from torch import nn

    from naslib_swap.arguments import Inputs

Models = Union[Mapping[str, "Union[nn.Module, Callable[[], nn.Module], str]"], Iterable[str]]


def compare_models(
    models: Models,
    inputs: Inputs | str | None = None,
    *,
    progress: Callable[[int, int], None] = lambda done, total: None,
    note: Callable[[str], None] = lambda text: None,
    **options: Any,
) -> ModelComparison:
    """Score models on the same inputs, rank them, and say what the ranking is worth.

    Parameters
    ----------
    models
        Modules, factories or names by what to call them; or names alone: ``"timm:resnet18"``,
        ``"torchvision:resnet18"``, ``"hf:bert"``, ``"models.py"``, ``"models.py:net(width=2)"``. A
        module keeps its weights, a factory is called for each draw.
    inputs
        As `swap_score` takes them, all samples unless ``samples`` says fewer; the name of a source
        of images, such as ``"natural"`` or a folder; None gives each model natural crops or text,
        of the shape that its configuration says, or of ``input_shape``.
    progress
        Called with the number of models done and the number there are.
    note
        Called with what a user should know.
    **options
        Of :class:`naslib_swap.models.plan.ModelsPlan`, which are those of ``naslib-swap score``:
        ``input_shape="3,32,32"``, ``samples=32`` or ``"auto"``, ``draws=5``,
        ``proxies="synflow,nwot"``, ``pretrained=True`` and others.

    Returns
    -------
    ModelComparison
        Its ``table`` is a data frame with one row per model, best first; ``remarks`` says what it
        is worth; a notebook shows both. A model that fails has its reason in its own row.

    Raises
    ------
    SwapError
        Options that do not go together, inputs that cannot be read, no models.

    Examples
    --------
    >>> import torch
    >>> from torch import nn
    >>> def net(width):
    ...     return nn.Sequential(nn.Linear(4, width), nn.ReLU())
    >>> found = compare_models({"narrow": net(2), "wide": net(8)}, torch.randn(6, 4))
    >>> found.table["model"].tolist()
    ['wide', 'narrow']
    """
    if isinstance(inputs, str):
        options, inputs = {**options, "inputs": inputs}, None
    if inputs is not None and "samples" not in options:
        options["samples"] = Batch(inputs, "").samples  # all that is given, as `swap_score` does
    plan = plan_of(ModelsPlan, options, "compare_models")
    return compare_planned(models, inputs, plan, progress=progress, note=note)


def compare_planned(
    models: Models,
    inputs: Any,
    plan: ModelsPlan,
    *,
    progress: Callable[[int, int], None] = lambda done, total: None,
    note: Callable[[str], None] = lambda text: None,
    watch: Callable[[Callable[[], ModelComparison]], None] = lambda so_far: None,
) -> ModelComparison:
    """Compare models as a plan says; otherwise as `compare_models`.

    ``watch`` gets, before the first model, a function that returns the comparison so far.

    Raises
    ------
    SwapError
        As `compare_models`.
    """
    plan.check()
    note = _once(note)
    measuring = Measuring(plan, given_inputs(inputs, plan, note))
    _ = measuring.device  # complain now, not after the first model
    asked = Asked(plan.shape, plan.length, plan.pretrained, note)
    found = _models(models, asked)
    if not found:
        raise BadArgument("got no models, expected at least one.")
    samples = plan.samples or fewest_samples(found, measuring, note)
    rows: list[ModelScore] = []
    watch(lambda: _compared(rows, plan, samples))
    for number, model in enumerate(found):
        progress(number, len(found))
        rows.append(_row(model, measuring, samples))
    progress(len(found), len(found))
    return _compared(rows, plan, samples)


def _once(note: Callable[[str], None]) -> Callable[[str], None]:
    """Return a function that passes on each note once: a model is built several times."""
    told: set[str] = set()

    def tell(text: str) -> None:
        if text not in told:
            told.add(text)
            note(text)

    return tell


def _models(models: Models, asked: Asked) -> list[Model]:
    if not isinstance(models, Mapping):
        return models_named(models, asked)
    found = []
    for name, value in models.items():
        if isinstance(value, str):
            named = models_named([value], asked)
            alone = len(named) == 1
            found += [
                Model(name if alone else one.name, one.build, one.takes, one.family, one.redrawn)
                for one in named
            ]
        else:
            found.append(given_model(name, value))
    return found


def _row(model: Model, measuring: Measuring, samples: int) -> ModelScore:
    """Return what comes of a model; whatever it raises costs its own row alone."""
    try:
        return measuring.score(model, samples)
    except SwapError as error:
        return failed(model.name, error)
    except MemoryError:
        return failed(model.name, SwapError(f"{model.name} ran out of memory: take fewer samples."))
    except Exception as error:  # of a model's own code, at any place
        return failed(model.name, SwapError(f"{model.name}: {one_line(cause(error), 400)}."))


def _compared(rows: Sequence[ModelScore], plan: ModelsPlan, samples: int) -> ModelComparison:
    scored = [row for row in rows if row.error is None]
    mu, sigma = plan.mu, plan.sigma
    if plan.rule is not None and scored:
        found = from_sizes([one.swap.parameters / 1000 for one in scored], plan.rule)
        mu, sigma = found.mu, found.sigma

    def value(one: ModelScore) -> float:
        if mu is None or sigma is None:
            return one.score
        logs = one.log_regularised(mu, sigma)
        return sum(logs) / len(logs)

    best_first = sorted(scored, key=value, reverse=True)
    taken = max((one.swap.samples for one in scored), default=samples)
    return ModelComparison(
        (*best_first, *(r for r in rows if r.error is not None)), taken, mu, sigma
    )
