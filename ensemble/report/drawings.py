"""How each figure of a report is drawn, by matplotlib."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ensemble.report.history import History, Step
from ensemble.report.tally import LEVELS
from ensemble.scores.hardest import EDGES

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INK, FAINT = "#32363e", "#d9dce1"
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7")
MANY = (*COLOURS, "#9467d6", "#998a1f")  # of groups; all can be told apart on light and on dark
OTHERS = "#8f96a1"
GROUPS = (("pid", "by identity"), ("cam", "by camera"))
DASHES = ("-", "--", "-.", ":")
WIDE, HIGH = 5.0, 3.2  # inches
HEAD = 1.3  # of the height of histograms, with room for a legend

Named = Sequence[tuple[str, Step]]


def panel(width: float = WIDE, height: float = HIGH) -> tuple["Figure", "Axes"]:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    return figure, figure.subplots()


def looks(number: int) -> dict[str, Any]:
    return {"color": COLOURS[number % len(COLOURS)], "linestyle": DASHES[number % len(DASHES)]}


def cmc(lines: Named) -> "Figure":
    """Matches by place."""
    figure, axes = panel()
    for number, (label, step) in enumerate(lines):
        assert step.scores
        values = np.asarray(step.scores["cmc"][:50])
        axes.plot(np.arange(1, len(values) + 1), values, label=label, **looks(number))
    axes.set(xlabel="place", ylabel="share of queries", ylim=(None, 1.005))
    axes.margins(x=0.01)
    axes.legend(loc="lower right")
    return figure


def precision(lines: Named) -> "Figure":
    """Precision by recall."""
    figure, axes = panel()
    for number, (label, step) in enumerate(lines):
        axes.plot(LEVELS, step.curves["precision"], label=label, **looks(number))
    axes.set(xlabel="recall", ylabel="precision", xlim=(0, 1), ylim=(0, 1.005))
    axes.legend(loc="best")
    return figure


def histogram(lines: Named) -> "Figure":
    """How many queries have which average precision."""
    figure, axes = panel()
    for number, (label, step) in enumerate(lines):
        assert step.ap is not None
        values = step.ap[~np.isnan(step.ap)]
        look = looks(number)
        axes.hist(values, bins=20, range=(0, 1), histtype="stepfilled", alpha=0.18, color=look["color"])
        axes.hist(values, bins=20, range=(0, 1), histtype="step", linewidth=1.8, label=label, color=look["color"])
        axes.axvline(float(values.mean()), color=look["color"], linestyle="--", linewidth=1.2)
    axes.set(xlabel="average precision", ylabel="queries", xlim=(0, 1))
    axes.legend(loc="best")
    return figure


def distances(lines: Named) -> "Figure":
    """Wrong and right pairs by their distances, a panel a ranking."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(WIDE, 1.75 * len(lines) + 0.5), layout="constrained")
    for axes, (label, step) in zip(figure.subplots(len(lines), squeeze=False)[:, 0], lines, strict=True):
        edges = step.curves["edges"]
        for name, colour in (("wrong", COLOURS[1]), ("good", COLOURS[0])):
            counts = step.curves[name]
            shares = counts / counts.sum()
            what = "right pairs" if name == "good" else "wrong pairs"
            axes.stairs(shares, edges, fill=True, alpha=0.25, color=colour)
            axes.stairs(shares, edges, color=colour, linewidth=1.5, label=what)
        if "threshold" in step.curves:
            fmr, threshold, _, _ = step.curves["threshold"]
            look: Any = {"color": INK, "linestyle": "--", "linewidth": 1.2}
            axes.axvline(threshold, ymax=1 / HEAD, label=f"{fmr:.1%} of wrong pairs", **look)
        axes.set(title=label, yticks=[])
        _legend_above(axes)
    axes.set_xlabel("distance (each step has its own unit)" if len(lines) > 1 else "distance")
    return figure


def _legend_above(axes: "Axes") -> None:
    """The legend in one line, with room for it above what is drawn."""
    axes.set_ylim(0, HEAD * axes.get_ylim()[1])
    axes.legend(loc="upper center", ncols=3, fontsize=8, columnspacing=1.2, handlelength=1.4)


