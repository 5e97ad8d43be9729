"""What a recipe can say about models: joined after re-ranking, weighed by name, partly known, beside others."""

import json

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import postproc
from ensemble import fusion, io, run
from ensemble.base.errors import InputError
from ensemble.pipeline import plan, recipe
from ensemble.pipeline import run as pipeline
from ensemble.pipeline.state import Memo
from tests.support.each import each
from tests.support.worlds import world

COLUMNS = ("pid", "cam", "track", "scene", "quality")


def write(place, model, data, rows=None, values=None):
    """One model of a world; ``rows`` of the gallery alone, and ``values`` in the place of its features."""
    sides = {}
    for side in ("query", "gallery", "train"):
        kept = rows if side == "gallery" and rows is not None else np.arange(len(data[side]))
        array = data[side] if values is None else values[side]
        sides |= {side: array[kept], f"{side}_name": np.array([f"{side}{row:03d}" for row in kept])}
    np.savez(place / f"{model}.npz", **sides)


@pytest.fixture
def features(tmp_path):
    """Models ``a`` and ``b``, side models ``camera`` and ``view``, tables with true and predicted cameras."""
    place = tmp_path / "features"
    (place / "side").mkdir(parents=True)
    data = world(nq=8, ng=40, people=8)
    random = np.random.default_rng(0)
    for side in ("query", "gallery", "train"):
        names = [f"{side}{row:03d}" for row in range(len(data[side]))]
        columns = {
            "name": names,
            **{c: data[f"{side}_{c}"] for c in ("pid", "cam", "track") if f"{side}_{c}" in data},
        }
        columns |= {"scene": data[f"{side}_cam"] % 2, "cam_predicted": (data[f"{side}_cam"] + 1) % 3}
        lines = [",".join(columns), *(",".join(map(str, row)) for row in zip(*columns.values(), strict=True))]
        (place / f"{side}.csv").write_text("\n".join(lines) + "\n")
    noisy = {
        s: (data[s] + 0.3 * random.normal(size=data[s].shape)).astype(np.float32)
        for s in ("query", "gallery", "train")
    }
    write(place, "a", data)
    write(place, "b", data, values=noisy)
    for side_model in ("camera", "view"):
        made = {s: random.normal(size=(len(data[s]), 2)).astype(np.float32) for s in ("query", "gallery", "train")}
        made["query"][0] = 0  # a side model may have nothing to say
        write(place / "side", side_model, data, values=made)
    return place


def result(features, content, **settings):
    checked = plan.check(recipe.parse(content, "mine"), io.scan(features))
    return pipeline.Run(checked, lambda line: None, **settings)()


def problems(features, content):
    with pytest.raises(InputError) as caught:
        result(features, content)
    return "\n".join(caught.value.problems)


def sets(features):
    folder = io.scan(features)
    return {found.model: found.data() for found in io.read(folder, list(folder.models))}


def distances_of(found, ng=40):
    """The whole matrix again from a ranking of everything, +inf for what is no answer."""
    out = np.full((len(found.ranking), ng), np.inf, np.float32)
    query, place = np.nonzero(found.ranking >= 0)
    out[query, found.ranking[query, place]] = found.distances[query, place]
    return out


def test_every_model_is_re_ranked_alone_and_then_summed(features):
    content = {
        "top_k": 40,
        "branch": [
            {
                "each": [{"use": "rerank", "k1": 5, "k2": 2}],
                "join": {"use": "weighted_sum", "weights": {"b": 0.5, "a": 1}},
                "steps": [{"use": "camera_penalty", "penalty": 1.0}],
            }
        ],
    }
    data = sets(features)
    wanted = sum(
        w * postproc.rerank(data[m]["query"], data[m]["gallery"], k1=5, k2=2) for m, w in (("a", 1), ("b", 0.5))
    )
    wanted = postproc.camera_penalty(wanted, data["a"]["query_cam"], data["a"]["gallery_cam"], penalty=1.0)
    assert_allclose(distances_of(result(features, content)), wanted, rtol=1e-6)


def test_weights_by_name_are_complete_and_known(features):
    join = {"use": "concat", "weights": {"a": 1, "c": 2}}
    content = {"branch": [{"join": join, "steps": [{"use": "distances"}]}]}
    assert "branch 1, join (concat), weights: wanted names among a, b, found 'c'" in problems(features, content)
    join["weights"] = {"a": 1}
    assert "weights: wanted one for each of a, b, found none for b" in problems(features, content)


