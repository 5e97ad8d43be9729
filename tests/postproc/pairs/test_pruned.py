"""Neighbours by whole numbers: exact in every world, the same bits however they are found, or not used at all."""

from dataclasses import replace
from unittest.mock import patch

import numba
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from postproc import distances, rerank, same_camera, sqeuclidean, using
from postproc.base import machine
from postproc.base.stored import Stored, on_disk
from postproc.kernels import cpu, reference
from postproc.pairs import forecast, nearest, pruned
from postproc.pairs.pairwise import among
from postproc.pairs.rows import rows_in
from postproc.pairs.tiles import Lists, PairwiseTiles
from tests.support.disk import little_room
from tests.support.each import each
from tests.support.worlds import world

pytestmark = pytest.mark.skipif(not machine.int8(), reason="the processor has no AVX-512 VNNI")
RNG = np.random.default_rng(0)


@pytest.fixture
def always():
    """Whole numbers wherever they are possible, whatever it costs."""
    with patch.object(forecast, "worth", lambda tiles, k: tiles.all_rows):
        yield


def around(n, d, people, noise):
    centre = RNG.standard_normal((people, d))
    return centre[RNG.integers(0, people, n)] + noise * RNG.standard_normal((n, d))


def unit(x):
    return x / np.linalg.norm(x, axis=1, keepdims=True)


def spiked(x):
    x = x.copy()
    x[:, 3] *= 1000
    return x


def copied(x):
    x = x.copy()
    x[::3], x[5:9] = x[1], 0
    return x


BASE = around(700, 100, 40, 1.0)
WORLDS = {
    "identities of unit length": unit(BASE),
    "lengths from small to huge": BASE * np.exp(3 * RNG.standard_normal((700, 1))),
    "noise alone": RNG.standard_normal((500, 64)),
    "nearly copies": unit(around(600, 130, 3, 1e-4)),
    "copies and zeros": copied(BASE),
    "a common part": unit(BASE + 30),
    "one large value": spiked(BASE),
    "sorted by identity": np.repeat(RNG.standard_normal((20, 96)), 30, axis=0)
    + 0.2 * RNG.standard_normal((600, 96)),
    "one value": RNG.standard_normal((300, 1)),
    "whole numbers, many ties": RNG.integers(0, 3, (400, 7)),
    "wide": unit(around(200, 1100, 20, 2.0)),
    "tiny": RNG.standard_normal((3, 5)),
    "outlier": np.vstack([BASE[:300], 1e6 * BASE[:1]]),
    "small numbers": BASE[:300] * 1e-12,
    "large numbers": BASE[:300] * 1e12,
}


def exactly(x):
    x = np.asarray(x, np.float32)
    return reference.basic.sqeuclidean(x, x)


def check(found, matrix, k, rtol=2e-5):
    """Lists are those of ``matrix`` in float64 but for rows that float32 cannot tell apart."""
    k = min(k, len(matrix))
    scale = np.diff(np.sort(matrix, axis=1)[:, [0, -1]])  # of what is lost in a product
    assert found.rows.shape == (len(matrix), k)
    assert (np.diff(np.sort(found.rows, axis=1)) > 0).all(), "nobody twice"
    assert (np.abs(found.values - np.take_along_axis(matrix, found.rows, axis=1)) <= rtol * scale).all()
    assert (np.abs(found.values - np.sort(matrix, axis=1)[:, :k]) <= rtol * scale).all()
    before, after = found.values[:, :-1], found.values[:, 1:]
    assert ((before < after) | ((before == after) & (found.rows[:, :-1] < found.rows[:, 1:]))).all(), "ties by row"
    assert (np.abs(found.largest - matrix.max(axis=1)) <= rtol * scale[:, 0]).all()


@each("name", list(WORLDS))
def test_exact_in_every_world(always, name):
    x = np.asarray(WORLDS[name], np.float32)
    for k in (1, 21):
        check(nearest.of_all(PairwiseTiles(among(x)), k), exactly(x), k)


