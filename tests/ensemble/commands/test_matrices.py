"""Matrices of distances and tables of pairs as models: alone, with each other, with features and rank lists."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

import postproc
from ensemble import ablate, evaluate, run, thresholds
from ensemble.base.errors import InputError
from ensemble.submissions import formats
from ensemble.tune import __main__ as tune
from tests.support.each import each
from tests.support.folders import listed, names, pickled

PEOPLE, NQ, NG = 12, 24, 60


def world(seed: int = 0) -> dict[str, np.ndarray]:
    """Features of 12 people, two queries and five gallery images each, that a model tells apart more or less."""
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(PEOPLE, 16))
    pid = {"query": np.arange(NQ) % PEOPLE, "gallery": np.arange(NG) % PEOPLE}
    found = {
        side: (centres[of] + 1.2 * rng.normal(size=(len(of), 16))).astype(np.float32) for side, of in pid.items()
    }
    return found | {f"{side}_pid": of for side, of in pid.items()}


def named(count: int, letter: str) -> list[str]:
    return [f"{letter}{row:03d}.jpg" for row in range(count)]


def distances(found: dict[str, np.ndarray]) -> np.ndarray:
    query, gallery = (postproc.l2_normalize(found[side]) for side in ("query", "gallery"))
    matrix: np.ndarray = postproc.distances(query, gallery, metric="cosine")
    return matrix


@pytest.fixture
def features(tmp_path: Path) -> Path:
    folder = tmp_path / "features"
    folder.mkdir()
    found = world()
    np.savez(folder / "net.npz", **found, query_name=named(NQ, "q"), gallery_name=named(NG, "g"))
    return folder


@pytest.fixture
def given(tmp_path: Path) -> Path:
    """The same model as a matrix, rows and columns in another order, with names inside and labels beside."""
    folder = tmp_path / "given"
    folder.mkdir()
    found, rng = world(), np.random.default_rng(1)
    rows, columns = rng.permutation(NQ), rng.permutation(NG)
    np.savez(
        folder / "matrix.npz",
        distmat=distances(found)[np.ix_(rows, columns)],
        query_names=np.array(named(NQ, "q"))[rows],
        gallery_names=np.array(named(NG, "g"))[columns],
    )
    tables(folder, found)
    return folder


def tables(folder: Path, found: dict[str, np.ndarray]) -> None:
    for side in ("query", "gallery"):
        pids = found[f"{side}_pid"].tolist()
        lines = [f"{name},{pid}" for name, pid in zip(named(len(pids), side[0]), pids, strict=True)]
        listed(folder / f"{side}.csv", ["name,pid", *lines])


def scores(capsys: pytest.CaptureFixture, *options: object) -> dict:
    capsys.readouterr()
    assert evaluate.main([*map(str, options), "--json"]) == 0
    answer: dict = json.loads(capsys.readouterr().out)
    return answer


def refused(call, *options: object) -> str:
    with pytest.raises(InputError) as caught:
        call([*map(str, options)])
    return "\n".join(caught.value.problems)


@each("protocol", ["market1501", "aicity", "vehicleid"])
def test_a_matrix_has_the_scores_of_its_features(features, given, capsys, protocol):
    wanted = scores(capsys, "--features", features, "--recipe", "baseline", "--protocol", protocol)
    found = scores(capsys, "--rankings", given, "--protocol", protocol)
    for each_of in (wanted, found):
        each_of.pop("notes")
    assert found == wanted
    assert 0.3 < found["mAP"] < 0.99


def test_on_viper(shared, tmp_path, capsys):
    """632 against 632 people: the matrix of real features, and the features."""
    with np.load(shared / "viper_feats.npz") as real:
        rows = {side: np.flatnonzero(real["cam"] == at) for at, side in enumerate(("query", "gallery"))}
        found = {side: real["omz0277"][of].astype(np.float32) for side, of in rows.items()}
        found |= {f"{side}_pid": real["id"][of] for side, of in rows.items()}
    for name in ("features", "given"):
        (tmp_path / name).mkdir()
    np.savez(tmp_path / "features" / "net.npz", **found)
    np.save(tmp_path / "given" / "matrix.npy", distances(found))
    tables(tmp_path / "given", found)
    wanted = scores(capsys, "--features", tmp_path / "features", "--recipe", "baseline")
    answer = scores(capsys, "--rankings", tmp_path / "given")
    assert (answer["mAP"], answer["ranks"]) == (wanted["mAP"], wanted["ranks"])
    assert round(100 * answer["ranks"]["1"], 2) == 65.19
    notes = "\n".join(answer["notes"])
    assert "matrix.npy: joined by position: no names inside, rows are those of" in notes


def test_the_released_matrices_of_2020(shared, tmp_path, capsys):
    """Four pickled matrices beside the lists of names, summed as the team's script does: the same distances."""
    weights = {"densenet": 1, "mgn": 0.75, "resnet152": 0.5, "senet152": 1}
    place = tmp_path / "matrices"
    place.mkdir()
    with np.load(shared / "golden" / "gggcy.npz") as real:
        wanted = real["ensemble_distmat_w1_0.75_0.5_1"]
        for at, model in enumerate(weights, 1):
            pickled(place / f"rerank_{model}.pkl", real[f"rerank_merged_m{at}_k15_6_0.5"])
    listed(place / "name_query.txt", names(len(wanted)))
    listed(place / "name_test.txt", names(wanted.shape[1]))
    join = ", ".join(f"rerank_{model} = {weight}" for model, weight in weights.items())
    recipe = tmp_path / "sum.toml"
    recipe.write_text(f'[[branch]]\njoin = {{ use = "weighted_sum", weights = {{ {join} }} }}\n')
    assert run.main(["--rankings", str(place), "--recipe", str(recipe), "--out", str(tmp_path / "out")]) == 0
    lines = [
        [int(word) - 1 for word in line.split()]
        for line in (tmp_path / "out" / "track2.txt").read_text().splitlines()
    ]
    assert (np.array(lines) == np.argsort(wanted, axis=1, kind="stable")[:, :100]).all()


