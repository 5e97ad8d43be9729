"""What a search over pipelines has tried, where its record lies beside the run of the recipe that it wrote."""

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ensemble.base.broken import BROKEN

FILE = "pipelines.json"  # of ensemble.tune --pipelines --out


def found(folder: Path, record: Mapping[str, Any]) -> dict[str, Any]:
    """Points of the picture; nothing where the search was not of this run's recipe.

    ``searched_seconds`` and ``searched_scores`` (n,) of all pipelines, ``known_…`` (m,) of what they were compared
    with at the end, its names, and what was to be raised.
    """
    try:
        content = json.loads((folder / FILE).read_text("utf-8"))
        ran = {name: value for name, value in record["recipe"].items() if name != "name"}
        if content["recipe"] != ran:
            return {}
        points = [(float(one["seconds"]), float(one["score"])) for one in content["points"]]
        known = [(float(one["seconds"]), float(one["score"])) for one in content["held_back"]]
        if not points or not all(map(math.isfinite, (value for pair in points + known for value in pair))):
            return {}
        return {
            "searched_seconds": np.array([seconds for seconds, _ in points]),
            "searched_scores": np.array([score for _, score in points]),
            "known_seconds": np.array([seconds for seconds, _ in known]),
            "known_scores": np.array([score for _, score in known]),
            "known_names": [str(one["name"]) for one in content["held_back"]],
            "searched_for": str(content["objective"]),
        }
    except BROKEN:
        return {}
