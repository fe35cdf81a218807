"""Agents of installed packages: what they may be called, and their prompt texts."""

from pathlib import Path

import pytest
from evolgraph.agents.registry import PluginError, directions, prompt_library
from evolgraph.errors import EvolgraphError
from evolgraph.prompts.library import Library, PromptError

AGENT = """
from pathlib import Path
from evolgraph.agents.agent import Agent

class Own(Agent):
    name = {name!r}
    prompt = {prompt!r}
    prompt_file = Path(__file__).with_name("text.md")
"""


def install(folder: Path, module: str, name: str, prompt: str) -> None:
    """Puts a package with an agent and its text into `folder`."""
    folder.joinpath(f"{module}-1.dist-info").mkdir()
    facts = {"METADATA": f"Name: {module}\nVersion: 1\n", "entry_points.txt": f"[evolgraph.agents]\nx = {module}:Own\n"}
    for file, text in facts.items():
        folder.joinpath(f"{module}-1.dist-info", file).write_text(text)
    folder.joinpath(f"{module}.py").write_text(AGENT.format(name=name, prompt=prompt))
    folder.joinpath("text.md").write_text("Do this. {{ work }}")


def test_an_agent_brings_its_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(tmp_path, "own_agent", "contrast", "contrast")
    monkeypatch.syspath_prepend(tmp_path)
    assert [*directions()][3:] == ["contrast"]
    found = prompt_library()
    assert found.render("contrast", work="All of it.") == "Do this. All of it."
    assert found.digest != Library().digest
    (tmp_path / "overlay").mkdir()
    (tmp_path / "overlay" / "contrast.md").write_text("Do that.")
    assert prompt_library(tmp_path / "overlay").render("contrast") == "Do that."


@pytest.mark.parametrize(
    ("name", "prompt", "error", "complaint"),
    [
        ("judge", "mine", PluginError, "cannot be called 'judge'"),
        ("Far Away", "mine", PluginError, "cannot be called 'Far Away'"),
        ("reasoning", "mine", PluginError, "a name of its own"),
        ("contrast", "judge", PromptError, "there is a prompt called judge already"),
    ],
)
def test_names_that_are_taken_or_unfit_are_refused(
    name: str, prompt: str, error: type[EvolgraphError], complaint: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = "unfit_" + "".join(filter(str.isalpha, name + prompt)).lower()
    install(tmp_path, module, name, prompt)
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(error, match=complaint):
        prompt_library()