def test_a_pickle_of_python_2(shared, tmp_path):
    with np.load(shared / "golden" / "py2_pickles_expected.npz") as real:
        wanted = real["distmat"]
    for protocol in (0, 2):
        folder = tmp_path / str(protocol)
        folder.mkdir()
        shutil.copy(shared / "golden" / f"py2_cPickle_p{protocol}_distmat.pkl", folder / "rerank.pkl")
        listed(folder / "query.txt", names(5))
        listed(folder / "gallery.txt", names(40))
        assert run.main(["--rankings", str(folder), "--out", str(folder / "out"), "--set", "top_k=40"]) == 0
        ranking = formats.read(folder / "out" / "ranking.csv")
        order = np.argsort(wanted, axis=1, kind="stable")
        assert [ranking.gallery_names[row] for row in ranking.rows[:40]] == [names(40)[at] for at in order[0]]
        assert ranking.distances[:40].tolist() == wanted[0][order[0]].tolist()


def test_labels_inside_and_no_names_at_all(tmp_path, capsys):
    found = world()
    pids = {f"{side[0]}_pids": found[f"{side}_pid"] for side in ("query", "gallery")}
    pickled(tmp_path / "eval.pkl", {"distmat": distances(found), **pids})
    answer = scores(capsys, "--rankings", tmp_path)
    assert any("no names: rows and columns are called by their numbers" in note for note in answer["notes"])
    tables(tmp_path, found)
    listed(tmp_path / "query_names.txt", named(NQ, "q"))
    again = scores(capsys, "--rankings", tmp_path)
    assert again["mAP"] == answer["mAP"]


