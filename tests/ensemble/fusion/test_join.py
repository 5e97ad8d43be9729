"""What joins declare: when they join, which units they take, what of their settings is refused before a run."""

import numpy as np
import pytest

from ensemble import fusion
from ensemble.fusion import join, kinds
from ensemble.fusion.scaling import Scaling
from ensemble.pipeline import joins
from ensemble.pipeline.steps import catalogue
from postproc import l2_normalize
from postproc.base.settings import settings_of
from postproc.base.step import unit_of

ON_HOST = {
    *fusion.ACROSS, "calibrated_distances", "compete_lists", "local_evidence", "query_adaptive",
    "released_query_adaptive", "reorder_pairs", "pos_fuse", "slide_fuse", "prob_fuse", "seg_fuse", "bayes_fuse",
}  # fmt: skip
PARTS = [np.array([[0, 2, 1]], np.float32), np.array([[3, 1, 5]], np.float32)]


@join.join(unit=join.scaled_or_kept)
def ours(distances: join.Parts, *, weights: kinds.Weights = None, scaling: Scaling = "none"):
    return sum(np.float32(weight) * part for weight, part in zip(weights or [1, 1], distances, strict=True))


def test_a_join_says_when_it_joins():
    assert {name: joins.stage(name) for name in joins.names()} == {
        **dict.fromkeys(fusion.BEFORE, "before"),
        **dict.fromkeys(fusion.ACROSS, "across"),
        **dict.fromkeys(fusion.AFTER, "after"),
    }
    assert set(fusion.BEFORE) == {"concat"}
    assert "graph_fusion" in fusion.ACROSS
    assert "weighted_sum" in fusion.AFTER
    assert {f.__name__ for f in fusion.ON_CUDA} == set(joins.names()) - ON_HOST
    assert not join.is_join(fusion.scaled)
    assert joins.needs("concat") == ("query", "gallery")
    assert joins.needs("calibrated") == ("query", "gallery", "train", "train_pid")
    assert joins.needs("median") == ("distances",)
    assert joins.needs("calibrated_distances") == ("distances", "train_distances", "train_hits")
    assert joins.unit("calibrated") == joins.unit("calibrated_distances") == "1 - probability"
    assert joins.unit("median") == "median"


def test_settings_are_checked_at_every_call():
    assert ours(PARTS, weights=[1, 2]).tolist() == [[6, 4, 11]]
    for settings, message in [
        ({"weights": [1]}, "weights: wanted 2 numbers of 0 or more, one for each part, got [1]"),
        ({"weights": [0, 0]}, "weights: wanted one other than 0, got [0, 0]"),
        (
            {"scaling": "max"},
            f"scaling: wanted one of {', '.join(fusion.SCALINGS)}, got 'max'; did you mean 'row-max'?",
        ),
    ]:
        with pytest.raises(ValueError) as error:  # noqa: PT011
            ours(PARTS, **settings)
        assert str(error.value) == message
    with pytest.raises(TypeError, match="unexpected keyword argument 'weight'"):
        ours(PARTS, weight=[0, 0], weights=[0, 0])


def test_settings_are_refused_without_a_run():
    """What a join says at a call, ``objection`` says before a run."""
    settings = [
        (
            "weighted_sum",
            {"weights": [1]},
            'weights: wanted 2 numbers, one for each part, or "agreement", got [1]',
        ),
        (
            "weighted_sum",
            {"missing": "none", "scaling": "rank"},
            'missing: wanted "none" only with scaling z-score',
        ),
        (
            "weighted_sum",
            {"missing": "mean", "weights": [1, -1]},
            'missing: wanted "worst" or "refuse" with weights',
        ),
        (
            "weighted_sum",
            {"weight": 1},
            "weight: wanted a setting (weights, scaling, missing, average), found 'weight'; did you mean 'we",
        ),
        ("concat", {"weights": [1, -1]}, "weights: wanted 2 numbers of 0 or more"),
        ("concat", {"normalize": "yes"}, "normalize: wanted true or false, got 'yes'"),
        ("query_adaptive", {"reference": [[1, 0]]}, "reference: wanted curves for 2 parts, got 1"),
        (
            "query_adaptive",
            {"reference": [[1], [[1], [0, 1]]]},
            "reference: wanted (curves, points) finite numbers",
        ),
        (
            "query_adaptive",
            {"reference": 3},
            "reference: wanted one of none, queries, or curves for 2 parts, got 3",
        ),
        ("released_query_adaptive", {"similarities": 1}, "similarities: wanted 2 times true or false"),
        ("graph_fusion", {"decay": 0}, "decay: wanted more than 0, got 0"),
        ("graph_fusion", {"decay": 2}, "decay: wanted 0 to 1, got 2"),
        ("unsupervised_reliability", {"rank_k": float("nan")}, "rank_k: wanted a finite number, got nan"),
    ]
    for name, chosen, message in settings:
        found = joins.objection(name, chosen, 2)
        assert found is not None, (name, chosen)
        assert found.startswith(message), found
    for name, chosen, count in [
        ("weighted_sum", {"weights": [1, -1, 0]}, 3),
        ("concat", {"weights": [0, 0]}, 2),
        ("query_adaptive", {"reference": "queries"}, 2),
        ("query_adaptive", {"reference": [[1, 0.5], [[1, 0], [1, 0.2]]]}, 2),
        ("reciprocal_rank_fusion", {"k": 0}, 1),
    ]:
        assert joins.objection(name, chosen, count) is None, (name, chosen)


