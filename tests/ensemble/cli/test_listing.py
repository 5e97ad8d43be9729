"""The commands of the packages: found, listed, and alike."""

import ast
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import ensemble
from ensemble.cli.listing import commands
from tests.support.each import each

ROOT = Path(ensemble.__file__).parents[1]
HAND_ON = ("command.py", "rank.py")  # of the extractors: with options like those of ensemble
COMMANDS = {command.module: command for command in commands("ensemble")}
OTHERS = {"--seed", "--images"}  # of demo, tune and thresholds: other things than those of the shared options


def started(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", *arguments], cwd=ROOT, capture_output=True, text=True, timeout=100
    )


def module(name: str) -> object:
    """The module that is the command."""
    found = import_module(name)
    return import_module(f"{name}.__main__") if hasattr(found, "__path__") else found


def test_a_package_lists_its_commands() -> None:
    done = started("bench")
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert lines
    for line, command in zip(lines, commands("bench"), strict=True):
        assert line.split(maxsplit=3) == ["python", "-m", command.module, command.about]


@each("package", ["ensemble", "extractors", "bench"])
def test_a_command_says_what_it_does_in_a_sentence(package: str) -> None:
    for command in commands(package):
        assert command.about[0].isupper(), command
        assert command.about.endswith((".", "?")), command


def test_benches_and_nothing_else() -> None:
    found = {command.module for command in commands("bench")}
    assert "bench.rerank" in found
    assert not {"bench.worlds", "bench.__main__"} & found  # what benches share is no bench


@each("name", [*COMMANDS, "extractors.dump"])
def test_help_begins_with_the_command_and_its_docstring(name: str) -> None:
    found = module(name)
    text = found.parser().format_help()  # type: ignore[attr-defined]
    assert text.startswith(f"usage: python -m {name} ")
    assert (found.__doc__ or "").strip() in text


def test_every_file_at_the_top_is_a_command() -> None:
    top = {f"ensemble.{path.stem}" for path in (ROOT / "ensemble").glob("*.py")}
    assert top - {"ensemble.__init__", "ensemble.__main__"} < set(COMMANDS)
    assert len(COMMANDS) == 24


def test_nothing_imports_a_command() -> None:
    """Neither a file at the top nor a ``__main__``; what commands share is in ``cli`` and in libraries.

    Only the package itself names those that are functions as well.
    """
    files = {name for name in COMMANDS if (ROOT / f"{name.replace('.', '/')}.py").is_file()}
    folders = {f"{name}.__main__" for name in COMMANDS if name not in files}
    own = ROOT / "ensemble" / "__init__.py"
    for path in [*{*(ROOT / "ensemble").rglob("*.py")} - {own}, *(ROOT / "extractors").rglob("*.py")]:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            named: set[str] = set()
            if isinstance(node, ast.Import):
                named = {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                named = {f"{node.module}", *(f"{node.module}.{alias.name}" for alias in node.names)}
            assert not named & (files | folders), path


def test_shared_options_are_declared_once() -> None:
    declared = {
        path: {
            value
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
            if isinstance(node, ast.Call)
            for argument in node.args
            if isinstance(argument, ast.Constant)
            and isinstance(value := argument.value, str)
            and value.startswith("--")
            and " " not in value
            and ast.unparse(node.func).endswith(("add_argument", "add"))
        }
        for path in [
            *(ROOT / "ensemble").rglob("*.py"),
            *(ROOT / "extractors" / name for name in ("command.py", "rank.py")),
        ]
    }
    shared = set().union(*(options for path, options in declared.items() if path.parent.name == "cli")) - OTHERS
    shared |= {"--query-names", "--gallery-names", "--names", "--parser"}  # by a variable
    assert {"--features", "--pattern", "--protocol", "--threads", "--out", "--json", "--level"} <= shared
    again = {
        f"{path.name} {option}"
        for path, options in declared.items()
        if path.parent.name != "cli"
        for option in options & shared
    }
    # The extractor's own: a device may be found by itself there, and workers read pictures.
    # validate has one file, which holds similarities or not; elsewhere the option names lists.
    # track has tracks of cameras, and recipes of its own for them; demo draws such tracks.
    of_tracks = {f"options.py --{name}" for name in ("tracks", "recipe", "set", "list-recipes", "report")}
    assert (
        again
        == {"command.py --device", "command.py --workers", "validate.py --similarity", "demo.py --tracks"}
        | of_tracks
    )
