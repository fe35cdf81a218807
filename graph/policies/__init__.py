"""Policies: how a sample is routed."""
