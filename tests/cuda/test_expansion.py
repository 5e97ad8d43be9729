"""Steps that add neighbours to images."""

import pytest

from postproc import l2_normalize, nfc, query_expansion, subtract_negatives
from tests.cuda.twice import same_step
from tests.support.each import each
from tests.support.worlds import world

DATA = world(nq=6, ng=30, d=8, people=8, cameras=3)
QUERY, GALLERY = DATA["query"], DATA["gallery"]


@each(
    "settings",
    [
        {},
        {"k": 3, "alpha": 3.0, "decay": True, "include_self": False},
        {"k": 4, "rounds": 2, "metric": "dot", "renormalize": False, "average": False},
        {"k": 4, "rounds": 2, "metric": "sqeuclidean", "find_anew": False},
        {"k": 3, "expand": "gallery"},
        {"k": 3, "expand": "both", "alpha": 2.0},
        {"k": 0},
        {"k": 99},
    ],
)
def test_query_expansion(on_device, settings):
    same_step(on_device, query_expansion, QUERY, GALLERY, **settings)


def test_query_expansion_with_the_gallery_on_the_host(on_device):
    same_step(on_device, lambda query: query_expansion(query, GALLERY)[0], QUERY)


def test_query_expansion_says_what_float32_cannot_hold(on_device):
    with pytest.raises(ValueError, match=r"alpha: wanted weights that float32 can hold, got 64"):
        query_expansion(on_device.up(100 * QUERY), on_device.up(GALLERY), alpha=64.0, metric="dot")


@each("settings", [{}, {"k1": 5, "k2": 3}, {"k1": 99, "k2": 99}, {"k1": 0}])
def test_nfc(on_device, settings):
    same_step(on_device, nfc, GALLERY, **settings)


@each("settings", [{}, {"k": 3, "rounds": 2}, {"beta": 0}])
def test_subtract_negatives(on_device, settings):
    same_step(on_device, subtract_negatives, l2_normalize(QUERY), GALLERY, DATA["train"], **settings)
