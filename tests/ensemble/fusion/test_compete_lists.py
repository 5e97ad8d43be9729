"""Lists joined by votes for which queries compete: from its parts, whatever table lacks, by the command."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from ensemble import fuse, run
from ensemble.base.errors import InputError
from ensemble.fusion import compete_lists, list_weights, of_ranking
from postproc import compete, rank, rewrite_tracks, track_votes, using
from postproc.tracks.track_lists import Tracks
from postproc.tracks.track_votes import track_cameras
from tests.support.each import each

NQ, TRACKS, CAMERAS, LENGTH = 24, 15, 4, 3


def world(seed=0, lists=4):
    """Rankings of 12 images and columns: vehicles of three tracks or so, queries of a vehicle from one camera."""
    random = np.random.default_rng(seed)
    track = np.repeat(np.arange(TRACKS), LENGTH)
    vehicle, cam = random.integers(0, 5, TRACKS), random.integers(0, CAMERAS, TRACKS)
    asked = np.arange(NQ) % 6
    near = (vehicle[track] == asked[:, None]) * 1.0
    rankings = [np.argsort(random.normal(size=near.shape) * (0.4 + 0.2 * i) - near)[:, :12] for i in range(lists)]
    columns = {"gallery_track": track, "query_cam": asked % CAMERAS, "gallery_cam": cam[track]}
    return rankings, columns


def by_hand(rankings, columns, trust=True):
    """The method from its functions, as the documentation writes it down."""
    track, query_cam, gallery_cam = (columns.get(name) for name in ("gallery_track", "query_cam", "gallery_cam"))
    track = np.full(TRACKS * LENGTH, -1) if track is None else track
    tracks = Tracks.by(track)
    track_cam = None if gallery_cam is None else track_cameras(tracks, gallery_cam)
    both = (query_cam, gallery_cam) if query_cam is not None and gallery_cam is not None else ()
    parts = [track_votes(ranking, track, *both) for ranking in rankings]
    own = np.zeros(parts[0].shape, bool) if not both else query_cam[:, None] == track_cam
    others = [np.where(own, 0, part) for part in parts]
    weights = list_weights(others)
    claims = compete(sum(w * part for w, part in zip(weights, parts, strict=True)), query_cam, track_cam)
    if trust and len(parts) > 1:
        cosine = [
            (claims * part).sum(1)
            / np.maximum(np.linalg.norm(claims, axis=1) * np.linalg.norm(part, axis=1), 1e-300)
            for part in others
        ]
        trusted = sum(w * (c + 0.1)[:, None] * part for w, c, part in zip(weights, cosine, parts, strict=True))
        claims = compete(trusted, query_cam, track_cam)
    return claims[:, tracks.of]


@each("lacking", [(), ("query_cam",), ("query_cam", "gallery_cam"), ("gallery_track",), ("gallery_cam",)])
def test_it_is_what_its_parts_say_whatever_the_tables_lack(lacking):
    rankings, columns = world()
    columns = {name: column for name, column in columns.items() if name not in lacking}
    parts = [of_ranking(ranking, TRACKS * LENGTH) for ranking in rankings]
    for some, trust in ((parts, True), (parts, False), (parts[:1], True)):
        wanted = by_hand(rankings[: len(some)], columns, trust)
        found = compete_lists(some, **columns, trust=trust)
        shares = wanted / wanted.max(axis=1, keepdims=True)
        assert_allclose(-np.minimum(found, 0), shares, rtol=1e-4, atol=1e-9)
        assert (found[shares == 0] >= 0).all()


def test_masks_are_rules_and_what_nobody_knows_is_last():
    rankings, columns = world()
    parts = [of_ranking(ranking, TRACKS * LENGTH) for ranking in rankings]
    parts[1][:, 4] = np.inf
    found = compete_lists(parts, **columns, pool="none", lend=0)
    assert (found[:, 4] == np.inf).all()
    nobody = np.logical_and.reduce([np.isnan(part) for part in parts])
    behind = nobody & (found >= 0)
    assert behind.any()
    for query in range(NQ):
        assert (
            found[query][behind[query]].min(initial=np.inf)
            >= found[query][~nobody[query] & (found[query] < np.inf)].max()
        )


def test_weights_leave_a_list_out_and_threads_change_nothing():
    rankings, columns = world()
    parts = [of_ranking(ranking, TRACKS * LENGTH) for ranking in rankings]
    wanted = compete_lists(parts[:2], **columns, weights=None)
    assert_array_equal(compete_lists([*parts[:2], parts[3]], **columns, weights=[1, 1, 0]), wanted)
    with using(threads=1):
        one = compete_lists(parts, **columns)
    with using(threads=3):
        assert_array_equal(compete_lists(parts, **columns), one)
    with pytest.raises(
        ValueError, match=r'^weights: wanted 4 numbers of 0 or more, one for each part, or "agreement"'
    ):
        compete_lists(parts, **columns, weights=[1, 2])
    with pytest.raises(ValueError, match=r"^distances: wanted parts of one shape, got \(24, 45\), \(23, 45\)"):
        compete_lists([parts[0], parts[1][:-1]], **columns)


# The recipe, through the command line.


def written(folder: Path, columns: dict, rankings: list) -> Path:
    folder.mkdir()
    for number, ranking in enumerate(rankings):
        lines = (" ".join(str(row + 1) for row in line) for line in ranking)
        (folder / f"list{number}.txt").write_text("\n".join(lines) + "\n")
    for side, count in (("query", NQ), ("gallery", TRACKS * LENGTH)):
        own = {name.split("_")[1]: column for name, column in columns.items() if name.startswith(side)}
        with (folder / f"{side}.csv").open("w", newline="") as stream:
            table = csv.writer(stream)
            table.writerow(["name", *own])
            table.writerows(
                [f"{row + 1:06d}.jpg", *(column[row] for column in own.values())] for row in range(count)
            )
    return folder


def answer(folder: Path) -> np.ndarray:
    with (folder / "ranking.csv").open(newline="") as stream:
        rows = [(int(line["query"][:6]) - 1, int(line["gallery"][:6]) - 1) for line in csv.DictReader(stream)]
    found = [[image for query, image in rows if query == asked] for asked in range(NQ)]
    return np.array([row[: min(map(len, found))] for row in found])  # of claims that are left, for every query


SAID = {
    (): "(tracks; cameras of both sides: no track of the own camera, one a camera)",
    ("query_cam",): "(tracks; cameras of the gallery alone: the own one is not left out; all queries pool)",
    ("gallery_track", "gallery_cam", "query_cam"): "(no tracks: each image is its own; no cameras of the gallery",
}


@each("lacking", SAID)
def test_the_command_takes_what_the_tables_have_and_says_so(lacking, tmp_path, capsys):
    rankings, columns = world()
    columns = {name: column for name, column in columns.items() if name not in lacking}
    folder = written(tmp_path / "lists", columns, rankings)
    chosen = ["--rankings", str(folder), "--recipe", "lists_best", "--out", str(tmp_path / "out")]
    assert run.main(chosen) == 0
    said = capsys.readouterr().out
    assert f"votes and weights by agreement, then queries compete, so that each answer depends on the other queries {SAID[lacking]}" in said  # fmt: skip # noqa: E501
    claims = -by_hand(rankings, columns)
    if "gallery_track" in columns:
        claims = rewrite_tracks(claims, columns["gallery_track"])
    wanted = rank(claims.astype(np.float32))
    found = answer(tmp_path / "out")
    count = min(9, found.shape[1])
    assert (found[:, :count] == wanted[:, :count]).mean() > 0.97  # of claims as far as float32 tells them apart
    if "gallery_track" in columns:  # images that none of the query's lists names are found: whole tracks
        named = [{row for ranking in rankings for row in ranking[query]} for query in range(NQ)]
        assert any(set(row) - own for row, own in zip(found.tolist(), named, strict=True))


def test_one_list_competes_too_and_wrong_settings_are_said_before(tmp_path):
    rankings, columns = world(lists=1)
    folder = written(tmp_path / "lists", columns, rankings)
    chosen = ["--rankings", str(folder), "--recipe", "lists_best", "--out", str(tmp_path / "out")]
    assert run.main(chosen) == 0
    claims = rewrite_tracks((-by_hand(rankings, columns)).astype(np.float32), columns["gallery_track"])
    assert_array_equal(answer(tmp_path / "out")[:, :9], rank(claims)[:, :9])
    with pytest.raises(
        InputError, match=r"pool: wanted one of camera, all, none, got 'cam'; did you mean 'all'|'camera'"
    ):
        run.main([*chosen, "--set", "compete_lists.pool=cam"])


def test_found_weights_are_told_by_the_names_of_the_lists(tmp_path, capsys):
    rankings, columns = world()
    folder, out = written(tmp_path / "lists", columns, rankings), tmp_path / "out"
    chosen = ["--rankings", str(folder), "--recipe", "lists_best", "--out", str(out), "--report"]
    assert run.main(chosen) == 0
    both = columns["query_cam"], columns["gallery_cam"]
    votes = [track_votes(ranking, columns["gallery_track"], *both) for ranking in rankings]
    own = columns["query_cam"][:, None] == track_cameras(
        Tracks.by(columns["gallery_track"]), columns["gallery_cam"]
    )
    wanted = list_weights([np.where(own, 0, part) for part in votes])
    assert len(set(wanted.round(2).tolist())) > 1
    names = sorted(path.stem for path in folder.glob("*.txt"))
    text = ", ".join(f"{name} {weight:.2f}" for name, weight in zip(names, wanted, strict=True))
    said = f"compete_lists: weights by agreement, without labels: {text}"
    assert f"note: {said}\n" in capsys.readouterr().out
    record = json.loads((out / "run.json").read_text("utf-8"))
    assert said in record["notes"]
    (step,) = (step for step in record["steps"] if step["step"] == "compete_lists")
    assert list(step["weights"]) == names
    assert_allclose(list(step["weights"].values()), wanted)
    assert all("weights" not in other for other in record["steps"] if other is not step)
    assert f"weights found: {text}" in (out / "report.html").read_text("utf-8")
    found = fuse(folder, "lists_best").weights
    assert_allclose([found["compete_lists"][name] for name in names], wanted)


def test_weights_that_were_written_down_are_not_told(tmp_path):
    rankings, columns = world(lists=2)
    folder = written(tmp_path / "lists", columns, rankings)
    chosen = {"compete_lists.weights": [1, 0.5]}
    assert fuse(folder, "lists_best", set=chosen).weights == {}
    found = fuse(folder, "lists_best")
    assert set(found.weights["compete_lists"].values()) == {1.0}
    assert any(note.endswith("fewer than three cannot be told apart") for note in found.notes)
