"""Recipes: read, changed, matched with a folder; every mistake in one message."""

import tomllib
from pathlib import Path

import numpy as np
import pytest
import tomli_w

from ensemble import fusion
from ensemble.base.errors import InputError
from ensemble.io import Folder
from ensemble.pipeline import plan, recipe, steps
from ensemble.pipeline.changes import override
from tests.support.each import each

EVERYTHING = frozenset(
    {"query", "gallery", "query_cam", "gallery_cam", "gallery_track", "query_pid", "gallery_pid"}
)


RANKED = EVERYTHING - {"query", "gallery"} | {"distances"}
LEARNED = EVERYTHING | {
    *(
        f"{side}_{column}"
        for side in ("query", "gallery")
        for column in ("frame", "scene", "quality", "cam_predicted")
    ),
    *("train", "train_pid", "train_cam", "train_frame", "query_track", "gallery_order"),
}


def folder(*models: str, columns: frozenset[str] = EVERYTHING) -> Folder:
    return Folder(Path("features"), dict.fromkeys(models, ()), columns, (), learns=frozenset(models))


def problems_of(content: dict, where: Folder | None = None) -> list[str]:
    with pytest.raises(InputError) as caught:
        plan.check(recipe.parse(content, "mine"), where or folder("a", "b"))
    return caught.value.problems


@each("name", recipe.available())
def test_package_recipes_fit_their_models_and_come_back_from_toml(name):
    loaded = recipe.load(name)
    names = [entry.split("|")[0] for branch in loaded.branches for entry in branch.models]
    groups = [group for part in (loaded, *loaded.branches) for group in part.auxiliary.values()]
    names += [f"side/{entry}" for group in groups for entry in group.models]
    provided = RANKED if name.startswith("lists") else LEARNED
    checked = plan.check(loaded, folder(*[name.replace("*", "any") for name in names], columns=provided))
    assert checked.models[0]
    assert recipe.parse(tomllib.loads(tomli_w.dumps(loaded.as_toml())), name).as_toml() == loaded.as_toml()
    assert loaded.about


def test_fifth_place_has_the_settings_of_its_script():
    loaded = recipe.load("aicity2020_5th")
    assert [(use.name, dict(use.settings)) for use in loaded.uses()] == [
        ("concat", {}),
        ("track_mean", {"chunk": 100}),
        ("rerank", {"k1": 15, "k2": 6, "lambda_value": 0.5, "power": 4}),
    ]
    models = plan.check(loaded, folder("mgn_off_cen", "senet152", "densenet_ALL_off_cen", "densenet_off_cen", "x"))
    assert models.models == (("densenet_off_cen", "densenet_ALL_off_cen", "mgn_off_cen", "senet152"),)


def test_patterns_choose_models_once_and_in_order():
    content = {"branch": [{"models": ["b*", "*"], "join": {"use": "concat"}, "steps": [{"use": "distances"}]}]}
    assert plan.check(recipe.parse(content, "mine"), folder("a1", "b1", "b2")).models == (("b1", "b2", "a1"),)


def test_every_mistake_at_once():
    found = problems_of(
        {
            "branch": [
                {"models": ["c"], "steps": [{"use": "track_maen"}, {"use": "rerank", "k_1": 3}]},
                {"models": ["a", "b"], "steps": [{"use": "rerank", "k1": 0}]},
            ]
        }
    )
    text = "\n".join(found)
    assert "mine, branch 1, models: wanted c in features, found a, b" in text
    assert "mine, branch 1, steps 1: wanted a step, found 'track_maen'; did you mean 'track_mean'?" in text
    assert "mine, branch 1, steps 2 (rerank): wanted a setting" in text
    assert "did you mean 'k1'?" in text
    assert "mine, branch 2: wanted a join for 2 models, found none" in text
    assert "mine, branch 2, steps 1 (rerank), k1: wanted a whole number, 1 or more, got 0" in text
    assert "mine: wanted a join for 2 branches, found none" in text


def test_every_mistake_of_one_step_at_once():
    settings = {"k1": -3, "k2": 0, "lamda": 0.3, "power": "high"}
    content = {"branch": [{"models": ["a"], "steps": [{"use": "rerank", **settings}]}]}
    unknown, *values = problems_of(content)
    assert "wanted a setting" in unknown
    assert "did you mean 'lambda_value'?" in unknown
    assert [value.partition("(rerank), ")[2].partition(":")[0] for value in values] == ["k1", "k2", "power"]
    content["branch"][0]["steps"] = [{"use": "track_mean", "chunk": -1, "optional": True}, {"use": "distances"}]
    assert len(problems_of(content, folder("a", columns=frozenset({"query", "gallery"})))) == 1  # used or not