@each("k", [1, 5, 60, 99, 100])
def test_lists_as_long_as_there_are_rows(always, k):
    x = BASE[:100].astype(np.float32)
    check(nearest.of_all(PairwiseTiles(among(x)), k), exactly(x), k)


@settings(max_examples=25, deadline=None)
@given(
    n=st.integers(1, 300),
    d=st.integers(1, 140),
    k=st.integers(1, 40),
    people=st.integers(1, 50),
    noise=st.sampled_from([0.0, 1e-6, 0.1, 1.0, 10.0]),
    seed=st.integers(0, 1000),
)
def test_exact_in_any_world(n, d, k, people, noise, seed):
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((people, d))[rng.integers(0, people, n)] + noise * rng.standard_normal((n, d))
    x = x.astype(np.float32)
    with patch.object(forecast, "worth", lambda tiles, k: tiles.all_rows):
        check(nearest.of_all(PairwiseTiles(among(x)), k), exactly(x), k)


@each("name", [name for name in WORLDS if name != "whole numbers, many ties"])
def test_lists_are_the_same_beside_all_distances(always, name):
    """With the matrix of one set, who is near is read off it; not a bit of the lists may change."""
    x = np.asarray(WORLDS[name], np.float32)
    tiles = PairwiseTiles(sqeuclidean(x))
    matrix = np.empty((len(x), len(x)), np.float32)
    wanted, found = nearest.of_all(tiles, 21), nearest.of_all(tiles, 21, matrix)
    for part in ("rows", "values", "largest"):
        assert_array_equal(getattr(found, part), getattr(wanted, part))
    assert_allclose(matrix, exactly(x), atol=2e-5 * exactly(x).max())


def test_distances_of_a_list_are_of_one_kind(always):
    """Symmetric to the bit, and exactly 0 from an image to itself and to its copies."""
    x = copied(BASE).astype(np.float32)
    found = nearest.of_all(PairwiseTiles(among(x)), 50)
    lists = enumerate(zip(found.rows, found.values, strict=True))
    known = {(i, j): v for i, sides in lists for j, v in zip(*sides, strict=True)}
    assert all(known.get((j, i), v) == v for (i, j), v in known.items())
    assert all(known[i, i] == 0 for i in (2, 100, 698))
    assert known[0, 3] == 0


def different_ways(x, k):
    """The same lists by other threads, instructions, blocks, first limits and room, which may change nothing."""
    source = PairwiseTiles(among(x))
    for threads in (1, 2, 3):
        with using(threads=threads):
            yield nearest.of_all(source, k)
    with patch.dict("os.environ", {machine.NO_AMX: "1"}):
        yield nearest.of_all(source, k)
    for changed in (
        {"BLOCK": 1},
        {"HITS": 1000},
        {"scouts": lambda n: 48},
        {"FAR_ROOM": 8},
        {"near_room": lambda k: k + 8},
    ):
        with patch.multiple(pruned, **changed):
            yield nearest.of_all(source, k)


@each("name", ["identities of unit length", "noise alone", "sorted by identity", "nearly copies"])
def test_bits_depend_on_nothing(always, name):
    x = np.asarray(WORLDS[name], np.float32)
    first, *others = different_ways(x, 21)
    for other in others:
        assert_array_equal(other.rows, first.rows)
        assert_array_equal(other.values, first.values)
        assert_array_equal(other.largest, first.largest)


def test_rows_in_full_are_found_where_there_is_no_room(always):
    """Nearly copies of three images: more candidates than there is room for."""
    called = []
    in_full = pruned._in_full
    with patch.object(
        pruned,
        "_in_full",
        lambda rows, lengths, some, *out: (called.append(len(some)), in_full(rows, lengths, some, *out)),
    ):
        nearest.of_all(PairwiseTiles(among(WORLDS["nearly copies"].astype(np.float32))), 21)
    assert called[0] > 300


def test_queries_and_gallery_and_their_distances(always):
    x = unit(BASE).astype(np.float32)
    source = PairwiseTiles(sqeuclidean(x[:90], x[90:]))
    answer = np.full((90, 610), np.nan, np.float32)
    check(nearest.of_all(source, 21, answer), exactly(x), 21)
    assert_array_equal(answer, distances(x[:90], x[90:]))