def test_with_features_lists_and_a_table_of_pairs(features, given, tmp_path, capsys):
    """Every kind at once; a pair that the table lacks is not known to it."""
    order = np.argsort(distances(world(3)), axis=1)[:, :7].tolist()
    old = {name: [f"g{row:03d}.jpg" for row in rows] for name, rows in zip(named(NQ, "q"), order, strict=True)}
    (given / "old.json").write_text(json.dumps(old))
    listed(given / "pairs.csv", ["query,gallery,score", "q000.jpg,g005.jpg,0.9", "q001.jpg,g001.jpg,0.8"])
    both = ["--features", str(features), "--rankings", str(given)]
    assert run.main([*both, "--out", str(tmp_path / "out")]) == 0
    said = capsys.readouterr().out
    assert "matrix, old, pairs are distances already: l2_normalize, distances not for them" in said
    lines = [line.split() for line in said.splitlines()]
    assert [line[1] for line in lines if line[:1] == ["model"]] == ["net", "matrix", "old", "pairs"]
    mAP = {line[0]: line[-1] for line in lines if line[:2] in (["distances", "metric"], ["model", "matrix"])}
    assert mAP["distances"] == mAP["model"]
    recipe = tmp_path / "own.toml"
    recipe.write_text(
        'join = { use = "local_evidence", weight = 1.0, leader = "looks" }\n[[branch]]\nname = "looks"\n'
        'models = ["net"]\nsteps = [{ use = "l2_normalize" }, { use = "distances", metric = "cosine" }]\n'
        '[[branch]]\nmodels = ["pairs"]\n'
    )
    assert run.main([*both, "--recipe", str(recipe), "--out", str(tmp_path / "two"), "--set", "top_k=60"]) == 0
    ranking = formats.read(tmp_path / "two" / "ranking.csv")
    first = [name for query, rank, name, _ in ranking.entries() if rank == 1 and query in ("q000.jpg", "q001.jpg")]
    far = distances(world())
    own = [far[0, 5] * (1 - 0.9), far[1, 1] * (1 - 0.8)]
    assert first == ["g005.jpg", "g001.jpg"]
    assert [d for q, r, _, d in ranking.entries() if r == 1][:2] == pytest.approx(own, rel=1e-5)
    assert len(ranking.rows) == NQ * NG  # the leader knows all pairs


def test_a_table_alone_beside_a_matrix_of_which_nobody_knows_all(tmp_path, capsys):
    """Pairs that neither knows were not found: they are no answer and not scored."""
    found = world()
    tables(tmp_path, found)
    whole = distances(found)
    whole[:, 10:] = np.nan
    np.save(tmp_path / "part.npy", whole)
    listed(tmp_path / "pairs.csv", ["query,gallery,score", "q000.jpg,g012.jpg,0.9", "q001.jpg,g013.jpg,0.9"])
    assert run.main(["--rankings", str(tmp_path), "--out", str(tmp_path / "out")]) == 0
    ranking = formats.read(tmp_path / "out" / "ranking.csv")
    assert ranking.counts.tolist() == [11, 11, *[10] * (NQ - 2)]
    # 5 right images a query, of which query 0 is told two (0 and 12), query 2 one (2), queries 10 and 11 none
    first = scores(capsys, "--rankings", tmp_path)
    (tmp_path / "pairs.csv").unlink()
    assert scores(capsys, "--rankings", tmp_path)["mAP"] < first["mAP"] < 0.45


def test_similarities(given, tmp_path, capsys):
    wanted = scores(capsys, "--rankings", given)
    with np.load(given / "matrix.npz") as found:
        content = dict(found)
    content["distmat"] = 1 - content["distmat"]
    np.savez(given / "matrix.npz", **content)
    wrong = scores(capsys, "--rankings", given)
    assert any("say --similarity matrix" in note for note in wrong["notes"])  # by the labels
    told = scores(capsys, "--rankings", given, "--similarity", "matrix")
    assert not any("--similarity" in note for note in told["notes"])
    assert told["mAP"] == pytest.approx(wanted["mAP"], abs=1e-6)
    assert wrong["mAP"] < 0.2
    np.savez(given / "matrix.npz", cosine_similarity=content.pop("distmat"), **content)
    said = scores(capsys, "--rankings", given)
    assert any("taken for similarities, as its own word for them says" in note for note in said["notes"])
    assert said["mAP"] == told["mAP"]


def test_similarities_are_noticed_beside_features(features, given, capsys):
    with np.load(given / "matrix.npz") as found:
        content = dict(found)
    np.savez(given / "matrix.npz", **(content | {"distmat": -content["distmat"]}))
    for side in ("query", "gallery"):
        (given / f"{side}.csv").unlink()
    notes = scores(capsys, "--features", features, "--rankings", given)["notes"]
    assert any("what is near in it is far in the other lists" in note and "matrix" in note for note in notes)


def test_a_similarity_of_images_with_themselves_is_refused(tmp_path):
    """One set on both sides: an image that is farthest from itself is a similarity that nobody has declared."""
    found = world()
    images = named(NG, "g")
    near = 1 - distances({"query": found["gallery"], "gallery": found["gallery"]})
    np.savez(tmp_path / "square.npz", matrix=near, query_name=images, gallery_name=images)
    said = refused(run.main, "--rankings", tmp_path, "--out", tmp_path / "out")
    assert "wanted every image nearest to that of its own name" in said
    assert "say --similarity square" in said
    assert run.main(["--rankings", str(tmp_path), "--similarity", "square", "--out", str(tmp_path / "out")]) == 0


