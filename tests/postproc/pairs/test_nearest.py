"""Lists of neighbours, strips and selections, on tiles of every cut; exact numbers, so that every tie shows."""

from contextlib import contextmanager
from unittest.mock import patch

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.testing import assert_allclose, assert_array_equal

from postproc import distances, same_camera, sqeuclidean, using
from postproc.base import runtime
from postproc.kernels import cpu, reference
from postproc.pairs import answering, layout, nearest
from postproc.pairs.matrices import MatrixTiles
from postproc.pairs.tiles import PairwiseTiles
from tests.support.each import each
from tests.support.worlds import lattices, world

SIDES = st.tuples(lattices(st.integers(1, 12)), lattices(st.integers(1, 30)))
NUMBERS = st.sampled_from([0, 1, 2, np.inf])
EDGES = st.sampled_from([1, 2, 5, 1000])


@contextmanager
def blocks_of(edge):
    """No block larger than this, so that small worlds have many."""
    with patch.multiple(layout, EDGE=edge, SMALLEST=min(edge, layout.SMALLEST)):
        yield


def square(query, gallery):
    images = np.concatenate([query, gallery])
    return reference.basic.sqeuclidean(images, images)


def check_lists(found, matrix, k):
    """Lists are the first k of a stable sort of every row; ``matrix`` (N, N) is exact."""
    wanted = np.argsort(matrix, axis=1, kind="stable")[:, :k]
    assert_array_equal(found.rows, wanted)
    assert_array_equal(found.values, np.take_along_axis(matrix, wanted, axis=1))
    assert_array_equal(found.largest, matrix.max(axis=1))


def all_strips(source):
    """The strips put together; every query must come once, and what is done to a strip may not matter."""
    layout = source.layout
    out = np.full((layout.nq, layout.ng), np.nan, np.float32)

    def use(strip, queries):
        assert np.isnan(out[queries]).all()
        out[queries] = strip
        strip[:] = -7

    answering.strips(source, use, what="strips")
    return out


def every_pair(source):
    """(N, N): what the tiles say of single pairs."""
    n = source.layout.nq + source.layout.ng
    left, right = np.indices((n, n), np.int32).reshape(2, -1)
    return source.between(left, right).reshape(n, n)


def asymmetric(nq, n, seed):
    """Distances of a small range of whole numbers, with no symmetry at all between the two sides."""
    rng = np.random.default_rng(seed)
    parts = [rng.integers(0, 6, shape).astype(np.float32) for shape in [(nq, n - nq), (nq, nq), (n - nq, n - nq)]]
    across, query, gallery = parts
    return parts, np.block([[query, across], [across.T, gallery]])


@settings(max_examples=50)
@given(sides=SIDES, k=st.integers(1, 50), edge=EDGES)
def test_symmetric_tiles(sides, k, edge):
    matrix, nq = square(*sides), len(sides[0])
    with blocks_of(edge):
        source = PairwiseTiles(sqeuclidean(*sides))
        answer = np.full((nq, len(matrix) - nq), np.nan, np.float32)
        check_lists(nearest.of_all(source, k, answer), matrix, k)
        assert_array_equal(answer, matrix[:nq, nq:])
        assert_array_equal(all_strips(source), matrix[:nq, nq:])
        assert_array_equal(answering.everything(source), matrix[:nq, nq:])
        assert_array_equal(every_pair(source), matrix)


@settings(max_examples=30)
@given(sides=SIDES, own=st.integers(1, 20), other=st.integers(1, 40), edge=EDGES)
def test_neighbours_on_either_side(sides, own, other, edge):
    """As if queries were of one camera and the gallery of another; where a side is smaller, nobody is named."""
    matrix, side = square(*sides), np.repeat([0, 1], [len(part) for part in sides])
    with blocks_of(edge):
        source = PairwiseTiles(sqeuclidean(*sides), (side[side == 0], side[side == 1]))
        found = nearest.of_sides(source, own=own, other=other)
    for lists, k, here in zip(found, (own, other), (side[:, None] == side, side[:, None] != side), strict=True):
        seen = np.where(here, matrix, np.inf)
        order = np.argsort(seen, axis=1, kind="stable")[:, :k]
        values = np.take_along_axis(seen, order, axis=1)
        assert_array_equal(lists.values, values)
        assert_array_equal(lists.rows, np.where(np.isinf(values), -1, order))
        assert_array_equal(lists.largest, np.where(here, matrix, -np.inf).max(axis=1))


