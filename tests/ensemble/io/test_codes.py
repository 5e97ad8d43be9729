"""Binary codes in files: every way to write them down gives the same set, also when it is written again."""

import pickle

import h5py
import numpy as np
import pytest
from numpy.testing import assert_array_equal
from safetensors.numpy import save_file
from scipy.io import savemat

from ensemble import io
from ensemble.base.errors import InputError
from ensemble.io.codes import NONE, features, packed
from tests.support.each import each
from tests.support.folders import problems

LENGTHS = (12, 4, 9)


def bits(count, seed):
    return np.random.default_rng(seed).integers(0, 2, (count, sum(LENGTHS)))


def parts(rows):
    return np.split(rows, np.cumsum(LENGTHS)[:-1], axis=1)


SIDES = {"query": bits(3, 1), "gallery": bits(5, 2)}


def packed_file(path, dtype=np.float32):
    np.savez(path / "m.npz", **{s: packed(rows, LENGTHS) for s, rows in SIDES.items()}, code_lengths=LENGTHS)


def plain_file(path, dtype=np.float32):
    np.savez(path / "m.npz", **{s: rows.astype(dtype) for s, rows in SIDES.items()}, code_lengths=LENGTHS)


def lightreid_file(path, dtype=np.float32):
    content = {f"{side}_feats": [part.astype(dtype) for part in parts(rows)] for side, rows in SIDES.items()}
    (path / "m.pkl").write_bytes(pickle.dumps(content))


def pairs_of_files(path, dtype=np.float32):
    for side, rows in SIDES.items():
        (path / f"{side}_m.pkl").write_bytes(pickle.dumps([part.astype(dtype) for part in parts(rows)]))


def _named(side, rows, **more):
    return {"names": [f"{side}{row}.jpg" for row in range(len(rows))], "features": rows, **more}


def halves_with_keys(path, dtype=np.float32):
    for side, rows in SIDES.items():
        np.savez(path / f"{side}_m.npz", **_named(side, packed(rows, LENGTHS)), code_lengths=LENGTHS)


def a_dictionary_a_side(path, dtype=np.float32):
    said = {side: _named(side, packed(rows, LENGTHS), code_lengths=list(LENGTHS)) for side, rows in SIDES.items()}
    (path / "m.pkl").write_bytes(pickle.dumps(said))


def split_in_one(path, dtype=np.float32):
    whole = np.concatenate(list(SIDES.values()))
    of = [side for side, rows in SIDES.items() for _ in rows]
    content = {"split": of, "features": [part.astype(dtype) for part in parts(whole)]}
    (path / "m.pkl").write_bytes(pickle.dumps(content))


def safetensors_file(path, dtype=np.float32):
    save_file({**{s: packed(r, LENGTHS) for s, r in SIDES.items()}, "code_lengths": np.array(LENGTHS)},
              path / "m.safetensors")  # fmt: skip


def torch_file(path, dtype=np.float32):
    torch = pytest.importorskip("torch")
    lists = {f"{s}_feats": [torch.tensor(part.astype(dtype)) for part in parts(r)] for s, r in SIDES.items()}
    torch.save(lists, path / "m.pth")


def hdf5_file(path, dtype=np.float32):
    with h5py.File(path / "m.h5", "w") as file:
        file["code_lengths"] = LENGTHS
        for side, rows in SIDES.items():
            file[f"{side}_feats"] = packed(rows, LENGTHS)


def matlab_file(path, dtype=np.float32):
    savemat(path / "m.mat", {"query_f": packed(SIDES["query"], LENGTHS), "code_lengths": np.array(LENGTHS),
                             "gallery_f": packed(SIDES["gallery"], LENGTHS)})  # fmt: skip


@each(
    ("write", "dtype"),
    [
        (packed_file, np.uint8),
        (plain_file, np.float16),
        (plain_file, np.int64),
        (lightreid_file, np.float32),
        (lightreid_file, bool),
        (pairs_of_files, np.uint8),
        (halves_with_keys, np.uint8),
        (a_dictionary_a_side, np.uint8),
        (split_in_one, bool),
        (safetensors_file, np.uint8),
        (torch_file, bool),
        (torch_file, np.float32),
        (hdf5_file, np.uint8),
        (matlab_file, np.uint8),
    ],
)
def test_every_form_is_the_same_set(write, dtype, tmp_path):
    write(tmp_path, dtype)
    (found,) = io.read_folder(tmp_path)
    assert (found.model, found.codes) == ("m", LENGTHS)
    for side, rows in SIDES.items():
        assert getattr(found, side).dtype == np.float32
        assert_array_equal(getattr(found, side), rows)
    assert not any("binary codes" in note or "not used" in note for note in found.notes)
    assert not io.scan(tmp_path).notes or "code" not in str(io.scan(tmp_path).notes)
    again = tmp_path / "again"
    io.write_npz(again / "m.npz", found)
    with np.load(again / "m.npz") as file:
        assert file["query"].shape == (3, 2 + 1 + 2)  # whole bytes for each code
        assert file["code_lengths"].tolist() == list(LENGTHS)
    (back,) = io.read_folder(again)
    assert back.codes == LENGTHS
    assert_array_equal(back.gallery, found.gallery)


@each(("values", "seen"), [((0, 1), "0 and 1"), ((-1, 1), "-1 and 1")])
def test_one_code_is_known_by_its_values(values, seen):
    rows = np.array(values, np.float32)[bits(6, 3)[:, :12]]
    assert features("here", rows)[1] == ((12,), seen)
    assert features("here", rows.astype(np.int8))[1] == ((12,), seen)
    assert_array_equal(features("here", rows)[0], rows)
    rows[3, 3] = 0.5
    assert features("here", rows)[1] == NONE
    assert features("here", np.ones((2, 3), np.float32))[1] == NONE  # all the same is no code