def hardest(history: History) -> "Figure":
    """Hardest positives and hardest negatives of every image by their distances, a panel a model."""
    from matplotlib.figure import Figure

    extras = history.extras
    models = extras["hardest_models"]
    figure = Figure(figsize=(WIDE, 1.75 * len(models) + 0.5), layout="constrained")
    panels = figure.subplots(len(models), squeeze=False, sharex=True)[:, 0]
    for number, (axes, model) in enumerate(zip(panels, models, strict=True)):
        for name, colour in (("negative", COLOURS[1]), ("positive", COLOURS[0])):
            counts = extras[f"hardest_{name}"][number].sum(axis=0)
            shares = counts / counts.sum()
            axes.stairs(shares, EDGES, fill=True, alpha=0.25, color=colour)
            axes.stairs(shares, EDGES, color=colour, linewidth=1.5, label=f"hardest {name}s")
        axes.set(title=short(model), yticks=[])
        _legend_above(axes)
    panels[-1].set_xlabel("Euclidean distance of unit vectors")
    return figure


def cameras(step: Step) -> "Figure":
    """A heat map: cameras of queries by cameras of the gallery."""
    cameras, values = step.curves["cameras"], step.curves["pairs"]
    figure, axes = panel(WIDE, WIDE * 0.78)
    image = axes.imshow(values, vmin=0, vmax=1, cmap="cividis")
    names = [str(camera) for camera in cameras]
    axes.set(xlabel="camera of the gallery", ylabel="camera of the query")
    axes.set_xticks(range(len(names)), names)
    axes.set_yticks(range(len(names)), names)
    axes.grid(visible=False)
    if len(names) <= 14:
        _numbers(axes, values, 0.55, 6.5)
    else:
        axes.tick_params(labelsize=6)
    figure.colorbar(image, label="mAP", shrink=0.9).outline.set_visible(False)
    return figure


def _numbers(axes: "Axes", values: np.ndarray, bright: float, size: float) -> None:
    """Values in the cells of a heat map, dark on bright ones."""
    for (row, column), value in np.ndenumerate(values):
        if not np.isnan(value):
            colour = "#111111" if value > bright else "#ffffff"
            text = f"{value:.2f}".removeprefix("0") if value < 0.995 else "1"
            axes.text(column, row, text, ha="center", va="center", fontsize=size, color=colour)


