"""Binary codes in files: every way to write them down gives the same set, also when it is written again."""

import pickle

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from ensemble import io
from ensemble.base.errors import InputError
from ensemble.io.codes import features, packed
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


@each(
    ("write", "dtype"),
    [
        (packed_file, np.uint8),
        (plain_file, np.float16),
        (plain_file, np.int64),
        (lightreid_file, np.float32),
        (lightreid_file, bool),
        (pairs_of_files, np.uint8),
    ],
)
def test_every_form_is_the_same_set(write, dtype, tmp_path):
    write(tmp_path, dtype)
    (found,) = io.read_folder(tmp_path)
    assert (found.model, found.codes) == ("m", LENGTHS)
    for side, rows in SIDES.items():
        assert getattr(found, side).dtype == np.float32
        assert_array_equal(getattr(found, side), rows)
    again = tmp_path / "again"
    io.write_npz(again / "m.npz", found)
    with np.load(again / "m.npz") as file:
        assert file["query"].shape == (3, 2 + 1 + 2)  # whole bytes for each code
        assert file["code_lengths"].tolist() == list(LENGTHS)
    (back,) = io.read_folder(again)
    assert back.codes == LENGTHS
    assert_array_equal(back.gallery, found.gallery)


@each("values", [(0, 1), (-1, 1)])
def test_one_code_is_known_by_its_values(values):
    rows = np.array(values, np.float32)[bits(6, 3)[:, :12]]
    assert features("here", rows)[1] == (12,)
    assert features("here", rows.astype(np.int8))[1] == (12,)
    assert_array_equal(features("here", rows)[0], rows)
    rows[3, 3] = 0.5
    assert features("here", rows)[1] == ()
    assert features("here", np.ones((2, 3), np.float32))[1] == ()  # all the same is no code


def test_a_code_of_zeros_is_no_fault(tmp_path):
    code = bits(4, 3)[:, :4].astype(np.float32)
    code[2] = 0
    np.savez(tmp_path / "m.npz", query=code, gallery=code)
    assert io.read_folder(tmp_path)[0].codes == (4,)
    np.savez(tmp_path / "m.npz", query=code * 0.3, gallery=code * 0.3)
    assert "found only zeros in 1 images" in problems(io.read_folder, tmp_path)[0]


def test_codes_of_one_side_alone_are_numbers(tmp_path):
    np.savez(tmp_path / "m.npz", query=bits(4, 3)[:, :4] * 1.0, gallery=bits(4, 4)[:, :4] * 0.7 + 0.1)
    assert io.read_folder(tmp_path)[0].codes == ()


def test_what_does_not_fit_is_refused(tmp_path):
    with pytest.raises(InputError, match="bits with code_lengths beside them, found 2x3 uint8; add code_lengths"):
        features("here", np.full((2, 3), 200, np.uint8))
    with pytest.raises(InputError, match=r"codes of \[16, 8\] bits, 24 numbers or 3 bytes"):
        features("here", np.full((2, 4), 200, np.uint8), np.array([16, 8]))
    with pytest.raises(InputError, match="wanted code_lengths as bits of each code"):
        features("here", np.full((2, 4), 200, np.uint8), np.array([0, 32]))
    lists = {"query_feats": parts(SIDES["query"]), "gallery_feats": parts(SIDES["gallery"])[::-1]}
    (tmp_path / "m.pkl").write_bytes(pickle.dumps(lists))
    assert problems(io.read_folder, tmp_path) == [
        "m: wanted codes of the same lengths on all sides, found query [12, 4, 9], gallery [9, 4, 12]; "
        "write them again"
    ]


def test_lists_of_one_width_are_still_put_one_under_the_other():
    rows, codes = features("here", [np.full((2, 3), 0.5), np.full((1, 3), 0.25)])
    assert (rows.shape, codes) == ((3, 3), ())
