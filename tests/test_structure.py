"""What importing costs, and which way imports go."""

import ast
import importlib
import re
import subprocess
import sys
from pathlib import Path

import numpy as np

import postproc
from ensemble.cli import start
from tests.support.each import each

ROOT = Path(postproc.__file__).parents[1]
PACKAGES = ["postproc", "ensemble", "extractors"]
HEAVY = ["torch", "sklearn", "pandas", "pyarrow", "scipy", "numba", "matplotlib", "jinja2", "PIL"]
COMMANDS = [command.start for command in start.everything() if command.start != "ensemble.demo"]  # it draws tables
REPORT = "import sys; print(*[name for name in {names} if name in sys.modules])"


def loaded_by(code, names):
    """Which of ``names`` a fresh interpreter has loaded after ``code``."""
    command = f"{code}\n{REPORT.format(names=names)}"
    done = subprocess.run([sys.executable, "-c", command], cwd=ROOT, capture_output=True, text=True, timeout=100)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.split()


def test_the_check_sees_what_is_loaded():
    assert loaded_by("import json", ["json", "torch"]) == ["json"]


@each("code", ["from postproc import rerank", "from postproc.compat import re_ranking", "import ensemble"])
def test_importing_loads_nothing_heavy(code):
    assert loaded_by(code, HEAVY) == []


def test_help_of_every_command_loads_nothing_heavy():
    assert loaded_by(f"import {', '.join(COMMANDS)}", HEAVY) == []


def test_a_run_is_planned_before_anything_heavy_is_loaded(tmp_path):
    for side in ("query", "gallery"):
        (tmp_path / f"{side}.csv").write_text(f"name,cam,track\n{side},1,1\n")
        np.save(tmp_path / f"{side}_model.npy", np.ones((1, 4), np.float32))
    options = ["--features", str(tmp_path), "--recipe", "baseline", "--out", str(tmp_path / "out"), "--dry-run"]
    code = f"""
import contextlib, io
from ensemble import run
with contextlib.redirect_stdout(io.StringIO()):
    assert run.main({options}) == 0
"""
    assert loaded_by(code, HEAVY) == []


def test_computing_loads_no_framework():
    code = """
import numpy
from postproc import distances, query_expansion, rank, rerank
x = numpy.eye(4, dtype=numpy.float32)
rank(distances(x)), rerank(x), query_expansion(x[:2], x, k=1)
"""
    assert loaded_by(code, ["torch", "sklearn", "pandas"]) == []


def imported(path):
    """The packages that a file imports anywhere, inside functions too."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield "." if node.level else (node.module or "").split(".")[0]


@each(("package", "above"), [("postproc", {"ensemble", "extractors"}), ("ensemble", {"extractors"})])
def test_imports_go_one_way(package, above):
    files = sorted((ROOT / package).rglob("*.py"))
    assert files
    for path in files:
        assert not above & set(imported(path)), path


def test_postproc_reads_and_prints_nothing():
    """Functions on arrays: no file, no terminal but the progress bar's."""
    calls = set()
    for path in (ROOT / "postproc").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                calls.add(node.func.id)
    assert not calls & {"open", "print", "input", "eval", "exec"}
    assert "range" in calls


def modules(package):
    """The files of a package by the name that Python has for them."""
    found = {}
    for path in sorted((ROOT / package).rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def nodes(path):
    """All that a file says, but for what a package shows type checkers alone and does not import."""
    tree = ast.parse(path.read_text())
    if path.name == "__init__.py":
        tree.body = [node for node in tree.body if not (isinstance(node, ast.If) and _is_for_types(node.test))]
    return ast.walk(tree)


def _is_for_types(test):
    return isinstance(test, ast.Name) and test.id == "TYPE_CHECKING"


def arrows(files):
    """Which other modules of ``files`` each of them imports anywhere, inside functions too."""
    found = {}
    for name, path in files.items():
        wanted = set()
        for node in nodes(path):
            if isinstance(node, ast.Import):
                wanted |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                inside = [f"{node.module}.{alias.name}" for alias in node.names]
                wanted |= {file if file in files else node.module for file in inside}
        found[name] = wanted & set(files) - {name}
    return found


def circle(arrows):
    """Modules each of which imports the next, the last of them the first; nothing if there are none."""
    clear = set()

    def search(name, path):
        if name in path:
            return [*path[path.index(name) :], name]
        for other in sorted(arrows[name]):
            if other not in clear and (found := search(other, [*path, name])):
                return found
        clear.add(name)
        return []

    for name in sorted(arrows):
        if found := search(name, []):
            return found
    return []


def test_circles_are_found():
    assert circle({"a": {"b"}, "b": {"c"}, "c": {"b"}}) == ["b", "c", "b"]
    assert circle({"a": {"b", "c"}, "b": {"c"}, "c": set()}) == []


@each("package", PACKAGES)
def test_no_circle_of_imports(package):
    assert circle(arrows(modules(package))) == []


def drawn_floors(package):
    """The folders in the docstring of a package, floor by floor: the block that is indented by four.

    A line holds one folder and what it is for, or several folders with two spaces between them.
    """
    lines = (importlib.import_module(package).__doc__ or "").splitlines()
    drawn = [re.split(r" {2,}", line.strip()) for line in lines if line.startswith("    ") and line[4] != " "]
    return [[word for word in words if word.isidentifier()] for words in drawn]


@each("package", ["postproc", "ensemble"])
def test_imports_go_down_the_floors(package):
    files = modules(package)
    floors = {name: height for height, names in enumerate(drawn_floors(package)) for name in names}
    floor = {name: name.split(".")[1] for name in files if name != package}
    assert set(floor.values()) == set(floors), "the docstring of the package draws every folder"
    upwards = [
        f"{name} imports {other}"
        for name, others in arrows(files).items()
        for other in sorted(others)
        if name != package and other != package
        if floor[name] != floor[other] and floors[floor[name]] <= floors[floor[other]]
    ]
    assert upwards == []


@each("package", PACKAGES)
def test_no_module_is_hidden_behind_a_name(package):
    """What a package exports has no name of one of its own files, so that ``import a.b`` gives the file."""
    files, hidden = modules(package), []
    for name, path in files.items():
        if path.name != "__init__.py":
            continue
        for node in nodes(path):
            bound = []
            if isinstance(node, ast.ImportFrom):
                bound = [alias.asname or alias.name for alias in node.names if node.module != name]
            elif isinstance(node, (ast.FunctionDef, ast.ClassDef)):
                bound = [node.name]
            elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                bound = [node.id]
            hidden += [f"{name}.{each}" for each in bound if f"{name}.{each}" in files]
    assert hidden == []
