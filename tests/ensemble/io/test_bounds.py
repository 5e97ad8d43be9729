"""Small files that ask for much end in a sentence: at once, and within a small memory."""

import io
import json
import pickle
import struct
import tracemalloc
import zipfile
import zlib
from pathlib import Path
from time import perf_counter

import numpy as np
import pytest

from ensemble.base.errors import InputError
from ensemble.io import bounds, contents
from ensemble.io.blocks import read_blocks
from tests.support.each import each
from tests.support.folders import pickled

SECONDS, MEGABYTES = 10, 100  # that a refusal may take; without bounds these files take minutes and gigabytes
FEW = np.zeros((3, 2), np.float32)
NOUGHTS = bytes(1_000_000)


def npy(shape: tuple[int, ...], code: str = "<f4") -> bytes:
    """The header alone."""
    stream = io.BytesIO()
    np.lib.format.write_array_header_1_0(stream, {"descr": code, "fortran_order": False, "shape": shape})
    return stream.getvalue()


def npz(path: Path, **members: bytes) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(f"{name}.npy", content)


def element(kind: int, content: bytes) -> bytes:
    return struct.pack("<II", kind, len(content)) + content + bytes(-len(content) % 8)


def matlab(path: Path, variable: bytes) -> None:
    path.write_bytes(b"MATLAB 5.0 MAT-file".ljust(124) + struct.pack("<H", 0x100) + b"IM" + variable)


def outside(name: bytes, *shape: int) -> bytes:
    """Flags of a single, its dimensions, its name."""
    sizes = struct.pack(f"<{len(shape)}i", *shape)
    return element(6, struct.pack("<II", 7, 0)) + element(5, sizes) + element(1, name)


def deflated(start: bytes, megabytes: int) -> bytes:
    machine = zlib.compressobj(9)
    return b"".join(
        [machine.compress(start), *(machine.compress(NOUGHTS) for _ in range(megabytes)), machine.flush()]
    )


def endless_npy(folder: Path) -> None:
    (folder / "query_a.npy").write_bytes(npy((10**12, 0)))


def endless_npz(folder: Path) -> None:
    npz(folder / "a.npz", query=npy((10**12, 0)), gallery=npy((3, 2)) + bytes(24))


def names_without_letters(folder: Path) -> None:
    rows = npy((3, 2)) + bytes(24)
    npz(folder / "a.npz", query=rows, query_name=npy((10**8,), "<U0"), gallery=rows)


