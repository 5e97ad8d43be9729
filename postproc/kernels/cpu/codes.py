"""Binary codes as 64-bit words: packing, differing bits, their counts, and the order of a coarse-to-fine search.

The search keeps, for every query, the gallery rows in the order found so far and the place of each: how many rows
stand before it and all that tie with it. A longer code sorts the head of that order anew by counting, which is
stable, so that the places of the shorter codes break ties.
"""

import numpy as np

from postproc.kernels.compiled import compiled

COLUMNS = 512  # codes that stay in the cache while one query after the other is compared with them
ONE, TWO, FOUR, TOP = np.uint64(1), np.uint64(2), np.uint64(4), np.uint64(56)
PAIRS, QUADS = np.uint64(0x5555555555555555), np.uint64(0x3333333333333333)
BYTES, SUM = np.uint64(0x0F0F0F0F0F0F0F0F), np.uint64(0x0101010101010101)


def pack_bits(rows, cut):
    """(n, d) float32 -> (n, d / 8) uint8, a bit set where a number is above ``cut``, the first bit the highest.

    In blocks, so that no mask of all exists.
    """
    out = np.empty((len(rows), -(-rows.shape[1] // 8)), np.uint8)
    for start in range(0, len(rows), 1024):
        out[start : start + 1024] = np.packbits(rows[start : start + 1024] > np.float32(cut), axis=1)
    return out


def to_words(codes):
    """(n, bytes) uint8 -> (n, words) uint64 with as many differing bits between any two."""
    out = np.zeros((len(codes), -(-codes.shape[1] // 8) * 8), np.uint8)
    out[:, : codes.shape[1]] = codes
    return out.view(np.uint64)


@compiled
def _ones(word):
    """How many bits are set; the compiler knows this form and makes it one instruction."""
    word = word - ((word >> ONE) & PAIRS)
    word = (word & QUADS) + ((word >> TWO) & QUADS)
    word = (word + (word >> FOUR)) & BYTES
    return np.int64((word * SUM) >> TOP)


@compiled
def _differing(left, right):
    total = np.int64(0)
    for word in range(left.size):
        total += _ones(left[word] ^ right[word])
    return total


@compiled
def differing_bits(query, gallery, start, stop, out):
    """``out[start:stop]`` (nq, ng) float32 of codes (nq, words), (ng, words) uint64."""
    for first in range(0, gallery.shape[0], COLUMNS):
        last = min(first + COLUMNS, gallery.shape[0])
        for i in range(start, stop):
            for j in range(first, last):
                out[i, j] = _differing(query[i], gallery[j])


@compiled
def count_differing_bits(left, right, left_pid, right_pid, later_only, start, stop, same, every):
    """Add to ``every[h]`` and ``same[h]`` the pairs of rows ``start:stop`` of ``left`` and any of ``right`` that
    differ in h bits, the latter those of one identity of 0 or more. ``later_only``: of pairs i < j only.
    """
    for first in range(0, right.shape[0], COLUMNS):
        last = min(first + COLUMNS, right.shape[0])
        for i in range(start, stop):
            for j in range(max(first, i + 1) if later_only else first, last):
                bits = _differing(left[i], right[j])
                every[bits] += 1
                if left_pid[i] >= 0 and left_pid[i] == right_pid[j]:
                    same[bits] += 1


@compiled
def _sort_head(code, gallery, threshold, head, rows, places, spare_rows, spare_places, bits, spare_bits, counts):
    """Sort the first ``head`` of ``rows`` by the differing bits of one length of code; return how many of them
    are within ``threshold``. ``gallery`` holds the codes of this length, one after the other.
    """
    words = code.size
    counts[: 64 * words + 2] = 0
    for at in range(head):
        first = np.int64(rows[at]) * words
        bits[at] = _differing(code, gallery[first : first + words])
        counts[bits[at] + 1] += 1
    for value in range(64 * words + 1):
        counts[value + 1] += counts[value]  # now: how many are nearer than ``value``
    kept = counts[min(threshold, 64 * words) + 1]
    for at in range(head):
        to = counts[bits[at]]
        counts[bits[at]] += 1
        spare_rows[to], spare_places[to], spare_bits[to] = rows[at], places[at], bits[at]
    for at in range(head):
        rows[at] = spare_rows[at]
        tied = at > 0 and spare_bits[at] == spare_bits[at - 1] and spare_places[at] == spare_places[at - 1]
        places[at] = places[at - 1] if tied else at
    return kept


@compiled
def coarse_to_fine_rows(
    query, gallery, words, sizes, one_set, thresholds, start, stop, found_rows, found_places, out
):  # fmt: skip
    """The search for queries ``start:stop``, codes of all lengths in turn from short to long.

    ``query``, ``gallery`` uint64, flat: all codes of the first length, then all of the next; ``words`` of each
    length; ``sizes`` (nq, ng). The places (nq, ng) float32 go to ``out``, where that has any columns; else the
    first k rows and their places to ``found_rows`` and ``found_places`` (nq, k). If ``one_set``, no row has a
    place of its own.
    """
    nq, ng = sizes
    rows, places, bits = np.empty(ng, np.int32), np.empty(ng, np.int32), np.empty(ng, np.int32)
    spare_rows, spare_places, spare_bits = np.empty_like(rows), np.empty_like(places), np.empty_like(bits)
    counts = np.empty(64 * words.max() + 2, np.int64)
    for i in range(start, stop):
        head, before = 0, 0
        for j in range(ng):
            if not (one_set and j == i):
                rows[head], places[head] = j, 0
                head += 1
        count = head
        for level in range(words.size):
            width = words[level]
            first = nq * before + i * width
            head = _sort_head(
                query[first : first + width], gallery[ng * before : ng * (before + width)], thresholds[level],
                head, rows, places, spare_rows, spare_places, bits, spare_bits, counts,
            )  # fmt: skip
            before += width
        for at in range(min(out.shape[1], count)):
            out[i, rows[at]] = places[at]
        for at in range(min(found_rows.shape[1], count)):
            found_rows[i, at], found_places[i, at] = rows[at], places[at]
