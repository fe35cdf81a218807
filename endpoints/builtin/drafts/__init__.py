"""Families of questions that can be asked about a scene, each with its solution worked out from what was measured."""
