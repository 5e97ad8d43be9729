"""Recipes of winners, run on folders made of what the released code was run on."""

import json
import re
import shutil

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from ensemble import io, run
from ensemble.base.errors import InputError
from ensemble.city.folder import make
from ensemble.pipeline import plan, recipe
from ensemble.pipeline import run as pipeline
from ensemble.pipeline.changes import override
from tests.support import golden
from tests.support.each import each
from tests.support.realised import baidu_parts, views_of

RECIPES = ("aicity2020_1st_baidu_uts", "aicity2021_2nd_baidu", "aicity2019_uwipl")


class Folder:
    """A features folder of sides (query, gallery), columns by side, and side models."""

    def __init__(self, place, sides, columns):
        self.place, self.counts = place, [len(side) for side in sides]
        (place / "side").mkdir(parents=True)
        self.model("model", sides)
        for side, table in zip(("query", "gallery"), columns, strict=True):
            names = self.names(side)
            lines = [",".join(["name", *table])]
            lines += [",".join([name, *map(str, row)]) for name, *row in zip(names, *table.values(), strict=True)]
            (place / f"{side}.csv").write_text("\n".join(lines) + "\n")

    def names(self, side):
        return [f"{side}{row:04d}" for row in range(self.counts[side == "gallery"])]

    def model(self, name, sides):
        arrays = {side: np.asarray(x, np.float32) for side, x in zip(("query", "gallery"), sides, strict=True)}
        np.savez(self.place / f"{name}.npz", **arrays, **{f"{side}_name": self.names(side) for side in arrays})

    def run(self, name, *changes):
        """The whole matrix of distances that a recipe leaves."""
        chosen = override(recipe.load(name), [*changes, f"top_k={self.counts[1]}"])
        found = pipeline.Run(plan.check(chosen, io.scan(self.place)), lambda line: None)()
        out = np.full(self.counts, np.inf, np.float32)
        query, place = np.nonzero(found.ranking >= 0)
        out[query, found.ranking[query, place]] = found.distances[query, place]
        return out


def layumi(released, place):
    """Camera features much shorter than 1, which are near nobody there, are rows of zeros here."""
    sides, nq = ("q", "g"), len(released["q"])
    columns = [
        {"pid": released[f"{s}_pid"], "cam_predicted": released[f"{s}_cam_pred"], "quality": released[f"{s}_area"]}
        for s in sides
    ]
    for table in columns:
        table["quality"] = np.where(table["quality"] >= 15000, 15000, 1000)  # what the threshold tells apart
        table["pid"] = table["pid"].astype(int)
    columns[1]["track"] = released["g_track"]
    folder = Folder(place, [released[s] for s in sides], columns)
    clear = np.linalg.norm(released["cam_feat"], axis=1, keepdims=True) > 0.85
    camera = released["cam_feat"] * clear
    folder.model("side/camera_a", [camera[:nq], camera[nq:]])
    classes = [released[f"{s}_direction"] for s in sides]
    folder.model("side/orientation", views_of(released["direction_table"], *classes))
    return folder


def test_first_of_2020(shared, tmp_path):
    """To 0.0002: there lengths are divided by |x| + 0.00001, which moves every similarity by 0.00002."""
    released = golden.load(shared, "layumi2020")
    folder = layumi(released, tmp_path)
    smaller = ["predict_camera_groups.min_samples=15", "rerank_constrained.k1=20", "rerank_constrained.k2=6"]
    found = folder.run("aicity2020_1st_baidu_uts", *smaller)
    wanted = released["final_k20_6_0.2_pen0.3_0.1_0.2"]
    assert_allclose(found, wanted, rtol=0, atol=2e-4)
    listed = np.take_along_axis(found, released["list_track2_rerank_m_top100"] - 1, axis=1)
    assert_allclose(listed, np.sort(found, axis=1)[:, :100], rtol=0, atol=2e-4)


def test_second_of_2021(shared, tmp_path):
    """Everything twice, as one scene and as the other."""
    released = golden.load(shared, "baidu2021")
    nq, ng = len(released["q"]), len(released["g"])

    def twice(x):
        return np.concatenate([x, x])

    columns = [
        {
            "pid": twice(released[f"{s}_pid"]).astype(int),
            "cam": twice(released[f"{s}_cam"]),
            "quality": twice(released[f"{s}_area"]),
            "scene": np.repeat([1, 2], len(released[s])),
        }
        for s in "qg"
    ]
    columns[1]["track"] = np.concatenate([released["g_track"], 1000 + released["g_track"]])
    folder = Folder(tmp_path, [twice(released[s]) for s in "qg"], columns)
    views = [np.concatenate([released[f"{s}_direction"], released[f"{s}_part_cls"]], axis=1) for s in "qg"]
    folder.model("side/orientation", [twice(view) for view in views])
    widths, *parts = baidu_parts(released)
    folder.model("side/parts_all", [twice(part) for part in parts])
    settings = ["query_mean.threshold=15000", "quality_track_mean.threshold=15000"]
    each = [released[f"q_{name}"].shape[1] for name in ("direction", "part_cls")]
    settings += [f"part_penalty.views={each}", f"part_penalty.parts={widths}"]
    found = folder.run("aicity2021_2nd_baidu", *settings)
    first, second = found[:nq, :ng], found[nq:, ng:]
    assert_allclose(first, released["scene1_final_plus2_samecam"], rtol=0, atol=1e-5)
    assert_allclose(
        1 - second, released["scene2_pf0.4_area15000_score_after_exclusion_beta0.1"], rtol=0, atol=1e-5
    )
    for part, name in ((first, "scene1_pf0.5_area15000_top100_0based"), (second, "scene2_top100_0based")):
        assert_array_equal(np.argsort(part, axis=1, kind="stable")[:, :100], released[name])
    across = np.concatenate([found[:nq, ng:], found[nq:, :ng]])
    assert (across.min(axis=1) > np.concatenate([first, second]).max(axis=1)).all()


