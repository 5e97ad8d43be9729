"""The nearest of a bank by whole numbers: exact in every world, the same bits however they are found."""

from unittest.mock import patch

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from postproc import using
from postproc.base import machine
from postproc.kernels.reference.basic import sqeuclidean
from postproc.pairs import forecast, one_sided
from tests.postproc.pairs.test_pruned import WORLDS
from tests.support.each import each

pytestmark = pytest.mark.skipif(not machine.int8(), reason="the processor has no AVX-512 VNNI")


def sides(name):
    """Two thirds of a world as a bank, the rest and some of the bank as images."""
    x = np.asarray(WORLDS[name], np.float32)
    return np.concatenate([x[::3], x[1:4]]), x[np.arange(len(x)) % 3 > 0]


@each("name", list(WORLDS))
@each("k", [1, 40])
def test_exact_in_every_world(name, k):
    images, bank = sides(name)
    far, k = sqeuclidean(images, bank), min(k, len(bank))
    found = one_sided.search(images, bank, k)
    assert (np.diff(np.sort(found.rows, axis=1)) > 0).all(), "nobody twice"
    assert_allclose(found.distances, np.take_along_axis(far, found.rows, axis=1), rtol=2e-5)
    assert_allclose(found.distances, np.sort(far, axis=1)[:, :k], rtol=2e-5)
    before, after = found.distances[:, :-1], found.distances[:, 1:]
    ordered = (before < after) | ((before == after) & (found.rows[:, :-1] < found.rows[:, 1:]))
    assert ordered.all(), "ties by row"


@each("name", ["identities of unit length", "noise alone", "copies and zeros"])
def test_neither_room_nor_threads_nor_company_nor_what_was_known_change_a_bit(name):
    images, bank = sides(name)
    whole = one_sided.search(images, bank, 10)
    little = patch.object(one_sided, "room_of", lambda k: 3 * k), patch.object(one_sided, "ROWS", 1)
    with little[0], little[1], using(threads=1):
        crowded = one_sided.search(images, bank, 10)
    told = one_sided.search(images, bank, 10, one_sided.search(images[::-1], bank, 10).rows)
    knew = one_sided.search(images, bank, 10, whole.rows)
    with patch.dict("os.environ", {machine.NO_AMX: "1"}):
        other_way = one_sided.search(images, bank, 10)
    alone = one_sided.search(images[5:7], bank, 10)
    for part in ("rows", "distances"):
        for other in (crowded, told, knew, other_way):
            assert_array_equal(getattr(other, part), getattr(whole, part))
        assert_array_equal(getattr(alone, part), getattr(whole, part)[5:7])


def test_it_pays_where_few_are_near_and_nowhere_else():
    """Of 6,400 in groups of eight, seven are near; of noise, many more than there is room for."""
    rng = np.random.default_rng(0)
    bank = np.repeat(rng.standard_normal((800, 512)), 8, axis=0) + 0.2 * rng.standard_normal((6400, 512))
    bank = (bank / np.linalg.norm(bank, axis=1, keepdims=True)).astype(np.float32)
    images = np.ascontiguousarray(bank[::4])
    assert forecast.pays_one_sided(images, bank, 7, one_sided.room_of(7))
    assert not forecast.pays_one_sided(images, bank[:5000], 7, one_sided.room_of(7)), "a small bank"
    assert not forecast.pays_one_sided(images[:64], bank, 7, one_sided.room_of(7)), "few images"
    noise = rng.standard_normal((6400, 256)).astype(np.float32)
    assert not forecast.pays_one_sided(noise, noise, 100, one_sided.room_of(100))
    found = one_sided.of_images(images, bank, 7)
    with patch.object(machine, "int8", lambda: False):
        plain = one_sided.of_images(images, bank, 7)
    assert_allclose(found.distances, plain.distances, atol=2e-6)
    assert (found.rows == plain.rows).mean() > 0.99, "all but near ties"


@each(("rank", "depth", "again"), [(12, 2, 0), (2, 1, 1)])
def test_first_limits_by_some_of_the_bank_change_no_bit(rank, depth, again):
    """By the second of few, every sixth limit is too near: these rows are looked for once more."""
    bank = np.random.default_rng(0).standard_normal((4000, 64), np.float32)
    images, search = bank[::5] + np.float32(0.1), one_sided.search
    plain = search(images, bank, 60, limited=False)
    numbers = patch.multiple(one_sided, RANK=rank, DEPTH=depth)
    with numbers, patch.object(one_sided, "search", wraps=search) as once_more:
        limited = search(images, bank, 60)
    assert once_more.call_count == again
    for part in ("rows", "distances"):
        assert_array_equal(getattr(limited, part), getattr(plain, part))


def test_a_bank_among_itself_is_as_any_other_images():
    bank = np.asarray(WORLDS["copies and zeros"], np.float32)
    found, wanted = (one_sided.of_images(images, bank, 12) for images in (bank, bank.copy()))
    assert_allclose(found.distances, wanted.distances, rtol=1e-5, atol=1e-6)
    apart = np.diff(found.distances, axis=1, append=np.inf) > 1e-4  # who is at the end of a run of ties may differ
    assert_array_equal(np.sort(found.rows[:, :1]), np.sort(wanted.rows[:, :1]))
    assert (found.rows == wanted.rows)[apart & np.roll(apart, 1, axis=1)].all()