def test_branches_have_names_for_their_weights(features):
    content = {
        "top_k": 40,
        "join": {"use": "weighted_sum", "weights": {"looks": 1, "b": -0.25}},
        "branch": [
            {"name": "looks", "models": ["a"], "steps": [{"use": "distances"}]},
            {"models": ["b"], "steps": [{"use": "distances"}]},
        ],
    }
    data = sets(features)
    a, b = (postproc.distances(data[m]["query"], data[m]["gallery"]) for m in "ab")
    assert_allclose(distances_of(result(features, content)), a - 0.25 * b, rtol=1e-5, atol=1e-5)


def test_side_models_come_in_groups_and_are_never_joined(features):
    content = {
        "top_k": 40,
        "auxiliary": {"camera": ["camera"], "view": {"models": ["view"], "each": [{"use": "l2_normalize"}]}},
        "branch": [
            {
                "models": ["*"],
                "join": {"use": "concat"},
                "steps": [
                    {"use": "distances"},
                    {"use": "subtract_auxiliary", "aux": "camera", "weight": 0.1},
                    {"use": "subtract_auxiliary", "aux": "view", "weight": 0.05},
                ],
            }
        ],
    }
    data = sets(features)
    wanted = sum(postproc.distances(data[m]["query"], data[m]["gallery"]) for m in "ab")
    camera, view = ([data[f"side/{m}"]["query"], data[f"side/{m}"]["gallery"]] for m in ("camera", "view"))
    wanted = postproc.subtract_auxiliary(wanted, *camera, weight=0.1)
    wanted = postproc.subtract_auxiliary(wanted, *map(postproc.l2_normalize, view), weight=0.05)
    assert_allclose(distances_of(result(features, content)), wanted, rtol=1e-5, atol=1e-5)
    content["branch"][0]["steps"][1]["aux"] = "cmaera"
    wanted = "aux: wanted a group of side models (camera, view), found 'cmaera'; did you mean 'camera'?"
    assert wanted in problems(features, content)


def test_without_a_group_all_side_models_stand_side_by_side(features):
    steps = [{"use": "distances"}, {"use": "subtract_auxiliary", "weight": 0.1}]
    content = {"top_k": 40, "branch": [{"models": ["a"], "auxiliary": ["camera", "side/view"], "steps": steps}]}
    data = sets(features)
    wanted = postproc.distances(data["a"]["query"], data["a"]["gallery"])
    sides = [
        np.concatenate([data[f"side/{m}"][s] for m in ("camera", "view")], axis=1) for s in ("query", "gallery")
    ]
    wanted = postproc.subtract_auxiliary(wanted, *sides, weight=0.1)
    assert_allclose(distances_of(result(features, content)), wanted, rtol=1e-5, atol=1e-5)


def test_predicted_cameras_are_for_steps_and_true_ones_for_scores(features):
    content = {
        "top_k": 40,
        "cameras": "cam_predicted",
        "branch": [{"models": ["a"], "steps": [{"use": "distances"}, {"use": "camera_penalty", "penalty": 9.0}]}],
    }
    data = sets(features)["a"]
    wanted = postproc.distances(data["query"], data["gallery"])
    wanted = postproc.camera_penalty(
        wanted, data["query_cam_predicted"], data["gallery_cam_predicted"], penalty=9.0
    )
    found = result(features, content)
    assert_array_equal(distances_of(found), wanted)
    plain = result(features, {"branch": [{"models": ["a"], "steps": [{"use": "distances"}]}]})
    assert len(found.scores.without_match) == len(plain.scores.without_match)  # the same junk
    for side in ("query", "gallery"):
        path = features / f"{side}.csv"
        path.write_text(path.read_text().replace("cam_predicted", "notes"))
    assert "cameras: wanted the column cam_predicted, found none" in problems(features, content)


def test_branches_for_scenes_cover_what_they_are_about(features):
    content = {
        "top_k": 40,
        "join": {"use": "weighted_sum", "missing": "mean"},
        "branch": [
            {"models": ["a"], "only": {"scene": 0}, "steps": [{"use": "distances"}]},
            {"models": ["b"], "only": {"scene": [1]}, "steps": [{"use": "distances"}]},
        ],
    }
    data = sets(features)
    scene = data["a"]["query_scene"][:, None], data["a"]["gallery_scene"]
    a, b = (postproc.distances(data[m]["query"], data[m]["gallery"]) for m in "ab")
    found = distances_of(result(features, content))
    for value, far in ((0, a), (1, b)):
        same = (scene[0] == value) & (scene[1] == value)
        assert_allclose(found[same], 2 * far[same], rtol=1e-5, atol=1e-5)  # the other branch takes its mean: this
    across = scene[0] != scene[1]  # nobody knows these pairs
    assert (found[across] == np.inf).all()
    assert np.isfinite(found[~across]).all()


