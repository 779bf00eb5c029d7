"""Weights drawn part by part, so that encoders that begin alike are alike as far as they do.

The seed of a part comes from the seed asked for and from the parts up to it. Two encoders that
share their first two layers then share these layers' weights and dropout, and what has been
computed of one need not be computed again for the other.
"""

from __future__ import annotations

import torch
from torch import nn

from naslib_swap.flexibert.configuration import FlexiBertConfig
from naslib_swap.flexibert.modelling import FlexiBertModel
from naslib_swap.scoring.subject import part_seed
from naslib_swap.seeding import seeded

SPACE = "flexibert"


def weights_seed(config: FlexiBertConfig, number: int, seed: int) -> int:
    """Return the seed of part `number`: 0 the embeddings, 1 the first layer, and so on."""
    return part_seed(seed, SPACE, *config.parts()[: number + 1])


def observation_seed(config: FlexiBertConfig, seed: int) -> int:
    """Return the seed of dropout and cotangent where a whole network is observed."""
    return part_seed(seed, SPACE, *config.parts(), "observation")


def hollow(config: FlexiBertConfig) -> FlexiBertModel:
    """Return the network without weights: its parameters are on the meta device."""
    with torch.device("meta"):
        return FlexiBertModel(config)


def draw_part(net: FlexiBertModel, number: int) -> nn.Module:
    """Give a part of a network new weights from torch's generator, on the CPU, and return it."""
    part = net.layers[number - 1] if number else net.embeddings
    return part.to_empty(device="cpu").apply(net._init_weights)


def draw(config: FlexiBertConfig, seed: int) -> FlexiBertModel:
    """Return the network with the weights of a seed."""
    net = hollow(config)
    for number in range(len(config.parts())):
        with seeded(weights_seed(config, number, seed)):
            draw_part(net, number)
    return net
