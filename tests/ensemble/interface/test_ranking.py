"""The functions of ``import ensemble``: what is in memory goes the way of a folder."""

from functools import partial

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_array_equal

import ensemble
import postproc
from ensemble import run
from ensemble.base.errors import InputError
from postproc.testing import world
from tests.support import pages, typed
from tests.support.each import each

LABELS = ("pid", "cam", "track", "frame")


@pytest.fixture(scope="module")
def images():
    """A small world, with names."""
    given = world(nq=12, ng=60, people=8)
    return {
        **given,
        "query_name": named("q", 12),
        "gallery_name": named("g", 60),
        "train_name": named("t", len(given["train"])),
    }


def named(side, count):
    return [f"{side}{row:03}.png" for row in range(count)]


def folder(path, images):
    """The world as files: two models, tables of labels."""
    path.mkdir()
    for side in ("query", "gallery", "train"):
        np.save(path / f"{side}_a.npy", images[side])
        np.save(path / f"{side}_b.npy", np.ascontiguousarray(images[side][:, :5]))
        columns = {column: images[f"{side}_{column}"] for column in LABELS if f"{side}_{column}" in images}
        pd.DataFrame({"name": images[f"{side}_name"], **columns}).to_csv(path / f"{side}.csv", index=False)
    return path


def held(images, wrap=lambda values: values):
    """The same in memory."""
    beside = {
        f"{side}_{column}": images[f"{side}_{column}"]
        for side in ("query", "gallery", "train")
        for column in ("name", *LABELS)
        if f"{side}_{column}" in images
    }
    widths = {"a": 16, "b": 5}
    return {
        model: {**{side: wrap(images[side][:, :width]) for side in ("query", "gallery", "train")}, **beside}
        for model, width in widths.items()
    }


def test_arrays_are_ranked_as_the_command_ranks_a_folder(tmp_path, images):
    recipe = ("--recipe", "best", "--set", "learned_metric.method=kissme")
    assert (
        run.main(["--features", str(folder(tmp_path / "in", images)), *recipe, "--out", str(tmp_path / "out")])
        == 0
    )
    found = ensemble.rank(held(images), "best", set={"learned_metric.method": "kissme"})
    found.write(tmp_path / "mine")
    for name in ("ranking.csv", "queries.csv", "recipe.toml"):
        assert (tmp_path / "mine" / name).read_bytes() == (tmp_path / "out" / name).read_bytes()
    again = ensemble.rank(tmp_path / "in", "best", set=["learned_metric.method=kissme"])
    assert_array_equal(again.distances, found.distances)
    assert_array_equal(again.rows, found.rows)
    assert again.scores is not None
    assert again.scores.mAP == found.scores.mAP
    assert found.query_names == images["query_name"]
    assert found.names[0][0] == images["gallery_name"][found.rows[0, 0]]


def test_every_kind_of_container_gives_the_same(images):
    torch = pytest.importorskip("torch")
    pyarrow = pytest.importorskip("pyarrow")
    query, gallery = images["query"], images["gallery"]
    wanted = ensemble.rank((query, gallery), "baseline").rows
    table = {"name": images["gallery_name"], "embedding": list(gallery)}
    for one, other in (
        (torch.from_numpy(query).double().requires_grad_(), torch.from_numpy(gallery)),
        (np.asfortranarray(query), gallery.astype(np.float64)),
        (pd.DataFrame({"name": images["query_name"], "embedding": list(query)}), pd.DataFrame(table)),
        (pyarrow.table({"name": images["query_name"], "embedding": query.tolist()}), pyarrow.table(table)),
        (
            dict(zip(images["query_name"], query, strict=True)),
            dict(zip(images["gallery_name"], gallery, strict=True)),
        ),
        ([torch.from_numpy(query[:5]), torch.from_numpy(query[5:])], list(gallery)),
        (Column(query), Column(gallery)),
        (Frame(images["query_name"], query), Frame(images["gallery_name"], gallery)),
        (pd.DataFrame(query), pd.DataFrame(gallery, columns=[f"pca{at}" for at in range(16)])),
        (pd.DataFrame(query, index=images["query_name"]), pd.DataFrame(gallery, index=images["gallery_name"])),
        (
            pyarrow.Table.from_pandas(pd.DataFrame(query)),
            pd.DataFrame(gallery).assign(name=images["gallery_name"]),
        ),
    ):
        assert_array_equal(ensemble.rank((one, other), "baseline").rows, wanted)
    assert_array_equal(ensemble.rank({"qf": query, "gf": gallery}, "baseline").rows, wanted)
    assert_array_equal(ensemble.rank({"features": (query, gallery)}, "baseline").rows, wanted)
    everybody = {"split": ["query"] * 12 + ["gallery"] * 60, "features": np.concatenate([query, gallery])}
    assert_array_equal(
        ensemble.rank(pd.DataFrame({**everybody, "features": list(everybody["features"])}), "baseline").rows,
        wanted,
    )


