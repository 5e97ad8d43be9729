"""Matrices of distances: the forms in which people have them, and what is none."""

import gzip
import pickle
from collections import OrderedDict
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.io import savemat

from ensemble.base.errors import InputError
from ensemble.io import matrices
from ensemble.io.matrices import Matrix, is_matrix, own_lists, read
from ensemble.io.matrix_names import Order, named, placed
from tests.support.each import each
from tests.support.folders import listed, pickled, problems

D = np.arange(6, dtype=np.float32).reshape(2, 3)
Q, G = ["q1", "q2"], ["g1", "g2", "g3"]


def saved(path: Path, content: object) -> Path:
    """A file in the format that its name says."""
    if path.suffix == ".npy":
        np.save(path, content)
    elif path.suffix == ".npz":
        np.savez(path, **content)
    elif path.suffix == ".mat":
        savemat(path, content)
    elif path.suffix == ".gz":
        path.write_bytes(gzip.compress(pickle.dumps(content)))
    else:
        pickled(path, content)
    return path


NAMES = {"query_name": np.array(Q), "gallery_name": np.array(G)}


@each(
    ("name", "content", "known"),
    [
        ("a.pkl", D, False),
        ("a.pkl", D.astype(np.float64), False),
        ("a.pkl", [D[0], D[1]], False),
        ("a.pkl", (D, Q, G), True),
        ("a.pkl", [Q, G, D], True),
        ("a.pkl", {"distmat": D, "query_names": Q, "gallery_names": G}, True),
        ("a.pkl", OrderedDict(dist=D, queries=np.array(Q), gallery=np.array(G)), True),
        ("a.pkl.gz", D, False),
        ("a.npy", D, False),
        ("a.npy", np.asfortranarray(D), False),
        ("a.npy", D.astype(np.float16), False),
        ("a.npz", {"distances": D, **NAMES}, True),
        ("a.npz", {"arr_0": D}, False),
        ("a.npz", {"Dist_Mat": D, "q_paths": np.array(Q), "g_paths": np.array(G)}, True),
        ("a.npz", {"q_g_dist": D, "q_q_dist": np.eye(2), "g_g_dist": np.eye(3), **NAMES}, True),
        ("a.npz", {"rerank_dist": D, "q_pids": np.array([7, 8])}, False),
        ("a.mat", {"dist": D.astype(np.float64)}, False),
    ],
)
def test_forms(tmp_path, name, content, known):
    path = saved(tmp_path / name, content)
    assert is_matrix(path)
    found = read(path, {})
    assert found.values.dtype == np.float32
    assert found.values.tolist() == D.tolist()
    assert found.names == ({"query": Q, "gallery": G} if known else {})
    assert not found.similar


def test_an_npy_file_is_mapped_and_not_read(tmp_path):
    found = read(saved(tmp_path / "a.npy", D), {})
    assert isinstance(found.values, np.memmap)
    same = placed(named(found, {"query": Order("q", Q), "gallery": Order("g", G)})[0],
                  {"query": Q, "gallery": G}, missing="refuse", notes=[])  # fmt: skip
    assert np.shares_memory(same, found.values)


def test_similarities_by_their_own_word_and_labels_beside(tmp_path):
    path = tmp_path / "a.npz"
    np.savez(path, similarity=D, q_pids=np.array(["Dan", "7"]), g_camids=np.array([1, 2, 3]))
    found = read(path, {})
    assert found.similar
    assert found.columns["query"]["pid"].tolist() == ["Dan", "7"]
    assert matrices.labels_in(path) == {"query_pid", "gallery_cam"}
    pickled(tmp_path / "b.pkl", {"distmat": D, "q_pids": [7, 8], "g_pids": [7, 8, 9]})
    assert matrices.labels_in(tmp_path / "b.pkl") == {"query_pid", "gallery_pid"}


def test_files_that_hold_no_matrix(tmp_path):
    np.save(tmp_path / "rows.npy", np.array([[1, 0]]))  # a ranking by rows
    np.savez(tmp_path / "ranking.npz", ranking=np.array([[1, 0]]), distances=np.array([[0.5, 1]]))
    np.savez(tmp_path / "pairs.npz", query=np.array(Q), gallery=np.array(G[:2]), score=np.array([0.5, 1]))
    listed(tmp_path / "a.txt", ["1 2", "2 1"])
    listed(tmp_path / "a.csv", ["query,gallery,score"])
    (tmp_path / "cut.npy").write_bytes(b"\x93NUMPY\x01")
    (tmp_path / "cut.npz").write_bytes(b"PK\x03\x04")
    assert [path.name for path in sorted(tmp_path.iterdir()) if is_matrix(path)] == []


@each(
    ("name", "content", "message"),
    [
        ("a.pkl", D[0], "wanted a matrix of distances, (queries, images) numbers, found 3 float32"),
        ("a.pkl", {"distances": D, "similarity": D}, "wanted one matrix of distances, called distances or simil"),
        (
            "a.pkl",
            {"q_q_dist": np.eye(2)},
            "wanted one matrix of distances, called distances or similarities, found",
        ),
        (
            "a.pkl",
            (D, D),
            "wanted a matrix, query names and gallery names, found a tuple of 2x3 float32, 2x3 float32",
        ),
        ("a.pkl", (D, G, Q), "wanted 2 query names for a.pkl of 2 x 3, found 3"),
        ("a.npz", {"distances": D, "query_name": np.array(G)}, "wanted 2 query names for a.npz of 2 x 3, found 3"),
        ("a.npz", {"distances": D, "g_pids": np.arange(2)}, "wanted 3 values of gallery_pid, found 2"),
        ("a.npz", {"distances": D, "g_pids": np.array([0.5, 1, 2])}, "wanted labels in gallery_pid"),
        ("a.pkl", {"distances": D, "f": print}, "found and refused builtins.print"),
        ("a.pkl", np.zeros((0, 3), np.float32), "wanted a matrix of distances"),
    ],
)
def test_files_that_are_refused(tmp_path, name, content, message):
    path = saved(tmp_path / name, content)
    assert message in "\n".join(problems(read, path, {}))


