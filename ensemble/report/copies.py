"""Copies in a data set: rows that are equal or nearly so, in a side and between query, gallery and train.

Of every image the nearest other one is looked for, by the features of one model as they are read. What is usual
between neighbours is the median of these distances; a pair nearer than a third of that is nearly the same picture.
In clean sets (VIPeR, CUHK03, lions, Omniglot) nobody is nearer than .41 of it. A picture saved once more as JPEG
of quality 90 is at .19 (nine of ten are within the limit), of quality 70 at .40: most such copies are not found.
"""

import hashlib
import warnings
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations_with_replacement, pairwise
from typing import Any

import numpy as np

import postproc
from ensemble.base.kinds import Array, Ints
from postproc.base.one_set import TwiceTheSame

SHARE = 1 / 3  # of the usual distance between neighbours
NUMBERS = 1 << 24  # of all sides together that are searched; of larger sets a sample
WORK = 2e11  # products of two numbers in all searches: some seconds of a core
NAMED = 16  # pairs that are told
CODES = 0.2  # where more rows than this share are copies, a row is not one picture's


@dataclass(frozen=True, eq=False)
class Side:
    """The images of a side: features (n, d), names, and identities as numbers, -1 unknown; None: of nobody."""

    rows: Array
    names: Sequence[str]
    pid: Ints | None = None


@dataclass(eq=False)
class _Found:
    """Pairs by their ends, (side, row) each, with distances as shares of the usual one; 0: equal rows."""

    sides: Mapping[str, Side]
    shares: dict[tuple[tuple[str, int], tuple[str, int]], float] = field(default_factory=dict)

    def add(self, one: tuple[str, int], other: tuple[str, int], share: float) -> None:
        order = list(self.sides)
        first, second = sorted((one, other), key=lambda end: (order.index(end[0]), end[1]))
        self.shares.setdefault((first, second), share)

    def text(self) -> list[dict[str, Any]]:
        """The pairs: between sides first, then those of two identities, then the nearest."""

        def urgency(item: tuple[Any, float]) -> tuple[Any, ...]:
            (one, other), share = item
            return one[0] == other[0], self._same(one, other) is not False, share, one, other

        return [
            {
                "sides": [one[0], other[0]],
                "names": [str(self.sides[side].names[row]) for side, row in (one, other)],
                "share": round(share, 3),
                "same": self._same(one, other),
            }
            for (one, other), share in sorted(self.shares.items(), key=urgency)
        ]

    def _same(self, one: tuple[str, int], other: tuple[str, int]) -> bool | None:
        pids = [None if (pid := self.sides[side].pid) is None else int(pid[row]) for side, row in (one, other)]
        known = [pid for pid in pids if pid is not None and pid >= 0]
        return known[0] == known[1] if len(known) == 2 else None


def copies(sides: Mapping[str, Side], *, seed: int = 0) -> dict[str, Any]:
    """What there is to say of copies, as plain values.

    Returns: ``pairs``: of each its ``sides``, ``names``, ``share`` of the usual distance (0: equal rows), and if
             both are of the ``same`` identity (None: not known), the first of ``count``; ``kinds``: pairs between
             and in which sides; ``asked``: how many of ``images`` were compared; ``note``: why nothing was.
    seed:    of the sample of large sets; equal rows are found in all of them.
    Cost:    every row is read once; beside that WORK products and NUMBERS floats.
    """
    sides = {name: side for name, side in sides.items() if len(side.rows)}
    images = sum(len(side.rows) for side in sides.values())
    found = _Found(sides)
    equal = _equal(sides)
    nothing = {"pairs": [], "count": 0, "kinds": {}, "asked": 0, "images": images, "usual": 0.0}
    if sum(len(ends) - 1 for ends in equal) > CODES * images:
        note = "many rows are equal: they are codes, or stand for tracks, so that copies cannot be told"
        return {**nothing, "note": note}
    for ends in equal:
        for one, other in pairwise(ends):
            found.add(one, other, 0.0)
    usual, asked = _near(found, seed)
    told = found.text()
    kinds: dict[str, int] = defaultdict(int)
    for pair in told:
        kinds[" and ".join(dict.fromkeys(pair["sides"]))] += 1
    head = {"pairs": told[:NAMED], "count": len(told), "kinds": dict(kinds), "asked": asked, "images": images}
    return {**head, "usual": round(usual, 6), "note": ""}


