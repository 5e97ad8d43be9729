"""Rank lists as candidates and back, the six files of SYSU-MM01, and the command that checks submissions."""

import io
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import scipy.io
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from ensemble import run, submissions
from ensemble.base.errors import InputError
from ensemble.base.features import FeatureSet
from ensemble.city import city
from ensemble.submissions import RankList, candidates, dense, from_matrix, read_rankings, sysu
from ensemble.validate import main
from tests.support.each import each
from tests.support.folders import listed, problems

QUERIES = ["q1", "q2"]
GALLERY = ["000001.jpg", "000002.jpg", "000003.jpg", "000004.jpg"]
NAN = np.nan


def ranked(*lines: list[int], distances: list[list[float]] | None = None) -> RankList:
    """Lists of any length, filled up with -1."""
    width = max(map(len, lines))
    rows = np.array([line + [-1] * (width - len(line)) for line in lines], np.int64)
    return from_matrix(rows, QUERIES, GALLERY, None if distances is None else np.array(distances, np.float32))


# Candidates


def test_candidates_by_hand() -> None:
    first = ranked([2, 0], [3])
    second = ranked([0, 1, 2], [])
    rows, values = candidates([first, second])
    assert_array_equal(rows, [[0, 1, 2], [3, -1, -1]])
    assert rows.dtype == np.int32
    assert_array_equal(values[0], [[1, NAN, 0], [0, NAN, NAN]])
    assert_array_equal(values[1], [[0, 1, 2], [NAN, NAN, NAN]])
    assert values[0].dtype == np.float32


def test_distances_stand_where_all_lists_have_them() -> None:
    first = ranked([2, 0], [1, 0], distances=[[0.5, 2], [0, np.inf]])
    second = ranked([0, 1], [0, 2], distances=[[7, 8], [9, 10]])
    rows, values = candidates([first, second])
    assert_array_equal(rows, [[0, 1, 2], [0, 1, 2]])
    assert_array_equal(values[0], [[2, NAN, 0.5], [np.inf, 0, NAN]])
    assert_array_equal(values[1], [[7, 8, NAN], [9, NAN, 10]])
    assert_array_equal(candidates([first, second], places=True)[1][0], [[1, NAN, 0], [1, 0, NAN]])
    without = ranked([0, 1], [0, 2])
    assert_array_equal(candidates([first, without])[1][0], [[1, NAN, 0], [1, 0, NAN]])
    with pytest.raises(ValueError, match="wanted distances in every list, got none in list 1"):
        candidates([first, without], places=False)


def test_candidates_of_other_images_are_refused() -> None:
    other = from_matrix(np.array([[0]]), ["q1"], GALLERY)
    with pytest.raises(ValueError, match="wanted the same queries and gallery, got others in list 1"):
        candidates([ranked([0], [1]), other])
    with pytest.raises(ValueError, match="wanted at least one"):
        candidates([])


@given(data=st.data(), count=st.integers(1, 3))
def test_candidates_hold_exactly_what_the_lists_say(data: st.DataObject, count: int) -> None:
    lines = st.integers(0, 4).flatmap(lambda k: st.permutations(range(4)).map(lambda rows: list(rows[:k])))
    lists = [ranked(data.draw(lines), data.draw(lines)) for _ in range(count)]
    rows, values = candidates(lists)
    for ranking, value in zip(lists, values, strict=True):
        for query, line in enumerate(ranking.lines()):
            known = np.flatnonzero(~np.isnan(value[query]))
            order = known[np.argsort(value[query][known])]
            assert_array_equal(rows[query][order], line)
    for query in range(2):
        named = {row for ranking in lists for row in list(ranking.lines())[query].tolist()}
        assert [row for row in rows[query].tolist() if row >= 0] == sorted(named)


# Back


def test_dense_by_hand() -> None:
    fused = np.array([[0.5, 0.25, NAN], [2, np.inf, 1]], np.float32)
    rows = np.array([[0, 2, -1], [3, 0, 1]])
    # query 1: 0.5 + (0.5 - 0.25); query 2: 2 + (2 - 1), and +inf stays
    assert_array_equal(dense(fused, rows, 4), [[0.5, 0.75, 0.25, 0.75], [np.inf, 1, 3, 2]])


def test_dense_without_spread_or_candidates() -> None:
    fused = np.array([[5.0, 5.0], [0, 0], [np.inf, 0]])
    rows = np.array([[0, 1], [-1, -1], [1, -1]])
    assert_array_equal(dense(fused, rows, 3), [[5, 5, 6], [1, 1, 1], [1, np.inf, 1]])


