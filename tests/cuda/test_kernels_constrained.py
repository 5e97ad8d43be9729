import numpy as np
from numpy.testing import assert_allclose

from postproc.kernels.rules import APART, EXEMPT, TOGETHER, CameraRule, SideRules, TrackRule, plain
from tests.cuda.twice import twice
from tests.support.each import each

RNG = np.random.default_rng(0)
LABELS = tuple(RNG.integers(-1, 3, 12).astype(np.int32) for _ in range(3))
RULES = [
    SideRules(CameraRule(0.3, 0.2, 0.1, 0.25), TrackRule(np.nan, 0.0, APART, True)),
    SideRules(CameraRule(0.3, 0.2, 0.1, 0.25), TrackRule(0.1, 0.2, TOGETHER, False)),
    SideRules(CameraRule(2.0, 0.0, 0.0, 9.0), TrackRule(np.nan, 0.1, EXEMPT, False)),
]


@each("rules", RULES)
@each(("row", "column"), [(0, 5), (4, 4)])
@each("sided", [True, False])
def test_constrain_tile(on_device, rules, row, column, sided):
    tile = RNG.uniform(-1, 1, (5, 7)).astype(np.float32)
    sides = RNG.uniform(-1, 1, (5, 7) if sided else (0, 0)).astype(np.float32)
    arguments = (tile, sides, row, column, LABELS, plain(rules))
    ((cuda, cpu),) = twice(on_device, "constrained.constrain_tile", *arguments, written=(0,))
    assert_allclose(cuda, cpu, rtol=1e-6)


@each("rules", RULES)
@each("sided", [True, False])
def test_constrain_pairs(on_device, rules, sided):
    left, right = RNG.integers(0, 12, (2, 30)).astype(np.int32)
    values = RNG.uniform(-1, 1, 30).astype(np.float32)
    sides = RNG.uniform(-1, 1, 30 if sided else 0).astype(np.float32)
    arguments = (values, sides, left, right, LABELS, plain(rules), 3, 28)
    ((cuda, cpu),) = twice(on_device, "constrained.constrain_pairs", *arguments, written=(0,))
    assert_allclose(cuda, cpu, rtol=1e-6)
