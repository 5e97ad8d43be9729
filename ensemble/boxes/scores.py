"""Tracks over cameras against the truth: IDF1, IDP and IDR by ``motmetrics``, HOTA by ``trackeval``.

All cameras are one sequence, as in AI City's evaluation: a frame of a camera is a frame of its own, and identities
are the same in all of them. A box of the truth and one that was found are the same where they overlap by half.
Both packages are the extra ``tracking``; nothing is computed in their place.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec

import numpy as np

from ensemble.base.errors import refuse_if_any
from ensemble.base.kinds import Floats, Ints
from ensemble.boxes.value import Boxes, overlaps
from postproc.base.extras import install

OVERLAP = 0.5  # shared over covered area, from which two boxes are one
EXTRA = "tracking"
Frame = tuple[Ints, Ints, Floats]  # rows of the truth, rows that were found, how they overlap


@dataclass(frozen=True)
class Scores:
    """Shares from 0 to 1, and boxes as counts; ``hota`` and its parts are means over overlaps of .05 to .95."""

    idf1: float
    idp: float
    idr: float
    hota: float
    deta: float
    assa: float
    idtp: int
    idfp: int
    idfn: int

    def text(self) -> str:
        """One line for people."""
        names = ("idf1", "idp", "idr", "hota", "deta", "assa")
        shares = "  ".join(f"{name.upper()} {100 * getattr(self, name):.2f}" for name in names)
        return f"{shares}  (boxes: {self.idtp} right, {self.idfp} wrong, {self.idfn} missed)"


def lacking() -> list[str]:
    """What of the extra is not installed, with the command that installs it."""
    return [
        f"scores: wanted the package {name}, found none; {install(EXTRA, name)}"
        for name in ("motmetrics", "trackeval")
        if find_spec(name) is None
    ]


def score(truth: Boxes, found: Boxes) -> Scores:
    """Compare two sets of boxes whose ``track`` are identities, the same in all cameras.

    Raises: InputError where the packages are missing, or the truth has no box.
    Cost:   1 ms a frame that has boxes, most of it motmetrics.
    """
    problems = lacking()
    if not len(truth):
        problems.append("truth: wanted boxes, found none; give the files of these cameras")
    refuse_if_any(problems)
    frames = list(_frames(truth, found))
    shares = _identity(truth, found, frames) | _hota(truth, found, frames)
    right, wrong, missed = (int(shares.pop(name)) for name in ("idtp", "idfp", "idfn"))
    idf1, idp, idr, hota, deta, assa = (shares[name] for name in ("idf1", "idp", "idr", "hota", "deta", "assa"))
    return Scores(idf1, idp, idr, hota, deta, assa, right, wrong, missed)


def _frames(truth: Boxes, found: Boxes) -> Iterator[Frame]:
    """Every frame of every camera in which there is a box."""
    keys = [np.stack([boxes.cam, boxes.frame], axis=1) for boxes in (truth, found)]
    every, number = np.unique(np.concatenate(keys), axis=0, return_inverse=True)
    number = number.reshape(-1)
    both = number[: len(truth)], number[len(truth) :]
    edges = [np.searchsorted(of, np.arange(len(every) + 1)) for of in both]  # boxes are in this order
    for at in range(len(every)):
        left, right = (np.arange(edge[at], edge[at + 1]) for edge in edges)
        yield left, right, overlaps(truth.box[left], found.box[right])


def _identity(truth: Boxes, found: Boxes, frames: list[Frame]) -> dict[str, float]:
    import motmetrics

    seen = motmetrics.MOTAccumulator()
    for number, (left, right, shared) in enumerate(frames):
        apart = np.where(shared >= OVERLAP, 1 - shared, np.nan)
        seen.update(truth.track[left], found.track[right], apart, frameid=number)
    names = ("idf1", "idp", "idr", "idtp", "idfp", "idfn")
    values = motmetrics.metrics.create().compute(seen, metrics=list(names), return_dataframe=False)
    return {name: float(np.nan_to_num(values[name])) for name in names}  # nothing found: 0, not 0 / 0


def _hota(truth: Boxes, found: Boxes, frames: list[Frame]) -> dict[str, float]:
    from trackeval.metrics import HOTA

    (true_ids, true_of), (ids, of) = (np.unique(one.track, return_inverse=True) for one in (truth, found))
    data = {
        "num_gt_dets": len(truth),
        "num_tracker_dets": len(found),
        "num_gt_ids": len(true_ids),
        "num_tracker_ids": len(ids),
        "gt_ids": [true_of[left] for left, _, _ in frames],
        "tracker_ids": [of[right] for _, right, _ in frames],
        "similarity_scores": [shared for _, _, shared in frames],
    }
    values = HOTA().eval_sequence(data)
    return {name.lower(): float(np.mean(values[name])) for name in ("HOTA", "DetA", "AssA")}
