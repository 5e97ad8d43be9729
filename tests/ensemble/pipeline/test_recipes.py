"""The recipes of the package: in the order and with the constants of their sources, and all of them run."""

import json
import re
import tomllib
from dataclasses import replace
from functools import cache, partial

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from ensemble import io, run, validate
from ensemble.base.errors import InputError
from ensemble.city.folder import make
from ensemble.pipeline import joins, plan, recipe, steps
from ensemble.pipeline import run as pipeline
from ensemble.pipeline.changes import override
from ensemble.submissions import named
from postproc import apply_topology, camera_whitening, distances, rank, rerank, rerank_distances
from tests.support import golden
from tests.support.each import each

# What every source does after its networks, in its own order and with its own constants, written by hand from
# descriptions of the released code. "each": on every model; "join", "steps": behind that; "top": behind all.
# Numbers beside a recipe are the places of these steps in the source's chain, of which its networks are the first.
L2 = ("l2_normalize", {})
MEAN = ("weighted_sum", {"average": True, "weights": None})
SUM = ("weighted_sum", {"average": False, "weights": None, "scaling": "none"})
CONCAT = ("concat", {})
PENALTIES_2020 = {"penalty": 0.3, "direction": 0.1, "alike": 0.25, "group": 0.2}


def streid(bins):
    settings = {"k1": 20, "k2": 6, "lambda_value": 0.3, "alpha": 5.0, "bin_frames": 100, "sigma": 50.0}
    return ("rerank_spatio_temporal", settings | {"bins": bins})


def weighted(**weights):
    return ("weighted_sum", {"weights": weights, "average": False, "scaling": "none"})


TRACKS_2021 = ("rerank_tracks", {"k1": 7, "k2": 2, "lambda_value": 0.6, "pool": "weighted", "threshold": 0.6,
                                 "epsilon": 0.01, "normalize_twice": False})  # fmt: skip


def scene_2021(threshold, parts, beta, *after):
    """One scene of AI City 2021's second place: clusters, means, own camera, parts, exclusion."""
    return {
        "each": [L2],
        "join": CONCAT,
        "steps": [
            L2,
            ("cluster_queries", {"eps": 0.6, "min_samples": 2}),
            ("query_mean", {"group": "track", "threshold": threshold, "keep": 1.0, "add": 1.0}),
            ("quality_track_mean", {"threshold": threshold, "keep": 1.0, "add": 1.0}),
            ("distances", {"metric": "cosine"}),
            ("camera_penalty", {"penalty": 1.0}),
            ("part_penalty", {"weight": parts, "enough": 0.9}),
            ("exclude", {"beta": beta, "depth": 99, "group": 0.0, "direction": 0.0}),
            *after,
        ],
    }


