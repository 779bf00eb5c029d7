"""Comparing proxies with accuracies: plans, statistics, tables and pictures."""
