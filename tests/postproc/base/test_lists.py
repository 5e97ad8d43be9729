"""Which steps take neighbour lists follows from their signatures, and others say so."""

import re

import numpy as np
import pytest

import postproc
from postproc import NeighbourLists, neighbours
from postproc.base.lists import takes_lists, takes_lists_alone
from postproc.base.step import step
from postproc.base.vocabulary import Distances, Features, Gallery, Query
from tests.support.each import each

IMAGES = np.eye(6, 4, dtype=np.float32) + np.arange(6, dtype=np.float32)[:, None] / 10
LISTS = neighbours(IMAGES, k=5)
UNIT = neighbours(postproc.l2_normalize(IMAGES), k=5)
CAMS = np.arange(6) % 2


@step
def both(
    query: Query | NeighbourLists, gallery: Gallery | None = None, neighbours: NeighbourLists | None = None
) -> Distances: ...


@step
def beside(features: Features, neighbours: NeighbourLists | None = None) -> Features: ...


@step
def neither(query: Query, gallery: Gallery) -> Distances: ...


def test_signatures_say_it():
    assert [(takes_lists(f), takes_lists_alone(f)) for f in (both, beside, neither)] == [
        (True, True),
        (True, False),
        (False, False),
    ]


@each(
    ("call", "message"),
    [
        (lambda: postproc.sinkhorn(LISTS), "query: wanted an array, got neighbour lists; sinkhorn takes none"),
        (lambda: postproc.rank(LISTS), "distances: wanted an array, got neighbour lists; rank takes none"),
        (lambda: postproc.nfc(LISTS), "they stand beside it: nfc(features, …, neighbours=lists)"),
        (lambda: postproc.query_expansion(neighbours=LISTS), "query_expansion(query, …, neighbours=lists)"),
        (lambda: postproc.rerank(IMAGES, neighbours=LISTS.rows), "wanted postproc.NeighbourLists, got ndarray"),
    ],
)
def test_lists_where_they_have_no_place(call, message):
    with pytest.raises(TypeError, match=re.escape(message)):
        call()


@each(
    ("call", "message"),
    [
        (
            lambda: postproc.rerank(LISTS, neighbours=LISTS),
            "wanted lists once, found them in the place of",
        ),
        (lambda: postproc.gnn_rerank(LISTS), "wanted lists of features of unit length, found lists of others"),
        (lambda: postproc.gnn_rerank(IMAGES, neighbours=LISTS), "wanted lists of features of unit length, found"),
        (lambda: postproc.ecn(UNIT, measure="cosine"), 'wanted "rank_lists" with lists alone, got "cosine"'),
        (lambda: postproc.query_expansion(IMAGES, neighbours=LISTS, metric="dot"), 'with lists, got "dot"'),
        (
            lambda: postproc.csls(IMAGES[:2], IMAGES[2:], neighbours=neighbours(IMAGES[:2], IMAGES[2:])),
            "neighbours: wanted lists of one set, found those of queries and a gallery",
        ),
        (lambda: postproc.dbscan(neighbours(IMAGES[:2], IMAGES[2:])), "query_distances: wanted lists of one set"),
    ],
)
def test_lists_of_another_kind(call, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        call()


def test_columns_of_one_set_are_given_once():
    found = postproc.ca_jaccard(neighbours=UNIT, query_cam=CAMS)
    np.testing.assert_allclose(found, postproc.ca_jaccard(IMAGES, None, CAMS, None), atol=1e-6)


def test_clusters_of_lists():
    far = postproc.distances(IMAGES)
    np.testing.assert_array_equal(
        postproc.linkage(LISTS, threshold=0.5), postproc.linkage(np.where(np.eye(6), 0, far), threshold=0.5)
    )
