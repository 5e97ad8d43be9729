"""The curves of a report, all in one style: for a page as SVG that follows its colours, for a paper as files.

Colours are those of Okabe and Ito, which people with any kind of colour vision can tell apart; lines also differ
in their dashes.
"""

import re
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from io import StringIO
from typing import TYPE_CHECKING, Any

import numpy as np

from ensemble.report.history import History, Step
from ensemble.report.tally import LEVELS

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INK, FAINT = "#32363e", "#d9dce1"
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7")
DASHES = ("-", "--", "-.", ":")
VARIABLES = {INK: "--ink", FAINT: "--line", **{colour: f"--c{i}" for i, colour in enumerate(COLOURS, 1)}}
STYLE: Any = {
    "font.size": 10,
    "font.family": "DejaVu Sans",
    "axes.edgecolor": FAINT,
    "axes.labelcolor": INK,
    "axes.titlesize": 10,
    "legend.fontsize": 9,
    "axes.titlecolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": FAINT,
    "grid.linewidth": 0.6,
    "xtick.color": FAINT,
    "ytick.color": FAINT,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "text.color": INK,
    "text.parse_math": False,  # names are names, dollars or not
    "legend.frameon": False,
    "lines.linewidth": 1.8,
    "svg.fonttype": "none",
    "svg.hashsalt": "reid-ensemble",
    "figure.facecolor": "none",
    "axes.facecolor": "none",
    "savefig.facecolor": "none",
}
WIDE, HIGH = 5.0, 3.2  # inches

Named = Sequence[tuple[str, Step]]


@dataclass(frozen=True, eq=False)
class Plot:
    """A figure: a name for files, a title, a sentence that says what it shows, and how it is drawn."""

    name: str
    title: str
    caption: str
    draw: Callable[[], "Figure"]


def style() -> AbstractContextManager[Any]:
    """Draw inside of this."""
    import matplotlib

    return matplotlib.rc_context(STYLE)


def lines_of(histories: Sequence[History]) -> list[tuple[str, Step]]:
    """The rankings that curves compare: of one run the best model, the first step, the result; of two the results.

    Those that are the same step stand once.
    """
    if len(histories) > 1:
        return [(_short(history.title), history.final) for history in histories]
    history = histories[0]
    models = [step for step in history.steps if step.kind == "model" and step.scores]
    chosen: list[tuple[str, Step | None]] = []
    if len(models) > 1:
        best = max(models, key=lambda step: step.scores["mAP"] if step.scores else 0)
        chosen.append((f"best model ({_short(best.label)})", best))
    joined = next((step for step in history.steps if step.kind != "model"), None)
    chosen.append((f"first ({_short(joined.label)})" if joined else "", joined))
    chosen.append((f"result ({_short(history.final.label)})", history.final))
    found: list[tuple[str, Step]] = []
    for label, step in chosen:
        if step is not None and all(step is not other for _, other in found):
            found.append((label, step))
    return found


def plots(histories: Sequence[History]) -> list[Plot]:
    """Every figure that there is something to draw for."""
    history = histories[-1]
    lines = [(label, step) for label, step in lines_of(histories) if step.scores]
    found = []
    cut = history.protocol.get("top_k")
    places = f"the first {cut} places" if cut else "the whole ranking"
    if lines:
        found.append(
            Plot(
                "cmc",
                "Cumulative matches (CMC)",
                "Share of the queries with a right image among the first places.",
                lambda: _cmc(lines),
            )
        )
    precise = [(label, step) for label, step in lines if "precision" in step.curves]
    if precise:
        found.append(
            Plot(
                "precision_recall",
                "Precision and recall",
                f"Mean over the queries with a match of the best precision at a recall or above it, in {places}.",
                lambda: _precision(precise),
            )
        )
        found.append(
            Plot(
                "average_precision",
                "Average precision of the queries",
                "How many queries have which AP; the mean is a dashed line.",
                lambda: _histogram(lines[-2:]),
            )
        )
    way = lines if len(histories) > 1 else [("before", history.before), ("result", history.final)]
    spread = [(f"{label} ({step.label})", step) for label, step in way if step is not None and _both(step)]
    if spread:
        found.append(
            Plot("distances", "Distances of right and wrong pairs", _about(spread), lambda: _distances(spread))
        )
    final = history.final
    if final.scores and len(final.curves.get("cameras", ())) > 1:
        found.append(
            Plot(
                "cameras",
                "mAP from camera to camera",
                "Queries of one camera searched in the images of another, uncut; empty: no query has a match.",
                lambda: _cameras(final),
            )
        )
    if final.ap is not None and "positives" in final.curves:
        found.append(
            Plot(
                "positives",
                "AP by number of right images",
                "Each dot is a query by how many right images the gallery holds for it; the line is the mean of "
                "queries with about as many.",
                lambda: _positives(final),
            )
        )
    if "agreement" in history.extras:
        found.append(
            Plot(
                "agreement",
                "Agreement of the models",
                "Share of the ten nearest images that two models have in common, averaged over queries.",
                lambda: _agreement(history),
            )
        )
    if "prior_shares" in history.extras:
        found.append(
            Plot(
                "gaps",
                "Learned gaps in time",
                "How long identities take from one camera to another, as learned from the training set: the pairs "
                "of cameras that most of them passed.",
                lambda: _gaps(history),
            )
        )
    return found