def test_a_table_of_numbers_has_a_row_an_image(images):
    """Before, its columns passed for images: as many as there are values, in silence."""
    few = pd.DataFrame(images["gallery"][:, :3], columns=["x", "y", "z"])
    found = ensemble.rank(few, "baseline")
    assert_array_equal(found.rows, ensemble.rank(images["gallery"][:, :3].copy(), "baseline").rows)
    named = ensemble.rank(few.set_axis(images["gallery_name"]), "baseline")
    assert named.gallery_names == images["gallery_name"]


class Column:
    """A column that is read as it is asked for, as those of Hugging Face's data sets."""

    def __init__(self, rows):
        self.rows = rows

    def __len__(self):
        return len(self.rows)

    def __getitem__(self, at):
        return self.rows[at].tolist()


class Frame:
    """A table of another package: titles, and columns that become NumPy's."""

    columns = ("name", "vector")

    def __init__(self, names, rows):
        self.held = {"name": np.array(names, object), "vector": np.array([*rows, None], object)[:-1]}

    def __getitem__(self, title):
        return self.held[title]


def test_one_set_has_no_image_as_its_own_answer(images):
    found = ensemble.rank(images["gallery"], "baseline", gallery_pid=images["gallery_pid"], protocol="none")
    assert found.rows.shape[0] == 60
    assert not (found.rows == np.arange(60)[:, None]).any()
    assert found.scores is not None


def test_a_ranking_shows_itself(tmp_path, images):
    names = {"query_names": images["query_name"], "gallery_names": images["gallery_name"]}
    labels = {
        f"{side}_{column}": images[f"{side}_{column}"] for side in ("query", "gallery") for column in LABELS[:2]
    }
    found = ensemble.rank((images["query"], images["gallery"]), "baseline", top_k=5, **names, **labels)
    frame = found.to_frame()
    assert list(frame.columns) == ["query", "rank", "gallery", "distance", "relation"]
    right = frame[frame["relation"] == "right"]
    pid = dict(zip(images["gallery_name"], images["gallery_pid"], strict=True))
    own = dict(zip(images["query_name"], images["query_pid"], strict=True))
    assert len(right)
    assert all(pid[image] == own[query] for query, image in zip(right["query"], right["gallery"], strict=True))
    pages.draw(tmp_path / "pictures", [images["query_name"][0], found.names[0][0]])
    shown = found.show(images["query_name"][0], k=3, images=tmp_path / "pictures")
    assert shown._repr_html_().count("<img src=") == 2
    assert found.names[0][2] in repr(shown)
    assert f"mAP {found.scores.mAP:.4f}" in repr(found)
    assert "mAP" in found._repr_html_()
    assert found.to_submission("json", tmp_path / "x.json").is_file()
    hostile = ensemble.rank((images["query"], images["gallery"]), "baseline", query_names=["<b>", *named("q", 11)])
    assert "<b>" not in hostile.show(0)._repr_html_()


