"""Type, make, colour: a difference costs as much as the classifier is unlikely to have mixed the two up.

Source: ipl-uw/2019-CVPR-AIC-Track-2-UWIPL, ``Video-Person-ReID/re_ranking_metadata.py`` (AI City 2019, second).
"""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from postproc import kernels
from postproc.base import checks, runtime
from postproc.base.vocabulary import Distances, Floats, Unchecked
from postproc.constraints.penalties import BLOCK, change_rows
from postproc.pairs.pairwise import Pairwise, products

SMALL = 1e-4  # added to frequencies, so that what was never mixed up costs a finite amount
Array = np.ndarray
RULES = ("any", "any_known", "all")


def attribute_distances(
    query_aux: Floats, gallery_aux: Floats, confusions: Sequence[Floats], *, expected: bool = False
) -> Distances:
    """How implausible it is that two images show one vehicle, by the attributes a classifier gives them.

    ``out[i, j] = sum over attributes of M[a_i, a_j]``, a the most probable class,
    ``M[a, b] = -ln(W[a, b] + 1e-4) / ln(classes)``; ``W = C'C`` with a diagonal of 1, C the attribute's confusion
    matrix + 1e-4, its columns divided by their sums.

    Takes:   query_aux (nq, k), gallery_aux (ng, k) float32, the classes of all attributes side by side, higher is
             more probable; zeros for all classes of an attribute: unknown, costs nothing.
             confusions: for every attribute in the order of the columns a square matrix of counts or shares, 0 or
             more, true classes down, predicted across.
    Returns: (nq, ng) float32: for each attribute 0 (less 1e-4, as released) for equal classes, to about
             9.2 / ln(classes) for two that are never mixed up.
    expected: take the mean over all classes, weighted with the two images' numbers, which must then be
             probabilities, instead of the most probable class.
    Raises:  ValueError for sizes that do not fit, NaN or infinity, fewer than 2 classes, a number below 0.
    Cost:    O(nq ng) an attribute; a class of it, if ``expected``.

    >>> sure, mixed = np.array([[0.9, 0.1, 0.0]]), [[8, 2, 0], [2, 8, 0], [0, 0, 9]]
    >>> attribute_distances(sure, [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]], [mixed]).round(2)
    array([[-0.  ,  1.04,  8.21]], dtype=float32)
    """
    query, gallery, table = _prepared(query_aux, gallery_aux, confusions, expected)
    right = np.einsum("ab,jb->aj", table, gallery).astype(np.float32)  # no BLAS: one order of sums
    kernel, left = kernels.of(right), query.astype(np.float32)
    out = np.zeros((len(query), len(gallery)), np.float32)
    change_rows(out, kernel.constraints.add_combinations, left, right)
    return out


def attribute_pairs(
    query_aux: Floats, gallery_aux: Floats, confusions: Sequence[Floats], *, expected: bool = False
) -> Pairwise:
    """:func:`attribute_distances` among queries and gallery alike, as a term beside others.

    ``rerank(sqeuclidean(query, gallery) + 0.2 * attribute_pairs(query_aux, gallery_aux, confusions))`` finds
    neighbours with it and builds nothing of size all x all. An image and its copies are at 0.
    """
    query, gallery, table = _prepared(query_aux, gallery_aux, confusions, expected)
    values, vectors = np.linalg.eigh(table)  # x'My is a sum of products, each with the sign of its value
    scaled = vectors * np.sqrt(np.abs(values))
    plus, minus = (
        products(*(np.einsum("ia,ab->ib", side, scaled[:, kept]).astype(np.float32) for side in (query, gallery)))
        for kept in (values > 0, values <= 0)
    )
    return plus - minus


def attribute_confusions(train_aux: Floats, train_pid: Unchecked, classes: Sequence[int] = ()) -> list[Array]:
    """How often a classifier takes each class for each other one, from images of known identities.

    The true class of an identity is the one that its images are given most often, of those the first.

    Takes:   train_aux (n, k) float32 as ``query_aux`` in :func:`attribute_distances`, zeros for an attribute do
             not count; train_pid (n,) int, below 0 unknown; ``classes``: how many columns each attribute has,
             nothing: all are of one.
    Returns: for every attribute (classes, classes) float32 counts, true classes down, given ones across. An
             identity whose images are mostly mistaken counts for another class: what is always mixed up is not
             seen.
    Raises:  ValueError for sizes that do not fit, NaN or infinity.

    >>> attribute_confusions([[1, 0], [0.9, 0.1], [0.2, 0.8], [0, 1]], [7, 7, 7, 8])
    [array([[2., 1.],
           [0., 1.]], dtype=float32)]
    """
    rows = checks.features("train_aux", train_aux)
    pid = checks.labels("train_pid", train_pid, len(rows))
    found = []
    for first, last in pairwise(_borders(class_counts("train_aux", rows, classes))):
        block = rows[:, first:last]
        known = np.flatnonzero(block.any(axis=1) & (pid >= 0))
        given = block[known].argmax(axis=1)
        who = np.unique(pid[known], return_inverse=True)[1].reshape(-1)
        votes = np.zeros((who.max(initial=-1) + 1, last - first), np.int64)
        np.add.at(votes, (who, given), 1)
        counts = np.zeros((last - first, last - first), np.float32)
        np.add.at(counts, votes.argmax(axis=1), votes.astype(np.float32))
        found.append(counts)
    return found