CHAINS = {
    "aicity2019_uwipl": {
        "branches": [{
            "each": [L2],
            "join": CONCAT,
            "steps": [
                ("cluster_gallery_soft", {"k": 5, "rate": 0.5}),  # an option there, off here
                ("rerank_attributes", {"weight": 0.2, "k1": 4, "k2": 4, "lambda_value": 0.5}),
            ],
        }],
        "top": [],
    },
    "aicity2020_1st_baidu_uts": {
        "branches": [{
            "each": [L2],
            "join": CONCAT,
            "steps": [
                L2,
                ("cluster_queries", {"eps": 0.5, "min_samples": 2}),
                ("predict_camera_groups", {"eps": 0.3, "min_samples": 50, "complete": True}),
                ("query_mean", {"group": "track", "threshold": 15000, "keep": 0.0, "add": 1.0}),
                ("quality_track_mean", {"threshold": 15000, "keep": 1.0, "add": 0.5, "renormalize": True}),
                ("distances", {"metric": "cosine"}),
                ("camera_penalty", PENALTIES_2020),
                ("exclude", {"beta": 0.3, "direction": 0.1, "alike": 0.25, "group": 0.1, "depth": 99}),
                ("rerank_constrained", {"k1": 70, "k2": 10, "lambda_value": 0.2, "camera": 0.3, "direction": 0.1,
                                        "alike": 0.25, "group": 0.2, "together": 0.1, "between": 0.1}),
                ("camera_penalty", PENALTIES_2020),
            ],
        }],
        "top": [],
    },
    "aicity2020_2nd_voc": {  # 2 side models off, 3 re-ranking, 4 mean, 5 lists rewritten
        "branches": [{
            "each": [L2, ("rerank", {"k1": 50, "k2": 15, "lambda_value": 0.5, "power": 2.0,
                                     "auxiliary_weight": 0.1})],
            "join": SUM,
        }],
        "top": [("rewrite_tracks", {"by": "first_hit", "inside": "listed"})],
    },
    "aicity2021_cybercore": {  # the same, three models averaged
        "branches": [{
            "each": [L2, ("rerank", {"k1": 50, "k2": 15, "lambda_value": 0.5, "power": 2.0,
                                     "auxiliary_weight": 0.1})],
            "join": MEAN,
        }],
        "top": [("rewrite_tracks", {"by": "first_hit", "inside": "listed"})],
    },
    "aicity2020_3rd_dmt": {  # 2 track means, 3 re-ranking of tracks, 4 sum, 5 order inside: nearest first
        "branches": [{
            "each": [L2, ("rerank_tracks", {"k1": 7, "k2": 2, "lambda_value": 0.6, "pool": "mean",
                                            "order": "nearest", "normalize_twice": True})],
            "join": SUM,
        }],
        "top": [],
    },
    "aicity2020_4th_iosb": {  # 1 re-ranking of tracks, 2 sum, 3 the rule of orientation
        "branches": [{
            "each": [L2, ("track_mean", {"renormalize": True}),
                     ("rerank_tracks", {"k1": 6, "k2": 3, "lambda_value": 0.3, "pool": "mean",
                                        "normalize_twice": False})],
            "join": SUM,
        }],
        "top": [("orientation_rule", {"near": 0.03, "far": 0.3, "penalty": 0.5})],
    },
    "aicity2020_5th": {  # 2 side by side, 3 track means, 4 re-ranking; nothing is normalised
        "branches": [{
            "each": [],
            "join": CONCAT,
            "steps": [
                ("track_mean", {"chunk": 100, "renormalize": False}),
                ("rerank", {"k1": 15, "k2": 6, "lambda_value": 0.5, "power": 4}),
            ],
        }],
        "top": [],
    },
    "aicity2020_5th_matrices": {
        "branches": [{
            "each": [("track_mean", {"chunk": 100, "renormalize": False}),
                     ("rerank", {"k1": 15, "k2": 6, "lambda_value": 0.5, "power": 4})],
            "join": weighted(densenet=1, mgn=0.75, densenet_ALL=0.5, senet152=1),
        }],
        "top": [],
    },
    "aicity2021_1st_dmt": {  # 2 FIC, 3 weighted tracks, 4 re-ranking, 5 side models, 6 cameras, scenes; means are
        "branches": [  # linear, so that 7, the ensemble of models, may stand before 5
            {"each": [L2, TRACKS_2021], "join": MEAN},
            {"each": [L2, ("camera_whitening", {"ridge": 0.18, "center": True, "whiten": True}), TRACKS_2021],
             "join": MEAN},
            {"each": [L2, TRACKS_2021], "join": MEAN},
            {"each": [L2, TRACKS_2021], "join": MEAN},
        ],
        "join": weighted(looks=0.5, without_cameras=0.5, camera=-0.1, view=-0.05),
        "top": [("camera_penalty", {"penalty": 10.0}), ("scene_gate", {"penalty": 10.0})],
    },
    "aicity2021_2nd_baidu": {
        "branches": [
            scene_2021(
                15000, 0.5, 0.15,
                ("rerank_constrained", {"k1": 80, "k2": 15, "lambda_value": 0.6, "query_camera": 0.5}),
                ("camera_penalty", {"penalty": 2.0}),
            ),
            scene_2021(1500, 0.4, 0.1),
        ],
        "join": ("weighted_sum", {"weights": {"scene_1": 1, "scene_2": 1}}),
        "top": [],
    },
    "naic2019_ivyyz": {
        "branches": [{
            "each": [L2, ("rerank", {"k1": 5, "k2": 4, "lambda_value": 0.8, "power": 2.0})],
            "join": ("released_query_adaptive", {"main": 0.81, "references": 71, "top": 335}),
        }],
        "top": [],
    },
    "naic2019_dmt": {  # two galleries by colour
        "branches": [
            {"each": [L2, ("rerank", {"k1": 14, "k2": 4, "lambda_value": 0.4, "power": 2.0})], "join": SUM},
            {"each": [L2, ("rerank", {"k1": 10, "k2": 3, "lambda_value": 0.6, "power": 2.0})], "join": SUM},
        ],
        "join": ("weighted_sum", {"weights": {"green": 1, "normal": 1}}),
        "top": [],
    },
    "naic2019_swrdfk": {  # features as they are
        "branches": [{
            "each": [("rerank", {"k1": 10, "k2": 3, "lambda_value": 0.7, "power": 2.0})],
            "join": ("weighted_sum", {"average": False, "scaling": "none",
                                      "weights": {"*dense161*": 0.48, "*densenet161*": 0.48, "*": 1}}),
        }],
        "top": [],
    },
    "naic2020_1st": {  # 2 re-ranking, 3 sum
        "branches": [{
            "each": [L2, ("rerank", {"k1": 20, "k2": 3, "lambda_value": 0.8, "power": 2.0})],
            "join": MEAN,
        }],
        "top": [],
    },
    "visda2020_1st": {  # 2 FIC, 3 merged sets, 4 re-ranking, 4 1/2 ensemble, 5 camera models off, 6 own camera
        "branches": [
            {"each": [L2, ("camera_whitening", {"ridge": 0.02, "center": True, "whiten": True}),
                      ("merge_set_features", {"k": 50, "beta": 0.03, "step": 0.2, "rounds": 3}),
                      ("rerank", {"k1": 30, "k2": 8, "lambda_value": 0.3, "power": 2.0})],
             "join": ("weighted_sum", {"average": True, "weights": {
                 "*ibn_a*": 2, "test_a*": 2, "test_101*": 2, "*": 1}})},
            {"each": [L2, ("distances", {"metric": "euclidean"})], "join": MEAN},
        ],
        "join": weighted(looks=1.0, camera=-0.1),
        "top": [("camera_penalty", {"penalty": 1.0}), ("camera_topology", {"weight": 1.0})],
    },
    "visda2020_2nd": {  # side by side, camera off, re-ranking of squared distances that it squares
        "branches": [{
            "each": [L2],
            "join": CONCAT,
            "steps": [L2, ("rerank", {"k1": 30, "k2": 6, "lambda_value": 0.3, "power": 4,
                                      "auxiliary_weight": 0.1})],
        }],
        "top": [],
    },
    "visda2020_3rd": {  # 2 camera models off, 3 re-ranking, 4 off again, 5 mean
        "branches": [{
            "each": [L2, ("rerank", {"k1": 30, "k2": 6, "lambda_value": 0.15, "power": 2.0,
                                     "auxiliary_weight": 0.1}),
                     ("subtract_auxiliary", {"weight": 0.1, "metric": "sqeuclidean"})],
            "join": MEAN,
        }],
        "top": [],
    },
    "landmarks2019_1st": {
        "branches": [{
            "each": [L2],
            "join": ("concat", {"weights": {"v19c*": 0.25, "v22c*": 0.25, "*": 1}}),
            "steps": [L2, ("distances", {"metric": "sqeuclidean"}),
                      ("sort_and_insert", {"k": 3, "threshold": 0.6, "depth": 100})],
        }],
        "top": [],
    },
    "landmarks_egt": {
        "branches": [{
            "each": [L2],
            "join": CONCAT,
            "steps": [L2, ("explore_exploit", {"k": 250, "threshold": 0.42, "depth": 5000})],
        }],
        "top": [],
    },
    "market_streid": {
        "branches": [{"each": [L2], "join": CONCAT, "steps": [L2, streid(5000)]}],
        "top": [],
    },
    "duke_streid": {
        "branches": [{"each": [L2], "join": CONCAT, "steps": [L2, streid(3000)]}],
        "top": [],
    },
    "market_layumi": {
        "branches": [{
            "each": [L2],
            "join": CONCAT,
            "steps": [L2, ("rerank", {"k1": 20, "k2": 6, "lambda_value": 0.3, "power": 4})],
        }],
        "top": [],
    },
    "market_layumi_gnn": {
        "branches": [{
            "each": [L2],
            "join": CONCAT,
            "steps": [L2, ("gnn_rerank", {"k1": 26, "k2": 7, "lambda_value": 0.3})],
        }],
        "top": [],
    },
    "lightreid": {  # 32, 128, 512, 2048 bits
        "branches": [{
            "each": [],
            "join": CONCAT,
            "steps": [("coarse_to_fine", {"shortest": 32, "growth": 4, "beta": 2.0, "radius": None})],
        }],
        "top": [],
    },
    "sysu_all_search": {
        "branches": [{"each": [L2], "join": CONCAT, "steps": [("distances", {"metric": "cosine"})]}],
        "top": [],
    },
    "jaguar2026": {
        "branches": [{
            "each": [L2],
            "join": CONCAT,
            "steps": [
                L2,
                ("query_expansion", {"expand": "gallery", "k": 3}),
                ("rerank", {"k1": 20, "k2": 6, "lambda_value": 0.3}),
            ],
        }],
        "top": [],
    },
}  # fmt: skip
HANDED_IN = {
    "landmarks": ("landmarks", 100),
    "visda": ("visda", 100),
    "naic": ("naic", 200),
    "aicity": ("track2", 100),
}
OURS = {
    "baseline",
    "best",
    "best_pairs",
    "default",
    "joined",
    "kreciprocal",
    "structure",
    "lists",
    "lists_best",
    "lists_structure",
}


