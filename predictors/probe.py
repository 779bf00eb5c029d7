"""A network and a minibatch, with the passes that proxies share."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Callable, TypeVar

import torch
from torch import Tensor, nn

from naslib_swap.predictors.isolation import device_of

if TYPE_CHECKING:
    from naslib_swap.inputs import Minibatch
    from naslib_swap.predictors.forward import ForwardPass
    from naslib_swap.predictors.loss import LossPass

T = TypeVar("T")


class Probe:
    """One network on one minibatch, as proxies look at it.

    Each shared pass is computed when the first proxy asks for it, once, and timed. A pass that
    fails fails again, with the same message, for every other proxy that asks. Passes leave the
    network as it was.

    Args:
        net: Any module; its device decides where everything runs.
        minibatch: Has `images` [S, ...] and `labels` int64 [S].
        seed: Of every random choice that a pass or proxy makes.
        num_classes: Tells the logits from other tensors where the network returns several.
        settings: What single proxies can be told; each names its settings in its docstring. Known
            so far: `mu`, `sigma`, `repeats`, `batch_repeats`, `depth`, `loss`, `targets`.
    """

    def __init__(
        self,
        net: nn.Module,
        minibatch: Minibatch,
        *,
        seed: int = 0,
        num_classes: int | None = None,
        settings: Mapping[str, Any] | None = None,
    ) -> None:
        self.net = net
        self.minibatch = minibatch
        self.seed = seed
        self.num_classes = num_classes
        self.settings: Mapping[str, Any] = settings or {}
        self.device = device_of(net)
        self._results: dict[str, Any] = {}
        self._failures: dict[str, Exception] = {}
        self._seconds: dict[str, float] = {}
        self._uses: dict[str, frozenset[str]] = {}
        self._asked: set[str] = set()

    @property
    def images(self) -> Tensor:
        """The images [S, ...] on the network's device, in its floating type."""
        return self.once("images", self._place_images)

    @property
    def labels(self) -> Tensor:
        """The labels, int64 [S], on the network's device."""
        return torch.as_tensor(self.minibatch.labels).to(self.device)

    def forward(self) -> ForwardPass:
        """One forward pass in train mode, its graph kept for `loss` and `jacobian`."""
        from naslib_swap.predictors.forward import forward_pass

        return self.once("forward", lambda: forward_pass(self))

    def loss(self, *, differentiable: bool = False) -> LossPass:
        """The gradient of the loss for every weighted layer, from one backward pass.

        `differentiable` gradients have a graph of their own, for second derivatives. Where they
        are there already, they serve those who ask for plain ones.
        """
        from naslib_swap.predictors.loss import loss_pass

        with_graph = differentiable or "loss_graph" in self._results
        name = "loss_graph" if with_graph else "loss"
        return self.once(name, lambda: loss_pass(self, differentiable=differentiable))

    def jacobian(self) -> Tensor:
        """The gradient of the sum of all outputs for each image, [S, values of an image]."""
        from naslib_swap.predictors.jacobian import jacobian_pass

        return self.once("jacobian", lambda: jacobian_pass(self))

    def once(self, name: str, compute: Callable[[], T]) -> T:
        """The result of `compute`, kept under `name`; its time is charged to all who ask."""
        self._asked |= {name} | self._uses.get(name, frozenset())
        if name in self._failures:
            raise self._failures[name]
        if name not in self._results:
            self._results[name] = self._timed(name, compute)
        return self._results[name]

    def measure(self, compute: Callable[[Probe], T]) -> tuple[T | Exception, float]:
        """What `compute` gives or raises, and the seconds that it would have taken alone."""
        self._asked = set()
        paid_before = self._paid()
        start = self._clock()
        result: T | Exception
        try:
            result = compute(self)
        except Exception as error:  # reported by the caller as the proxy's error
            result = _without_frames(error)
        own = self._clock() - start - (self._paid() - paid_before)
        return result, own + sum(self._seconds.get(name, 0.0) for name in self._asked)

    def release(self) -> None:
        """Forget the results of all passes, and with them the graph they hold."""
        self._results.clear()

    def _timed(self, name: str, compute: Callable[[], T]) -> T:
        outer, self._asked = self._asked, set()
        paid_before = self._paid()
        start = self._clock()
        try:
            return compute()
        except Exception as error:
            self._failures[name] = _without_frames(error)
            raise
        finally:
            # Passes that this one asked for are counted under their own names.
            self._seconds[name] = self._clock() - start - (self._paid() - paid_before)
            self._uses[name] = frozenset(self._asked)
            self._asked = outer | self._asked

    def _paid(self) -> float:
        return sum(self._seconds.values())

    def _clock(self) -> float:
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)
        return time.perf_counter()

    def _place_images(self) -> Tensor:
        images = torch.as_tensor(self.minibatch.images).to(self.device)
        weights = next(self.net.parameters(), None)
        if images.is_floating_point() and weights is not None and weights.is_floating_point():
            images = images.to(weights.dtype)
        return images.detach()


def _without_frames(error: Exception) -> Exception:
    """The error without its traceback, whose frames would keep tensors alive.

    Ctrl-C inside torch's dispatch can come out as another error: it is raised as what it was.
    """
    if isinstance(error.__context__, KeyboardInterrupt):
        raise error.__context__
    error.__context__ = error.__cause__ = None
    return error.with_traceback(None)
