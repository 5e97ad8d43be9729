import numpy as np

from postproc import ca_jaccard
from tests.cuda.twice import same_step
from tests.support.each import each
from tests.support.worlds import world

DATA = world(nq=6, ng=37, d=8, people=8, cameras=3)
DATA["query_cam"][[1, 4]] = DATA["gallery_cam"][[3, 8, 20]] = -1
SIDES = DATA["query"], DATA["gallery"]
CAMS = DATA["query_cam"], DATA["gallery_cam"]
SETS = {"k1_intra": 3, "k1_inter": 6, "k2_intra": 2, "k2_inter": 2}


@each(
    "settings",
    [
        {},
        SETS,
        {**SETS, "lambda_value": 0.3, "power": 4.0, "normalize": True},
        {**SETS, "camera_sets": False, "k1": 6, "lambda_value": 0.3, "top_k": 9},
        {**SETS, "camera_means": False, "k2": 3},
    ],
)
def test_ca_jaccard(on_device, settings):
    same_step(on_device, ca_jaccard, *SIDES, *CAMS, **settings)


def test_a_gallery_on_the_host(on_device):
    found = ca_jaccard(on_device.up(SIDES[0]), SIDES[1], *CAMS, **SETS)
    np.testing.assert_allclose(on_device.down(found), ca_jaccard(*SIDES, *CAMS, **SETS), atol=1e-6)