@each(
    ("content", "message"),
    [
        ({"top": 3}, "mine: wanted any of about, top_k, .*found 'top'; did you mean 'top_k'"),
        ({"top_k": 0}, "mine, top_k: wanted a whole number, 1 or more, found 0"),
        ({"submission": "zip"}, "mine, submission: wanted one of track2, visda, .*, found 'zip'"),
        ({"protocol": "duke"}, "mine, protocol: wanted one of market1501"),
        ({"branch": {}}, "mine, branch: wanted a list"),
        ({"branch": [3]}, "mine, branch 1: wanted a table, found 3"),
        ({"branch": [{"models": "a"}]}, "mine, branch 1, models: wanted a list, found 'a'"),
        ({"branch": [{"models": [1]}]}, "mine, branch 1, models: wanted names in quotes"),
        (
            {"branch": [{"models": ["a", "b", "a"]}]},
            "mine, branch 1, models: wanted every model once, found again",
        ),
        ({"branch": [{"models": []}]}, "mine, branch 1, models: wanted names, found none"),
        ({"branch": [{"name": 3}]}, "mine, branch 1, name: wanted text in quotes, found 3"),
        ({"about": ["x"]}, "mine, about: wanted text in quotes"),
        ({"steps": [{"name": "rerank"}]}, 'mine, steps 1: wanted { use = "STEP"'),
    ],
)
def test_a_file_that_is_no_recipe(content, message):
    with pytest.raises(InputError, match=message):
        recipe.parse(content, "mine")


@each(
    ("step", "columns", "message"),
    [
        ({"use": "track_mean"}, frozenset({"query", "gallery"}), "wanted gallery_track, .*--tracks"),
        ({"use": "rerank_distances"}, EVERYTHING, "wanted distances, query_distances, gallery_distances"),
    ],
)
def test_data_that_nobody_has(step, columns, message):
    content = {"branch": [{"models": ["a"], "steps": [step, {"use": "distances"}]}]}
    with pytest.raises(InputError, match=message):
        plan.check(recipe.parse(content, "mine"), folder("a", columns=columns))


def test_steps_that_do_not_chain():
    after = {"branch": [{"models": ["a"], "steps": [{"use": "distances"}, {"use": "l2_normalize"}]}]}
    assert "has to come before the distances" in problems_of(after)[0]
    none = {"branch": [{"models": ["a"], "steps": [{"use": "l2_normalize"}]}]}
    assert "wanted distances at the end" in problems_of(none)[0]


def test_lists_are_the_end_of_a_recipe():
    listed = {"use": "rerank", "top_k": 100}
    assert plan.check(recipe.parse({"branch": [{"models": ["a"], "steps": [listed]}]}, "mine"), folder("a"))
    short = {"branch": [{"models": ["a"], "steps": [{"use": "rerank", "top_k": 50}]}]}
    assert problems_of(short) == [
        "mine, branch 1, steps 1 (rerank), top_k: wanted the recipe's 100 or more, found 50"
    ]
    branches = [{"models": [name], "steps": [listed]} for name in ("a", "b")]
    text = "\n".join(problems_of({"branch": branches, "join": {"use": "weighted_sum"}}))
    assert "mine, branch 1: wanted distances at the end, to be joined; add a distance step, without top_k" in text
    after = {"branch": [{"models": ["a"], "steps": [listed, {"use": "l2_normalize"}]}]}
    assert "a step with top_k gives a list and has to be the last" in problems_of(after)[0]


def test_a_name_is_itself_before_it_is_a_pattern():
    content = {"branch": [{"models": ["a[1]|x"], "steps": [{"use": "distances"}]}]}
    assert plan.check(recipe.parse(content, "mine"), folder("a1", "a[1]|x")).models == (("a[1]|x",),)


def test_joins():
    content = {"branch": [{"join": {"use": "concat", "weights": [1, -1]}, "steps": [{"use": "distances"}]}]}
    assert problems_of(content) == [
        "mine, branch 1, join (concat), weights: wanted 2 numbers of 0 or more, one for each part, got [1, -1]"
    ]
    content = {"branch": [{"join": {"use": "weighted_sum"}, "steps": [{"use": "distances"}]}]}
    wanted = (
        "mine, branch 1, join (weighted_sum): wanted distances in every part; end each part in a distance step"
    )
    assert wanted in problems_of(content)[0]
    content = {"branch": [{"join": {"use": "concta"}, "steps": [{"use": "distances"}]}]}
    assert "found 'concta'; did you mean 'concat'?" in problems_of(content)[0]


