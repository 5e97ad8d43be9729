"""One set of images on a device: the same as on the host."""

import numpy as np

import postproc
from postproc.testing.one_set import alone
from postproc.testing.subject import Subject
from tests.cuda.twice import same_step
from tests.support.each import each
from tests.support.worlds import of_unit_length, world

DATA = world(nq=7, ng=31, d=8, people=8, cameras=3)
DATA["gallery_cam"][4] = -1
FEW = {"k": 3, "k1": 4, "k2": 2, "k1_intra": 2, "k1_inter": 3, "truncate": 9, "shortlist": 6}
STEPS = [
    (postproc.rerank, {}),
    (postproc.ca_jaccard, {}),
    (postproc.cas, {"k3": 5, "k4": 2, "k5": 5}),
    (postproc.diffusion, {}),
    (postproc.ecn, {}),
    (postproc.ecn, {"measure": "cosine"}),
    (postproc.gnn_rerank, {}),
    (postproc.kwf, {}),
    (postproc.lbr, {}),
    (postproc.offline_diffusion, {}),
    (postproc.offline_diffusion, {"graph": "gallery"}),
    (postproc.rdp, {}),
    (postproc.csls, {}),
    (postproc.csls_distances, {}),
    (postproc.dis_sim, {}),
    (postproc.local_scaling, {}),
    (postproc.mutual_proximity, {}),
    (postproc.mutual_proximity, {"method": "empirical"}),
    (postproc.nnn, {}),
    (postproc.sinkhorn, {"half_rounds": 3}),
    (postproc.sinkhorn_distances, {"half_rounds": 3, "temperature": 9.0}),
    (postproc.hamming, {}),
    (postproc.rerank_distances, {}),
    (postproc.rerank_constrained, {"camera": 0.5}),
    (postproc.rerank_spatio_temporal, {"bins": 50}),
    (postproc.spatio_temporal, {"bins": 50}),
    (postproc.rank, {}),
]


@each("step, settings", STEPS)
def test_one_set(on_device, step, settings):
    of = Subject(
        step, of_unit_length(DATA) if step is postproc.rerank_constrained else DATA, {}, {}, any_width=False
    )
    data = alone(of)
    few = {name: value for name, value in FEW.items() if name in of.settings}
    by_place = [data.get(name) for name in of.inputs]
    same_step(on_device, step, *by_place, **few, **settings)


def test_own_images_are_no_answer(on_device):
    found = postproc.csls(on_device.up(DATA["gallery"]))
    assert (np.diagonal(on_device.down(found)) == np.inf).all()
