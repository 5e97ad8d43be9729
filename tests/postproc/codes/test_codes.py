"""Binary codes and their text: by hand, against the definition, against the released numbers."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.testing import assert_array_equal

from ensemble.scores import score
from ensemble.scores.protocol import Protocol
from postproc import Nearest, binary_codes, codes_to_hex, distances, hamming, hamming_codes, hex_to_codes, rank
from postproc.kernels import reference
from tests.support.golden import load
from tests.support.worlds import lattices

CODES = st.integers(1, 20).flatmap(
    lambda width: st.tuples(*(st.integers(1, 12).flatmap(lambda n: arrays(np.uint8, (n, width))),) * 2)
)


def test_by_hand():
    query = np.array([[3.0, -1, 0, 0.2]])
    gallery = np.array([[1.0, 1, 1, 1], [-3, -3, -3, -3], [9, 0, -9, 1]])
    # bits of the query: 1001.  of the gallery: 1111, 0000, 1001
    assert_array_equal(hamming(query, gallery), [[2, 2, 0]])
    # above 0.5: 1000.  1111, 0000, 1001
    assert_array_equal(hamming(query, gallery, cut=0.5), [[3, 1, 1]])
    found = hamming(query, gallery, top_k=2)
    assert_array_equal(found.rows, [[2, 0]])
    assert_array_equal(found.distances, [[0, 2]])


def test_the_first_number_is_the_highest_bit():
    codes = binary_codes([[1, -1, 1, 1, -1, -1, -1, 1, 1, -1, -1, -1]])
    assert_array_equal(codes, [[0b1011_0001, 0b1000_0000]])
    assert codes_to_hex(codes, bits=12) == ["b18"]
    assert codes_to_hex(codes) == ["b180"]
    assert codes_to_hex(np.array([[0, 7]], np.uint8)) == ["0007"]  # as many digits as bits ask for
    assert_array_equal(hex_to_codes(["b18"]), codes)


@settings(max_examples=60)
@given(codes=CODES, odd=st.booleans())
def test_text_and_back(codes, odd):
    codes = codes[0] & np.uint8(0xF0) if odd else codes[0]
    bits = 8 * codes.shape[1] - 4 * odd
    texts = codes_to_hex(codes, bits=bits)
    whole = "".join(map(str, np.unpackbits(codes[0])[:bits]))  # the definition: a number in base 2
    assert texts[0] == f"{int(whole, 2):x}".zfill(bits // 4)
    assert_array_equal(hex_to_codes(texts), codes)


@settings(max_examples=60)
@given(sides=CODES, k=st.integers(1, 15))
def test_equals_the_definition(sides, k):
    wanted = reference.codes.hamming(*sides)
    found = hamming_codes(*sides)
    assert found.dtype == np.float32
    assert_array_equal(found, wanted)
    nearest = hamming_codes(*sides, top_k=k)
    assert_array_equal(nearest.rows, rank(found, top_k=k))
    assert_array_equal(nearest.distances, np.take_along_axis(found, nearest.rows, axis=1))


@settings(max_examples=40)
@given(sides=st.tuples(*(lattices(st.integers(1, 8), width=13),) * 2), cut=st.sampled_from([0.0, -1.0, 0.5]))
def test_features_are_compared_bit_by_bit(sides, cut):
    query, gallery = sides
    found = hamming(query, gallery, cut=cut)
    assert_array_equal(found, ((query[:, None] > cut) != (gallery > cut)).sum(axis=2))
    assert_array_equal(hamming_codes(*(binary_codes(side, cut=cut) for side in sides)), found)


def test_more_images_than_a_block_holds():
    query, gallery = (np.random.default_rng(n).integers(0, 256, (n, 9)).astype(np.uint8) for n in (3, 1500))
    assert_array_equal(hamming_codes(query, gallery), reference.codes.hamming(query, gallery))


def test_what_is_no_code_is_refused():
    code = np.zeros((2, 2), np.uint8)
    with pytest.raises(
        TypeError, match=r"^query_codes: wanted packed bits, uint8 as from binary_codes, got float32"
    ):
        hamming_codes(code.astype(np.float32), code)
    with pytest.raises(ValueError, match=r"^gallery_codes: wanted 2 dimensions, got shape \(2,\)"):
        hamming_codes(code, code[0])
    with pytest.raises(ValueError, match=r"^query_codes and gallery_codes: wanted the same width, got 2 and 1"):
        hamming_codes(code, code[:, :1])
    for bits in (3, 6, 8, 20):
        with pytest.raises(ValueError, match=rf"^bits: wanted .*got {bits}$"):
            codes_to_hex(code, bits=bits)
    for texts in (["0f", "0"], ["0f", "0 f "], ["0f", 3], ["", ""]):
        with pytest.raises(
            ValueError, match=r"^texts: wanted hexadecimal digits, equally many, got .* in row \d$"
        ):
            hex_to_codes(texts)
    with pytest.raises(ValueError, match=r"^texts: wanted at least one code"):
        hex_to_codes([])
    with pytest.raises(TypeError, match="texts: wanted several texts, got one, 'ab'"):
        hex_to_codes("ab")


def test_released_distances(shared):
    golden = load(shared, "lightreid")
    for length in golden["code_lengths"]:
        query, gallery = golden[f"bits{length}_q_packed"], golden[f"bits{length}_g_packed"]
        found = hamming_codes(query, gallery)
        assert_array_equal(found, golden[f"hamming{length}"])
        assert_array_equal(hamming_codes(*(hex_to_codes(codes_to_hex(side)) for side in (query, gallery))), found)
        bits = [np.unpackbits(side, axis=1) for side in (query, gallery)]
        assert_array_equal(hamming(*bits), found)  # the codes of light-reid's files are features of 0 and 1
    assert_array_equal(rank(found), golden["countingsort_longest"])
    nearest = hamming_codes(query, gallery, top_k=len(gallery))
    assert isinstance(nearest, Nearest)
    assert_array_equal(nearest.rows, golden["countingsort_longest"])


def test_released_scores_of_plain_distances(shared):
    golden = load(shared, "lightreid")
    labels = [golden[name] for name in ("q_pid", "g_pid", "q_cam", "g_cam")]
    for metric in ("cosine", "euclidean"):
        scores = score(
            distances(golden["q"], golden["g"], metric=metric),
            *labels,
            protocol=Protocol("rectangle", "all", "market"),
        )
        assert abs(scores.mAP - golden[f"lightreid_{metric}_inter_mAP"]) < 1e-6
