"""Any step, called from its signature alone: data by name, settings from their defaults, results by their type."""

import inspect
import math
import typing
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import pytest

from postproc import STEPS, Nearest
from postproc.base.vocabulary import VOCABULARY
from tests.support.worlds import world

Step = Callable[..., Any]
World = dict[str, np.ndarray]


def known(data: World) -> World:
    """What a step may be given of a world: not the labels that scores are computed from."""
    return {name: array for name, array in data.items() if name in VOCABULARY}


DATA = known(world())
DATA["query_cam"][[4, 7]] = DATA["gallery_cam"][[3, 8, 40]] = -1  # some cameras are unknown
DATA["gallery_track"][[17, 60]] = DATA["gallery_track"][5]  # copies are of one track
DATA["query_track"][[4, 7]] = DATA["query_track"][5]  # and two of them can be told
NQ, NG = DATA["distances"].shape

# Where a camera model's features are grouped, so that there are several groups and some images in none.
FEW = {"eps": 0.05, "min_samples": 6}

# What matters only beside another setting, or is looked at only there.
TOGETHER: dict[tuple[str, str], dict[str, Any]] = {
    ("query_expansion", "find_anew"): {"rounds": 2},
    ("query_expansion", "average"): {"renormalize": False},
    ("query_mean", "query_track"): {"group": "track"},
    ("query_mean", "eps"): {"group": "clusters"},
    ("query_mean", "min_samples"): {"group": "clusters"},
    ("nfc", "k2"): {"k1": 4},
    ("track_mean", "gallery_order"): {"chunk": 3},
    ("offline_diffusion", "k_query"): {"graph": "gallery"},
    ("offline_diffusion", "query_gamma"): {"graph": "gallery"},
    ("coarse_to_fine", "train"): {"shortest": 4},
    ("coarse_to_fine", "train_pid"): {"shortest": 4},
    ("coarse_to_fine", "growth"): {"shortest": 4},
    ("coarse_to_fine", "beta"): {"shortest": 4},
    ("coarse_to_fine", "radius"): {"shortest": 4},
    ("learned_metric", "different_weight"): {"method": "kissme"},
    ("learned_metric", "rounds"): {"method": "nca"},
    ("learned_metric", "seed"): {"method": "itml"},
    ("learned_distances", "different_weight"): {"method": "kissme"},
    ("learned_distances", "psd"): {"method": "kissme", "pca": 16},
    ("learned_distances", "rounds"): {"method": "nca"},
    ("learned_distances", "seed"): {"method": "itml"},
    ("ca_jaccard", "k1"): {"camera_sets": False},
    ("ca_jaccard", "k2"): {"camera_means": False},
    ("sinkhorn_distances", "top_k"): {"temperature": 9.0},  # where most of DATA's distances are no ties
    ("query_mean", "query_quality"): {"threshold": 0.5, "group": "clusters", "eps": 1.5},
    ("query_mean", "threshold"): {"group": "clusters", "eps": 1.5},
    ("query_mean", "add"): {"keep": 1.0},
    ("quality_track_mean", "gallery_quality"): {"threshold": 0.5},
    ("rerank_tracks", "threshold"): {"pool": "weighted"},
    ("rerank_tracks", "epsilon"): {"pool": "weighted"},
    ("track_distances", "k"): {"reduce": "mean"},
    ("pool_distances", "k"): {"reduce": "mean"},
    ("assign_tracks", "gallery_cam"): {"threshold": 20.0},
    ("assign_tracks", "gallery_track"): {"threshold": 20.0},
    ("assign_tracks", "query_track"): {"threshold": 20.0},
    ("assign_tracks", "method"): {"threshold": 20.0},
    ("assign_tracks", "bonus"): {"threshold": 20.0},
    ("assign_tracks", "malus"): {"threshold": 20.0},
    ("assign_tracks", "temperature"): {"threshold": 20.0, "method": "sinkhorn"},
    ("assign_tracks", "rounds"): {"threshold": 20.0, "method": "sinkhorn", "temperature": 9.0},
    ("rewrite_tracks", "gallery_order"): {"inside": "listed"},
    ("rewrite_tracks", "depth"): {"by": "vote"},
    ("rewrite_tracks", "offset"): {"by": "vote"},
    ("rerank", "query_cam"): {"camera_penalty": 9.0},
    ("rerank", "gallery_cam"): {"camera_penalty": 9.0},
    ("rerank", "query_track"): {"camera_penalty": 9.0},
    ("rerank", "gallery_track"): {"camera_penalty": 9.0},
    ("rerank", "query_aux"): {"auxiliary_weight": 0.5},
    ("rerank", "gallery_aux"): {"auxiliary_weight": 0.5},
    **{
        (step, name): {other: value for other, value in FEW.items() if other != name}
        | ({"complete": True} if name.endswith("track") else {})
        for step in ("predict_cameras", "predict_camera_groups")
        for name in ("query_aux", "gallery_aux", "query_track", "gallery_track", *FEW, "shortest", "complete")
    },
    **{
        (step, f"{side}_{what}"): {setting: 0.5}
        for step in ("camera_penalty", "rerank_constrained", "exclude")
        for side in ("query", "gallery")
        for what, setting in (("cam_group", "group"), ("aux", "direction"))
    },
    ("camera_penalty", "alike"): {"direction": 0.5},
    ("exclude", "alike"): {"direction": 0.5},
    ("rerank_constrained", "alike"): {"direction": 0.5},
    ("rerank_constrained", "alone"): {"camera": 0.5, "k1": 60},
    ("cluster_queries", "query"): {"eps": 1.0},
    ("rerank_constrained", "query_cam"): {"camera": 5.0, "k1": 60},
    ("rerank_constrained", "query_aux"): {"direction": 5.0, "k1": 60},
    ("rerank_constrained", "gallery_cam"): {"camera": 0.5},
    ("rerank_constrained", "query_camera"): {"k1": 60},
    ("rerank_constrained", "between"): {"k1": 60},
    ("rerank_attributes", "train_aux"): {"confusions": None},
    ("rerank_attributes", "train_pid"): {"confusions": None},
    ("rerank_attributes", "gallery_track"): {"level": "track"},
    ("cluster_gallery_soft", "gallery_track"): {"level": "track"},
}

