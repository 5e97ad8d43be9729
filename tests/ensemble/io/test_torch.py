"""Files of torch.save, made by torch (tests/data/make_torch_files.py) and read without it."""

import pickle
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from ensemble.base.errors import InputError
from ensemble.io.blocks import read_blocks
from ensemble.io.containers import load, reader_of
from ensemble.io.readers.torch_files import LEGACY_MAGIC
from tests.support.each import each

FILES = Path(__file__).parents[2] / "data" / "torch"
LAYOUTS = ["zip", "legacy"]


def refusal(path: Path) -> str:
    with pytest.raises(InputError) as caught:
        load(path)
    (problem,) = caught.value.problems
    return problem


def rewritten(tmp_path: Path, **members: bytes) -> Path:
    """``tensors_zip.pth`` with other bytes in some members."""
    path = tmp_path / "changed.pth"
    with zipfile.ZipFile(FILES / "tensors_zip.pth") as old, zipfile.ZipFile(path, "w") as new:
        for name in old.namelist():
            new.writestr(name, members.get(name.split("/", 1)[1], old.read(name)))
    return path


@each("layout", LAYOUTS)
def test_tensors(layout: str) -> None:
    content = load(FILES / f"tensors_{layout}.pth")
    base = np.arange(12).reshape(3, 4)
    expected: dict[str, Any] = {
        "matrix": base.astype(np.float32),
        "transposed": base.T[1:].astype(np.float32),
        "half": base.astype(np.float16),
        "double": base / 3,
        "labels": np.array([3, -1, 2**40]),
        "flags": np.array([True, False]),
        "parameter": (base + 1).astype(np.float32),
        "scalar": np.float32(2.5),
        "empty": np.zeros((0, 4), np.float32),
    }
    for name, value in expected.items():
        assert content[name].dtype == value.dtype, name
        assert content[name].shape == value.shape, name
        assert_array_equal(content[name], value, name)
    # 1e30 is 0x7149F2CA in float32; bfloat16 keeps the upper half, rounded: 0x714A
    top = np.array([0x714A0000], np.uint32).view(np.float32)[0]
    assert content["bfloat16"].dtype == np.float32
    assert content["bfloat16"].tolist() == [1.0, -2.5, 3.140625, top]
    assert content["shape"] == (3, 4)
    assert content["number"] == 7


@each("layout", LAYOUTS)
def test_named_tensors(layout: str) -> None:
    problems: list[str] = []
    blocks = read_blocks([FILES / f"query_{layout}.pt", FILES / f"gallery_{layout}.pt"], problems)
    assert not problems
    assert blocks["query"].names == ["000002.jpg", "000001.jpg"]
    assert_array_equal(blocks["query"].rows, [[5, 6, 7, 8], [1, 2, 3, 4]])
    assert_array_equal(blocks["gallery"].rows[::-1], np.arange(1, 13).reshape(3, 4))


@each("name", ["Market1501_features.pkl", "DukeMTMC_features.pkl"])
def test_light_reid(name: str) -> None:
    problems: list[str] = []
    blocks = read_blocks([FILES / name], problems)
    assert not problems
    assert_array_equal(blocks["query"].rows, np.arange(1, 9).reshape(2, 4))
    assert_array_equal(blocks["gallery"].rows, np.arange(9, 21).reshape(3, 4))
    assert {key: value.tolist() for key, value in blocks["query"].columns.items()} == {
        "pid": [5, 6],
        "cam": [0, 1],
    }
    assert blocks["gallery"].columns["pid"].tolist() == [6, 5, -1]
    assert blocks["gallery"].columns["cam"].tolist() == [1, 0, 2]
    assert blocks["query"].names is None


def test_one_tensor_and_a_state_dict() -> None:
    assert_array_equal(load(FILES / "array.pt"), [[1, 2, 3, 4], [5, 6, 7, 8]])
    assert load(FILES / "weights.pth")["weight"].shape == (2, 2)