def test_other_images_are_one_error(given, tmp_path):
    with np.load(given / "matrix.npz") as found:
        content = dict(found)
    content["query_names"] = np.array([f"x{name}" for name in content["query_names"]])
    np.savez(given / "other.npz", **content)
    np.save(given / "wide.npy", np.zeros((NQ, NG + 1), np.float32))
    said = refused(run.main, "--rankings", given, "--out", tmp_path / "out")
    assert f"wide.npy: wanted {NQ} x {NG}, as the lists of names say, found {NQ} x {NG + 1}" in said
    (given / "wide.npy").unlink()
    listed(given / "pairs.csv", ["query,gallery,score", "q000.jpg,nobody.jpg,1"])
    said = refused(run.main, "--rankings", given, "--out", tmp_path / "out")
    assert f"other.npz: wanted the query images, found {NQ} missing" in said
    assert (
        "pairs.csv: wanted images of the gallery (such as g000.jpg and 59 more), found 1 unknown (nobody.jpg)"
        in said
    )
    assert not (tmp_path / "out").exists()


def test_the_same_name_twice_and_minus_infinity(features, given, tmp_path):
    shutil.copy(given / "matrix.npz", given / "net.npz")
    said = refused(run.main, "--features", features, "--rankings", given, "--out", tmp_path / "out")
    assert "wanted other names than the models in" in said
    (given / "net.npz").unlink()
    whole = distances(world())
    whole[3, 4] = -np.inf
    np.save(given / "broken.npy", whole)
    said = refused(run.main, "--rankings", given, "--out", tmp_path / "out")
    assert "broken: wanted numbers, +inf or NaN, found -inf" in said
    np.save(given / "broken.npy", np.full((NQ, NG), np.nan, np.float32))
    said = refused(run.main, "--rankings", given, "--out", tmp_path / "out")
    assert "broken: wanted a pair that it knows, found none" in said


def test_recipes_for_features_say_that_these_are_none(given, tmp_path):
    said = refused(run.main, "--rankings", given, "--recipe", "default", "--out", tmp_path / "out")
    assert "(concat): wanted query, gallery in every part" in said
    assert "--multi-query: wanted features" in refused(evaluate.main, "--rankings", given, "--multi-query")


def test_every_other_command(features, given, tmp_path, capsys):
    options = ["--rankings", str(given)]
    shutil.copy(given / "matrix.npz", given / "second.npz")
    assert thresholds.main([*options, "--fmr", "0.05", "--folds", "2"]) == 0
    assert "fitted on: query and gallery" in capsys.readouterr().out
    assert evaluate.main([*options, "--splits", "3"]) == 0
    assert "means over 3 splits" in capsys.readouterr().out
    assert ablate.main(options) == 0
    assert "second" in capsys.readouterr().out
    recipe = tmp_path / "sum.toml"
    recipe.write_text('[[branch]]\njoin = { use = "weighted_sum" }\n')
    tuned = ["--recipe", str(recipe), "--trials", "4", "--folds", "2", "--out", str(tmp_path / "tuned")]
    assert tune.main([*options, *tuned, "--on", "test"]) == 0
    assert "query and gallery" in capsys.readouterr().out
    assert "wanted labels to tune on" in refused(tune.main, *options, *tuned)
    assert run.main([*options, "--report", "--out", str(tmp_path / "out")]) == 0
    assert (tmp_path / "out" / "report.html").exists()
    record = json.loads((tmp_path / "out" / "run.json").read_text())
    assert str(given / "matrix.npz") in record["inputs"]
    again = ["--recipe", str(tmp_path / "out" / "recipe.toml"), "--out", str(tmp_path / "again")]
    assert run.main([*options, *again]) == 0
    assert (tmp_path / "again" / "ranking.csv").read_bytes() == (tmp_path / "out" / "ranking.csv").read_bytes()


