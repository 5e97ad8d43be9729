"""The search over pipelines: its table, worlds, order, verdict, study and command line."""

import csv
import json
import sqlite3
import tomllib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from ensemble import io, run
from ensemble.base.errors import InputError
from ensemble.base.features import FeatureSet
from ensemble.pipeline import plan, recipe, steps
from ensemble.scores import Labels, score_labelled
from ensemble.scores.protocols import PROTOCOLS
from ensemble.tune import __main__ as command
from ensemble.tune.pipelines import candidate as value
from ensemble.tune.pipelines import families, space, study, verdict, worlds
from ensemble.tune.pipelines.bench import Bench, Measured, mean
from ensemble.tune.pipelines.budget import Budget
from ensemble.tune.pipelines.crowded import Crowd
from ensemble.tune.pipelines.families import FAMILIES, Family
from ensemble.tune.pipelines.search import Search, deviation
from tests.support.each import each
from tests.support.folders import problems

MODELS = ("clear", "noisy")
ROWS = (
    Family("model", ({"use": "whiten", "power": 0.5},), (({"power": 0.25}, {"power": 1.0}),)),
    Family("cameras", ({"use": "camera_whitening", "whiten": False},)),
    Family("ranker", ({"use": "csls"},), (({"k": 3}, {"k": 5}),)),
)


def crowd(people: int = 24, seed: int = 0, moves: float = 2.0) -> list[FeatureSet]:
    """Labelled training images, two of each person in every of three cameras, which move all that they see."""
    rng = np.random.default_rng(seed)
    pid, cam = np.repeat(np.arange(people), 6), np.tile([0, 0, 1, 1, 2, 2], people)
    centre, moved = rng.normal(size=(people, 8)), moves * rng.normal(size=(3, 8))
    table = pd.DataFrame({"name": [f"t{i:03d}" for i in range(len(pid))], "pid": pid, "cam": cam})
    asked = [pd.DataFrame({"name": [f"{side}{i}" for i in range(12)], "cam": np.arange(12) % 3}) for side in "qg"]
    made = []
    for model, noise in zip(MODELS, (0.5, 3.0), strict=True):
        x = (centre[pid] + moved[cam] + noise * rng.normal(size=(len(pid), 8))).astype(np.float32)
        made.append(FeatureSet(model, x[:12], x[12:24], *asked, x, table))
    return made


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    place = tmp_path_factory.mktemp("pipelines") / "crowd"
    place.mkdir()
    for found in crowd():
        io.write_npz(place / f"{found.model}.npz", found)
    return place


@pytest.fixture
def few(monkeypatch):
    """A table of three rows."""
    monkeypatch.setattr(space, "FAMILIES", ROWS)


def arguments(folder: Path, out: Path, *more: str) -> list[str]:
    always = ("--features", str(folder), "--out", str(out), "--pipelines", "--threads", "1", "--folds", "3")
    return [*always, "--minutes", "60", "--trials", "20", *more]


