import numpy as np

from postproc import fit_prior, rerank_spatio_temporal, spatio_temporal, sqeuclidean
from tests.cuda.twice import same_step
from tests.support.each import each
from tests.support.worlds import world

DATA = world(nq=6, ng=37, d=8, people=8, cameras=3)
DATA["query_cam"][[1, 4]] = DATA["gallery_cam"][[3, 8, 20]] = -1
DATA["query"][2], DATA["query"][3] = 0, DATA["gallery"][11]
DATA["gallery_frame"][[6, 9, 12]] = DATA["query_frame"][:3]  # gaps of 0
SIDES = DATA["query"], DATA["gallery"]
SEEN = tuple(DATA[f"{side}_{what}"] for what in ("cam", "frame") for side in ("query", "gallery"))
TRAIN = DATA["train_pid"], DATA["train_cam"], DATA["train_frame"]
SETTINGS = {"bins": 9, "bin_frames": 500, "sigma": 1.0, "gamma_time": 9.0}


@each("top_k", [None, 5])
def test_spatio_temporal(on_device, top_k):
    same_step(on_device, spatio_temporal, *SIDES, *SEEN, *TRAIN, top_k=top_k, **SETTINGS)


@each("settings", [{"k1": 6, "k2": 3}, {"k1": 9, "k2": 1, "lambda_value": 0.5, "top_k": 7}])
@each("at_once", [True, False])  # whether two images are of one time, which two ways tell apart
def test_rerank_spatio_temporal(on_device, settings, at_once):
    seen = SEEN if at_once else (*SEEN[:2], np.arange(6) * 7, 50 + 9 * np.arange(37))
    same_step(on_device, rerank_spatio_temporal, *SIDES, *seen, *TRAIN, **settings, **SETTINGS)


def test_a_sum_and_a_prior(on_device):
    prior = fit_prior(*TRAIN, bins=9, bin_frames=500, sigma=1)
    wanted = spatio_temporal(sqeuclidean(*SIDES), None, *SEEN, prior, None, None)
    sides = [on_device.up(side) for side in SIDES]
    found = spatio_temporal(sqeuclidean(*sides), None, *SEEN, prior, None, None)
    np.testing.assert_allclose(on_device.down(found), wanted, atol=1e-6)


def test_a_gallery_on_the_host(on_device):
    found = spatio_temporal(on_device.up(SIDES[0]), SIDES[1], *SEEN, *TRAIN, **SETTINGS)
    wanted = spatio_temporal(*SIDES, *SEEN, *TRAIN, **SETTINGS)
    np.testing.assert_allclose(on_device.down(found), wanted, atol=1e-6)
