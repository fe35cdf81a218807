"""Typed statements about a scene: they write themselves as sentences, are read back from text, and are checked."""
