"""Binary codes: features of one bit a number, compared by counting the bits that differ.

Source: Wang et al., "Faster Person Re-Identification", ECCV 2020, and light-reid, which was released with it.
"""

import math
import re
from collections.abc import Iterable, Sequence
from functools import partial
from typing import Annotated

import numpy as np
from numpy.typing import NDArray

from postproc import kernels
from postproc.base import arrays, checks
from postproc.base.settings import Number, TopK, Within, wholes
from postproc.base.sizes import Sizes
from postproc.base.step import Chosen, checked, step
from postproc.base.vocabulary import Distances, Gallery, Nearest, Query, Unchecked
from postproc.pairs import answering, held, spent

Codes = NDArray[np.uint8]  # (n, bytes)  eight bits a byte, the first in its highest place
Columns = slice | NDArray[np.int64]
LARGEST = 1e9  # of a cut
Lengths = Annotated[Sequence[int], wholes(1, "for each code")]  # in bits


def _joined_anew(sizes: Sizes, chosen: Chosen) -> int:
    """Codes of one length that stand apart are copied side by side."""
    lengths = chosen["code_lengths"]
    return sizes.features if len(set(lengths)) < len(lengths) else 0


@step(
    unit="differing bits",
    range=(0, math.inf),
    memory=held.together(held.slab, held.images(200), held.codes, _joined_anew),
    work=spent.together(spent.nearest, spent.matrix(1.8), spent.across(0.14), spent.read(7)),
)
def hamming(
    query: Query,
    gallery: Gallery | None = None,
    *,
    code_lengths: Lengths = (),
    cut: Annotated[Number, Within(-LARGEST, LARGEST)] = 0.0,
    top_k: TopK = None,
) -> Distances | Nearest:
    """Count the numbers of two features that lie on different sides of ``cut``.

    ``out = sum_j [(q_j > cut) != (g_j > cut)]``, the Hamming distance of :func:`binary_codes`.

    Takes:   query (nq, d), gallery (ng, d) float32. One set (n, d) alone is each image against all others.
    Returns: (nq, ng) float32, whole numbers 0..d, in bits; with ``top_k`` the :class:`Nearest` of every query
             instead: the first ``top_k`` of the full answer (ties by gallery row), which never exists. Of one set
             (n, n), symmetric, +inf on the diagonal.
    code_lengths: of the binary codes that the features are, where they are several side by side: only the longest
             is compared. Empty: they are one. A run knows it from the files.
    cut:     -1e9 to 1e9. 0 is right for features that were trained to be hashed and for those centred at 0; of
             features that are all positive, such as pooled ones behind a ReLU, it keeps nothing.
    top_k:   1 or more, cut to the gallery.
    Raises:  ValueError for a setting out of range, different widths, NaN or infinity.
    Cost:    nq ng d / 64 instructions; memory: the answer and (nq + ng) d / 8 bytes.

    >>> hamming(np.array([[0.3, -2, 1, 0]]), np.array([[0.1, 5, 7, -1], [-1, 1, -1, 1]]))
    array([[1., 4.]], dtype=float32)
    """
    given = {"query": query} if gallery is None else {"query": query, "gallery": gallery}
    sides = {name: checks.features(name, side, cuda=True) for name, side in given.items()}
    checks.same_width("query", sides["query"], "gallery", sides.get("gallery", sides["query"]))
    if len(code_lengths):
        longest = by_length(code_lengths, sides["query"].shape[1])[-1]
        sides = {name: side[:, longest] for name, side in sides.items()}
        if arrays.on_cuda(sides["query"]):  # kernels take whole rows
            sides = {name: arrays.contiguous(side) for name, side in sides.items()}
    return hamming_codes(*(_binary(name, side, cut) for name, side in sides.items()), top_k=top_k)


@checked
def hamming_codes(
    query_codes: Unchecked, gallery_codes: Unchecked = None, *, top_k: TopK = None
) -> Distances | Nearest:
    """:func:`hamming` of codes (nq, bytes), (ng, bytes) uint8 as :func:`binary_codes` packs them, or of one set.

    >>> hamming_codes(np.array([[0b1010_0000]], np.uint8), np.array([[0b1110_0000]], np.uint8))
    array([[1.]], dtype=float32)
    """
    query_codes = packed("query_codes", query_codes, cuda=True)
    one_set = gallery_codes is None
    gallery_codes = query_codes if one_set else packed("gallery_codes", gallery_codes, cuda=True)
    checks.same_width("query_codes", query_codes, "gallery_codes", gallery_codes)
    query, gallery = map(to_words, arrays.together(query_codes, gallery_codes))
    kernel = kernels.of(query)

    def fill(strip: np.ndarray, queries: np.ndarray) -> None:
        count = partial(kernel.codes.differing_bits, query[queries], gallery)
        kernel.walk.over_rows(lambda start, stop: count(start, stop, strip), len(strip), what="differing bits")

    like = arrays.empty(0, np.float32, query)
    sizes = len(query), len(gallery)
    return answering.answer_without_distances(*sizes, fill, top_k=top_k, like=like, one_set=one_set)


