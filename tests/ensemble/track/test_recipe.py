"""Recipes of tracks: every mistake by name, settings from the command line, and what the package brings."""

import pytest
import tomli_w

from ensemble.base.errors import InputError
from ensemble.track import recipe
from tests.support.each import each

LEAST = {"associate": {"use": "union"}}


def union(**associate):
    return {"associate": associate}


def problems(content):
    with pytest.raises(InputError) as error:
        recipe.parse(content, "mine")
    return error.value.problems


def test_all_of_the_package_are_read_and_written_back_the_same(tmp_path):
    names = recipe.available()
    assert set(names) == {"default", "baseline", "aicity2021_1st", "aicity2022_1st", "aicity2024_2nd"}
    for name in names:
        first = recipe.load(name)
        assert first.about
        path = tmp_path / f"{name}.toml"
        path.write_text(tomli_w.dumps(first.as_toml()))
        assert recipe.load(str(path)).as_toml() == first.as_toml()


@each(
    ("content", "said"),
    [
        ({}, "mine, associate: wanted { use = \"linkage\", … }, found None"),
        (LEAST | {"asociate": 1}, "found 'asociate'; did you mean 'associate'?"),
        ({"associate": {"use": "linkag"}}, "found 'linkag'; did you mean 'linkage'?"),
        ({"associate": {"use": "union", "treshold": 1}}, "found 'treshold'; did you mean 'threshold'?"),
        (union(use="linkage", method="averge"), "got 'averge'; did you mean 'average'?"),
        (union(use="votes", share=2), "share: wanted 0 to 1, got 2"),
        (union(use="votes", pairs=[{"from": 1, "to": 2, "kk": 3}]), "(votes), 1 to 2: wanted any of k, share"),
        (union(use="votes", pairs=[{"from": 1, "to": 2, "k": 0}]), "1 to 2, k: wanted a whole number, 1 or more"),
        (union(use="votes", pairs=[{"from": 1}]), "wanted a list of tables with from and to, two cameras"),
        (LEAST | {"clean": {"use": "drop_small"}}, "mine, clean: wanted a list"),
        (LEAST | {"clean": [{"use": "drop_smal"}]}, "found 'drop_smal'; did you mean 'drop_small'?"),
        (LEAST | {"clean": [{"use": "drop_repeated", "x": 1}]}, "(drop_repeated): wanted any of nothing"),
        (LEAST | {"travel": {"distanc": 1}}, "did you mean 'distance'?"),
        (LEAST | {"tracklets": {"kind": "median"}}, "kind: wanted one of mean, quality, got 'median'"),
        (LEAST | {"appearance": "bst"}, "found 'bst'; did you mean 'best'?"),
        (LEAST | {"appearance": {"brunch": []}}, "mine, appearance: wanted any of"),
        (LEAST | {"appearance": 3}, "wanted the name of a recipe or a table, found 3"),
    ],
)  # fmt: skip
def test_mistakes(content, said):
    found = problems(content)
    assert len(found) == 1, found
    assert said in found[0]


def test_all_mistakes_at_once():
    assert len(problems({"a": 1, "travel": {"b": 1}, "associate": {"use": "c"}, "clean": [{"use": "d"}]})) == 4


def test_settings_from_the_command_line():
    changed = recipe.changed(
        recipe.load("aicity2021_1st"),
        ["passes.second=0.8", "travel.distance=0.3", 'tracklets.kind="mean"', "drop_small.cameras=2"],
    )
    assert changed.associate.settings["second"] == 0.8
    assert changed.travel == {"distance": 0.3}
    assert changed.tracklets["kind"] == "mean"
    assert changed.clean[0].settings == {"tracklets": 2, "cameras": 2}
    assert changed.appearance == recipe.load("aicity2021_1st").appearance


@each("text", ["pases.second=1", "passes.second", "passes=1", "travl.distance=1"])
def test_settings_of_nothing(text):
    with pytest.raises(
        InputError, match=r"NAME\.SETTING=VALUE with one of passes, drop_small, drop_repeated, tracklets"
    ):
        recipe.changed(recipe.load("aicity2021_1st"), [text])


def test_a_recipe_of_runs_by_name():
    found = recipe.parse(LEAST | {"appearance": "baseline"}, "mine")
    assert found.appearance.name == "baseline"


def test_a_recipe_that_is_not_there():
    with pytest.raises(InputError, match="did you mean 'aicity2022_1st'"):
        recipe.load("aicity2021_first")
    with pytest.raises(InputError, match="wanted a recipe, found"):
        recipe.load("absent.toml")
