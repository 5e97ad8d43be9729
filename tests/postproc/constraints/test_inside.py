"""Neighbours of constrained tiles by whole numbers inside the gallery: by definition, the same bits in any way."""

from unittest.mock import patch

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from postproc import rerank_constrained, using
from postproc.base import machine
from postproc.constraints.constrained_tiles import ConstrainedTiles, InsideTiles
from postproc.kernels.rules import APART, CameraRule, Places, SideRules, TrackRule
from postproc.pairs import forecast, nearest, pruned
from postproc.testing.worlds import around
from tests.support.each import each

pytestmark = pytest.mark.skipif(not machine.int8(), reason="the processor has no AVX-512 VNNI")
NQ, NG, D, PEOPLE = 40, 700, 96, 30
K = 21


def images(n, d, people):
    rng = np.random.default_rng(0)
    pid = rng.integers(0, people, n)
    return around(rng, rng.standard_normal((people, d)), pid, 1, unit=True).astype(np.float32), pid


X, PID = images(NQ + NG, D, PEOPLE)
COPIES = X.copy()
COPIES[NQ + 3 : NQ + 400 : 9] = X[NQ + 1]
_RNG = np.random.default_rng(1)
CAMS = _RNG.integers(-1, 6, NQ + NG)
TRACKS = {
    "of identities": np.where(_RNG.random(NQ + NG) < 0.2, -1, PID),
    "of anybody, who may be the farthest": _RNG.integers(-1, 50, NQ + NG),
    "one longer than a list": np.where(np.arange(NQ + NG) % 3, -1, 5),
    "one of all": np.zeros(NQ + NG, np.int64),
    "none": np.full(NQ + NG, -1),
}


def sides(values):
    return values[:NQ], values[NQ:]


def rules_of(camera=0.1, group=0.0, direction=0.0, clip=False):
    return SideRules(CameraRule(camera, group, direction, 9.0), TrackRule(np.nan, 0.0, APART, clip))


def tiles_of(x, tracks, one_set=False, **rules):
    places = [Places(cams, np.full(len(cams), -1), np.ones((len(cams), 1), np.float32)) for cams in sides(CAMS)]
    if one_set:
        return InsideTiles(x[NQ:], tracks[NQ:], places[1], rules_of(**rules))
    query, gallery = sides(x)
    return ConstrainedTiles(
        1 - query @ gallery.T, (query, gallery), sides(tracks), tuple(places), (rules_of(**rules),) * 2
    )


def exactly(tiles, x, tracks, camera):
    """All distances by their definition, in float64."""
    alike = (CAMS >= 0) & (CAMS[:, None] == CAMS)
    matrix = 2 - 2 * x.astype(np.float64) @ x.T + 2 * camera * alike
    matrix[(tracks >= 0) & (tracks[:, None] == tracks)] = 0
    if isinstance(tiles, InsideTiles):
        matrix = matrix[NQ:, NQ:]
    else:
        matrix[:NQ, NQ:] = 2 * tiles.across
        matrix[NQ:, :NQ] = matrix[:NQ, NQ:].T
    same = tiles.layout.inverse
    matrix[same[:, None] == same] = 0
    return matrix


def check(found, matrix):
    """Lists are those of ``matrix`` but for images that float32 cannot tell apart."""
    assert (np.diff(np.sort(found.rows, axis=1)) > 0).all(), "nobody twice"
    assert_allclose(found.values, np.take_along_axis(matrix, found.rows, axis=1), atol=1e-6)
    assert_allclose(found.values, np.sort(matrix, axis=1)[:, :K], atol=1e-6)
    before, after = found.values[:, :-1], found.values[:, 1:]
    assert ((before < after) | ((before == after) & (found.rows[:, :-1] < found.rows[:, 1:]))).all(), "ties by row"
    assert_allclose(found.largest, matrix.max(axis=1), atol=1e-6)


def different_ways(tiles):
    with using(threads=3):
        yield nearest.of_all(tiles, K)
    with patch.dict("os.environ", {machine.NO_AMX: "1"}):
        yield nearest.of_all(tiles, K)
    for changed in ({"FAR_ROOM": 8, "near_room": lambda k: k + 8}, {"FAR_ROOM": 4, "SINGLE": 0}):
        with patch.multiple(pruned, **changed):
            yield nearest.of_all(tiles, K)


@each("name", list(TRACKS))
@each("camera, copied, one_set", [(0.0, False, False), (0.3, False, True), (0.3, True, False)])
def test_lists_are_those_of_the_definition(name, camera, copied, one_set, monkeypatch):
    x, tracks = COPIES if copied else X, TRACKS[name]
    tiles = tiles_of(x, tracks, one_set, camera=camera)
    matrix = exactly(tiles, x, tracks, camera)
    filled = []
    fill = pruned.fill
    monkeypatch.setattr(forecast, "FEWEST", 1)
    monkeypatch.setattr(forecast, "pays", lambda rows, layout, k: True)
    monkeypatch.setattr(pruned, "fill", lambda *given: (filled.append(1), fill(*given)))
    found = nearest.of_all(tiles, K)
    check(found, matrix)
    for other in different_ways(tiles) if copied else ():
        for part in ("rows", "values", "largest"):
            assert_array_equal(getattr(other, part), getattr(found, part))
    assert len(filled) == (5 if copied else 1)
    filled.clear()
    monkeypatch.setenv(machine.NO_INT8, "1")
    check(nearest.of_all(tiles, K), matrix)
    assert not filled, "a walk"


def test_what_is_walked_over(monkeypatch):
    """Rules that say more than a squared distance and what is added to it, and features of other lengths."""
    tracks = TRACKS["none"]
    rows = tiles_of(X, tracks, camera=0.25).inside
    assert (rows.count, rows.more) == (NG, 0.5)
    assert tiles_of(X, tracks, one_set=True).inside.count == NG
    for rule in ({"camera": -0.1}, {"group": 0.1}, {"direction": 0.1}, {"clip": True}):
        for one_set in (False, True):
            assert tiles_of(X, tracks, one_set, **rule).inside is None
    longer = X.copy()
    longer[-1] *= 1.0001
    assert tiles_of(longer, tracks).inside is None
    monkeypatch.setenv(machine.NO_INT8, "1")
    assert tiles_of(X, tracks).inside is None


def test_a_forecast_counts_whose_farthest_are_of_its_track():
    apart, one = (forecast.look(tiles_of(X, TRACKS[name]).inside, K)[2] for name in ("none", "one of all"))
    assert one >= apart + forecast.AGAIN / 2


def test_it_is_used_where_it_pays(monkeypatch):
    nq, ng = 30, 6400
    x, pid = images(nq + ng, 256, 320)
    rng, filled = np.random.default_rng(2), []
    cams = rng.integers(0, 6, nq + ng)
    labels = [side for part in (cams, pid * 6 + cams) for side in (part[:nq], part[nq:])]
    far = 1 - x[:nq] @ x[nq:].T
    fill = pruned.fill
    monkeypatch.setattr(pruned, "fill", lambda *given: (filled.append(given[0].count), fill(*given)))
    found = rerank_constrained(far, x[:nq], x[nq:], *labels, camera=0.1)
    assert filled == [ng]
    monkeypatch.setenv(machine.NO_INT8, "1")
    walked = rerank_constrained(far, x[:nq], x[nq:], *labels, camera=0.1)
    assert len(filled) == 1
    assert (np.abs(found - walked) < 1e-5).mean() > 0.999  # nearly equal distances change places by rounding
