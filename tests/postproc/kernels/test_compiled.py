"""Kernels on disk: what is damaged is compiled anew, what cannot be written is named, and neither is an error."""

import importlib.util
import multiprocessing
import os
import subprocess
import sys
import tempfile
import warnings
from pathlib import Path

import numpy as np
import pytest
from numba import config

from ensemble.cli import program
from postproc.base.machine import MachineWarning
from postproc.kernels import compiled
from postproc.kernels.compiled import DIGEST, Files
from tests.support.disk import little_room
from tests.support.each import each

SOURCE = """
from postproc.kernels.compiled import compiled

@compiled
def double(x):
    return 2 * x
"""


@pytest.fixture
def source(tmp_path, monkeypatch):
    """A file with a kernel, and a cache of its own."""
    monkeypatch.setattr(config, "CACHE_DIR", str(tmp_path / "cache"))
    path = tmp_path / "kernel_file.py"
    path.write_text(SOURCE)
    yield path
    sys.modules.pop(path.stem, None)


def process(source):
    """The kernel as a process has it that has just begun."""
    spec = importlib.util.spec_from_file_location(source.stem, source)
    module = sys.modules[source.stem] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    compiled._say.cache_clear()
    return module.double


def hits(source, value=4):
    """Whether a process finds the kernel; it has to compute what it should."""
    kernel = process(source)
    assert kernel(value) == 2 * value
    return sum(kernel._cache_hits.values())


def kept(source):
    return sorted((source.parent / "cache").rglob("*.kernel"))


def truncated(content):
    return content[: len(content) // 2]


def flipped(content):
    at = len(content) // 2
    return content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :]


def of_other_sources(content):
    return content[:DIGEST] + bytes(DIGEST) + content[2 * DIGEST :]


def test_what_one_process_compiles_another_finds(source):
    assert [hits(source), hits(source), hits(source, 4.0), hits(source, 4.0)] == [0, 1, 0, 1]
    assert len(kept(source)) == 2
    source.write_text(SOURCE.replace("2 * x", "x + x"))
    compiled._digest.cache_clear()
    assert [hits(source), hits(source)] == [0, 1]
    assert len(kept(source)) == 2  # the new in the place of the old


def test_a_kernel_that_is_called_counts_as_source(source):
    caller = source.with_name("kernel_caller.py")
    caller.write_text(SOURCE.replace("2 * x", "called(x)").replace("import compiled", "import compiled\n"
                      "from kernel_file import double as called"))  # fmt: skip
    process(source)
    assert [hits(caller), hits(caller)] == [0, 1]
    source.write_text(SOURCE.replace("2 * x", "x + x"))
    compiled._digest.cache_clear()
    process(source)
    assert [hits(caller), hits(caller)] == [0, 1]
    sys.modules.pop(caller.stem)


OTHERS = {
    "an intrinsic": (
        "from numba.extending import intrinsic\n"
        "@intrinsic\n"
        "def twice(typingctx, x):\n"
        "    return x(x), lambda context, at, signature, given: at.add(given[0], given[0])\n",
        "twice(x)",
        ("at.add(given[0], given[0])", "at.shl(given[0], given[0].type(1))"),
    ),
    "a number": ("FACTOR = 2\n", "FACTOR * x", ("2", "2.0")),
}


@each("what", list(OTHERS))
def test_what_a_kernel_imports_counts_as_source(source, what):
    text, called, (before, after) = OTHERS[what]
    other = source.with_name("kernel_other.py")
    source.write_text(SOURCE.replace("2 * x", called).replace("import compiled", "import compiled\n"
                      "from kernel_other import *"))  # fmt: skip
    for content in (text, text.replace(before, after)):
        other.write_text(content)
        compiled._digest.cache_clear()
        spec = importlib.util.spec_from_file_location(other.stem, other)
        sys.modules[other.stem] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules[other.stem])
        assert [hits(source), hits(source)] == [0, 1]
    sys.modules.pop(other.stem)


def printed(source, code):
    """What a process of its own prints that finds the kernel."""
    environment = os.environ | {"NUMBA_CACHE_DIR": str(source.parent / "cache")}
    command = [sys.executable, "-c", f"import sys, kernel_file; print({code})"]
    return subprocess.check_output(command, cwd=source.parent, env=environment, text=True).strip()


