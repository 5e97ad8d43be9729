"""Old submissions in the place of features: every list a part, joined over the images that any list names.

A list says how far an image is, or only at which place it stands. All lists are brought to one table of
candidates, a join makes one distance of each candidate, and the answer is spread over the whole gallery: what no
list names stands behind what some list does, near enough for a later step to pull it up.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from ensemble.base.collecting import collecting
from ensemble.base.errors import refuse_if_any
from ensemble.base.features import columns
from ensemble.io import Folder, read_tables
from ensemble.submissions import formats
from ensemble.submissions.ensembles import candidates, dense


@dataclass(frozen=True)
class Rankings:
    """Lists of the same queries and gallery: candidates (nq, c), a matrix of the same shape a list, the tables."""

    candidates: np.ndarray
    distances: Mapping[str, np.ndarray]
    query_table: pd.DataFrame
    gallery_table: pd.DataFrame

    def data(self) -> dict[str, np.ndarray]:
        """The columns of both tables by their names in the vocabulary."""
        return columns({"query": self.query_table, "gallery": self.gallery_table})

    def whole(self, distances: np.ndarray) -> np.ndarray:
        """Distances of the candidates as (nq, ng) of the whole gallery."""
        spare = np.where(self.candidates < 0, np.float32(0), distances)
        return dense(spare, self.candidates, len(self.gallery_table))

    def alone(self, name: str) -> np.ndarray:
        """One list as (nq, ng): candidates of other lists stand behind, too."""
        own = ~np.isnan(self.distances[name])
        rows = np.where(own, self.candidates, -1)
        return dense(np.where(own, self.distances[name], 0), rows, len(self.gallery_table))


def read(folder: Folder, names: list[str]) -> Rankings:
    """Read the lists of a folder by name; raises InputError with every problem of all files."""
    tables = read_tables(folder)
    images = {side: list(table["name"]) for side, table in tables.items()}
    lists, problems = {}, list[str]()
    for name in names:
        with collecting(problems):
            lists[name] = formats.read_aligned(folder.models[name][0], images["query"], images["gallery"])
    refuse_if_any(problems)
    rows, matrices = candidates(list(lists.values()))
    return Rankings(rows, dict(zip(lists, matrices, strict=True)), tables["query"], tables["gallery"])
