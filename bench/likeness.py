"""How like real sets drawn cities are: spectra, neighbours, identities and cameras, without a method's result.

    python -m bench.likeness DIR [--kinds KIND ...] [--seeds N ...]
    python -m bench.likeness DIR --fit N         better numbers for the kind ``station``, of N draws

Every set is one: queries and gallery together. A line a set for one network (the mean of what its networks have)
and for all of them side by side. DIR holds the real sets. The columns:

    images id        how many of both
    each  top  max   images of an identity: the median, the ninth decile, the most
    alone            per cent of the images that are nobody's, or their identity's only one
    v1 v4 v16 v64    per cent of the variance along the first so many directions
    dim              effective dimension, (sum of variances)^2 / sum of squared variances
    skew             of how many lists of ten neighbours an image is in
    none  most       per cent of the images that are in no list; lists that an image is in at most, over ten
    mutual           per cent of the entries of these lists that are mutual
    near  far        distance to the nearest image of the identity by another camera, over the distance to the
                     nearest other identity: median and ninth decile
    camera           among the ten nearest of other identities: log of the odds of the same camera, less chance's
    agree            per cent of their lists that two networks have in common
    mAP              of the cosine, every image against all others, its identity's of its camera left out
    apart            how far a drawn set is from the real ones of persons, in their deviations from each other,
                     over the columns from v1 to agree
"""

import argparse
from collections.abc import Iterator
from dataclasses import astuple, dataclass, fields, replace
from itertools import combinations
from pathlib import Path

import numpy as np

from bench.wholes import PERSONS, Whole, drawn, real
from ensemble.city import KINDS, city, images, people
from ensemble.scores import score

K = 10
DIRECTIONS = (1, 4, 16, 64)
FITTED = "station"
FIT_BY = ("v1", "v4", "v16", "v64", "dim", "skew", "none", "most", "mutual", "near", "far", "camera", "agree")
LEAST = {
    "none": 1.0,
    "agree": 5.0,
}  # a deviation is this or a twentieth of the mean at least: real sets may be alike
FAR = 5.0
FIRST = 1000  # seed of the first draw of a fit; tables use others
RANGES = {  # what a number of the fitted kind may be
    "view_of_all": (0.0, 0.4), "view_of_one": (0.0, 0.6), "shift": (0.0, 0.4),
    "passage_error": (0.2, 1.2), "image_error": (0.1, 0.9), "uneven": (0.0, 1.0), "common": (0.0, 1.0),
    "contrast": (0.0, 0.5), "own": (0.2, 1.2),
}  # fmt: skip


@dataclass(frozen=True)
class Likeness:
    """What a set looks like; the docstring of the module says what each is."""

    images: float
    id: float
    each: float
    top: float
    max: float
    alone: float
    v1: float
    v4: float
    v16: float
    v64: float
    dim: float
    skew: float
    none: float
    most: float
    mutual: float
    near: float
    far: float
    camera: float
    agree: float
    mAP: float


def of_set(whole: Whole) -> dict[str, Likeness]:
    """The set as one network has it, the mean over all, and as all side by side have it."""
    counts = _identities(whole.pid)
    nothing = dict.fromkeys([field.name for field in fields(Likeness)][len(counts) :], np.nan)
    if not whole.models:
        return {"labels": Likeness(**counts, **nothing)}
    lists, alone = [], []
    for x in whole.models.values():
        found, near = _features(x, whole)
        lists.append(near)
        alone.append(found)
    agree = [100 * (a & b).sum() / a.sum() for a, b in combinations(lists, 2)]
    agreed = float(np.mean(agree)) if agree else np.nan
    mean = {name: float(np.mean([found[name] for found in alone])) for name in alone[0]}
    one = {"one": Likeness(**counts, **mean, agree=agreed)}
    if len(alone) == 1:
        return one
    return one | {"all": Likeness(**counts, **_features(whole.joined(), whole)[0], agree=np.nan)}


def _identities(pid: np.ndarray) -> dict[str, float]:
    _, each = np.unique(pid[pid > 0], return_counts=True)
    return {
        "images": len(pid), "id": len(each), "each": float(np.median(each)), "top": float(np.percentile(each, 90)),
        "max": float(each.max()), "alone": 100 * float((pid < 1).sum() + (each == 1).sum()) / len(pid),
    }  # fmt: skip


