"""Neighbours and tiles on a device: several tiles, copies, ties, cameras, long lists, a gallery on the host."""

from unittest.mock import patch

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import postproc
from postproc import rerank, same_camera, sqeuclidean
from postproc.pairs import answering, layout, nearest, pairwise, tiles
from postproc.pairs.tiles import PairwiseTiles
from tests.support.each import each
from tests.support.worlds import world

DATA = world(nq=6, ng=62, d=8, people=8, cameras=3)
FEATURES = DATA["query"], DATA["gallery"]
LABELS = DATA["query_cam"], DATA["gallery_cam"], DATA["query_track"], DATA["gallery_track"]


@pytest.fixture
def small():
    """Tiles of 24 images at most, so that these few make several."""
    with patch.multiple(layout, EDGE_ON_CUDA=24, SMALLEST=4), patch.object(tiles, "EDGE_ON_CUDA", 24):
        yield


def both(on_device, make):
    """What ``make`` gives for features on the device and for those on the host."""
    return make(*map(on_device.up, FEATURES)), make(*FEATURES)


def alike(on_device, found, wanted):
    assert_array_equal(on_device.down(found.rows), wanted.rows)
    assert_allclose(on_device.down(found.values), wanted.values, rtol=1e-5, atol=1e-5)
    assert_allclose(on_device.down(found.largest), wanted.largest, rtol=1e-5)


@each("k", [1, 7, 90])
def test_neighbours_over_several_tiles(on_device, small, k):
    found, wanted = both(on_device, lambda q, g: nearest.of_all(PairwiseTiles(sqeuclidean(q, g)), k))
    alike(on_device, found, wanted)


def test_long_lists(on_device):
    from postproc.kernels.cuda import nearest as kernels

    images = np.random.default_rng(5).normal(size=(2 * kernels.SHORT, 3)).astype(np.float32)
    sides = images[:4], images[4:]
    found = nearest.of_queries(PairwiseTiles(sqeuclidean(*map(on_device.up, sides))), kernels.SHORT + 9)
    wanted = nearest.of_queries(PairwiseTiles(sqeuclidean(*sides)), kernels.SHORT + 9)
    assert_array_equal(on_device.down(found.rows), wanted.rows)


def test_lists_too_long_for_shared_memory(on_device, small):
    from postproc.kernels.cuda import nearest as kernels

    with patch.object(kernels, "LONGEST", 8), patch.object(kernels, "SORTED", 400):
        found, wanted = both(on_device, lambda q, g: nearest.of_all(PairwiseTiles(sqeuclidean(q, g)), 20))
    alike(on_device, found, wanted)


def test_ties_go_to_the_smaller_row(on_device, small):
    lattice = np.random.default_rng(3).integers(-1, 2, (60, 2)).astype(np.float32)  # nine places for 60 images
    found = nearest.of_all(PairwiseTiles(sqeuclidean(*map(on_device.up, (lattice[:5], lattice[5:])))), 25)
    alike(on_device, found, nearest.of_all(PairwiseTiles(sqeuclidean(lattice[:5], lattice[5:])), 25))


def test_neighbours_by_camera(on_device, small):
    def make(query, gallery):
        return nearest.of_cameras(PairwiseTiles(sqeuclidean(query, gallery), LABELS[:2]), same=4, other=6)

    for found, wanted in zip(*both(on_device, make), strict=True):
        alike(on_device, found, wanted)


def test_a_sum_of_distances_and_penalties(on_device, small):
    def make(query, gallery):
        pairs = sqeuclidean(query, gallery) + 0.5 * same_camera(*LABELS) - 0.1 * sqeuclidean(-query, gallery)
        pairs = pairs + 0.3 * pairwise.products(abs(query), abs(gallery), *LABELS[2:])
        return pairs.zero_within_tracks(*LABELS[2:])

    found, wanted = both(on_device, lambda q, g: postproc.distances(make(q, g)))
    assert_allclose(on_device.down(found), wanted, rtol=1e-5, atol=1e-5)
    found, wanted = both(on_device, lambda q, g: rerank(make(q, g), k1=6, k2=3))
    assert_allclose(on_device.down(found), wanted, atol=2e-6)


@each("there", ["query", "gallery"])
def test_one_side_may_stay_on_the_host(on_device, small, there):
    query, gallery = FEATURES
    wanted = rerank(query, gallery, k1=8, k2=3, top_k=9)
    if there == "query":
        found = rerank(on_device.up(query), gallery, k1=8, k2=3, top_k=9)
    else:
        found = rerank(query, on_device.up(gallery), k1=8, k2=3, top_k=9)
    assert_array_equal(on_device.down(found.rows), wanted.rows)
    assert_allclose(on_device.down(found.distances), wanted.distances, atol=2e-6)


