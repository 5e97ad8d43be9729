"""The report without a browser: what a run keeps, what the page, tables, strips and figures say."""

import csv
import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

import ensemble.report as package
from ensemble import ablate, run
from ensemble.cli import planning
from ensemble.pipeline.run import Run
from ensemble.report import contributions, figures, history, page, pictures, plots, strips, submission, tables
from ensemble.report.__main__ import main
from ensemble.report.curves import Lists, Matrix, measure
from ensemble.report.history import GOOD, JUNK, UNKNOWN, WRONG
from ensemble.report.judge import Judge
from ensemble.report.recorder import Recorder
from ensemble.scores import Labels, score, score_ranking
from ensemble.scores.protocol import Protocol
from postproc import Nearest
from tests.support import pages
from tests.support.disk import little_room
from tests.support.each import each
from tests.support.folders import problems

for module in package.PACKAGES:
    pytest.importorskip(module, reason="the report's packages are not installed")


@pytest.fixture(scope="module")
def town(tmp_path_factory) -> Path:
    """Two models of a few images, with everything that a table can say."""
    folder = tmp_path_factory.mktemp("town")
    random = np.random.default_rng(0)
    counts = {"query": 10, "gallery": 40}
    pid = {side: np.arange(count) % 5 for side, count in counts.items()}
    centres = random.normal(size=(5, 8))
    for model in ("one", "two"):
        given = {}
        for side, count in counts.items():
            given[side] = (centres[pid[side]] + random.normal(size=(count, 8))).astype(np.float32)
            given |= {
                f"{side}_pid": pid[side],
                f"{side}_cam": np.arange(count) % 3,
                f"{side}_frame": np.arange(count),
            }
            given[f"{side}_name"] = np.array([f"{i + 1:06d}.jpg" for i in range(count)])
        given["gallery_track"] = np.arange(40) // 4 * 5 + pid["gallery"]
        np.savez(folder / f"{model}.npz", **given)
    return folder


@pytest.fixture(scope="module")
def done(town, tmp_path_factory) -> Path:
    """A run with its report."""
    out = tmp_path_factory.mktemp("done")
    assert (
        run.main(
            [
                "--features",
                str(town),
                "--recipe",
                "structure",
                "--set",
                "submission=track2",
                "--out",
                str(out),
                "--report",
            ]
        )
        == 0
    )
    return out


def content(html: bytes) -> dict:
    """What the script of a page works with."""
    return json.loads(
        re.search(rb'<script type="application/json" id="content">(.*?)</script>', html, re.DOTALL)[1]
    )


def judged(query_pid, gallery_pid, query_cam=None, gallery_cam=None, *, junk="none", cut=None) -> Judge:
    shape = len(query_pid), len(gallery_pid)
    labels = Labels.checked(shape, query_pid, gallery_pid, query_cam, gallery_cam)
    return Judge.under(Protocol(junk=junk, top_k=cut), labels)


def matrix(distances) -> Matrix:
    return Matrix(lambda start, stop: distances[start:stop], *distances.shape)


# ---- curves ----


def test_measured_by_hand():
    distances = np.array([[0.4, 0.1, 0.2, np.inf, 0.3]], np.float32)
    # nearest first: row 1 (wrong), 2 (right), 4 (junk: identity and camera of the query), 0 (right); 3 never
    judge = judged([7], [7, 8, 7, 7, 7], [1], [2, 2, 3, 2, 1], junk="bot")
    found = measure(matrix(distances), places=5, judge=judge, pairs=True)
    assert_array_equal(found.rows, [[1, 2, 4, 0, -1]])
    assert_allclose(found.distances, [[0.1, 0.2, 0.3, 0.4, np.inf]])
    assert_array_equal(found.relation, [[WRONG, GOOD, JUNK, GOOD, UNKNOWN]])
    curves = found.curves
    assert curves["positives"] == [3]
    # without junk: wrong, right, right, and one right never: precision 1/2 at recall 1/3, 2/3 at 2/3, 0 beyond;
    # the best at a recall or above it
    assert_allclose(curves["precision"][[0, 33, 50, 66]], 2 / 3)
    assert_allclose(curves["precision"][67:], 0)
    assert_array_equal([curves["good"].sum(), curves["wrong"].sum()], [2, 1])
    assert_array_equal(curves["beyond"], [0, 1])
    # in camera 2 alone: wrong (row 1), right (row 0), right never (row 3): (1/2) / 2; in camera 3: row 2 alone
    assert_array_equal(curves["cameras"], [1, 2, 3])
    assert_allclose(curves["pairs"][0], [np.nan, 0.25, 1])


