"""From images to identities: hand-worked numbers, the definition in plain Python, lists against matrices."""

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given
from hypothesis.extra.numpy import arrays

import postproc
from postproc import Nearest, by_identity
from postproc.identities import by_identity as module
from tests.support.each import each

FAR = np.array([[0.1, 0.5, 0.2, 0.4, 0.3, 0.9]], np.float32)
PIDS = [7, 7, 8, 8, 8, 9]
RULES = ("nearest", "mean", "vote", "sum")


def named(found, row=0):
    kept = found.pids[row] >= 0
    return dict(zip(found.pids[row][kept].tolist(), np.round(found.distances[row][kept], 6).tolist(), strict=True))


@each(
    ("rule", "images", "edge", "wanted"),
    [
        ("nearest", 5, None, {7: 0.1, 8: 0.2, 9: 0.9}),
        ("mean", 2, None, {8: 0.25, 7: 0.3, 9: 0.9}),  # (.2 + .3)/2, (.1 + .5)/2, .9 alone
        ("vote", 3, None, {8: 0.25, 7: 0.1, 9: 0.9}),  # .1 7, .2 8, .3 8: two votes at (.2 + .3)/2; 9 has none
        ("vote", 2, None, {7: 0.1, 8: 0.2, 9: 0.9}),  # one vote each: the tie goes by the mean
        ("sum", 4, 0.5, {8: 0.35, 7: 0.4, 9: 0.5}),  # .5 - (.3 + .2 + .1)/4, .5 - .4/4
        ("sum", 1, 0.5, {7: 0.1, 8: 0.5, 9: 0.5}),  # min(d, edge) of the nearest
        ("sum", 6, None, {8: 0.6, 7: 0.7, 9: 0.9}),  # edge .9: .9 - (.7 + .6 + .5)/6, .9 - (.8 + .4)/6
    ],
)
def test_worked_by_hand(rule, images, edge, wanted):
    found = by_identity(FAR, PIDS, rule=rule, images=images, edge=edge)
    assert list(named(found).items()) == [(pid, pytest.approx(value)) for pid, value in wanted.items()]
    assert found.pids[0, len(wanted) :].tolist() == [-2] * (5 - len(wanted))
    assert not found.short.any()


def slowly(far, pids, rule, images, edge, top_k):
    """The definition, for one query: identities best first, and how far they are."""
    order = [row for row in sorted(range(len(far)), key=lambda row: (far[row], row)) if far[row] < np.inf]
    order = [row for row in order if pids[row] >= 0]
    first = order[:images]
    scored = []
    for place, who in enumerate(dict.fromkeys(pids[row] for row in order)):
        mine = [float(far[row]) for row in order if pids[row] == who]
        votes = [float(far[row]) for row in first if pids[row] == who]
        if rule == "nearest":
            scored.append((0, mine[0], place, who))
        elif rule == "mean":
            scored.append((0, float(np.mean(mine[:images])), place, who))
        elif rule == "vote":
            scored.append((-len(votes), float(np.mean(votes)) if votes else mine[0], place, who))
        else:
            scored.append((0, edge - sum(max(edge - d, 0) for d in votes) / images, place, who))
    best = sorted(scored)[:top_k]
    return [who for _, _, _, who in best], [value for _, value, _, _ in best]


worlds = st.integers(1, 9).flatmap(
    lambda ng: st.tuples(
        arrays(np.int8, (3, ng), elements=st.integers(0, 5)),
        arrays(np.bool_, (3, ng)),
        arrays(np.int8, ng, elements=st.integers(-1, 3)),
        st.sampled_from(RULES),
        st.integers(1, 4),
        st.integers(1, 4),
        st.integers(1, ng),
    )
)