# Another value of a setting, where the usual one would change nothing in a world this small.
OTHER: dict[tuple[str, str], Any] = {
    ("coarse_to_fine", "shortest"): 4,
    ("coarse_to_fine", "growth"): 2,
    ("diffusion", "alpha"): 0.5,
    ("offline_diffusion", "alpha"): 0.5,
    ("offline_diffusion", "truncate"): 20,
    ("camera_whitening", "min_images"): 25,
    ("merge_set_features", "k"): 9,
    ("kwf", "shortlist"): 40,
    ("superglobal", "shortlist"): 40,
    ("spatio_temporal", "bins"): 9,
    ("rerank_spatio_temporal", "bins"): 9,
    ("quantile_transform", "quantiles"): 10,
    ("exclude", "depth"): 20,
    ("assign_tracks", "threshold"): 20.0,
    ("assign_tracks", "rounds"): 1,
    ("rewrite_tracks", "depth"): 10,
    ("rewrite_tracks", "offset"): 50.0,
    ("query_mean", "threshold"): 0.5,
    ("quality_track_mean", "threshold"): 0.5,
    ("weighted_track_mean", "threshold"): 20.0,
    ("rerank_tracks", "threshold"): 20.0,
    ("orientation_rule", "far"): 20.0,
    ("camera_topology", "weight"): 0.5,
    **{(f"predict_{cams}", name): FEW[name] for cams in ("cameras", "camera_groups") for name in FEW},
    ("predict_cameras", "shortest"): 0.8,
    ("predict_camera_groups", "shortest"): 0.8,
    ("rerank_attributes", "classes"): (2, 2),
    ("rerank_attributes", "confusions"): [np.eye(4) + 0.1],
    ("cluster_gallery_soft", "classes"): (2, 2),
    ("part_penalty", "views"): (1,),
    ("part_penalty", "parts"): (2, 2),
}


def together(step: Step, name: str) -> dict[str, Any]:
    """The settings beside which a setting or an input matters."""
    return TOGETHER.get((step.__name__, name), {})


def inputs(step: Step) -> list[str]:
    """The data that a step takes, in order."""
    return [name for name, p in inspect.signature(step).parameters.items() if p.kind is not p.KEYWORD_ONLY]


