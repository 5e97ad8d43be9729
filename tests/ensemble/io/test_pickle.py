"""Pickles: what honest ones hold, byte for byte, and that hostile ones run nothing and break nothing."""

import copyreg
import io
import os
import pickle
import struct
import tracemalloc
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from ensemble.base.errors import InputError
from ensemble.io.containers import load
from tests.support.each import each

PROTOCOLS = range(6)


def read(tmp_path: Path, data: bytes) -> Any:
    path = tmp_path / "query_model.pkl"
    path.write_bytes(data)
    return load(path)


def refusal(tmp_path: Path, data: bytes) -> str:
    with pytest.raises(InputError) as caught:
        read(tmp_path, data)
    (problem,) = caught.value.problems
    return problem


# Honest files


@each("kind", ["dict", "ordereddict", "ordereddict_views"])
def test_python_2_dictionaries(shared: Path, kind: str) -> None:
    expected = np.load(shared / "golden" / "py2_pickles_expected.npz")
    files = sorted((shared / "golden").glob(f"py2_*_{kind}.pkl"))
    assert files
    for path in files:
        content: Any = load(path)
        assert isinstance(content, dict)
        assert len(content) == len(expected["ids"])
        for number, vector in zip(expected["ids"], expected["vectors"], strict=True):
            found = content[f"{number:06d}.jpg"]
            assert found.dtype == np.float32
            assert found.tobytes() == vector.tobytes(), (path.name, number)
        if kind != "dict":
            assert list(content) == [f"{number:06d}.jpg" for number in expected["ids"]]


def test_python_2_distance_matrix(shared: Path) -> None:
    expected = np.load(shared / "golden" / "py2_pickles_expected.npz")["distmat"]
    files = sorted((shared / "golden").glob("py2_*_distmat.pkl"))
    assert len(files) == 2
    for path in files:
        assert load(path).tobytes() == expected.tobytes()
        assert load(path).shape == expected.shape


def test_python_2_mixed(shared: Path) -> None:
    expected = np.load(shared / "golden" / "py2_pickles_expected.npz")
    files = sorted((shared / "golden").glob("py2_*_mixed.pkl"))
    assert len(files) == 3
    for path in files:
        content: Any = load(path)
        # NumPy turns big-endian arrays into native ones while unpickling
        kinds = {"f8": "f8", "i8": "i8", "i4": "i4", "bigend": "f4", "u1": "u1", "bool": "?", "fortran": "f4"}
        for name, dtype in kinds.items():
            assert content[name].dtype == np.dtype(dtype), name
            # the expected values are stored in 32 bits
            assert_array_equal(content[name].astype(expected[f"mixed_{name}"].dtype), expected[f"mixed_{name}"])
        assert content["fortran"].flags.f_contiguous
        assert_array_equal(content["strided"], expected["mixed_strided"])
        assert_array_equal(content["unicode_key"], expected["mixed_unicode_key"])
        assert content["scalar_f4"] == expected["mixed_scalar_f4"]
        assert content["list"] == [1, 2.5, "a"]
        assert content["long"] == 2**70
        assert_array_equal(content["nested"]["000001.jpg"], expected["mixed_nested_000001jpg"])


@each("protocol", PROTOCOLS)
@each("kind", [dict, OrderedDict])
def test_python_3_dictionaries_of_row_views(tmp_path: Path, protocol: int, kind: type) -> None:
    rows = np.array([[0, -0.0, 1e-38, 3.4e38], [1 / 3, -1, 7, 255]], np.float32)
    content = read(tmp_path, pickle.dumps(kind((f"{i}.jpg", row) for i, row in enumerate(rows)), protocol))
    assert [content[f"{i}.jpg"].tobytes() for i in range(2)] == [row.tobytes() for row in rows]
    assert type(content) is kind


@each("protocol", PROTOCOLS)
def test_python_3_everything_allowed(tmp_path: Path, protocol: int) -> None:
    honest = {
        "fortran": np.asfortranarray(np.arange(6.0).reshape(2, 3)),
        "big": np.arange(3, dtype=">i2"),
        "half": np.arange(3, dtype=np.float16),
        "text": np.array(["a", "βγ"]),
        "bytes array": np.array([b"ab", b"c"]),
        "empty": np.zeros((0, 3), np.float32),
        "no dimension": np.array(2.5),
        "complex": np.array([1 + 2j]),
        "scalar": np.float32(0.1),
        "whole": np.int64(-3),
        ("a", 1): [None, True, (1, 2.5, -(2**70)), {1, 2}, frozenset("ab"), b"\x00\xff", bytearray(b"xy"), b""],
        1: {"nested": [[], {}, (), set()]},
    }
    found = read(tmp_path, pickle.dumps(honest, protocol))
    assert list(found) == list(honest)
    for key, value in honest.items():
        if isinstance(value, (np.ndarray, np.generic)):
            assert found[key].dtype.newbyteorder("=") == value.dtype.newbyteorder("=")
            assert_array_equal(found[key], value)
        else:
            assert found[key] == value


