"""``recipes`` and ``protocols``: lists, a recipe as it is, and which recipes can run on a folder."""

import tomllib
from pathlib import Path

import numpy as np
import pytest

from ensemble import io, protocols
from ensemble.base.errors import InputError
from ensemble.pipeline import plan, recipe
from ensemble.recipes import __main__ as recipes
from ensemble.recipes import suited
from ensemble.scores.protocols import PROTOCOLS, SOURCES
from ensemble.track import recipe as of_tracks
from tests.support.each import each
from tests.support.folders import arrays, listed


def folder(place: Path, **columns: str) -> Path:
    """One model of 4 queries and 8 gallery images; ``columns``: of which sides a column is known."""
    place.mkdir(exist_ok=True)
    random = np.random.default_rng(0)
    arrays(place, "mgn", random.normal(size=(4, 3)), random.normal(size=(8, 3)))
    for side, count in (("query", 4), ("gallery", 8)):
        known = [name for name, sides in columns.items() if side in sides]
        rows = [",".join([f"{side}{row}.jpg", *[str(row % 4 + 1)] * len(known)]) for row in range(count)]
        (place / f"{side}.csv").write_text("\n".join([",".join(["name", *known]), *rows]) + "\n")
    return place


def said(capsys: pytest.CaptureFixture[str], *words: object) -> dict[str, str]:
    """What a command says of every name, by name; its other lines by their first word."""
    assert recipes.main(list(map(str, words))) == 0
    lines = capsys.readouterr().out.splitlines()
    return {name: rest.strip() for name, _, rest in (line.strip().partition(" ") for line in lines)}


def test_every_recipe_and_protocol_is_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert recipes.main([]) == protocols.main([]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == len(recipe.available()) + 1 + len(of_tracks.available()) + len(PROTOCOLS)
    told = [line.split(maxsplit=1) for line in lines]
    assert ["structure", recipe.load("structure").about] in told
    assert ["veri", SOURCES["veri"]] in told


def test_one_by_its_name(capsys: pytest.CaptureFixture[str]) -> None:
    assert recipes.main(["default"]) == 0
    assert recipe.parse(tomllib.loads(capsys.readouterr().out), "default") == recipe.load("default")
    assert protocols.main(["veri", "aicity"]) == 0
    assert capsys.readouterr().out.splitlines()[0] == f"veri: {PROTOCOLS['veri'].describe()}"


@each(
    ("main", "words", "problem"),
    [
        (recipes.main, ["defalt"], r"RECIPE: wanted the name of one, found 'defalt'; did you mean 'default'\?$"),
        (
            recipes.main,
            ["default", "--for", "x"],
            "RECIPE: wanted it or --for, found both; leave one of them out$",
        ),
        (recipes.main, ["--for", "no/such"], "no/such: wanted a folder with feature files"),
        (protocols.main, ["veri", "lttc", "zoo"], "PROTOCOL: wanted one of .*'lttc'.*\n.*'zoo'"),
    ],
    ids=["misspelt", "both", "no folder", "protocols"],
)
def test_what_is_refused(main, words, problem) -> None:
    with pytest.raises(InputError, match=problem):
        main(words)


def test_which_recipes_can_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    told = said(capsys, "--for", folder(tmp_path / "f", pid="query gallery", cam="query gallery"))
    head = " ".join(word for line in told.items() for word in line if str(tmp_path) in line[0])
    assert "1 models (mgn), 4 queries, 8 gallery images, 2 images of an identity; known: cam, pid" in head
    assert told["structure"] == "lacks track of the gallery"
    assert told["lists"] == "lacks rank lists or matrices (--rankings)"
    assert told["duke_streid"] == "lacks frame, train with pid, cam, frame"
    assert told["aicity2020_2nd_voc"] == "lacks model camera*, model orientation*, track of the gallery"
    assert told["best"].startswith(recipe.load("best").about)
    assert "without learned_metric" in told["best"]
    assert "rerank looks at k1 = 20 neighbours, where half of the queries have 2 images" in told["kreciprocal"]
    assert " GB" in told["baseline"]


def test_more_labels_are_more_recipes(tmp_path: Path) -> None:
    known = {name: recipe.load(name) for name in recipe.available()}
    runs = []
    for number, columns in enumerate(({}, {"cam": "query gallery"}, {"cam": "query gallery", "track": "gallery"})):
        found = suited.suited(known, io.scan(folder(tmp_path / f"{number}", **columns)))
        runs.append({one.recipe.name for one in found if one.runs})
    assert runs[0] < runs[2]
    assert "structure" in runs[2] - runs[1]


def test_a_recipe_can_run_where_its_check_says_so(tmp_path: Path) -> None:
    looked = io.scan(folder(tmp_path / "f", cam="query gallery"))
    for name in recipe.available():
        used = recipe.load(name)
        try:
            checks = bool(plan.check(used, looked))
        except InputError:
            checks = False
        (one,) = suited.suited({name: used}, looked)
        assert one.runs == checks, name


def test_rank_lists(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    listed = tmp_path / "lists"
    listed.mkdir()
    for side, count in (("query", 2), ("gallery", 3)):
        (listed / f"{side}.csv").write_text(
            "\n".join(["name", *(f"{side}{row}.jpg" for row in range(count))]) + "\n"
        )
    for name in ("a", "b"):
        rows = [f"query{q}.jpg,gallery{g}.jpg,{g + 1}" for q in range(2) for g in range(3)]
        (listed / f"{name}.csv").write_text("\n".join(["query,gallery,rank", *rows]) + "\n")
    told = said(capsys, "--rankings", listed)
    assert told["lists"] == recipe.load("lists").about
    assert told["default"].startswith(("lacks", "branch", "wanted"))


def test_images_of_an_identity(tmp_path: Path) -> None:
    found = suited.positives_of(io.scan(folder(tmp_path / "f", pid="query gallery", track="gallery")))
    assert found is not None
    assert (found.images, found.tracks) == (2, 1)
    assert suited.positives_of(io.scan(folder(tmp_path / "g", cam="query gallery"))) is None


def test_images_of_an_identity_that_is_spelt_in_two_ways_and_has_no_tracks(tmp_path: Path) -> None:
    listed(tmp_path / "query.csv", ["name,pid", "query0.jpg,007", "query1.jpg,x"])
    listed(tmp_path / "gallery.csv", ["name,pid,track", *(f"gallery{row}.jpg,7,-1" for row in range(4))])
    arrays(tmp_path, "m", np.eye(2, 3), np.eye(4, 3))
    found = suited.positives_of(io.scan(tmp_path))
    assert found is not None
    assert (found.images, found.tracks) == (4, 4)  # who has no track is one by itself
