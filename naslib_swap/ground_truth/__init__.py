"""Accuracies that proxies are compared with: one file a source."""

from naslib_swap.ground_truth.load import load, sources
from naslib_swap.ground_truth.table import GroundTruth

__all__ = ["GroundTruth", "load", "sources"]
