"""What breaks a law is told which: steps that are wrong on purpose, one way each."""

import re
import subprocess
import sys
from typing import Annotated, Any, Literal

import numpy as np
import pytest

from postproc import NeighbourLists
from postproc.base import checks
from postproc.base.settings import Neighbours, Neutral, Share, TopK, Weight, Within
from postproc.base.step import COSINE, JACCARD, KEPT, step
from postproc.base.vocabulary import Distances, Features, Gallery, Nearest, Query, Ranking
from postproc.testing import check_step


def product(query: Any, gallery: Any) -> np.ndarray:
    """Squared distances whose bits do not depend on how many images there are."""
    query, gallery = checks.sides(query, gallery)
    return ((query[:, None] - gallery) ** 2).sum(axis=2, dtype=np.float32)


@step(unit=KEPT)
def halved(distances: Distances, *, share: Annotated[Share, Neutral(1.0)] = 0.5) -> Distances:
    """Nothing is wrong with it."""
    return checks.distances("distances", distances) * np.float32(share)


@step(memory=lambda sizes, chosen: 100 * sizes.nq * sizes.ng)
def nearest(query: Query, gallery: Gallery, *, top_k: TopK = None) -> Distances | Nearest:
    """Nor with this."""
    found = product(query, gallery)
    if top_k is None:
        return found
    rows = np.argsort(found, axis=1, kind="stable")[:, :top_k].astype(np.int32)
    return Nearest(np.take_along_axis(found, rows, axis=1), rows)


@step(unit=KEPT)
def writes(distances: Distances) -> Distances:
    array = checks.distances("distances", distances)
    array[:] = array * 2
    return array + 1


@step
def by_place(features: Features) -> Features:
    return checks.features("features", features) + np.arange(len(features), dtype=np.float32)[:, None]


@step
def by_queries(query: Query, gallery: Gallery) -> Distances:
    found = product(query, gallery)
    return found + found[:1]


@step
def in_double(query: Query, gallery: Gallery) -> Distances:
    return product(query, gallery).astype(np.float64)


@step
def turned(query: Query, gallery: Gallery) -> Distances:
    return product(query, gallery)[:, :-1]


@step
def by_chance(query: Query, gallery: Gallery) -> Distances:
    found = product(query, gallery)
    return found + np.random.default_rng().random(found.shape).astype(np.float32)


@step(unit=KEPT)
def not_neutral(distances: Distances, *, weight: Annotated[Weight, Within(0, 9), Neutral(0.0)] = 1.0) -> Distances:
    return checks.distances("distances", distances) * np.float32(weight + 0.5)


@step
def ranks_otherwise(query: Query, gallery: Gallery, *, k: Annotated[Neighbours, Neutral(1)] = 2) -> Distances:
    return np.float32(k) - product(query, gallery)


@step
def unit_length(features: Features) -> Features:
    rows = checks.features("features", features)
    with np.errstate(invalid="ignore"):
        return rows / np.linalg.norm(rows, axis=1, keepdims=True)


@step
def copies_apart(gallery: Gallery) -> Gallery:
    rows = checks.features("gallery", gallery).copy()
    rows[np.unique(rows, axis=0, return_index=True)[1]] += 1  # the first of all copies
    return rows


def unchecked(features: Features, *, share: Share = 0.5) -> Features:
    return checks.features("features", features) * np.float32(share or 0)


@step
def does_nothing(features: Features, *, share: Share = 0.5, way: Literal["one", "other"] = "one") -> Features:
    return checks.features("features", features) * np.float32(share)


@step
def does_not_look(query: Query, gallery: Gallery) -> Query:
    checks.sides(query, gallery)
    return np.array(query, np.float32)


@step
def last_first(distances: Distances) -> Ranking:
    order = np.argsort(checks.distances("distances", distances)[:, ::-1], axis=1, kind="stable")
    return (order.shape[1] - 1 - order).astype(np.int32)


@step
def farthest(query: Query, gallery: Gallery, *, top_k: TopK = None) -> Distances | Nearest:
    found = nearest(query, gallery, top_k=None if top_k is None else top_k + 1)
    return found if top_k is None else Nearest(*(part[:, 1:] for part in found))


@step
def reads_labels(query: Query, query_pid: np.ndarray) -> Query:
    return query * query_pid[:, None]


@step
def says_nothing(features: Features, *, k=3) -> Features:  # type: ignore[no-untyped-def]
    return features * k


@step
def gives_something(features: Features) -> np.ndarray:
    return features


@step(unit=COSINE)
def not_cosine(query: Query, gallery: Gallery) -> Distances:
    return product(query, gallery)


@step(unit=JACCARD)
def below_0(query: Query, gallery: Gallery) -> Distances:
    found = product(query, gallery)
    return found / found.max(axis=1, keepdims=True).clip(1e-9) - np.float32(0.5)


