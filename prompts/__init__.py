"""Prompts: the texts that agents send, and their library."""
