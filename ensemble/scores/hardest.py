"""How far the hardest pairs of an image are in batches of training: for choosing a threshold by eye.

Source: Qidian213/Ranked_Person_ReID ``tools/compute_threshold.py``; batches as in reid-strong-baseline's
``RandomIdentitySampler``.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

import postproc
from ensemble.base.features import FeatureSet
from ensemble.base.kinds import Array, Ints
from postproc.base import arrays, blas, checks

IDENTITIES, IMAGES = 16, 4  # of a batch, as reid-strong-baseline trains
LEVELS = (0.05, 0.25, 0.5, 0.75, 0.95)  # quantiles that are told
UNIT = "Euclidean distance of unit vectors, half of whose square is the cosine distance"


@dataclass(frozen=True, eq=False)
class Hardest:
    """(batches, images) each: rows of the images, the distance to their hardest positive and hardest negative."""

    rows: Ints
    positive: NDArray[np.float32]
    negative: NDArray[np.float32]


@dataclass(frozen=True)
class Crossing:
    """The threshold with the fewest errors.

    ``beyond`` is the share of hardest positives above it, ``within`` that of hardest negatives at it or below.
    """

    threshold: float
    beyond: float
    within: float


def batches(
    pid: ArrayLike, *, identities: int = IDENTITIES, images: int = IMAGES, seed: int = 0, most: int | None = None
) -> Ints:
    """Deal labelled images out to batches, as they are drawn in training.

    The images of each identity are mixed and cut into groups of ``images``; what is left over is left out, and an
    identity with fewer images gives one group of all of them, some twice. As long as there are so many identities
    with a group left, a batch takes one group of each of ``identities`` drawn ones.

    Takes:   pid (n,) int, -1 for nobody that is known, who is left out.
    Returns: (batches, identities * images) int64 rows; at most ``most`` batches.
    Raises:  ValueError for fewer identities than a batch has, or a setting out of range.
    Differs: the original takes identities with one image too, and may draw one image of an identity four times:
             both have nothing to be compared with, and look near.

    >>> batches([7, 7, 8, 8, 8, 9], identities=2, images=2).shape  # 9 is alone
    (1, 4)
    """
    labels = np.asarray(pid, np.int64)
    checks.whole("identities", identities, 2)
    checks.whole("images", images, 2)
    people, counts = np.unique(labels[labels >= 0], return_counts=True)
    people = people[counts > 1]
    if len(people) < identities:
        raise ValueError(f"identities: wanted at most the {len(people)} with two images or more, got {identities}")
    random = np.random.Generator(np.random.PCG64(seed))
    groups: list[list[Ints]] = []
    for person in people:
        rows = np.flatnonzero(labels == person)
        if len(rows) < images:
            rows = np.concatenate([rows, random.choice(rows, images - len(rows))])
        mixed = random.permutation(rows)
        groups.append([mixed[at : at + images] for at in range(0, len(mixed) - images + 1, images)])
    left = list(range(len(groups)))
    found: list[Ints] = []
    while len(left) >= identities and (most is None or len(found) < most):
        drawn = random.choice(left, identities, replace=False)
        found.append(np.concatenate([groups[person].pop(0) for person in drawn]))
        left = [person for person in left if groups[person]]
    return np.stack(found)


def hardest(features: ArrayLike, pid: ArrayLike, rows: Ints) -> Hardest:
    """Measure every image of every batch against its batch.

    ``positive_i = max |u_i - u_j|`` over the images of its identity, itself with them; ``negative_i`` the minimum
    over all others; u are features divided by their length.

    Takes:   features (n, d) float32, pid (n,) int, rows (batches, images) as :func:`batches` gives them.
    Returns: :class:`Hardest`.
    Cost:    d multiply-adds a pair of a batch; memory: one batch in float64.
    Differs: the original lifts squared distances below 1e-12 to that, so that copies are 1e-6 apart; here 0.

    >>> x = np.array([[1, 0], [0.8, 0.6], [0, 1], [-0.6, 0.8]], np.float32)
    >>> found = hardest(x, [1, 1, 2, 2], np.array([[0, 1, 2, 3]]))
    >>> found.positive.round(3), found.negative.round(3)
    (array([[0.632, 0.632, 0.632, 0.632]], dtype=float32), array([[1.414, 0.894, 0.894, 1.414]], dtype=float32))
    """
    array, labels = np.asarray(features, np.float32), np.asarray(pid, np.int64)
    positive, negative = (np.empty(rows.shape, np.float32) for _ in range(2))
    with blas.one_thread():
        for at, batch in enumerate(rows):
            unit = postproc.l2_normalize(array[batch]).astype(np.float64)
            product = unit @ unit.T
            length = np.diag(product)
            far = np.sqrt(np.maximum(length[:, None] + length - 2 * product, 0))
            same = labels[batch][:, None] == labels[batch]
            positive[at] = np.where(same, far, 0).max(axis=1)
            negative[at] = np.where(same, np.inf, far).min(axis=1)
    return Hardest(rows, positive, negative)


def crossing(found: Hardest) -> Crossing | None:
    """The distance up to which images may count as the same with the fewest errors among hardest pairs.

    It is the smallest hardest positive t with the least ``share(positive > t) + share(negative <= t)``; None where
    that is 1 or more, as if all or none were accepted.

    >>> far = Hardest(np.zeros((1, 3), int), np.float32([[0.2, 0.4, 0.9]]), np.float32([[0.5, 0.8, 1.1]]))
    >>> crossing(far)
    Crossing(threshold=0.4000000059604645, beyond=0.3333333333333333, within=0.0)
    """
    positive, negative = np.sort(found.positive, axis=None), np.sort(found.negative, axis=None)
    beyond = (positive.size - np.searchsorted(positive, positive, side="right")) / positive.size
    within = np.searchsorted(negative, positive, side="right") / negative.size
    at = int(np.argmin(beyond + within))
    if beyond[at] + within[at] >= 1:
        return None
    return Crossing(float(positive[at]), float(beyond[at]), float(within[at]))


EDGES = np.linspace(0, 2, 81)  # of the bins of histograms


def histograms(values: NDArray[np.float32]) -> Ints:
    """(batches, 80): how many of each batch's distances lie between each two of :data:`EDGES`.

    >>> np.flatnonzero(histograms(np.float32([[0.01, 0.02, 2.0]])))
    array([ 0, 79])
    """
    return np.stack([np.histogram(np.minimum(batch, EDGES[-1]), EDGES)[0] for batch in values])


@dataclass(frozen=True, eq=False)
class Found:
    """The hardest pairs of some models on the same images: ``names`` by row, ``what`` the images are."""

    models: dict[str, Hardest]
    pid: Ints
    names: list[str]
    what: str
    identities: int
    images: int


def of_models(
    sets: Mapping[str, FeatureSet], *, identities: int, images: int, seed: int, most: int | None = None
) -> Found | None:
    """The hardest pairs in ``train`` where it has labels, else in query and gallery together; None without labels.

    All models see the same batches. Images that one of them does not know are left out. Side models are not asked.
    """
    asked = {name: found for name, found in sets.items() if not found.auxiliary}
    parts = {name: labelled(found.data(), one_set=found.one_set) for name, found in asked.items()}
    ready = {name: part for name, part in parts.items() if part is not None}
    if not ready or len(ready) < len(parts):
        return None
    name, first = next(iter(ready.items()))
    known = np.all([np.isfinite(part.rows).all(axis=1) for part in ready.values()], axis=0)
    pid = np.where(known, first.pid, -1)
    dealt = batches(pid, identities=identities, images=images, seed=seed, most=most)
    models = {model: hardest(part.rows, pid, dealt) for model, part in ready.items()}
    names = [image for side in first.sides for image in getattr(asked[name], f"{side}_table")["name"]]
    return Found(models, pid, names, first.what, identities, images)


class Labelled(NamedTuple):
    """Features and identities of some sides, one after the other."""

    rows: NDArray[np.float32]
    pid: Ints
    sides: tuple[str, ...]

    @property
    def what(self) -> str:
        """The sides in words."""
        return " and ".join(self.sides)


def labelled(data: Mapping[str, Array], *, one_set: bool = False) -> Labelled | None:
    """``train`` where it has labels, else query and gallery; None where neither has any.

    Takes: features and columns by their names in the vocabulary; ``one_set``: the gallery is all there is.
    """
    for sides in (("train",), ("gallery",) if one_set else ("query", "gallery")):
        if all(side in data and f"{side}_pid" in data for side in sides):
            rows = np.concatenate([arrays.host(data[side]) for side in sides])
            return Labelled(rows, np.concatenate([data[f"{side}_pid"] for side in sides]), sides)
    return None
