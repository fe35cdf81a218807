"""The task forms: ways of asking for the same true facts."""
