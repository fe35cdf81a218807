"""Measurements of evolgraph beside the least that could do the same calls."""