@step(unit=KEPT)
def takes_anything(distances: Distances) -> Distances:
    return np.nan_to_num(np.array(distances, np.float32), posinf=np.inf)


@step(unit="a distance")
def its_own_answer(query: Query, gallery: Gallery | None = None) -> Distances:
    """Of one set each image is among the others."""
    return product(query, query if gallery is None else gallery)


@step(unit=KEPT)
def all_by_all(distances: Distances) -> Distances:
    """Looks at all pairs of gallery images, and does not say so."""
    values = checks.distances("distances", distances)
    square = np.ones((values.shape[1], values.shape[1]), np.float32)
    return values * np.float32(square.dtype.itemsize)


@step
def hears_lists(
    query: Query | NeighbourLists, gallery: Gallery | None = None, neighbours: NeighbourLists | None = None
) -> Distances:
    """Lists make it count from 1, and nobody asks whose they are."""
    found = nearest(query, gallery if gallery is not None else query)
    return found + np.float32(neighbours is not None)


BROKEN = [
    (
        writes,
        "law 1, inputs are untouched, and any kind of array gives the same: writes(): distances was written to",
    ),
    (by_place, "law 2, the result shuffles with its input: by_place(): with the images shuffled, features: "),
    (
        by_queries,
        "law 2, the result shuffles with its input: by_queries(): with the queries shuffled, distances: ",
    ),
    (
        in_double,
        "law 3, float32, the declared shape, finite or +inf: in_double(): with 12 queries and 90 gallery ",
    ),
    (
        turned,
        "law 3, float32, the declared shape, finite or +inf: turned(): with 12 queries and 90 gallery images, ",
    ),
    (
        by_chance,
        "law 4, the same bits twice, with any threads and memory: by_chance(): the second time: distances: ",
    ),
    (not_neutral, "law 5, the neutral setting changes nothing: not_neutral(weight=0.0): distances: 1080 of 1080 "),
    (
        ranks_otherwise,
        "law 5, the neutral setting changes nothing: ranks_otherwise(k=1): ranks otherwise than the ",
    ),
    (copies_apart, "law 6, copies stay together: copies_apart(): gallery: copies of an image differ"),
    (unit_length, "law 6, zero rows give no NaN: unit_length(): features: found NaN where rows [2] are 0"),
    (unchecked, "law 7, a bad setting is refused with its name, range and value: unchecked(share=nan): wanted "),
    (does_nothing, "law 8, every setting matters: does_nothing: way changes nothing, tried 'one' and ['other']"),
    (does_not_look, "law 8, every input matters: does_not_look(): gallery changes nothing, whatever the settings"),
    (last_first, "law 9, ties are broken by gallery row: last_first(): copies of one image are ranked [89, 88, "),
    (farthest, "law 9, the nearest are the head of the whole answer: farthest(top_k=1): nearest: "),
    (reads_labels, "law 10, the signature says what a pipeline needs: reads_labels: query_pid: wanted a name of "),
    (says_nothing, "law 10, the signature says what a pipeline needs: says_nothing: k: wanted a kind of "),
    (gives_something, "law 10, the signature says what a pipeline needs: gives_something: wanted a return "),
    (not_cosine, "law 11, the answer lies in its declared range: not_cosine(): distances: wanted 0 to 2, as "),
    (below_0, "law 11, the answer lies in its declared range: below_0(): distances: wanted 0 to 1, as "),
    (
        takes_anything,
        "law 12, data that is handed over is checked, used or not: takes_anything(): wanted ValueError",
    ),
    (
        its_own_answer,
        "law 13, one set means each against all others: its_own_answer(): distances: wanted inf on all of the ",
    ),
    (
        hears_lists,
        "law 15, neighbour lists give what features give: hears_lists(): with neighbour lists: distances: ",
    ),
    (all_by_all, "law 14, memory stays under what it declares: all_by_all(): wanted at most the 0.0 MB that it "),
]


def test_right_steps_are_right():
    check_step(halved)
    check_step(nearest)


def test_the_law_is_named():
    for function, message in BROKEN:
        with pytest.raises(AssertionError, match=re.escape(message)):
            check_step(function)


def test_every_law_is_among_these():
    from postproc.testing.laws import LAWS

    assert {number for number, *_ in LAWS} == {int(message.split(",")[0].split()[1]) for _, message in BROKEN}


def test_it_needs_no_pytest():
    code = "import sys; import postproc.testing; sys.exit('pytest' in sys.modules or 'scipy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], timeout=100).returncode == 0


def test_data_may_be_ones_own():
    @step
    def roots(features: Features) -> Features:
        rows = checks.features("features", features)
        if (rows < 0).any():
            raise ValueError("features: wanted 0 or more")
        return np.sqrt(rows)

    with pytest.raises(AssertionError, match="roots\\(\\): raised ValueError: features: wanted 0 or more"):
        check_step(roots)
    check_step(roots, data={"features": np.random.default_rng(0).random((20, 6)).astype(np.float32)})
