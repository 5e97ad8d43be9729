"""The floors of ``ensemble``: imports run downwards only, no circle, and commands stand alone at the top."""

import ast
from collections.abc import Iterator
from pathlib import Path

import ensemble
from ensemble.cli.listing import commands

ROOT = Path(ensemble.__file__).parent
FLOORS = [
    {"base"},
    {"parsers"},
    {"io"},
    {"submissions", "fusion", "scores", "city"},
    {"pipeline", "names"},
    {"tune", "report"},
    {"cli"},
]
LIBRARIES = {folder: floor for floor, folders in enumerate(FLOORS) for folder in folders}
COMMAND = len(FLOORS)


def modules() -> dict[str, Path]:
    """Every module of the package with its file."""
    found = {}
    for path in sorted(ROOT.rglob("*.py")):
        name = ".".join(("ensemble", *path.relative_to(ROOT).with_suffix("").parts))
        found[name.removesuffix(".__init__")] = path
    return found


def arrows(name: str, path: Path) -> Iterator[str]:
    """The modules of the package that a file imports anywhere, inside functions and for types too."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        assert not (isinstance(node, ast.ImportFrom) and node.level), f"{name}: a relative import"
        named = []
        if isinstance(node, ast.Import):
            named = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            inside = [f"{node.module}.{alias.name}" for alias in node.names]
            named = [whole if whole in MODULES else node.module for whole in inside]
        yield from (found for found in named if found in MODULES)


MODULES = modules()
IMPORTS = {name: sorted(set(arrows(name, path)) - {name}) for name, path in MODULES.items()}
COMMANDS = {name if name in MODULES and MODULES[name].stem != "__init__" else f"{name}.__main__"
            for name, _ in commands("ensemble")}  # fmt: skip


def floor(name: str) -> int:
    """How high a module stands."""
    if name == "ensemble":
        return 0
    return COMMAND if name in COMMANDS or name == "ensemble.__main__" else LIBRARIES[name.split(".")[1]]


def test_every_file_at_the_top_is_a_command() -> None:
    top = {f"ensemble.{path.stem}" for path in ROOT.glob("*.py")} - {"ensemble.__init__", "ensemble.__main__"}
    assert top < COMMANDS
    assert len(COMMANDS) == 13


def test_imports_run_downwards() -> None:
    upwards = [
        f"{name} -> {other}" for name, others in IMPORTS.items() for other in others if floor(other) > floor(name)
    ]
    assert not upwards


def test_folders_of_one_floor_do_not_know_each_other() -> None:
    sideways = [
        f"{name} -> {other}"
        for name, others in IMPORTS.items()
        for other in others
        if floor(other) == floor(name) != COMMAND and other.split(".")[1:2] != name.split(".")[1:2]
    ]
    assert not sideways


def test_nothing_imports_a_command() -> None:
    assert not [f"{name} -> {other}" for name, others in IMPORTS.items() for other in others if other in COMMANDS]


def test_there_is_no_circle() -> None:
    """Of modules: what a package imports in its ``__init__`` stands below it."""
    left = {name: set(others) for name, others in IMPORTS.items()}
    while True:
        done = {name for name, others in left.items() if not others}
        if not done:
            break
        left = {name: others - done for name, others in left.items() if name not in done}
    assert not left


def test_the_check_sees_imports() -> None:
    assert "ensemble.cli.program" in IMPORTS["ensemble.run"]
    assert "ensemble.report.page" in IMPORTS["ensemble.report.runs"]  # inside a function
