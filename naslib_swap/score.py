"""SWAP-Score and its regularised form (arXiv 2403.04161, definitions 3.1 to 3.4; 2605.07378).

>>> net = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.ReLU())
>>> swap_score(net, torch.randn(16, 4)).bound
8
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.func import functional_call, vmap

from naslib_swap.activations import (
    DEFAULT_ACTIVATIONS,
    ActivationTable,
    Calls,
    Kind,
    Rewrite,
    recording,
)
from naslib_swap.advice import advised, refuse_vmap
from naslib_swap.arguments import Arguments, Inputs, Network, module_of
from naslib_swap.devices import device_of, usable
from naslib_swap.dropout import WITHOUT_DROPOUT, without_dropout
from naslib_swap.errors import BadArgument, Unscorable
from naslib_swap.examination import PLAIN, Examined, Plan, examine, remembered
from naslib_swap.initialisation import StandardNormal
from naslib_swap.leaves import untracked
from naslib_swap.movements import Watch
from naslib_swap.patterns import PatternCounter
from naslib_swap.regularisation import log_factor, log_regularised
from naslib_swap.restoration import restored, set_mode
from naslib_swap.rows import Arranger, changed
from naslib_swap.seeding import repeatable
from naslib_swap.traversal import modules_of, parameters_of


@dataclass(frozen=True)
class SignCount:
    """The patterns of one kind of sign: of rectifiers (0, 1), or of activations below 0 too.

    Attributes
    ----------
    patterns
        Number of distinct patterns; the mean over repeats.
    values
        Number of recorded values of this kind.
    ceiling
        All that can be expected: min(values, 2^S). More than that is possible only for signed
        patterns, where values are exactly 0 (after LeakyReLU of zeros, say).
    """

    patterns: float
    values: int
    ceiling: int

    @property
    def saturation(self) -> float:
        """``patterns / ceiling``."""
        return self.patterns / self.ceiling


@dataclass(frozen=True)
class SwapScore:
    """A SWAP-Score and what it was made of.

    Attributes
    ----------
    score
        Mean of ``psi``.
    psi
        Number of distinct patterns, for each repeat (one where the weights were left alone).
    samples, values
        S, the minibatch size, and V, the number of recorded intermediate values.
    bound
        The largest score possible: min(V, 2^S) of rectifiers, min(V, 3^S) of activations that can
        be negative, and of both the sum of the two, but at most 3^S.
    saturation
        ``score / bound``, in (0, 1]. At 1 a single score tells nothing apart.
    parameters
        Theta: number of parameters of the scored network (not in thousands).
    recorded, unrecorded
        Calls of each kind of activation that were recorded, and that were seen only; in brackets
        where the samples were, unless each had one row.
    kinds
        The patterns of each kind of sign, "rectified" and "signed".
    """

    score: float
    psi: tuple[int, ...]
    samples: int
    values: int
    bound: int
    saturation: float
    parameters: int
    recorded: Mapping[str, int]
    unrecorded: Mapping[str, int]
    kinds: Mapping[str, SignCount]

    @property
    def near_bound(self) -> bool:
        """Whether the score is within 5 % of all that so many samples can show.

        That is the bound; or, for one kind of sign, its ceiling, where it is at least 5 % of all
        ceilings: after GELU, SiLU and the like, values are hardly ever exactly 0, so that they have
        two signs, not three. Rectifiers beside them add patterns of their own.
        """
        ceilings = sum(kind.ceiling for kind in self.kinds.values())
        full = (
            abs(kind.saturation - 1) < 0.05 and kind.ceiling >= 0.05 * ceilings
            for kind in self.kinds.values()
        )
        return self.saturation > 0.95 or any(full)


@dataclass(frozen=True)
class RegularisedSwapScore:
    """A SWAP-Score weighed by the size of its network.

    Attributes
    ----------
    score
        The weighed score. It underflows to 0 a little way from ``mu`` where ``sigma`` is small.
    log_score
        Its logarithm, which does not underflow: rank by this.
    mu, sigma
        The size aimed at and the tolerance, in thousands of parameters.
    swap
        The SWAP-Score that was weighed.
    """

    score: float
    log_score: float
    mu: float
    sigma: float
    swap: SwapScore


def swap_score(
    net: Network,
    inputs: Inputs,
    *,
    repeats: int = 0,
    batch_repeats: int = 1,
    seed: int = 0,
    mode: str = "train",
    dropout: bool = False,
    check_rows: bool | str = "auto",
    activations: ActivationTable = DEFAULT_ACTIVATIONS,
    device: torch.device | str | None = None,
) -> SwapScore:
    """Count the distinct sample-wise activation patterns of a network over a minibatch.

    Parameters
    ----------
    net
        Any module, or a ``functools.partial`` of one for arguments that are no batch. It comes
        back as it was, also when its forward pass raises
        (:func:`~naslib_swap.restoration.restored`).
    inputs
        A tensor [S, ...], a sequence (positional arguments) or a mapping (keyword arguments). All
        tensors in it have S (or 1) along dimension 0; more in
        :meth:`~naslib_swap.arguments.Arguments.of`.
    repeats
        0 scores the weights as they are. R > 0 re-initialises R times from ``seed``
        (:class:`~naslib_swap.initialisation.StandardNormal`) and takes the mean.
    batch_repeats
        How many re-initialisations run as one computation (``torch.func.vmap``): faster for tiny
        networks, at the memory of so many forward passes. The weights are the same; sums may round
        differently, so a count can differ by a pattern where a sign hangs by a rounding error.
    seed
        Seed of the re-initialisation, and of anything random in the forward pass.
    mode
        ``"train"`` (batch statistics, the papers' choice) or ``"eval"``.
    dropout
        Whether dropout, stochastic depth and random slopes stay on in train mode. They add
        patterns that no input made (:mod:`naslib_swap.dropout`).
    check_rows
        Whether to make sure, by changing samples, that rows of activations are samples, and that
        nothing hides its activations: ``"auto"`` looks once for each class of networks, and at
        rows where a call may have moved them; True looks always; False never, which takes no
        further forward pass.
    activations
        What counts as an activation.
    device
        Where to run; by default where the network is.

    Returns
    -------
    SwapScore
        The score, its upper bound, and what was counted.

    Raises
    ------
    SwapError
        No activation was recorded; scripted code; fewer than two samples; inputs that disagree on
        their number; NaN in the inputs or in an activation; weights that cannot be drawn anew;
        rows of an activation that mix samples; activations in other threads; ``repeats``,
        ``batch_repeats``, ``mode`` or ``check_rows`` out of range.

    Notes
    -----
    Definition 3.2 of arXiv 2403.04161: the cardinality of the set of sample-wise patterns. Counts
    are exact for any S.

    Examples
    --------
    >>> net = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.ReLU())
    >>> result = swap_score(net, torch.randn(16, 4))
    >>> result.values, result.bound, dict(result.recorded)
    (8, 8, {'relu': 1})
    """
    if repeats < 0:
        raise BadArgument(f"got repeats={repeats}, expected 0 (weights as they are) or more.")
    if not all(isinstance(n, (int, np.integer)) for n in (repeats, batch_repeats)):
        raise BadArgument(
            f"got repeats={repeats} and batch_repeats={batch_repeats}, expected whole numbers."
        )
    if batch_repeats < 1:
        raise BadArgument(f"got batch_repeats={batch_repeats}, expected 1 or more.")
    if mode not in ("train", "eval"):
        raise BadArgument(f"got mode={mode!r}, expected 'train' or 'eval'.")
    if check_rows not in (True, False, "auto"):
        raise BadArgument(f"got check_rows={check_rows!r}, expected True, False or 'auto'.")
    net, bound = module_of(net)
    _require_visible(net)

    def scored(plan: Plan | None) -> SwapScore | Plan:
        """The score; or, without a plan, the plan to start again with where it is not plain."""
        with repeatable(seed), restored(net):
            target = device_of(net) if device is None else usable(device)
            if target is not None and target != device_of(net):
                net.to(target)
            arguments = Arguments.of(inputs, target, bound)
            set_mode(net, mode == "train")
            way = _Way(activations, {} if dropout else WITHOUT_DROPOUT, plan or PLAIN)
            modules = modules_of(net)
            quiet = without_dropout(modules) if not dropout and mode == "train" else nullcontext()
            with quiet, untracked(modules), advised(net, arguments, mode=mode):
                parameters = _count(modules)
                initialisation = StandardNormal(net, seed) if repeats else None
                psi: list[int] = []
                by_sign: list[Mapping[bool, int]] = []
                while len(psi) < max(1, repeats):
                    # Below Python, repeats that run at once look like one.
                    most = 1 if way.plan.hidden else batch_repeats
                    together = min(most, repeats - len(psi))
                    watch = Watch(arguments.samples) if plan is None and not psi else None
                    if initialisation is not None and together > 1:
                        counters, pass_ = _count_together(
                            net, arguments, replace(way, watch=watch), initialisation, together
                        )
                    else:
                        if initialisation is not None:
                            initialisation.draw()
                        counters, pass_ = _count_once(net, arguments, replace(way, watch=watch))
                    if watch is not None and check_rows is not False:
                        found = _plan(net, arguments, way, watch, pass_, seed, check_rows is True)
                        if found != PLAIN:
                            return found
                    _require_values(counters[0], pass_.calls, net)
                    psi.extend(counter.count() for counter in counters)
                    mixed = len(counters[0].values_by_sign) > 1
                    by_sign.extend(counter.count_by_sign() for counter in counters if mixed)
            return _summary(psi, by_sign, counters[0], pass_.calls, parameters)

    result = scored(None)
    if isinstance(result, Plan):
        result = scored(result)
    assert isinstance(result, SwapScore)
    return result


def _summary(
    psi: Sequence[int],
    by_sign: Sequence[Mapping[bool, int]],
    counter: PatternCounter,
    calls: Calls,
    parameters: int,
) -> SwapScore:
    score = sum(psi) / len(psi)
    kinds = {
        "signed" if signed else "rectified": SignCount(
            patterns=sum(n[signed] for n in by_sign) / len(psi) if by_sign else score,
            values=values,
            ceiling=min(values, 2**counter.samples),
        )
        for signed, values in sorted(counter.values_by_sign.items())
    }
    return SwapScore(
        score=score,
        psi=tuple(psi),
        samples=counter.samples,
        values=counter.values,
        bound=counter.bound,
        saturation=score / counter.bound,
        parameters=parameters,
        recorded=dict(calls.recorded),
        unrecorded=dict(calls.unrecorded),
        kinds=kinds,
    )


def regularised_swap_score(
    net: Network,
    inputs: Inputs,
    *,
    mu: float,
    sigma: float,
    parameters: int | None = None,
    **options: Any,
) -> RegularisedSwapScore:
    """Weigh :func:`swap_score` by ``exp(-(theta - mu)^2 / sigma)`` (definition 3.4).

    Parameters
    ----------
    net
        As for `swap_score`.
    inputs
        As for `swap_score`.
    mu
        The size aimed at, in thousands of parameters, as theta is.
    sigma
        The tolerance, in thousands of parameters; it is not squared.
    parameters
        Replaces the network's own count, for example to leave out an auxiliary head.
    **options
        Further options of `swap_score`.

    Returns
    -------
    RegularisedSwapScore
        Rank by its ``log_score``.

    Raises
    ------
    SwapError
        As for `swap_score`, and where ``mu`` or ``sigma`` is out of range.

    Examples
    --------
    >>> net = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.ReLU())
    >>> result = regularised_swap_score(net, torch.randn(16, 4), mu=0.04, sigma=1.0)
    >>> result.log_score == math.log(result.swap.score)  # theta is mu: 40 parameters
    True
    """
    log_factor(0.0, mu, sigma)  # complain before the work, not after it
    swap = swap_score(net, inputs, **options)
    theta = (swap.parameters if parameters is None else parameters) / 1000
    return RegularisedSwapScore(
        score=swap.score * math.exp(log_factor(theta, mu, sigma)),
        log_score=log_regularised(swap.score, theta, mu, sigma),
        mu=mu,
        sigma=sigma,
        swap=swap,
    )


def count_parameters(net: nn.Module) -> int:
    """Return the number of parameters of a network, each counted once."""
    return _count(modules_of(net))


def _count(modules: Sequence[nn.Module]) -> int:
    return sum(parameter.numel() for parameter in parameters_of(modules))


@dataclass(frozen=True)
class _Way:
    """How forward passes are recorded."""

    table: ActivationTable
    rewrites: Mapping[Any, Rewrite]
    plan: Plan
    watch: Watch | None = None

    def record(
        self, net: nn.Module, consume: Callable[[Any, Kind], bool | str]
    ) -> AbstractContextManager[Calls]:
        return recording(
            net,
            consume,
            self.table,
            watch=self.watch,
            rewrites=self.rewrites,
            hidden=self.plan.hidden,
            lightly=self._leaves_are_silent,
        )

    @property
    def _leaves_are_silent(self) -> bool:
        """Whether nobody asks for the calls of torch's own leaf modules."""
        default = self.table.functions is DEFAULT_ACTIVATIONS.functions
        return default and not self.plan.hidden and not torch._C._len_torch_function_stack()


