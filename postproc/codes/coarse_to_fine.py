"""Coarse-to-fine search: short binary codes look at everybody, longer ones only at who is still in question.

Source: Wang et al., "Faster Person Re-Identification", ECCV 2020, and light-reid, which was released with it.
"""

import math
import threading
from collections.abc import Sequence
from functools import partial
from typing import Annotated, Literal, NamedTuple

import numpy as np

from postproc import kernels
from postproc.base import checks, runtime
from postproc.base.settings import Count, Number, Otherwise, TopK, Weight, Within, wholes
from postproc.base.sizes import SINGLE, Sizes
from postproc.base.step import Chosen, checked, step
from postproc.base.vocabulary import Distances, Floats, Gallery, Nearest, Query, Unchecked
from postproc.codes import binary as codes
from postproc.codes.binary import LARGEST, Codes, Columns, Lengths
from postproc.pairs import held, spent

Start = Literal["moments", "half"]
HALF = (
    0.5  # of a code's bits differ between strangers: who has no training images lets those go on who differ less
)


def _copied(sizes: Sizes, chosen: Chosen) -> int:
    """Codes of one length that stand apart are copied side by side, a side after the other."""
    lengths = chosen["code_lengths"]
    most = max(sizes.nq, sizes.ng, sizes.train)
    return SINGLE * most * sizes.width if len(set(lengths)) < len(lengths) else 0