def positives(step: Step) -> "Figure":
    """Average precision by the number of right images, and its mean."""
    assert step.ap is not None
    figure, axes = panel()
    counts, ap = step.curves["positives"], step.ap
    shown = ~np.isnan(ap) & (counts > 0)
    x, y = counts[shown].astype(float), ap[shown]
    order = np.argsort(x, kind="stable")
    shown = order if len(order) <= 2000 else order[:: -(-len(order) // 2000)]
    axes.scatter(x[shown], y[shown], s=9, alpha=0.35, color=COLOURS[0], linewidths=0, rasterized=len(shown) > 800)
    groups = np.array_split(order, min(10, max(1, len(order) // 5)))
    means = [(x[group].mean(), y[group].mean()) for group in groups if len(group)]
    axes.plot(*zip(*means, strict=True), color=COLOURS[1], marker="o", markersize=4)
    if x.max() > 20 * max(x.min(), 1):
        axes.set_xscale("log")
    elif x.max() - x.min() < 2:
        axes.set_xlim(x.min() - 1, x.max() + 1)
    axes.set(xlabel="right images in the gallery", ylabel="average precision", ylim=(-0.03, 1.03))
    return figure


def searched(history: History) -> "Figure":
    """Scores of pipelines by their seconds, and the known recipes beside them."""
    figure, axes = panel()
    found = history.extras
    x, y = (np.maximum(found[f"{side}_seconds"], 1e-3) for side in ("searched", "known"))
    axes.scatter(x, found["searched_scores"], s=9, alpha=0.45, color=COLOURS[0], linewidths=0)
    axes.scatter(y, found["known_scores"], s=36, marker="x", color=COLOURS[1])
    for name, seconds, score in zip(found["known_names"], y, found["known_scores"], strict=True):
        axes.annotate(
            short(name), (seconds, score), xytext=(4, 4), textcoords="offset points", fontsize=8, color=INK
        )
    axes.set_xscale("log")
    axes.set(xlabel="seconds", ylabel=str(found["searched_for"]))
    return figure


def agreement(history: History) -> "Figure":
    """A heat map: models by models."""
    values, names = history.extras["agreement"], [short(name) for name in history.extras["models"]]
    figure, axes = panel(WIDE, min(WIDE, 1.3 + 0.42 * len(names)))
    image = axes.imshow(values, vmin=0, vmax=1, cmap="cividis", aspect="auto")
    numbers = [f"{i}" for i in range(1, len(names) + 1)]
    axes.set_xticks(range(len(names)), numbers)
    axes.set_yticks(range(len(names)), [f"{name}  {i}" for name, i in zip(names, numbers, strict=True)])
    axes.grid(visible=False)
    if len(names) <= 14:
        _numbers(axes, values, 0.55, 7.5)
    figure.colorbar(image, label="shared", shrink=0.9).outline.set_visible(False)
    return figure


def images(history: History) -> "Figure":
    """The map of the images, a panel for identities and one for cameras, as far as they are known."""
    from matplotlib.figure import Figure

    extras = history.extras
    points, sides = extras["map_points"], extras["map_sides"]
    kinds = [(title, extras[f"map_{name}"]) for name, title in GROUPS if f"map_{name}" in extras]
    kinds = kinds or [("", np.full(len(points), -1))]
    figure = Figure(figsize=(WIDE, 3.4 * len(kinds)), layout="constrained")
    for axes, (title, values) in zip(figure.subplots(len(kinds), squeeze=False)[:, 0], kinds, strict=True):
        largest = np.sort(_largest(values))
        groups = [(str(value), values == value) for value in largest]
        others = ~np.isin(values, largest)
        for number, (name, chosen) in enumerate([("others" if groups else "images", others), *groups]):
            look: Any = {"color": MANY[number - 1] if number else OTHERS, "linewidths": 0}
            for side, (marker, size) in enumerate((("^", 18), ("o", 11))):
                x, y = points[chosen & (sides == side)].T
                axes.scatter(x, y, s=size, marker=marker, alpha=0.9 if number else 0.5, **look)
            if chosen.any():
                axes.scatter([], [], s=20, label=short(name, 14), **look)
        axes.set(title=title, xticks=[], yticks=[], aspect="equal")
        axes.spines[:].set_visible(False)
        axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), handletextpad=0.2)
    return figure


def _largest(values: np.ndarray) -> np.ndarray:
    """The labels that most points have, most first; not that which says that nobody knows."""
    known, counts = np.unique(values, return_counts=True)
    there = known != ("" if known.dtype.kind == "U" else -1)
    known, counts = known[there], counts[there]
    return known[np.argsort(-counts, kind="stable")[: len(MANY)]]


def gaps(history: History) -> "Figure":
    """Shares of the spans of time, a panel for every two cameras."""
    from matplotlib.figure import Figure

    shares, frames = history.extras["prior_shares"], history.extras["prior_frames"]
    cameras, people = history.extras["prior_cameras"], history.extras["prior_people"]
    columns = min(3, len(shares))
    rows = -(-len(shares) // columns)
    figure = Figure(figsize=(WIDE, 1.05 * rows + 0.5), layout="constrained")
    grid = figure.subplots(rows, columns, squeeze=False, sharex=True)
    for number, axes in enumerate(grid.ravel()):
        if number >= len(shares):
            axes.set_visible(False)
            continue
        axes.fill_between(frames, shares[number], color=COLOURS[0], alpha=0.25, linewidth=0)
        axes.plot(frames, shares[number], color=COLOURS[0], linewidth=1.4)
        first, second = cameras[number]
        count = f"  ({people[number]})" if people[number] else ""
        axes.set_title(f"{first} → {second}{count}", fontsize=7.5)
        axes.set(yticks=[], ylim=(0, None))
        axes.tick_params(labelsize=6.5)
    figure.supxlabel("frames from one camera to the other (identities)", fontsize=8)
    return figure


def short(name: str, most: int = 28) -> str:
    """A name that fits beside an axis."""
    clean = "".join(c if c.isprintable() else "?" for c in name)
    return clean if len(clean) <= most else f"{clean[: most - 1]}…"
