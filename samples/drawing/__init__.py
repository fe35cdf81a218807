"""Draws pictures whose contents are known exactly: scenes, charts and tables."""
