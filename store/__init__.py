"""Store: one SQLite file holds a run."""