@dataclass(frozen=True)
class _Pass:
    """What a forward pass showed."""

    calls: Calls
    arranger: Arranger


_Counted = tuple[list[PatternCounter], _Pass]


def _count_once(net: nn.Module, arguments: Arguments, way: _Way) -> _Counted:
    """One forward pass with the weights as they are."""
    counter = PatternCounter(arguments.samples, arguments.device)
    arranger = Arranger(arguments.samples, way.plan.layout)

    def consume(output: Any, kind: Kind) -> bool | str:
        refuse_vmap(output)
        rows, how = arranger.arrange(output)
        if rows is not None:
            counter.add(rows, signed=kind.signed, name=kind.name)
        return False if how is None else how or True

    with torch.no_grad(), way.record(net, consume) as calls:
        arguments.call(net)
    return [counter], _Pass(calls, arranger)


def _plan(
    net: nn.Module,
    arguments: Arguments,
    way: _Way,
    watch: Watch,
    shown: _Pass,
    seed: int,
    thorough: bool,
) -> Plan:
    """How the network is to be recorded, judging by a pass that took it for a plain one."""
    seen = Examined(net, shown.calls, watch, shown.arranger, way.table)
    plan = None if thorough else remembered(seen)
    if plan is None:

        def call(sources: Tensor) -> None:
            swapped = replace(
                arguments,
                positional=changed(arguments.positional, arguments.samples, sources),
                keywords=changed(dict(arguments.keywords), arguments.samples, sources),
            )
            with repeatable(seed):
                swapped.call(net)

        with repeatable(seed), restored(net):
            plan = examine(seen, call, way.rewrites, thorough=thorough)
    return plan


