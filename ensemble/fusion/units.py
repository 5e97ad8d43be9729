"""Units of distances: what may be added as it is, and what has to be scaled first."""

from collections.abc import Mapping, Sequence
from typing import Any

JACCARD = "Jaccard distance mixed with a share of the original, 0 to 1"
_METRICS = {
    "sqeuclidean": "squared Euclidean distance",
    "euclidean": "Euclidean distance",
    "cosine": "cosine distance",
}
_FIXED = {
    "track_distances": _METRICS["sqeuclidean"],
    "rerank_distances": JACCARD,
    "rerank_tracks": JACCARD,
    "rerank_constrained": JACCARD,
    "rerank_spatio_temporal": JACCARD,
    "hamming": "differing bits",
    "coarse_to_fine": "places in a list",
}
KEEPS = (  # steps that give distances in the unit in which they found them
    "pool_distances",
    "csls_distances",
    "sinkhorn_distances",
    "subtract_auxiliary",
    "orientation_rule",
    "part_penalty",
    "camera_penalty",
    "mask_same_camera",
    "expected_camera_penalty",
    "scene_gate",
    "camera_topology",
    "exclude",
    "one_track_per_camera",
    "assign_tracks",
    "rewrite_tracks",
)
NEEDS_ONE_UNIT = ("weighted_sum", "median", "smallest", "largest")


def unit(step_name: str, settings: Mapping[str, Any]) -> str:
    """What the distances of a step are measured in; "" for a step that keeps the unit which it found.

    Takes:   the name of a distance step and those of its settings that are not at their defaults.
    Returns: words for a message. A step that is not known has its own unit, its name: two branches that end in
             the same step agree.

    >>> unit("distances", {"metric": "cosine"}), unit("camera_penalty", {}), unit("ecn", {})
    ('cosine distance', '', "values of 'ecn'")
    """
    if step_name in KEEPS:
        return ""
    if step_name == "distances":
        return _METRICS.get(str(settings.get("metric", "sqeuclidean")), f"values of {step_name!r}")
    if step_name == "rerank":
        return JACCARD if settings.get("normalize", True) else "Jaccard distance mixed with squared distances"
    if step_name == "ca_jaccard":
        return JACCARD
    if step_name in ("local_scaling", "mutual_proximity"):
        return f"values of {step_name!r} ({settings.get('method', 'default')})"
    return _FIXED.get(step_name, f"values of {step_name!r}")


def units_problem(units: Sequence[str], join_name: str, settings: Mapping[str, Any]) -> str | None:
    """Why distances in these units cannot be joined like that, with what to do; None if they can.

    Joins by ranks, products and scaled distances take any units. So does a sum whose ``weights`` are written down:
    they say what one unit is worth in the other.
    """
    different = list(dict.fromkeys(units))
    if (
        len(different) < 2
        or join_name not in NEEDS_ONE_UNIT
        or settings.get("scaling", "none") != "none"
        or (join_name == "weighted_sum" and settings.get("weights") is not None)
    ):
        return None
    remedy = 'add scaling = "min-max" (or "z-score", "rank"), or join with "reciprocal_rank_fusion"'
    if join_name == "weighted_sum":
        remedy += "; or write weights that bring one unit to the other"
    return f"wanted distances in one unit, found {' and '.join(different)}; {remedy}"
