"""How well a list tells, without labels, that its first place is wrong: area under the ROC curve, .5 is chance.

    python -m bench.uncertainty DIR [--sets NAME ...]

DIR holds the real sets (``bench/wholes.py``), cut as in ``bench/orders.py``, models side by side; ``city`` is a
drawn one. Of every set the plain cosine and ``rerank_multiscale`` of it, re-ranked. Images of a query's own
identity and camera are left out, as scores do.

First against the mean: ``ensemble.scores.uncertainty``, what the report shows. Entropy: of softmax(-20 v /
(v_20 - v_1)) over the first twenty. Models: one less the share of models that have the same first image.
Components: ``list_uncertainty`` of the features, depth 20 and k 3, which does not know about re-ranking.
"""

import argparse
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from sklearn.metrics import roc_auc_score

import postproc
from bench.orders import Cut, cut
from bench.wholes import Whole, drawn, real
from ensemble.city import city
from ensemble.scores.uncertainty import PLACES, uncertainty

STEEP = 20.0  # of the softmax
DEPTH, LINKS = 20, 3
CITY = "city"
MEASURES: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "first against the mean of the next 19": uncertainty,
    "distance to the first": lambda far: far[:, 0],
    "entropy of the first 20": lambda far: entropy(far),
    "first against the second": lambda far: far[:, 0] / np.maximum(far[:, 1], 1e-12),
}
MODELS, COMPONENTS = "share of models with the same first", "entropy of components"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder", type=Path, metavar="DIR")
    parser.add_argument("--sets", nargs="*", metavar="NAME")
    options = parser.parse_args()
    found = [one for whole, rows in sets(options.folder, options.sets) for one in measured(whole, rows)]
    show(found)


def sets(folder: Path, wanted: list[str] | None) -> Iterator[tuple[Whole, Cut]]:
    """Real ones, and a city."""
    for whole in real(folder):
        if whole.models and whole.name in (wanted or [whole.name]):
            yield whole, cut(whole)
    if CITY in (wanted or [CITY]):
        made = city("small")
        rows = np.arange(len(made.query) + len(made.gallery))
        yield drawn(made, CITY), (rows[: len(made.query)], rows[len(made.query) :])


def measured(whole: Whole, rows: Cut) -> Iterator[tuple[str, float, dict[str, float]]]:
    """Title, share of wrong first places and areas, of plain and of re-ranked lists."""
    query, gallery = rows
    joined = whole.joined()
    features = joined[query], joined[gallery]
    alone = (postproc.distances(x[query], x[gallery]) for x in whole.models.values())
    firsts = [lists(whole, rows, far)[1][:, 0] for far in alone]
    groups = postproc.list_uncertainty(*features, depth=DEPTH, k=LINKS)
    for title, far in (
        ("plain", postproc.distances(*features)),
        ("re-ranked", postproc.rerank_multiscale(*features)),
    ):
        values, order = lists(whole, rows, far)
        asked = np.isin(whole.pid[query], whole.pid[gallery])
        wrong = whole.pid[gallery][order[:, 0]] != whole.pid[query]
        said = {name: measure(values) for name, measure in MEASURES.items()} | {COMPONENTS: groups}
        if len(firsts) > 1:
            said[MODELS] = 1 - np.mean([first == order[:, 0] for first in firsts], axis=0)
        areas = {name: area(wrong[asked], value[asked]) for name, value in said.items()}
        yield f"{whole.name} {title}", float(wrong[asked].mean()), areas


def lists(whole: Whole, rows: Cut, far: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The first twenty of every query, nearest first: distances and gallery rows."""
    query, gallery = rows
    own = (whole.pid[query][:, None] == whole.pid[gallery]) & (whole.cam[query][:, None] == whole.cam[gallery])
    order = postproc.rank(np.where(own, np.inf, far).astype(np.float32), top_k=PLACES)
    return np.take_along_axis(far, np.maximum(order, 0).astype(np.int64), axis=1), order


def entropy(far: np.ndarray) -> np.ndarray:
    """Of the shares of the first places by their distances."""
    spread = np.maximum(far[:, -1:] - far[:, :1], 1e-12)
    share = np.exp(-STEEP * (far - far[:, :1]) / spread)
    share /= share.sum(axis=1, keepdims=True)
    return -(share * np.log(np.maximum(share, 1e-300))).sum(axis=1)


def area(wrong: np.ndarray, value: np.ndarray) -> float:
    """Under the ROC curve; NaN where all first places are right, or all wrong."""
    told = ~np.isnan(value)
    if len(np.unique(wrong[told])) < 2:
        return float("nan")
    return float(roc_auc_score(wrong[told], value[told]))


def show(found: list[tuple[str, float, dict[str, float]]]) -> None:
    titles = [*MEASURES, MODELS, COMPONENTS]
    print(f"{'':<22}{'wrong':>7}" + "".join(f"{at + 1:>7}" for at in range(len(titles))))
    for title, wrong, areas in found:
        print(f"{title:<22}{wrong:7.2f}" + "".join(f"{areas.get(name, np.nan):7.2f}" for name in titles))
    means = [np.nanmean([areas.get(name, np.nan) for *_, areas in found]) for name in titles]
    print(f"{'mean':<22}{'':>7}" + "".join(f"{mean:7.3f}" for mean in means))
    for at, name in enumerate(titles):
        print(f"{at + 1}: {name}")


if __name__ == "__main__":
    main()