@each(
    ("keywords", "said"),
    [
        ({"theads": 2}, ["theads: wanted one of", "did you mean 'threads'?"]),
        ({"query_pids": [1]}, ["query_pids: wanted one of", "did you mean 'query_pid'?"]),
        ({"out": "x"}, ["out: wanted an option of the function"]),
        ({"gallery_pid": [1, 2]}, ["gallery_pid: wanted 60"]),
        ({"recipe": "bst", "device": "gpu", "cut": 0}, ["mean 'best'?", "device: wanted cpu", "cut: wanted 1 or"]),
        ({"recipe": ["rerank", ("distances", {"metrik": 1})]}, ["did you mean 'metric'?"]),
        ({"recipe": [lambda x: x]}, ["wanted a function"]),
        ({"protocol": "makret1501"}, ["did you mean 'market1501'?"]),
        ({"key": "pid=a,b"}, ["key: is for a folder"]),
        ({"junk": "bad"}, ["junk: wanted one of"]),
        ({"cut": 1.5, "threads": True}, ["cut: wanted a whole number, found 1.5", "threads: wanted a"]),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_in_the_words_of_python(images, keywords, said):
    with pytest.raises(ensemble.InputError) as caught:
        ensemble.rank((images["query"], images["gallery"]), **{"recipe": "baseline", **keywords})
    for text in said:
        assert text in str(caught.value)
    assert "--" not in str(caught.value)


@each(
    ("features", "said"),
    [
        ("nowhere", "nowhere: wanted a folder"),
        (np.zeros((3, 4), int), "wanted (images, values)"),
        ({"query": np.ones((2, 3), np.float32)}, "found no gallery"),
        ({}, "an empty dictionary"),
        (7, "wanted (query, gallery)"),
        ([np.ones((2, 3), np.float32)] * 2, "a list of two matrices, which may be queries and gallery or batches"),
        ((np.ones((2, 3), np.float32),) * 3, "found a tuple of 3"),
        ((np.ones((2, 3), np.float32), np.ones((2, 4), np.float32)), "the same number of values"),
    ],
)
def test_features_that_are_none_are_refused(features, said):
    with pytest.raises(ensemble.InputError, match="wanted") as caught:
        ensemble.rank(features, "baseline")
    assert said in str(caught.value)


def test_recipes_come_from_everywhere(tmp_path):
    best = ensemble.Recipe("best")
    best.to_toml(tmp_path / "mine.toml")
    assert ensemble.Recipe(tmp_path / "mine.toml") == best == ensemble.Recipe(best.to_dict())
    made = ensemble.Recipe([partial(postproc.rerank, k1=9)], each=["l2_normalize"], join="concat", top_k=7)
    assert made.steps == ["l2_normalize", "concat", "rerank"]
    assert made.set({"rerank.k1": 11}).to_dict()["branch"][0]["steps"][0]["k1"] == 11
    assert made.to_dict()["top_k"] == 7
    weighed = made.set({"concat.weights": {"a": 1, "b": 0.5}, "about": 'say "it"', "rerank.lambda_value": 1e-05})
    assert weighed.to_dict()["branch"][0]["join"]["weights"] == {"a": 1, "b": 0.5}
    assert weighed.to_dict()["branch"][0]["steps"][0]["lambda_value"] == 1e-05
    assert "rerank" in repr(made)
    assert "rerank" in made._repr_html_()
    with pytest.raises(ensemble.InputError, match="did you mean 'top_k'"):
        ensemble.Recipe("best", topk=7)


def test_scores_are_those_of_distances_and_of_lists(images):
    far, labels = images["distances"], (images["query_pid"], images["gallery_pid"])
    whole = ensemble.score(far, *labels, protocol="none")
    nearest = postproc.Nearest(np.sort(far, axis=1), postproc.rank(far))
    texts = tuple(np.array([f"who {pid}" for pid in of], object) for of in labels)
    for answers in (nearest, nearest.rows, nearest.rows.tolist()):
        assert ensemble.score(answers, *texts, protocol="none").mAP == whole.mAP
    assert ensemble.score(-far, *labels, protocol="none", similarity=True).mAP == whole.mAP
    assert repr(whole).count("\n") == 1
    with pytest.raises(ensemble.InputError, match="similarity=True"):
        ensemble.score(-far, *labels)
    with pytest.raises(ensemble.InputError, match="leave similarity=True out"):
        ensemble.score(far, *labels, similarity=True)
    with pytest.raises(ensemble.InputError, match=r"every number up to 60 once a row, .* lists of rows as whole"):
        ensemble.score(nearest.rows.astype(float), *labels)
    assert (
        ensemble.score(np.arange(6.0)[None], [1], [1, 2, 1, 2, 2, 2]).mAP == (1 + 2 / 3) / 2
    )  # the same read either way
    assert ensemble.score(pd.DataFrame(far), *labels, protocol="none").mAP == whole.mAP
    assert ensemble.score(far.astype(float) * 1e-7, *labels, protocol="none").mAP == whole.mAP
    with pytest.raises(ensemble.InputError, match=r"float32 tells apart, found that 100% of .* subtract what is"):
        ensemble.score(1000 + far.astype(float) * 1e-7, *labels)
    with pytest.raises(ensemble.InputError, match="did you mean 'market1501'"):
        ensemble.score(far, *labels, protocol="market150")
    assert ensemble.score([[0, 1], [1]], [1, 2], [1, 2], protocol={"base": "none", "top_k": 1}).mAP == 1


def test_matrices_are_joined_as_the_function_joins_them(images):
    from ensemble.fusion import weighted_sum

    one, other = images["distances"], np.ascontiguousarray(images["distances"][::-1])
    labels = {"query_pid": images["query_pid"], "gallery_pid": images["gallery_pid"]}
    found = ensemble.fuse({"a": one, "b": other}, join=("weighted_sum", {"weights": {"a": 1, "b": 0.5}}), **labels)
    assert_array_equal(found.rows, postproc.rank(weighted_sum([one, other], weights=[1, 0.5]))[:, :100])
    table = pd.DataFrame(one, index=images["query_name"], columns=images["gallery_name"])
    alone = ensemble.fuse({"a": table}, **labels)
    assert (alone.query_names, alone.gallery_names) == (images["query_name"], images["gallery_name"])
    assert_array_equal(alone.rows, ensemble.fuse({"a": one}, **labels).rows)
    with pytest.raises(ensemble.InputError, match="a: wanted distances, found every number up to 60 once a row"):
        ensemble.fuse({"a": np.argsort(one)}, **labels)
    with pytest.raises(ensemble.InputError, match="gallery_pid: wanted 60 for b"):
        ensemble.fuse({"a": one, "b": other}, gallery_pid=[1])


def test_rankings_bring_their_labels_and_one_set_stays_one(images):
    query, gallery = images["query"], images["gallery"]
    labels = {name: [f"who {pid}" for pid in images[name]] for name in ("query_pid", "gallery_pid")}
    first = ensemble.rank((query, gallery), "baseline", **labels)
    fused = ensemble.fuse({"a": first, "b": first})
    assert (fused.scores.mAP, fused.labels) == (first.scores.mAP, labels)
    turned = {"query_pid": labels["query_pid"][::-1], "gallery_pid": labels["gallery_pid"]}
    second = ensemble.rank((query[::-1], gallery), "baseline", **turned)
    with pytest.raises(ensemble.InputError, match="b, query: wanted the pid that a, query gives"):
        ensemble.fuse({"a": first, "b": second})
    with pytest.raises(ensemble.InputError, match=r"^query_pid: wanted what a has itself, found another for"):
        ensemble.fuse({"a": first}, **turned)

    pids = images["gallery_pid"]
    alone = ensemble.rank(gallery, ["distances"], gallery_pid=pids)
    for given in (alone, postproc.distances(gallery)):
        for beside in ({"gallery_pid": pids}, {"query_pid": pids, "gallery_pid": pids}):
            again = ensemble.fuse({"a": given, "b": given}, **beside)
            assert again.scores.mAP == alone.scores.mAP  # before: a KeyError, or the own image counted as missed


def test_commands_can_be_called_and_stay_modules(images):
    import ensemble.compare as module

    assert module.main is not None
    assert ensemble.compare is module
    pair = {
        recipe: ensemble.rank(
            (images["query"], images["gallery"]), recipe,
            query_pid=images["query_pid"], gallery_pid=images["gallery_pid"],
        )
        for recipe in ("baseline", "kreciprocal")
    }  # fmt: skip
    found = ensemble.compare(*pair.values(), resamples=100)
    means = [ranking.scores.mAP for ranking in pair.values()]
    assert found.found[0].difference == pytest.approx(means[1] - means[0])
    assert len(found.queries()) == 12
    with pytest.raises(ensemble.InputError, match="wanted two or more"):
        ensemble.compare(pair["baseline"])


def test_every_name_that_is_promised_is_there():
    assert {"rank", "score", "tune", "Recipe"} <= set(dir(ensemble))
    for name in ensemble.__all__:
        assert callable(getattr(ensemble, name))
    with pytest.raises(AttributeError, match="rnak"):
        _ = ensemble.rnak


SCRIPT = """
import numpy as np

import ensemble
from postproc import rerank

query = np.ones((4, 3), np.float32)
ranking: ensemble.Ranking = ensemble.rank((query, query), "best", query_pid=[1, 2, 3, 4], top_k=3, threads=1)
if ranking.scores is not None:
    print(f"{ranking.scores.mAP:.3f}", ranking.rows.shape, ranking.to_frame().shape, ranking.plot.cmc())
recipe = ensemble.Recipe([rerank], top_k=10)
scores = ensemble.score(ranking, [1, 2, 3, 4], [1, 2, 3, 4])
best = max(scores.mAP, ensemble.tune((query, query), recipe, on="test", seed=1, device="cpu").gain[0])
print(ensemble.thresholds("features", fmr=0.01).distances[0] + best, ensemble.fuse([query, query]).names[0][0])
print(ensemble.compare(ranking, "runs/a").to_frame(), ensemble.cluster(query).clusters.sum())
print(ensemble.identify("features", rule="nearest").identities, ensemble.track("features", "tracks").identities)
ensemble.rank(query, theads=1)  # type: ignore[call-arg]
"""


def test_a_script_with_these_functions_is_clean_under_strict_types(tmp_path):
    wrong, said = typed.checked(SCRIPT, tmp_path)
    assert not wrong, said


def test_queries_under_another_name_do_not_make_one_set():
    images = np.random.default_rng(0).standard_normal((9, 4), np.float32)
    with pytest.raises(InputError, match=r"wanted query beside gallery, .* found querry"):
        ensemble.rank({"querry": images[:3], "gallery": images[3:]})