def lines(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as stream:
        return [{name: cell for name, cell in row.items() if name != "seconds"} for row in csv.DictReader(stream)]


# The table


def test_every_row_of_the_table_is_of_known_steps_and_settings():
    known = steps.catalogue()
    for row in FAMILIES:
        assert row.place in families.PLACES
        for use in row.uses:
            chosen = {name: item for name, item in use.items() if name != "use"}
            assert set(chosen) <= set(known[use["use"]].settings), row
        settings = known[row.uses[0]["use"]].settings
        for moved in (values for axis in row.axes for values in axis):
            for name, item in moved.items():
                assert settings[name].problem(item) is None, (row, name, item)
    places = {row.place for row in FAMILIES}
    assert places == set(families.PLACES)


def test_steps_without_a_row_are_behind_on_every_real_set_or_were_never_measured_on_one():
    with (Path(__file__).parents[3] / "bench" / "results" / "gains.csv").open(encoding="utf-8") as stream:
        real = [line for line in csv.DictReader(stream) if line["made_up"] == "0" and line["after"]]
    default = {line["set"]: float(line["after"]) for line in real if line["step"] == "rerank_multiscale"}
    ahead = {line["step"] for line in real if float(line["after"]) > default[line["set"]]}
    rows = {use["use"] for row in FAMILIES for use in row.uses}
    for name, why in families.LEFT_OUT.items():
        assert name in steps.catalogue(), name
        assert name not in rows, name
        if why == families._LOSES:
            assert name not in ahead, name
        elif why == families._NO_SET:
            assert name not in {line["step"] for line in real}, name
    for name in ("rdpac", "cas", "bfs_tree", "lhrr", "visual_neighbours"):
        assert name in rows & ahead, name


def test_numbers_move_one_axis_at_a_time():
    row = Family("ranker", ({"use": "rerank", "k1": 10, "k2": 3},), (({"k1": 4, "k2": 2}, {"k1": 10, "k2": 3}),))
    assert list(row.neighbours(row.uses)) == [({"use": "rerank", "k1": 4, "k2": 2},)]
    assert families.like(({"use": "rerank", "k1": 4, "k2": 2},), "ranker", [row]) is row
    assert families.like(({"use": "csls"},), "ranker", [row]) is None


def test_known_recipes_are_candidates_and_back(folder):
    looked = io.scan(folder)
    searched = space.read(recipe.load("default"), MODELS, [looked])
    best = plan.check(recipe.load("best"), looked).recipe
    (found,) = searched.known([best], looked)
    used = [use.name for use in searched.recipe(found).uses()]
    assert used == [use.name for use in best.uses()]
    assert searched.known([recipe.load("structure")], looked) == []  # its steps want tracks


# Candidates


def test_a_candidate_is_a_recipe_that_runs(folder):
    looked = io.scan(folder)
    searched = space.read(recipe.load("default"), MODELS, [looked])
    start = value.plain(MODELS)
    mapped = value.placed(start, "model", ({"use": "whiten", "power": 0.5},))
    for fusion in value.FUSIONS:
        plan.check(searched.recipe(value.changed(mapped, fusion=fusion)), looked)
    two = value.beside(value.placed(mapped, "constraints", ({"use": "camera_penalty"},)), mapped, 0.5)
    content = searched.recipe(two).as_toml()
    assert content["join"]["weights"] == [1.0, 0.5]
    assert [use["use"] for use in content["steps"]] == ["camera_penalty"]  # of the whole, once
    assert plan.check(searched.recipe(two), looked).models == (MODELS, MODELS)
    alone = value.changed(mapped, models=["clear"], weights=[1.0])
    assert "join" not in searched.recipe(alone).as_toml()["branch"][0]
    assert value.size(two) > value.size(mapped) > value.size(start)
    assert "whiten power 0.5" in value.words(two)


# Worlds


@each("parts", [2, 3, 5])
def test_who_is_learned_from_neither_asks_nor_is_found(parts):
    named = {found.model: found for found in crowd()}
    for name, found in named.items():  # labels are text, too
        table = found.train_table
        named[name] = replace(found, train_table=table.assign(pid="p" + table["pid"].astype(str)))
    made = worlds.of_train(named, parts=parts, seed=1)
    assert len(made.each) == parts
    held = set(made.pid("held").tolist())
    asked: list[int] = []
    for number, world in enumerate(made.each):
        data = world.sets["clear"].data()
        learned, found = set(data["train_pid"].tolist()), set(data["gallery_pid"].tolist())
        search, end = (set(data["query_pid"][world.asked(kind)].tolist()) for kind in ("search", "held"))
        assert end == held
        assert found == search | held  # harder by those
        assert not learned & found
        assert len(learned | found) == 24
        assert search == set(made.parts[number].tolist())
        asked += search
    assert len(asked) == len(set(asked)) == 24 - len(held)
    assert made.part("search").tolist() == [n for n, world in enumerate(made.each) for _ in world.search]
    first = made.each[: -(-parts // 3)]
    assert made.pid("sample").tolist() == [pid for world in first for pid in world.pid[world.search]]


def test_whoever_is_held_back_asks_with_other_images_in_every_world():
    def drawn() -> list[set[str]]:
        made = worlds.of_train({found.model: found for found in crowd()}, parts=3, seed=0)
        return [set(world.sets["clear"].query_table["name"].iloc[world.held]) for world in made.each]

    found = drawn()
    assert len(set.union(*found)) > len(found[0])
    assert found == drawn()


def test_on_test_the_gallery_is_whole():
    (found,) = (one for one in crowd() if one.model == "clear")
    table = found.train_table
    query, gallery = (np.flatnonzero((np.arange(144) % 6 == 0) == first) for first in (True, False))
    tables = [table.iloc[rows].reset_index(drop=True) for rows in (query, gallery)]
    sets = {"clear": replace(found, query=found.train[query], gallery=found.train[gallery],
                             query_table=tables[0], gallery_table=tables[1])}  # fmt: skip
    made = worlds.of_test(sets, seed=0)
    assert [len(made.pid(kind)) for kind in ("sample", "search", "held")] == [21, 21, 3]
    assert made.each[0].sets is sets


# Scores


@given(seed=st.integers(0, 50), times=st.floats(1, 5))
def test_a_larger_gallery_by_counting_wrong_images_more_than_once(seed, times):
    rng = np.random.default_rng(seed)
    labels = Labels(*(rng.integers(0, 5, n) for n in (6, 30, 6, 30)))
    labels = replace(labels, gallery_pid=np.r_[labels.query_pid, labels.gallery_pid[6:]],
                     gallery_cam=np.r_[labels.query_cam + 1, labels.gallery_cam[6:]])  # fmt: skip
    far = rng.normal(size=(6, 30)).astype(np.float32)
    rows = np.argsort(far, axis=1, kind="stable")
    found = score_labelled(far, labels, PROTOCOLS["market1501"]).ap
    same = Crowd.of(labels, PROTOCOLS["market1501"], 1.0).precisions(rows)
    assert_allclose(same, found, atol=1e-12)
    assert (Crowd.of(labels, PROTOCOLS["market1501"], times).precisions(rows) <= same + 1e-12).all()
    assert Crowd.of(labels, PROTOCOLS["aicity"], times) is None  # it looks at the first places alone


def test_a_larger_gallery_by_hand():
    good, hidden = (np.array([row], bool) for row in ([0, 1, 0, 0, 1], [0, 0, 0, 1, 0]))
    found = Crowd(good, hidden, 2.0).precisions(np.array([[0, 1, 2, 3, 4]]))
    #  one wrong before the first right one, two before the second, one removed: 1 / (1 + 2), 2 / (2 + 4)
    assert_allclose(found, [(1 / 3 + 1 / 3) / 2])
    #  the second right one is never returned
    assert_allclose(Crowd(good, hidden, 2.0).precisions(np.array([[0, 1, 2, 3, -1]])), [1 / 3 / 2])


def test_the_mean_of_some_queries_is_as_the_protocol_takes_it():
    values, pid = np.array([1.0, 0.5, 0.0, np.nan]), np.array([7, 7, 8, 9])
    plain = PROTOCOLS["market1501"]
    assert mean(values, pid, plain) == 0.5
    assert mean(values, pid, replace(plain, denominator="all")) == 1.5 / 4
    assert mean(values, pid, replace(plain, average="identities")) == (0.75 + 0) / 2
    assert np.isnan(mean(values[3:], pid[3:], plain))


# The order


def measured(points: dict[str, float], calls: list[str]):
    """Every query gets what the candidate's words are worth; queries differ by a little."""

    def measure(candidate: value.Candidate, kind: str) -> Measured:
        words = value.words(candidate)
        calls.append(words)
        if "refused" in words:
            raise InputError(["no"])
        worth = 0.5 + sum(gain for word, gain in points.items() if word in words)
        return Measured(worth + np.linspace(-0.1, 0.1, 8), 1.0, worth)

    return measure


def walk(points: dict[str, float], *, trials: int = 1000) -> tuple[value.Candidate, list[str]]:
    calls: list[str] = []
    budget = Budget(60, trials)
    search = Search(ROWS, MODELS, measured(points, calls), study.Study(), np.arange(8), budget.spent)
    return search(), calls


def test_what_gains_comes_in_with_its_numbers():
    best, calls = walk(
        {"csls": 0.1, "csls k 3": 0.05, "whiten power 1.0": 0.1, "camera_whitening": -0.1, "noisy": -0.1}
    )
    view = best["views"][0]
    assert view["models"] == ["clear"]
    assert view["steps"]["ranker"] == [{"use": "csls", "k": 3}]
    assert "cameras" not in view["steps"]
    assert len(calls) < 60


def test_what_gains_nothing_stays_out():
    best, _ = walk({"csls": 0.0005})  # less than a tenth of a point
    assert best == value.plain(MODELS)


def test_what_helps_only_together_is_found():
    def measure(candidate: value.Candidate, kind: str) -> Measured:
        words = value.words(candidate)
        there = [name in words for name in ("; whiten", "camera_whitening")]
        worth = 0.5 + {0: 0.0, 1: -0.1, 2: 0.2}[sum(there)]
        return Measured(worth + np.linspace(-0.1, 0.1, 8), 1.0, worth)

    search = Search(ROWS, MODELS, measure, study.Study(), np.arange(8), Budget(60, 1000).spent)
    assert {"model", "cameras"} <= set(search()["views"][0]["steps"])


def test_luck_with_some_is_no_gain():
    """Two of four identities gain .4, two lose .3: .05 on average, with a standard error of .2."""
    change, pid = np.array([0.4, 0.4, -0.3, -0.3]), np.arange(4)
    #  deviations .35, .35, -.35, -.35: sqrt(4 / 3 * 4 * .35²) / 4
    assert deviation(change, pid) == pytest.approx(np.sqrt(4 / 3 * 4 * 0.35**2) / 4)
    assert deviation(np.repeat(change, 2), np.repeat(pid, 2)) == pytest.approx(deviation(change, pid))
    assert deviation(np.r_[change, np.nan], np.arange(5)) == deviation(change, pid)


def test_a_budget_of_few_is_kept():
    _, calls = walk({"csls": 0.1}, trials=5)
    assert len(calls) <= 5
    moments = iter([0.0, 30.0, 60.0, 3600.0])
    budget = Budget(1, clock=lambda: next(moments))
    shares = [
        budget.spent(1000) for _ in range(3)
    ]  # half a minute, one, sixty, of one minute less what the end takes
    assert shares == pytest.approx([0.5 / 0.88, 1 / 0.88, 60 / 0.88])


# The verdict


def judged(gains: float) -> verdict.Verdict:
    """The second gains with every other identity what it loses with the next, the searched one ``gains``."""
    rng = np.random.default_rng(0)
    base = rng.uniform(0.3, 0.7, 40)
    worth = {"one": base, "two": base + np.repeat(np.tile([0.02, -0.02], 10), 2), "searched": base + gains}
    made = {name: recipe.parse({"about": name}, name) for name in worth}
    others = {name: made[name] for name in ("one", "two")}
    pid = {"search": np.arange(40) // 2, "held": 20 + np.arange(40) // 2}

    def measure(one: recipe.Recipe, kind: str) -> Measured:
        return Measured(worth[one.about], 1.0, 0.5)

    return verdict.judge(made["searched"], worth["searched"], others, measure, pid)


def test_the_simpler_one_wins_where_they_cannot_be_told_apart():
    assert judged(0.0).taken == "one"
    found = judged(0.1)
    assert found.taken == "searched"
    assert found["one"].against.difference == pytest.approx(0.1)
    assert found["two"].against.p < 0.05
    assert found["one"].against.groups == 40  # of the search and held back


def test_luck_in_a_part_does_not_count_there():
    """The first is the best of all by the first part, where nobody else thinks so."""
    lucky, steady = np.array([0.9, 0.9, 0.1, 0.1, 0.3, 0.3]), np.array([0.4, 0.4, 0.4, 0.4, 0.4, 0.4])
    parts, people = np.repeat([0, 1, 2], 2), np.arange(6)
    assert verdict.crossed([lucky, steady], parts, people).tolist() == [0.4, 0.4, 0.1, 0.1, 0.3, 0.3]
    assert verdict.crossed([lucky, steady], np.zeros(6, int), people).tolist() == lucky.tolist()
    mixed = np.array([4, 0, 2, 1, 3, 5])  # of whichever world a query is
    found = verdict.crossed([lucky[mixed], steady], parts[mixed], people[mixed])
    assert found.tolist() == np.array([0.4, 0.4, 0.1, 0.1, 0.3, 0.3])[mixed].tolist()


def test_who_asks_often_counts_once():
    """One identity of three asks six times and likes the first; the two others like the second."""
    first, second = np.r_[np.full(6, 0.9), 0.2, 0.2, 0.5, 0.5], np.r_[np.full(6, 0.5), 0.5, 0.5, 0.6, 0.6]
    people, part = np.r_[np.zeros(6, int), 1, 2, 3, 4], np.r_[np.zeros(8, int), 1, 1]
    #  means of identities 0 to 2: (.9 + .2 + .2) / 3 and .5; of queries it would be .73 and .5
    assert verdict.crossed([first, second], part, people)[8:].tolist() == [0.6, 0.6]


# The command line


def test_searches_writes_a_recipe_and_shows_it(folder, tmp_path, few, capsys):
    assert command.main(arguments(folder, tmp_path)) == 0
    printed = capsys.readouterr().out
    assert "3 worlds: 14 identities to learn from, 7 that ask, 3 held back" in printed
    rows = lines(tmp_path / "pipelines.csv")
    assert 3 < len(rows) <= 20
    assert {row["asked"] for row in rows} == {"the first worlds", "all worlds"}
    record = json.loads((tmp_path / "pipelines.json").read_text())
    assert [one["name"] for one in record["held_back"]] == ["baseline", "default", "best", "searched"]
    assert len(record["points"]) == sum(row["asked"] == "all worlds" for row in rows)
    found = tomllib.loads((tmp_path / "recipe.toml").read_text())
    assert "held back" in found["about"]
    ran = [
        "--features",
        str(folder),
        "--recipe",
        str(tmp_path / "recipe.toml"),
        "--out",
        str(tmp_path),
        "--report",
    ]
    assert run.main(ran) == 0
    assert "Pipelines that were searched" in (tmp_path / "report.html").read_text()


def test_goes_on_after_an_interruption_as_if_there_had_been_none(folder, tmp_path, few, monkeypatch):
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    assert command.main(arguments(folder, whole)) == 0
    called, real = [], Bench.__call__

    def interrupted(self, recipe, kind):
        called.append(kind)
        if len(called) == 6:
            raise KeyboardInterrupt
        return real(self, recipe, kind)

    monkeypatch.setattr(Bench, "__call__", interrupted)
    with pytest.raises(KeyboardInterrupt):
        command.main(arguments(folder, parts))
    assert not (parts / "recipe.toml").exists()
    assert command.main(arguments(folder, parts)) == 0
    assert lines(parts / "pipelines.csv") == lines(whole / "pipelines.csv")
    assert (parts / "recipe.toml").read_bytes() == (whole / "recipe.toml").read_bytes()
    asked = len([kind for kind in called if kind != "held"])
    assert asked == len(lines(whole / "pipelines.csv")) + 1 + 3  # that cut off; three recipes at the end


def test_refuses_studies_of_others_and_broken_ones(folder, tmp_path, few):
    path = tmp_path / "study.db"
    path.write_bytes(b"SQLite format 3\0" + bytes(range(256)) * 40)
    told = problems(command.main, arguments(folder, tmp_path, "--study", str(path)))
    assert "wanted a study that can be read and written" in told[0]
    path.unlink()
    about = {"folds": 3}
    with study.opened(path, about, {"search": 2}) as kept:
        kept.add(study.Tried("search", "{}", "x", 1.0, np.zeros(2)))
    with study.opened(path, about, {"search": 2}) as kept:
        assert [one.scores.tolist() for one in kept.tried] == [[0.0, 0.0]]
    with (
        pytest.raises(InputError, match="wanted a study of folds 4, found one of 3"),
        study.opened(path, {"folds": 4}, {}),
    ):
        pass
    with pytest.raises(InputError, match="2 scores of 3 queries"), study.opened(path, about, {"search": 3}):
        pass
    other = tmp_path / "other.db"
    with sqlite3.connect(other) as file:
        file.execute("CREATE TABLE trials (number INTEGER)")
    file.close()
    with pytest.raises(InputError, match="found another database"), study.opened(other, about, {}):
        pass


@each(
    ("more", "wanted"),
    [
        (["--folds", "1"], "--folds: wanted 2 or more, found 1"),
        (["--minutes", "0"], "--minutes: wanted a number above 0, found 0.0"),
        (["--search", "rerank"], "--search: is for the settings of one recipe"),
        (["--all-models"], "--all-models: is for one recipe"),
        (["--trials", "0"], "--trials: wanted 1 or more, found 0"),
        (["--folds", "30"], "--folds: wanted 60 identities"),
        (["--on", "test"], "wanted labels to tune on"),
    ],
)
def test_refuses(folder, tmp_path, few, more, wanted):
    assert wanted in "\n".join(problems(command.main, arguments(folder, tmp_path, *more)))
    assert not list(tmp_path.iterdir())


def test_minutes_are_for_pipelines(folder):
    told = problems(command.main, ["--features", str(folder), "--minutes", "1"])
    assert "--minutes: is for --pipelines" in told[0]


def test_without_labels_clusters_stand_for_identities(tmp_path, few, capsys):
    folder, out = tmp_path / "unlabelled", tmp_path / "out"
    folder.mkdir()
    for found in crowd(30, moves=0.2):
        names = found.train_table.drop(columns="pid")
        left = {"query": found.train[::3], "query_table": names.iloc[::3].reset_index(drop=True)}
        rest = np.arange(len(names)) % 3 > 0
        right = {"gallery": found.train[rest], "gallery_table": names[rest].reset_index(drop=True)}
        io.write_npz(folder / f"{found.model}.npz", replace(found, train=None, train_table=None, **left, **right))
    told = problems(command.main, arguments(folder, out))
    assert "found none; give them, or --unlabelled guesses" in told[0]
    assert command.main(arguments(folder, out, "--unlabelled")) == 0
    printed = capsys.readouterr().out
    assert "images stand for identities" in printed
    assert "no scores; pipelines that work like the clustering are favoured" in printed
    assert "no labels" in tomllib.loads((out / "recipe.toml").read_text())["about"]
