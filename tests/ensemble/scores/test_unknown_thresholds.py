"""Thresholds for the unknown: counted curves against answers that are written out, by shares, and what is best."""

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given

from ensemble.scores.identities import score_identities
from ensemble.scores.unknown_thresholds import OBJECTIVES, Asked, asked, by_share, curve, fit, value
from postproc import Identities, with_unknown
from tests.support.each import each

PLACES = 3
answers = st.tuples(
    st.lists(st.integers(0, 6), max_size=PLACES),  # distances, as they come
    st.permutations(range(5)),  # who is told
    st.integers(0, 4),  # who it is
    st.booleans(),  # whether the gallery lacks them
)


def built(drawn):
    """The answers to known queries and to unknown ones, who is 10 more so that nobody is right."""
    pids = np.full((len(drawn), PLACES), -2)
    far = np.full((len(drawn), PLACES), np.inf)
    for row, (distances, who, _, _) in enumerate(drawn):
        pids[row, : len(distances)] = who[: len(distances)]
        far[row, : len(distances)] = distances
    unknown = np.array([new for *_, new in drawn])
    pid = np.array([who + 10 * new for _, _, who, new in drawn])
    return Identities(pids, far, np.zeros(len(drawn), bool)), pid, unknown


@given(
    st.lists(answers, min_size=1, max_size=12),
    st.sampled_from(sorted(OBJECTIVES)),
    st.sampled_from([0.0, 0.2, 1.0]),
)
def test_the_curve_is_what_the_answers_score(drawn, objective, share):
    found, pid, unknown = built(drawn)
    if unknown.all() or not unknown.any():
        with pytest.raises(ValueError, match="wanted known and unknown queries"):
            curve(asked(found, pid, unknown), objective)
        return
    thresholds, values = curve(asked(found, pid, unknown), objective, share=share)
    assert (np.diff(thresholds) > 0).all()
    for threshold, expected in [*zip(thresholds, values, strict=True), (99, values[-1])]:
        told = with_unknown(found, threshold, top_k=PLACES)
        scores = score_identities(told, pid, np.arange(5), resamples=100).values
        apart = [
            score_identities(told[rows], pid[rows], np.arange(5), resamples=100).values["map5"]
            for rows in (~unknown, unknown)
        ]
        shown = {"map": (1 - share) * apart[0] + share * apart[1], **scores}[objective]
        assert expected == pytest.approx(shown)
        assert value(asked(found, pid, unknown), objective, threshold, share=share) == pytest.approx(shown)
    best = fit(asked(found, pid, unknown), objective, share=share)
    assert best.score == pytest.approx(values.max())
    assert value(asked(found, pid, unknown), objective, best.threshold, share=share) == pytest.approx(best.score)


def test_worked_by_hand():
    """Known 7 and 8 are right at .2 and .6; the unknown ones are as near as .5 and .9."""
    limits = np.array([[0.2], [0.6], [0.5], [0.9]])
    given = Asked(limits, np.array([0, 0, -1, -1]), np.array([7, 8, 20, 21]), np.array([False, False, True, True]))
    thresholds, values = curve(given, "geometric")
    assert thresholds.tolist() == [-np.inf, 0.2, 0.5, 0.6, 0.9]
    assert values == pytest.approx([0, np.sqrt(0.5), 0.5, np.sqrt(0.5), 0])
    assert fit(given, "geometric") == pytest.approx(
        (0.35, np.sqrt(0.5))
    )  # the middle of .2 and .5, the first of two
    many = Asked(limits[[0, 0, 0, 1, 2, 3]], np.array([0, 0, 0, 0, -1, -1]), np.array([7, 7, 7, 8, 20, 21]),
                 np.array([False] * 4 + [True] * 2))  # fmt: skip
    assert curve(many, "geometric")[1] == pytest.approx(values)  # three images of 7 count as one


@each(
    ("far", "share", "wanted"),
    [
        ([0.1, 0.2, 0.3, 0.4], 0.5, (0.25, 0.5)),
        ([0.4, 0.1, 0.3, 0.2], 0.0, (0.4, 0.0)),
        ([0.1, 0.2], 1.0, (np.nextafter(0.1, -1), 1.0)),
        ([0.1, 0.2, 0.3, 0.4], 0.3, (0.35, 0.25)),  # one or two of four: one is nearer
        ([0.1, 0.2, 0.3, 0.4], 0.375, (0.35, 0.25)),  # as far from one as from two
        ([0.2, 0.2, 0.2, 0.1], 0.5, (0.15, 0.75)),  # three are equally far: 0 or 3 of 4
        ([0.1, np.inf], 0.0, (0.1, 0.5)),  # who has no identity is unknown
    ],
)
def test_by_share(far, share, wanted):
    assert by_share(far, share) == pytest.approx(wanted)


@given(st.lists(st.integers(0, 5), min_size=1, max_size=15), st.floats(0, 1))
def test_the_share_that_is_met_is_the_nearest(far, share):
    first = np.array(far, float)
    threshold, met = by_share(first, share)
    assert met == pytest.approx((first > threshold).mean())
    reachable = [(first > t).mean() for t in [-1, *first]]
    assert abs(met - share) == pytest.approx(min(abs(other - share) for other in reachable))


@each(
    ("call", "message"),
    [
        (lambda: by_share([], 0.5), "first: wanted a row of numbers"),
        (lambda: by_share([np.nan], 0.5), "first: wanted a row of numbers"),
        (lambda: by_share([1.0], 2), "share: wanted 0 to 1, got 2"),
        (lambda: curve(asked(*built([([1], range(5), 0, False)])), "best"), "objective: wanted one of"),
        (lambda: curve(asked(*built([([1], range(5), 0, False)])), "map", share=-1), "share: wanted 0 to 1"),
    ],
)
def test_refusals(call, message):
    with pytest.raises(ValueError, match=message):
        call()
