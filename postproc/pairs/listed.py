"""Neighbour lists as a value: made here, handed over from elsewhere, kept in a folder.

A :class:`NeighbourLists` says for every image which others are nearest and how far they are. It does not say where
the images are; with their features beside it, everything is known, without them only what stands in a list.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from postproc.base import arrays, runtime, saved
from postproc.base.vocabulary import Array, Unchecked
from postproc.pairs.thinned import in_gallery

KIND = "neighbours"  # of what is in a folder
BLOCK = 16 << 20  # bytes that are hashed at a time, each block by a thread
FARTHEST = 4.0  # squared distance of two vectors of unit length


@dataclass(frozen=True)
class NeighbourLists:
    """The ``k`` nearest of every image, nearest first, ties by image; :func:`postproc.neighbours` makes one.

    Images are numbered queries first, then the gallery; in one set each has one number. Every image stands in its
    own list, at distance 0, so there are k + 1 places; only among more than k copies of itself it may be missing.

    rows:        (n, w) int32, images by number; -1 where there are fewer.
    distances:   (n, w) float32, ascending: squared Euclidean distances, or those of the Pairwise they are of; +inf
                 where there are fewer.
    largest:     (n,) float32, the distance of the farthest image, or a bound above it.
    sizes:       how many queries and how many gallery images; of one set both times all.
    one_set:     whether it is each image against all others.
    unit_length: whether they are of features of unit length: 2 - 2 cosine.
    exact:       whether nobody nearer is missing, and ``largest`` is no bound.
    recall:      of lists that are not exact the share of the true neighbours that was found in a sample, if it was
                 measured.
    digest:      what tells the features they are of from others (:func:`digest_of`); "" where that is not known.
    """

    rows: np.ndarray
    distances: np.ndarray
    largest: np.ndarray
    sizes: tuple[int, int]
    one_set: bool = False
    unit_length: bool = False
    exact: bool = True
    recall: float | None = None
    digest: str = ""

    @property
    def k(self) -> int:
        """How many others stand in a list."""
        return self.rows.shape[1] - 1

    @property
    def count(self) -> int:
        """How many images there are."""
        return len(self.rows)

    @property
    def everybody(self) -> bool:
        """Whether every list holds all images, so that nothing is unknown."""
        return self.rows.shape[1] >= self.count

    @property
    def caveat(self) -> str:
        """What an answer from them has to say: that neighbours may be missing, and how many; "" of exact ones."""
        if self.exact:
            return ""
        recall = "of unmeasured recall" if self.recall is None else f"of recall {self.recall:.3f} in a sample"
        return f"neighbours: the lists are approximate, {recall}, and so is the answer"

    def __repr__(self) -> str:
        who = (
            f"{self.count} images"
            if self.one_set
            else f"{self.sizes[0]} queries and {self.sizes[1]} gallery images"
        )
        found = "" if self.recall is None else f", recall {self.recall:.3f}"
        return f"NeighbourLists({who}, k={self.k}, {'exact' if self.exact else 'approximate'}{found})"

    @classmethod
    def given(
        cls,
        rows: Unchecked,
        distances: Unchecked,
        *,
        queries: int | None = None,
        largest: Unchecked = None,
        count_self: bool = True,
        unit_length: bool = False,
        exact: bool = False,
        digest: str = "",
    ) -> NeighbourLists:
        """Lists that somebody else found: faiss, usearch, pynndescent, cuVS, scikit-learn.

        rows:        (n, m) whole numbers: for each image those found, itself too or not; below 0 is nobody.
        distances:   (n, m) squared Euclidean distances of the same places, none below 0 but for rounding.
        queries:     how many of the first images are queries; None: it is one set.
        largest:     (n,) the farthest distance of each image, or one number that none is beyond. None: 4 for
                     features of unit length; of others it has to be said.
        count_self:  whether each image was to be found in its own list; if not, it is put there.
        unit_length: whether the features are of unit length.
        exact:       whether nobody nearer can be missing.
        digest:      of the features, as ``digest_of(pairs)``; "" takes them on trust.
        Raises:      ValueError naming all that is wrong: rows out of range or twice in a list, an own image where
                     there should be none or none where there should be one, NaN, distances below 0, similarities,
                     empty lists.

        >>> NeighbourLists.given([[1], [0], [1]], [[1.0], [1.0], [4.0]], count_self=False, largest=9.0)
        NeighbourLists(3 images, k=1, approximate)
        """
        numbers, values = np.asarray(arrays.host(rows)), np.asarray(arrays.host(distances))
        wrong = _problems(numbers, values, queries, largest, count_self, unit_length)
        if wrong:
            raise ValueError("; ".join(wrong))
        n = len(numbers)
        found, far = _in_order(numbers, values.astype(np.float32), count_self)
        border = 0 if queries is None else queries
        if largest is None:
            largest = FARTHEST
        bound = np.maximum(np.broadcast_to(np.asarray(largest, np.float32), n), ends(far))
        return cls(
            found, far, bound, (n, n) if queries is None else (border, n - border),
            queries is None, unit_length, exact, None, digest,
        )  # fmt: skip

    def of_gallery(self) -> NeighbourLists:
        """The lists of the gallery images among themselves, without queries; of one set all."""
        if self.one_set:
            return replace(self, sizes=(0, self.count), one_set=False, digest="")
        nq, ng = self.sizes
        k = min(self.rows.shape[1], ng)
        rows, distances, _ = in_gallery(self.rows[nq:], self.distances[nq:], nq, k)
        return replace(
            self, rows=rows, distances=distances, largest=np.asarray(self.largest[nq:]), sizes=(0, ng), digest=""
        )

    def save(self, folder: str | Path) -> None:
        """Keep it in a folder: three ``.npy`` and a JSON; an older one there is replaced once all is written.

        Raises OSError where the disk refuses; what stood there before is still whole then.
        """
        said = {
            "sizes": list(self.sizes), "one_set": self.one_set, "unit_length": self.unit_length,
            "exact": self.exact, "recall": self.recall, "digest": self.digest, "k": self.k,
            "unit": "squared Euclidean distance",
        }  # fmt: skip
        parts = {"rows": self.rows, "distances": self.distances, "largest": self.largest}
        saved.save(Path(folder), KIND, parts, said)

    @classmethod
    def load(cls, folder: str | Path, *, in_memory: bool = False) -> NeighbourLists:
        """One from a folder, read as far as it is looked at.

        Raises FileNotFoundError where there is none, ValueError where a file is damaged or of other lists.
        """
        parts, said = saved.load(Path(folder), KIND, ("rows", "distances", "largest"), in_memory=in_memory)
        rows, distances, largest = parts["rows"], parts["distances"], parts["largest"]
        sizes = tuple(map(int, said["sizes"]))
        count = sizes[1] if said["one_set"] else sum(sizes)
        shapes = rows.shape, distances.shape, largest.shape
        if shapes != ((count, said["k"] + 1), (count, said["k"] + 1), (count,)):
            raise ValueError(
                f"{folder}: wanted lists of {count} images and k = {said['k']}, found shapes {shapes}"
            )
        names = ("one_set", "unit_length", "exact", "recall", "digest")
        return cls(rows, distances, largest, sizes, **{name: said[name] for name in names})  # type: ignore[arg-type]


def digest_of(terms: Mapping[str, Array]) -> str:
    """32 letters that tell apart any two sets of arrays and words, by their names, shapes and float32 content.

    A memory-mapped half-precision array has the digest of its float32 numbers. O(bytes), a block a thread.
    """
    whole = hashlib.blake2b(digest_size=16)
    for name, value in terms.items():
        if not hasattr(value, "shape"):
            whole.update(f"{name}={value};".encode())
            continue
        array: Any = value
        whole.update(f"{name} {tuple(map(int, array.shape))};".encode())
        kind = np.float32 if "float" in str(array.dtype) else np.int64
        tall = max(1, BLOCK // (4 * max(1, int(np.prod(array.shape[1:])))))
        starts = range(0, len(array), tall)
        digests: list[bytes] = [b""] * len(starts)

        def hash_block(
            at: int, array: Any = array, tall: int = tall, kind: Any = kind, out: list[bytes] = digests
        ) -> None:
            block = np.ascontiguousarray(arrays.host(array[at * tall : (at + 1) * tall]), kind)
            out[at] = hashlib.blake2b(block.reshape(-1).view(np.uint8).data, digest_size=16).digest()

        runtime.run(hash_block, range(len(starts)), what="fingerprint")
        whole.update(b"".join(digests))
    return whole.hexdigest()


def _problems(
    rows: np.ndarray, distances: np.ndarray, queries: int | None, largest: Any, count_self: bool, unit: bool
) -> list[str]:
    """All that is wrong with lists from outside."""
    numbers = rows.dtype.kind in "iu" and distances.dtype.kind in "iuf"
    if not numbers or rows.ndim != 2 or rows.shape != distances.shape or 0 in rows.shape:
        return [
            f"rows: wanted whole numbers of two axes, and as many distances, got {rows.dtype} {rows.shape} "
            f"and distances {distances.dtype} {distances.shape}"
        ]
    n, wrong = len(rows), []
    if queries is not None and not 0 < queries < n:
        wrong.append(f"queries: wanted a number of 1 to {n - 1}, got {queries}")
    if (rows >= n).any():
        wrong.append(f"rows: wanted images below {n}, found {rows.max()}")
    there = rows >= 0
    values = np.where(there, distances, 0)
    if not np.isfinite(values).all():
        wrong.append("distances: wanted finite numbers, found NaN or infinity first in row "
                     f"{np.flatnonzero(~np.isfinite(values).all(axis=1))[0]}")  # fmt: skip
    elif (values < -1e-4 * max(1.0, float(np.abs(values).max()))).any():
        wrong.append(
            "distances: wanted squared distances, 0 or more, found numbers below 0; of similarities s of unit "
            "vectors give 2 - 2 s"
        )
    elif _similar(values, rows):
        wrong.append(
            "distances: wanted squared distances, found numbers that fall where images are farther, as "
            "similarities do; of similarities s of unit vectors give 2 - 2 s"
        )
    elif unit and (values > FARTHEST * 1.001).any():
        wrong.append(f"distances: wanted at most 4 between vectors of unit length, found {values.max():g}")
    ordered = np.sort(rows, axis=1)
    twice = ((ordered[:, 1:] == ordered[:, :-1]) & (ordered[:, 1:] >= 0)).any(axis=1)
    if twice.any():
        wrong.append(f"rows: wanted each image once in a list, found one twice first in row {np.argmax(twice)}")
    own = (rows == np.arange(n)[:, None]).any(axis=1)
    if not count_self and own.any():
        wrong.append(
            f"count_self: wanted no image in its own list, found one first in row {np.argmax(own)}; "
            "say count_self=True"
        )
    if count_self and own.mean() < 0.5:
        wrong.append(
            f"count_self: wanted each image in its own list, found {own.mean():.0%}; say count_self=False"
        )
    some = there.any(axis=1)
    if not some.all():
        wrong.append(f"rows: wanted a neighbour of every image, found none first in row {np.argmin(some)}")
    if largest is None and not unit:
        wrong.append(
            "largest: wanted the farthest distance of each image or a bound, which lists do not say; of features "
            "of unit length say unit_length=True, and it is 4"
        )
    elif largest is not None:
        bound = np.asarray(arrays.host(largest))
        if bound.shape not in ((), (n,)) or not np.isfinite(bound).all() or (bound < 0).any():
            wrong.append(f"largest: wanted {n} distances or one, finite and 0 or more, got shape {bound.shape}")
    return wrong


def _similar(values: np.ndarray, rows: np.ndarray) -> bool:
    """Whether numbers are those of similarities: in most lists that of the own image is the largest, or without it
    they fall from the first to the last."""
    there, own = rows >= 0, rows == np.arange(len(rows))[:, None]
    least = np.where(there, values, np.inf).min(axis=1)
    largest = np.where(there, values, -np.inf).max(axis=1)
    with_own = own.any(axis=1)
    mine = np.where(own, values, np.inf).min(axis=1)
    falling = ((np.diff(values, axis=1) <= 0) | ~there[:, 1:]).all(axis=1)
    found = (least < largest) & np.where(with_own, mine >= largest, falling)
    return bool(found.mean() > 0.5)


def _in_order(rows: np.ndarray, distances: np.ndarray, count_self: bool) -> tuple[np.ndarray, np.ndarray]:
    """Lists with each image in its own at distance 0, nearest first, ties by image; -1 and +inf at the end."""
    n = len(rows)
    everybody = np.arange(n)
    own = rows == everybody[:, None]
    far = np.where(rows < 0, np.inf, np.maximum(distances, 0)).astype(np.float32)
    far[own] = 0
    numbers = np.where(rows < 0, n, rows).astype(np.int64)
    lacking = ~own.any(axis=1)
    if not count_self:
        numbers = np.concatenate([numbers, everybody[:, None]], axis=1)
        far = np.concatenate([far, np.zeros((n, 1), np.float32)], axis=1)
    elif lacking.any():  # crowded out by copies, or missed by an approximate search: in the place of the last
        last = np.lexsort((numbers[lacking], far[lacking]), axis=1)[:, -1]
        crowded = far[lacking, last] == 0  # by copies: then it is left as it was
        at = np.flatnonzero(lacking)[~crowded]
        numbers[at, last[~crowded]], far[at, last[~crowded]] = at, 0
    order = np.lexsort((numbers, far), axis=1)
    numbers, far = np.take_along_axis(numbers, order, axis=1), np.take_along_axis(far, order, axis=1)
    return np.where(numbers == n, -1, numbers).astype(np.int32), far


def ends(distances: np.ndarray) -> np.ndarray:
    """(n,) the distance of the last image in each list."""
    there = np.isfinite(distances)
    return np.where(there, distances, -np.inf).max(axis=1).astype(np.float32)
