"""How unlike tracklets look: any recipe of ``ensemble.run``, with tracklets in the place of images."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ensemble.base.features import FeatureSet
from ensemble.base.kinds import Array, Floats, Ints
from ensemble.io import Folder
from ensemble.pipeline import plan
from ensemble.pipeline.plan import Plan
from ensemble.pipeline.recipe import Recipe
from ensemble.pipeline.run import Run
from ensemble.track.value import Tracklets

COLUMNS = ("cam", "frame", "track")


def checked(recipe: Recipe, models: list[str], folder: Path) -> Plan:
    """The recipe matched with models of tracklets; InputError with everything that does not fit."""
    sides = ("query", "gallery")
    columns = frozenset((*sides, *(f"{side}_{column}" for side in sides for column in COLUMNS)))
    of_tracklets = Folder(folder, dict.fromkeys(models, ()), columns, (), one_set=True)
    return plan.check(recipe, of_tracklets)


@dataclass(frozen=True, eq=False)
class Appearance:
    """Distances among tracklets by a checked recipe.

    models: (t, d) float32 features of each of its models. ``frame`` of a tracklet is when it starts, in frames.
    """

    plan: Plan
    models: Mapping[str, Array]
    tracklets: Tracklets
    fps: float

    def among(self, rows: Ints, models: Mapping[str, Array] | None = None) -> Floats:
        """(k, k) float64 distances of some tracklets that have features, symmetric; +inf: must not be matched."""
        import pandas as pd

        count = len(rows)
        if count < 2:
            return np.zeros((count, count))
        table = pd.DataFrame(
            {
                "name": [str(row) for row in rows.tolist()],
                "cam": self.tracklets.cam[rows],
                "frame": np.rint((self.tracklets.start[rows] - self.tracklets.start.min()) * self.fps).astype(int),
                "track": rows,
            }
        )
        sets = {}
        for model, looks in (models or self.models).items():
            one = np.ascontiguousarray(looks[rows])
            sets[model] = FeatureSet(model, one, one, table, table, one_set=True)
        asked = replace(self.plan, recipe=replace(self.plan.recipe, top_k=count))
        found = Run(asked, lambda line: None, sets=sets, every_step=False)()
        whole = np.full((count, count), np.inf)
        there = found.ranking >= 0
        who = np.nonzero(there)[0]
        whole[who, found.ranking[there]] = found.distances[there]
        both = (whole + whole.T) / 2  # a re-ranked distance is not quite symmetric
        np.fill_diagonal(both, 0)
        return both
