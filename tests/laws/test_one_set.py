"""One set of images: every step that compares two sides takes it, and each image is against all others."""

import inspect

import numpy as np
from numpy.testing import assert_array_equal

import postproc
from postproc import STEPS
from postproc.base.one_set import takes_one_set
from postproc.base.vocabulary import Nearest
from postproc.testing.one_set import alone
from postproc.testing.subject import Subject
from postproc.testing.worlds import known, pick, world
from tests.laws.ours import ANY_WIDTH, BESIDE, DATA, VALUES
from tests.support.each import each

COMPARING = [step for step in STEPS if "distances" in Subject(step, {}, {}, {}, any_width=False).returned]
TWO_SIDES = {"query", "gallery"}
ALL_DIFFERENT = pick(known(world(nq=3, ng=40, people=6)), ng=[i for i in range(40) if i not in (17, 20)])
ALL_DIFFERENT["gallery_cam"][[3, 8, 13]] = -1

# Where the query alone is no part of what an image is measured against, or the two sides have different rules.
OF_ITS_OWN = {
    postproc.csls: "the means of an image are over all others, not over the queries",
    postproc.dis_sim: "centres of queries are means of centres",
    postproc.local_scaling: "an image's neighbours are all others, the query among them",
    postproc.rerank_multiscale: "one set is one block, in which the query is among the others",
    postproc.mutual_proximity: "an image's distances are those to all others, the query among them",
    postproc.sinkhorn: "columns are scaled over all others, not over one query",
    postproc.diffusion: "the query is in the graph",
    postproc.rerank_constrained: "the rules of a gallery hold, not those between two sides",
    postproc.track_distances: "the images of a track are one on both sides",
    postproc.aim: "an image is among its own nearest, and among those of others",
    postproc.qb_norm: "the query itself may be what an image of the bank has as its nearest",
    postproc.rerank_one_sided: "an image is among its own nearest, and among those of others",
    postproc.visual_neighbours: "an image is among its own nearest, and among those of others",
    postproc.rerank_tracks: "the images of a track are one on both sides",
}
FEW = {"k": 3, "k1": 5, "k2": 3, "shortlist": 8, "truncate": 12, "k1_intra": 3, "k1_inter": 5}


def subject(step):
    name = step.__name__
    return Subject(step, ALL_DIFFERENT, VALUES.get(name, {}), BESIDE.get(name, {}), name in ANY_WIDTH)


def takes(step):
    return takes_one_set(inspect.unwrap(step))


def looks_at_two_sides(step):
    return set(subject(step).inputs) >= TWO_SIDES


def test_every_step_that_compares_two_sides_takes_one_set():
    lacking = [step.__name__ for step in COMPARING if looks_at_two_sides(step) and not takes(step)]
    assert lacking == []


@each("step", [step for step in COMPARING if looks_at_two_sides(step) and step not in OF_ITS_OWN])
def test_a_row_is_that_of_the_image_as_the_query_of_all_others(step):
    of = subject(step)
    if "distances" in of.inputs:
        return  # a step on distances keeps them or says in its own test what it does
    data, count = alone(of), len(ALL_DIFFERENT["gallery"])
    few = {name: value for name, value in FEW.items() if name in of.settings}
    for settings, images in (({}, (13, count - 1)), (few, (0, 13))):
        found = step(**data, **settings)
        for image in images:
            others = np.delete(np.arange(count), image)
            row = step(**_split(of, image, others), **settings)
            wanted = np.insert(row[0], image, np.inf)
            room = 2e-6 * max(1, abs(row).max())
            np.testing.assert_allclose(found[image], wanted, rtol=0, atol=room, err_msg=f"{of.said()} {settings}")


def _split(of, image, others):
    """The data of a step with one gallery image as the only query and all others as the gallery."""
    sides = {}
    for name in of.inputs:
        if name.startswith(("query", "gallery")):
            array = ALL_DIFFERENT[name.replace("query", "gallery")]
            sides[name] = array[[image]] if name.startswith("query") else array[others]
        elif name in ALL_DIFFERENT:
            sides[name] = ALL_DIFFERENT[name]
    return sides


@each("step", [step for step in COMPARING if "top_k" in inspect.signature(step).parameters])
def test_lists_are_the_head_of_the_matrix_without_the_own_image(step):
    data = DATA.get(step.__name__, known(world()))
    of = Subject(step, data, VALUES.get(step.__name__, {}), {}, any_width=False)
    if not looks_at_two_sides(step):
        return
    data = alone(of)
    found = step(**data)
    for k in (1, 7, 1000):
        lists = step(**data, top_k=k)
        assert isinstance(lists, Nearest)
        order = np.argsort(found, axis=1, kind="stable")[:, : min(k, len(found) - 1)]
        assert_array_equal(lists.rows, order, err_msg=step.__name__)
        assert_array_equal(lists.distances, np.take_along_axis(found, order, axis=1), err_msg=step.__name__)


SYMMETRIC = [
    (postproc.distances, {}),
    (postproc.rerank, {"lambda_value": 0.0}),
    (postproc.ca_jaccard, {}),
    (postproc.cas, {"lambda_value": 0.0}),
    (postproc.ecn, {}),
    (postproc.ecn, {"measure": "cosine"}),
    (postproc.gnn_rerank, {}),
    (postproc.offline_diffusion, {}),
    (postproc.hamming, {}),
    (postproc.csls, {}),
    (postproc.dis_sim, {}),
    (postproc.local_scaling, {}),
    (postproc.local_scaling, {"method": "nicdm", "metric": "cosine"}),
    (postproc.mutual_proximity, {}),
    (postproc.mutual_proximity, {"method": "empirical"}),
]


@each("step, settings", SYMMETRIC)
def test_what_has_a_symmetric_formula_is_symmetric_to_the_last_bit(step, settings):
    found = step(**alone(Subject(step, known(world(ng=200)), {}, {}, any_width=False)), **settings)
    assert_array_equal(found, found.T)
