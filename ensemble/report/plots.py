"""The figures of a report, all in one style: for a page as SVG that follows its colours, for a paper as files.

Colours are those of Okabe and Ito, which people with any kind of colour vision can tell apart; lines also differ
in their dashes.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from io import StringIO
from typing import TYPE_CHECKING, Any

from ensemble.report import drawings
from ensemble.report.drawings import COLOURS, FAINT, INK, Named
from ensemble.report.history import History, Step
from ensemble.scores import hardest

if TYPE_CHECKING:
    from matplotlib.figure import Figure

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
        return [(drawings.short(history.title), history.final) for history in histories]
    history = histories[0]
    models = [step for step in history.steps if step.kind == "model" and step.scores]
    chosen: list[tuple[str, Step | None]] = []
    if len(models) > 1:
        best = max(models, key=lambda step: step.scores["mAP"] if step.scores else 0)
        chosen.append((f"best model ({drawings.short(best.label)})", best))
    joined = next((step for step in history.steps if step.kind != "model"), None)
    chosen.append((f"first ({drawings.short(joined.label)})" if joined else "", joined))
    chosen.append((f"result ({drawings.short(history.final.label)})", history.final))
    found: list[tuple[str, Step]] = []
    for label, step in chosen:
        if step is not None and all(step is not other for _, other in found):
            found.append((label, step))
    return found


def plots(histories: Sequence[History]) -> list[Plot]:
    """Every figure that there is something to draw for."""
    last = histories[-1]
    lines = [(label, step) for label, step in lines_of(histories) if step.scores]
    way = lines if len(histories) > 1 else [("before", last.before), ("result", last.final)]
    spread = [(f"{label} ({step.label})", step) for label, step in way if step is not None and _both(step)]
    return [*_of_scores(lines, last), *_of_distances(spread), *_of_result(last.final), *_of_run(last)]


def _of_scores(lines: Named, last: History) -> Iterator[Plot]:
    if lines:
        yield Plot(
            "cmc",
            "Cumulative matches (CMC)",
            "Share of the queries with a right image among the first places.",
            lambda: drawings.cmc(lines),
        )
    precise = [(label, step) for label, step in lines if "precision" in step.curves]
    if precise:
        cut = last.protocol.get("top_k")
        places = f"the first {cut} places" if cut else "the whole ranking"
        yield Plot(
            "precision_recall",
            "Precision and recall",
            f"Mean over the queries with a match of the best precision at a recall or above it, in {places}.",
            lambda: drawings.precision(precise),
        )
        yield Plot(
            "average_precision",
            "Average precision of the queries",
            "How many queries have which AP; the mean is a dashed line.",
            lambda: drawings.histogram(lines[-2:]),
        )


def _of_distances(spread: Named) -> Iterator[Plot]:
    if spread:
        title = "Distances of right and wrong pairs"
        yield Plot("distances", title, _about(spread), lambda: drawings.distances(spread))


def _of_result(final: Step) -> Iterator[Plot]:
    if final.scores and len(final.curves.get("cameras", ())) > 1:
        yield Plot(
            "cameras",
            "mAP from camera to camera",
            "Queries of one camera searched in the images of another, uncut; empty: no query has a match.",
            lambda: drawings.cameras(final),
        )
    if final.ap is not None and "positives" in final.curves:
        yield Plot(
            "positives",
            "AP by number of right images",
            "Each dot is a query by how many right images the gallery holds for it; the line is the mean of "
            "queries with about as many.",
            lambda: drawings.positives(final),
        )


def _of_run(last: History) -> Iterator[Plot]:
    if "searched_scores" in last.extras:
        yield Plot(
            "pipelines",
            "Pipelines that were searched",
            "Each dot is a pipeline on the queries of the search, by the seconds of one run; crosses are the "
            "recipes that were compared at the end, on queries held back.",
            lambda: drawings.searched(last),
        )
    if "agreement" in last.extras:
        yield Plot(
            "agreement",
            "Agreement of the models",
            "Share of the ten nearest images that two models have in common, averaged over queries.",
            lambda: drawings.agreement(last),
        )
    if "map_points" in last.extras:
        yield Plot(
            "map",
            "Map of the images",
            f"{last.extras['map_about']}, of {len(last.extras['map_points'])} images by the last features before "
            "distances. Triangles are queries, dots gallery images; the identities and the cameras with most of "
            "them have colours.",
            lambda: drawings.images(last),
        )
    if "hardest_positive" in last.extras:
        yield Plot(
            "hardest",
            "Hardest pairs in batches",
            f"In {last.extras['hardest_about']}: how far from every image the farthest of its identity is, and "
            f"the nearest of the others. {hardest.UNIT}. Where the two meet, a threshold has the fewest errors; "
            "ensemble.thresholds --batches has the numbers.",
            lambda: drawings.hardest(last),
        )
    if "prior_shares" in last.extras:
        yield Plot(
            "gaps",
            "Learned gaps in time",
            "How long identities take from one camera to another, as learned from the training set: the pairs "
            "of cameras that most of them passed, where that is known.",
            lambda: drawings.gaps(last),
        )


def _both(step: Step) -> bool:
    return bool("good" in step.curves and step.curves["good"].sum() and step.curves["wrong"].sum())


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
