"""Viewer: what the agents did, as web pages."""
