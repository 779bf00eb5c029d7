"""A network and a minibatch, with the passes that proxies share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Callable, Protocol, Union

import torch
from torch import Tensor, nn

from naslib_swap.devices import device_of
from naslib_swap.predictors.passes.shared import SharedPasses
from naslib_swap.score import count_parameters

if TYPE_CHECKING:
    from naslib_swap.inputs import Minibatch
    from naslib_swap.predictors.passes.forward import ForwardPass
    from naslib_swap.predictors.passes.loss import LossPass


class Known(Protocol):
    """What can be known of a network without building it."""

    def depth(self) -> float | None:
        """Weighted layers on the longest path; None where it is not known."""

    def parameters(self) -> int | None:
        """Return the number of parameters; None where it is not known."""

    def multiply_accumulates(self, input_shape: tuple[int, ...]) -> int | None:
        """Return those of one sample, as the proxy ``flops`` counts; None where not known."""

    def outline(self) -> nn.Module | None:
        """Return the network on the meta device, without weights; None where only `net` has it."""


class Probe(SharedPasses):
    """One network on one minibatch, as proxies look at it.

    Passes leave the network as it was.

    Parameters
    ----------
    net
        Any module, or a function that builds it when it is first needed. Its device decides where
        everything runs.
    minibatch
        Has `images` [S, ...] and `labels` int64 [S].
    seed
        Seeds every random choice that a pass or proxy makes.
    num_classes
        Tells the logits from other tensors where the network returns several.
    settings
        Settings of single proxies; each names its own in its docstring.
    known
        What is known of the network without building it.
    device
        The device of a network that is not built yet; None takes the network's own.
    """

    def __init__(
        self,
        net: Union[nn.Module, Callable[[], nn.Module]],
        minibatch: Minibatch,
        *,
        seed: int = 0,
        num_classes: int | None = None,
        settings: Mapping[str, Any] | None = None,
        known: Known | None = None,
        device: torch.device | str = "cpu",
    ) -> None:
        built = isinstance(net, nn.Module)
        where = device_of(net) if isinstance(net, nn.Module) else None
        super().__init__(where or torch.device(device))
        self._net = net if built else None
        self._build = net
        self.minibatch = minibatch
        self.seed = seed
        self.num_classes = num_classes
        self.settings: Mapping[str, Any] = settings or {}
        self.known = known

    @property
    def net(self) -> nn.Module:
        """The network, built when it is first asked for; a failure to build it is final."""
        if "net" in self._failures:
            raise self._failures["net"]
        if self._net is None:
            try:
                self._net = self._build()
            except Exception as error:
                self._failures["net"] = error
                raise
        assert isinstance(self._net, nn.Module)
        return self._net

    @property
    def outline(self) -> nn.Module:
        """The network for those who look at modules and shapes alone: without weights if it can be.

        A network that is there already serves as well.
        """
        known = None if self._net is not None or self.known is None else self.known.outline()
        return self.net if known is None else known

    @property
    def parameters(self) -> int:
        """The number of parameters: every `Parameter` once, biases and norms included."""
        known = None if self.known is None else self.known.parameters()
        return count_parameters(self.net) if known is None else known

    @property
    def images(self) -> Tensor:
        """The images [S, ...] on the network's device, in its floating type."""
        return self.once("images", self._place_images)

    @property
    def labels(self) -> Tensor:
        """The labels, int64 [S], on the network's device."""
        return torch.as_tensor(self.minibatch.labels).to(self.device)

    def forward(self) -> ForwardPass:
        """Run forward once in train mode; the graph is kept for `loss` and `jacobian`."""
        from naslib_swap.predictors.passes.forward import forward_pass

        return self.once("forward", lambda: forward_pass(self))

    def loss(self, *, differentiable: bool = False) -> LossPass:
        """Return the gradient of the loss for every weighted layer, from one backward pass.

        `differentiable` gradients have their own graph, for second derivatives. Once computed, they
        also serve proxies that ask for plain ones.
        """
        from naslib_swap.predictors.passes.loss import loss_pass

        with_graph = differentiable or "loss_graph" in self._results
        name = "loss_graph" if with_graph else "loss"
        return self.once(name, lambda: loss_pass(self, differentiable=differentiable))

    def jacobian(self) -> Tensor:
        """Return the gradient of the sum of all outputs for each image, [S, values of an image]."""
        from naslib_swap.predictors.passes.jacobian import jacobian_pass

        return self.once("jacobian", lambda: jacobian_pass(self))

    def _place_images(self) -> Tensor:
        images = torch.as_tensor(self.minibatch.images).to(self.device)
        weights = next(self.net.parameters(), None)
        if images.is_floating_point() and weights is not None and weights.is_floating_point():
            images = images.to(weights.dtype)
        return images.detach()
