"""Neighbour lists among the data of a step: handed over where they are there, asked of nobody."""

import numpy as np
import pytest

import postproc
from ensemble.pipeline import steps
from ensemble.pipeline.devices import OnHost
from postproc.testing import world

WORLD = world()
FEATURES = {name: postproc.l2_normalize(WORLD[name]) for name in ("query", "gallery")}


def test_no_step_needs_them():
    for step in steps.catalogue().values():
        assert "neighbours" not in step.needs
    assert "neighbours" in steps.catalogue()["rerank"].may_use


@pytest.mark.parametrize("where", [dict, OnHost])
def test_a_step_is_handed_the_lists_of_the_state(where):
    lists = postproc.neighbours(*FEATURES.values(), k=30)
    found = steps.apply(steps.catalogue()["rerank"], where({**FEATURES, "neighbours": lists}), {})
    np.testing.assert_array_equal(found["distances"], postproc.rerank(*FEATURES.values()))
    with pytest.raises(ValueError, match="found lists of others"):
        steps.apply(
            steps.catalogue()["rerank"], {**FEATURES, "query": FEATURES["query"] * 2, "neighbours": lists}, {}
        )


def test_lists_of_one_set():
    images = FEATURES["gallery"]
    state = {"query": images, "gallery": images, "neighbours": postproc.neighbours(images, k=30)}
    found = steps.apply(steps.catalogue()["gnn_rerank"], state, {}, one_set=True)
    np.testing.assert_array_equal(found["distances"], postproc.gnn_rerank(images))
    found = steps.apply(steps.catalogue()["nfc"], state, {}, one_set=True)
    np.testing.assert_array_equal(found["gallery"], postproc.nfc(images))
