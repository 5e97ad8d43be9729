"""Multi-query features: more images of the queries' identities, which layumi keeps beside ``pytorch_result.mat``.

``multi_query.mat``: ``mquery_f`` (n, d), ``mquery_label`` and ``mquery_cam`` (n,), without names. Any other format
with these keys is one too. Only evaluation asks for them, because labels say which images belong together.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ensemble.base.errors import InputError
from ensemble.base.features import FeatureSet
from ensemble.io import containers
from ensemble.io.blocks import block
from ensemble.io.folder import Folder, is_side
from ensemble.io.keys import MULTI, is_multi
from ensemble.io.layouts import sides


def chosen(folder: Folder, models: Sequence[str]) -> dict[str, Path]:
    """Which file belongs to which of the ``models``: the only one to the only one, else ``multi_query_MODEL``.

    Side models have none. Raises InputError where another model has none, and where a file is nobody's.
    """
    files = folder.multi_queries
    if len(files) == len(folder.joined) == 1:
        return dict.fromkeys(folder.joined, files[0])
    found = {
        model: file
        for model in folder.joined
        for file in files
        if containers.stem(file).casefold() == f"multi_query_{model}".casefold()
    }
    left = [file.name for file in files if file not in found.values()]
    lacking = [model for model in models if model not in found and not is_side(model)]
    if left or lacking:
        said = [f"none for {', '.join(lacking)}"] * bool(lacking) + [f"{', '.join(left)} for none"] * bool(left)
        raise InputError(
            [
                f"{folder.path}: wanted one file of multi-query features a model, found {' and '.join(said)}; "
                "call them multi_query_MODEL.mat, or move them away"
            ]
        )
    return {model: file for model, file in found.items() if model in models}


def read(path: Path, like: FeatureSet) -> FeatureSet:
    """The file's images as the queries of a set that is otherwise ``like``, with ``pid`` and ``cam``.

    Raises InputError where features, labels or cameras lack, or do not fit those of ``like``.
    """
    import pandas as pd

    content = containers.load(path, is_multi)
    keys = filter(is_multi, content)
    one = sides(str(path), {f"query_{str(key)[len(MULTI) :]}": content[key] for key in keys}).get("query")
    columns = one.columns if one else {}
    lacking = [key for key, there in (("f", one and one.rows is not None), ("label", "pid" in columns),
                                      ("cam", "cam" in columns)) if not there]  # fmt: skip
    if one is None or lacking:
        wanted = ", ".join(f"{MULTI}{key}" for key in ("f", "label", "cam"))
        raise InputError(
            [f"{path}: wanted {wanted}, found no {', '.join(MULTI + key for key in lacking)}; write them"]
        )
    rows = block(f"{path}, multi-query", one)
    table: dict[str, Any] = {"name": [str(row) for row in range(len(rows.rows))]}
    return FeatureSet(
        f"{path}",
        rows.rows,
        np.ones((1, like.query.shape[1]), np.float32),
        pd.DataFrame(table | {column: rows.columns[column] for column in ("pid", "cam")}),
        pd.DataFrame({"name": ["0"]}),
        named=False,
    )
