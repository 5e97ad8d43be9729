"""The figures of a report as files for papers: SVG and PNG, dark on white."""

from collections.abc import Sequence
from pathlib import Path

from ensemble import io
from ensemble.report.history import History
from ensemble.report.plots import plots, style

DPI = 200


def write(folder: Path, histories: Sequence[History]) -> list[Path]:
    """Write every plot that there is something to draw for, ``NAME.svg`` and ``NAME.png``; the paths."""
    written = []
    for plot in plots(histories):
        with style():
            figure = plot.draw()
            for kind, metadata in (("svg", {"Date": None}), ("png", {"Software": None})):
                path = folder / f"{plot.name}.{kind}"
                with io.beside(path, "wb") as stream:
                    figure.savefig(stream, format=kind, dpi=DPI, facecolor="white", metadata=metadata)
                written.append(path)
    return written
