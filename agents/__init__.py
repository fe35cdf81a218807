"""Agents: perception, reasoning, interaction, the screen and the judge."""