@settings(max_examples=50)
@given(nq=st.integers(1, 9), ng=st.integers(1, 30), k=st.integers(1, 45), edge=EDGES, seed=st.integers(0, 99))
def test_given_tiles_are_read_down_their_columns(nq, ng, k, edge, seed):
    parts, matrix = asymmetric(nq, nq + ng, seed)
    with blocks_of(edge):
        source = MatrixTiles(*parts)
        answer = np.full((nq, ng), np.nan, np.float32)
        check_lists(nearest.of_all(source, k, answer), matrix.T, k)
        for found in (answer, all_strips(source), answering.everything(source)):
            assert_array_equal(found, parts[0])
        assert_array_equal(every_pair(source), matrix.T)


@settings(max_examples=50)
@given(
    sides=SIDES,
    weights=st.tuples(st.sampled_from([1.0, 4.0]), st.sampled_from([0.0, 0.25, -0.25])),
    penalty=st.sampled_from([0.0, 2.0, -3.0]),
    joined=st.booleans(),
    edge=EDGES,
    seed=st.integers(0, 99),
)
def test_tiles_of_sums_and_penalties(sides, weights, penalty, joined, edge, seed):
    nq, n = len(sides[0]), sum(map(len, sides))
    rng = np.random.default_rng(seed)
    other = 2 * rng.integers(-2, 3, (n, 2)).astype(np.float32)
    cam, track = rng.integers(-1, 3, n), rng.integers(-1, 4, n)
    matrix = weights[0] * square(*sides) + weights[1] * reference.basic.sqeuclidean(other, other)
    matrix += penalty * reference.basic.same_camera(cam, track)
    everything = np.column_stack([np.concatenate(sides), bool(weights[1]) * other, cam, track])
    matrix[(everything[:, None] == everything).all(axis=2)] = 0  # an image and its copies
    pairs = weights[0] * sqeuclidean(*sides) + weights[1] * sqeuclidean(other[:nq], other[nq:])
    pairs += penalty * same_camera(cam[:nq], cam[nq:], track[:nq], track[nq:])
    if joined:
        pairs = pairs.zero_within_tracks(track[:nq], track[nq:])
        matrix[(track[:, None] == track) & (track >= 0)] = 0
    with blocks_of(edge):
        source = PairwiseTiles(pairs)
        check_lists(nearest.of_all(source, 7), matrix, 7)
        assert_array_equal(all_strips(source), matrix[:nq, nq:])
        assert_array_equal(every_pair(source), matrix)


@settings(max_examples=25)
@given(sides=SIDES, one_set=st.booleans(), tall=st.integers(1, 3), more=st.integers(0, 4))
def test_strips_may_be_lower_than_blocks(sides, one_set, tall, more):
    """In one set a strip lies inside a block of its own columns, and an image is at 0 from itself."""
    pairs = sqeuclidean(sides[1]) if one_set else sqeuclidean(*sides)
    source = PairwiseTiles(pairs)
    with patch.multiple(layout, EDGE=tall + more, SMALLEST=tall, STRIP=1):
        found = all_strips(source)
        assert max(rows.stop - rows.start for rows in source.layout.strips) <= tall
    assert_array_equal(found, reference.basic.sqeuclidean(sides[one_set], sides[1]))


@settings(max_examples=50)
@given(nq=st.integers(1, 400), ng=st.integers(1, 900), copies=st.integers(1, 4), edge=st.integers(1, 300))
def test_blocks_cover_all_classes_and_keep_queries_apart(nq, ng, copies, edge):
    images = np.arange(nq + ng, dtype=np.float32)[:, None] // copies
    layout = PairwiseTiles(sqeuclidean(images[:nq], images[nq:])).layout
    with blocks_of(edge):
        blocks = layout.blocks  # cut at the first look
    covered = [name for block in blocks for name in range(block.start, block.stop)]
    assert covered == list(range(layout.classes))
    assert layout.classes == len(np.unique(images))
    for block in blocks:
        assert block.stop - block.start <= edge
        assert (block.stop <= layout.query_classes) or (block.start >= layout.query_classes)
    assert_array_equal(images[layout.first][layout.inverse], images)


def with_copies():
    """Random features, so that rounding shows; copies inside a side, across sides and blocks."""
    data = world(nq=150, ng=700, d=24, people=90)
    query, gallery = data["query"], data["gallery"]
    query[140] = gallery[[20, 333, 690]] = query[3]
    gallery[650] = gallery[10]
    query[77] = gallery[400] = 0
    return query, gallery