def _count_together(
    net: nn.Module,
    arguments: Arguments,
    way: _Way,
    initialisation: StandardNormal,
    repeats: int,
) -> _Counted:
    """One forward pass for several re-initialisations, drawn as a loop would draw them."""
    weights = initialisation.draw_stacked(repeats)
    buffers = {
        name: buffer.expand(repeats, *buffer.shape).clone() for name, buffer in net.named_buffers()
    }
    kinds: list[Kind] = []
    passes: list[_Pass] = []

    def forward(*state: dict[str, Tensor]) -> tuple[tuple[Tensor, ...], tuple[Tensor, ...]]:
        outputs: list[Tensor] = []
        maxima: list[Tensor] = []
        arranger = Arranger(arguments.samples, way.plan.layout)

        def consume(output: Any, kind: Kind) -> bool | str:
            refuse_vmap(output, depth=1)
            rows, how = arranger.arrange(output)
            if rows is not None:
                # Copies, since what follows may change the output in place; of a rectifier's output
                # its positive values are all that counts, at a quarter of the memory.
                outputs.append(rows.clone() if kind.signed else rows > 0)
                maxima.append(rows.amax())
                kinds.append(kind)
            return False if how is None else how or True

        with way.record(net, consume) as calls:
            arguments.call(lambda *given, **named: functional_call(net, state, given, named))
        passes.append(_Pass(calls, arranger))
        return tuple(outputs), tuple(maxima)

    with torch.no_grad(), initialisation.identity_norms():
        outputs, maxima = vmap(forward, randomness="different")(weights, buffers)
    counters = [PatternCounter(arguments.samples, arguments.device) for _ in range(repeats)]
    for stacked, highest, kind in zip(outputs, maxima, kinds):
        for counter, output, maximum in zip(counters, stacked, highest):
            counter.add(output, signed=kind.signed, name=kind.name, maximum=maximum)
    return counters, passes[0]


