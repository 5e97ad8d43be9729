"""Grouped images as the training images of every model."""

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from ensemble.base.features import FeatureSet
from ensemble.base.labels import of_cells
from ensemble.pseudo_labels.grouping import Grouped

if TYPE_CHECKING:
    import pandas as pd

KEPT = ("cam", "frame")  # columns that training images keep


def trained(features: FeatureSet, found: Grouped) -> FeatureSet:
    """The model with the grouped images as train, behind those that it has with labels; a side model as it is."""
    if features.auxiliary:
        return features
    rows = [np.concatenate([getattr(features, side) for side in found.sides])[found.kept]]
    tables = [_table(features, found)]
    if features.train is not None and features.train_table is not None and "train" not in found.sides:
        rows.insert(0, features.train)
        tables.insert(0, features.train_table)
    return replace(features, train=np.concatenate(rows), train_table=_stacked(tables))


def _table(features: FeatureSet, found: Grouped) -> "pd.DataFrame":
    tables = [getattr(features, f"{side}_table") for side in found.sides]
    table = _stacked([part[["name", *(column for column in KEPT if column in part)]] for part in tables])
    table["pid"] = found.pid
    if "train" not in found.sides:
        table["name"] = found.called
    if found.drawn:
        table["cam"] = found.cam
    return table.iloc[found.kept].reset_index(drop=True)


def _stacked(tables: "Sequence[pd.DataFrame]") -> "pd.DataFrame":
    """One table behind the other; what one of them does not say is unknown."""
    import pandas as pd

    if len(tables) == 1:
        return tables[0].copy()
    columns = dict.fromkeys(column for table in tables for column in table.columns)
    out = {}
    for column in columns:
        parts = [table[column].tolist() if column in table else [-1] * len(table) for table in tables]
        cells = [cell for part in parts for cell in part]
        out[column] = cells if column == "name" else of_cells(map(str, cells), zeros=column == "pid")
    return pd.DataFrame(out)