@given(worlds)
def test_lists_and_matrices_agree_with_the_definition(drawn):
    far, never, pids, rule, images, top_k, width = drawn
    far = np.where(never, np.inf, far / 4).astype(np.float32)
    settings = {"rule": rule, "images": images, "top_k": top_k, "edge": 1.0}
    whole = by_identity(far, pids.astype(int), **settings)
    for row, mine in enumerate(far):
        who, value = slowly(mine.tolist(), pids.tolist(), rule, images, 1.0, top_k)
        assert whole.pids[row].tolist() == who + [-2] * (top_k - len(who))
        np.testing.assert_allclose(whole.distances[row, : len(who)], value, atol=1e-12)
    assert not whole.short.any()
    rows = postproc.rank(far, top_k=width)
    listed = np.take_along_axis(far, np.maximum(rows, 0), axis=1)
    lists = Nearest(np.where(rows < 0, np.inf, listed).astype(np.float32), rows)
    cut = by_identity(lists, pids.astype(int), **settings)
    sure = ~cut.short
    assert (cut.pids[sure] == whole.pids[sure]).all()
    np.testing.assert_allclose(cut.distances[sure], whole.distances[sure], atol=1e-12)


def test_a_list_that_is_too_short_says_so():
    rows = np.array([[0, 2, 4]], np.int32)
    lists = Nearest(FAR[:, [0, 2, 4]], rows)
    assert by_identity(lists, PIDS, top_k=2).short.tolist() == [False]  # 7 and 8 are there, whatever comes behind
    assert by_identity(lists, PIDS, top_k=3).short.tolist() == [True]
    found = by_identity(lists, PIDS, rule="mean", images=2, top_k=1)
    assert named(found) == {7: pytest.approx(0.2)}  # its other image is at .3, the end of the list, or farther
    assert found.short.tolist() == [True]
    assert by_identity(lists, PIDS, rule="mean", images=2, top_k=1, own=[1]).short.tolist() == [
        False
    ]  # there is none
    assert by_identity(lists, PIDS, rule="vote", images=4, top_k=1).short.tolist() == [True]
    ended = Nearest(np.array([[0.1, np.inf]], np.float32), np.array([[0, -1]], np.int32))
    assert by_identity(ended, PIDS, top_k=3).short.tolist() == [False]  # nothing comes behind


def test_blocks_change_nothing(monkeypatch):
    rng = np.random.default_rng(0)
    far, pids = rng.random((50, 40), np.float32), rng.integers(-1, 12, 40)
    whole = [by_identity(far, pids, rule=rule, images=3) for rule in RULES]
    monkeypatch.setattr(module, "ENTRIES", 100)
    for rule, before in zip(RULES, whole, strict=True):
        for one, other in zip(by_identity(far, pids, rule=rule, images=3), before, strict=True):
            np.testing.assert_array_equal(one, other)


@each(
    ("change", "message"),
    [
        ({"rule": "most"}, "rule: wanted one of nearest, mean, vote, sum, got 'most'"),
        ({"images": 0}, "images: wanted a whole number, 1 or more"),
        ({"top_k": 0}, "top_k: wanted a whole number, 1 or more"),
        ({"edge": np.inf}, "edge: wanted a finite number"),
        ({"gallery_pid": [1, 2]}, "gallery_pid: wanted 6 values"),
        ({"distances": np.full((1, 6), np.nan)}, "distances: wanted numbers or"),
        ({"distances": Nearest(FAR[:, :1], np.array([[6]], np.int32))}, "rows: wanted -1 to 5, got 6 to 6"),
        ({"distances": Nearest(FAR, np.array([[1]], np.int32))}, "wanted lists of one shape"),
        (
            {"distances": Nearest(np.array([[2.0, 1.0]]), np.array([[0, 1]]))},
            "distances: wanted lists that asc",
        ),
        ({"distances": Nearest(np.array([[1.0, 2.0]]), np.array([[3, 3]]))}, "rows: wanted every image once"),
        ({"own": [1, 2]}, "own: wanted 1 values"),
        ({"own": [6]}, "own: wanted gallery rows, 0 to 5, or -1, got 6"),
    ],
)
def test_refusals(change, message):
    with pytest.raises(ValueError, match=message):
        by_identity(**{"distances": FAR, "gallery_pid": PIDS, **change})


def test_nobody_in_the_gallery():
    found = by_identity(FAR, [-1] * 6)
    assert (found.pids == -2).all()
    assert np.isinf(found.distances).all()
    assert not found.short.any()