def test_second_of_2019(shared, tmp_path):
    """Of every track two images of unit length, whose mean is the track's feature."""
    released = golden.load(shared, "uwipl2019")
    tracks = released["g_track_feat"].astype(np.float64)
    random = np.random.default_rng(0)
    aside = random.normal(size=tracks.shape)
    squared = (tracks**2).sum(axis=1, keepdims=True)
    aside -= (aside * tracks).sum(axis=1, keepdims=True) / squared * tracks
    aside *= np.sqrt(np.maximum(1 - squared, 0)) / np.linalg.norm(aside, axis=1, keepdims=True)
    columns = [
        {"pid": released["q_pid"].astype(int)},
        {"pid": np.tile(released["g_track_pid"], 2).astype(int), "track": np.tile(np.arange(len(tracks)), 2)},
    ]
    folder = Folder(tmp_path, [released["q"], np.concatenate([tracks + aside, tracks - aside])], columns)
    folder.model("side/attributes", [released["q_meta"], np.tile(released["g_meta"], (2, 1))])
    classes = np.diff(released["ranges"], axis=1).ravel().tolist()
    confusions = [released[f"confusion_{first}_{last}"].tolist() for first, last in released["ranges"]]
    settings = [f"{step}.classes={classes}" for step in ("cluster_gallery_soft", "rerank_attributes")]
    settings += [f"rerank_attributes.confusions={json.dumps(confusions)}"]
    found = folder.run("aicity2019_uwipl", *settings)
    wanted = released["final_r0.2_k4_4_0.5_v32"]
    assert_allclose(found[:, : len(tracks)], wanted, rtol=0, atol=1e-5)
    assert_array_equal(found[:, len(tracks) :], found[:, : len(tracks)])
    moved = folder.run("aicity2019_uwipl", *settings, "cluster_gallery_soft.rounds=9")
    assert not np.allclose(moved, found, atol=1e-3)


ROWS = {  # of the table of chains: the step that stands for a row
    "concat features": "concat",
    "QE / set merging": {"layumi20": "query_mean", "Baidu21": "query_mean", "UWIPL19": "cluster_gallery_soft"},
    "track feature": "quality_track_mean",
    "aux distance / penalty before RR": "camera_penalty",
    "sequential exclusion": "exclude",
    "k-reciprocal": {
        "layumi20": "rerank_constrained",
        "Baidu21": "rerank_constrained",
        "UWIPL19": "rerank_attributes",
    },
    "aux distance after RR": "camera_penalty",
    "same-camera mask": "camera_penalty",
}


@each(("name", "column"), list(zip(RECIPES, ("layumi20", "Baidu21", "UWIPL19"), strict=True)), ids=RECIPES)
def test_steps_stand_in_the_order_of_the_chain(shared, name, column):
    text = (shared.parent / "spec" / "techniques.md").read_text()
    table = text[text.index("## 3-ter") :].split("\n\n")[1].splitlines()
    columns, *rows = ([cell.strip() for cell in line.strip("|").split("|")] for line in table if "---" not in line)
    places = []
    for row in rows:
        number = re.match(r"\d+", row[columns.index(column)])
        step = ROWS.get(row[0])
        step = step[column] if isinstance(step, dict) else step
        if (
            number and step and not (column == "UWIPL19" and step == "camera_penalty")
        ):  # one step with k-reciprocal
            places.append((int(number[0]), step))
    wanted = [step for _, step in sorted(places, key=lambda place: place[0])]
    assert len(wanted) >= 2
    branch = recipe.load(name).branches[0]
    used = [use.name for use in (*branch.each, branch.join, *branch.steps)]
    at = -1
    for place, step in enumerate(wanted):
        again = place and step == wanted[place - 1]  # two rows of one step
        at = at if again else used.index(step, at + 1)


@pytest.fixture(scope="module")
def cities(tmp_path_factory):
    place = tmp_path_factory.mktemp("cities")
    for kind in ("city", "two_scenes"):
        make(place / kind, kind=kind)
    return place


@each(("name", "kind"), list(zip(RECIPES, ("city", "two_scenes", "city"), strict=True)), ids=RECIPES)
def test_they_run_on_the_demo_and_beat_plain_distances(cities, tmp_path, capsys, name, kind):
    def score(chosen):
        options = ["--features", str(cities / kind), "--recipe", chosen, "--protocol", "aicity"]
        assert run.main([*options, "--out", str(tmp_path / chosen)]) == 0
        return float(re.search(r"^mAP ([\d.]+)", capsys.readouterr().out, re.MULTILINE)[1])

    assert score(name) > score("baseline") + 0.05
    assert (tmp_path / name / "track2.txt").exists()


@each(
    ("name", "lacks"),
    [
        ("aicity2020_1st_baidu_uts", "camera*"),
        ("aicity2021_2nd_baidu", "parts_*"),
        ("aicity2019_uwipl", "attributes"),
    ],
)
def test_a_missing_side_model_is_named(cities, tmp_path, name, lacks):
    shutil.copytree(cities / "two_scenes", tmp_path / "bare", ignore=shutil.ignore_patterns("side"))
    with pytest.raises(InputError) as caught:
        plan.check(recipe.load(name), io.scan(tmp_path / "bare"))
    assert any("auxiliary" in problem and f"wanted {lacks} in" in problem for problem in caught.value.problems)
