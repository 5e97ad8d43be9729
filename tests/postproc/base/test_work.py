"""What steps say of their work: sums, hand-worked figures, and that more is never less."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

import postproc
from postproc.base.sizes import Sizes
from postproc.base.step import declared_by, with_defaults
from postproc.base.work import KINDS, NO_WORK, Work
from postproc.pairs import spent
from tests.support.each import each

UNKNOWN = {  # how long these take follows from the distances, not from how many there are
    "connected_components", "constrained_union", "dbscan", "hdbscan", "linkage", "refine_clusters",
}  # fmt: skip
SIZES = Sizes(nq=10, ng=100, train=50, width=8, aux=4, tracks=20, threads=2)
KNOWN = [step for step in postproc.STEPS if declared_by(step).work is not None]


def test_work_adds_up():
    assert 2 * Work(products=3, sparse=1) + Work(sparse=5) == Work(products=6, sparse=7)
    assert sum([Work(bytes=1), Work(bytes=2)], NO_WORK) == Work(bytes=3)


def test_every_step_says_its_work_or_is_known_not_to():
    assert {step.__name__ for step in postproc.STEPS} - {step.__name__ for step in KNOWN} == UNKNOWN


@each(
    ("part", "wanted"),
    [
        (spent.pairs(), Work(products=110 * 111 / 2 * 8)),
        (spent.across(2), Work(products=2 * 10 * 100 * 8)),
        (spent.gallery_pairs(), Work(products=100 * 101 / 2 * 8)),
        (spent.query_pairs(), Work(products=10 * 10 * 8)),
        (spent.looked(), Work(entries=110 * 110)),
        (spent.gallery_looked(), Work(entries=100 * 100)),
        (spent.matrix(3), Work(entries=3 * 10 * 100)),
        (spent.read(2), Work(bytes=2 * 4 * (110 + 50) * 8)),
        (spent.images(7), Work(sparse=7 * 110)),
        (spent.columns(7), Work(sparse=7 * 8)),
        (spent.lists(3, "k1", "k2"), Work(sparse=3 * 110 * 20 * 6)),
        (spent.overlaps(1, "k1"), Work(sparse=10 * 20 * 20)),
        (spent.overlaps(1, "k1", "k2"), Work(sparse=10 * 120 * 100)),  # no more than the gallery has
        (spent.shortlists(1, "k2"), Work(products=2 * 10 * 36 * 8)),
        (spent.per_query(2, "k1", "k2"), Work(sparse=2 * 10 * 120)),
        (spent.covariance, Work(products=2 * 100 * 64)),
        (spent.mapped(), Work(products=2 * 110 * 64)),
        (spent.factored(5), Work(products=2 * 5 * 512)),  # one of two threads works
        (spent.nearest, NO_WORK),
        (spent.for_setting("k2", spent.matrix()), Work(entries=6 * 1000)),
        (spent.together(spent.matrix(), spent.images(1)), Work(entries=1000, sparse=110)),
    ],
)
def test_parts_by_hand(part, wanted):
    assert part(SIZES, {"k1": 20, "k2": 6, "top_k": None}) == wanted


def test_a_training_set_is_what_is_fitted():
    assert spent.covariance(replace(SIZES, given=frozenset({"train"})), {}) == Work(products=2 * 50 * 64)


def test_distances_by_hand():
    """A product, the features gone over 52 times, .97 looks a distance; with top_k=100 of 100 a place for each."""
    work = declared_by(postproc.distances).work
    found = work(SIZES, with_defaults(postproc.distances, {}))
    assert found.products == 10 * 100 * 8
    assert found.bytes == 52 * 4 * 160 * 8
    assert found.entries == pytest.approx(970)
    nearest = work(SIZES, with_defaults(postproc.distances, {"top_k": 100}))
    assert nearest.entries - found.entries == pytest.approx(10 * (0.9 * 100 + 62 * 100))


def test_settings_of_which_nobody_knows():
    work = declared_by(postproc.learned_metric).work
    chosen = with_defaults(postproc.learned_metric, {})
    assert work(SIZES, chosen) is not None
    assert work(SIZES, {**chosen, "method": "nca"}) is None


axes = st.fixed_dictionaries(
    {
        "nq": st.integers(0, 500),
        "ng": st.integers(1, 5000),
        "train": st.integers(0, 500),
        "width": st.integers(1, 600),
    }
)


@given(axes=axes, name=st.sampled_from(["nq", "ng", "train", "width"]), more=st.integers(1, 3000))
def test_more_is_never_less_work(axes, name, more):
    for step in KNOWN:
        for top_k in (None, 100):
            chosen = with_defaults(step, {"top_k": top_k} if top_k else {})
            few = declared_by(step).work(Sizes(**axes, tracks=5, aux=4), chosen)
            many = declared_by(step).work(Sizes(**axes | {name: axes[name] + more}, tracks=5, aux=4), chosen)
            for kind in KINDS:
                assert 0 <= getattr(few, kind) <= getattr(many, kind) * (1 + 1e-9), (step.__name__, kind)