def deflated_npz(folder: Path) -> None:
    with zipfile.ZipFile(folder / "a.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        for side in ("query", "gallery"):
            with archive.open(f"{side}.npy", "w") as member:
                member.write(npy((25_000, 1000)))
                for _ in range(100):
                    member.write(NOUGHTS)


def endless_pickle(folder: Path) -> None:
    pickled(folder / "query_a.pkl", np.empty((10**12, 0)))


def one_array_again_and_again(folder: Path) -> None:
    row = np.arange(100_000, dtype=np.float32)  # 400 kB, of which 2,500 are a gigabyte
    pickled(folder / "query_a.pkl", {f"{number}.jpg": row for number in range(2500)})


def one_array_in_a_list(folder: Path) -> None:
    pickled(folder / "query_a.pkl", [np.arange(100_000, dtype=np.float32)] * 2500)


def one_list_again_and_again(folder: Path) -> None:
    row = np.arange(10_000.0).tolist()
    pickled(folder / "query_a.pkl", {f"{number}.jpg": row for number in range(25_000)})


def keys_that_collide(folder: Path) -> None:
    pickled(folder / "query_a.pkl", {number * (2**61 - 1): 0 for number in range(1, 1500)})


def values_that_collide(folder: Path) -> None:
    pickled(folder / "query_a.pkl", {number * (2**61 - 1) for number in range(1, 1500)})


def endless_safetensors(folder: Path) -> None:
    tensors = {
        "query": {"dtype": "F32", "shape": [10**12, 0], "data_offsets": [0, 0]},
        "gallery": {"dtype": "F32", "shape": [1, 1], "data_offsets": [0, 4]},
    }
    head = json.dumps(tensors).encode()
    (folder / "a.safetensors").write_bytes(len(head).to_bytes(8, "little") + head + bytes(4))


def endless_matlab(folder: Path) -> None:
    matlab(folder / "a.mat", element(14, outside(b"query_f", 2**31 - 1, 0) + element(7, b"")))


def deflated_matlab(folder: Path) -> None:
    beginning, count = outside(b"query_f", 25_000, 1000), 100_000_000
    start = struct.pack("<II", 14, len(beginning) + 8 + count) + beginning + struct.pack("<II", 7, count)
    packed = deflated(start, 100)
    matlab(folder / "a.mat", struct.pack("<II", 15, len(packed)) + packed)


def hdf5(folder: Path, shape: tuple[int, int]) -> None:
    h5py = pytest.importorskip("h5py")
    with h5py.File(folder / "a.mat", "w") as file:
        file.create_dataset("query_f", shape, "f4", chunks=(100, 100), maxshape=(None, None), compression="gzip")
        file.create_dataset("gallery_f", data=FEW)


def endless_hdf5(folder: Path) -> None:
    hdf5(folder, (10**12, 0))


def deflated_hdf5(folder: Path) -> None:
    hdf5(folder, (1000, 500_000))


BOMBS = (
    endless_npy, endless_npz, names_without_letters, deflated_npz, endless_pickle, one_array_again_and_again,
    one_array_in_a_list, one_list_again_and_again, keys_that_collide, values_that_collide, endless_safetensors,
    endless_matlab, deflated_matlab, endless_hdf5, deflated_hdf5,
)  # fmt: skip


@each("bomb", BOMBS)
def test_a_bomb_ends_in_a_sentence(tmp_path, bomb):
    bomb(tmp_path)
    (path,) = tmp_path.iterdir()
    assert path.stat().st_size < 2_000_000
    found: list[str] = []
    tracemalloc.start()
    started = perf_counter()
    read_blocks([path], found)
    try:
        contents(path)
    except InputError as error:
        found += error.problems
    seconds, (_, peak) = perf_counter() - started, tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert found
    assert found[0].startswith(str(path))
    assert seconds < SECONDS
    assert peak < MEGABYTES * 1e6


def test_what_is_sound_is_read() -> None:
    """An array of exactly its bytes; empty ones of up to a million rows; 64 MB, or 100 times the file."""
    million = 1 << 20
    for shape, itemsize, stored in (((3, 2), 4, 24), ((0, 2048), 4, 0), ((million, 0), 4, 0), ((), 8, 8)):
        bounds.refuse_size(shape, itemsize, stored)
    for shape, itemsize, stored in (
        ((3, 2), 4, 23),
        ((million + 1, 0), 4, 0),
        ((5, million), 0, 0),
        ((-1,), 1, 9),
    ):
        with pytest.raises(EOFError):
            bounds.refuse_size(shape, itemsize, stored)
    assert [bounds.Budget(size).most for size in (0, 671_088, 671_089)] == [64 << 20, 64 << 20, 67_108_900]
    budget = bounds.Budget(0)
    budget.spend(64 << 20, "all")
    with pytest.raises(bounds.TooLarge, match="more: 1 bytes cannot come from a file of this size"):
        budget.spend(1, "more")


def test_rows_of_one_array_are_no_repeats() -> None:
    """Views of one array, as pickles of ``dict(zip(names, rows))`` have them, and float16, which doubles."""
    rows = np.zeros((200, 200_000), np.float16)
    bounds.refuse_repeats("x", dict(enumerate(rows)))
    bounds.refuse_repeats("x", {"query": [pickle.loads(pickle.dumps(row)) for row in rows[:100]] * 2})
    bounds.refuse_repeats("x", {"query": rows, "gallery": rows, "names": ["a"] * 200})
    for repeated in ([rows[0].copy()] * 2000, dict.fromkeys(range(2000), rows[0].copy())):
        with pytest.raises(InputError, match=r"1600000000 bytes that repeat the same 4(00|16)000"):
            bounds.refuse_repeats("x", repeated)  # 2000 rows of 200,000 values of 4 bytes


def test_a_torch_tensor_of_nothing(tmp_path: Path) -> None:
    from ensemble.io.allowed import CONSTRUCTORS, Refused, Storage

    rebuild = CONSTRUCTORS["torch._utils", "_rebuild_tensor_v2"]
    with pytest.raises(Refused, match="an array without a value"):
        rebuild(Storage(np.zeros(0, np.float32)), 0, (10**12, 0), (1, 1))
