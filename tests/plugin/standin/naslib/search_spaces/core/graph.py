import copy

from torch import nn


class Graph(nn.Module):
    def clone(self):
        return copy.deepcopy(self)
