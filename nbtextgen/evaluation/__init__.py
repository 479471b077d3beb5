"""Metrics with bootstrap intervals, paired significance tests, and what kinds of errors a model makes."""