def test_copies_are_exactly_as_far_as_their_original():
    query, gallery = with_copies()
    source = PairwiseTiles(sqeuclidean(query, gallery))
    assert source.layout.classes == 150 + 700 - 2 - 1 - 4 - 1
    found = distances(query, gallery)
    assert_array_equal(found[[3, 3, 3, 77], [20, 333, 690, 400]], 0)
    assert_array_equal(found[140], found[3])
    assert_array_equal(found[:, [20, 333]], found[:, [690, 690]])
    assert_array_equal(found[:, 650], found[:, 10])
    lists = nearest.of_all(source, 9)
    group = [3, 140, 150 + 20, 150 + 333, 150 + 690]
    for one in group:
        assert_array_equal(lists.rows[one, :5], group)
        assert_array_equal(lists.values[one], lists.values[3])
    assert_array_equal(source.between(np.array(group), np.array(group[::-1])), 0)


class Uneven(PairwiseTiles):
    """What rounding may do: below the diagonal a tile is not exactly the other one's transpose."""

    def tile(self, rows, columns, out):
        tile = super().tile(rows, columns, out)
        tile += np.float32(1e-5) * (rows.start > columns.start)
        return tile


@each("copies", [False, True])
def test_lists_answer_and_strips_hold_the_same_bits(copies):
    query, gallery = with_copies() if copies else (world(nq=150, ng=700)[side] for side in ("query", "gallery"))
    gallery = gallery if copies else gallery + np.arange(700, dtype=np.float32)[:, None] / 700
    source = Uneven(sqeuclidean(query, gallery))
    assert source.layout.distinct is not copies
    answer = np.empty((150, 700), np.float32)
    lists = nearest.of_all(source, 850, answer)
    assert_array_equal(all_strips(source), answer)
    assert_allclose(answer, reference.basic.sqeuclidean(query, gallery), atol=1e-4)
    matrix = np.empty((850, 850), np.float32)
    np.put_along_axis(matrix, lists.rows, lists.values, axis=1)
    assert_array_equal(matrix[:150, 150:], answer)
    for threads in (1, 2, 5):
        with using(threads=threads):
            again = nearest.of_all(source, 850)
        assert again.rows.tobytes() == lists.rows.tobytes()
        assert again.values.tobytes() == lists.values.tobytes()


def test_a_hint_that_is_wrong_makes_nobody_a_copy(monkeypatch):
    """Fingerprints are compared before features; here all are equal."""
    monkeypatch.setattr(cpu.rows, "hash_rows", lambda bits, keys, start, stop: None)
    lattice = [np.round(side[:60]) for side in with_copies()]
    check_lists(nearest.of_all(PairwiseTiles(sqeuclidean(*lattice)), 9), square(*lattice), 9)


def test_of_few_copies_the_first_counts():
    query, gallery = np.split(np.random.default_rng(0).integers(-30, 30, (200, 9)).astype(np.float32), [40])
    query[7], gallery[[3, 4, 159]] = query[2], (query[2], gallery[90], gallery[0])
    tiles = PairwiseTiles(sqeuclidean(query, gallery))
    assert tiles.layout.classes == 196
    check_lists(nearest.of_all(tiles, 9), square(query, gallery), 9)


def test_cameras_tell_copies_apart_only_where_they_count():
    x = np.ones((2, 3), np.float32)
    pairs = sqeuclidean(x, x)
    cams = same_camera(np.array([0, 1]), np.array([0, 1]), np.array([5, 6]), np.array([8, 6]))
    assert PairwiseTiles(pairs + 0.0 * cams).layout.classes == 1
    found = distances(pairs + 0.5 * cams)
    assert_array_equal(found, [[0.5, 0], [0, 0]])  # the first two: one camera, two tracks; the last two: one track


@given(
    strip=arrays(np.float32, st.tuples(st.integers(0, 9), st.integers(0, 200)), elements=NUMBERS),
    k=st.integers(1, 220),
    threads=st.sampled_from([1, 3]),
)
def test_smallest(strip, k, threads):
    with using(threads=threads):
        found = answering.smallest(strip, k)
    order = np.argsort(strip, axis=1, kind="stable")[:, :k]
    values = np.take_along_axis(strip, order, axis=1)
    padding = ((0, 0), (0, k - values.shape[1]))
    assert_array_equal(found.distances, np.pad(values, padding, constant_values=np.inf))
    assert_array_equal(found.rows, np.pad(np.where(np.isinf(values), -1, order), padding, constant_values=-1))


