"""The page of answers to "who is it?": scores, thresholds, and the open-set curve of each data set."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ensemble import io
from ensemble.base.errors import printable
from ensemble.identities.answers import Answers
from ensemble.report import drawings, plots
from ensemble.report.plots import Plot
from ensemble.scores.open_set import Curve, identification

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PAGE, FIGURE = "identities.html", "open_set.svg"
MOST = 4  # data sets in one figure


@dataclass(frozen=True, eq=False)
class Open:
    """The curve of one data set, and where its threshold stands."""

    name: str
    curve: Curve
    threshold: float


def curves(found: Answers) -> list[Open]:
    """The open-set curve of every data set that has labelled queries, known ones and unknown ones."""
    pid = found.people.query
    if pid is None:
        return []
    known = np.isin(pid, found.there[found.there >= 0])
    first, right = found.identities.distances[:, 0], found.identities.pids[:, 0] == pid
    sets = np.array(found.sets if found.sets is not None else [""] * len(pid), object)
    out = []
    for name, threshold in found.thresholds.items():
        rows = np.flatnonzero((sets == name) & (pid >= 0))
        if known[rows].any() and not known[rows].all():
            out.append(Open(name, identification(first[rows], right[rows], known[rows]), threshold.distance))
    return out


def write(folder: Path, content: Mapping[str, Any], lines: Sequence[Open], data_folder: str = "") -> None:
    """Write the page, and its figure as a file where there is one; ``content`` is the record.

    data_folder: where the data lay, for the top of the page.
    """
    import jinja2

    figures = [plots.svg(plot(lines), 0)] if lines else []
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True)
    environment.filters |= {"number": _number, "title_of": _title}
    text = environment.from_string(_template("identities.html")).render(
        content=content,
        figures=figures,
        style=_template("report.css"),
        places=content["places"],
        data_folder=printable(data_folder, 2000),
    )
    with io.beside(folder / PAGE) as stream:
        stream.write(text)
    if lines:
        with plots.style(), io.beside(folder / FIGURE, "wb") as stream:
            plot(lines).draw().savefig(stream, format="svg", facecolor="white", metadata={"Date": None})


def plot(lines: Sequence[Open]) -> Plot:
    """The figure of some data sets, the first of them where there are many."""
    shown = lines[:MOST]
    left = f" The first {MOST} of {len(lines)} data sets." if len(lines) > MOST else ""
    return Plot(
        "open_set",
        "Known and unknown identities",
        "Share of known queries that are told the right identity, by the share of unknown ones that are told "
        f"somebody, as the threshold moves; the dot is the threshold that was used.{left}",
        lambda: _drawn(shown),
    )


def _drawn(lines: Sequence[Open]) -> "Figure":
    figure, axes = drawings.panel()
    for number, line in enumerate(lines):
        look = drawings.looks(number)
        curve = line.curve
        axes.plot(
            curve.false_alarm, curve.dir, drawstyle="steps-post", label=drawings.short(line.name or "all"), **look
        )
        at = curve.at(line.threshold)
        axes.plot(*([value] for value in at), marker="o", markersize=6, color=look["color"])
    axes.set(xlabel="false alarm", ylabel="detection and identification", xlim=(-0.01, 1.01), ylim=(-0.01, 1.01))
    if len(lines) > 1:
        axes.legend(loc="lower right")
    return figure


def _number(value: float | None) -> str:
    return "–" if value is None or not math.isfinite(value) else f"{value:.4f}"


def _title(name: str) -> str:
    """What a score of the record is called."""
    words = {"top": "top-", "map": "MAP@"}
    stem = name.rstrip("0123456789")
    if stem in words:
        return words[stem] + name.removeprefix(stem)
    return name.upper() if name in ("baks", "baus") else name.replace("_", " ")


def _template(name: str) -> str:
    return resources.files("ensemble.report").joinpath("templates", name).read_text("utf-8")
