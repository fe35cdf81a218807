"""Cluster: one run by several workers on Ray, each with a store of its own, and what they share."""
