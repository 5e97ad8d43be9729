"""The figures of a run's report, each by its name."""

from typing import TYPE_CHECKING

from ensemble.base.errors import InputError, examples
from ensemble.report import plots, refuse_without_packages
from ensemble.report.history import History

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class Plots:
    """What a run's report draws, as figures of matplotlib; :attr:`names` are those that there is something for."""

    def __init__(self, history: History) -> None:
        self._history = history

    @property
    def names(self) -> list[str]:
        """The figures that can be drawn."""
        return [plot.name for plot in plots.plots([self._history])]

    def cmc(self) -> "Figure":
        """Share of the queries with a right image among the first places."""
        return self._drawn("cmc")

    def precision_recall(self) -> "Figure":
        """Best precision at a recall or above it."""
        return self._drawn("precision_recall")

    def average_precision(self) -> "Figure":
        """How many queries have which average precision."""
        return self._drawn("average_precision")

    def distances(self) -> "Figure":
        """How far right and wrong pairs are."""
        return self._drawn("distances")

    def cameras(self) -> "Figure":
        """mAP from camera to camera."""
        return self._drawn("cameras")

    def positives(self) -> "Figure":
        """Average precision by the number of right images."""
        return self._drawn("positives")

    def agreement(self) -> "Figure":
        """Share of the nearest images that two models have in common."""
        return self._drawn("agreement")

    def hardest(self) -> "Figure":
        """The hardest pairs in batches as in training."""
        return self._drawn("hardest")

    def gaps(self) -> "Figure":
        """Gaps in time between cameras, as a step has learned them."""
        return self._drawn("gaps")

    def _drawn(self, name: str) -> "Figure":
        refuse_without_packages()
        for plot in plots.plots([self._history]):
            if plot.name == name:
                with plots.style():
                    figure = plot.draw()
                    figure.set_facecolor("white")
                    return figure
        why = f" ({self._history.unscored})" if self._history.unscored else ""
        there = examples(self.names, 20) or "nothing to draw"
        raise InputError([f"plot.{name}: wanted one of the figures of this run, found {there}{why}"])

    def __repr__(self) -> str:
        return f"Plots({', '.join(self.names)})"
