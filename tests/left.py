"""What a run left in its store, as tests ask about it."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evolgraph.graph import Summary
from evolgraph.graph.results import write_results
from evolgraph.store.connections import reading


@dataclass(frozen=True)
class Left:
    """A store and the summary of the start that ended last."""

    store: Path
    summary: Summary

    @property
    def results(self) -> bytes:
        """The results file."""
        path = self.store.with_suffix(".jsonl")
        write_results(self.store, self.summary.run, path)
        return path.read_bytes()

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        """The rows that `sql` finds."""
        with reading(self.store) as db:
            return db.execute(sql).fetchall()