def test_one_set_and_its_distances(always):
    x = unit(BASE).astype(np.float32)
    answer = np.full((700, 700), np.nan, np.float32)
    found = nearest.of_all(PairwiseTiles(sqeuclidean(x)), 21, answer)
    check(found, exactly(x), 21)
    assert_array_equal(found.values, nearest.of_all(PairwiseTiles(sqeuclidean(x)), 21).values)
    assert_allclose(answer, exactly(x), atol=1e-6)
    assert_array_equal(answer, answer.T)


def test_a_sum_of_distances(always):
    x, y = unit(BASE).astype(np.float32), unit(around(700, 30, 40, 1.0)).astype(np.float32)
    pairs = 0.7 * sqeuclidean(x[:90], x[90:]) + 0.3 * sqeuclidean(y[:90], y[90:])
    check(nearest.of_all(PairwiseTiles(pairs), 21), 0.7 * exactly(x) + 0.3 * exactly(y), 21)


def test_re_ranking_is_the_same_without(always, monkeypatch):
    data = world(nq=80, ng=500, d=70, people=60)
    with_it = rerank(data["query"], data["gallery"])
    monkeypatch.setenv(machine.NO_INT8, "1")
    assert_allclose(with_it, rerank(data["query"], data["gallery"]), atol=2e-6)


@each("kind", ["float16", "float32", "every other column", "copies"])
@each("one_set", [True, False])
def test_features_on_disk_have_the_same_bits(always, tmp_path, kind, one_set):
    x = copied(BASE) if kind == "copies" else BASE
    there = tmp_path / f"{kind} {one_set}.npy"
    np.save(there, x.astype("float32" if kind in ("float32", "copies") else "float16"))
    mapped = np.load(there, mmap_mode="r")
    mapped = mapped[:, ::2] if kind == "every other column" else mapped
    sides = [mapped] if one_set else [mapped[:90], mapped[90:]]
    source = PairwiseTiles(sqeuclidean(*map(on_disk, sides)))
    assert any(isinstance(part, Stored) for part in source.parts)
    wanted = nearest.of_all(PairwiseTiles(sqeuclidean(*map(in_memory, sides))), 5)
    same(nearest.of_all(source, 5), wanted)
    same(nearest.of_all(source, 5, np.empty((source.layout.nq, source.layout.ng), np.float32)), wanted)


def in_memory(side):
    return np.array(side, np.float32, order="C")


def same(found, wanted):
    for name in ("rows", "values", "largest"):
        assert_array_equal(getattr(found, name), getattr(wanted, name))


def test_the_forecast_decides_alike_for_features_on_disk(tmp_path):
    x = unit(around(2000, 300, 100, 0.5)).astype(np.float16)
    np.save(tmp_path / "x.npy", x)
    there = sqeuclidean(on_disk(np.load(tmp_path / "x.npy", mmap_mode="r")))
    seen = [forecast.look(PairwiseTiles(pairs).all_rows, 24) for pairs in (there, sqeuclidean(in_memory(x)))]
    assert seen[0] == seen[1]


def test_a_full_disk_is_said(always, tmp_path):
    np.save(tmp_path / "x.npy", BASE.astype(np.float16))
    source = PairwiseTiles(sqeuclidean(on_disk(np.load(tmp_path / "x.npy", mmap_mode="r"))))
    words = (
        r"features: wanted 0.00 GB for them as float32 in the folder of temporary files, but File too large; make"
    )
    with little_room(4096), pytest.raises(OSError, match=words):
        nearest.of_all(source, 5)


def test_without_the_instruction_the_same_bits(monkeypatch):
    for name in ("identities of unit length", "nearly copies", "a common part", "tiny"):
        rows = rows_in([np.asarray(WORLDS[name], np.float32)])
        wanted = nearest.of_rows(rows, 21)
        with monkeypatch.context() as changed:
            changed.setenv(machine.NO_INT8, "1")
            same(nearest.of_rows(rows, 21), wanted)