def class_counts(name: str, rows: Floats, classes: Sequence[int] | np.ndarray) -> list[int]:
    """How many columns of ``rows`` each attribute has; refuses ``classes`` of less than 2 or another sum."""
    given = classes.tolist() if isinstance(classes, np.ndarray) else classes
    whole = isinstance(given, (list, tuple)) and all(
        isinstance(count, (int, np.integer)) and not isinstance(count, bool) and count > 1 for count in given
    )
    if not whole:
        raise ValueError(f"classes: wanted whole numbers, 2 or more, one an attribute, got {classes!r}")
    counts = [int(count) for count in given] or [rows.shape[1]]
    if sum(counts) != rows.shape[1] or counts[0] < 2:
        wanted = sum(counts) if given else "2 or more"
        raise ValueError(f"{name}: wanted {wanted} columns, one a class, got shape {rows.shape}")
    return counts


def most_probable(name: str, rows: Floats, classes: Sequence[int] | np.ndarray) -> Array:
    """(n, attributes) int: the most probable class of every attribute."""
    borders = pairwise(_borders(class_counts(name, rows, classes)))
    return np.stack([rows[:, first:last].argmax(axis=1) for first, last in borders], axis=1)


def attribute_mismatch(
    query_aux: Floats, gallery_aux: Floats, classes: Sequence[int], *, rule: str = "any"
) -> Distances:
    """1 where the most probable classes of two images contradict each other, 0 elsewhere.

    Takes:   query_aux (nq, k), gallery_aux (ng, k) float32 as in :func:`attribute_distances`; ``classes``: how
             many columns each attribute has.
    rule:    "any": some attribute differs. "any_known": some attribute differs and neither class is its last one,
             "other". "all": no attribute agrees.
    Raises:  ValueError for sizes that do not fit, NaN or infinity, another rule. Cost: O(nq ng) an attribute.

    >>> attribute_mismatch([[1, 0, 0, 1]], [[1, 0, 0, 1], [1, 0, 1, 0], [0, 1, 1, 0]], [2, 2], rule="all")
    array([[0., 0., 1.]], dtype=float32)
    """
    checks.one_of("rule", rule, RULES)
    query, gallery = _sides(query_aux, gallery_aux, classes)
    out = np.empty((len(query), len(gallery)), np.float32)

    def fill(start: int, stop: int) -> None:
        wrong = np.full((stop - start, len(gallery)), rule == "all")
        for first, last in pairwise(_borders(classes)):
            left, right = (side[:, first:last].argmax(axis=1) for side in (query[start:stop], gallery))
            differ = left[:, None] != right
            if rule == "all":
                wrong &= differ
                continue
            if rule == "any_known":
                differ &= (left < last - first - 1)[:, None] & (right < last - first - 1)
            wrong |= differ
        out[start:stop] = wrong

    runtime.over_rows(fill, len(out), what="attributes", block=BLOCK)
    return out


def _prepared(
    query_aux: Unchecked, gallery_aux: Unchecked, confusions: Unchecked, expected: bool
) -> tuple[Array, Array, Array]:
    """Weights of all classes for both sides, (nq, k) and (ng, k), and the matrix M of all attributes (k, k)."""
    checks.flag("expected", expected)
    tables = [_table(f"confusions[{i}]", confusion) for i, confusion in enumerate(confusions)]
    borders = _borders([len(table) for table in tables])
    query, gallery = _sides(query_aux, gallery_aux, [len(table) for table in tables])
    whole = np.zeros((borders[-1], borders[-1]))
    weights = np.zeros(query.shape), np.zeros(gallery.shape)
    for table, (first, last) in zip(tables, pairwise(borders), strict=True):
        whole[first:last, first:last] = table
        for name, side, out in (("query_aux", query, weights[0]), ("gallery_aux", gallery, weights[1])):
            block = side[:, first:last]
            if expected:
                out[:, first:last] = checks.probabilities(name, block)
            else:
                known = np.flatnonzero(block.any(axis=1))
                out[known, first + block[known].argmax(axis=1)] = 1
    return (*weights, whole)


def _table(name: str, confusion: Unchecked) -> Array:
    """M of one attribute."""
    counts = checks.features(name, confusion).astype(np.float64)
    if counts.shape[0] != counts.shape[1] or len(counts) < 2 or (counts < 0).any():
        raise ValueError(f"{name}: wanted a square of 2 classes or more, none below 0, got shape {counts.shape}")
    shares = (counts + SMALL) / (counts + SMALL).sum(axis=0)
    together = shares.T @ shares
    np.fill_diagonal(together, 1)
    return -np.log(together + SMALL) / np.log(len(counts))


def _sides(
    query_aux: Unchecked, gallery_aux: Unchecked, classes: Sequence[int] | np.ndarray
) -> tuple[Floats, Floats]:
    query, gallery = checks.features("query_aux", query_aux), checks.features("gallery_aux", gallery_aux)
    for name, side in (("query_aux", query), ("gallery_aux", gallery)):
        if side.shape[1] != sum(classes):
            raise ValueError(f"{name}: wanted {sum(classes)} columns, one a class, got shape {side.shape}")
    return query, gallery


def _borders(classes: Sequence[int] | np.ndarray) -> list[int]:
    return [0, *np.cumsum(classes).tolist()]