@step(
    unit="places in a list",
    range=(0, math.inf),
    host_only=True,
    memory=held.together(held.images(200), held.codes, _copied),
    work=spent.only("start", ("moments",), spent.together(spent.matrix(12), spent.across(0.85), spent.read(26))),
)
def coarse_to_fine(
    query: Query,
    gallery: Gallery | None = None,
    train: np.ndarray | None = None,
    train_pid: np.ndarray | None = None,
    *,
    code_lengths: Lengths = (),
    shortest: Annotated[Count, Within(1)] = 32,
    growth: Annotated[Count, Within(2)] = 4,
    cut: Annotated[Number, Within(-LARGEST, LARGEST)] = 0.0,
    thresholds: Annotated[Sequence[int], wholes(0, "for each code, from the shortest")] = (),
    radius: Annotated[
        Number | None, Within(0, 1), Otherwise("train", "train_pid", to=HALF, unless="thresholds")
    ] = None,
    beta: Annotated[Weight, Within(0.1, 100)] = 2.0,
    start: Start = "moments",
    top_k: TopK = None,
) -> Distances | Nearest:
    """Order the gallery by a short binary code, its head by a longer one, the head of that by one longer still.

    ``h_l(q, g)`` is the Hamming distance of the first l numbers, one bit each, for l = ``shortest``,
    ``shortest * growth``, ... and the whole width. What is within the threshold of one length, ``h_l <= t_l``, is
    sorted anew by the next and stays before all else. ``out_qg`` is the place of g: how many are before it.

    Takes:   query (nq, d), gallery (ng, d), train (n, d) float32; train_pid (n,) int, -1 for an image of unknown
             identity. The first numbers should say most, as those of :func:`whiten` do. One set (n, d) alone is
             each image against all others: nobody has a place in its own list.
    Returns: (nq, ng) float32, whole numbers 0..ng - 1; images that no code tells apart have one place. With
             ``top_k`` the :class:`Nearest` of every query instead: the first ``top_k`` of the full answer (ties by
             gallery row), which never exists. Of one set (n, n), +inf on the diagonal.
    code_lengths: of codes side by side, each of a head that was trained for its length, as light-reid's: then
             nobody looks at ``shortest`` and ``growth``. Empty: short codes are the first part of long ones. A run
             knows it from the files; :func:`coarse_to_fine_codes` takes such codes packed.
    shortest: 1 or more bits. d or more: one code, the order is that of :func:`hamming`.
    growth:  2 or more, from one length to the next. 32 and 4 are light-reid's 32, 128, 512 and 2048.
    cut:     -1e9 to 1e9, a bit is set above it.
    thresholds: t_l in whole bits, 0 or more, from the shortest code on; that of the longest may be left out, as
             nothing looks at it. Empty: as ``radius`` says.
    radius:  0 to 1: ``t_l = floor(radius * l)``. 0: only what no bit tells apart goes on. 1: everybody does, which
             leaves the order of the longest code, ties in the order of the shorter ones. None:
             :func:`code_thresholds` of the training images; 0.5 where there are none.
    beta:    0.1 to 100, looked at only for thresholds that are learned: how much more it matters to keep the right
             ones than to be rid of the wrong. Large: all but the farthest go on.
    start:   likewise, "moments" or "half", as :func:`code_thresholds` has it.
    top_k:   1 or more, cut to the gallery.
    Raises:  ValueError for a setting out of range, different widths, NaN or infinity, lengths that do not add up,
             thresholds of another number, or training images without two of one identity.
    Cost:    nq ng comparisons of the shortest code, and of a longer one as many as the thresholds let through;
             n^2 / 2 of every code but the longest to learn thresholds. Memory: the answer and some
             (nq + ng) d / 2 bytes for the codes. Comparing codes costs less than sorting heads here:
             :func:`hamming` is as fast where heads are a tenth of the gallery, faster where they are larger.
    Differs: light-reid fits the thresholds on the labels of the test set, and from ``start = "half"``.

    >>> q, g = np.array([[1, 1, 1, 1]]), np.array([[1, -1, 1, 1], [-1, -1, 1, 1], [1, 1, -1, -1]])
    >>> coarse_to_fine(q, g, shortest=2, growth=2, radius=0.5)  # two bits: 1, 2, 0; then all four: 1, -, 2
    array([[0., 2., 1.]], dtype=float32)
    """
    if gallery is None:
        query = checks.images("query", query)
    else:
        query, gallery = checks.sides(query, gallery)
    width = query.shape[1]
    if len(code_lengths):
        columns = codes.by_length(code_lengths, width)
    else:
        columns = [slice(length) for length in _lengths(width, shortest, growth)]
    lengths = [len(np.arange(width)[chosen]) for chosen in columns]
    if train is not None:
        train = checks.features("train", train)
        side, images = ("query", query) if gallery is None else ("gallery", gallery)
        checks.same_width(side, images, "train", train)
        if train_pid is not None:
            train_pid = checks.labels("train_pid", train_pid, len(train))
    if len(thresholds):
        limits = _all_of(thresholds, lengths)
    elif radius is None and train is not None and train_pid is not None:
        pairs = (
            _counted(_codes(train, chosen, cut), train_pid, length=length)
            for chosen, length in zip(columns[:-1], lengths, strict=False)
        )
        limits = [*(threshold(*counts, beta=beta, start=start) for counts in pairs), lengths[-1]]
    else:
        limits = [int((HALF if radius is None else radius) * length) for length in lengths]
    query_codes = [_codes(query, chosen, cut) for chosen in columns]
    gallery_codes = None if gallery is None else [_codes(gallery, chosen, cut) for chosen in columns]
    return coarse_to_fine_codes(query_codes, gallery_codes, limits, top_k=top_k)


@checked
def coarse_to_fine_codes(
    query_codes: Sequence[Unchecked],
    gallery_codes: Sequence[Unchecked] | None,
    thresholds: Sequence[int],
    *,
    top_k: TopK = None,
) -> Distances | Nearest:
    """:func:`coarse_to_fine` of codes that exist already, one array (n, bytes) uint8 a length on either side, or
    None in the place of the gallery's for one set.

    ``thresholds``: whole bits, 0 or more, one a length in the order of the codes. Lengths are taken from short to
    long in whatever order they come; the threshold of the longest is not looked at.

    >>> q = np.array([[0b1111_0000]], np.uint8)
    >>> g = np.array([[0b1011_0000], [0b0011_0000], [0b1100_0000]], np.uint8)
    >>> coarse_to_fine_codes([q & 0b1100_0000, q], [g & 0b1100_0000, g], [1, 4])
    array([[0., 2., 1.]], dtype=float32)
    """
    one_set, queries = gallery_codes is None, _lists("query_codes", query_codes)
    galleries = queries if gallery_codes is None else _lists("gallery_codes", gallery_codes)
    if not len(queries) == len(galleries) == len(thresholds):
        raise ValueError(
            "query_codes, gallery_codes and thresholds: wanted one of each a length, "
            f"got {len(queries)}, {len(galleries)} and {len(thresholds)}"
        )
    for left, right, limit in zip(queries, galleries, thresholds, strict=True):
        checks.same_width("query_codes", left, "gallery_codes", right)
        checks.whole("thresholds", limit, 0)
    order = sorted(range(len(queries)), key=lambda at: queries[at].shape[1])
    query, widths = _flat([queries[at] for at in order])
    gallery, _ = _flat([galleries[at] for at in order])
    limits = np.array([min(thresholds[at], 64 * width) for at, width in zip(order, widths, strict=True)], np.int64)
    nq, ng = len(queries[0]), len(galleries[0])
    k = 0 if top_k is None else min(top_k, max(1, ng - one_set))
    rows, places = np.full((nq, k), -1, np.int32), np.full((nq, k), np.inf, np.float32)
    out = np.full((nq, ng if top_k is None else 0), np.inf, np.float32)
    search = partial(
        kernels.of(query).codes.coarse_to_fine_rows, query, gallery, widths, (nq, ng), one_set, limits
    )
    runtime.over_rows(lambda start, stop: search(start, stop, rows, places, out), nq, what="search")
    return out if top_k is None else Nearest(places, rows)


