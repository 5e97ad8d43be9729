"""Small files that ask for much end in a sentence: at once, and within a small memory."""

import gzip
import io
import itertools
import json
import lzma
import pickle
import struct
import tracemalloc
import zipfile
import zlib
from pathlib import Path
from time import perf_counter
from typing import Any

import joblib
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


def objects_that_are_one(folder: Path) -> None:
    row, made = np.arange(100_000, dtype=np.float32), np.empty(2500, object)
    made[:] = [row] * 2500
    np.save(folder / "query_a.npy", made)


def one_array_in_a_nest(folder: Path) -> None:
    row = np.arange(100_000, dtype=np.float32)
    inner = {f"{number}.jpg": row for number in range(500)}
    pickled(folder / "a.pkl", {"query": {"a": inner, "b": [[row] * 2000]}, "gallery": inner})


def compressed(folder: Path) -> None:
    with gzip.open(folder / "query_a.pkl.gz", "wb") as file:
        file.writelines(itertools.repeat(NOUGHTS, 200))


def compressed_twice(folder: Path) -> None:
    packed = lzma.compress(bytes(100_000_000), preset=0)
    (folder / "query_a.joblib").write_bytes(packed)


def joblib_that_lies(folder: Path) -> None:
    content = io.BytesIO()
    joblib.dump({"a.jpg": np.zeros((7, 11))}, content)
    lie = content.getvalue().replace(b"K\x07K\x0b\x86", b"K\xffK\xff\x86")
    assert lie != content.getvalue()
    (folder / "query_a.joblib").write_bytes(lie)


def one_text_again_and_again(folder: Path) -> None:
    """Cells of a table point to a text of a megabyte."""
    text = pyarrow().array(["x" * 1_000_000], pyarrow().large_string())
    texts = pyarrow().DictionaryArray.from_arrays(np.zeros(20_000, np.int32), text)
    table = pyarrow().table({"features": [[0.5]] * 20_000, "name": texts})
    pytest.importorskip("pyarrow.parquet").write_table(table, folder / "query_a.parquet", compression="zstd")


def pyarrow() -> Any:
    return pytest.importorskip("pyarrow")


def noughts_in_parquet(folder: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    parquet.write_table(
        pyarrow().table({f"f{n}": np.zeros(3_000_000) for n in range(4)}), folder / "query_a.parquet"
    )


def noughts_in_lists(folder: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    lists = pyarrow().FixedSizeListArray.from_arrays(np.zeros(20_000_000, np.float32), 1000)
    parquet.write_table(pyarrow().table({"features": lists}), folder / "query_a.parquet")


def noughts_in_arrow(folder: Path) -> None:
    feather = pytest.importorskip("pyarrow.feather")
    table = pyarrow().table({f"f{n}": np.zeros(3_000_000) for n in range(4)})
    feather.write_feather(table, str(folder / "query_a.feather"), compression="zstd", chunksize=3_000_000)


def rows_of_nothing(folder: Path) -> None:
    table = pyarrow().table({"features": pyarrow().nulls(10**8), "name": pyarrow().nulls(10**8)})
    with pyarrow().ipc.new_file(str(folder / "query_a.arrow"), table.schema) as stream:
        stream.write_table(table)


def texts_in_hdf5(folder: Path) -> None:
    """A text of 200 kB that many entries point to."""
    h5py = pytest.importorskip("h5py")
    path = folder / "query_a.h5"
    with h5py.File(path, "w") as file:
        file["features"] = FEW
        file["names"] = ["y", "x" * 200_000, *["z"] * 4000]
    content = path.read_bytes()
    with h5py.File(path, "r") as file:
        start = file["names"].id.get_offset()
    own = content[start + 16 : start + 32]
    path.write_bytes(content[:start] + own * 4002 + content[start + 16 * 4002 :])


def nested_json(folder: Path) -> None:
    (folder / "query_a.json").write_text("[" * 500_000)


BOMBS = (
    objects_that_are_one, one_array_in_a_nest, compressed, compressed_twice, joblib_that_lies,
    one_text_again_and_again, noughts_in_parquet, noughts_in_lists, noughts_in_arrow, rows_of_nothing,
    texts_in_hdf5, nested_json,
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
