"""An index in a folder (:mod:`postproc.base.saved`)."""

from dataclasses import asdict
from pathlib import Path

import numpy as np

from postproc.base import saved
from postproc.online import steps
from postproc.online.state import Settings, State
from postproc.online.steps import Transform
from postproc.pairs.pairwise import read_only

KIND = "gallery_index"
ARRAYS = ("features", "norms", "rows", "values", "largest", "offsets", "members", "distances", "ids", "centre")


def save(folder: Path, state: State, transform: Transform | None) -> None:
    """Write it all; the JSON last."""
    parts = {name: getattr(state, name) for name in ARRAYS}
    if state.centre is None:
        parts["centre"] = np.zeros(state.features.shape[1], np.float32)
    kept, said = steps.as_arrays(transform)
    saved.save(
        folder,
        KIND,
        {**parts, **kept},
        {
            "settings": asdict(state.settings), "near": state.near, "exact": state.exact,
            "centred": state.centre is not None, "transform": said,
        },
    )  # fmt: skip


def load(folder: Path, *, in_memory: bool = False) -> tuple[State, Transform | None]:
    """The state and the transform."""
    parts, said = saved.load(folder, KIND, ARRAYS, in_memory=in_memory)
    try:
        settings, centred, near, exact = Settings(**said["settings"]), said["centred"], said["near"], said["exact"]
        names = steps.arrays_of(said["transform"])
    except (KeyError, TypeError):
        raise ValueError(
            f"{folder}: wanted a saved GalleryIndex, found a description that lacks something"
        ) from None
    count, width = parts["features"].shape
    wanted = {
        "norms": (count,), "rows": (count, parts["rows"].shape[1]), "values": parts["rows"].shape,
        "largest": (count,), "offsets": (count + 1,), "distances": parts["members"].shape, "ids": (count,),
        "centre": (width,),
    }  # fmt: skip
    wrong = [name for name, shape in wanted.items() if parts[name].shape != shape]
    if wrong:
        raise ValueError(f"{folder}: wanted arrays of {count} images, found another number in {', '.join(wrong)}")
    kept = saved.load(folder, KIND, names)[0] if names else {}
    plain = {name: read_only(np.asarray(part)) for name, part in parts.items()}
    state = State(
        settings, plain["features"], plain["norms"], bool(near), plain["centre"] if centred else None,
        plain["rows"], plain["values"], plain["largest"], plain["offsets"], plain["members"], plain["distances"],
        plain["ids"], bool(exact),
    )  # fmt: skip
    return state, steps.from_arrays(said["transform"], kept)
