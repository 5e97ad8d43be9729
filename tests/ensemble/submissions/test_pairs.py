"""Tables of pairs from elsewhere, and the shortlist that goes out to whoever makes them."""

import csv
import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ensemble.base.errors import InputError
from ensemble.pipeline import given as given_models
from ensemble.submissions import RankList, aligned, formats, from_matrix, pairs
from tests.support.each import each
from tests.support.folders import listed

Q, G = ["qa", "qb"], ["g,1", "g2", "g3"]
ROWS = np.array([[1, 0, -1], [-1, -1, -1]], np.int32)
FAR = np.array([[0.25, 1 / 3, np.inf], [np.inf] * 3], np.float32)


def told(ranking: RankList) -> dict[str, list[tuple[str, float]]]:
    """Images and distances of every query."""
    found: dict[str, list[tuple[str, float]]] = {name: [] for name in ranking.query_names or ()}
    for query, _, image, distance in ranking.entries():
        found[query].append((image, distance))
    return found


@each("lines", [
    ["query,gallery,score", "qa,g2,0.5", "qa,g3,0.75", "qb,g2,1e-3"],
    ["Query ID,gallery_image,Similarity", "qa,g2,0.5", "qa,g3,0.75", "qb,g2,1e-3"],
    ["image0,image1,num_matches,other", "qa,g2,0.5,1", "qa,g3,0.75,2", "qb,g2,1e-3,3"],
    ["img1,img2,inliers", "qa,g2,0.5", "qa,g3,0.75", "qb,g2,1e-3"],
    ["query,gallery,distance", "qa,g2,-0.5", "qa,g3,-0.75", "qb,g2,-1e-3"],
    ["query,gallery,rank,distance,score", "qa,g2,1,9,0.5", "qa,g3,2,10,0.75", "qb,g2,1,9,1e-3", "qb,g3,2,9,",
     "qa,g9,3,11,nan"],
])  # fmt: skip
def test_spellings(tmp_path, lines):
    ranking = formats.read(listed(tmp_path / "a.csv", lines))
    assert told(ranking) == {"qa": [("g3", -0.75), ("g2", -0.5)], "qb": [("g2", np.float32(-1e-3))]}
    assert ranking.partial


def test_a_query_that_a_table_lacks_is_not_known_to_it(tmp_path):
    path = listed(tmp_path / "a.csv", ["query,gallery,score", "qb,g2,1"])
    ranking = formats.read(path)
    found = aligned(str(path), ranking, Q, G, partial=ranking.partial)
    assert found.counts.tolist() == [0, 1]


@each(
    ("lines", "message"),
    [
        (["query,gallery,score", "qa,g2,1", "qa,g2,2"], "wanted every image once in a list, found again g2 (qa)"),
        (["query,gallery,score", "qa,g2,x"], "wanted numbers in score, found x"),
        (["query,gallery,score", "qa,g2,", "qb,g2,"], "wanted a number in score, found it empty in every row"),
        (["query,gallery,sim,inliers", "qa,g2,1,9"], "wanted one column of score, found sim, inliers; leave one"),
        (["query,gallery,score", ",g2,1"], "wanted names in query, found 1 others (an empty cell)"),
        (["query,gallery,score", "qa,g2,inf"], "found NaN or -inf for 1 query (qa)"),
    ],
)
def test_what_is_refused(tmp_path, lines, message):
    with pytest.raises(InputError) as caught:
        formats.read(listed(tmp_path / "a.csv", lines))
    assert message in "\n".join(caught.value.problems)


def test_unknown_names_are_one_error(tmp_path):
    path = listed(tmp_path / "a.csv", ["query,gallery,score", "qx,g2,1", "qa,gx,1", "qa,gy,1"])
    with pytest.raises(InputError) as caught:
        formats.read_aligned(path, Q, G, partial=True)
    assert [problem.split("found ")[1].split(";")[0] for problem in caught.value.problems] == [
        "1 unknown (qx)",
        "2 unknown (gx, gy)",
    ]


