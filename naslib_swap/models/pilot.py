"""How many samples it takes: the fewest at which no model is near its bound."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from naslib_swap.errors import SwapError
from naslib_swap.models.footprint import footprint
from naslib_swap.models.judgement import is_full
from naslib_swap.models.measure import Measuring
from naslib_swap.models.model import Model
from naslib_swap.models.plan import SIZES


def fewest_samples(
    models: Sequence[Model],
    measuring: Measuring,
    note: Callable[[str], None],
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> int:
    """Return the least of `SIZES` at which no model is near its bound, in one draw of each.

    A model that fails here is left out: it fails again where its row is made. Where all values of a
    model have patterns of their own, or memory ends, more samples are not tried for it.
    """
    rows = measuring.given.rows
    sizes = [size for size in SIZES if rows is None or size <= rows]
    if rows is not None and rows < SIZES[-1] and rows not in sizes:
        sizes.append(rows)
    place, at_the_end, tried = 0, [], 0
    for number, model in enumerate(models):
        progress(number, len(models))
        try:
            place, enough = _place(model, measuring, sizes, place)
        except SwapError:
            continue
        tried += 1
        if not enough:
            at_the_end.append(model.name)
    progress(len(models), len(models))
    found = sizes[place]
    if at_the_end:
        note(f"no number of samples up to {found} keeps {', '.join(at_the_end)} off the bound")
    elif tried:
        note(f"--samples {found}: the fewest at which no model is near its bound")
    return found


def _place(
    model: Model, measuring: Measuring, sizes: Sequence[int], start: int
) -> tuple[int, bool]:
    """Return the place of the least size from `start` on that will do, and whether one does."""
    plan = measuring.plan
    seen = measuring.foreseen(model, sizes[start], plan.seed)
    net = model.build(plan.seed)
    for place in range(start, len(sizes)):
        batch = measuring.given.batch(model, net, sizes[place], plan.seed)
        measuring.shaped(model, net, batch, plan.seed)
        if seen is None:
            seen = footprint(net, batch.value, seed=plan.seed, mode=plan.mode)
        measuring.refuse(model, seen, batch.samples)
        swap = measuring.swap(model, net, batch, plan.seed)
        if not swap.near_bound:
            return place, True
        if is_full(swap) or batch.samples < sizes[place]:  # a text may end
            return place, False
    return len(sizes) - 1, False
