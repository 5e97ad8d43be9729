"""Commands that install what is missing: for this Python, with the ranges that were tested."""

import re
import sys
from importlib import metadata
from pathlib import Path

import pytest

import postproc
from postproc.base import extras
from postproc.base.extras import install

ROOT = Path(postproc.__file__).parents[1]


@pytest.fixture(autouse=True)
def forgotten():
    yield
    extras._optional.cache_clear()
    extras.requirements.cache_clear()


def from_metadata(monkeypatch, lines):
    """As where the package is installed and is no checkout."""
    monkeypatch.setattr(extras, "CHECKOUT", Path("nowhere"))
    monkeypatch.setattr(metadata, "requires", lambda name: lines)
    extras._optional.cache_clear()
    extras.requirements.cache_clear()


def test_the_command_is_for_the_python_that_runs(monkeypatch):
    assert install("parquet") == f'{sys.executable} -m pip install "pyarrow>=16"'
    monkeypatch.setattr(sys, "executable", "/my city/bin/python")
    assert install("tune") == '"/my city/bin/python" -m pip install "optuna>=4"'


def test_extras_of_extras_and_parts_of_them():
    assert "onnxruntime" in install("extract")
    assert install("extract", "scikit_image").endswith('pip install "scikit-image>=0.22"')
    assert install("onnx", "onnxruntime-gpu").endswith("pip install onnxruntime-gpu")


def test_an_installed_package_knows_it_from_its_metadata(monkeypatch):
    lines = ["numpy>=2", 'a>=1; extra == "a"', "b[x]<2; extra == 'b'", 'reid-ensemble[b]; extra == "a"']
    from_metadata(monkeypatch, lines)
    assert install("a").endswith('pip install "a>=1" "b[x]<2"')
    assert install("zoo").endswith('pip install "reid-ensemble[zoo]"')


def test_where_there_is_no_pip(monkeypatch):
    monkeypatch.setattr(extras.importlib.util, "find_spec", lambda name: None)
    monkeypatch.setattr(extras.shutil, "which", lambda name: "/usr/bin/uv")
    assert install("parquet") == f'uv pip install --python {sys.executable} "pyarrow>=16"'


def test_what_is_lacking(monkeypatch):
    from_metadata(monkeypatch, ['numpy>=1; extra == "a"', "no-such-package>2; extra == 'a'"])
    assert extras.lacking("a", "b") == ["no-such-package>2"]


def test_nobody_else_writes_such_a_command():
    files = [path for name in ("postproc", "ensemble", "extractors") for path in (ROOT / name).rglob("*.py")]
    found = [path for path in files if re.search(r"pip install|reid-ensemble\[", path.read_text("utf-8"))]
    assert found == [ROOT / "postproc/base/extras.py"]
