"""What importing costs, and which way imports go."""

import ast
import subprocess
import sys
from pathlib import Path

import postproc
from tests.support.each import each

ROOT = Path(postproc.__file__).parents[1]
HEAVY = ["torch", "sklearn", "pandas", "scipy", "numba"]
REPORT = "import sys; print(*[name for name in {names} if name in sys.modules])"


def loaded_by(code, names):
    """Which of ``names`` a fresh interpreter has loaded after ``code``."""
    command = f"{code}\n{REPORT.format(names=names)}"
    done = subprocess.run([sys.executable, "-c", command], cwd=ROOT, capture_output=True, text=True, timeout=100)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.split()


def test_the_check_sees_what_is_loaded():
    assert loaded_by("import json", ["json", "torch"]) == ["json"]


@each("code", ["from postproc import rerank", "from postproc.compat import re_ranking"])
def test_importing_loads_nothing_heavy(code):
    assert loaded_by(code, HEAVY) == []


def test_computing_loads_no_framework():
    code = """
import numpy
from postproc import distances, query_expansion, rank, rerank
x = numpy.eye(4, dtype=numpy.float32)
rank(distances(x, x)), rerank(x, x), query_expansion(x, x, k=1)
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