def _require_visible(net: nn.Module) -> None:
    modules = modules_of(net)
    scripted = {cls for cls in set(map(type, modules)) if issubclass(cls, torch.jit.ScriptModule)}
    if scripted or any(map(_is_compiled, modules)):
        hidden = [
            name or "itself"
            for name, module in net.named_modules()
            if type(module) in scripted or _is_compiled(module)
        ]
        raise Unscorable(
            f"{type(net).__name__} holds scripted, traced or compiled code "
            f"({', '.join(hidden[:3])}), whose activations cannot be seen; expected plain modules. "
            "Pass the network as it was before torch.jit or torch.compile."
        )


def _is_compiled(module: nn.Module) -> bool:
    # By their parts: torch's class of compiled modules takes seconds to import.
    return "_orig_mod" in module._modules or bool(module.__dict__.get("_compiled_call_impl"))


def _require_values(counter: PatternCounter, calls: Calls, net: nn.Module) -> None:
    if not counter.values:
        seen = ", ".join(sorted(calls.unrecorded)) or "none"
        raise Unscorable(
            f"{type(net).__name__} showed no activation to record (seen but not recorded: {seen}); "
            "expected ReLU, GELU, SiLU or the like, as a module or a function outside scripted or "
            "compiled code. Pass activations=DEFAULT_ACTIVATIONS.with_module(...) or "
            ".with_function(...) to record others."
        )
