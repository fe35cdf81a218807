"""The house rules of the code: what may import what, how long things are, what goes into the package."""

import ast
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from .conftest import ROOT, repository_files

FLOORS = {
    "errors": 0,
    "samples": 1,
    "prompts": 1,
    "endpoints": 2,
    "store": 2,
    "agents": 3,
    "viewer": 3,
    "graph": 4,
    "cluster": 5,
    "cli": 6,
}
"""The rooms and the floors they are on: imports go down, never up and never to a neighbour on the same floor."""
MAX_FILE = 400
MAX_FUNCTION = 60
GUESTS = ("tests/", "benchmarks/", "examples/")
"""Folders that are not installed and may import everything."""


def product() -> list[Path]:
    """The package's Python files."""
    return [path for path in repository_files() if path.suffix == ".py" and not shown(path).startswith(GUESTS)]


def shown(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def targets(node: ast.Import | ast.ImportFrom, inside: list[str]) -> list[list[str]]:
    """What an import in the package `inside` names, as paths below `evolgraph`; nothing of other packages."""
    if isinstance(node, ast.Import):
        dotted = [alias.name.split(".") for alias in node.names]
        return [path[1:] for path in dotted if path[0] == "evolgraph"]
    module = node.module.split(".") if node.module else []
    if node.level:
        above = inside[: len(inside) - node.level + 1]
        path = [*above, *module]
    elif module[0] == "evolgraph":
        path = module[1:]
    else:
        return []
    return [path] if path else [[alias.name] for alias in node.names]


def climbs(source: str, name: str) -> Iterator[str]:
    """The imports in the product file `name` that do not go down, as `file:line: what`."""
    inside = name.removesuffix(".py").split("/")[:-1]
    room = inside[0] if inside else name.removesuffix(".py")
    for node in ast.walk(ast.parse(source, name)):
        if not isinstance(node, ast.Import | ast.ImportFrom):
            continue
        for path in targets(node, inside):
            other = path[0]
            if other not in FLOORS:
                yield f"{name}:{node.lineno}: imports {other}, which is no room"
            elif other != room and FLOORS[other] >= FLOORS[room]:
                yield f"{name}:{node.lineno}: {room} (floor {FLOORS[room]}) imports {other} (floor {FLOORS[other]})"


def test_imports_only_go_down() -> None:
    found = [line for path in product() for line in climbs(path.read_text(encoding="utf-8"), shown(path))]
    assert not found, "\n" + "\n".join(found)


@pytest.mark.parametrize(
    ("name", "source", "found"),
    [
        ("store/a.py", "from ..errors import EvolgraphError", ""),
        ("store/a.py", "from .rows import fetch", ""),
        ("store/a.py", "import os\nfrom ..endpoints import chat", "2: store (floor 2) imports endpoints (floor 2)"),
        ("endpoints/builtin/a.py", "from ..chat import Ask\nfrom ...samples.sample import QA", ""),
        ("endpoints/builtin/a.py", "from ...store.x import y", "1: endpoints (floor 2) imports store (floor 2)"),
        ("samples/a.py", "def f():\n    from ..graph.run import x", "2: samples (floor 1) imports graph (floor 4)"),
        ("prompts/a.py", "import evolgraph.cli.main", "1: prompts (floor 1) imports cli (floor 6)"),
        ("agents/a.py", "from evolgraph.viewer import page", "1: agents (floor 3) imports viewer (floor 3)"),
        ("graph/policies/a.py", "from ...agents import screen", ""),
        ("graph/policies/a.py", "from ... import cli", "1: graph (floor 4) imports cli (floor 6)"),
        ("cli/a.py", "from ..attic.x import y", "1: imports attic, which is no room"),
        ("errors.py", "from .samples import sample", "1: errors (floor 0) imports samples (floor 1)"),
    ],
)
def test_a_climbing_import_is_found(name: str, source: str, found: str) -> None:
    assert list(climbs(source, name)) == ([f"{name}:{found}"] if found else [])


def test_rooms_stay_rooms() -> None:
    rooms = {shown(path).split("/")[0].removesuffix(".py") for path in product()}
    assert rooms <= set(FLOORS), f"unknown rooms: {sorted(rooms - set(FLOORS))}"


def test_no_file_is_over_long() -> None:
    sizes = {shown(path): len(path.read_text(encoding="utf-8").splitlines()) for path in product()}
    assert not {name: size for name, size in sizes.items() if size > MAX_FILE}


def length(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """The lines of `function`, without the inner lines of a text that it quotes, such as a database schema."""
    quoted = [node for statement in function.body[1:] for node in ast.walk(statement) if isinstance(node, ast.Constant)]
    texts = sum((node.end_lineno or node.lineno) - node.lineno for node in quoted if isinstance(node.value, str))
    return (function.end_lineno or function.lineno) - function.lineno + 1 - texts


def test_no_function_is_over_long() -> None:
    found = []
    for path in product():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and length(node) > MAX_FUNCTION:
                found.append(f"{shown(path)}:{node.lineno}: {node.name} has {length(node)} lines")
    assert not found, "\n" + "\n".join(found)


POSSESSIVE_GROUP = re.compile(r"\)(?:[*+?]|\{\d*,?\d*\})\+")


def test_no_pattern_repeats_a_group_possessively() -> None:
    # It loses matches in Python 3.11.0 to 3.11.4 (CPython's gh-106052), on which a seed file then reads as cut;
    # `(?>(...)*)` means the same.
    found = []
    for path in product():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str | bytes):
                text = node.value if isinstance(node.value, str) else node.value.decode("latin-1")
                if POSSESSIVE_GROUP.search(text):
                    found.append(f"{shown(path)}:{node.lineno}: {text}")
    assert not found, "\n" + "\n".join(found)


FOREIGN = [
    re.compile(r"(?<![\w/.])/(?:home|root|work|Users|mnt|media|workspace)/[.\w]"),
    re.compile(r"\b(?:pypi\.org|pythonhosted\.org|conda\.anaconda\.org|registry\.npmjs\.org|test\.pypi)\b"),
    re.compile(r"index-url|\[\[tool\.uv\.index\]\]|/simple/?[\"'\s]"),
]
"""Paths of one machine, and hosts that packages come from."""


def foreign(text: str, name: str) -> list[str]:
    lines = enumerate(text.splitlines(), start=1)
    return [f"{name}:{number}: {line.strip()}" for number, line in lines if any(p.search(line) for p in FOREIGN)]


def test_no_file_names_a_machine_or_a_package_host() -> None:
    texts = [
        path for path in repository_files() if path.suffix in {".py", ".md", ".toml", ".json", ".html", ".css", ".js"}
    ]
    mine = ROOT / "tests" / Path(__file__).name
    found = [line for path in texts if path != mine for line in foreign(path.read_text(encoding="utf-8"), shown(path))]
    assert not found, "\n" + "\n".join(found)


@pytest.mark.parametrize("line", ["x = '/home/someone/x'", "open('/root/.x')", "url = 'https://pypi.org/simple'"])
def test_a_machines_path_is_found(line: str) -> None:
    assert foreign(line, "a.py") == [f"a.py:1: {line}"]


def settings() -> dict:
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["setuptools"]


def test_every_package_is_listed() -> None:
    folders = {path.parent for path in product() if path.name == "__init__.py"}
    packages = {"evolgraph"} | {f"evolgraph.{shown(folder).replace('/', '.')}" for folder in folders}
    assert set(settings()["packages"]) == packages


def test_every_folder_with_code_is_a_package() -> None:
    folders = {path.parent for path in product()} - {ROOT}
    assert not [shown(folder) for folder in folders if not (folder / "__init__.py").is_file()]


def test_what_is_not_code_is_package_data() -> None:
    data = settings()["package-data"]
    rooms = tuple(f"{room}/" for room in FLOORS)
    missing = []
    for path in repository_files():
        if path.suffix == ".py" or not shown(path).startswith(rooms):
            continue
        packages = ["evolgraph." + shown(folder).replace("/", ".") for folder in (path.parent, path.parent.parent)]
        if not any(path.match(pattern) for package in packages for pattern in data.get(package, ())):
            missing.append(shown(path))
    assert not missing
    assert "*.md" in data["evolgraph.prompts"]


def test_the_namespace_has_no_module_at_the_root_but_the_errors() -> None:
    assert not (ROOT / "__init__.py").exists()
    assert not (ROOT / "conftest.py").exists()
    assert [shown(path) for path in product() if path.parent == ROOT] == ["errors.py"]