def settings_of(step: Step) -> dict[str, inspect.Parameter]:
    """The settings of a step with their defaults."""
    return {name: p for name, p in inspect.signature(step).parameters.items() if p.kind is p.KEYWORD_ONLY}


def axes(name: str) -> list[str]:
    """``gallery_cam`` -> ["ng"], ``distances`` -> ["nq", "ng"], ``train_pid`` -> ["train"]."""
    return list(VOCABULARY[name].axes)


def pick(data: World, **rows: Sequence[int] | np.ndarray) -> World:
    """The same world with the images ``rows[axis]`` along each axis named, as in ``pick(data, ng=order)``."""
    out = {}
    for name, array in data.items():
        for axis, symbol in enumerate(axes(name)):
            array = np.take(array, rows[symbol], axis) if symbol in rows else array
        out[name] = array
    return out


def declared(step: Step) -> tuple[Any, ...]:
    """The types, one of which a step says that it returns."""
    hint = typing.get_type_hints(step, include_extras=True)["return"]
    return typing.get_args(hint) if typing.get_origin(hint) is typing.Union else (hint,)


def fields(hint: Any) -> list[str]:
    """``tuple[Query, Gallery]`` -> ["query", "gallery"], :class:`Nearest` -> ["nearest", "ranking"]."""
    if hint is Nearest:
        return ["nearest", "ranking"]
    hints = typing.get_args(hint) if typing.get_origin(hint) is tuple else (hint,)
    return [hint.__metadata__[0] for hint in hints]


def call(step: Step, data: World, settings: dict[str, Any]) -> World:
    """What the step returns, as a dictionary by :func:`fields`."""
    result = step(*(data[name] for name in inputs(step)), **settings)
    hint = next(hint for hint in declared(step) if isinstance(result, Nearest) is (hint is Nearest))
    return dict(zip(fields(hint), result if isinstance(result, tuple) else (result,), strict=True))


def bits(found: World) -> dict[str, Any]:
    """Arrays as something that is equal only if every bit is."""
    return {name: (array.dtype.str, array.shape, array.tobytes()) for name, array in found.items()}


def is_kind(parameter: inspect.Parameter, kind: type) -> bool:
    """Whether a setting is of this kind, by its default or, where that is None, by its annotation."""
    if parameter.default is None:
        return kind in typing.get_args(parameter.annotation)
    return type(parameter.default) is kind


def bad_values(parameter: inspect.Parameter) -> list[Any]:
    """What a setting of this kind can never be."""
    never = [] if type(None) in typing.get_args(parameter.annotation) else [None]
    if is_kind(parameter, bool):
        return ["yes", 1, *never]
    if is_kind(parameter, int):
        return [-3, 2.5, math.nan, True, "3", *never]
    if is_kind(parameter, float):
        return [math.nan, math.inf, -math.inf, "0.3", True, *never]
    if is_kind(parameter, tuple):
        return [3, "no such word", (0,), (2.5, 3), (math.nan,), (True, 3), *never]
    if parameter.name == "confusions":
        return [3, "no such word", []]
    assert is_kind(parameter, str), f"{parameter}: no kind of setting that is known here"
    return ["no such word", 3, ["cosine"], *never]


def other_values(step: Step, name: str) -> list[Any]:
    """Values of a setting that are not its default; of a choice all the others, as its refusal lists them."""
    parameter = settings_of(step)[name]
    if (step.__name__, name) in OTHER:
        return [OTHER[step.__name__, name]]
    if is_kind(parameter, bool):
        return [not parameter.default]
    if is_kind(parameter, int):
        return [3 if parameter.default is None else parameter.default + 1]
    if is_kind(parameter, float):
        return [(parameter.default or 0.0) + 0.25]
    with pytest.raises(ValueError, match=r"wanted one of .*, got") as refusal:
        call(step, DATA, {name: "no such word"})
    choices = str(refusal.value).split("wanted one of ")[1].split(", got")[0].split(", ")
    assert parameter.default in choices
    return [choice for choice in choices if choice != parameter.default]


def cases() -> Iterator[tuple[Step, dict[str, Any]]]:
    """Every step with its defaults, and with every other value of every setting."""
    for step in STEPS:
        yield step, {}
        for name in settings_of(step):
            for value in other_values(step, name):
                yield step, {name: value, **together(step, name)}