def test_what_is_known_by_its_values_alone_is_said(tmp_path):
    """It changes what rows of zeros are, and what coarse_to_fine compares; what the file says is no news."""
    code = bits(4, 3)[:, :4].astype(np.float32)
    code[2] = 0
    np.savez(tmp_path / "m.npz", query=code, gallery=code)
    (found,) = io.read_folder(tmp_path)
    assert found.codes == (4,)
    said = [note for note in found.notes if "binary codes" in note]
    assert said == [
        "m: all values are 0 and 1: they are taken for binary codes of 4 bits; "
        "with code_lengths beside them the file says which they are"
    ]
    io.write_npz(tmp_path / "again" / "m.npz", found)
    (again,) = io.read_folder(tmp_path / "again")
    assert again.codes == (4,)
    assert not any("binary codes" in note for note in again.notes)
    np.savez(tmp_path / "m.npz", query=code * 0.3, gallery=code * 0.3)
    assert "found only zeros in 1 images" in problems(io.read_folder, tmp_path)[0]


@each("gallery", [bits(4, 4)[:, :4] * 0.7 + 0.1, bits(4, 4)[:, :4] * 2.0 - 1])
def test_sides_of_other_values_are_numbers(tmp_path, gallery):
    np.savez(tmp_path / "m.npz", query=bits(4, 3)[:, :4] * 1.0, gallery=gallery)
    (found,) = io.read_folder(tmp_path)
    assert found.codes == ()
    assert not any("binary codes" in note for note in found.notes)


def test_side_models_are_no_codes(tmp_path):
    """Attributes are 0 and 1 too."""
    np.savez(tmp_path / "m.npz", query=np.full((3, 2), 0.5), gallery=np.full((5, 2), 0.5))
    (tmp_path / "side").mkdir()
    np.savez(tmp_path / "side" / "red.npz", query=SIDES["query"] * 1.0, gallery=SIDES["gallery"] * 1.0)
    (found,) = io.read(io.scan(tmp_path), ["side/red"])
    assert found.codes == ()
    assert not any("binary codes" in note for note in found.notes)


def test_what_does_not_fit_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"beside them, found 2x3 uint8; if .* add code_lengths"):
        features("here", np.full((2, 3), 200, np.uint8))
    with pytest.raises(InputError, match=r"codes of \[16, 8\] bits, 24 numbers .* or 3 bytes"):
        features("here", np.full((2, 4), 200, np.uint8), np.array([16, 8]))
    with pytest.raises(InputError, match="wanted code_lengths as bits of each code"):
        features("here", np.full((2, 4), 200, np.uint8), np.array([0, 32]))
    with pytest.raises(InputError, match=r"codes of \[16, 8\] bits, .*found 2x24 float32 with 0.5"):
        features("here", np.full((2, 24), 0.5), np.array([16, 8]))
    with pytest.raises(InputError, match="wanted arrays of one width"):
        features("here", [np.full((2, 3), 0.5), np.full((2, 4), 0.5)])  # several widths, and no bits
    np.savez(tmp_path / "half.npz", query=bits(2, 1), gallery=bits(2, 1) * 0.5 + 0.1, code_lengths=LENGTHS)
    assert "half.npz, gallery: wanted codes of [12, 4, 9] bits" in problems(io.read_folder, tmp_path)[0]
    (tmp_path / "half.npz").unlink()
    lists = {"query_feats": parts(SIDES["query"]), "gallery_feats": parts(SIDES["gallery"])[::-1]}
    (tmp_path / "m.pkl").write_bytes(pickle.dumps(lists))
    assert problems(io.read_folder, tmp_path) == [
        "m: wanted codes of the same lengths on all sides, found query [12, 4, 9], gallery [9, 4, 12]; "
        "write them again"
    ]


def test_lists_of_one_width_are_still_put_one_under_the_other():
    rows, codes = features("here", [np.full((2, 3), 0.5), np.full((1, 3), 0.25)])
    assert (rows.shape, codes) == ((3, 3), NONE)
    rows, codes = features("here", [bits(2, 1), bits(1, 2)])
    assert (rows.shape, codes.lengths) == ((3, 25), (25,))


def test_sizes_are_those_of_the_bits(tmp_path):
    """Packed, a code takes a thirty-second part of what it is computed with."""
    for write in (packed_file, safetensors_file):
        write(tmp_path)
        found = io.sizes(io.scan(tmp_path), ["m"])["m"]
        assert dict(found.shapes) == {side: rows.shape for side, rows in SIDES.items()}
        assert found.codes == LENGTHS
        assert found.beside >= 2 * 8 * sum(LENGTHS)
        for path in tmp_path.iterdir():
            path.unlink()


def test_bytes_of_a_pickle_are_no_floats(tmp_path):
    """It has no header that tells packed bits, or a byte a bit, from numbers: nobody guesses."""
    for side, rows in SIDES.items():
        (tmp_path / f"{side}.txt").write_text("".join(f"{side}{row}.jpg\n" for row in range(len(rows))))
    lightreid_file(tmp_path, np.uint8)
    assert io.sizes(io.scan(tmp_path), ["m"]) == {}
    lightreid_file(tmp_path, np.float32)
    assert io.sizes(io.scan(tmp_path), ["m"]) != {}
