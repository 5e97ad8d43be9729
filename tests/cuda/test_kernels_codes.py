import numpy as np
from numpy.testing import assert_array_equal

from postproc import binary_codes, hamming, hamming_codes
from postproc.kernels import cpu, cuda
from tests.support.each import each


@each("width", [1, 8, 29])
def test_pack_bits(on_device, width):
    rows = np.random.default_rng(width).normal(size=(6, width)).astype(np.float32)
    rows[0, 0] = 0.25
    assert_array_equal(
        on_device.down(cuda.codes.pack_bits(on_device.up(rows), 0.25)), cpu.codes.pack_bits(rows, 0.25)
    )


@each("width", [1, 4, 9])
def test_differing_bits(on_device, width):
    left, right = (np.random.default_rng(n).integers(0, 256, (n, width)).astype(np.uint8) for n in (5, 7))
    found, wanted = on_device.up(np.full((5, 7), -1, np.float32)), np.full((5, 7), -1, np.float32)
    cuda.codes.differing_bits(*(cuda.codes.to_words(on_device.up(codes)) for codes in (left, right)), 1, 4, found)
    cpu.codes.differing_bits(cpu.codes.to_words(left), cpu.codes.to_words(right), 1, 4, wanted)
    assert_array_equal(on_device.down(found), wanted)


def test_hamming(on_device):
    query, gallery = (np.random.default_rng(n).normal(size=(n, 19)).astype(np.float32) for n in (4, 9))
    sides = on_device.up(query), on_device.up(gallery)
    assert_array_equal(on_device.down(hamming(*sides, cut=0.2)), hamming(query, gallery, cut=0.2))
    assert_array_equal(on_device.down(hamming(sides[0], gallery)), hamming(query, gallery))
    found, wanted = hamming(*sides, top_k=3), hamming(query, gallery, top_k=3)
    assert_array_equal(on_device.down(found.distances), wanted.distances)
    assert_array_equal(on_device.down(found.rows), wanted.rows)
    packed = [binary_codes(side) for side in sides]
    assert_array_equal(on_device.down(hamming_codes(*packed)), hamming(query, gallery))