def test_a_kept_kernel_is_loaded_without_what_compiling_takes(source):
    hits(source)
    assert printed(source, "kernel_file.double(4), 'numba.np.arraymath' in sys.modules") == "8 False"


def test_a_kept_kernel_that_makes_an_array_has_memory_for_it(source):
    source.write_text("import numpy as np" + SOURCE.replace("2 * x", "np.full(2, x)"))
    compiled._digest.cache_clear()
    process(source)(4)
    assert printed(source, "kernel_file.double(4), *kernel_file.double._cache_hits.values()") == "[4 4] 1"


@each("damage", [truncated, flipped, of_other_sources, lambda content: b""])
def test_a_file_that_does_not_hold_is_replaced(damage, source):
    hits(source)
    (file,) = kept(source)
    file.write_bytes(damage(file.read_bytes()))
    assert [hits(source), hits(source)] == [0, 1]


def test_a_folder_in_the_place_of_a_file_is_named_once(source):
    hits(source)
    (file,) = kept(source)
    file.unlink()
    file.mkdir()
    kernel = process(source)
    with pytest.warns(MachineWarning) as said:
        assert (kernel(3), kernel(2.5)) == (6, 5.0)
    (found,) = [str(one.message) for one in said]
    assert found == (
        f"compiled kernels: wanted to write into {file.parent}, but Is a directory; they are compiled again in "
        "every process until NUMBA_CACHE_DIR names a folder with room"
    )


def test_a_full_disk_is_named_and_nothing_half_is_left(source):
    with little_room(1000), pytest.warns(MachineWarning, match="wanted to write into .*, but File too large"):
        assert hits(source) == 0
    assert not kept(source)
    assert not [path for path in (source.parent / "cache").rglob("*") if path.is_file()]


def test_where_nothing_can_be_written_kernels_work_and_it_is_said(source, monkeypatch):
    def refuse(*ignored, **options):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(tempfile, "TemporaryFile", refuse)  # how numba tries a folder
    with pytest.warns(MachineWarning, match="wanted a folder for them that can be written, but found none"):
        assert hits(source) == 0


def test_a_file_in_the_place_of_the_folder_is_passed_over(source):
    (source.parent / "cache").write_text("")
    assert [hits(source), hits(source)] == [0, 1]
    assert Path(process(source)._cache.cache_path) == source.parent / "__pycache__"


def test_the_code_of_one_key_is_never_taken_for_anothers(tmp_path):
    """Two processes save both before either looks again: numba's index gives one of them the other's code."""
    stamp = bytes(DIGEST)
    first, second = Files(tmp_path, "f-1.py311", stamp), Files(tmp_path, "f-1.py311", stamp)
    assert first.load("a") is second.load("b") is None
    first.save("a", "code of a")
    second.save("b", "code of b")
    for files in (first, second, Files(tmp_path, "f-1.py311", stamp)):
        assert (files.load("a"), files.load("b")) == ("code of a", "code of b")
    assert Files(tmp_path, "f-1.py311", stamp[1:] + b"1").load("a") is None  # other sources
    first.path("b").write_bytes(first.path("a").read_bytes())
    assert first.load("b") is None
    first.flush()
    assert not list(tmp_path.iterdir())


def compile_both(source, start):
    start.wait(30)
    assert process(source)(np.arange(3)).tolist() == [0, 2, 4]
    assert process(source)(4) == 8


@pytest.mark.skipif("fork" not in multiprocessing.get_all_start_methods(), reason="this system does not fork")
def test_several_processes_at_once(source):
    context = multiprocessing.get_context("fork")
    start = context.Event()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        children = [context.Process(target=compile_both, args=(source, start)) for _ in range(3)]
        [child.start() for child in children]
    start.set()
    [child.join(60) for child in children]
    assert [child.exitcode for child in children] == [0, 0, 0]
    assert [hits(source), hits(source, np.float64(3)), len(kept(source))] == [1, 0, 3]


def test_a_command_says_it_in_a_line(capsys):
    def command(arguments):
        warnings.warn("compiled kernels: no room", MachineWarning, stacklevel=1)
        return 0

    with warnings.catch_warnings():
        warnings.simplefilter("always")
        with pytest.raises(SystemExit):
            program.main(command)
    assert capsys.readouterr().err == "note: compiled kernels: no room\n"
