"""Pairs that no model knows were not found: they are not scored, and no answer."""

import json

import numpy as np
import pytest

from ensemble import evaluate, run, submissions
from ensemble.base.errors import InputError
from tests.support.each import each
from tests.support.folders import listed

ROOMS = """
top_k = 9
submission = "csv"
join = { use = "JOIN" }
STEPS
[[branch]]
models = ["a"]
only = { scene = 0 }
steps = [{ use = "distances" }]
[[branch]]
models = ["b"]
only = { scene = 1 }
steps = [{ use = "distances" }]
"""
KEPT = """
top_k = 9
submission = "csv"
missing = "keep"
[[branch]]
STEPS
"""


def folder(place):
    """Two queries of identity 7, one a room. Of the gallery 7s, g1 and g3 are in the other room than q0."""
    place.mkdir()
    listed(place / "query.csv", ["name,pid,cam,scene", "q0,7,0,0", "q1,7,0,1"])
    listed(
        place / "gallery.csv",
        ["name,pid,cam,scene,track", "g0,9,1,0,1", "g1,7,1,1,2", "g2,7,1,0,3", "g3,7,1,1,3", "g4,9,1,1,4"],
    )
    return place


def write(place, model, query, gallery):
    entries = {"query": list(query.values()), "gallery": list(gallery.values())}
    np.savez(
        place / f"{model}.npz",
        **{side: 10 + np.float32(values).reshape(-1, 1) for side, values in entries.items()},
        query_name=np.array(list(query)),
        gallery_name=np.array(list(gallery)),
    )


def answers(out):
    read = submissions.read(out / "ranking.csv")
    return [[read.gallery_names[row] for row in line] for line in read.lines()]


def scored(place, recipe, capsys):
    capsys.readouterr()
    assert evaluate.main(["--features", str(place), "--recipe", str(recipe), "--json"]) == 0
    return json.loads(capsys.readouterr().out)["mAP"]


@each(
    ("join", "steps", "wanted", "mAP"),
    [
        # q0: g2 at 1, g0 at 2, of three matches: 1/3; q1: g1, g3, g4: 2/3
        ('weighted_sum", missing = "mean', "", [["g2", "g0"], ["g1", "g3", "g4"]], 1 / 2),
        ("reciprocal_rank_fusion", "", [["g2", "g0"], ["g1", "g3", "g4"]], 1 / 2),
        # whole tracks: g2 pulls g3 up, from the other room; g3 pulls g2 up for q1: 2/3 and 1
        (
            "reciprocal_rank_fusion",
            'steps = [{ use = "rewrite_tracks" }]',
            [["g2", "g3", "g0"], ["g1", "g3", "g2", "g4"]],
            (2 / 3 + 1) / 2,
        ),
    ],
)
def test_rooms_that_nobody_knows_together(tmp_path, capsys, join, steps, wanted, mAP):
    place = folder(tmp_path / "features")
    near = {"g0": 3, "g1": 1, "g2": 1, "g3": 2, "g4": 5}
    for model in "ab":
        write(place, model, {"q0": 0, "q1": 0}, near)
    own = tmp_path / "own.toml"
    own.write_text(ROOMS.replace("JOIN", join).replace("STEPS", steps))
    assert scored(place, own, capsys) == pytest.approx(mAP)
    out = tmp_path / "out"
    assert run.main(["--features", str(place), "--recipe", str(own), "--out", str(out), "--report"]) == 0
    assert answers(out) == wanted
    naic = ["--set", "submission=naic", "--out", str(tmp_path / "full")]
    assert run.main(["--features", str(place), "--recipe", str(own), *naic]) == 0
    printed = capsys.readouterr().out
    assert "found too few images in the models of 2 (q0, q1); filled up behind with images that no mod" in printed
    lines = json.loads((tmp_path / "full" / "result.json").read_text())
    assert [len(line) for line in lines.values()] == [5, 5]
    for line, found in zip(lines.values(), wanted, strict=True):
        assert line[: len(found)] == found


@each(
    "steps",
    [
        'join = { use = "concat" }\nsteps = [{ use = "distances" }]',
        'each = [{ use = "distances" }]\njoin = { use = "weighted_sum", weights = [1, 0], missing = "mean" }',
        'models = ["a"]\nsteps = [{ use = "distances" }]',
        'models = ["a"]\nsteps = [{ use = "distances" }, { use = "csls_distances" }]',
    ],
)
def test_images_that_no_model_has(tmp_path, capsys, steps):
    """Model a has not seen g1, the nearest of all for b: with a alone, or side by side, it is no answer."""
    place = folder(tmp_path / "features")
    write(place, "a", {"q0": 0, "q1": 0}, {"g0": 3, "g2": 1, "g3": 2, "g4": 5})
    write(place, "b", {"q0": 0, "q1": 0}, {"g0": 3, "g1": 0, "g2": 1, "g3": 2, "g4": 5})
    own = tmp_path / "own.toml"
    own.write_text(KEPT.replace("STEPS", steps))
    assert run.main(["--features", str(place), "--recipe", str(own), "--out", str(tmp_path / "out")]) == 0
    for line in answers(tmp_path / "out"):
        assert sorted(line) == ["g0", "g2", "g3", "g4"]
    # g2 and g3 of three matches: (1 + 1) / 3
    assert scored(place, own, capsys) == pytest.approx(2 / 3)


def test_a_query_that_nobody_knows_is_named(tmp_path):
    place = folder(tmp_path / "features")
    write(place, "a", {"q0": 0}, {"g0": 3, "g1": 0, "g2": 1, "g3": 2, "g4": 5})
    write(place, "b", {"q0": 0}, {"g0": 3, "g1": 0, "g2": 1, "g3": 2, "g4": 5})
    own = tmp_path / "own.toml"
    steps = 'each = [{ use = "distances" }]\njoin = { use = "weighted_sum", missing = "mean" }'
    own.write_text(KEPT.replace("STEPS", steps))
    with pytest.raises(InputError, match=r"wanted every query in some branch, found 1 in none \(q1\)"):
        run.main(["--features", str(place), "--recipe", str(own), "--out", str(tmp_path / "out")])
