"""What a recipe may give its steps beside features: side models, scenes, quality, a labelled training set."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal

import postproc
from ensemble import io, run
from ensemble.base.errors import InputError
from tests.support.worlds import world

NAMED = ("name", "pid", "cam", "track", "scene", "quality")


@pytest.fixture
def folder(tmp_path):
    """A model, a side model and, in tables, everything that a table may hold."""
    data, place = world(nq=8, ng=40, people=8), tmp_path / "features"
    place.mkdir()
    for side in ("query", "gallery", "train"):
        names = [f"{side}{row:03d}" for row in range(len(data[side]))]
        area = np.arange(len(names)) * 1000
        columns = {
            "name": names,
            "pid": data[f"{side}_pid"],
            "cam": data[f"{side}_cam"],
            "scene": data[f"{side}_cam"] // 2,
            "quality": area,
        }
        if side != "train":
            columns["track"] = data[f"{side}_track"]
        lines = [",".join(columns), *(",".join(map(str, row)) for row in zip(*columns.values(), strict=True))]
        (place / f"{side}.csv").write_text("\n".join(lines) + "\n")
        data[f"{side}_name"] = np.array(names)
    for model, key in (("looks", ""), ("cameras", "_aux")):
        train = data["train"] if model == "looks" else data["train"][:, : data["query_aux"].shape[1]]
        sides = {side: data[f"{side}{key}"] for side in ("query", "gallery")} | {"train": train}
        named = {f"{side}_name": data[f"{side}_name"] for side in sides}
        np.savez(place / f"{model}.npz", **sides, **named)
    return place


def answer(folder, tmp_path, recipe):
    (tmp_path / "own.toml").write_text(f'top_k = 40\nsubmission = "csv"\n{recipe}')
    options = ["--features", str(folder), "--recipe", str(tmp_path / "own.toml"), "--out", str(tmp_path / "out")]
    assert run.main(options) == 0
    lines = (tmp_path / "out" / "ranking.csv").read_text().splitlines()
    return [line.split(",") for line in lines]


def test_a_side_model_is_subtracted(folder, tmp_path):
    found = answer(
        folder,
        tmp_path,
        """
        [[branch]]
        auxiliary = ["cameras"]
        steps = [{ use = "distances" }, { use = "subtract_auxiliary", weight = 0.2 }]
        """,
    )
    data = {features.model: features.data() for features in io.read_folder(folder)}
    looks, cameras = data["looks"], data["cameras"]
    far = postproc.distances(looks["query"], looks["gallery"])
    far = postproc.subtract_auxiliary(far, cameras["query"], cameras["gallery"], weight=0.2)
    assert found == answer_of(far, folder, tmp_path)


def answer_of(far, folder, tmp_path):
    """The same file from distances."""
    names = {
        side: [line.split(",")[0] for line in (folder / f"{side}.csv").read_text().splitlines()[1:]]
        for side in ("query", "gallery")
    }
    ranking = postproc.rank(far, top_k=40)
    rows = [line.split(",") for line in (tmp_path / "out" / "ranking.csv").read_text().splitlines()]
    wanted = [[names["gallery"][row] for row in line] for line in ranking]
    flat = iter(name for line in wanted for name in line)
    place = next(i for i, title in enumerate(rows[0]) if rows[1][i] in names["gallery"])
    return [rows[0], *([*row[:place], next(flat), *row[place + 1 :]] for row in rows[1:])]


def test_scene_and_quality_come_from_the_tables(folder, tmp_path):
    data = io.read_folder(folder)[0].data()
    assert data["gallery_quality"].dtype == np.float32
    assert_array_equal(data["gallery_scene"], data["gallery_cam"] // 2)
    answer(
        folder,
        tmp_path,
        """
        [[branch]]
        models = ["looks"]
        steps = [
          { use = "quality_track_mean" },
          { use = "distances" },
          { use = "scene_gate" },
          { use = "one_track_per_camera" },
          { use = "rewrite_tracks" },
        ]
        """,
    )


def test_a_training_set_goes_the_way_of_the_features(folder, tmp_path):
    """Two steps that learn, one after the other: the second sees what the first has made of the training set."""
    answer(
        folder,
        tmp_path,
        """
        [[branch]]
        models = ["looks"]
        steps = [{ use = "whiten", components = 6 }, { use = "learned_metric" }, { use = "nnn" }]
        """,
    )


def test_a_side_model_that_is_not_there_is_refused(folder, tmp_path):
    with pytest.raises(InputError) as caught:
        answer(folder, tmp_path, '[[branch]]\nauxiliary = ["camera"]\nsteps = [{ use = "rerank" }]')
    assert "wanted camera in" in caught.value.problems[0]
    with pytest.raises(InputError, match="query_aux"):
        answer(
            folder,
            tmp_path,
            '[[branch]]\nmodels = ["looks"]\nsteps = [{ use = "distances" }, { use = "subtract_auxiliary" }]',
        )