def svg(plot: Plot, number: int) -> str:
    """A plot as an element of a page: no fixed size, colours from the page, a title for who cannot see it."""
    from markupsafe import escape

    with style():
        figure = plot.draw()
        stream = StringIO()
        figure.savefig(
            stream, format="svg", metadata={"Date": None, "Creator": None, "Format": None, "Type": None}
        )
    text = stream.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    text = re.sub(r' (?:width|height)="[0-9.]+pt"', "", text, count=2)
    text = re.sub(r'(\bid="|href="#|url\(#)', rf"\g<1>p{number}-", text)  # ids are of the page, not of the figure
    for colour, variable in VARIABLES.items():
        text = re.sub(rf"(?<=[:\"\s]){colour}\b", f"var({variable})", text)
    text = text.replace("'DejaVu Sans'", "var(--font)")
    label = f'<svg role="img" aria-labelledby="p{number}-t" focusable="false" '
    opened = text.index(">", text.index("<svg")) + 1
    head = text[:opened].replace("<svg ", label, 1)
    return f'{head}<title id="p{number}-t">{escape(plot.title)}. {escape(plot.caption)}</title>{text[opened:]}'


def _axes(width: float = WIDE, height: float = HIGH) -> tuple["Figure", "Axes"]:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    return figure, figure.subplots()


def _looks(number: int) -> dict[str, Any]:
    return {"color": COLOURS[number % len(COLOURS)], "linestyle": DASHES[number % len(DASHES)]}


def _cmc(lines: Named) -> "Figure":
    figure, axes = _axes()
    for number, (label, step) in enumerate(lines):
        assert step.scores
        values = np.asarray(step.scores["cmc"][:50])
        axes.plot(np.arange(1, len(values) + 1), values, label=label, **_looks(number))
    axes.set(xlabel="place", ylabel="share of queries", ylim=(None, 1.005))
    axes.margins(x=0.01)
    axes.legend(loc="lower right")
    return figure


def _precision(lines: Named) -> "Figure":
    figure, axes = _axes()
    for number, (label, step) in enumerate(lines):
        axes.plot(LEVELS, step.curves["precision"], label=label, **_looks(number))
    axes.set(xlabel="recall", ylabel="precision", xlim=(0, 1), ylim=(0, 1.005))
    axes.legend(loc="best")
    return figure


def _histogram(lines: Named) -> "Figure":
    figure, axes = _axes()
    for number, (label, step) in enumerate(lines):
        assert step.ap is not None
        values = step.ap[~np.isnan(step.ap)]
        look = _looks(number)
        axes.hist(values, bins=20, range=(0, 1), histtype="stepfilled", alpha=0.18, color=look["color"])
        axes.hist(values, bins=20, range=(0, 1), histtype="step", linewidth=1.8, label=label, color=look["color"])
        axes.axvline(float(values.mean()), color=look["color"], linestyle="--", linewidth=1.2)
    axes.set(xlabel="average precision", ylabel="queries", xlim=(0, 1))
    axes.legend(loc="best")
    return figure


def _both(step: Step) -> bool:
    return bool("good" in step.curves and step.curves["good"].sum() and step.curves["wrong"].sum())


def _distances(lines: Named) -> "Figure":
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
            axes.axvline(threshold, color=INK, linestyle="--", linewidth=1.2, label=f"{fmr:.1%} of wrong pairs")
        axes.set(title=label, yticks=[])
        axes.legend(loc="best", fontsize=8)
    axes.set_xlabel("distance (each step has its own unit)" if len(lines) > 1 else "distance")
    return figure


def _about(lines: Named) -> str:
    """What is to be said of the thresholds and of pairs that a list does not reach."""
    parts = ["All pairs but junk, each kind as shares of its own."]
    for label, step in lines:
        if "threshold" in step.curves:
            fmr, threshold, recall, _ = step.curves["threshold"]
            parts.append(
                f"{label}: a threshold of {threshold:.4g} accepts {fmr:.1%} of the wrong pairs and {recall:.1%} "
                "of the right ones."
            )
        beyond = int(step.curves["beyond"][1])
        if beyond:
            right = beyond + int(step.curves["good"].sum())
            parts.append(f"{beyond / right:.1%} of the right pairs are beyond the list and not drawn.")
    if any("threshold" in step.curves for _, step in lines):
        parts.append("Fitted on these very labels: python -m ensemble.thresholds judges a threshold on others.")
    return " ".join(parts)


def _cameras(step: Step) -> "Figure":
    cameras, values = step.curves["cameras"], step.curves["pairs"]
    figure, axes = _axes(WIDE, WIDE * 0.78)
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


def _positives(step: Step) -> "Figure":
    assert step.ap is not None
    figure, axes = _axes()
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
    axes.set(xlabel="right images in the gallery", ylabel="average precision", ylim=(-0.03, 1.03))
    return figure


def _agreement(history: History) -> "Figure":
    values, names = history.extras["agreement"], [_short(name) for name in history.extras["models"]]
    figure, axes = _axes(WIDE, min(WIDE, 1.3 + 0.42 * len(names)))
    image = axes.imshow(values, vmin=0, vmax=1, cmap="cividis", aspect="auto")
    numbers = [f"{i}" for i in range(1, len(names) + 1)]
    axes.set_xticks(range(len(names)), numbers)
    axes.set_yticks(range(len(names)), [f"{name}  {i}" for name, i in zip(names, numbers, strict=True)])
    axes.grid(visible=False)
    if len(names) <= 14:
        _numbers(axes, values, 0.55, 7.5)
    figure.colorbar(image, label="shared", shrink=0.9).outline.set_visible(False)
    return figure


def _gaps(history: History) -> "Figure":
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
        axes.set_title(f"{first} → {second}  ({people[number]})", fontsize=7.5)
        axes.set(yticks=[], ylim=(0, None))
        axes.tick_params(labelsize=6.5)
    figure.supxlabel("frames from one camera to the other (identities)", fontsize=8)
    return figure


def _short(name: str, most: int = 28) -> str:
    clean = "".join(c if c.isprintable() else "?" for c in name)
    return clean if len(clean) <= most else f"{clean[: most - 1]}…"
