"""Traces in the words of OpenTelemetry, for the tools that collect them."""