def effective(use):
    """A step's settings with its defaults."""
    known = steps.catalogue().get(use.name)
    if known:
        return known.with_defaults(use.settings)
    return {"average": False, "scaling": "none", "weights": None} | dict(use.settings)


def agree(uses, wanted):
    """The same steps in the same order, with at least these settings."""
    assert [use.name for use in uses] == [name for name, _ in wanted]
    for use, (name, settings) in zip(uses, wanted, strict=True):
        found = effective(use)
        assert {key: found[key] for key in settings} == settings, name


@each("name", CHAINS)
def test_a_recipe_stands_as_its_source_has_it(name):
    found, wanted = recipe.load(name), CHAINS[name]
    assert len(found.branches) == len(wanted["branches"])
    for branch, chain in zip(found.branches, wanted["branches"], strict=True):
        agree(branch.each, chain["each"])
        agree([branch.join], [chain["join"]])
        agree(branch.steps, chain.get("steps", []))
    agree([found.join] if found.join else [], [wanted["join"]] if "join" in wanted else [])
    agree(found.steps, wanted["top"])
    for start, handed_in in HANDED_IN.items():
        if name.startswith(start):
            assert (found.submission, found.top_k) == handed_in


def test_side_models_are_those_of_the_source():
    for name in ("aicity2020_2nd_voc", "aicity2021_cybercore"):
        groups = recipe.load(name).auxiliary.values()
        assert [group.models for group in groups] == [("camera*",), ("orientation*",)]
        assert all(group.average for group in groups)
    for name in ("visda2020_2nd", "visda2020_3rd"):
        assert recipe.load(name).auxiliary["camera"].models == ("camera*",)
        assert recipe.load(name).auxiliary["camera"].average
    assert [branch.models for branch in recipe.load("aicity2021_1st_dmt").branches] == [
        ("*",), ("*",), ("side/camera*",), ("side/orientation*",),
    ]  # fmt: skip
    for name in ("aicity2021_2nd_baidu", "naic2019_dmt"):
        assert [branch.only for branch in recipe.load(name).branches] == [{"scene": (1,)}, {"scene": (2,)}]
    assert {recipe.load(name).cameras for name in ("visda2020_1st", "aicity2020_1st_baidu_uts")} == {
        "cam_predicted"
    }


@each("name", recipe.available())
def test_a_recipe_says_where_it_comes_from_and_what_it_needs(name):
    text = recipe.available()[name].read_text(encoding="utf-8")
    head = text[: text.index("about = ")]
    assert head.startswith("# ")
    assert name.startswith(("lists", "structure")) or head.startswith("# Source: ")
    assert re.search(r"[Nn]eeds\s", head) or name == "lists"
    assert tomllib.loads(text)["about"].endswith(".")
    assert name in CHAINS or name in OURS, "a new recipe: write its chain down above"
    assert recipe.load(name).branches


# Every recipe on a small city that has what it needs, through the command line.

KIND = {
    "naic2019_dmt": "two_scenes",
    "aicity": "two_scenes",
    "structure": "two_scenes",
    "naic": "crowd",
    "visda": "domain",
    "sysu": "infrared",
    "landmarks": "campus",
}
RECIPES = [name for name in recipe.available() if not name.startswith("lists")]


def kind_of(name):
    return next((kind for start, kind in KIND.items() if name.startswith(start)), "people")


