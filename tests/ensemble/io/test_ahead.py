"""What is known of features before they are read, format by format."""

import pickle
from pathlib import Path

import h5py
import numpy as np
import pytest
import safetensors.numpy
import torch
from scipy.io import savemat

from ensemble import io
from ensemble.io import containers

QUERY, GALLERY = (np.full((count, 960), 0.5, np.float32) for count in (7, 30))
SIDES = {"query": QUERY, "gallery": GALLERY}


def pairs(save, suffix):
    def write(folder: Path, dtype: type) -> None:
        for side, rows in SIDES.items():
            save(folder / f"{side}_m{suffix}", rows.astype(dtype))

    return write


def dumped(path: Path, value: object) -> None:
    path.write_bytes(pickle.dumps(value))


def named(path: Path, rows: np.ndarray) -> None:
    side = path.name.partition("_")[0]
    dumped(path, {f"{side}_{number:06d}.jpg": row for number, row in enumerate(rows)})


def matlab73(path: Path, dtype: type) -> None:
    with h5py.File(path / "m.mat", "w", userblock_size=512) as file:
        for side, rows in SIDES.items():
            file[f"{side}_f"] = rows.astype(dtype).T
    with (path / "m.mat").open("r+b") as file:
        file.write(b"MATLAB 7.3 MAT-file".ljust(124) + b"\x00\x02IM")


def whole(save):
    return lambda folder, dtype: save(folder, {side: rows.astype(dtype) for side, rows in SIDES.items()})


HEADERS = {  # formats that say what they hold
    "npy": pairs(np.save, ".npy"),
    "npz": whole(lambda folder, sides: np.savez(folder / "m.npz", **sides)),
    "npz, deflated": whole(lambda folder, sides: np.savez_compressed(folder / "m.npz", **sides)),
    "safetensors": whole(lambda folder, sides: safetensors.numpy.save_file(sides, folder / "m.safetensors")),
    "MATLAB 7.3": matlab73,
}
BY_SIZE = {  # formats of which lists of names and the size of the file tell
    "pickled array": pairs(dumped, ".pkl"),
    "pickled dictionary": pairs(named, ".pkl"),
    "pickled model": whole(lambda folder, sides: dumped(folder / "m.pkl", sides)),
    "torch": pairs(lambda path, rows: torch.save(torch.from_numpy(rows), path), ".pt"),
    "MATLAB 5": whole(lambda folder, sides: savemat(folder / "m.mat", sides)),
}


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_headers_tell_what_reading_gives(tmp_path, monkeypatch, dtype):
    for number, write in enumerate(HEADERS.values()):
        folder = tmp_path / str(number)
        folder.mkdir()
        write(folder, dtype)
        found = io.scan(folder)
        with monkeypatch.context() as patch:
            patch.setattr(containers, "load", None)  # nothing is read
            (size,) = io.sizes(found, found.joined).values()
        (read,) = io.read(found)
        assert dict(size.shapes) == {side: getattr(read, side).shape for side in SIDES}
        assert size.nbytes == read.query.nbytes + read.gallery.nbytes


def test_where_there_is_no_header_the_size_of_the_file_tells(tmp_path):
    for number, (what, write) in enumerate(BY_SIZE.items()):
        folder = tmp_path / str(number)
        folder.mkdir()
        for side, name in (("query", "name_query.txt"), ("gallery", "name_test.txt")):
            rows = range(len(SIDES[side]))
            (folder / name).write_text("".join(f"{side}_{row:06d}.jpg\n" for row in rows))
        write(folder, np.float32)
        found = io.scan(folder)
        (size,) = io.sizes(found, found.joined).values()
        for side, (rows, width) in size.shapes.items():
            assert rows == len(SIDES[side]), what
            assert width == pytest.approx(960, rel=0.1), what


def test_nobody_can_tell_without_a_list(tmp_path):
    BY_SIZE["pickled array"](tmp_path, np.float32)
    found = io.scan(tmp_path)
    assert io.sizes(found, found.joined) == {}
