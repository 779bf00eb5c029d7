"""Minibatches: natural images, CIFAR-10/100, ImageNet16-120, ImageNet, a user's files, noise."""

from naslib_swap.inputs.load import check, load, sources
from naslib_swap.inputs.minibatch import Minibatch

__all__ = ["Minibatch", "check", "load", "sources"]
