"""Features as a cloud of points in three components, coloured by what the images are.

Source: FGReID's ``plot_tsne.py``, which draws the principal components of the centres of classes.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from ensemble.base.errors import InputError
from ensemble.base.features import SIDES, FeatureSet

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Method = Literal["pca", "tsne"]
FEWEST = 5  # points of which three components say something
MARKERS = "os^DvP*X"


@dataclass(frozen=True, eq=False)
class Cloud:
    """Points (n, 3), what each is called and which group it is of; ``axes`` say what the components are."""

    points: np.ndarray
    names: list[str]
    groups: list[str]
    axes: tuple[str, str, str]


def cloud(
    features: FeatureSet,
    sides: Sequence[str],
    by: str,
    *,
    method: Method = "pca",
    most_groups: int = 10,
    most: int = 2000,
    centres: bool = False,
    seed: int = 0,
) -> Cloud:
    """The images of the largest groups as points.

    by:          a column of labels: pid, cam, track, scene. Images of which it is unknown are left out.
    most_groups: those with most images, equally large ones in the order of their labels.
    most:        images at most, spread evenly over those that there are.
    centres:     one point a group, its mean, in the place of its images.
    seed:        of t-SNE, whose result is the same for the same one.
    Raises:      InputError where nobody says which group an image is of, or there are too few points.
    """
    rows, names, labels = _images(features, sides, by)
    known, counts = np.unique(labels, return_counts=True)
    largest = known[np.argsort(-counts, kind="stable")[:most_groups]]
    chosen = np.flatnonzero(np.isin(labels, largest))
    if len(chosen) > most and not centres:
        chosen = chosen[np.linspace(0, len(chosen) - 1, most).astype(int)]
    rows, names, labels = rows[chosen], [names[row] for row in chosen], labels[chosen]
    if centres:
        rows = np.stack([rows[labels == group].mean(axis=0) for group in largest])
        names, labels = [f"{by} {group}" for group in largest], largest
    if len(rows) < FEWEST or rows.shape[1] < 3:
        what = "centres" if centres else "images"
        raise InputError(
            [
                f"{features.model}: wanted {FEWEST} {what} or more of 3 values or more whose {by} is known, found "
                f"{len(rows)} of {rows.shape[1]}; name other --sides, or --groups"
            ]
        )
    points, axes = _reduced(rows, method, seed)
    return Cloud(points, names, [str(label) for label in labels], axes)


def _images(features: FeatureSet, sides: Sequence[str], by: str) -> tuple[np.ndarray, list[str], np.ndarray]:
    """Rows, names and labels of the images of which the label is known."""
    data, rows, names, numbers = features.data(), [], [], []
    called: dict[int, object] = {}
    for side in (side for side in SIDES if side in sides):
        if side not in data or f"{side}_{by}" not in data:
            lacks = "no such images" if side not in data else f"no {by} of the {side} images"
            raise InputError(
                [f"{features.model}: wanted {side} images with {by}, found {lacks}; see --sides, --by"]
            )
        known = np.flatnonzero((data[f"{side}_{by}"] >= 0) & features.known(side))
        table = getattr(features, f"{side}_table").iloc[known]
        rows.append(data[side][known])
        names += [str(name) for name in table["name"]]
        of = data[f"{side}_{by}"][known].tolist()
        called = {**dict(zip(of, table[by].tolist(), strict=True)), **called}  # 007 and 7 are one
        numbers += of
    return np.concatenate(rows), names, np.array([called[number] for number in numbers])  # text where some are


def _reduced(rows: np.ndarray, method: Method, seed: int) -> tuple[np.ndarray, tuple[str, str, str]]:
    if method == "pca":
        from sklearn.decomposition import PCA

        found = PCA(3, svd_solver="full").fit(rows.astype(np.float64))
        first, second, third = (f"component {n + 1} ({found.explained_variance_ratio_[n]:.0%})" for n in range(3))
        return found.transform(rows.astype(np.float64)), (first, second, third)
    from sklearn.manifold import TSNE

    perplexity = min(30.0, (len(rows) - 1) / 3)
    made = TSNE(3, init="pca", random_state=seed, perplexity=perplexity, n_jobs=1)
    return made.fit_transform(rows.astype(np.float32)), ("t-SNE 1", "t-SNE 2", "t-SNE 3")


def draw(found: Cloud, title: str) -> "Figure":
    """The points, a colour and a mark a group."""
    from matplotlib import colormaps
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.4, 4.8), layout="constrained")
    axes = figure.add_subplot(projection="3d")
    groups = np.array(found.groups)
    for number, group in enumerate(dict.fromkeys(found.groups)):
        x, y, z = found.points[groups == group].T
        look = {"color": colormaps["tab10"](number % 10), "marker": MARKERS[number // 10 % len(MARKERS)]}
        axes.scatter(x, y, z, label=group, s=14, depthshade=False, **look)
    axes.set(xlabel=found.axes[0], ylabel=found.axes[1], zlabel=found.axes[2], title=title)
    axes.legend(loc="center left", bbox_to_anchor=(1.12, 0.5), ncols=1 + len(set(found.groups)) // 21)
    return figure