def _features(x: np.ndarray, whole: Whole) -> tuple[dict[str, float], np.ndarray]:
    """What features of unit length say, and which images (n, n) are in whose list."""
    pid, cam = whole.pid, whole.cam
    variance = np.linalg.eigvalsh(np.cov(x.T.astype(np.float64)))[::-1]
    share = 100 * np.cumsum(variance) / variance.sum()
    far = 2 - 2 * x @ x.T
    np.fill_diagonal(far, np.inf)
    near = _lists(far)
    often = near.sum(axis=0)
    same = (pid[:, None] == pid) & (pid > 0)
    np.fill_diagonal(same, True)
    elsewhere = cam[:, None] != cam
    others = np.where(same, np.inf, far)
    mate = np.where(same & elsewhere, far, np.inf).min(axis=1)
    asked = np.isfinite(mate)
    ratio = np.sqrt(np.maximum(mate[asked], 0) / np.maximum(others.min(axis=1)[asked], 1e-12))
    strangers = _lists(others)
    found = {
        **{f"v{k}": float(share[min(k, len(share)) - 1]) for k in DIRECTIONS},
        "dim": float(variance.sum() ** 2 / np.square(variance).sum()),
        "skew": float(((often - often.mean()) ** 3).mean() / often.std() ** 3),
        "none": 100 * float((often == 0).mean()),
        "most": float(often.max() / K),
        "mutual": 100 * float((near & near.T).sum() / near.sum()),
        "near": float(np.median(ratio)),
        "far": float(np.percentile(ratio, 90)),
        "camera": _log_odds(~elsewhere, strangers) - _log_odds(~elsewhere, ~same),
        "mAP": 100 * float(score(far, pid, pid, cam, cam).mAP or np.nan),
    }
    return found, near


def _lists(far: np.ndarray) -> np.ndarray:
    """(n, n) whether a column is among the ``K`` nearest of a row."""
    near = np.zeros(far.shape, bool)
    np.put_along_axis(near, np.argpartition(far, K, axis=1)[:, :K], True, axis=1)
    return near


def _log_odds(event: np.ndarray, among: np.ndarray) -> float:
    """NaN where nothing or everything is such an event."""
    share = (event & among).sum() / among.sum()
    return float(np.log(share / (1 - share))) if 0 < share < 1 else np.nan


def fit(goals: list[dict[str, Likeness]], draws: int) -> Iterator[tuple[float, images.Strength]]:
    """Numbers of the fitted kind that come ever nearer to real sets, and how far they are; the present ones first.

    A draw changes half of the numbers of the best so far.
    """
    random = np.random.default_rng(0)
    kind = people.KINDS[FITTED]
    low, high = np.array(list(RANGES.values())).T
    best, nearest = np.array([getattr(kind.strength, name) for name in RANGES]), np.inf
    for draw in range(draws):
        changed = (random.random(len(low)) < 0.5) & (draw > 0)
        tried = np.clip(best + changed * random.normal(0, 0.15, len(low)) * (high - low), low, high).round(2)
        strength = replace(kind.strength, **dict(zip(RANGES, tried.tolist(), strict=True)))
        scale, seed = kind.sizes["small"], FIRST + draw
        made = people.people(replace(kind, strength=strength), scale, seed, kind.unknown, kind.wrong)
        gap = distance(of_set(drawn(made, FITTED)), goals)
        if gap < nearest:
            best, nearest = tried, gap
            yield gap, strength


def distance(found: dict[str, Likeness], goals: list[dict[str, Likeness]]) -> float:
    """How far a set is from real ones: root mean square of the differences to their mean, in their deviations.

    Over ``FIT_BY``, for one network and for all; no difference counts for more than ``FAR`` deviations.
    """
    gaps = []
    for which, is_like in found.items():
        for name in FIT_BY:
            wanted = np.array([getattr(goal[which], name) for goal in goals])
            unit = max(wanted.std(), LEAST.get(name, 0.05 * abs(wanted.mean())))
            gaps.append((getattr(is_like, name) - wanted.mean()) / unit)
    return float(np.sqrt(np.nanmean(np.square(np.clip(gaps, -FAR, FAR)))))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder", type=Path, metavar="DIR")
    parser.add_argument("--kinds", nargs="*", default=list(KINDS), choices=list(KINDS), metavar="KIND")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0])
    parser.add_argument("--fit", type=int, metavar="N", help=f"look for better numbers of {FITTED} instead")
    options = parser.parse_args()
    if options.fit:
        goals = [of_set(whole) for whole in real(options.folder) if whole.name in PERSONS]
        for gap, strength in fit(goals, options.fit):
            print(f"{gap:5.2f} {strength}", flush=True)
        return
    print(f"{'':<22}" + "".join(f"{field.name:>7}" for field in fields(Likeness)) + f"{'apart':>7}")
    persons = []
    for whole in real(options.folder):
        found = of_set(whole)
        persons += [found] if whole.name in PERSONS else []
        show(whole.name, found)
    for kind in options.kinds:
        for seed in options.seeds:
            name = f"{kind}, {seed}" if len(options.seeds) > 1 else kind
            found = of_set(drawn(city("small", seed, kind=kind), name))
            show(f"drawn {name}", found, distance(found, persons))


def show(name: str, found: dict[str, Likeness], apart: float = np.nan) -> None:
    for which, is_like in found.items():
        cells = "".join(_cell(value) for value in (*astuple(is_like), apart))
        print(f"{f'{name}, {which}':<22}{cells}", flush=True)


def _cell(value: float) -> str:
    if np.isnan(value):
        return f"{'':>7}"
    return f"{value:7.0f}" if abs(value) >= 1000 else f"{value:7.2f}" if abs(value) < 10 else f"{value:7.1f}"


if __name__ == "__main__":
    main()