def test_archives_of_columns(tmp_path):
    np.savez(tmp_path / "a.npz", query=np.array(["qa", "qb"]), gallery=np.array(["g2", "g3"]), score=[0.5, np.nan])
    assert told(formats.read(tmp_path / "a.npz")) == {"qa": [("g2", -0.5)], "qb": []}
    places = {"query": np.array([0, 0]), "gallery": np.array([1, 2]), "score": np.array([1, 2])}
    np.savez(tmp_path / "b.npz", **places, query_name=np.array(Q), gallery_name=np.array(G))
    assert told(formats.read(tmp_path / "b.npz")) == {"qa": [("g3", -2), ("g2", -1)]}
    np.savez(tmp_path / "c.npz", **(places | {"query": [0, 9]}), query_name=np.array(Q), gallery_name=np.array(G))
    with pytest.raises(InputError, match="wanted names in query, found 1 others"):
        formats.read(tmp_path / "c.npz")


def rows_of(path: Path) -> list[dict]:
    """What a shortlist holds, row by row."""
    if path.suffix == ".csv":
        with path.open(newline="") as stream:
            return list(csv.DictReader(stream))
    if path.suffix == ".npz":
        with np.load(path) as found:
            columns = {name: found[name].tolist() for name in found.files}
    else:
        import pyarrow.parquet as parquet

        columns = parquet.read_table(path).to_pydict()
    return [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]


@each("suffix", [".csv", ".parquet", ".npz"])
def test_the_shortlist(tmp_path, suffix):
    pytest.importorskip("pyarrow")
    path = tmp_path / f"pairs{suffix}"
    pairs.write(path, from_matrix(ROWS, Q, G, FAR), k=5)
    found = rows_of(path)
    assert [list(row) for row in found] == [["query", "gallery", "rank", "distance"]] * 2
    assert [(row["query"], row["gallery"], int(row["rank"])) for row in found] == [
        ("qa", "g2", 1),
        ("qa", "g,1", 2),
    ]
    assert [np.float32(row["distance"]) for row in found] == [np.float32(0.25), np.float32(1 / 3)]
    first = path.read_bytes()
    pairs.write(path, from_matrix(ROWS, Q, G, FAR), k=5)
    assert path.read_bytes() == first
    pairs.write(path, from_matrix(ROWS, Q, G, FAR), k=1)
    assert [row["gallery"] for row in rows_of(path)] == ["g2"]


def test_other_suffixes_are_refused(tmp_path):
    with pytest.raises(InputError, match=r"wanted a name that ends in \.csv, \.parquet, \.npz, found \.txt"):
        pairs.write(tmp_path / "a.txt", from_matrix(ROWS, Q, G, FAR), k=1)
    assert not list(tmp_path.iterdir())


@given(st.integers(0, 100), st.integers(1, 4))
def test_a_shortlist_with_scores_comes_back(tmp_path_factory, seed, k):
    rng = np.random.default_rng(seed)
    rows = np.stack([rng.permutation(3) for _ in Q]).astype(np.int32)
    path = tmp_path_factory.mktemp("pairs") / "a.csv"
    pairs.write(path, from_matrix(rows, Q, G, np.sort(rng.random(rows.shape, np.float32))), k=k)
    written = rows_of(path)
    scores = rng.permutation(len(written)) / 8
    with path.open("w", newline="") as stream:
        out = csv.writer(stream)
        out.writerow([*written[0], "score"])
        out.writerows([*row.values(), score] for row, score in zip(written, scores, strict=True))
    wanted = {
        name: sorted(
            ((row["gallery"], -s) for row, s in zip(written, scores, strict=True) if row["query"] == name),
            key=lambda pair: pair[1],
        )
        for name in Q
    }
    assert json.dumps(told(formats.read(path))) == json.dumps(wanted)


def test_equal_scores_stay_what_they_are_where_a_table_is_a_model(tmp_path):
    """A model's rows have no order: inliers of 0 that tie are 0, wherever they stand. A list keeps its order."""
    path = tmp_path / "light.csv"
    listed(path, ["query,gallery,inliers", "a,z,0", "a,y,0", "a,x,9", "b,y,0", "b,x,0"])
    images = {"query": ["a", "b"], "gallery": ["x", "y", "z"]}
    found = formats.read_aligned(path, *images.values())
    assert found.rows.tolist() == [0, 2, 1, 1, 0]
    folder = SimpleNamespace(models={"light": [path]}, one_set=False)
    spread = given_models._spread(folder, "light", formats.read(path), images, [])
    assert np.array_equal(spread, [[-9, 0, 0], [0, 0, np.nan]], equal_nan=True)