def test_one_set_alone(tmp_path, capsys):
    """A square beside images.csv: each image against all others, as its features are."""
    found = world()
    images = named(NG, "g")
    for name in ("features", "given"):
        (tmp_path / name).mkdir()
        lines = [f"{image},{pid}" for image, pid in zip(images, found["gallery_pid"].tolist(), strict=True)]
        listed(tmp_path / name / "images.csv", ["name,pid", *lines])
    np.savez(tmp_path / "features" / "images_net.npz", features=found["gallery"], name=images)
    square = distances({"query": found["gallery"], "gallery": found["gallery"]})
    order = np.random.default_rng(0).permutation(NG)
    content = {"dist": square[np.ix_(order, order)], "name": np.array(images)[order]}
    np.savez(tmp_path / "given" / "matrix.npz", **content)
    wanted = scores(capsys, "--features", tmp_path / "features", "--recipe", "baseline")
    answer = scores(capsys, "--rankings", tmp_path / "given")
    assert answer["mAP"] == pytest.approx(wanted["mAP"], abs=1e-3)  # two ways to round a distance
    assert run.main(["--rankings", str(tmp_path / "given"), "--out", str(tmp_path / "out")]) == 0
    ranking = formats.read(tmp_path / "out" / "ranking.csv")
    assert ranking.counts.tolist() == [NG - 1] * NG
    assert all(query != image for query, _, image, _ in ranking.entries())
    both = ["--features", tmp_path / "features", "--rankings", tmp_path / "given"]
    assert scores(capsys, *both)["mAP"] == pytest.approx(wanted["mAP"], abs=1e-2)
    np.savez(tmp_path / "given" / "matrix.npz", dist=square, query_name=named(NG, "q"), gallery_name=images)
    said = refused(evaluate.main, "--rankings", tmp_path / "given")
    assert "wanted one set of images, since there is no list or table of queries" in said


def test_a_matrix_among_features_is_told_where_it_belongs(features, given, capsys):
    shutil.copy(given / "matrix.npz", features / "other.npz")
    said = refused(evaluate.main, "--features", features)
    assert "wanted query and gallery as keys, found distmat, query_names, gallery_names" in said
    assert "a matrix of distances is for --rankings" in said
    (features / "other.npz").unlink()
    np.save(features / "other.npy", distances(world()))
    assert any(
        "a matrix of distances is for --rankings" in n for n in scores(capsys, "--features", features)["notes"]
    )


def test_memory_is_told_before(features, given, tmp_path, capsys):
    both = ["--features", str(features), "--rankings", str(given)]
    assert run.main([*both, "--dry-run"]) == 0
    said = capsys.readouterr().out
    assert "peak MB" in said
    assert "2 models" in said
    problem = refused(run.main, *both, "--memory", "100MB")
    assert "--memory: wanted at most 0.10 GB" in problem


def test_shortlist_out_and_back(features, tmp_path, capsys):
    out, place = tmp_path / "out", tmp_path / "matcher"
    options = ["--features", str(features), "--recipe", "baseline", "--out", str(out)]
    shortlist = ["--pairs-out", str(place / "light.csv"), "--pairs-k", "4"]
    assert run.main([*options, *shortlist]) == 0
    assert f"{NQ * 4} pairs, the 4 nearest of every query" in capsys.readouterr().out
    header, *rows = (place / "light.csv").read_text().splitlines()
    assert header == "query,gallery,rank,distance"
    listed(place / "light.csv", [f"{header},score", *(f"{row},{1 - at / 1000}" for at, row in enumerate(rows))])
    answer = scores(capsys, "--features", features, "--rankings", place)
    assert answer["mAP"] > 0.3
    assert not any("not used" in note for note in answer["notes"])
    inside = ["--pairs-out", str(out / "pairs.npz")]
    assert run.main([*options, *inside]) == 0
    assert "pairs.npz" in json.loads((out / "run.json").read_text())["files"]
    with np.load(out / "pairs.npz") as found:
        assert len(found["query"]) == NQ * 25


@each(
    ("more", "message"),
    [
        (["--pairs-k", "5"], "--pairs-k: wanted --pairs-out too, found none"),
        (["--pairs-out", "a.txt"], "--pairs-out: a.txt: wanted a name that ends in .csv, .parquet, .npz"),
        (["--pairs-out", "OUT/ranking.csv"], "--pairs-out: wanted a name of its own"),
        (["--pairs-out", "a.csv", "--pairs-k", "0"], "--pairs-k: wanted 1 or more, found 0"),
        (["--pairs-out", "a.csv", "--pairs-k", "500"], "--set top_k=500 for more"),
    ],
)
def test_shortlists_that_are_refused(features, tmp_path, more, message):
    out = tmp_path / "out"
    more = [word.replace("OUT", str(out)) for word in more]
    said = refused(run.main, "--features", features, "--recipe", "baseline", "--out", out, *more)
    assert message in said
    assert not out.exists()