def test_smallest_of_long_rows_in_any_order():
    for row in (np.arange(3000), np.arange(3000)[::-1], np.random.default_rng(0).permutation(3000) // 7):
        strip = np.repeat(row[None].astype(np.float32), 300, axis=0)
        found = answering.smallest(strip, 40)
        assert_array_equal(found.rows, np.repeat(np.argsort(row, kind="stable")[None, :40], 300, axis=0))


@settings(max_examples=30)
@given(sides=SIDES, k=st.integers(1, 8), shuffled=st.randoms(use_true_random=False))
def test_the_order_of_the_visits_does_not_matter(sides, k, shuffled):
    run = runtime.run

    def run_in_any_order(function, tasks, **options):
        run(function, shuffled.sample(list(tasks), len(tasks)), **options)

    with blocks_of(4), patch.object(runtime, "run", run_in_any_order):
        check_lists(nearest.of_all(PairwiseTiles(sqeuclidean(*sides)), k), square(*sides), k)


@settings(max_examples=40)
@given(sides=SIDES, same=st.integers(1, 9), other=st.integers(1, 9), edge=EDGES, seed=st.integers(0, 9))
def test_lists_by_camera(sides, same, other, edge, seed):
    query, gallery = sides
    cams = np.random.default_rng(seed).integers(-1, 3, len(query) + len(gallery))
    parts = cams[: len(query)], cams[len(query) :]
    with blocks_of(edge):
        found = nearest.of_cameras(PairwiseTiles(sqeuclidean(query, gallery), parts), same=same, other=other)
    matrix = square(query, gallery)
    within = (cams[:, None] == cams) & ((cams >= 0)[:, None] | (matrix == 0))  # unknown: with its copies
    for lists, k, mask in zip(found, (same, other), (within, ~within), strict=True):
        hidden = np.where(mask, matrix, np.inf)
        order = np.argsort(hidden, axis=1, kind="stable")[:, :k]
        values = np.take_along_axis(hidden, order, axis=1)
        assert_array_equal(lists.rows, np.where(np.isinf(values), -1, order))
        assert_array_equal(lists.values, values)
        assert_array_equal(lists.largest, np.where(mask, matrix, -np.inf).max(axis=1))


@settings(max_examples=20)
@given(sides=SIDES, k=st.integers(1, 12), edge=EDGES)
def test_lists_of_the_gallery_alone_and_of_queries(sides, k, edge):
    query, gallery = sides
    pairs = sqeuclidean(query, gallery) + 0.5 * same_camera(np.zeros(len(query), int), np.arange(len(gallery)) % 2)
    matrix, nq = square(query, gallery), len(query)
    cams = np.concatenate([np.zeros(nq, int), np.arange(len(gallery)) % 2])
    matrix = matrix + 0.5 * ((cams[:, None] == cams) & (matrix > 0))
    with blocks_of(edge):
        alone = nearest.of_all(PairwiseTiles(pairs.of_gallery()), k)
        found = nearest.of_queries(PairwiseTiles(pairs), k)
    assert_array_equal(alone.rows, np.argsort(matrix[nq:, nq:], axis=1, kind="stable")[:, :k])
    order = np.argsort(matrix[:nq, nq:], axis=1, kind="stable")[:, :k]
    assert_array_equal(found.rows, order)
    assert_array_equal(found.distances, np.take_along_axis(matrix[:nq, nq:], order, axis=1))


def test_an_answer_is_changed_strip_by_strip(monkeypatch):
    monkeypatch.setattr(answering, "STRIP", 1)  # strips of 128 queries
    data = world(nq=300, ng=40)
    far = distances(data["query"], data["gallery"])
    source = PairwiseTiles(sqeuclidean(data["query"], data["gallery"]))

    def change(strip, queries):
        strip *= -1
        strip += queries[:, None].astype(np.float32)

    def fill(strip, queries):
        strip[:] = queries[:, None] - far[queries]

    wanted = np.arange(300, dtype=np.float32)[:, None] - far
    assert_array_equal(answering.answer(source, change, top_k=None), wanted)
    assert_array_equal(answering.answer_without_distances(300, 40, fill, top_k=None), wanted)
    for found in (
        answering.answer(source, change, top_k=5),
        answering.answer_without_distances(300, 40, fill, top_k=5),
    ):
        assert_array_equal(found.rows, np.argsort(wanted, axis=1, kind="stable")[:, :5])
        assert_array_equal(found.distances, np.sort(wanted, axis=1)[:, :5])