@checked
def binary_codes(features: Unchecked, *, cut: Annotated[Number, Within(-LARGEST, LARGEST)] = 0.0) -> Codes:
    """(n, d) float32 -> (n, d / 8) uint8: one bit a number, set where it is above ``cut``.

    The first number is the highest bit of the first byte; where d is no multiple of 8, the last bits are 0.

    >>> binary_codes(np.array([[0.5, -1, 0, 2, 3, -1, -1, -1, 7]]))
    array([[152, 128]], dtype=uint8)
    """
    return _binary("features", checks.features("features", features, cuda=True), cut)


def codes_to_hex(codes: Unchecked, *, bits: int | None = None) -> list[str]:
    """Codes (n, bytes) as text, four bits a digit, the first bit the highest of the first digit.

    ``bits``: how many a code has, a multiple of 4; None: all of its bytes. light-reid's files hold such text.

    >>> codes_to_hex(np.array([[1, 0x2C], [255, 0]], np.uint8)), codes_to_hex(np.array([[0xA0]], np.uint8), bits=4)
    (['012c', 'ff00'], ['a'])
    """
    array = packed("codes", codes)
    width = array.shape[1]
    if bits is None:
        bits = 8 * width
    checks.whole("bits", bits, 4)
    if bits % 4 or not 8 * (width - 1) < bits <= 8 * width:
        raise ValueError(f"bits: wanted a multiple of 4 that takes {width} bytes, got {bits!r}")
    return [row.tobytes().hex()[: bits // 4] for row in array]


def hex_to_codes(texts: Iterable[str]) -> Codes:
    """The codes (n, bytes) uint8 of texts as :func:`codes_to_hex` writes them, all of one length.

    >>> hex_to_codes(["012c", "FF00"])
    array([[  1,  44],
           [255,   0]], dtype=uint8)
    """
    if isinstance(texts, str):
        raise TypeError(f"texts: wanted several texts, got one, {texts[:20]!r}")
    listed = list(texts)
    for row, text in enumerate(listed):
        if not isinstance(text, str) or not re.fullmatch("[0-9a-fA-F]+", text) or len(text) != len(listed[0]):
            raise ValueError(f"texts: wanted hexadecimal digits, equally many, got {text!r} first in row {row}")
    if not listed:
        raise ValueError("texts: wanted at least one code, got none")
    even = len(listed[0]) % 2 * "0"
    rows = [np.frombuffer(bytes.fromhex(text + even), np.uint8) for text in listed]
    return np.stack(rows)


def by_length(code_lengths: Sequence[int], width: int) -> list[Columns]:
    """The columns of every code among features that are codes side by side, from the shortest to the longest.

    Codes of one length are one code: their distances add up.
    Raises:  ValueError for lengths that do not add up to the width.
    """
    lengths = [int(length) for length in code_lengths]
    if not lengths or min(lengths) < 1 or sum(lengths) != width:
        raise ValueError(f"code_lengths: wanted lengths that add up to {width} bits, got {lengths}")
    ends = np.cumsum(lengths)
    found: list[Columns] = []
    for length in sorted(set(lengths)):
        own = [int(end) for end, other in zip(ends, lengths, strict=True) if other == length]
        parts = [np.arange(end - length, end) for end in own]
        found.append(slice(own[0] - length, own[0]) if len(own) == 1 else np.concatenate(parts))
    return found


def packed(name: str, codes: Unchecked, *, cuda: bool = False) -> Codes:
    """Codes as they were given, C-ordered; refuses what cannot be any, and tensors unless ``cuda``."""
    if arrays.on_cuda(codes) and not cuda:
        raise TypeError(f"{name}: {checks.CPU_ONLY.format(name)}")
    array = codes if arrays.on_cuda(codes) else np.asarray(codes)
    if str(array.dtype).removeprefix("torch.") != "uint8":
        raise TypeError(f"{name}: wanted packed bits, uint8 as from binary_codes, got {array.dtype}")
    if array.ndim != 2:
        raise ValueError(f"{name}: wanted 2 dimensions, got shape {tuple(array.shape)}")
    checks.not_empty(name, array)
    return arrays.contiguous(array)


def binary(rows: np.ndarray, cut: float) -> Codes:
    """:func:`binary_codes` of rows that are known to be numbers."""
    return kernels.of(rows).codes.pack_bits(rows, cut)


def to_words(codes: Codes) -> np.ndarray:
    """Codes as the wider words in which the kernels count."""
    return kernels.of(codes).codes.to_words(codes)


def _binary(name: str, rows: np.ndarray, cut: float) -> Codes:
    checks.not_empty(name, rows)
    return binary(rows, cut)