def test_override():
    changed = override(
        recipe.load("kreciprocal"),
        ["rerank.k1=30", "rerank.camera_penalty=-0.5", "top_k=7", "concat.weights=[1, 2]"],
    )
    used = {use.name: dict(use.settings) for use in changed.uses()}
    assert used["rerank"] == {"k1": 30, "k2": 6, "lambda_value": 0.3, "camera_penalty": -0.5}
    assert used["concat"] == {"weights": [1, 2]}
    assert changed.top_k == 7


def test_override_refuses():
    with pytest.raises(InputError) as caught:
        override(recipe.load("kreciprocal"), ["rerenk.zoo=3", "rerank.", "k1"])
    assert len(caught.value.problems) == 3
    assert "found 'rerenk'; did you mean 'rerank'?" in caught.value.problems[0]


@each(
    ("change", "meant"),
    {
        "k1=30": "rerank.k1",
        "rerank.K1=30": "rerank.k1",
        "reranks.k1=30": "rerank.k1",
        "lambda=0.5": "rerank.lambda_value",
        "rerank-k2=3": "rerank.k2",
        "weights=3": "concat.weights",
        "Top-K=3": "top_k",
        "protocl=veri": "protocol",
        "protocol=Market-1501": "market1501",
        "submission=trak2": "track2",
    }.items(),
)
def test_override_knows_what_was_meant(change, meant):
    with pytest.raises(InputError) as caught:
        override(recipe.load("kreciprocal"), [change])
    (problem,) = caught.value.problems
    assert problem.endswith(f"did you mean {meant!r}?")


def test_override_names_every_step_that_has_it():
    with pytest.raises(InputError, match=r"did you mean 'rerank_tracks\.pool'\?$"):
        override(recipe.load("best"), ["pool=mean"])
    with pytest.raises(InputError, match=r"did you mean '.*\.k1' or '.*\.k1'.*\?$"):
        override(recipe.load("best"), ["k1=3"])


def test_a_recipe_that_is_not_there(tmp_path):
    with pytest.raises(InputError, match="found 'defualt'; did you mean 'default'"):
        recipe.load("defualt")
    with pytest.raises(InputError, match="wanted a recipe, found"):
        recipe.load(str(tmp_path / "none.toml"))
    (tmp_path / "bad.toml").write_text("top_k = = 3")
    with pytest.raises(InputError, match="wanted TOML, found"):
        recipe.load(str(tmp_path / "bad.toml"))
    (tmp_path / "latin.toml").write_bytes(b"# caf\xe9")
    with pytest.raises(InputError, match="wanted text in UTF-8, found another byte at 5"):
        recipe.load(str(tmp_path / "latin.toml"))


def test_a_byte_order_mark_says_nothing(tmp_path):
    (tmp_path / "mine.toml").write_bytes(b"\xef\xbb\xbftop_k = 3\r\n")
    assert recipe.load(str(tmp_path / "mine.toml")).top_k == 3


def test_steps_are_described_by_their_signatures():
    rerank = steps.catalogue()["rerank"]
    assert rerank.needs == ("query", "gallery")
    labels = ("query_cam", "gallery_cam", "query_track", "gallery_track")
    assert rerank.may_use == (*labels, "query_aux", "gallery_aux", "neighbours")
    assert rerank.gives == ("distances",)
    assert rerank.settings["k1"].default == 20
    expansion = steps.catalogue()["query_expansion"]
    assert expansion.gives == ("query", "gallery")
    assert "rank" not in steps.catalogue()


def test_concat_acts_on_squared_distances():
    rng = np.random.default_rng(0)
    a, b = (rng.normal(size=(4, d)).astype(np.float32) for d in (3, 5))

    def square(x):
        return ((x[:, None] - x) ** 2).sum(-1)

    joined = fusion.concat([a, b], weights=[2, 0.5])
    np.testing.assert_allclose(square(joined), 2 * square(a) + 0.5 * square(b), rtol=1e-5, atol=1e-5)
    normal = fusion.concat([a, b], normalize=True)
    np.testing.assert_allclose((normal**2).sum(axis=1), 2, rtol=1e-6)


def test_concat_equals_the_script(shared):
    golden = np.load(shared / "golden" / "gggcy.npz")
    np.testing.assert_array_equal(fusion.concat([golden["q"], golden["q2"]]), golden["concat2_q"])
    np.testing.assert_array_equal(fusion.concat([golden["g"], golden["g2"]])[:20], golden["concat2_g_rows0_20"])


def test_weighted_sum():
    d = [np.full((1, 2), value, np.float32) for value in (1, 2, 4)]
    assert fusion.weighted_sum(d, weights=[1, 0.5, -0.25]).tolist() == [[1.0, 1.0]]  # 1 + 1 - 1
    with pytest.raises(ValueError, match="weights: wanted 3 numbers"):
        fusion.weighted_sum(d, weights=[1, 2])
