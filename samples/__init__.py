"""Samples: what evolves, its images and its file formats."""