def test_a_branch_without_the_other_images_leaves_them_behind_or_refuses(features):
    content = {"top_k": 40, "branch": [{"models": ["a"], "only": {"scene": 0}, "steps": [{"use": "distances"}]}]}
    assert "mine: wanted every query in some branch, found" in problems(features, content)
    content["branch"][0]["only"] = {"scene": 7}
    assert "a: wanted query and gallery images where scene [7], found none" in problems(features, content)
    content["branch"][0]["only"] = {"frame": 1}
    assert "only: wanted the column frame in query.csv and gallery.csv, found none" in problems(features, content)


def test_images_that_a_model_lacks_are_refused_dropped_or_kept(features):
    data, few = world(nq=8, ng=40, people=8), np.arange(0, 40, 2)
    write(features, "a", data, rows=few)
    content = {"top_k": 40, "branch": [{"join": {"use": "concat"}, "steps": [{"use": "distances"}]}]}
    assert "found 20 missing (gallery001, gallery003" in problems(features, content)
    content["missing"] = "drop"
    found = result(features, content)
    assert found.gallery_names == [f"gallery{row:03d}" for row in few]
    content["missing"] = "keep"  # side by side only where both are known, the others are no answer
    known = distances_of(result(features, content))
    assert np.isfinite(known[:, ::2]).all()
    assert (known[:, 1::2] == np.inf).all()
    both = {"each": [{"use": "distances"}], "join": {"use": "weighted_sum", "missing": "mean"}}
    found = distances_of(result(features, {"top_k": 40, "missing": "keep", "branch": [both]}))
    alone = {"top_k": 40, "branch": [{"models": ["b"], "steps": [{"use": "distances"}]}]}
    b = distances_of(result(features, alone))
    a = postproc.distances(data["query"], data["gallery"])
    assert_allclose(found[:, ::2], (a + b)[:, ::2], rtol=1e-5, atol=1e-5)
    assert_allclose(found[:, 1::2], 2 * b[:, 1::2], rtol=1e-5, atol=1e-5)  # b's, in the place of a's too
    both["join"].pop("missing")
    assert "weighted_sum" in problems(features, {"missing": "keep", "branch": [both]})


def test_a_query_cannot_be_dropped(features):
    data = world(nq=8, ng=40, people=8)
    sides = {side: data[side] for side in ("query", "gallery", "train")}
    names = {f"{side}_name": np.array([f"{side}{row:03d}" for row in range(len(sides[side]))]) for side in sides}
    np.savez(
        features / "a.npz",
        **sides | {"query": data["query"][1:]},
        **names | {"query_name": names["query_name"][1:]},
    )
    content = {"missing": "drop", "branch": [{"join": {"use": "concat"}, "steps": [{"use": "distances"}]}]}
    assert "a: wanted every query, since only gallery images can be dropped, found 1 missing" in problems(
        features, content
    )


def test_a_memo_changes_nothing_and_saves_the_beginning(features):
    folder = io.scan(features)
    known = {found.model: found for found in io.read(folder)}
    memo, shown = Memo(), []

    def go(lambda_value, memo):
        steps = [{"use": "l2_normalize"}, {"use": "rerank", "k1": 5, "lambda_value": lambda_value}]
        content = {"top_k": 40, "branch": [{"join": {"use": "concat"}, "steps": steps}]}
        shown.clear()
        checked = plan.check(recipe.parse(content, "mine"), folder)
        return pipeline.Run(checked, lambda line: shown.append(line.step), sets=known, memo=memo)()

    first = go(0.3, memo)
    assert shown == ["read", "model", "model", "concat", "l2_normalize", "rerank"]
    second = go(0.5, memo)
    assert shown == ["read", "rerank"]
    assert_array_equal(second.distances, go(0.5, None).distances)
    assert_array_equal(first.distances, go(0.3, memo).distances)
    assert shown == ["read", "rerank"]  # the last one is shown, because it is scored
    small = Memo(limit=10)
    assert_array_equal(go(0.3, small).distances, first.distances)
    assert len(small) == 0