def test_an_array_that_two_names_share(tmp_path: Path) -> None:
    row = np.ones(3, np.float32)
    content = read(tmp_path, pickle.dumps({"a": row, "b": row}))
    assert content["a"] is content["b"]


def test_a_memory_map_is_an_array(tmp_path: Path) -> None:
    rows = np.memmap(tmp_path / "rows", np.float32, "w+", shape=(2, 3))
    rows[:] = 5
    assert_array_equal(read(tmp_path, pickle.dumps({"a": rows[1]}, 2))["a"], [5, 5, 5])


# Hostile files


class Call:
    """Pickles as a call of ``function`` with ``arguments``."""

    def __init__(self, function: Callable, *arguments: object) -> None:
        self.call = function, arguments

    def __reduce__(self) -> tuple:
        return self.call


@pytest.fixture
def canary(tmp_path: Path) -> Path:
    """A file that exists as soon as something was executed."""
    return tmp_path / "canary"


@each("protocol", PROTOCOLS)
def test_calls_are_refused_and_named(tmp_path: Path, canary: Path, protocol: int) -> None:
    code = f"open({str(canary)!r}, 'w').close()"
    hostile = {
        f"{os.system.__module__}.system": Call(os.system, f"touch {canary}"),
        "eval": Call(eval, code),
        "exec": Call(exec, code),
        "getattr": Call(getattr, "", "upper"),
        "open": Call(io.open, str(canary), "w"),
        "__import__": Call(__import__, "os"),
        "numpy.fromfile": Call(np.fromfile, str(canary)),
        "loads": Call(pickle.loads, b"N."),
    }
    for name, call in hostile.items():
        for content in (call, {"000001.jpg": [call]}):
            data = pickle.dumps(content, protocol)
            assert name in refusal(tmp_path, data)
            assert "nothing of the file was executed" in refusal(tmp_path, data)
    assert not canary.exists()


def test_the_canary_would_sing(tmp_path: Path, canary: Path) -> None:
    pickle.loads(pickle.dumps(Call(os.system, f"touch {canary}")))
    assert canary.exists()


def named_global(module: str, name: str) -> bytes:
    return b"".join(b"\x8c" + bytes([len(text)]) + text.encode() for text in (module, name)) + b"\x93"


@each(
    ("data", "named"),
    [
        (b"cos\nsystem\n(S'touch CANARY'\ntR.", "os.system"),
        (b"c__builtin__\neval\n(S'1'\ntR.", "__builtin__.eval"),
        (b"(S'touch CANARY'\nios\nsystem\n.", "os.system"),  # INST
        (b"(cos\nsystem\nS'touch CANARY'\no.", "os.system"),  # OBJ
        (b"\x80\x04" + named_global("numpy", "os.system") + b"\x8c\x0etouch CANARY\x85R.", "numpy.os.system"),
        (b"\x80\x04" + named_global("numpy", "ndarray.tofile") + b".", "numpy.ndarray.tofile"),
        (b"\x80\x04" + named_global("collections", "OrderedDict.__class__") + b".", "OrderedDict.__class__"),
        (b"\x80\x02ccopy_reg\n_reconstructor\n.", "copy_reg._reconstructor"),
        (b"\x80\x02cnumpy.testing._private.utils\nrunstring\n.", "runstring"),
        (b"\x80\x02]\x82\x01.", "not a container"),  # EXT1
        (b"\x80\x02]\x83\x01\x00.", "not a container"),  # EXT2
        (b"\x80\x02]\x84\x01\x00\x00\x00.", "not a container"),  # EXT4
        (b"\x80\x02ccollections\nOrderedDict\n)\x81.", "not a container"),  # NEWOBJ
        (b"\x80\x04ccollections\nOrderedDict\n)}\x92.", "not a container"),  # NEWOBJ_EX
        (b"(ccollections\nOrderedDict\no.", "not a container"),
        (b"Pfile\n.", "outside the file"),  # persistent id
        (b"\x80\x02X\x01\x00\x00\x00aQ.", "outside the file"),
        (b"]}b.", "attributes set on list"),
        (b"ccollections\nOrderedDict\n}b.", "attributes set on function"),
        (b"ccollections\nOrderedDict\nK\x01K\x01s.", "items set on function"),
        (b"cnumpy\nndarray\n(K\x05tR.", "a call of numpy.ndarray"),
        (b"ccollections\nOrderedDict\n]R.", "a call of function"),  # arguments that are no tuple
        (b"c_codecs\nencode\n(S'a'\nS'rot13'\ntR.", "_codecs.encode to 'rot13'"),
        (b"cbuiltins\nlist\n(cbuiltins\nlist\ntR.", "a container made from function"),
        (b"cbuiltins\nbytes\n(J\xff\xff\xff\x7ftR.", "data given as int"),
        (b"cbuiltins\nbytearray\n(J\xff\xff\xff\x7ftR.", "data given as int"),
        (b"\x80\x04}(K\x01K\x02K\x01K\x03u.", "the key 1 twice"),
        (b"\x80\x04}]K\x01s.", "with list as key"),
        (b"\x80\x04\x8f(]\x90.", "with list as key"),
        (b"(](ld.", "with list as key"),
        (b"\x80\x04\x8c\x01aK\x01a.", "items appended to str"),
        (b"\x80\x04](K\x01\x90.", "items added to list"),
    ],
)
def test_hand_written(tmp_path: Path, canary: Path, data: bytes, named: str) -> None:
    assert named in refusal(tmp_path, data.replace(b"CANARY", str(canary).encode()[-6:]))
    assert not canary.exists()


