"""Accuracies that proxies are compared with: each module's ``SOURCE`` is found by its name.

An entry point in the group ``naslib_swap.ground_truth`` (or `register`) adds a source.
"""

from naslib_swap.ground_truth.load import SOURCES, load, register, sources
from naslib_swap.ground_truth.table import GroundTruth, Source

__all__ = ["SOURCES", "GroundTruth", "Source", "load", "register", "sources"]