def cut(place, kind, queries=24):
    """A demo city with few queries and the gallery images of as many identities, side models beside it."""
    whole = place / "whole" / kind
    make(whole, kind=kind, width=32)
    folder = io.scan(whole)
    sets = io.read(folder, list(folder.models))
    asked, known = sets[0].query_table["pid"].to_numpy(), sets[0].gallery_table["pid"].to_numpy()
    if kind == "two_scenes":  # as many queries of either scene
        scene = sets[0].query_table["scene"].to_numpy()
        rows = np.sort(np.concatenate([np.flatnonzero(scene == s)[: queries // 2] for s in (1, 2)]))
    else:
        rows = np.arange(queries)
    gallery = np.flatnonzero(np.isin(known, asked[rows]))
    gallery = np.union1d(gallery, np.arange(0, len(known), max(1, len(known) // 250)))
    small = place / kind
    for found in sets:
        path = small / f"{found.model}.npz"
        path.parent.mkdir(parents=True, exist_ok=True)
        io.write_npz(path, found.take(query=rows, gallery=gallery))
    for side, table, kept in (("query", sets[0].query_table, rows), ("gallery", sets[0].gallery_table, gallery)):
        lines = "".join(f"{image}\n" for image in table["name"].iloc[kept])
        (place / f"{kind}.{side}.txt").write_text(lines)
    return small


@pytest.fixture(scope="module")
def cities(tmp_path_factory):
    """kind -> folder, made when first asked for."""
    return cache(partial(cut, tmp_path_factory.mktemp("cities")))


@each("name", RECIPES)
def test_a_recipe_runs_and_its_submission_is_valid(name, cities, tmp_path, capsys):
    folder = cities(kind_of(name))
    options = ["--features", str(folder), "--recipe", name, "--out", str(tmp_path), "--threads", "1"]
    assert run.main(options) == 0
    assert "mAP" in capsys.readouterr().out
    used = recipe.load(name)
    assert used.submission in ("visda", "naic", "track2", "csv", "landmarks")
    path = tmp_path / json.loads((tmp_path / "run.json").read_text())["submission"]
    form = used.submission if kind_of(name) != "people" else "csv"  # names there are no numbers
    assert path.name == named(form).file
    names = [f"--{side}-names={folder.parent / f'{folder.name}.{side}.txt'}" for side in ("query", "gallery")]
    assert validate.main([str(path), "--format", form, *names, "--top-k", str(used.top_k)]) == 0


@each("kind", ["two_scenes", "people", "crowd", "domain"])
def test_best_takes_what_there_is(kind, cities):
    """Only steps whose data is there are left; the first way to re-rank stands in for the others."""
    checked = plan.check(recipe.load("best"), io.scan(cities(kind)))
    found = [use.name for use in (*checked.recipe.branches[0].steps, *checked.recipe.steps)]
    assert found == {
        "two_scenes": ["weighted_track_mean", "rerank_spatio_temporal", "camera_penalty", "scene_gate",
                       "one_track_per_camera", "rewrite_tracks"],
        "people": ["rerank_spatio_temporal", "camera_penalty"],
        "crowd": ["gnn_rerank"],
        "domain": ["camera_whitening", "gnn_rerank", "camera_penalty"],
    }[kind]  # fmt: skip


@each("kind", ["two_scenes", "people", "crowd", "domain"])
def test_best_is_better_than_nothing_done_and_than_the_default(kind, cities):
    folder = io.scan(cities(kind))
    reached = [score(folder, name) for name in ("best", "default", "baseline")]
    assert reached[0] > max(reached[1:]) + 0.02


def score(folder, name):
    found = pipeline.Run(plan.check(recipe.load(name), folder), lambda line: None, every_step=False)()
    return found.scores.mAP


# Recipes against what the released code gave, from features to the end, wherever the file has every input.
# Not possible: lightreid (codes of every length are separate networks' outputs there, the short one no part of the
# long one, and thresholds are fitted on the labels of the test set: tests/test_codes.py has them in parts).


def answer(place, content, ng, *, apart=False, **sets):
    """The whole matrix (nq, ng) of distances that a recipe gives on models written to a folder.

    apart: galleries that do not know each other; +inf for images that are not returned.
    """
    columns = sets.pop("columns", {})
    for model, sides in sets.items():
        path = place / f"{model.replace('side_', 'side/')}.npz"
        path.parent.mkdir(parents=True, exist_ok=True)
        np.savez(path, **dict(zip(("query", "gallery", "train"), sides, strict=False)), **columns)
    checked = plan.check(content, io.scan(place))
    found = pipeline.Run(replace(checked, recipe=replace(checked.recipe, top_k=ng)), lambda line: None)()
    out = np.full((len(found.ranking), ng), np.inf if apart else np.nan, np.float32)
    listed = found.ranking >= 0
    assert apart or listed.all()
    out[np.nonzero(listed)[0], found.ranking[listed]] = found.distances[listed]
    assert not np.isnan(out).any()
    return out


def load(name, *changes):
    return override(recipe.load(name), changes)


def without(content, *branches):
    """A recipe without some of its branches, and their weights."""
    raw = content.as_toml()
    raw["branch"] = [branch for branch in raw["branch"] if branch.get("name") not in branches]
    raw["join"]["weights"] = {k: v for k, v in raw["join"]["weights"].items() if k not in branches}
    return recipe.parse(raw, content.name)


def numbers(pattern, key):
    found = re.fullmatch(pattern, key)
    return [float(text) if "." in text else int(text) for text in found.groups()] if found else None


def test_released_voc(shared, tmp_path):
    released, exact = golden.load(shared, "voc"), golden.load(shared, "voc_v32")
    nq, ng = released["q"].shape[0], released["g"].shape[0]
    order = np.empty(ng, int)
    order[released["track_file_order_ids"] - 1] = np.arange(ng)
    parts = {"side_camera": released["cam_feat"], "side_orientation": released["ori_feat"]}
    side = {name: (part[:nq], part[nq:]) for name, part in parts.items()}
    models = {f"m{n or 1}": (released[f"q{n}"], released[f"g{n}"]) for n in ("", "2", "3")}
    columns = {"gallery_track": released["g_track"], "gallery_order": order}
    content = load("aicity2020_2nd_voc")
    summed = answer(tmp_path, replace(content, steps=()), ng, **models, **side, columns=columns)
    assert_allclose(summed / 3, exact["voc_mean3_v32"], rtol=0, atol=1e-5)
    assert_allclose(summed / 3, released["voc_mean3"], rtol=0, atol=1e-2)  # V in float16 there
    places = answer(tmp_path, content, ng)
    assert_array_equal(rank(places), rewritten(rank(exact["voc_mean3_v32"]), released["g_track"], order))


def rewritten(ranking, track, order):
    """Whole tracks in file order where their first image stands."""
    out = []
    for row in ranking:
        tracks = dict.fromkeys(track[row].tolist())
        members = [np.flatnonzero(track == one) for one in tracks]
        out.append(np.concatenate([rows[np.argsort(order[rows])] for rows in members]))
    return np.array(out)


def test_released_dmt_2020(shared, tmp_path):
    released, exact = golden.load(shared, "dmt2020"), golden.load(shared, "dmt_v32")
    models = {"m1": (released["q"], released["g"]), "m2": (released["q2"], released["g2"])}
    track = released["g_track"]
    found = answer(tmp_path, load("aicity2020_3rd_dmt"), len(track), **models, columns={"gallery_track": track})
    total = exact["dmt20_track_dist_m1_v32"] + exact["dmt20_track_dist_m2_v32"]
    assert_allclose(found, total[:, track], rtol=0, atol=2.5e-6 + 1e-6)  # 1e-6 a model orders a track
    theirs = released["dmt20_image_dist_m1"] + released["dmt20_image_dist_m2"]
    assert_allclose(found, theirs, rtol=0, atol=4e-3)  # two models in float16


def test_released_dmt_2021(shared, tmp_path):
    """Of the side models the file has what comes out of re-ranking, and not what goes in: taken off by hand."""
    released = golden.load(shared, "dmt2021")
    track, cams = released["g_track"], (released["q_cam"], released["g_cam"])
    (key,) = [key for key in released if key.startswith("dmt21_final_")]
    ridge = re.search(r"fic(\d)p(\d+)", key)
    gate = re.search(r"scene(\d+)_10", key)
    columns = {"query_cam": cams[0], "gallery_cam": cams[1], "gallery_track": track}
    second = int(gate[1]) if gate else np.inf  # cameras from here on are of another scene
    columns |= {"query_scene": cams[0] >= second, "gallery_scene": cams[1] >= second}
    columns = {name: np.asarray(value, np.int64) for name, value in columns.items()}
    content = load("aicity2021_1st_dmt", f"camera_whitening.ridge={ridge[1]}.{ridge[2]}")
    content = without(content, "camera", "view")
    sets = {"m": (released["q"], released["g"])}
    found = answer(tmp_path, content, len(track), **sets, columns=columns)
    found -= (0.1 * released["track_cam_rk"] + 0.05 * released["track_view_rk"])[:, track]
    assert_allclose(found, released[key], rtol=0, atol=5e-4)  # V in float16 there


def test_released_iosb(shared, tmp_path):
    """One feature a track there: every image gets that of its track."""
    released = golden.load(shared, "iosb2020")
    track = released["g_track"]
    nq = len(released["orient"]) - len(track)
    rows = [released[f"query_and_track_feats_model{m}"] for m in (1, 2)]
    models = {f"m{m}": (x[:nq], x[nq:][track]) for m, x in enumerate(rows, 1)}
    models |= {"side_orientation": (released["orient"][:nq], released["orient"][nq:])}
    found = answer(tmp_path, load("aicity2020_4th_iosb"), len(track), **models, columns={"gallery_track": track})
    assert_allclose(found, released["final_orient0.03_sum0.3_plus0.5_v32"], rtol=0, atol=1e-5)
    assert_allclose(found, released["final_orient0.03_sum0.3_plus0.5"], rtol=0, atol=2e-3)


@each("name", ["aicity2020_5th", "aicity2020_5th_matrices"])
def test_released_gggcy(shared, tmp_path, name):
    released = golden.load(shared, "gggcy")
    names, suffixes = ("densenet", "mgn", "densenet_ALL", "senet152"), ("", "2", "3", "4")
    columns, ng = {"gallery_track": released["g_track"]}, len(released["g"])
    if name == "aicity2020_5th":  # four times half a model, side by side, is that model; a stable sort there
        stable = golden.load(shared, "gggcy_rerank_extra")
        models = dict.fromkeys(names, (stable["q"] / 2, stable["g"] / 2))
        columns = {"gallery_track": stable["g_track"]}
        found = answer(tmp_path, load(name), ng, **models, columns=columns)
        (key,) = [key for key in stable if key.startswith("rerank_merged_m1_k15_6_0.5_stable")]
        assert_allclose(found, stable[key], rtol=0, atol=1e-5)
        return
    models = {m: (released[f"q{s}"], released[f"g{s}"]) for m, s in zip(names, suffixes, strict=True)}
    found = answer(tmp_path, load(name), ng, **models, columns=columns)
    away = abs(found - released["ensemble_distmat_w1_0.75_0.5_1"])  # ties go by an unstable sort there
    assert (away < 4e-5).mean() > 0.9
    assert away.max() < 0.4


@each("start", ["features", "merged"])
def test_released_vimar(shared, tmp_path, start):
    """Up to the 5 x 5 table, which is from their validation set: ours is learned, so it is put on by hand.

    There means and covariances of a camera are rounded to float16, which moves features by 0.005 and neighbours
    with them: from the features on most distances agree, from what comes out of merging on all.
    """
    released = golden.load(shared, "vimar_pipeline")
    cams = released["q_cam"] % 5, released["g_cam"] % 5
    learned = {"train_pid": np.arange(4) // 2, "train_cam": np.arange(4) % 2}
    columns = learned | {"query_cam_predicted": cams[0], "gallery_cam_predicted": cams[1]}
    keys = ("q", "g") if start == "features" else ("fq__after_fic_and_3_merges", "fg__after_fic_and_3_merges")
    sets = {"m": [released[key] for key in keys], "side_camera": [released[key] for key in ("cq", "cg")]}
    for sides in sets.values():
        sides.append(np.eye(4, sides[0].shape[1], dtype=np.float32))  # nobody learns from these
    content = load("visda2020_1st", "camera_topology.weight=0")
    looks, camera = content.branches
    left = looks.each[1:] if start == "features" else looks.each[-1:]  # lengths are as they are in the file
    content = replace(content, branches=(replace(looks, each=left), camera))
    found = answer(tmp_path, content, len(cams[1]), **sets, columns=columns)
    table = [
        [0.20634, 0.11704, 0.21065, 0.29363, 0.17235],
        [0.2029, 0.17888, 0.20383, 0.21945, 0.19494],
        [0.20608, 0.11115, 0.21078, 0.30260, 0.16940],
        [0.20604, 0.11043, 0.21078, 0.30373, 0.16903],
        [0.20641, 0.13280, 0.20976, 0.27158, 0.17944],
    ]
    away = abs(apply_topology(found, *cams, np.array(table)) - released["dist__final"])
    assert np.quantile(away, 0.75 if start == "features" else 1) < 3e-3  # V in float16 there, too


def test_released_st_reid(shared, tmp_path):
    """Bins as the file has them: 3000 are the recipe of DukeMTMC-reID, 5000 that of Market-1501."""
    released = golden.load(shared, "st_reid")
    bins = int(released["hist_shape"][2])
    name = {3000: "duke_streid", 5000: "market_streid"}[bins]
    columns = {f"{s}_{c}": released[f"{s[0]}_{c}"] for s in ("query", "gallery") for c in ("cam", "frame")}
    columns |= {"train_pid": released["train_label"], "train_cam": released["train_cam"]}
    columns |= {"train_frame": released["train_frame"]}
    train = np.ones((len(released["train_label"]), released["q"].shape[1]), np.float32)  # nobody looks at these
    sets, checked = {"m": (released["q"], released["g"], train)}, 0
    for key in released:
        if setting := numbers(r"rerank_s(\d+)_a(\d+)_k(\d+)_(\d+)_([\d.]+)", key):
            names = ("sigma", "alpha", "k1", "k2", "lambda_value")
            changes = [f"rerank_spatio_temporal.{n}={v}" for n, v in zip(names, setting, strict=True)]
            found = answer(tmp_path, load(name, *changes), len(released["g"]), **sets, columns=columns)
            assert_allclose(found, released[key], rtol=0, atol=1e-5, err_msg=key)
            checked += 1
    assert checked


def test_released_layumi(shared, tmp_path):
    released, checked = golden.load(shared, "rerank"), 0
    for key in released:
        if setting := numbers(r"layumi_d4_k(\d+)_(\d+)_([\d.]+)", key):
            changes = [f"rerank.{n}={v}" for n, v in zip(("k1", "k2", "lambda_value"), setting, strict=True)]
            sets = {"m": (released["q"], released["g"])}
            found = answer(tmp_path, load("market_layumi", *changes), len(released["g"]), **sets)
            assert_allclose(found, released[key], rtol=0, atol=1e-5, err_msg=key)
            checked += 1
    assert checked


def test_released_gnn(shared, tmp_path):
    released, checked = golden.load(shared, "gnn"), 0
    for key in released:
        if key.startswith("sim__gnn__"):
            setting = golden.settings_in(key)
            changes = [
                f"gnn_rerank.{n}={setting[v]}" for n, v in (("k1", "k1"), ("k2", "k2"), ("lambda_value", "lam"))
            ]
            sets = {"m": (released["q"], released["g"])}
            found = answer(tmp_path, load("market_layumi_gnn", *changes), len(released["g"]), **sets)
            assert_allclose(1 - found, released[key], rtol=0, atol=1e-5, err_msg=key)
            checked += 1
    assert checked


def test_released_ivyyz_re_ranking(shared, tmp_path):
    """One model alone: its re-ranking, every query's distances brought to 0 to 1."""
    released = golden.load(shared, "s2_rerank")
    found = answer(tmp_path, load("naic2019_ivyyz"), len(released["g"]), m=(released["q"], released["g"]))
    wanted = released["rerank_k5_4_0.8_v32"]
    low, high = wanted.min(axis=1, keepdims=True), wanted.max(axis=1, keepdims=True)
    assert_allclose(found, (wanted - low) / (high - low), rtol=0, atol=1e-5)


def test_released_ivyyz_fusion(shared, tmp_path):
    """Of features there are three matrices, one of similarities: rank lists, and the recipe without each."""
    released = golden.load(shared, "s2_fusion")
    order = np.ix_(released["row_order_of_text"], released["col_order_of_text"])
    parts = {"a": released["dist_rank"][order], "b": -released["sim_mhn"][order], "c": released["dist_mgn"][order]}
    (key,) = [key for key in released if key.startswith("weights_")]
    references, top = map(int, re.search(r"ref(\d+)_top(\d+)", key).groups())
    (key,) = [key for key in released if key.startswith("fused_") and key.endswith("text_order")]
    raw = load("naic2019_ivyyz", f"released_query_adaptive.references={references}").as_toml()
    raw["branch"][0] |= {"each": []}
    raw["branch"][0]["join"] |= {"top": top, "similarities": [False, True, False]}
    nq, ng = parts["a"].shape
    for name, part in parts.items():
        rows = np.argsort(part, axis=1, kind="stable")
        lines = ["query,rank,gallery,distance"]
        lines += [
            f"{q},{r + 1},{row},{float(part[q, row])!r}"
            for q in range(nq)
            for r, row in enumerate(rows[q].tolist())
        ]
        (tmp_path / f"{name}.csv").write_text("\n".join(lines) + "\n")
    for side, count in (("query", nq), ("gallery", ng)):
        (tmp_path / f"name_{'query' if side == 'query' else 'test'}.txt").write_text(
            "".join(f"{i}\n" for i in range(count))
        )
    folder = io.scan(tmp_path, rankings=True)
    checked = plan.check(recipe.parse(raw | {"top_k": ng}, "mine"), folder)
    found = pipeline.Run(checked, lambda line: None)()
    out = np.empty((nq, ng), np.float32)
    np.put_along_axis(out, found.ranking, found.distances, axis=1)
    assert_allclose(out, released[key], rtol=0, atol=1e-6)
    listed = released["col_order_of_text"][found.ranking[:, :200]]
    assert_array_equal(listed, released["fused_top200_gallery_row"])


# Winners whose released code was not run: each against its own formula on small planted worlds, step by step.


def world(seed, nq, ng, width=16, people=8):
    """Features of unit length around some people, of queries and of the gallery."""
    random = np.random.default_rng(seed)
    centre = random.normal(size=(people, width))
    sides = [centre[random.integers(0, people, n)] + 0.6 * random.normal(size=(n, width)) for n in (nq, ng)]
    return [(x / np.linalg.norm(x, axis=1, keepdims=True)).astype(np.float32) for x in sides]


def squared(x, y):
    return ((x[:, None].astype(np.float64) - y[None]) ** 2).sum(axis=2)


def test_visda_second_is_the_squared_difference_re_ranked(tmp_path):
    """Its re-ranking takes D = d^2 - 0.1 camera^2 of all images, squares it and divides by the largest."""
    nq, ng = 6, 40
    (qa, ga), (qb, gb), (qc, gc) = (world(seed, nq, ng) for seed in (1, 2, 3))
    found = answer(tmp_path, load("visda2020_2nd"), ng, a=(qa, ga), b=(qb, gb), side_camera=(qc, gc))
    images = np.concatenate([np.hstack([qa, qb]), np.hstack([ga, gb])]) / np.sqrt(2)
    cameras = np.concatenate([qc, gc])
    whole = squared(images, images) - 0.1 * squared(cameras, cameras)
    assert (whole + 9 * np.eye(nq + ng) > 0).all()  # nothing is folded by the square
    blocks = (whole[:nq, nq:], whole[:nq, :nq], whole[nq:, nq:])
    wanted = rerank_distances(*(np.asarray(b, np.float32) for b in blocks), k1=30, k2=6, lambda_value=0.3, power=2)
    assert_allclose(found, wanted, rtol=0, atol=1e-5)


@each("name", ["aicity2020_2nd_voc", "aicity2021_cybercore", "visda2020_2nd", "visda2020_3rd"])
def test_several_side_models_of_a_kind_count_as_one(tmp_path, name):
    """Two camera models of the same word change nothing; two of different words say their mean."""
    nq, ng = 6, 40
    (q, g), (qa, ga), (qb, gb), view = (world(seed, nq, ng) for seed in range(4))
    columns = {"gallery_track": np.arange(ng) // 4}
    content = replace(load(name), steps=())
    sets = {"m": (q, g)} | ({"side_orientation": view} if name.startswith("aicity") else {})
    first = {"side_camera_a": (qa, ga), "columns": columns}
    one = answer(tmp_path / "one", content, ng, **sets, **first)
    twice = answer(tmp_path / "twice", content, ng, **sets, **first, side_camera_b=(qa, ga))
    assert_allclose(twice, one, rtol=0, atol=1e-6)
    both = answer(tmp_path / "both", content, ng, **sets, **first, side_camera_b=(qb, gb))
    mean = tuple(np.hstack(pair) / np.float32(np.sqrt(2)) for pair in ((qa, qb), (ga, gb)))
    alone = answer(tmp_path / "mean", content, ng, **sets, side_camera=mean, columns=columns)
    assert_allclose(both, alone, rtol=0, atol=1e-6)
    assert abs(both - one).max() > 1e-3


def test_cybercore_is_voc_on_the_mean(shared, tmp_path):
    released, exact = golden.load(shared, "voc"), golden.load(shared, "voc_v32")
    nq, ng = released["q"].shape[0], released["g"].shape[0]
    side = {
        f"side_{name}": (released[key][:nq], released[key][nq:])
        for name, key in (("camera", "cam_feat"), ("orientation", "ori_feat"))
    }
    models = {f"m{n or 1}": (released[f"q{n}"], released[f"g{n}"]) for n in ("", "2", "3")}
    content = replace(load("aicity2021_cybercore"), steps=())
    found = answer(tmp_path, content, ng, **models, **side, columns={"gallery_track": released["g_track"]})
    assert_allclose(found, exact["voc_mean3_v32"], rtol=0, atol=1e-5)


def test_naic_dmt_ranks_its_galleries_apart(tmp_path):
    """Each query among the images of its own colours, by its own constants; none of the others is returned."""
    green, normal = [world(seed, 5, 30) for seed in (1, 2)], [world(seed, 7, 24) for seed in (3, 4)]
    sets = {f"m{m}": [np.concatenate([green[m][side], normal[m][side]]) for side in (0, 1)] for m in (0, 1)}
    columns = {"query_scene": np.repeat([1, 2], [5, 7]), "gallery_scene": np.repeat([1, 2], [30, 24])}
    found = answer(tmp_path, load("naic2019_dmt"), 54, apart=True, **sets, columns=columns)
    first = sum(rerank(*green[m], k1=14, k2=4, lambda_value=0.4) for m in (0, 1))
    second = sum(rerank(*normal[m], k1=10, k2=3, lambda_value=0.6) for m in (0, 1))
    assert_allclose(found[:5, :30], first, rtol=0, atol=1e-5)
    assert_allclose(found[5:, 30:], second, rtol=0, atol=1e-5)
    assert np.isinf(found[:5, 30:]).all()
    assert np.isinf(found[5:, :30]).all()


def test_swrdfk_weighs_its_third_network_less(tmp_path):
    names, weights = ("resnet101a_SA", "resnet101a_RLL", "densenet161_CBL"), (1, 1, 0.48)
    sets = {name: [3 * x for x in world(seed, 5, 30)] for seed, name in enumerate(names)}
    found = answer(tmp_path, load("naic2019_swrdfk"), 30, **sets)
    parts = [w * rerank(*sets[n], k1=10, k2=3, lambda_value=0.7) for n, w in zip(names, weights, strict=True)]
    assert_allclose(found, sum(parts), rtol=0, atol=1e-5)


def test_visda_first_weighs_its_networks(tmp_path):
    """2, 1, 2, 1 over two sizes, as in the release; models of other names count the same."""
    content = load("visda2020_1st")
    released = [f"test_{name}{size}" for size in ("", "_large") for name in ("a", "b", "101", "hr")]
    spelt = ["resnet50_ibn_a", "resnet50_ibn_b", "resnet101_ibn_a", "hrnetv2_w18"]
    weights = content.branches[0].join.settings["weights"]
    assert joins.by_name(weights, released, {}) == ([2, 1, 2, 1] * 2, [])
    assert joins.by_name(weights, spelt, {}) == ([2, 1, 2, 1], [])
    assert joins.by_name(weights, ["agw", "mgn"], {}) == ([1, 1], [])


def test_dmt_2021_has_a_ridge_for_each_model():
    """As in configs/stage2; others have the default of its code."""
    (branch,) = [branch for branch in recipe.load("aicity2021_1st_dmt").branches if branch.own]
    wanted = {
        "101a_384": 0.18, "101a_384_recrop": 0.22, "101a_384_spgan": 0.22, "densenet169a_384": 0.23,
        "resnext101a_384": 0.11, "s101_384": 0.09, "se_resnet101a_384": 0.18, "transreid_256": 0.11, "mine": 0.18,
    }  # fmt: skip
    found = {model: branch.each_of(model)[1].settings["ridge"] for model in wanted}
    assert found == wanted
    changed = load("aicity2021_1st_dmt", "camera_whitening.ridge=0.5").branches[1]
    assert {changed.each_of(model)[1].settings["ridge"] for model in wanted} == {0.5}


def test_a_model_with_settings_of_its_own_runs_with_them(tmp_path):
    (qa, ga), (qb, gb) = world(1, 5, 40), world(2, 5, 40)
    cams = {"query_cam": np.arange(5) % 2, "gallery_cam": np.arange(40) % 2, "gallery_track": np.arange(40) // 2}
    whiten = {"use": "camera_whitening", "ridge": 0.18}
    each = [whiten, {"use": "distances"}]
    own = {"s*": {"camera_whitening": {"ridge": 0.01}}, "nobody*": {"camera_whitening": {"ridge": 7.0}}}
    raw = {"branch": [{"each": each, "own": own, "join": {"use": "weighted_sum"}}]}
    content = recipe.parse(raw, "mine")
    assert recipe.parse(content.as_toml(), "mine").branches[0].own == own
    found = answer(tmp_path, content, 40, plain=(qa, ga), special=(qb, gb), columns=cams)
    parts = [
        distances(*camera_whitening(q, g, cams["query_cam"], cams["gallery_cam"], ridge=ridge))
        for q, g, ridge in ((qa, ga, 0.18), (qb, gb, 0.01))
    ]
    assert_allclose(found, parts[0] + parts[1], rtol=0, atol=1e-5)
    own["s*"] = {"camera_whitening": {"ridge": -1.0}}
    with pytest.raises(InputError, match=r"ridge.*own of special"):
        answer(tmp_path, recipe.parse(raw, "mine"), 40)
    own["s*"] = {"rerank": {"k1": 3}}
    with pytest.raises(InputError, match=r"own s\*: wanted a step of each .*found 'rerank'"):
        recipe.parse(raw, "mine")


def test_mirrored_parts_are_parts_of_their_own(tmp_path):
    """Baidu 2021: mirrored with mirrored, the largest of all that both images show; its table of pairs is 1."""
    nq, ng = 4, 12
    q, g = world(0, nq, ng)
    front, flip = [list(side) for side in world(1, nq, ng)], [list(side) for side in world(2, nq, ng)]
    for part in (front, flip):  # the first query and the last gallery image show no front
        part[0][0], part[1][-1] = np.zeros(16, np.float32), np.zeros(16, np.float32)
    steps = [{"use": "distances", "metric": "cosine"}, {"use": "part_penalty", "weight": 0.5, "parts": [16, 16]}]
    content = recipe.parse({"auxiliary": {"parts": ["parts_*"]}, "branch": [{"each": steps}]}, "mine")
    sides = {
        "side_parts_front": [np.array(s) for s in front],
        "side_parts_front_flip": [np.array(s) for s in flip],
    }
    found = answer(tmp_path, content, ng, m=(q, g), **sides)
    parts = [x @ y.T for x, y in sides.values()]
    plain = q @ g.T
    alike = np.maximum(*parts)
    alike[0], alike[:, -1] = plain[0], plain[:, -1]  # nothing is seen on both: the whole image
    assert_allclose(found, 1 - plain + 0.5 * (0.9 - alike), rtol=0, atol=1e-6)