def test_without_self(on_device):
    found, wanted = both(
        on_device, lambda q, g: nearest.without_self(nearest.of_all(PairwiseTiles(sqeuclidean(q, g)), 5))
    )
    alike(on_device, found, wanted)


def test_no_room_ends_in_a_sentence(on_device, monkeypatch):
    import torch

    def full(*arguments, **options):
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda: (2**30, 2**33))
    monkeypatch.setattr("postproc.kernels.cuda.tiles.multiply", full)
    with pytest.raises(MemoryError, match=r"neighbours: the CUDA device has no room \(1.0 of 8.0 GiB .*set top_k"):
        rerank(*map(on_device.up, FEATURES))


def test_no_tf32_and_the_choice_of_the_process_comes_back(on_device, monkeypatch):
    import torch

    choices = torch.backends.cuda.matmul
    before, seen = choices.allow_tf32, []
    mm = torch.mm

    def noted(*arguments, **options):
        seen.append(choices.allow_tf32)
        return mm(*arguments, **options)

    monkeypatch.setattr(torch, "mm", noted)
    try:
        choices.allow_tf32 = True
        postproc.distances(*map(on_device.up, FEATURES))
        assert set(seen) == {False}
        assert choices.allow_tf32 is True
        if hasattr(choices, "fp32_precision"):  # the newer name; who uses it may not ask by the older one
            choices.allow_tf32, choices.fp32_precision = False, "tf32"
            postproc.distances(*map(on_device.up, FEATURES))
            assert set(seen) == {False}
            assert choices.fp32_precision == "tf32"
    finally:
        choices.allow_tf32 = before


def test_what_is_wrong_with_a_tensor_is_said(on_device):
    query, gallery = map(on_device.up, FEATURES)
    broken = gallery.clone()
    broken[7, 2] = float("nan")
    with pytest.raises(ValueError, match="gallery: wanted finite numbers, found NaN or infinity first in row 7"):
        rerank(query, broken)
    with pytest.raises(ValueError, match=r"query: wanted 2 dimensions, got shape \(8,\)"):
        rerank(query[0], gallery)
    with pytest.raises(TypeError, match=r"query: wanted numbers, got torch\.bool"):
        rerank(query > 0, gallery)
    with pytest.raises(ValueError, match="wanted the same width, got 8 and 5"):
        rerank(query, gallery[:, :5])


def test_lists_with_nobody_left_waiting_at_the_end(on_device):
    """What was merged on the way is kept, whether or not the last entries of a row changed the list."""
    strip = np.random.default_rng(0).integers(0, 6, (12, 138)).astype(np.float32)
    found, wanted = answering.smallest(on_device.up(strip), 100), answering.smallest(strip, 100)
    assert_array_equal(on_device.down(found.rows), wanted.rows)
    assert_array_equal(on_device.down(found.distances), wanted.distances)


@each("offset", [0.0, 1e4])
def test_a_large_common_part_and_near_pairs(on_device, small, offset):
    far = np.where(np.arange(62) % 2, offset, -offset).astype(np.float32)[:, None]  # and two groups far apart
    for side in (np.float32(offset), far):
        sides = FEATURES[0] + np.float32(offset), FEATURES[1] + side

        def make(query, gallery):
            pairs = sqeuclidean(query, gallery)
            return postproc.distances(pairs), PairwiseTiles(pairs).between(np.arange(6), np.arange(6) + 6)

        for found, wanted in zip(make(*map(on_device.up, sides)), make(*sides), strict=True):
            assert_allclose(on_device.down(found), wanted, rtol=1e-5)


def test_copies_that_labels_tell_apart(on_device, small):
    """Features at 0 and equally far from all, a term of products too, before what is added."""
    query, gallery = FEATURES[0].copy(), FEATURES[1].copy()
    gallery[[3, 30]], query[4] = query[1], gallery[9]
    tracks = np.arange(6), np.arange(6, 68)

    def make(q, g):
        pairs = sqeuclidean(q, g) - 0.5 * sqeuclidean(q[:, :3], g[:, :3])
        tiles = PairwiseTiles(pairs + 0.25 * pairwise.products(q, g, *tracks))
        assert tiles.alike is not None
        return answering.everything(tiles)

    found, wanted = on_device.down(make(*map(on_device.up, (query, gallery)))), make(query, gallery)
    assert_allclose(found, wanted, rtol=1e-4, atol=1e-4)
    for each_way in (found, wanted):
        assert_array_equal(each_way[:, 3], each_way[:, 30])
