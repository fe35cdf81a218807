"""The commands that docs/report.md and docs/judging.md show work."""

import json
import shutil
from pathlib import Path

import pytest

from ..cli.conftest import Run
from .conftest import Evolved, commands

pytestmark = pytest.mark.slow


def test_every_command_works(full: Evolved, without_reasoning: Evolved, evolgraph: Run, tmp_path: Path) -> None:
    """Those that evolve have made the stores."""
    for run in (full, without_reasoning):
        shutil.copy(run.store, tmp_path)
    label = {"run": full.summary.run, "round": 1, "accept": True, "reasons": []}
    first = next(iter(full.outcomes.values()))
    (tmp_path / "labels.jsonl").write_text(json.dumps(label | {"sample": first.id, "qa": first.qas[0].id}))
    found = [words for words in commands("report.md") + commands("judging.md") if words[0] != "evolve"]
    assert len(found) == 5
    for words in found:
        said = evolgraph(*words)
        assert said.code == 0, (words, said.err)
    for page in ("report.html", "sheet.html"):
        text = (tmp_path / page).read_text(encoding="utf-8")
        assert "data:image/jpeg" in text, "the images were found where the run had them"