@given(st.lists(st.floats(-(2.0**100), 2.0**100, width=32), min_size=1, max_size=5))
def test_unlisted_images_stand_behind(values: list[float]) -> None:
    out = dense(np.array([values]), np.arange(len(values))[None], len(values) + 1)
    assert np.isfinite(out).all()
    assert (out[0, :-1] < out[0, -1]).all()


@each(
    ("fused", "message"),
    [
        ([[NAN, 1.0]], "NaN or -inf first in row 0"),
        ([[-np.inf, 1.0]], "NaN or -inf first in row 0"),
        ([[3.4e38, -3.4e38]], "wanted numbers with room behind them"),
        ([[1.0]], r"wanted one number a candidate, shape \(1, 2\), got shape \(1, 1\)"),
    ],
)
def test_dense_refuses(fused: list[list[float]], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        dense(np.array(fused), np.array([[0, 1]]), 3)


# Folders


def test_a_folder_of_many_formats(tmp_path: Path) -> None:
    (tmp_path / "track.txt").write_text("3 1\n2\n")
    (tmp_path / "net.csv").write_text("query,rank,gallery\nq2,1,000002.jpg\nq1,1,000003.jpg\nq1,2,000001.jpg\n")
    (tmp_path / "mhn.txt").write_text("[('q1', OrderedDict({'000001.jpg': 0.5, '000003.jpg': 1})), ('q2', {})]")
    (tmp_path / ".hidden").write_text("?")
    (tmp_path / "folder").mkdir()
    lists = read_rankings(tmp_path, query_names=QUERIES, gallery_names=GALLERY, similarity=["mhn"])
    assert list(lists) == ["mhn", "net", "track"]
    for ranking in lists.values():
        assert next(ranking.lines()).tolist() == [2, 0]
    rows, values = candidates(list(lists.values()))
    assert_array_equal(rows, [[0, 2], [1, -1]])
    assert_array_equal(values[0], [[1, 0], [NAN, NAN]])


def test_all_problems_of_a_folder_at_once(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("3 9\n2\n")
    (tmp_path / "a.csv").write_text("query,gallery\nq2,000002.jpg\nq3,000002.jpg\n")
    (tmp_path / "b.txt").write_text("3\n")
    (tmp_path / "c.md").write_text("hello\n")
    found = "\n".join(
        problems(read_rankings, tmp_path, query_names=QUERIES, gallery_names=GALLERY, similarity=["bb"])
    )
    for part in (
        "similarity: wanted a list of",
        "a.txt: wanted one file a name",
        "a.txt: wanted images of the gallery (such as 1 to 4), found 1 unknown (9)",
        "a.csv: wanted queries of the list (such as q1 and 1 more), found 1 unknown (q3)",
        "a.csv: wanted a list for each of 2 queries, found none for 1 (q1)",
        "b.txt: wanted one line a query, found 1 lines for 2 queries",
        "c.md: wanted a file of track2, ",
    ):
        assert part in found
    (tmp_path / "none").mkdir()
    with pytest.raises(InputError, match="wanted files of rank lists, found none"):
        read_rankings(tmp_path / "none", query_names=QUERIES, gallery_names=GALLERY)
    with pytest.raises(InputError, match="wanted a folder of rank lists, found none"):
        read_rankings(tmp_path / "absent", query_names=QUERIES, gallery_names=GALLERY)


def test_images_without_names_count_from_one(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("3 1\n2 4\n")
    lists = read_rankings(tmp_path, query_names=["0", "1"], gallery_names=["0", "1", "2", "3"])
    assert [rows.tolist() for rows in lists["a"].lines()] == [[2, 0], [1, 3]]


def test_nine_real_submissions(shared: Path, tmp_path: Path) -> None:
    file = np.load(shared / "aicity2021_track2.npz")
    queries = [f"{i:06d}.jpg" for i in range(1, len(file["query_cam"]) + 1)]
    gallery = [f"{i:06d}.jpg" for i in range(1, len(file["gallery_cam"]) + 1)]
    for number, submitted in enumerate(file["submissions"]):
        ranking = from_matrix(submitted.astype(np.int64) - 1, queries, gallery)
        submissions.write(tmp_path / f"team{number}.txt", ranking, "track2")
    lists = read_rankings(tmp_path, query_names=queries, gallery_names=gallery)
    rows, values = candidates(list(lists.values()))
    assert rows.shape[0] == 1103
    assert 100 <= rows.shape[1] <= 900
    for submitted, value in zip(file["submissions"], values, strict=True):
        query, column = np.nonzero(~np.isnan(value))
        back = np.zeros((1103, 100), int)
        back[query, value[query, column].astype(int)] = rows[query, column] + 1
        assert_array_equal(back, submitted)
    votes = -np.sum([np.isfinite(value) for value in values], axis=0)
    votes, rows = votes[:100], rows[:100]
    whole = dense(votes, rows, len(gallery))
    assert whole.shape == (100, 31238)
    assert np.isfinite(whole).all()
    names = np.zeros(whole.shape, bool)
    names[np.nonzero(rows >= 0)[0], rows[rows >= 0]] = True
    assert (np.max(whole, axis=1, where=names, initial=-9) < np.min(whole, axis=1, where=~names, initial=99)).all()


# SYSU-MM01


def world(cameras: list[int], people: list[int], names: list[str] | None = None) -> FeatureSet:
    """Row ``i`` is ``i`` and its square; infrared cameras ask, the others answer."""
    table = pd.DataFrame({"cam": cameras, "pid": people})
    table["name"] = names or [
        f"cam{c}/{p:04d}/{i:04d}.jpg" for i, (c, p) in enumerate(zip(cameras, people, strict=True))
    ]
    values = np.array([[i + 1, (i + 1) ** 2] for i in range(len(table))], np.float32)
    asks = table["cam"].isin([3, 6]).to_numpy()
    sides = [table[side].reset_index(drop=True) for side in (asks, ~asks)]
    return FeatureSet("net", values[asks], values[~asks], *sides)


def test_sysu_by_hand(tmp_path: Path) -> None:
    features = world([3, 1, 1, 6, 1, 2], [2, 2, 1, 2, 2, 1], [f"{i}.jpg" for i in (6, 5, 4, 3, 2, 1)])
    paths = sysu.write(tmp_path, features, identities=[2] * 6)
    assert [path.name for path in paths] == [f"net_cam{camera}.mat" for camera in range(1, 7)]
    cells = {camera: scipy.io.loadmat(path)["feature"] for camera, path in enumerate(paths, 1)}
    assert all(cell.shape == (2, 1) for cell in cells.values())
    assert_array_equal(cells[1][0, 0], [[3, 9]])
    assert_array_equal(cells[1][1, 0], [[5, 25], [2, 4]])  # 2.jpg before 5.jpg
    assert cells[1][0, 0].dtype == np.float64
    assert_array_equal(cells[3][1, 0], [[1, 1]])
    assert cells[3][0, 0].size == cells[4][0, 0].size == 0
    first = [path.read_bytes() for path in paths]
    sysu.write(tmp_path, features, identities=[2] * 6)
    assert [path.read_bytes() for path in paths] == first
    read = sysu.read(paths[3])
    for camera in range(1, 7):
        for mine, theirs in zip(read[camera], cells[camera][:, 0], strict=True):
            assert_array_equal(mine, theirs)
    assert sysu.faults(tmp_path, identities=[2] * 6) == []
    assert submissions.guess(paths[0]) == "sysu"


def test_sysu_of_the_evaluation(shared: Path, tmp_path: Path) -> None:
    file = np.load(shared / "golden" / "evaluation_sysu_mm01.npz")
    table = pd.DataFrame({"cam": file["cam"], "pid": file["pid"]})
    table["name"] = [f"cam{c}/{p:04d}/{i:04d}.jpg" for i, (c, p) in enumerate(table.to_numpy())]
    asks = table["cam"].isin([3, 6]).to_numpy()
    sides = [table[side].reset_index(drop=True) for side in (asks, ~asks)]
    features = FeatureSet("net", file["feat"][asks], file["feat"][~asks], *sides)
    sysu.write(tmp_path, features, name="feature")
    lists = [listed(tmp_path / f"{name}.txt", side["name"]) for name, side in zip("qg", sides, strict=True)]
    assert (
        main(
            [str(tmp_path / "feature_cam1.mat"), "--query-names", str(lists[0]), "--gallery-names", str(lists[1])]
        )
        == 0
    )
    together = [matrix for matrices in sysu.read(tmp_path).values() for matrix in matrices if len(matrix)]
    assert_array_equal(
        np.concatenate(together), file["feat"].astype(np.float64)
    )  # rows by camera, identity, image


def test_sysu_faults(tmp_path: Path) -> None:
    sysu.write(tmp_path, world([3, 1, 1], [2, 1, 1]), identities=[2] * 6)
    assert (
        "wanted every identity of camera 3 in camera 1, found 1 without (2)"
        in sysu.faults(tmp_path, identities=None)[0]
    )
    counts = sysu.faults(tmp_path)
    assert "wanted 333 identities, found 2 in camera 1" in counts[0]
    (lists,) = [
        fault
        for fault in sysu.faults(tmp_path, ["cam3/0002/1.jpg"], ["cam1/0001/1.jpg"], identities=None)
        if "row" in fault
    ]
    assert "found cam1/0001: 2 for 1" in lists
    (tmp_path / "net_cam2.mat").unlink()
    (tmp_path / "net_cam4.mat").write_bytes(b"MATLAB 5.0 rubbish")
    wrong = np.empty((2, 1), object)
    wrong[:, 0] = [np.array([[NAN, 1.0]]), np.zeros((1, 5))]
    scipy.io.savemat(tmp_path / "net_cam5.mat", {"feature": wrong})
    scipy.io.savemat(tmp_path / "net_cam6.mat", {"features": wrong})
    found = "\n".join(sysu.faults(tmp_path, identities=None))
    assert "found no net_cam2.mat" in found
    assert "net_cam4.mat: wanted a MATLAB 5 file" in found
    assert "net_cam5.mat: wanted finite numbers, found others for identity 1" in found
    assert "net_cam6.mat: wanted the cell array feature, found none" in found
    assert "wanted features of one width, found widths 2, 5" in found


@settings(max_examples=40)
@given(place=st.integers(128, 500), byte=st.integers(0, 255), cut=st.integers(0, 700))
def test_damaged_cells_are_no_traceback(
    tmp_path_factory: pytest.TempPathFactory, place: int, byte: int, cut: int
) -> None:
    folder = tmp_path_factory.getbasetemp() / "sysu"
    folder.mkdir(exist_ok=True)
    paths = sysu.write(folder, world([3, 1, 2], [1, 1, 2]), identities=[2] * 6)
    good = bytearray(paths[0].read_bytes())
    good[min(place, len(good) - 1)] = byte
    for data in (bytes(good), bytes(good[:cut])):
        paths[0].write_bytes(data)
        sysu.faults(folder, identities=None)


def test_sysu_refuses_to_write(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"wanted cameras 1 to 6, found cam7/0001/0001\.jpg: 7") as raised:
        sysu.write(tmp_path, world([3, 7, 1], [1, 1, 400]))
    assert "wanted identities 1 to 333, 333, 533, 533, 533, 333 in cameras 1 to 6" in raised.value.problems[1]
    bare = FeatureSet("net", *[np.ones((1, 2), np.float32)] * 2, *[pd.DataFrame({"name": [n]}) for n in "qg"])
    with pytest.raises(InputError, match="wanted pid and cam of every image, found no query_pid"):
        sysu.write(tmp_path, bare)
    assert not list(tmp_path.iterdir())


# The command


@each("name", [name for name, used in submissions.all_formats().items() if used.write])
def test_the_command_knows_every_format(tmp_path: Path, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    made = city()
    query, gallery = made.features["densenet"]
    query = query[:20]
    values = np.sort(1 - query @ gallery.T, axis=1)[:, :200]
    rows = np.argsort(1 - query @ gallery.T, axis=1, kind="stable")[:, :200]
    names = made.query["name"].tolist()[:20], made.gallery["name"].tolist()
    path = tmp_path / submissions.named(name).file
    count = submissions.named(name).top_k or 200
    submissions.write(path, from_matrix(rows, *names, values), name, top_k=count)
    lists = [
        str(listed(tmp_path / f"{side}.lst", side_names)) for side, side_names in zip("qg", names, strict=True)
    ]
    options = ["--query-names", lists[0], "--gallery-names", lists[1]]
    assert main([str(path), *options]) == 0
    unit = "lines" if name in ("track2", "visda") else "lists"
    assert capsys.readouterr().out.startswith(f"ok: {len(names[0])} {unit} x {count} ")
    assert main([str(path), *options, "--format", name, "--top-k", "7"]) == 1
    assert "not ok: 1 kind of fault" in capsys.readouterr().out


def test_the_command_asks_for_what_is_missing(tmp_path: Path) -> None:
    path = tmp_path / "result.json"
    path.write_text('{"q": ["a"]}')
    assert len(problems(main, [str(path)])) == 2  # both lists
    other = listed(tmp_path / "answer.doc", ["what is this"])
    (unknown,) = problems(main, [str(other), "--query-names", str(other), "--gallery-names", str(other)])
    assert "wanted a file of track2, visda, naic, " in unknown
    assert "--format: wanted one of track2, " in problems(main, [str(path), "--format", "xml"])[0]


def test_the_command_reports_direction_and_names(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "r.csv"
    path.write_text("query,rank,gallery,distance\nq1,1,a,3\nq1,2,x,1\n")
    lists = [str(listed(tmp_path / "q", ["q1", "q2"])), str(listed(tmp_path / "g", ["a", "b"]))]
    options = [str(path), "--query-names", lists[0], "--gallery-names", lists[1]]
    assert main(options) == 1
    out = capsys.readouterr().out
    assert "not ok: 3 kinds of fault" in out
    assert "sort them, or say that they are similarities" in out
    assert "found none for 1 (q2)" in out
    assert "found 1 unknown (x)" in out
    assert main([*options, "--similarity"]) == 1
    assert "not ok: 2 kinds" in capsys.readouterr().out


def test_queries_in_another_order_are_a_doubt(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "result.json"
    path.write_text('{"q2": ["a"], "q1": ["b"]}')
    lists = [str(listed(tmp_path / "q", ["q1", "q2"])), str(listed(tmp_path / "g", ["a", "b"]))]
    assert main([str(path), "--query-names", lists[0], "--gallery-names", lists[1], "--top-k", "1"]) == 0
    warning, ok = capsys.readouterr().out.splitlines()
    assert "wanted the queries in the order of their list" in warning
    assert ok == "ok: 2 lists x 1 images, none twice in a list, 2 of 2 gallery images"


@each("name", submissions.writable())
def test_a_run_hands_in_any_format(tmp_path: Path, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    rng = np.random.default_rng(0)
    images = {"query": [f"cam{c}/000{p}/{c}{p}.jpg" for c in (3, 6) for p in (1, 2)]}
    images["gallery"] = [f"cam{c}/000{p}/{c}{p}.jpg" for c in (1, 2, 4) for p in (1, 2)]
    entries: dict[str, np.ndarray] = {}
    for side, names in images.items():
        entries[side] = rng.normal(size=(len(names), 8)).astype(np.float32)
        entries[f"{side}_name"] = np.array(names)
        entries[f"{side}_cam"] = np.array([int(name[3]) for name in names])
        entries[f"{side}_pid"] = np.array([int(name[8]) for name in names])
    np.savez(tmp_path / "net.npz", **entries)  # type: ignore[arg-type]
    out = tmp_path / "out"
    asked = ["--recipe", "baseline", "--out", str(out), "--set", f"submission={name}"]
    assert run.main(["--features", str(tmp_path), *asked]) == 0
    path = out / ("net_cam1.mat" if name == "sysu" else submissions.named(name).file)
    assert str(path) in capsys.readouterr().out
    lists = [str(listed(tmp_path / f"{side}.lst", names)) for side, names in images.items()]
    assert main([str(path), "--query-names", lists[0], "--gallery-names", lists[1]]) == 0
    assert capsys.readouterr().out.startswith("ok: ")


def test_names_that_a_format_cannot_hold_get_a_table(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    names = np.array(["a b", "c"])
    np.savez(tmp_path / "n.npz", query=np.eye(2), gallery=np.eye(2), query_name=names, gallery_name=names)
    asked = ["--recipe", "baseline", "--out", str(tmp_path / "out"), "--set", "submission=trec"]
    assert run.main(["--features", str(tmp_path), *asked]) == 1
    printed = capsys.readouterr().out
    assert "no ranking.trec: query names: wanted no white space" in printed
    path = tmp_path / "out" / "ranking.csv"
    assert path.exists()
    assert printed.splitlines()[-1] == (
        f"submission: wanted trec, which these images do not fit, found {path} in its place; "
        "mend what is said above, or --set submission=csv"
    )
    own = tmp_path / "own.toml"  # the recipe asks too; what it leaves behind asks again
    own.write_text('submission = "sysu"\n[[branch]]\nsteps = [{ use = "distances" }]\n')
    again = tmp_path / "again"
    for recipe in (own, again / "recipe.toml"):
        assert run.main(["--features", str(tmp_path), "--recipe", str(recipe), "--out", str(again)]) == 1
        assert capsys.readouterr().out.splitlines()[-1].startswith("submission: wanted sysu, ")


def test_matlab_files_of_scipy_hold_no_date(tmp_path: Path) -> None:
    (path, *_) = sysu.write(tmp_path, world([3, 1], [1, 1]), identities=[1] * 6)
    assert b"Created on" not in path.read_bytes()
    assert scipy.io.whosmat(io.BytesIO(path.read_bytes())) == [("feature", (1, 1), "cell")]
