"""Depth of a network, defined once for all spaces."""

from __future__ import annotations

import torch
from torch import fx, nn

WEIGHTED = (nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.ConvTranspose2d, nn.Linear)
"""The layers that count: convolutions and linear layers."""

_ZEROS = (torch.zeros_like, "new_zeros")


def weighted_depth(net: nn.Module) -> int:
    """Count the weighted layers on the longest path that ends in the network's output.

    Normalisation, pooling and activations count nothing; a tensor of zeros ("none" on all edges of
    a node) starts a path anew. The network is traced symbolically, nothing is computed; raises what
    `torch.fx` raises for networks whose control flow depends on data.
    """
    graph = fx.symbolic_trace(net).graph
    modules = dict(net.named_modules())
    depths: dict[fx.Node, int] = {}
    for node in graph.nodes:
        longest = max((depths[source] for source in node.all_input_nodes), default=0)
        if node.op == "call_module" and isinstance(modules[str(node.target)], WEIGHTED):
            longest += 1
        depths[node] = 0 if node.target in _ZEROS else longest
        if node.op == "output":
            return depths[node]
    return 0