@checked
def code_thresholds(
    train_codes: Sequence[Unchecked],
    train_pid: Unchecked,
    other_codes: Sequence[Unchecked] | None = None,
    other_pid: Unchecked = None,
    *,
    beta: Annotated[Weight, Within(0.1, 100)] = 2.0,
    start: Start = "moments",
) -> list[int]:
    """How many bits codes of one identity may differ in, for every length: what a search should let through.

    The t with the largest ``F(t) = (1 + beta^2) c1 Phi1(t) / (beta^2 + c1 Phi1(t) + c2 Phi2(t))``, rounded down.
    Phi1 and Phi2 are the distribution functions of the Gaussians nearest to the histograms of Hamming distances,
    c1 and c2 what these hold of 1: first of the pairs of one identity, then of all pairs.

    Takes:   train_codes, one array (n, bytes) uint8 a length; train_pid (n,) int, -1 unknown. *Training* images:
             labels of the test set are for scoring. Pairs are any two of them; with ``other_codes`` and
             ``other_pid``, labelled images too, one of either.
    Returns: one threshold a length, in the order of the codes.
    beta:    0.1 to 100. Large: keep the right ones at any price.
    start:   where the search for the nearest Gaussian begins. "moments": at the mean and the deviation of the
             histogram. "half": at half the length with deviation 1, as light-reid does, whose search ends at a
             single entry of the histogram where long codes make that start too far from it.
    Raises:  ValueError for a setting out of range, arrays that do not fit, or without a pair of one identity.
    Cost:    n^2 / 2 comparisons a length; memory: the codes.

    >>> code_thresholds([np.array([[0], [1], [255], [254]], np.uint8)], [0, 0, 1, 1])  # 1 bit; 7 or 8
    [4]
    """
    rows, others = _lists("train_codes", train_codes), None
    train_pid = checks.labels("train_pid", train_pid, len(rows[0]))
    if (other_codes is None) != (other_pid is None):
        raise ValueError("other_codes and other_pid: wanted both or none of them, got one")
    if other_codes is not None:
        others = _lists("other_codes", other_codes)
        other_pid = checks.labels("other_pid", other_pid, len(others[0]))
        if len(others) != len(rows):
            raise ValueError(f"other_codes: wanted {len(rows)} lengths as train_codes has, got {len(others)}")
    found = []
    for at, left in enumerate(rows):
        right = None if others is None else others[at]
        if right is not None:
            checks.same_width("train_codes", left, "other_codes", right)
        found.append(threshold(*_counted(left, train_pid, right, other_pid), beta=beta, start=start))
    return found


class Gaussian(NamedTuple):
    """``mass`` times the normal distribution of that mean and deviation."""

    mean: float
    deviation: float
    mass: float

    def at(self, x: np.ndarray) -> np.ndarray:
        """The density."""
        height = self.mass / (self.deviation * np.sqrt(2 * np.pi))
        return height * np.exp(-((x - self.mean) ** 2) / (2 * self.deviation**2))


