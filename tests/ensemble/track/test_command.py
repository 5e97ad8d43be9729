"""``ensemble.track`` from end to end: a drawn city, bad input of every kind, the same bytes again."""

import json
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import ensemble
from ensemble import io, validate
from ensemble.base.errors import InputError
from ensemble.base.features import FeatureSet
from ensemble.boxes import reading, track1
from ensemble.city import track_folder, tracks
from ensemble.city.traffic import Size
from ensemble.io import write_npz
from ensemble.track import recipe
from ensemble.track.__main__ import main
from tests.support.each import each

ROOT = Path(__file__).parents[3]
TINY = Size(vehicles=9, cameras=3, tracks=25, gallery=560, queries=2, width=48, learners=12)


@pytest.fixture(scope="module")
def city(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tracked") / "city"
    sizes = dict(tracks.SIZES)
    tracks.SIZES["tiny"] = TINY
    try:
        track_folder.make(folder, size="tiny", seed=4)
    finally:
        tracks.SIZES.clear()
        tracks.SIZES.update(sizes)
    return folder


def arguments(city, out, *more):
    given = ["--features", city / "features", "--tracks", city / "tracks", "--cameras", city / "cameras.csv"]
    return [str(one) for one in (*given, "--out", out, *more)]


def run(city, out, *more, capsys=None):
    status = main(arguments(city, out, *more))
    return status, capsys.readouterr() if capsys else None


def refused(*words):
    with pytest.raises(InputError) as error:
        main([str(word) for word in words])
    return "\n".join(error.value.problems)


def test_identities_files_and_scores(city, tmp_path, capsys):
    pytest.importorskip("motmetrics", reason="the extra tracking is not installed")
    pytest.importorskip("trackeval", reason="the extra tracking is not installed")
    windows = ("--windows", city / "windows.csv", "--zones", city / "zones.csv")
    out = tmp_path / "out"
    assert (
        main(arguments(city, out, "--recipe", "baseline", "--truth", city / "truth.txt", "--report", *windows))
        == 0
    )
    said = capsys.readouterr().out
    assert "IDF1" in said
    assert sorted(path.name for path in out.iterdir()) == [
        "recipe.toml", "run.json", "timelines.html", "track1.txt", "tracklets.csv", "windows.csv",
    ]  # fmt: skip
    record = json.loads((out / "run.json").read_text())
    assert record["counts"]["cameras"] == 3
    assert record["scores"]["idf1"] > 0.5
    assert record["windows"] == str(city / "windows.csv")
    assert validate.main([str(out / "track1.txt")]) == 0
    found = reading.read([out / "track1.txt"])
    assert len(found) == record["counts"]["boxes"]
    assert set(found.cam.tolist()) == {1, 2, 3}
    capsys.readouterr()
    assert main(["--submission", str(out / "track1.txt"), "--truth", str(city / "truth.txt")]) == 0
    assert capsys.readouterr().out.startswith("IDF1 ")


def test_the_same_bytes_whatever_the_threads_and_the_order_of_files(city, tmp_path):
    files = sorted((city / "tracks").iterdir())
    for name, threads, listed in (("one", 1, files), ("two", 2, files[::-1])):
        given = arguments(city, tmp_path / name, "--recipe", "baseline", "--threads", threads)
        at = given.index("--tracks")
        main([*given[: at + 1], *map(str, listed), *given[at + 2 :]])
    for name in ("track1.txt", "tracklets.csv", "recipe.toml"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


def test_form_of_2024_has_frames_from_0_and_points(city, tmp_path):
    main(arguments(city, tmp_path / "out", "--recipe", "baseline", "--form", "2024"))
    assert validate.main([str(tmp_path / "out" / "track1.txt")]) == 0
    first = (tmp_path / "out" / "track1.txt").read_text().split("\n")[0].split()
    known = reading.read([city / "tracks"])
    assert int(first[2]) == known.frame[0] - 1
    assert float(first[7]) == pytest.approx(known.world[0, 0], abs=1e-6)


def test_votes_and_windows_from_earlier_traffic(city, tmp_path, capsys):
    status = main(arguments(city, tmp_path, "--recipe", "aicity2022_1st", "--learn-from", city / "earlier.txt"))
    assert status == 0
    said = capsys.readouterr().out
    assert "learned from the identities of" in said
    assert "votes: no window says by which zone one leaves or comes" in said
    assert (tmp_path / "windows.csv").read_text().startswith("from,to,out,in,min,max\n")


def test_features_of_tracklets_by_a_table(city, tmp_path, capsys):
    """One feature a tracklet, named as its owner likes, with a table that says what they are."""
    known = reading.read([city / "tracks"])
    keys = np.unique(np.stack([known.cam, known.track], axis=1), axis=0)
    random = np.random.default_rng(0)
    folder = tmp_path / "features"
    folder.mkdir()
    rows = random.normal(size=(len(keys), 8)).astype(np.float32)
    table = pd.DataFrame({"name": [f"n{row}" for row in range(len(keys))]})
    write_npz(folder / "net.npz", FeatureSet("net", rows, rows, table, table, one_set=True))
    lines = [f"n{row},{cam},{track}" for row, (cam, track) in enumerate(keys.tolist())]
    (folder / "gallery.csv").write_text("\n".join(["name,cam,track", *lines]) + "\n")
    given = arguments(city, tmp_path / "out", "--recipe", "baseline")
    given[given.index("--features") + 1] = str(folder)
    assert main(given) == 0
    assert f"{len(keys)} tracks of 3 cameras" in capsys.readouterr().out
    given[given.index("baseline")] = "aicity2022_1st"
    assert "since boxes vote, found those of tracklets" in refused(*given, "--windows", city / "windows.csv")


@each("name", sorted(recipe.available()))
def test_every_recipe_of_the_package_runs(city, tmp_path, name):
    """Each as it is, with the windows of the place: identities come out, and the file has no faults."""
    windows = ("--windows", city / "windows.csv", "--zones", city / "zones.csv")
    try:
        assert main(arguments(city, tmp_path / "out", "--recipe", name, *windows)) == 0
    except InputError as error:
        if "takes no set of images alone" in str(error):
            pytest.skip("a step of this recipe does not take one set")
        raise
    record = json.loads((tmp_path / "out" / "run.json").read_text())
    assert record["counts"]["over_cameras"] >= 3
    assert track1.faults(tmp_path / "out" / "track1.txt", "2022") == []


def test_names_by_a_pattern_of_ones_own(city, tmp_path, capsys):
    folder = tmp_path / "features"
    folder.mkdir()
    for path in (city / "features").iterdir():
        known = np.load(path, allow_pickle=True)
        named = {name.replace("c00", "").replace("_", "-"): row for name, row in known.items()}
        with open(folder / path.name, "wb") as stream:
            pickle.dump(named, stream)
    given = arguments(city, tmp_path / "out", "--recipe", "baseline")
    given[given.index("--features") + 1] = str(folder)
    assert "wanted names that tell camera and track" in refused(*given)
    main([*given, "--pattern", r"(?P<cam>\d+)-(?P<track>\d+)-(?P<frame>\d+)"])
    main(arguments(city, tmp_path / "plain", "--recipe", "baseline"))
    assert (tmp_path / "out" / "track1.txt").read_bytes() == (tmp_path / "plain" / "track1.txt").read_bytes()


def test_dry_run_writes_nothing(city, tmp_path, capsys):
    assert main(arguments(city, tmp_path / "out", "--recipe", "baseline", "--dry-run")) == 0
    assert "everything fits; nothing was matched or written" in capsys.readouterr().out
    assert not (tmp_path / "out").exists()


def test_all_problems_at_once(city, tmp_path):
    bad = tmp_path / "c1.txt"
    bad.write_text("1,1,0,0,0,5\n")
    (tmp_path / "cameras.csv").write_text("cam,ofset\n1,2\n")
    said = refused(
        "--features", tmp_path / "absent", "--tracks", bad, "--cameras", tmp_path / "cameras.csv", "--windows",
        tmp_path / "none.csv", "--zones", tmp_path / "none.csv", "--set", "union.treshold=1", "--pattern", "(",
    )  # fmt: skip
    for part in (
        "found 'treshold'; did you mean 'threshold'?", "--pattern", "c1.txt: wanted w above 0",
        "did you mean 'offset'?", "none.csv: wanted a table, found none", "absent",
    ):  # fmt: skip
        assert part in said, part


@each(
    ("words", "said"),
    [
        ([], "--features: wanted"),
        ([], "--tracks: wanted track files, found nothing"),
        (["--fps", "0"], "--fps: wanted a number above 0"),
        (["--threads", "0"], "--threads: wanted 1 or more"),
        (["--form", "2023"], "wanted one of 2022, 2024, found '2023'"),
        (["--submission", "x"], "--truth: wanted the truth"),
        (["--recipe", "defalt", "--features", "x", "--tracks", "y"], "did you mean 'default'?"),
    ],
)
def test_bad_options(words, said):
    assert said in refused(*words)


def test_tables_of_other_cameras(city, tmp_path):
    (tmp_path / "w.csv").write_text("from,to,min,max\n41,42,1,2\n")
    (tmp_path / "c.csv").write_text("cam,offset\n1,0\n")
    given = arguments(city, tmp_path / "out", "--windows", tmp_path / "w.csv")
    given[given.index("--cameras") + 1] = str(tmp_path / "c.csv")
    said = refused(*given)
    assert "w.csv: wanted the cameras of the tracks (1, 2, 3), found others (41, 42)" in said
    assert "c.csv: wanted every camera of the tracks, found no 2, 3" in said


def test_queries_and_a_gallery_are_no_one_set(city, tmp_path):
    random = np.random.default_rng(0)
    for side in ("query", "gallery"):
        np.save(tmp_path / f"{side}_net.npy", random.normal(size=(3, 4)).astype(np.float32))
    given = arguments(city, tmp_path / "out")
    given[given.index("--features") + 1] = str(tmp_path)
    assert (
        "wanted features of one set, images_MODEL or gallery_MODEL alone, found queries and a gallery"
        in refused(*given)
    )


def test_no_window_for_those_who_need_one(city, tmp_path):
    given = arguments(city, tmp_path / "out", "--recipe", "aicity2022_1st", "--set", "travel.least=1000")
    assert "(votes): wanted travel windows between cameras, found none (learned without labels)" in refused(*given)


def test_an_identity_twice_in_a_frame_is_refused_and_nothing_is_written(tmp_path):
    """Two tracks of one camera at once, alike, and a setting that lets them be one."""
    (tmp_path / "tracks").mkdir()
    (tmp_path / "tracks" / "c1.txt").write_text("1,1,0,0,5,5\n1,2,9,9,5,5\n")
    (tmp_path / "features").mkdir()
    table = pd.DataFrame({"name": ["c1_1", "c1_2"]})
    rows = np.ones((2, 3), np.float32)
    write_npz(tmp_path / "features" / "net.npz", FeatureSet("net", rows, rows, table, table, one_set=True))
    given = ["--features", tmp_path / "features", "--tracks", tmp_path / "tracks", "--out", tmp_path / "out"]
    said = refused(*given, "--recipe", "baseline", "--set", "linkage.overlaps=true")
    assert (
        "wanted an identity once in a frame of a camera, found 1 again (identity 1 in camera 1, frame 1)" in said
    )
    assert "split_repeated" in said
    assert not (tmp_path / "out").exists()


def test_an_earlier_run_is_replaced_whole(city, tmp_path, capsys):
    main(arguments(city, tmp_path / "out", "--recipe", "baseline", "--report"))
    main(arguments(city, tmp_path / "out", "--recipe", "baseline"))
    assert "an earlier run is there and will be replaced" in capsys.readouterr().err
    assert not (tmp_path / "out" / "timelines.html").exists()


def test_recipes_are_listed(capsys):
    assert main(["--list-recipes"]) == 0
    assert "aicity2021_1st: AI City 2021, first" in capsys.readouterr().out


def test_as_a_process():
    done = subprocess.run(
        [sys.executable, "-m", "ensemble.track"], cwd=ROOT, capture_output=True, text=True, timeout=100
    )
    assert done.returncode == 2
    assert done.stderr.startswith("error: 2 problems\n")


def test_from_python_the_same_identities(city, tmp_path, capsys):
    run(city, tmp_path / "command", capsys=capsys)
    sets = io.read(io.scan(city / "features"))
    tables = {"tracks": city / "tracks", "cameras": city / "cameras.csv"}
    held = {one.model: one.gallery for one in sets}
    names = list(sets[0].gallery_table["name"])
    for found in (
        ensemble.track(city / "features", **tables),
        ensemble.track(held, gallery_names=names, **tables),
    ):
        found.to_submission(tmp_path / "mine.txt")
        assert (tmp_path / "mine.txt").read_bytes() == (tmp_path / "command" / track1.FILE).read_bytes()
    assert len(found.to_frame()) == len(found.identities)
    assert "identities" in repr(found)
    with pytest.raises(InputError, match="fps: wanted a number above 0"):
        ensemble.track(held, city / "tracks", fps=0)
