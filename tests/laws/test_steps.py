"""The laws on our own steps, and what these are known to give. A new step is under them once it is exported."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

import postproc
from postproc import STEPS
from postproc.base.settings import settings_of
from postproc.testing import check_step, small
from postproc.testing.subject import Subject
from tests.laws.ours import ANY_WIDTH, BESIDE, SPARE, VALUES
from tests.laws.ours import DATA as DATA_OF
from tests.support.worlds import of_unit_length

DATA = small()
NQ, NG = DATA["distances"].shape


@pytest.mark.parametrize("step", STEPS, ids=lambda step: step.__name__)
def test_keeps_the_laws(step):
    name = step.__name__
    check_step(
        step,
        data=DATA_OF.get(name),
        values=VALUES.get(name),
        beside=BESIDE.get(name),
        spare=SPARE.get(name),
        any_width=name in ANY_WIDTH,
    )


# Of classes that the images of an identity are given as often, the first is the true one; parts are in order.
BY_COLUMN = {postproc.rerank_attributes, postproc.part_distances}


def subject(step):
    data = {**DATA, **DATA_OF.get(step.__name__, {})}
    return Subject(step, data, VALUES.get(step.__name__, {}), BESIDE.get(step.__name__, {}), any_width=False)


def test_what_is_said_of_our_steps_is_of_steps():
    names = {step.__name__ for step in STEPS}
    assert names <= set(postproc.__all__)
    assert {*VALUES, *BESIDE, *SPARE, *ANY_WIDTH} <= names


def test_only_a_mask_says_never_where_nobody_said_it():
    given = [step for step in STEPS if any(np.isinf(array).any() for array in subject(step)({}).values())]
    assert given == [postproc.mask_same_camera]


def test_columns_of_a_side_model_may_come_in_any_order():
    order = [2, 0, 3, 1]
    for step in STEPS:
        of = subject(step)
        turned = {
            name: array[:, order] if name.endswith(("_aux", "_cam_prob")) else array
            for name, array in of.data.items()
        }
        if any(name.endswith(("_aux", "_cam_prob")) for name in of.inputs):
            for settings in of.variants():
                if settings.keys() & {"classes", "parts", "views", "confusions"} or step in BY_COLUMN:
                    continue  # they say what a column is
                wanted, found = of.usual(settings), of(settings, turned)
                if "ranking" in wanted:
                    continue
                for name, array in found.items():
                    limit = 1e-6 * max(1, abs(wanted[name]).max())
                    assert_allclose(array, wanted[name], rtol=0, atol=limit, err_msg=f"{step.__name__} {settings}")


def share_of_largest(power, across=DATA["distances"], within=DATA["query_distances"]):
    """(nq, ng) distances to the ``power``, divided by the largest from the query to anybody."""
    return (across / np.maximum(across.max(axis=1), within.max(axis=1))[:, None]) ** power


FEATURES = {"query": DATA["query"], "gallery": DATA["gallery"]}
UNIT = of_unit_length(DATA)
OF_UNIT = UNIT["distances"], 1 - UNIT["query"] @ UNIT["query"].T
UNIT_DISTANCES = {"distances": postproc.distances(*map(postproc.l2_normalize, FEATURES.values()))}
COSINE = 2 * postproc.distances(*FEATURES.values(), metric="cosine")  # 2 - 2 cosine
TRACK_MEANS = postproc.track_mean(DATA["gallery"], DATA["gallery_track"])
NEUTRAL = [  # what changes nothing, and what then comes out
    (postproc.track_mean, {"chunk": 1}, {"gallery": DATA["gallery"]}),
    (postproc.quality_track_mean, {"add": 0, "renormalize": False}, {"gallery": DATA["gallery"]}),
    (postproc.weighted_track_mean, {"epsilon": 1e9}, {"gallery": TRACK_MEANS}),
    (postproc.track_augmentation, {"epsilon": 1e-9, "renormalize": False}, {"gallery": DATA["gallery"]}),
    (postproc.signed_power, {"exponent": 1}, {"features": DATA["features"]}),
    (
        postproc.camera_whitening,
        {"center": False, "whiten": False},
        {side: postproc.l2_normalize(DATA[side]) for side in FEATURES},
    ),
    (postproc.query_expansion, {"k": 0}, FEATURES),
    (postproc.query_expansion, {"rounds": 0}, FEATURES),
    (
        postproc.query_mean,
        {"group": "clusters", "eps": 0, "renormalize": False},
        {"query": DATA["query"]},
    ),
    (postproc.cluster_gallery_soft, {"k": 0}, {"gallery": DATA["gallery"]}),
    (postproc.cluster_gallery_soft, {"rate": 0}, {"gallery": DATA["gallery"]}),
    (postproc.cluster_gallery_soft, {"rounds": 0}, {"gallery": DATA["gallery"]}),
    (postproc.label_votes, {"weight": 0}, {"distances": DATA["distances"]}),
    (postproc.nfc, {"k1": 0}, {"features": DATA["features"]}),
    (postproc.nfc, {"k2": 0}, {"features": DATA["features"]}),
    (postproc.subtract_negatives, {"k": 0}, FEATURES),
    (postproc.subtract_negatives, {"beta": 0}, FEATURES),
    (postproc.subtract_negatives, {"rounds": 0}, FEATURES),
    (postproc.discriminative_expansion, {"negatives": 0}, FEATURES),
    (postproc.merge_set_features, {"step": 0}, FEATURES),
    (postproc.merge_set_features, {"rounds": 0}, FEATURES),
    (postproc.rerank, {"camera_penalty": 0}, {"distances": postproc.rerank(UNIT["query"], UNIT["gallery"])}),
    (postproc.rerank, {"lambda_value": 1}, {"distances": share_of_largest(1, *OF_UNIT)}),
    (
        postproc.rerank_tracks,
        {"lambda_value": 1, "order": "row"},
        {"distances": postproc.rerank(DATA["query"], TRACK_MEANS, lambda_value=1)},
    ),
    (postproc.rerank_distances, {"lambda_value": 1, "power": 1}, {"distances": share_of_largest(1)}),
    (postproc.rerank_distances, {"lambda_value": 1}, {"distances": share_of_largest(2)}),
    (postproc.rerank_constrained, {"lambda_value": 1}, {"distances": share_of_largest(2, *OF_UNIT)}),
    (
        postproc.rerank_attributes,
        {"weight": 0},
        {"distances": postproc.rerank(*FEATURES.values(), k1=4, k2=4, lambda_value=0.5)},
    ),
    (
        postproc.ca_jaccard,
        {"lambda_value": 1, "normalize": True},
        {"distances": postproc.rerank(*map(postproc.l2_normalize, FEATURES.values()), lambda_value=1)},
    ),
    (
        postproc.rerank_multiscale,
        {"lambda_value": 1, "k": 0},
        {"distances": postproc.rerank(*map(postproc.l2_normalize, FEATURES.values()), lambda_value=1)},
    ),
    (
        postproc.gnn_rerank,
        {"lambda_value": 1},
        {"distances": postproc.distances(DATA["query"], DATA["gallery"], metric="cosine")},
    ),
    (postproc.diffusion, {"iterations": 0}, UNIT_DISTANCES),
    (postproc.offline_diffusion, {"iterations": 0}, UNIT_DISTANCES),
    (postproc.rdp, {"iterations": 0}, {"distances": postproc.distances(DATA["query"], DATA["gallery"])}),
    *(
        (step, {"rounds": 0}, {"distances": postproc.distances(DATA["query"], DATA["gallery"])})
        for step in (postproc.rdpac, postproc.lhrr, postproc.cprr, postproc.recknn, postproc.knn_rank)
    ),
    (postproc.cas, {"lambda_value": 1}, {"distances": share_of_largest(1)}),
    (postproc.gcr, {"rounds": 0}, FEATURES),
    (postproc.cheb_gr, {"rounds": 0}, FEATURES),
    (postproc.visual_neighbours, {"weight": 0}, {"distances": COSINE / 2}),
    (postproc.kwf, {"own": 1, "mean": 0}, {"distances": COSINE}),
    (postproc.lbr, {"k": 1}, {"distances": COSINE}),
    (postproc.sinkhorn, {"half_rounds": 0}, {"distances": COSINE / 2}),
    (postproc.sinkhorn_distances, {"half_rounds": 0}, {"distances": DATA["distances"]}),
    (postproc.nnn, {"alpha": 0}, {"distances": COSINE / 2}),
    (postproc.subtract_auxiliary, {"weight": 0}, {"distances": DATA["distances"]}),
    (postproc.part_penalty, {"weight": 0}, {"distances": DATA["distances"]}),
    (postproc.orientation_rule, {"penalty": 0}, {"distances": DATA["distances"]}),
    (postproc.orientation_rule, {"near": 0}, {"distances": DATA["distances"]}),
    (postproc.camera_penalty, {"penalty": 0}, {"distances": DATA["distances"]}),
    (postproc.expected_camera_penalty, {"penalty": 0}, {"distances": DATA["distances"]}),
    (postproc.scene_gate, {"penalty": 0}, {"distances": DATA["distances"]}),
    (postproc.camera_topology, {"weight": 0}, {"distances": DATA["distances"]}),
    (postproc.exclude, {"beta": 0}, {"distances": DATA["distances"]}),
    (postproc.exclude, {"depth": 0}, {"distances": DATA["distances"]}),
    (postproc.assign_tracks, {"bonus": 0, "malus": 0, "threshold": 20.0}, {"distances": DATA["distances"]}),
    (postproc.spatio_temporal, {"gamma_time": 0}, {"distances": 1 - 1 / (1 + np.exp(5 * COSINE / 2 - 5))}),
    (
        postproc.rerank_spatio_temporal,
        {"lambda_value": 1, "gamma_similarity": 0, "gamma_time": 0},
        {"distances": np.zeros((NQ, NG))},
    ),
    (postproc.rank, {"top_k": 10**6}, {"ranking": postproc.rank(DATA["distances"])}),
]


def test_neutral_settings_give_exactly_this():
    for step, settings, wanted in NEUTRAL:
        found = subject(step)(settings)
        said = f"{step.__name__} {settings}"
        assert found.keys() == wanted.keys(), said
        for name, array in wanted.items():
            assert_allclose(found[name], array, rtol=0, atol=1e-6, err_msg=f"{said} {name}")


def test_what_is_declared_neutral_is_among_these():
    listed = {(step.__name__, name) for step, settings, _ in NEUTRAL for name in settings}
    said = {(step.__name__, name) for step in STEPS for name, s in settings_of(step).items() if s.neutral}
    assert said <= listed