def reversed_of(sides):
    return [side[::-1].copy() for side in sides]


def seen(rng, n, cameras, per_track):
    """Cameras and tracks of images, some unknown."""
    cams, tracks = rng.integers(0, cameras, n), rng.integers(0, max(1, n // per_track), n)
    cams[rng.random(n) < 0.2], tracks[rng.random(n) < 0.2] = -1, -1
    return cams, tracks


@each("name", ["identities of unit length", "copies and zeros", "nearly copies", "tiny"])
@each("weight", [0.05, 1e4])
@each("one_set", [False, True])
def test_a_penalty_within_a_camera(always, name, weight, one_set, monkeypatch):
    """The lists of the walk, whichever way, and beside the distances of one set."""
    x, rng = np.asarray(WORLDS[name], np.float32), np.random.default_rng(0)
    cams, tracks = seen(rng, len(x), 3, 4)
    half = len(x) // 3
    sides = [slice(None)] if one_set else [slice(half), slice(half, None)]
    parts = [(x[side], cams[side], tracks[side]) for side in sides]
    features, places, passes = (part if len(part) == 2 else (*part, None) for part in zip(*parts, strict=True))
    source = PairwiseTiles(sqeuclidean(*features) + weight * same_camera(*places, *passes))
    assert source.all_rows.more == np.float32(weight)
    alike = (cams >= 0) & (cams[:, None] == cams) & ((tracks < 0) | (tracks[:, None] != tracks))
    np.fill_diagonal(alike, False)
    matrix = exactly(x) + np.float32(weight) * alike
    copies = (exactly(x) == 0) & (cams[:, None] == cams) & (tracks[:, None] == tracks)
    matrix[copies] = 0
    found = nearest.of_all(source, 21)
    check(found, matrix, 21)
    answer = np.empty((source.layout.nq, source.layout.ng), np.float32)
    same(nearest.of_all(source, 21, answer), found)
    for off in (machine.NO_AMX, machine.NO_INT8):
        with monkeypatch.context() as changed:
            changed.setenv(off, "1")
            if off == machine.NO_AMX:
                same(nearest.of_all(source, 21), found)
            else:
                check(nearest.of_all(source, 21), matrix, 21)


@each("name", list(WORLDS))
@each("far", [0.3, 30.0])
def test_what_is_usual_is_taken_off_at_both_ends(name, far):
    """Distances below 0, and each row first in its own list."""
    x, rng = np.asarray(WORLDS[name], np.float32), np.random.default_rng(1)
    matrix = exactly(x)
    usual = (-far * matrix.mean() * rng.random(len(x))).astype(np.float32)
    matrix += usual[:, None].astype(np.float64) + usual
    np.fill_diagonal(matrix, matrix.min() - 1)
    rows = replace(rows_in([x]), usual=usual)
    for found, *again in (_other_ways(rows, 21), _other_ways(rows, 1)):
        for other in again:
            same(other, found)
        assert_array_equal(found.rows[:, 0], np.arange(len(x)))
        assert (found.values[:, 0] == -np.inf).all()
        found.values[:, 0] = matrix[0, 0]
        largest = np.maximum(found.largest, matrix[0, 0])
        check(Lists(found.rows, found.values, largest), matrix, found.rows.shape[1])


def _other_ways(rows, k):
    yield nearest.of_rows(rows, k)
    with patch.multiple(pruned, near_room=lambda k: k + 8, FAR_ROOM=8):
        yield nearest.of_rows(rows, k)
    with patch.dict("os.environ", {machine.NO_INT8: "1"}):
        yield nearest.of_rows(rows, k)


def test_others_are_walked_over(monkeypatch):
    x = BASE[:200].astype(np.float32)
    side = x[:50], x[50:]
    cams = np.arange(50) % 3, np.arange(150) % 3
    plain = sqeuclidean(*side)
    assert PairwiseTiles(plain).all_rows is not None
    assert PairwiseTiles(plain - 0.1 * sqeuclidean(*side)).all_rows is None
    camera = same_camera(*cams)
    assert PairwiseTiles(plain + 0.1 * camera).all_rows is not None
    assert PairwiseTiles(plain - 0.1 * camera).all_rows is None
    assert PairwiseTiles(plain + 0.1 * camera + 0.1 * same_camera(*reversed_of(cams))).all_rows is None
    tracks = np.arange(50) // 5, np.arange(150) // 5
    assert PairwiseTiles(plain.zero_within_tracks(*tracks)).all_rows is None
    monkeypatch.setenv(machine.NO_INT8, "1")
    assert PairwiseTiles(plain).all_rows is None


def test_the_forecast_tells_what_pays():
    good = PairwiseTiles(among(unit(around(2000, 300, 100, 0.5)).astype(np.float32)))
    noise = PairwiseTiles(among(unit(RNG.standard_normal((2000, 300))).astype(np.float32)))
    seen = [forecast.look(source.all_rows, 15) for source in (good, noise)]
    assert seen[0][2] == 0, "every identity of 20 is far from the others"
    assert seen[1][1] > 1.5 * seen[0][1], "in noise nobody is near, and many are nearly as far as the nearest"
    assert forecast.costs(2000, 300, *seen[0]) < forecast.costs(2000, 300, *seen[1])
    assert forecast.worth(good, 21) is None, "so few are faster by a walk"
    with patch.object(forecast, "FEWEST", 1), patch.object(forecast, "TILE", 1e4):
        assert forecast.worth(good, 21) is not None
        assert forecast.worth(good, 97) is None


@each("offset, scale", [(0, 1), (3, 1), (300, 1), (0, 5e17)])  # a small common part, a large one, large numbers
def test_the_forecast_sees_distances(offset, scale):
    x = (scale * (BASE + offset)).astype(np.float32)
    rows = rows_in([x[:11], x[11:]])
    some = np.arange(0, 700, 10)
    found = forecast._distances(rows.moved(some, rows.mean), rows)
    wide = x.astype(np.float64)
    left, right = wide[some] - rows.mean, wide - rows.mean
    assert_allclose(found, (right**2).sum(axis=1) - 2 * left @ right.T, atol=2e-3 * (right**2).sum(axis=1).mean())


def test_some_rows_of_two_sides(tmp_path):
    x = BASE.astype(np.float32)
    np.save(tmp_path / "x.npy", x[11:])
    for second in (x[11:], Stored(np.load(tmp_path / "x.npy", mmap_mode="r"))):
        rows = rows_in([x[:11], second])
        for some in ([], [0], [3, 5, 10], [10, 11], [2, 11, 500], range(5, 30), [600, 699]):
            wanted = np.array(some, np.int64)
            assert_array_equal(rows.moved(wanted, None), x[wanted])
            assert_array_equal(rows.moved(wanted, rows.mean), x[wanted] - rows.mean)


def test_one_forecast_for_all_lists_up_to_a_depth():
    """Lists are to begin as longer ones do, and long ones are no reason for short ones."""
    tiles = PairwiseTiles(among(unit(around(200, 300, 20, 0.5)).astype(np.float32)))
    asked = []
    with (
        patch.multiple(forecast, FEWEST=1, TILE=1e6),
        patch.object(forecast, "look", lambda rows, k: asked.append(k) or (k, k, 0.0)),
    ):
        for k in (1, 24, 25, 48, 96, 97):
            forecast.worth(tiles, k)
    assert asked == [24, 24, 48, 48, 96]


@settings(max_examples=25, deadline=None)
@given(
    n=st.integers(1, 120),
    d=st.integers(1, 300),
    spread=st.sampled_from([0.0, 1.0, 5.0]),
    seed=st.integers(0, 1000),
)
def test_distances_lie_between_the_bounds(n, d, spread, seed):
    """Of the definition, and of the kernel, whose numbers are turned."""
    rng = np.random.default_rng(seed)
    x = (rng.standard_normal((n, d)) * np.exp(spread * rng.standard_normal((n, 1)))).astype(np.float32)
    matrix = exactly(x)
    low, high = reference.int8.bounds(x)
    assert (low <= matrix).all()
    assert (matrix <= high).all()
    numbers = pruned.quantised(PairwiseTiles(among(x)).all_rows)[0]
    panel = cpu.int8.PANEL
    q = numbers.packed.swapaxes(1, 2).reshape(-1, 4 * numbers.packed.shape[1])[:n].astype(np.float64)
    assert numbers.packed.shape[2] == panel
    assert_array_equal(numbers.begin[:n], -128 * q.sum(axis=1))
    base, step, wide = numbers.limits[:3, :n].astype(np.float64)
    classes = PairwiseTiles(among(x)).layout.classes
    if classes == n:
        low = base[:, None] + base - 2 * np.outer(step, step) * (q @ q.T)
        assert (low <= matrix).all()
        assert (matrix <= low + wide[:, None] + wide).all()


@pytest.mark.skipif(not machine.amx(), reason="the processor has no AMX, or the system does not lend it")
@each("d", [1, 64, 200, 1100])
def test_both_instructions_find_the_same_pairs_with_the_same_bounds(d, monkeypatch):
    """All pairs, since nothing limits them; what is no row has no bound and is in none."""
    n = 130
    numbers = pruned.quantised(PairwiseTiles(among(RNG.standard_normal((n, d)).astype(np.float32))).all_rows)[0]
    ends = 0, len(numbers.packed)
    found = []
    for off in ("", "1"):
        monkeypatch.setenv(machine.NO_AMX, off)
        room = cpu.int8.room_of(numbers.packed)
        hits = np.empty(3 * n * n, np.float32), np.empty(3 * n * n, np.int32), np.empty(3 * n * n, np.int32)
        at, count = cpu.int8.narrow(
            numbers.packed, numbers.begin, numbers.limits, ends, ends, False, 0, room, *hits
        )
        found.append((room.ndim, at, [part[:count] for part in hits]))
    assert [ndim for ndim, _, _ in found] == [3, 1]
    assert len(found[0][2][0]) == n * n
    assert found[0][1] == found[1][1]
    for one, other in zip(found[0][2], found[1][2], strict=True):
        assert_array_equal(one, other)


@each("dimensions, wanted", [(1, {"vpdpbusd"}), (3, {"tdpbssd", "ldtilecfg", "tilerelease"})])
def test_a_processor_meets_its_own_instruction_alone(dimensions, wanted):
    """By the code for each kind of room, which is read, not run."""
    blocks = cpu.int8_blocks
    kernel = numba.njit(lambda packed, room: (blocks.take_up(packed, 0, room), blocks.put_down(room)))
    multiply = numba.njit(lambda room, a: blocks._multiply(room, a, a, a, a, a))
    room = numba.types.Array(numba.types.int8, dimensions, "C")
    packed = numba.types.Array(numba.types.int8, 4, "C")
    kernel.compile((packed, room))
    multiply.compile((room, numba.types.int64))
    code = "".join(text for made in (kernel, multiply) for text in made.inspect_asm().values())
    assert {name for name in ("vpdpbusd", "tdpbssd", "ldtilecfg", "tilerelease") if name in code} == wanted


def test_whole_numbers_lose_what_the_definition_says():
    """(3, -1.5): the step is 3 / 127; -1.5 is 63.5 steps, and half a step, 3 / 254, is lost."""
    q, step, lost = reference.int8.quantise(np.array([[3, -1.5], [0, 0]]))
    assert_array_equal(q, [[127, -64], [0, 0]])
    assert_allclose(step, [3 / 127, 1])
    assert_allclose(lost, [3 / 254, 0])


@each("d", [1, 16, 63, 64, 65, 200, 513])
def test_the_distance_of_a_pair(d):
    a, b = RNG.standard_normal((2, d)).astype(np.float32)
    found = cpu.settling.apart(a, b)
    assert_allclose(found, ((a.astype(np.float64) - b) ** 2).sum(), rtol=(d / 64 + 80) * 2.0**-24)
    assert found == cpu.settling.apart(b, a)
    assert cpu.settling.apart(a, a) == 0
