"""The quick walk over modules is torch's own."""

from __future__ import annotations

from torch import nn

from naslib_swap.score import count_parameters
from naslib_swap.traversal import modules_of, parameters_of


def test_modules_come_once_in_torchs_order() -> None:
    shared = nn.Sequential(nn.Linear(2, 2), nn.ReLU())
    net = nn.ModuleDict({"b": nn.Sequential(shared, nn.Tanh()), "a": shared, "c": nn.ReLU()})
    net.register_module("nothing", None)
    assert modules_of(net) == list(net.modules())


def test_a_module_that_holds_itself() -> None:
    net = nn.Sequential(nn.Linear(2, 2))
    net.add_module("again", net)
    assert modules_of(net) == list(net.modules())


def test_tied_parameters_count_once() -> None:
    net = nn.Sequential(nn.Linear(2, 2, bias=False), nn.Linear(2, 2))
    net[1].weight = net[0].weight
    assert parameters_of(modules_of(net)) == [net[0].weight, net[1].bias]
    assert count_parameters(net) == 6
