"""Evolutionary search guided by a score, and its optimiser for NASLib."""