def test_lists_of_names_beside(tmp_path):
    a, b = saved(tmp_path / "a.npy", D), saved(tmp_path / "b.v2.npy", D)
    files = [
        listed(tmp_path / "a_query.txt", Q),
        listed(tmp_path / "a_gallery_names.txt", G),
        saved(tmp_path / "b.v2-names.pkl", Q),
        listed(tmp_path / "c_query.txt", Q),  # of no matrix
    ]
    found = own_lists([a, b, *files])
    assert found == {a: {"query": files[0], "gallery": files[1]}, b: {"query": files[2], "gallery": files[2]}}
    assert read(a, found[a]).names == {"query": Q, "gallery": G}
    assert "wanted 3 gallery names for b.v2.npy of 2 x 3, found 2" in problems(read, b, found[b])[0]


def matrix(values: np.ndarray, query: list[str], gallery: list[str]) -> Matrix:
    return Matrix("a.npz", np.asarray(values, np.float32), {"query": query, "gallery": gallery})


@given(st.permutations(range(4)), st.permutations(range(5)))
def test_rows_and_columns_in_any_order(rows, columns):
    values = np.arange(20, dtype=np.float32).reshape(4, 5)
    query, gallery = [f"q{i}" for i in range(4)], [f"g{i}" for i in range(5)]
    mixed = matrix(values[np.ix_(rows, columns)], [query[i] for i in rows], [gallery[j] for j in columns])
    assert np.array_equal(placed(mixed, {"query": query, "gallery": gallery}, missing="refuse", notes=[]), values)


def test_the_block_of_a_square_of_all_images():
    everybody = ["g2", "q1", "g1", "q2", "g3"]
    values = np.arange(25).reshape(5, 5)
    found = placed(matrix(values, everybody, everybody), {"query": Q, "gallery": G}, missing="refuse", notes=[])
    # q1 is row 1, q2 row 3; g1, g2, g3 columns 2, 0, 4
    assert found.tolist() == [[7, 5, 9], [17, 15, 19]]


def test_names_that_differ_in_spelling_alone():
    notes: list[str] = []
    images = {"query": Q, "gallery": G}
    found = placed(matrix(D, ["d/q1.jpg", "d/q2.jpg"], G), images, missing="refuse", notes=notes)
    assert found.tolist() == D.tolist()
    assert "its query names differ from those wanted by suffix and folder" in notes[0]


def test_images_that_a_matrix_lacks():
    images = {"query": ["q1", "q3", "q2"], "gallery": [*G, "g4"]}
    found = placed(matrix(D, Q, G), images, missing="keep", notes=[])
    assert np.isnan(found[1]).all()
    assert np.isnan(found[:, 3]).all()
    assert found[0, :3].tolist() == D[0].tolist()
    with pytest.raises(InputError) as caught:
        placed(matrix(D, Q, ["g1", "x", "y"]), images, missing="refuse", notes=[])
    said = "\n".join(caught.value.problems)
    assert "wanted the query images, found 1 missing (q3)" in said
    assert "wanted the gallery images, found 3 missing (g2, g3, g4)" in said
    assert "wanted only images that are there, found 2 more among its gallery names (x, y)" in said
    dropped = placed(matrix(D, Q, G), {"query": Q, "gallery": ["g1", "g3"]}, missing="drop", notes=[])
    assert dropped.tolist() == [[0, 2], [3, 5]]
    with pytest.raises(InputError, match="wanted every query name once, found again q1"):
        placed(matrix(D, ["q1", "q1"], G), {"query": ["q1"], "gallery": G}, missing="refuse", notes=[])


@each(
    ("shape", "remedy"),
    [
        ((3, 2), "it stands the other way round: write it transposed"),
        ((5, 5), "queries and gallery in one matrix need names that say which is which"),
        ((2, 4), "give the lists that were written with it"),
    ],
)
def test_lists_of_another_size(shape, remedy):
    orders = {"query": Order("query.csv", Q), "gallery": Order("gallery.csv", G)}
    with pytest.raises(InputError) as caught:
        named(Matrix("a.npy", np.zeros(shape, np.float32)), orders)
    said = caught.value.problems[0]
    assert said.startswith(
        f"a.npy: wanted 2 x 3, as the lists of names say, found {shape[0]} x {shape[1]}; {remedy}"
    )


@each("name", ["a.pkl", "a.npy", "a.mat"])
def test_an_order_of_images_is_no_distances(tmp_path, name):
    """As argsort makes it, in numbers with a fraction or in a format that holds matrices alone."""
    order = np.argsort(np.random.default_rng(0).random((4, 6)), axis=1)
    for first in (0, 1):
        content = (order + first).astype(np.int64 if name == "a.pkl" else np.float64)
        path = saved(tmp_path / name, {"dist": content} if name == "a.mat" else content)
        (said,) = problems(read, path, {})
        assert "wanted distances, found every number up to 6 once a row, which may be a rank list" in said
    content = np.where(order == order[0, 0], 6.5, order)
    assert read(saved(tmp_path / "b.npy", content), {}).values.shape == (4, 6)