def test_extension_registry_is_not_asked(tmp_path: Path) -> None:
    copyreg.add_extension("os.path", "join", 17)
    try:
        data = b"\x80\x02\x82\x11."
        assert pickle.loads(data) is os.path.join  # now it is in the cache, too
        assert "not a container" in refusal(tmp_path, data)
    finally:
        copyreg.remove_extension("os.path", "join", 17)


def test_python_objects_in_arrays(tmp_path: Path) -> None:
    for protocol in PROTOCOLS:
        objects = np.array([[1, "text"], [None, np.ones(2)]], object)
        found = read(tmp_path, pickle.dumps({"a": np.asfortranarray(objects)}, protocol))["a"]
        assert found.dtype == object
        assert found[:, 0].tolist() == [1, None]
        assert "posix.system" in refusal(tmp_path, pickle.dumps(np.array([os.system], object), protocol))
        structured = np.zeros(2, [("x", "f4"), ("y", object)])
        assert "numpy.dtype" in refusal(tmp_path, pickle.dumps(structured, protocol))


DTYPE = b"cnumpy\ndtype\n(S'f4'\nI0\nI1\ntR(I3\nS'<'\nNNNI-1\nI-1\nI0\ntb"
OBJECT = b"cnumpy\ndtype\n(S'O8'\nI0\nI1\ntR(I3\nS'|'\nNNNI-1\nI-1\nI63\ntb"
ARRAY = b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(I0\ntS'b'\ntR"


@each(
    ("data", "named"),
    [
        (ARRAY + b"(I1\n(I100\nt" + DTYPE + b"I00\nS'abcd'\ntb.", "with 4 bytes of data"),
        (ARRAY + b"(I1\n(L4611686018427387904L\nI4\nt" + DTYPE + b"I00\nS''\ntb.", "an array of shape"),
        (ARRAY + b"(I1\n(I0\nL4611686018427387904L\nt" + DTYPE + b"I00\nS''\ntb.", "an array of shape"),
        (ARRAY + b"(I1\n(I-1\nt" + DTYPE + b"I00\nS'abcd'\ntb.", "an array of shape (-1,)"),
        (ARRAY + b"(I1\n(I1\nt" + DTYPE + b"I00\n(lI1\natb.", "data given as list"),
        (ARRAY + b"(I1\n(I1\ntS'f4'\nI00\nS'abcd'\ntb.", "an unknown form"),
        (
            ARRAY + b"(I1\n(I1\nt" + DTYPE + b"I00\nS'abcd'\ntb" + b"(I1\n(I1\nt" + DTYPE + b"I00\nS'abcd'\ntb.",
            "unknown form",
        ),
        (b"cnumpy.core.multiarray\n_reconstruct\n(ccollections\nOrderedDict\n(I0\ntS'b'\ntR.", "_reconstruct of"),
        (ARRAY + b"(I1\n(I2\nt" + OBJECT + b"I00\n(lI1\natb.", "something else than its objects"),
        (ARRAY + b"(I1\n(I1\nt" + OBJECT + b"I00\nS'abcdefgh'\ntb.", "something else than its objects"),
        (b"cnumpy._core.numeric\n_frombuffer\n(S'abcdefgh'\n" + OBJECT + b"(I1\ntS'C'\ntR.", "numpy objects in"),
        (b"cnumpy.core.multiarray\nscalar\n(" + OBJECT + b"S'abcdefgh'\ntR.", "numpy objects in"),
        (b"cnumpy\ndtype\n(S'V8'\nI0\nI1\ntR.", "numpy.dtype 'V8'"),
        (b"cnumpy\ndtype\n(S'f4,f4'\nI0\nI1\ntR.", "numpy.dtype 'f4,f4'"),
        (b"cnumpy\ndtype\n(S'f4'\nI0\nI1\ntR(I3\nS'<'\nN(S'x'\ntNI-1\nI-1\nI0\ntb.", "numpy.dtype with fields"),
        (b"cnumpy._core.numeric\n_frombuffer\n(S'abcd'\n" + DTYPE + b"(I2\ntS'C'\ntR.", "with 4 bytes of data"),
        (b"cnumpy.core.multiarray\nscalar\n(" + DTYPE + b"S'abc'\ntR.", "numpy scalar in an unknown form"),
    ],
)
def test_arrays_that_lie(tmp_path: Path, data: bytes, named: str) -> None:
    assert named in refusal(tmp_path, data)


def nest(depth: int, wrap: bytes) -> bytes:
    """A tuple of itself, twice, ``depth`` times: short to write, 2 ** depth to walk."""
    return b"\x80\x04)" + b"2\x86" * depth + wrap


@each(
    "data",
    [
        b"\x80\x04]r\xff\xff\xff\xff.",  # memo index: a table of 34 GB in Python's C unpickler
        b"\x80\x05\x96" + struct.pack("<Q", 2**40) + b".",  # BYTEARRAY8
        b"\x80\x04\x8e" + struct.pack("<Q", 2**40) + b".",  # BINBYTES8
        b"\x80\x04\x8d" + struct.pack("<Q", 2**40) + b".",  # BINUNICODE8
        b"\x80\x04\x95" + struct.pack("<Q", 2**40) + b".",  # FRAME
        b"\x80\x02T\xff\xff\xff\x7f.",  # BINSTRING
        nest(60, b"}\x94h\x00K\x01s.").replace(b"}\x94h\x00", b"\x94}h\x00"),  # as a key: hashing
        nest(60, b"\x94\x8f(h\x00\x90."),  # in a set
        nest(60, b"\x94cnumpy\ndtype\nh\x00\x85R."),  # in a message
        # one list of 50,000, or as many bytes, copied 50,000 times
        b"\x80\x04](" + b"K\x01" * 50_000 + b"e\x94cbuiltins\nlist\n\x94]" + b"h\x01h\x00\x85Ra" * 50_000 + b".",
        b"\x80\x05\x96"
        + struct.pack("<Q", 50_000)
        + bytes(50_000)
        + b"\x940"
        + ARRAY[:-1]
        + b"\x940]"
        + (
            b"cnumpy._core.multiarray\n_reconstruct\nh\x01R"
            + b"(K\x01JP\xc3\x00\x00\x85"
            + b"cnumpy\ndtype\nX\x02\x00\x00\x00u1\x89\x88\x87R\x89h\x00tba"
        )
        * 5_000
        + b".",
    ],
)
def test_bombs_cost_nothing(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "query_model.pkl"
    path.write_bytes(data)
    load_once_for_imports = tmp_path / "query_small.pkl"
    load_once_for_imports.write_bytes(b"N.")
    load(load_once_for_imports)
    tracemalloc.start()
    try:
        if data.startswith(b"\x80\x04]r"):
            assert load(path) == []
        else:
            with pytest.raises(InputError):
                load(path)
        assert tracemalloc.get_traced_memory()[1] < 40e6
    finally:
        tracemalloc.stop()


@each("protocol", PROTOCOLS)
def test_cut_anywhere(tmp_path: Path, protocol: int) -> None:
    data = pickle.dumps({"a.jpg": np.ones(2, np.float32), "b.jpg": np.float32(3)}, protocol)
    for length in range(len(data)):
        assert "cut off" in refusal(tmp_path, data[:length]), length


def test_refused_names_do_not_disturb_the_terminal(tmp_path: Path) -> None:
    problem = refusal(tmp_path, b"\x80\x04" + named_global("\x1b[2Jos", "a\nb") + b".")
    assert r"refused \x1b[2Jos.a\nb;" in problem
