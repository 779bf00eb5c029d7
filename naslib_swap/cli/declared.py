"""From declared options to commands."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import fields
from typing import Annotated, Any, Optional, get_type_hints

import typer

from naslib_swap.errors import BadArgument
from naslib_swap.options import config_names, value_kind

_TYPED = (int, float, bool)


def config_option(folder: str) -> Any:
    """Declare an option that names a YAML file, or one of those in a folder of ``configs/``."""
    packaged = ", ".join(config_names(folder))
    return typer.Option(help=f"A YAML file of these options, or a packaged one: {packaged}.")


def command(*plans: type) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Make a command of a function: its first parameters get the options given for each plan.

    The function takes one mapping per plan, from name to value, of the options on the command line,
    and then its own parameters, declared as Typer wants them. Annotations are resolved here, since
    Typer does not resolve them on Python 3.9.
    """

    def decorate(body: Callable[..., None]) -> Callable[..., None]:
        # As a class: before Python 3.11, a default of None would hide `Annotated`.
        noted = type(body.__name__, (), {"__annotations__": body.__annotations__})
        hints = get_type_hints(noted, body.__globals__, include_extras=True)
        own = list(inspect.signature(body).parameters.values())[len(plans) :]
        declared = [_declared(plan) for plan in plans]

        def run(**values: Any) -> None:
            given = [_given(plan, names, values) for plan, names in zip(plans, declared)]
            body(*given, **values)

        parameters = [p for names in declared for p in names.values()]
        parameters += [p.replace(annotation=hints[p.name], kind=p.KEYWORD_ONLY) for p in own]
        # A command's arguments come first, whatever its options.
        run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        run.__annotations__ = {p.name: p.annotation for p in parameters}
        run.__name__, run.__doc__, run.__module__ = body.__name__, body.__doc__, body.__module__
        return run

    return decorate


def _declared(plan: type) -> Mapping[str, inspect.Parameter]:
    types = get_type_hints(plan)
    found = {}
    hidden = getattr(plan, "HIDDEN", ())
    for one in fields(plan):  # type: ignore[arg-type]
        if one.name in hidden:
            continue
        kind, optional = value_kind(types[one.name])
        shown = one.metadata["shown"]
        if shown is None and not optional:
            shown = str(one.default)
        flags = [f"--{one.name.replace('_', '-')}"] if kind is bool else []
        about = typer.Option(
            *flags, help=one.metadata["help"], show_default=kind is not bool and (shown or False)
        )
        typed = kind if kind in _TYPED and one.metadata["read"] is None else str
        found[one.name] = _parameter(one.name, typed, about)
    for old in getattr(plan, "RENAMED", {}):
        found[old] = _parameter(old, str, typer.Option(hidden=True))
    return found


def _parameter(name: str, kind: type, about: Any) -> inspect.Parameter:
    annotation: Any = Annotated[Optional[kind], about]  # type: ignore[valid-type]
    return inspect.Parameter(
        name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=annotation
    )


def _given(plan: type, names: Mapping[str, Any], values: dict[str, Any]) -> dict[str, Any]:
    given = {name: values.pop(name) for name in names}
    for old, new in getattr(plan, "RENAMED", {}).items():
        if given.pop(old, None) is not None:
            flags = [f"--{name.replace('_', '-')}" for name in (old, new)]
            raise BadArgument(f"{flags[0]} is now called {flags[1]}.")
    # A flag that is not there is False: a configuration may have set it.
    return {n: value for n, value in given.items() if value is not None and value is not False}