@st.composite
def rankings(draw):
    """Distances with ties and +inf, and labels under which some query has a match."""
    nq, ng = draw(st.integers(1, 4)), draw(st.integers(2, 12))
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    distances = random.integers(0, 6, (nq, ng)).astype(np.float32)
    distances[random.random((nq, ng)) < 0.1] = np.inf
    gallery_pid = random.integers(0, 3, ng)
    return distances, np.full(nq, gallery_pid[0]), gallery_pid


@given(rankings(), st.sampled_from([None, 3]))
def test_places_are_those_of_the_scores(given, cut):
    """AP within the only camera of the gallery is AP; at recall 1 precision is that of the last right image."""
    distances, query_pid, gallery_pid = given
    cams = np.zeros(len(query_pid), int), np.zeros(len(gallery_pid), int)
    judge = judged(query_pid, gallery_pid, *cams, cut=cut)
    whole = measure(matrix(distances), places=4, judge=judge, pairs=True)
    wanted = score(distances, query_pid, gallery_pid, protocol=Protocol(junk="none"))
    assert_allclose(whole.curves["pairs"], [[wanted.mAP]])
    rows = np.argsort(distances, axis=1, kind="stable").astype(np.int32)
    values = np.take_along_axis(distances, rows, axis=1)
    nearest = Nearest(values, np.where(np.isinf(values), -1, rows))
    listed = measure(Lists(nearest), places=4, judge=judge, pairs=True)
    assert_array_equal(listed.rows, whole.rows)
    assert_array_equal(listed.relation, whole.relation)
    for name in ("positives", "precision", "pairs", "good", "wrong", "beyond"):
        assert_allclose(listed.curves[name], whole.curves[name])
    if cut is None:
        inp = score_ranking(nearest.rows, query_pid, gallery_pid, protocol=Protocol(junk="none")).mINP
        assert_allclose(whole.curves["precision"][-1], inp, rtol=1e-6)


def test_threshold_keeps_the_rate():
    random = np.random.default_rng(0)
    distances = random.random((20, 500)).astype(np.float32)
    pid = random.integers(0, 5, 500)
    judge = judged(np.arange(20) % 5, pid)
    same = pid == (np.arange(20) % 5)[:, None]
    curves = measure(matrix(distances), places=5, judge=judge).curves
    fmr, threshold, recall, precision = curves["threshold"]
    accepted = distances <= threshold
    assert fmr == 0.01
    assert 0.0095 < np.mean(accepted[~same]) <= 0.01
    assert_allclose(recall, np.mean(accepted[same]))
    assert_allclose(precision, np.mean(same[accepted]))


# ---- what a run keeps ----


def test_a_run_keeps_what_it_did(done, town, tmp_path):
    found = history.read(done / "report.npz")
    record = json.loads((done / "run.json").read_text())
    assert found.record == record
    assert [step.scores["mAP"] for step in found.steps] == [line["mAP"] for line in record["steps"][1:]]
    assert found.final.scores["mAP"] == record["scores"]["mAP"]
    wanted = [line.split()[:50] for line in (done / "track2.txt").read_text().splitlines()]
    numbers = [name[:6].lstrip("0") for name in found.images["name"]]
    there = found.final.rows >= 0  # a query never gets images of its own camera
    assert not there.all()
    assert [[numbers[row] for row in rows[rows >= 0]] for rows in found.final.rows] == wanted
    assert {"pid", "cam", "frame"} <= set(found.queries)
    assert {"pid", "cam", "frame", "track"} <= set(found.images)
    same = found.queries["pid"][:, None] == found.images["pid"][found.final.rows]
    assert_array_equal(found.final.relation == GOOD, same & there)
    assert_array_equal(found.final.relation == UNKNOWN, ~there)
    assert len(found.leave_out) == 2
    by_label = {step.label: step for step in found.steps}
    assert by_label["one, l2_normalize"].after == 0
    assert found.before.label == "weighted_track_mean"
    assert found.extras["agreement"].shape == (2, 2)
    assert found.extras["map_points"].shape == (50, 2)  # 10 queries and 40 images
    assert found.extras["copies"]["model"] == "one"
    assert found.extras["copies"]["pairs"] == []
    assert (
        run.main(
            [
                "--features",
                str(town),
                "--recipe",
                "structure",
                "--set",
                "submission=track2",
                "--out",
                str(tmp_path),
            ]
        )
        == 0
    )
    assert (tmp_path / "track2.txt").read_bytes() == (done / "track2.txt").read_bytes()


