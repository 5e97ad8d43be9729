"""What joins of lists gain that learn what a place is worth, on real sets, against those that learn nothing.

    python -m bench.trained DIR [--sets NAME ...] [--top 100]

DIR holds the real sets (``bench/wholes.py``). The people of a set are cut in two; one half is labelled, the other
is asked, then the other way round, each half cut into queries and gallery as in ``bench/orders.py``. Lists are the
first 100 by the cosine of every model; of a set with one model by the cosine and ``rerank`` of all its values and
by the cosine of either half of them. "weak" adds two lists from 8 values of a model. A line a join: mAP in per
cent, then the change against reciprocal rank fusion (k = 60) and against CombSUM (min-max), each with the paired
bootstrap's interval of 95 per cent. What no list names was not found. ``cameras``: the labelled lists are those
that scores see, without images of the query's identity and camera; else they have these as hits.
"""

import argparse
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np

import postproc
from bench.gains import gain
from bench.orders import cut
from bench.wholes import Whole, real
from ensemble import fusion
from ensemble.scores import score

TRAINED = ("pos_fuse", "slide_fuse", "prob_fuse", "seg_fuse", "bayes_fuse")
Lists = list[np.ndarray]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder", type=Path, metavar="DIR")
    parser.add_argument("--sets", nargs="*", metavar="NAME")
    parser.add_argument("--top", type=int, default=100)
    options = parser.parse_args()
    for whole in real(options.folder):
        if whole.models and (not options.sets or whole.name in options.sets):
            for weak in (False, True):
                for line in lines(whole, options.top, weak=weak):
                    print(line, flush=True)


def lines(whole: Whole, top: int, *, weak: bool) -> Iterator[str]:
    """What every join reaches and gains on a set."""
    people = np.random.default_rng(0).permutation(np.unique(whole.pid))
    first = np.isin(whole.pid, people[: len(people) // 2])
    halves = [Half(whole.of(np.flatnonzero(rows)), top, weak=weak) for rows in (first, ~first)]
    reached = {
        name: np.concatenate([asked.precisions(join(learned)(asked.lists)) for asked, learned in _turns(halves)])
        for name, join in _joins(whole.has_cameras).items()
    }
    alone = np.array([[np.nanmean(half.precisions(each)) for each in half.lists] for half in halves]).mean(axis=0)
    title = f"{whole.name}{' weak' if weak else ''}"
    yield f"{title:<16} lists alone {' '.join(f'{ap:.2f}' for ap in alone)}"
    for name, found in reached.items():
        changes = "  ".join(gain(found, reached[of]) for of in ("rrf", "comb_sum") if of != name)
        yield f"{title:<16} {name:<22} {np.nanmean(found):6.2f} {changes}"


class Half:
    """Some people: their lists, one matrix a model, NaN behind the first ``top``, and the labels."""

    def __init__(self, half: Whole, top: int, *, weak: bool) -> None:
        self.query, self.gallery = cut(half)
        self.labels = [of[rows] for of in (half.pid, half.cam) for rows in (self.query, self.gallery)]
        whole = [
            postproc.distances(x[self.query], x[self.gallery], metric="cosine") for x in _views(half, weak=weak)
        ]
        if len(half.models) == 1:
            (x,) = half.models.values()
            whole.append(postproc.rerank(x[self.query], x[self.gallery]))
        self.lists = [np.where(fusion.places(far) < top, far, np.float32(np.nan)) for far in whole]
        self.rankings = [postproc.rank(far, top_k=top) for far in whole]

    def precisions(self, far: np.ndarray) -> np.ndarray:
        """Precision of every query; what no list names was not found."""
        unknown = np.isnan(self.lists).all(axis=0) | np.isnan(far)
        return 100 * np.asarray(score(np.where(unknown, np.float32(np.inf), far), *self.labels).ap)

    def hits(self, *, cameras: bool) -> Lists:
        """The hit lists of every model."""
        return [fusion.hit_lists(rows, *self.labels[: 4 if cameras else 2]) for rows in self.rankings]

    def map(self) -> list[float]:
        """mAP of every model."""
        return [float(np.nanmean(self.precisions(each))) for each in self.lists]


def _views(half: Whole, *, weak: bool) -> Lists:
    found = list(half.models.values())
    if len(found) == 1:
        middle = found[0].shape[1] // 2
        found += [found[0][:, :middle], found[0][:, middle:]]
    return found + [found[at][:, :8] for at in (0, -1) if weak]


def _turns(halves: list[Half]) -> list[tuple[Half, Half]]:
    return [(halves[0], halves[1]), (halves[1], halves[0])]


def _joins(cameras: bool) -> dict[str, Callable[[Half], Callable[[Lists], np.ndarray]]]:
    """Every join by name: from a labelled half to what joins the lists of another."""
    found: dict[str, Callable[[Half], Callable[[Lists], np.ndarray]]] = {
        "rrf": lambda half: fusion.reciprocal_rank_fusion,
        "comb_sum": lambda half: partial(fusion.comb_mnz, exponent=0),
        "rrf by mAP": lambda half: partial(fusion.reciprocal_rank_fusion, weights=half.map()),
        "MAPFuse": lambda half: partial(fusion.reciprocal_rank_fusion, k=0, weights=half.map()),
    }
    for with_cameras in (True, False) if cameras else (False,):
        for name in TRAINED:
            title = f"{name}{' cameras' if with_cameras else ''}"
            found[title] = partial(_learned, name, with_cameras)
    return found


def _learned(name: str, cameras: bool, half: Half) -> Callable[[Lists], np.ndarray]:
    return partial(fusion.AFTER[name], train_hit_lists=half.hits(cameras=cameras))


if __name__ == "__main__":
    main()