def gaussian(counts: np.ndarray, *, start: str = "moments") -> Gaussian:
    """The nearest to ``counts`` (bits + 1,) over their sum by least squares; their moments where none is found."""
    from scipy.optimize import leastsq

    share, bits = counts / counts.sum(), np.arange(len(counts), dtype=np.float64)
    mean = float((share * bits).sum())
    deviation = float(np.sqrt((share * (bits - mean) ** 2).sum() + 1 / 12))  # a count stands for a whole bit
    moments = Gaussian(mean, deviation, 1.0)
    if len(counts) < len(moments):
        return moments
    first = moments if start == "moments" else Gaussian((len(counts) - 1) / 2, 1.0, share.max())
    with np.errstate(all="ignore"):
        best, *_, status = leastsq(lambda three: Gaussian(*three).at(bits) - share, first, full_output=True)
    found = Gaussian(*(float(value) for value in best))
    sound = status in (1, 2, 3, 4) and np.isfinite(best).all() and found.deviation
    if start == "moments":
        sound = sound and 0 <= found.mean <= bits[-1] and found.deviation > 0 and found.mass > 0
    return found if sound else moments


def threshold(same: np.ndarray, every: np.ndarray, *, beta: float, start: str = "moments") -> int:
    """The threshold for these counts (bits + 1,) of pairs of one identity and of all pairs."""
    from scipy.optimize import minimize_scalar
    from scipy.special import erf

    one, two = gaussian(same, start=start), gaussian(every, start=start)

    def loss(t: float) -> float:
        right, all_pairs = (g.mass * (1 + erf((t - g.mean) / (np.sqrt(2) * g.deviation))) / 2 for g in (one, two))
        return -(1 + beta**2) * right / (beta**2 + right + all_pairs)

    return int(minimize_scalar(loss, bounds=(0, len(same) - 1), method="bounded").x)


def _counted(
    left: Codes,
    left_pid: Unchecked,
    right: Codes | None = None,
    right_pid: Unchecked = None,
    *,
    length: int | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """(bits + 1,) int64: pairs of one identity, and all pairs, by the bits in which they differ."""
    rows, others = codes.to_words(left), codes.to_words(left if right is None else right)
    other_pid = left_pid if right is None else right_pid
    length = 8 * left.shape[1] if length is None else length
    total, lock = np.zeros((2, length + 1), np.int64), threading.Lock()
    kernel = kernels.of(rows)

    def count(start: int, stop: int) -> None:
        found = np.zeros_like(total)
        kernel.codes.count_differing_bits(rows, others, left_pid, other_pid, right is None, start, stop, *found)
        with lock:
            total[:] += found

    runtime.over_rows(count, len(rows), what="pairs")
    if not total[0].any():
        raise ValueError(f"train_pid: wanted two images of one known identity, got none among {len(rows)} images")
    return total[0], total[1]


def _lengths(width: int, shortest: int, growth: int) -> list[int]:
    lengths = []
    while shortest < width:
        lengths.append(shortest)
        shortest *= growth
    return [*lengths, width]


def _all_of(thresholds: Sequence[int], lengths: list[int]) -> list[int]:
    """A threshold for each length; the longest one's may be missing."""
    if len(thresholds) not in (len(lengths), len(lengths) - 1):
        raise ValueError(f"thresholds: wanted one for each of {lengths} bits, got {list(thresholds)}")
    return [*thresholds, lengths[-1]][: len(lengths)]


def _codes(rows: Floats, chosen: Columns, cut: float) -> Codes:
    return codes.binary(rows[:, chosen], cut)


def _lists(name: str, arrays: Sequence[Unchecked]) -> list[Codes]:
    """The codes of every length, all of as many images."""
    listed = [codes.packed(name, array) for array in arrays]
    if not listed or len({len(array) for array in listed}) > 1:
        counts = [len(array) for array in listed]
        raise ValueError(f"{name}: wanted an array a length, all of the same images, got {counts} images")
    return listed


def _flat(arrays: list[Codes]) -> tuple[np.ndarray, np.ndarray]:
    """All words, one length after the other, and how many a code of each length has."""
    parts = [codes.to_words(array) for array in arrays]
    return np.concatenate([part.ravel() for part in parts]), np.array([part.shape[1] for part in parts])