def test_torch_is_never_imported() -> None:
    code = (
        "import sys; from pathlib import Path; from ensemble.io import contents\n"
        f"for path in Path({str(FILES)!r}).glob('tensors_*'): contents(path)\n"
        "assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_big_endian(tmp_path: Path) -> None:
    with zipfile.ZipFile(FILES / "tensors_zip.pth") as archive:
        raw = np.frombuffer(archive.read("tensors_zip/data/0"), "<f4")
    content = load(rewritten(tmp_path, **{"byteorder": b"big", "data/0": raw.astype(">f4").tobytes()}))
    assert_array_equal(content["matrix"], np.arange(12).reshape(3, 4))


def test_whole_models_are_refused() -> None:
    assert "torch.nn.modules.linear.Linear" in refusal(FILES / "module.pth")


def stream(content: bytes, *keys: str) -> bytes:
    """torch's stream around a pickle, with as many storages of one float32, 1.0."""
    parts = [LEGACY_MAGIC, *(pickle.dumps(part, 2) for part in (1001, {"little_endian": True}))]
    ones = [(1).to_bytes(8, "little") + np.float32(1).tobytes() for _ in keys]
    return b"".join([*parts, content, pickle.dumps([*keys], 2), *ones])


def called(raw: bytes) -> bytes:
    """The opcodes of what reads a storage out of bytes."""
    return b"ctorch.storage\n_load_from_bytes\nB" + len(raw).to_bytes(4, "little") + raw + b"\x85R"


def test_tensors_in_a_plain_pickle(tmp_path: Path) -> None:
    (name, row), *others = load(FILES / "plain_pickle.pkl").items()
    assert not others
    assert (name, row.dtype, row.tolist()) == ("000001.jpg", np.float32, [1, 1])
    shutil.copy(FILES / "plain_pickle.pkl", tmp_path / "query_net.pkl")
    assert read_blocks([tmp_path / "query_net.pkl"], [])["query"].names == ["000001.jpg"]


@each(
    ("data", "reason"),
    [
        (called(stream(b"\x80\x02" + called(b"") + b".")), "_load_from_bytes"),  # one inside the other
        (called(stream(b"\x80\x02]cos\nsystem\n.")), "os.system"),
        (called(stream(b"\x80\x02].")), "a torch storage that is list"),
        (b"ctorch.storage\n_load_from_bytes\nK\x07\x85R", "a torch storage made from int"),
        (called(b""), "cut off or damaged"),
    ],
)
def test_storages_in_a_plain_pickle_are_only_that(tmp_path: Path, data: bytes, reason: str) -> None:
    (tmp_path / "query_net.pkl").write_bytes(b"\x80\x02" + data + b".")
    assert reason in refusal(tmp_path / "query_net.pkl")


def test_storages_that_are_read_again_and_again(tmp_path: Path) -> None:
    """The same bytes, named a thousand times, are counted as often as they are read."""
    one = b"\x80\x02(X\x07\0\0\0storagectorch\nFloatStorage\nX\x01\0\0\x000X\x03\0\0\0cpuK\x01NtQ."
    raw = stream(one, "0")
    known = (
        b"\x80\x02ctorch.storage\n_load_from_bytes\nq\0" + b"0B" + len(raw).to_bytes(4, "little") + raw + b"q\x010"
    )
    path = tmp_path / "query_net.pkl"
    path.write_bytes(known + b"h\0h\x01\x85R.")
    assert load(path).values.tolist() == [1]
    path.write_bytes(known + b"](" + 1000 * b"h\0h\x01\x85R" + b"e.")
    assert "copies of its own content that are larger than the file" in refusal(path)


def tensor(size: tuple, stride: tuple, offset: int = 0, numel: int = 12, kind: str = "FloatStorage") -> bytes:
    """The pickle of one tensor in storage 0, which has 12 float32 values: opcodes by hand."""

    def value(thing: object) -> bytes:  # a pickle without its first two bytes (protocol) and its last (stop)
        return pickle.dumps(thing, 2)[2:-1]

    storage = (
        b"(" + value("storage") + f"ctorch\n{kind}\n".encode() + value("0") + value("cpu") + value(numel) + b"tQ"
    )
    arguments = b"(" + storage + b"".join(map(value, (offset, size, stride, False, None))) + b"t"
    return b"\x80\x02ctorch._utils\n_rebuild_tensor_v2\n" + arguments + b"R."


def test_a_hand_written_tensor(tmp_path: Path) -> None:
    # rows 1 and 2 of 3 x 4, every second value: 4 + 0, 4 + 2; 8 + 0, 8 + 2
    path = rewritten(tmp_path, **{"data.pkl": tensor((2, 2), (4, 2), offset=4)})
    assert_array_equal(load(path), [[4, 6], [8, 10]])


def test_an_expanded_tensor(tmp_path: Path) -> None:
    """Row 1 five times, as ``x[1:2].expand(5, 4)`` is saved; so many times that memory would not hold it, it is
    refused below.
    """
    path = rewritten(tmp_path, **{"data.pkl": tensor((5, 4), (0, 1), offset=4)})
    assert_array_equal(load(path), [[4, 5, 6, 7]] * 5)


@each(
    ("pickled", "named"),
    [
        (tensor((3, 5), (5, 1)), "reaches outside its 12"),
        (tensor((3, 4), (4, 1), offset=1), "reaches outside its 12"),
        (tensor((2,), (2**40,)), "reaches outside its 12"),
        (tensor((1,), (1,), offset=12), "reaches outside its 12"),
        (tensor((10**9, 10**9), (0, 0)), "an array of shape"),
        (tensor((10**8,), (0,)), "400000000 bytes that repeat the same 48"),
        (tensor((10**4, 10**4), (0, 1)), "reaches outside its 12"),
        (tensor((2,), (-1,), offset=5), "an array of shape (-1,)"),
        (tensor((2,), (1,), offset=-3), "unknown form"),
        (tensor((2,), (1,), numel=13), "13 values in 48 bytes"),
        (tensor((2,), (1,), numel=10**15), "values in 48 bytes"),
        (tensor((2,), (1,), kind="DoubleStorage"), "12 values in 48 bytes"),
        (tensor((2,), (1,), kind="UntypedStorage"), "torch.UntypedStorage"),
        (tensor((2,), (1, 1)), "cut off or damaged"),
        (
            b"\x80\x02(X\x07\x00\x00\x00storageX\x01\x00\x00\x00aX\x01\x00\x00\x000X\x00\x00\x00\x00K\x01tQ.",
            "unknown form",
        ),
        (b"\x80\x02X\x06\x00\x00\x00moduleQ.", "not a tensor"),
        (b"\x80\x02cos\nsystem\nX\x04\x00\x00\x00true\x85R.", "os.system"),
    ],
)
def test_tensors_that_lie(tmp_path: Path, pickled: bytes, named: str) -> None:
    assert named in refusal(rewritten(tmp_path, **{"data.pkl": pickled}))


def test_an_archive_that_swells(tmp_path: Path) -> None:
    path = tmp_path / "bomb.pth"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a/data.pkl", tensor((2,), (1,), numel=10**7))
        archive.writestr("a/data/0", bytes(4 * 10**7))
    assert "unpacks to more than it holds" in refusal(path)


def test_legacy_storages_that_lie(tmp_path: Path) -> None:
    data = (FILES / "query_legacy.pt").read_bytes()
    path = tmp_path / "query_changed.pt"
    (length,) = {data.rfind(b"\x08" + bytes(7))}  # the storage: 8 values, then 32 bytes of them
    path.write_bytes(data[:length] + (2**60).to_bytes(8, "little") + data[length + 8 :])
    assert "ends early" in refusal(path)
    start = data.index(b"K\x08Nt")  # "8 values, no view" in the reference to the storage
    path.write_bytes(data[:start] + b"J\xff\xff\xff\x7fNt" + data[start + 4 :])
    assert "larger than the file" in refusal(path)


@each("name", ["query_zip.pt", "query_legacy.pt", "Market1501_features.pkl"])
def test_cut_anywhere(tmp_path: Path, name: str) -> None:
    data = (FILES / name).read_bytes()
    path = tmp_path / "query_cut.pt"
    for length in [*range(0, len(data), 7), len(data) - 1]:
        path.write_bytes(data[:length])
        assert "cut off" in refusal(path), length


def test_kinds_are_told_by_content() -> None:
    kinds = {"query_zip.pt": "torch archive", "query_legacy.pt": "torch stream", "plain_pickle.pkl": "pickle"}
    assert {name: reader_of(FILES / name).name for name in kinds} == kinds