def test_hardest_pairs_of_the_models(done):
    kept = history.read(done / history.FILE)
    extras = kept.extras
    assert extras["hardest_models"] == ["one", "two"]
    assert extras["hardest_positive"].shape == extras["hardest_negative"].shape == (2, 2, 80)
    assert (extras["hardest_positive"].sum(axis=2) == 20).all()
    assert extras["hardest_about"] == "2 batches of 5 identities with 4 images, of query and gallery"
    assert not np.array_equal(*extras["hardest_positive"])
    plot = next(plot for plot in plots.plots([kept]) if plot.name == "hardest")
    assert extras["hardest_about"] in plot.caption
    panels = plot.draw().axes
    assert [axes.get_title() for axes in panels] == ["one", "two"]
    shares = panels[0].patches[0].get_data().values
    assert_allclose(shares, extras["hardest_negative"][0].sum(axis=0) / 40)


def test_written_twice_the_same(done, tmp_path):
    found = history.read(done / "report.npz")
    history.write(tmp_path / "again.npz", found)
    history.write(tmp_path / "twice.npz", history.read(tmp_path / "again.npz"))
    assert (tmp_path / "again.npz").read_bytes() == (tmp_path / "twice.npz").read_bytes()


def test_later_from_what_is_kept(done, tmp_path, capsys):
    assert main([str(done), "--out", str(tmp_path / "later.html")]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == str(tmp_path / "later.html")
    assert (tmp_path / "later.html").read_bytes() == (done / "report.html").read_bytes()
    text = (tmp_path / "later.html").read_text()
    for said in ("AP rectangle", "BCa bootstrap by identity", "without one", "weighted_track_mean"):
        assert said in text
    assert text.count("<svg ") == 9


def test_partial_branches_and_rank_lists(town, tmp_path):
    """Images that a branch does not know, and lists in the place of features."""
    (tmp_path / "two.toml").write_text(
        """
        [[branch]]
        models = ["one"]
        only = { cam = [0, 1] }
        steps = [{ use = "rerank" }]
        [[branch]]
        models = ["two"]
        steps = [{ use = "distances" }]
        [join]
        use = "weighted_sum"
        missing = "mean"
        scaling = "min-max"
        """
    )
    options = [
        "--features",
        str(town),
        "--recipe",
        str(tmp_path / "two.toml"),
        "--set",
        "submission=track2",
        "--out",
        str(tmp_path / "a"),
    ]
    assert run.main([*options, "--report"]) == 0
    found = history.read(tmp_path / "a" / "report.npz")
    first = found.steps[0]
    assert (first.rows[np.isnan(first.ap)] == -1).any()
    lists = tmp_path / "lists"
    lists.mkdir()
    for side, count in (("query", 10), ("gallery", 40)):
        rows = "".join(f"{i + 1:06d}.jpg,{i % 5},{i % 3}\n" for i in range(count))
        (lists / f"{side}.csv").write_text(f"name,pid,cam\n{rows}")
    (lists / "one.txt").write_bytes((tmp_path / "a" / "track2.txt").read_bytes())
    assert run.main(["--rankings", str(lists), "--recipe", "lists", "--out", str(tmp_path / "b"), "--report"]) == 0
    again = history.read(tmp_path / "b" / "report.npz")
    assert_array_equal(again.final.rows >= 0, True)


def test_without_labels_no_number(tmp_path, capsys):
    random = np.random.default_rng(0)
    query, gallery = (random.normal(size=(n, 8)).astype(np.float32) for n in (3, 9))
    np.savez(tmp_path / "net.npz", query=query, gallery=gallery)
    assert run.main(["--features", str(tmp_path), "--out", str(tmp_path / "out"), "--report"]) == 0
    capsys.readouterr()
    html = (tmp_path / "out" / "report.html").read_bytes()
    assert b"No scores: these images have no labels" in html
    assert re.findall(rb"<h3>(.*?)</h3>\s*<svg", html) == [b"Map of the images"]  # no curve of a score
    found = content(html)
    assert [view["ap"] for view in found["views"]] == [None] * len(found["views"])
    assert main([str(tmp_path / "out"), "--export", str(tmp_path / "tables")]) == 0
    assert "No scores" in (tmp_path / "tables" / "scores.md").read_text()


def test_one_query_one_image(tmp_path):
    random = np.random.default_rng(0)
    one = random.normal(size=(1, 8)).astype(np.float32)
    for name, pids in (("match", (4, 4)), ("none", (4, 5))):
        folder = tmp_path / name
        folder.mkdir()
        np.savez(folder / "net.npz", query=one, gallery=-one, query_pid=[pids[0]], gallery_pid=[pids[1]])
        out = tmp_path / f"{name}_out"
        assert run.main(["--features", str(folder), "--recipe", "baseline", "--out", str(out), "--report"]) == 0
        text = (out / "report.html").read_text()
        assert ("No scores" in text) == (name == "none")


def test_nothing_returned_and_infinitely_far():
    rows = np.array([[-1, -1], [1, -1]])
    found = pages.history([pages.step("only", rows)], 2)
    found.final.distances[1, 0] = np.inf
    html, _ = page.html([found])
    assert len(content(html)["images"]["name"]) == 1
    assert content(html)["queries"]["name"] == ["q0.png", "q1.png"]


@each(
    "broken",
    [
        b"",
        b"PK\x03\x04 nonsense",
        b"\x93NUMPY",
        b"\x80\x04N.",
    ],
)
def test_broken_files_are_refused(tmp_path, broken):
    (tmp_path / "report.npz").write_bytes(broken)
    assert "wanted what a run keeps for its report" in problems(history.read, tmp_path / "report.npz")[0]


def test_arrays_that_do_not_fit_are_refused(tmp_path):
    found = pages.history([pages.step("only", np.array([[0, 1]]))], 2)
    history.write(tmp_path / "good.npz", found)
    with np.load(tmp_path / "good.npz") as file:
        arrays = dict(file)
    changes = [
        {"0.rows": np.array([[0, 2]], np.int32)},
        {"0.rows": np.array([[0]], np.int32)},
        {"images.cam": np.arange(3)},
        {"0.rows": np.array([[{}]])},
        {"json": np.frombuffer(b'{"version": 99}', np.uint8)},
    ]
    for change in changes:
        np.savez(tmp_path / "bad.npz", **(arrays | change))
        assert "run it again with --report" in problems(history.read, tmp_path / "bad.npz")[0]


def test_the_report_of_an_earlier_run_is_refused(town, tmp_path):
    options = ["--features", str(town), "--recipe", "baseline", "--out", str(tmp_path)]
    assert "found no run.json; give what --out named" in problems(main, [str(tmp_path)])[0]
    assert run.main([*options, "--report"]) == 0
    assert run.main([*options, "--set", "distances.metric=euclidean"]) == 0
    assert "found that of an earlier one" in problems(main, [str(tmp_path)])[0]


def test_an_ablation_beside_the_run_is_shown(town, tmp_path, monkeypatch):
    monkeypatch.setattr(contributions, "SECONDS", 0)
    options = ["--features", str(town), "--recipe", "baseline"]
    assert run.main([*options, "--out", str(tmp_path), "--report"]) == 0
    assert "was not tried" in (tmp_path / "report.html").read_text()
    assert ablate.main([*options, "--out", str(tmp_path), "--resamples", "100"]) == 0
    assert main([str(tmp_path)]) == 0
    text = (tmp_path / "report.html").read_text()
    assert "without two" in text
    assert "only one" not in text
    assert "was not tried" not in text


def test_memory_of_what_is_kept_is_bounded(monkeypatch, town):
    monkeypatch.setattr("ensemble.report.recorder.BYTES", 1)
    recorder = Recorder()
    options = run.parser().parse_args(["--features", str(town), "--recipe", "baseline"])
    Run(planning.prepare(options), lambda line: None, watch=recorder)()
    assert {step.rows.shape[1] for step in recorder.steps} == {10}


# ---- the page ----


def test_hostile_names_are_text():
    found = pages.history(
        [pages.step("only", np.array([[0, 1]] * 8), ap=[0.5] * 8)], 2, pages.HOSTILE, "<b>t</b>\x1b"
    )
    found.images["name"][:] = pages.HOSTILE[:2]
    html, _ = page.html([found])
    text = html.decode()
    assert text.count("<script") == 2  # the data and the page's own
    assert "<b>t" not in text
    assert "<img src=x" not in text
    assert content(html)["queries"]["name"] == pages.HOSTILE
    assert "49" not in content(html)["queries"]["name"][2]


def test_nothing_is_loaded_from_anywhere(done):
    text = (done / "report.html").read_text()
    assert "default-src 'none'" in text
    outside = re.findall(
        r"(?:src|href)=[\"']?(?!#|data:)[^\"'\s>]+|@import|url\((?!#)[^)]+", text.partition("<script>")[0]
    )
    assert outside == []
    ids = re.findall(r'\bid="([^"]+)"', text.partition("<script")[0])
    assert len(ids) == len(set(ids))


def test_two_runs_in_any_order(tmp_path):
    one = pages.history([pages.step("a", np.array([[0, 1], [1, 0]]), ap=[0.5, 1.0])], 2, ["x", "y"], "first")
    two = pages.history([pages.step("b", np.array([[2, 0], [1, 2]]), ap=[0.75, 0.25])], 3, ["y", "x"], "second")
    html, _ = page.html([one, two])
    found = content(html)
    rows = [
        np.frombuffer(__import__("base64").b64decode(view["rows"]), "<i4").reshape(2, 2) for view in found["views"]
    ]
    names = np.array(found["images"]["name"])
    assert found["queries"]["name"] == ["x", "y"]
    assert names[rows[0]].tolist() == [["g0.png", "g1.png"], ["g1.png", "g0.png"]]
    assert names[rows[1]].tolist() == [["g1.png", "g2.png"], ["g2.png", "g0.png"]]
    # AP of x: 0.5 -> 0.25, of y: 1 -> 0.75
    assert found["facts"]["comparison"]["difference"] == pytest.approx(-0.25)
    assert found["facts"]["comparison"]["worse"] == 2
    three = pages.history([pages.step("b", np.array([[0]]), ap=[1.0])], 1, ["z"], "third")
    assert "found 2 missing (x, y), 1 others (z)" in problems(page.html, [one, three])[0]


def test_other_rules_are_not_compared():
    one, two = (pages.history([pages.step("a", np.array([[0]]), ap=[0.5])], 1, title=name) for name in "ab")
    two.record["scores"]["protocol"]["denominator"] = "all"
    html, _ = page.html([one, two])
    assert b"cannot be compared" in html
    assert content(html)["fair"] is False


@each("size", [110_000, 3_000_000])
def test_the_size_is_kept(tmp_path, size):
    random = np.random.default_rng(0)
    steps = [
        pages.step(f"s{n}", np.argsort(random.random((200, 400)), axis=1)[:, :20], ap=random.random(200))
        for n in range(4)
    ]
    found = pages.history(steps, 400)
    folder = tmp_path / "pictures"
    pages.noise(folder / "query", found.queries["name"])
    pages.noise(folder / "gallery", found.images["name"])
    html, notes = page.html([found], album=pictures.Album([folder]), size=size)
    assert len(html) <= size
    shown = content(html)
    if size == 110_000:
        assert any("queries are in the browser" in note for note in notes)
        assert len(shown["queries"]["name"]) < 200
    if size == 3_000_000:
        assert notes == []
        assert all(all(side) for side in shown["pictures"])
    for note in notes:
        assert note in html.decode()


def test_a_size_for_nothing_is_refused():
    found = pages.history([pages.step("only", np.array([[0]]))], 1)
    assert "wanted room for a page" in problems(page.html, [found], size=1000)[0]


# ---- pictures, strips, figures, tables ----


def test_pictures_are_found_by_side_and_nowhere_else(tmp_path):
    for folder in ("data/image_query", "data/image_test", "data/c1/deep", "outside"):
        pages.draw(tmp_path / folder, ["000001.png"])
    album = pictures.Album([tmp_path / "data"])
    assert album.find("query", "000001.png").parent.name == "image_query"
    assert album.find("gallery", "000001.png").parent.name == "image_test"
    assert album.find("gallery", "000001").parent.name == "image_test"
    assert album.find("gallery", "c1/deep/000001.png").parent.name == "deep"
    assert album.find("query", "../outside/000001.png").is_relative_to(tmp_path / "data")
    assert album.find("query", "/etc/passwd") is None
    assert album.find("query", "") is None
    assert "wanted a folder with images" in problems(pictures.Album, [tmp_path / "nothing"])[0]


def test_pictures_that_are_none(tmp_path):
    pages.draw(tmp_path, ["a.png"])
    (tmp_path / "b.png").write_text("no picture")
    (tmp_path / "c.png").write_bytes((tmp_path / "a.png").read_bytes()[:40])
    wanted = [("query", name) for name in ("a.png", "b.png", "c.png", "d.png")]
    found = pictures.gather(pictures.Album([tmp_path]), wanted, 100_000)
    assert list(found.found) == [("query", "a.png")]
    assert found.shape == 0.5
    assert "1 of 4 images are not in the folder" in found.notes
    assert "2 image files could not be read" in found.notes


def strip_of(folder: Path, name: str) -> np.ndarray:
    return np.asarray(pictures.load(folder / name))


def frames(strip: np.ndarray, *places: int) -> list[tuple[int, ...]]:
    """The colours of frames: of the query (0), and of images behind the gap; tiles are 72 pixels wide."""
    return [tuple(strip[0, place * 72 + (strips.APART if place else 0)].tolist()) for place in places]


def test_strips_are_the_classic_ones(tmp_path):
    relation = np.array([[JUNK, WRONG, GOOD, GOOD]], np.int8)
    found = pages.history([pages.step("only", np.array([[0, 1, 2, 3]]), relation, [0.5])], 4, ["q.png"])
    found.queries["cam"][:] = 0
    pages.draw(tmp_path / "in" / "query", ["q.png"])
    pages.draw(tmp_path / "in" / "gallery", ["g0.png", "g1.png", "g2.png"])  # none of g3
    album = pictures.Album([tmp_path / "in"])
    assert strips.write(tmp_path / "inter", found, album, places=20)[0] == 1
    strip = strip_of(tmp_path / "inter", "q.png")
    assert strip.shape == (136 + strips.BELOW, 21 * 72 + strips.APART, 3)
    white = (255, 255, 255)
    assert frames(strip, 0, 1, 2, 3, 4) == [strips.DARK, strips.RED, strips.GREEN, strips.GREEN, white]
    assert (strip[:, 72 : 72 + strips.APART] == 255).all()  # the query is apart
    left = 72 + strips.APART
    assert tuple(strip[68, left + 36].tolist()) == (1, 40, 200)  # g1, scaled
    assert tuple(strip[68, left + 2 * 72 + 36].tolist()) == white  # g3 has no picture
    assert all((strip[136:, left + k * 72 : left + (k + 1) * 72] < 128).any() for k in range(3))  # ranks
    strips.write(tmp_path / "all", found, album, places=3, mode="all")
    assert frames(strip_of(tmp_path / "all", "q.png"), 1, 2, 3) == [strips.GREY, strips.RED, strips.GREEN]
    strips.write(tmp_path / "right", found, album, places=3, only="right", distances=True)
    strip = strip_of(tmp_path / "right", "q.png")
    assert frames(strip, 1, 2, 3) == [strips.GREEN, strips.GREEN, white]
    written = strip[:20, left : left + 72].astype(int)
    assert ((written[..., 0] > 180) & (written[..., 1] > 180) & (written[..., 2] < 80)).any()
    strips.write(tmp_path / "intra", found, album, places=3, mode="intra")  # cameras 0, 1, 2, 0
    assert frames(strip_of(tmp_path / "intra", "q.png"), 1, 2, 3) == [strips.GREY, strips.GREEN, white]


def test_ranks_are_those_that_count(tmp_path):
    relation = np.array([[WRONG, JUNK, GOOD, WRONG]], np.int8)
    found = pages.history([pages.step("only", np.array([[0, 1, 2, 3]]), relation, [0.5])], 4, ["q.png"])
    ranks = {mode: [one[0] for one in strips._chosen(found, 0, 20, mode, "all")] for mode in ("inter", "all")}
    assert ranks == {"inter": [1, 2, 3], "all": [1, 2, 3, 4]}
    assert strips._chosen(found, 0, 20, "inter", "right")[0][:2] == (2, 2)  # image 2, behind one wrong


def test_pictures_keep_their_shape_in_strips(tmp_path):
    """Wide pictures make wide tiles; one of another shape stands in its own, with white beside it."""
    found = pages.history([pages.step("only", np.array([[0, 1]] * 3))], 2, ["a.png", "b.png", "c.png"])
    pages.draw(tmp_path / "in" / "query", ["a.png", "b.png", "c.png"], size=(96, 64))
    pages.draw(tmp_path / "in" / "gallery", ["g0.png"], size=(96, 64))
    pages.draw(tmp_path / "in" / "gallery", ["g1.png"], size=(32, 64))
    strips.write(tmp_path / "out", found, pictures.Album([tmp_path / "in"]), places=2, queries=["b.png"])
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["b.png"]
    strip = strip_of(tmp_path / "out", "b.png")
    wide = 128 * 96 // 64 + 8
    assert strip.shape == (136 + strips.BELOW, 3 * wide + strips.APART, 3)
    assert tuple(strip[68, 8].tolist()) == (1, 40, 200)  # b fills its tile
    slim = strip[68, strips.APART + 2 * wide : strips.APART + 3 * wide]
    assert (slim == (0, 40, 200)).all(axis=1).sum() == 64  # 128 high, half as wide
    where = tmp_path / "no", found, pictures.Album([tmp_path / "in"])
    assert (
        "--query: wanted one of a.png, b.png, c.png, found 'd.png'"
        in problems(strips.write, *where, queries=["d.png"])[0]
    )


def test_strips_stay_in_their_folder(tmp_path):
    names = ["../../escape.png", "a/b.png", "a_b.png", "..", "\\\\server\\x.png"]
    found = pages.history([pages.step("only", np.array([[0]] * 5))], 1, names)
    pages.draw(tmp_path / "in", ["escape.png", "b.png", "a_b.png", "x.png", "g0.png"])
    strips.write(tmp_path / "out" / "deep", found, pictures.Album([tmp_path / "in"]), places=1)
    assert {path.parent for path in tmp_path.rglob("*.png")} == {tmp_path / "in", tmp_path / "out" / "deep"}
    assert len(list((tmp_path / "out" / "deep").iterdir())) == 4
    empty = tmp_path / "empty"
    empty.mkdir()
    assert "found none in --images" in problems(strips.write, tmp_path / "no", found, pictures.Album([empty]))[0]


def test_figures_for_papers(done, tmp_path, monkeypatch):
    monkeypatch.setattr(figures, "DPI", 50)
    assert main([str(done), "--figure", str(tmp_path), "--export", str(tmp_path)]) == 0
    assert not (tmp_path / "report.html").exists()
    names = {"cmc", "precision_recall", "average_precision", "distances", "cameras", "positives", "agreement"}
    names |= {"hardest", "map"}
    assert {path.stem for path in tmp_path.glob("*.svg")} == names
    assert {path.stem for path in tmp_path.glob("*.png")} == names


def test_tables_to_take_away(done, tmp_path):
    assert main([str(done), "--export", str(tmp_path), "--places", "7"]) == 0
    found = history.read(done / "report.npz")
    with (tmp_path / "queries.csv").open(newline="") as stream:
        table = list(csv.DictReader(stream))
    with (done / "queries.csv").open(newline="") as stream:
        wanted = list(csv.DictReader(stream))
    assert [(row["query"], row["rewrite_tracks"]) for row in table] == [
        (row["query"], row["ap"]) for row in wanted
    ]
    with (tmp_path / "rankings.csv").open(newline="") as stream:
        ranked = list(csv.DictReader(stream))
    assert len(ranked) == 10 * 7
    assert [row["rank"] for row in ranked[:8]] == ["1", "2", "3", "4", "5", "6", "7", "1"]
    assert ranked[0]["gallery"] == found.images["name"][found.final.rows[0, 0]]
    everything = json.loads((tmp_path / "report.json").read_text())
    shown = everything["runs"][0]
    assert shown["scores"][0]["value"] == found.final.scores["mAP"]
    assert shown["scores"][0]["low"] < shown["scores"][0]["value"] < shown["scores"][0]["high"]
    assert len(shown["queries"][0]["lists"][-1]["images"]) == 7
    markdown = (tmp_path / "scores.md").read_text().splitlines()
    assert markdown[0] == "| step | mAP | rank-1 | rank-5 | rank-10 | mINP |"
    assert len({line.count(" | ") for line in markdown if line.startswith("|")}) == 1
    assert f"{100 * found.final.scores['mAP']:.2f}" in (tmp_path / "scores.tex").read_text()


def test_tables_escape_names():
    found = pages.history([pages.step("a|b_<i>", np.array([[0]]), ap=[0.5])], 1)
    assert r"| a\|b\_\<i\> | 50.00 |" in tables.markdown([found])
    found = pages.history([pages.step("50% & $x_1^2$ \\#{}~", np.array([[0]]), ap=[0.5])], 1)
    wanted = r"50\% \& \$x\_1\textasciicircum{}2\$ \textbackslash{}\#\{\}\textasciitilde{} & 50.00"
    assert wanted in tables.latex([found])


def test_changes_by_hand():
    before = pages.step("a", np.array([[0]] * 4), ap=[0.2, 0.5, 0.5, np.nan])
    after = pages.step("b", np.array([[0]] * 4), ap=[0.6, 0.5, 0.1, np.nan])
    assert tables.changes(before, after) == {
        "better": 1,
        "worse": 1,
        "equal": 1,
        "gain": pytest.approx(0.4),
        "loss": pytest.approx(-0.4),
    }


# ---- submissions and the command line ----


def test_a_submission_alone(tmp_path, monkeypatch):
    (tmp_path / "track2.txt").write_text("3 1\n2 3\n")
    found = submission.from_file(tmp_path / "track2.txt")
    assert found.queries["name"] == ["000001.jpg", "000002.jpg"]
    assert found.images["name"] == ["000001.jpg", "000002.jpg", "000003.jpg"]
    assert found.final.rows.tolist() == [[2, 0], [1, 2]]
    monkeypatch.chdir(tmp_path)
    assert main(["--submission", "track2.txt"]) == 0
    assert b"No scores: a submission holds no labels" in (tmp_path / "report.html").read_bytes()
    (tmp_path / "q.txt").write_text("left.jpg\nright.jpg\n")
    (tmp_path / "g.txt").write_text("000003.jpg\n000001.jpg\n000002.jpg\n")
    found = submission.from_file(tmp_path / "track2.txt", tmp_path / "q.txt", tmp_path / "g.txt")
    assert found.queries["name"] == ["left.jpg", "right.jpg"]
    names = [[found.images["name"][row] for row in rows] for rows in found.final.rows]
    assert names == [["000003.jpg", "000001.jpg"], ["000002.jpg", "000003.jpg"]]


def test_a_submission_with_names_and_distances(tmp_path):
    (tmp_path / "ranking.csv").write_text("query,rank,gallery,distance\na,1,x,0.5\na,2,y,0.75\nb,1,y,inf\n")
    found = submission.from_file(tmp_path / "ranking.csv")
    assert found.final.rows.tolist() == [[0, 1], [1, -1]]
    assert_array_equal(found.final.distances, np.array([[0.5, 0.75], [np.inf, np.nan]], np.float32))


def test_every_problem_at_once(tmp_path):
    text = "\n".join(problems(main, ["--places", "0", "--report-size", "lots", "--strips", str(tmp_path)]))
    assert "RUN or --submission: wanted one of them, found neither" in text
    assert "--places: wanted 1 or more, found 0" in text
    assert "--report-size: wanted a size such as 4GB, found 'lots'" in text
    assert "--strips: wanted --images too" in text
    assert "--query: wanted --strips too" in problems(main, ["--submission", "x.txt", "--query", "a"])[0]
    assert "wanted one or two, found 3" in problems(main, ["a", "b", "c"])[0]
    assert "found none at" in problems(main, ["--submission", str(tmp_path / "none.txt")])[0]
    assert len(problems(main, [str(tmp_path / "a"), str(tmp_path / "b")])) == 2


def test_before_a_run_starts(town, tmp_path, monkeypatch):
    options = ["--features", str(town), "--out", str(tmp_path / "out")]
    assert "--images: wanted --report too" in problems(run.main, [*options, "--images", str(tmp_path)])[0]
    wrong = [*options, "--report", "--images", str(tmp_path / "none")]
    assert "wanted a folder with images" in problems(run.main, wrong)[0]
    monkeypatch.setattr(package, "find_spec", lambda name: None)
    text = problems(run.main, [*options, "--report"])[0]
    assert "wanted the packages jinja2, matplotlib, pillow" in text
    assert 'pip install "jinja2>=3.1" "matplotlib>=3.8" "pillow>=10"' in text
    assert not (tmp_path / "out").exists()


def test_a_run_without_a_report_loads_nothing_for_it():
    code = "import sys, ensemble.run; print({'jinja2', 'matplotlib', 'PIL'} & {*sys.modules})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"


def test_tensorboard_is_an_extra(done, tmp_path):
    try:
        import tensorboardX  # noqa: F401
    except ImportError:
        assert "wanted the package tensorboardX" in problems(main, [str(done), "--tensorboard", str(tmp_path)])[0]
    else:
        assert main([str(done), "--tensorboard", str(tmp_path / "a")]) == 0
        (log,) = (tmp_path / "a").rglob("events.out.tfevents.*")
        assert len(log.read_bytes()) > 1000
        with little_room(1000):  # the package itself waits for ever where a write fails
            found = problems(main, [str(done), "--tensorboard", str(tmp_path / "b")])
        assert "wanted to write it, but File too large" in found[0]
        assert not (tmp_path / "b").exists()