def test_what_a_tuner_reads_of_settings():
    searched = {
        (name, setting.name): setting.search
        for name in joins.names()
        for setting in joins.settings(name).values()
        if setting.search != "no"
    }
    assert searched == {
        ("compete_lists", "lend"): "around",
        ("compete_lists", "neighbours"): "neighbours",
        ("compete_lists", "power"): "around",
        ("compete_lists", "sharpen"): "whole range",
        ("graph_fusion", "k"): "neighbours",
        ("unsupervised_reliability", "k"): "neighbours",
        ("reciprocal_rank_fusion", "k"): "neighbours",
        ("unsupervised_reliability", "beta"): "around",
    }
    weighed = [name for name in joins.names() if "weights" in joins.settings(name)]
    for name in weighed:
        assert isinstance(joins.settings(name)["weights"].checked, kinds.OneAPart), name
    assert len(weighed) == 14


def test_units():
    for name, step in catalogue().items():
        if "distances" in step.gives:
            others = ("rerank_distances", "rerank_constrained", "rewrite_tracks", "sort_and_insert")
            keeps = step.needs[0] == "distances" and name not in others
            assert (unit_of(step.function, {}) == "") == keeps, name
    known = {name: step.function for name, step in catalogue().items()}
    one, other = unit_of(known["distances"], {}), unit_of(known["rerank"], {})
    problem = joins.units_problem("weighted_sum", {}, [one, other, one])
    assert problem == (
        "wanted distances in one unit, found squared Euclidean distance and Jaccard distance mixed with a share "
        'of the original, 0 to 1; add scaling = "min-max" (or "z-score", "rank"), or join with '
        '"reciprocal_rank_fusion"; or write weights that bring one unit to the other'
    )
    needs_one = {name for name in fusion.AFTER if joins.units_problem(name, {}, [one, other])}
    assert needs_one == {"weighted_sum", "median", "smallest", "largest"}
    assert joins.units_problem("median", {}, [one, other]).endswith('or join with "reciprocal_rank_fusion"')
    for name, settings in [
        ("weighted_sum", {"scaling": "min-max"}),
        ("weighted_sum", {"weights": [1, 0.1]}),
        ("median", {"scaling": "rank"}),
    ]:
        assert joins.units_problem(name, settings, [one, other]) is None
    assert joins.units_problem("weighted_sum", {}, [one, one]) is None


def test_a_join_of_somebody_else(monkeypatch):
    monkeypatch.setattr(joins, "_ADDED", {})
    joins.add(ours, origin="one")
    joins.add(ours, origin="other")  # the same, by another way
    assert joins.names()[-1] == "ours"
    assert joins.stage("ours") == "after"
    assert joins.settings("ours") == settings_of(ours)
    assert joins.apply("ours", [{"distances": part} for part in PARTS], {})["distances"].tolist() == [[3, 3, 6]]
    assert joins.units_problem("ours", {}, ["this", "that"]).startswith("wanted distances in one unit")

    def taken(distances: join.Parts):
        return distances[0]

    def strange(distances: join.Parts, colours):
        return distances[0]

    taken.__name__ = "median"
    lists = join.join()(lambda distances: distances[0])
    lists.__name__ = "distances"
    for value, message in [
        (l2_normalize, "us, l2_normalize: wanted a function under ensemble.fusion.join.join, found none"),
        (
            join.join()(taken),
            "us, median: wanted a name of its own, found one of that name in ensemble.fusion.after.",
        ),
        (lists, "us, distances: wanted a name of its own, found one of that name in postproc.pairs.distances"),
        (join.join()(strange), "us, strange: wanted data of postproc.base.vocabulary, found colours"),
    ]:
        with pytest.raises(ValueError) as error:  # noqa: PT011
            joins.add(value, origin="us")
        assert str(error.value).startswith(message)
    assert len(joins.all_joins()) == len(fusion.JOINS) + 1