def _equal(sides: Mapping[str, Side]) -> list[list[tuple[str, int]]]:
    """The groups of images whose rows are equal, bit by bit."""
    groups: dict[bytes, list[tuple[str, int]]] = defaultdict(list)
    for name, side in sides.items():
        for row in range(len(side.rows)):
            values = np.ascontiguousarray(side.rows[row])
            groups[hashlib.blake2b(values.tobytes(), digest_size=16).digest()].append((name, row))
    return [ends for ends in groups.values() if len(ends) > 1]


def _near(found: _Found, seed: int) -> tuple[float, int]:
    """Add pairs that are nearly equal; the usual distance between neighbours, and how many images were asked."""
    sides = found.sides
    width = next(iter(sides.values())).rows.shape[1]
    images = sum(len(side.rows) for side in sides.values())
    random = np.random.default_rng(seed)
    kept = {name: _some(len(side.rows), NUMBERS / (images * width), random) for name, side in sides.items()}
    count = sum(map(len, kept.values()))
    share = WORK / (count**2 * width)
    units = {name: postproc.l2_normalize(np.asarray(side.rows[kept[name]])) for name, side in sides.items()}
    searched = []
    for one, other in combinations_with_replacement(sides, 2):
        asked = _some(len(units[one]), share, random)
        searched.append((one, other, asked, *_nearest(units[one], units[other], asked, own=one == other)))
    inside = [far[far > 0] for one, other, _, far, _ in searched if one == other]
    usual = float(np.median(np.concatenate(inside))) if any(map(len, inside)) else 0.0
    for one, other, asked, far, rows in searched:
        for at in np.flatnonzero(far < SHARE * usual).tolist():
            ends = (one, int(kept[one][asked[at]])), (other, int(kept[other][rows[at]]))
            if ends[0] != ends[1]:
                found.add(*ends, float(far[at]) / usual)
    return usual, min(count, round(count * min(share, 1.0)))


def _some(count: int, share: float, random: np.random.Generator) -> Ints:
    """All of the rows, or a share of them, ascending."""
    if share >= 1:
        return np.arange(count)
    return np.sort(random.choice(count, max(1, int(count * share)), replace=False))


def _nearest(unit: Array, others: Array, asked: Ints, *, own: bool) -> tuple[Array, Ints]:
    """How far the nearest of the others is from each of those asked, and its row; never the image itself."""
    if own and len(others) < 2:
        return np.empty(0, np.float32), np.empty(0, np.int64)
    if own and len(asked) == len(unit):
        nearest = postproc.distances(unit, top_k=1)
    else:
        with warnings.catch_warnings():  # of sides that are the same images the run has spoken
            warnings.simplefilter("ignore", TwiceTheSame)
            nearest = postproc.distances(unit[asked], others, top_k=2 if own else 1)
    far, rows = np.sqrt(np.maximum(nearest.distances, 0)), nearest.rows.astype(np.int64)
    place = (rows[:, 0] == asked).astype(int) if own else np.zeros(len(asked), int)
    at = np.arange(len(asked))
    return far[at, place], rows[at, place]


def sentences(told: Mapping[str, Any]) -> Iterator[str]:
    """What is found in words."""
    if told["note"]:
        yield told["note"]
        return
    part = "all" if told["asked"] >= told["images"] else f"{told['asked']:,} of {told['images']:,}"
    yield (
        f"Equal, or nearer than a third of the usual distance between neighbours ({told['usual']:.3g}); of {part} "
        f"images the nearest other one, by the features of {told['model']} as they were read."
    )
