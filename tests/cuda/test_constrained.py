import numpy as np

from postproc import l2_normalize, rerank_constrained
from tests.cuda.twice import same_step
from tests.support.each import each
from tests.support.worlds import world

DATA = world(nq=7, ng=37, d=8, people=8, cameras=3)
DATA["query_cam"][[1, 4]] = DATA["gallery_cam"][[3, 8, 20]] = -1
DATA["gallery_track"][[17, 23]] = DATA["gallery_track"][5]  # copies are of one track
SIDES = l2_normalize(DATA["query"]), l2_normalize(DATA["gallery"])
ACROSS = (1 - SIDES[0] @ SIDES[1].T).astype(np.float32)
ACROSS[:, [17, 23]] = ACROSS[:, [5]]
KNOWN = [DATA[f"{side}_{what}"] for what in ("cam", "track", "cam_group", "aux") for side in ("query", "gallery")]
LAYUMI = {"camera": 0.3, "group": 0.2, "direction": 0.1, "together": 0.1, "between": 0.1, "alone": "together"}
BAIDU = {"camera": 2.0, "query_camera": 0.5, "alone": "exempt", "clip": True}


@each("settings", [{}, {**LAYUMI, "lambda_value": 0.2}, {**BAIDU, "top_k": 9}], ids=["plain", "layumi", "baidu"])
def test_rerank_constrained(on_device, settings):
    same_step(on_device, rerank_constrained, ACROSS, *SIDES, *KNOWN, k1=7, k2=3, **settings)