def test_sets_can_be_cut_and_run_again(features):
    folder = io.scan(features)
    known = {found.model: found.take(query=np.arange(3), gallery=np.arange(10, 30)) for found in io.read(folder)}
    checked = plan.check(recipe.load("baseline"), folder)
    found = pipeline.Run(checked, lambda line: None, sets=known, every_step=False)()
    assert found.query_names == ["query000", "query001", "query002"]
    assert found.gallery_names[0] == "gallery010"
    assert [line.mAP for line in found.lines[:-1]] == [None] * (len(found.lines) - 1)
    assert found.lines[-1].mAP == found.scores.mAP


def test_the_resolved_recipe_names_models_and_weights(features, tmp_path):
    own = tmp_path / "own.toml"
    own.write_text(
        'top_k = 5\nsubmission = "csv"\nauxiliary = { camera = ["cam*"] }\n[[branch]]\nmodels = ["a", "b|c"]\n'
        'join = { use = "concat", weights = { c = 2, a = 1 } }\n'
        'steps = [{ use = "distances" }, { use = "subtract_auxiliary", aux = "camera" }]\n'
    )
    options = ["--features", str(features), "--out", str(tmp_path / "out")]
    assert run.main([*options, "--recipe", str(own)]) == 0
    resolved = recipe.load(str(tmp_path / "out" / "recipe.toml"))
    assert resolved.branches[0].models == ("a", "b")
    assert resolved.branches[0].join.settings["weights"] == [1, 2]
    assert resolved.auxiliary["camera"].models == ("side/camera",)
    first = (tmp_path / "out" / "ranking.csv").read_bytes()
    assert run.main([*options, "--recipe", str(tmp_path / "out" / "recipe.toml")]) == 0
    assert (tmp_path / "out" / "ranking.csv").read_bytes() == first
    record = json.loads((tmp_path / "out" / "run.json").read_text())
    assert any("side" in path for path in record["inputs"])


@each("join", ["calibrated", "graph_fusion", "trained_query_adaptive", "unsupervised_reliability"])
def test_joins_that_look_at_features_of_all_models(features, join):
    function = fusion.ACROSS[join]
    content = {"top_k": 40, "branch": [{"each": [{"use": "l2_normalize"}], "join": {"use": join}}]}
    data = sets(features)
    sides = {s: [postproc.l2_normalize(data[m][s]) for m in "ab"] for s in ("query", "gallery", "train")}
    wanted = function(sides["query"], sides["gallery"], sides["train"], data["a"]["train_pid"])
    assert_array_equal(distances_of(result(features, content)), wanted)


def test_a_join_that_learns_needs_labels(features):
    (features / "train.csv").unlink()
    content = {"top_k": 40, "branch": [{"each": [{"use": "l2_normalize"}], "join": {"use": "calibrated"}}]}
    assert "wanted train_pid in every part; this step learns" in problems(features, content)


def test_optional_steps_are_left_out_without_their_data(features):
    content = {
        "top_k": 40,
        "auxiliary": {"lights": {"models": ["lights"], "optional": True}},
        "branch": [
            {
                "models": ["a"],
                "steps": [
                    {"use": "distances"},
                    {"use": "subtract_auxiliary", "aux": "lights", "optional": True},
                    {"use": "spatio_temporal", "optional": True},
                    {"use": "scene_gate", "optional": True},
                ],
            }
        ],
    }
    folder = io.scan(features)
    checked = plan.check(recipe.parse(content, "mine"), folder)
    assert [use.name for use in checked.recipe.uses()] == ["distances", "scene_gate"]
    for side in ("query", "gallery"):
        path = features / f"{side}.csv"
        path.write_text(path.read_text().replace("scene", "notes"))
    data = sets(features)["a"]
    assert_array_equal(distances_of(result(features, content)), postproc.distances(data["query"], data["gallery"]))
    content["branch"][0]["steps"][1]["optional"] = "yes"
    assert "optional: wanted true or false, found 'yes'" in problems(features, content)


def test_a_join_that_makes_distances_makes_them_of_one_model_too(features):
    content = {"top_k": 40, "branch": [{"models": ["a"], "join": {"use": "graph_fusion"}}]}
    data = sets(features)["a"]
    wanted = fusion.ACROSS["graph_fusion"]([data["query"]], [data["gallery"]])
    assert_array_equal(distances_of(result(features, content)), wanted)
    unit = {"models": ["a"], "join": {"use": "concat", "normalize": True}, "steps": [{"use": "distances"}]}
    wanted = postproc.distances(*(postproc.l2_normalize(data[side]) for side in ("query", "gallery")))
    assert_array_equal(distances_of(result(features, {"top_k": 40, "branch": [unit]})), wanted)
