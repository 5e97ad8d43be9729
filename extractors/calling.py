"""What a model is handed and what has to come back, for any model; and clips for those that take several frames.

A model is handed (images, 3, height, width) float32. One with a number ``frames`` takes clips, (clips, frames, 3,
height, width): 0 is any number of frames.
"""

from collections.abc import Sequence

import numpy as np

from ensemble.base.errors import InputError
from extractors.model import Model

FAULTS = (ValueError, TypeError, IndexError, KeyError, AttributeError, RuntimeError, AssertionError)


def called(model: Model, images: np.ndarray) -> dict[str, np.ndarray]:
    """Run a model on a batch. Raises InputError where it fails on what every model here is handed."""
    try:
        return model(images)
    except InputError:
        raise
    except FAULTS as error:
        raise InputError([misfit(model.name, images.shape, error)]) from error


def misfit(name: str, shape: Sequence[int], error: Exception) -> str:
    """That a model does not take a batch of this shape, and what to do about it."""
    axes = "(clips, frames, 3, height, width)" if len(shape) == 5 else "(images, 3, height, width)"
    reason = ((str(error).strip() or type(error).__name__).splitlines() or [""])[-1][:200]
    other = (
        "leave out clips= if it takes single images"
        if len(shape) == 5
        else "add clips=yes, and --tracklets, if it takes clips (n, t, 3, h, w)"
    )
    return (
        f"{name}: wanted to run it on {'x'.join(map(str, shape))}, which is {axes}, found: {reason}; check size=, "
        f"{other}"
    )


def frames_of(model: Model) -> int | None:
    """Frames of a clip that a model takes, 0 for any number; None where it takes images."""
    found: int | None = getattr(model, "frames", None)
    return found


def clip_problems(models: Sequence[Model], tracklets: bool, clip: int) -> list[str]:
    """What is wrong with models of clips: images instead of tracklets, or clips of another length."""
    problems = []
    for model in models:
        frames = frames_of(model)
        if frames is None:
            continue
        takes = f"{model.name} takes clips of {frames or 'several'} frames (n, t, 3, h, w)"
        if not tracklets:
            problems.append(f"--tracklets: wanted it, since {takes}, found single images; add --tracklets folders")
        elif frames not in (0, clip):
            problems.append(f"--clip: wanted {frames}, since {takes}, found {clip}; add --clip {frames}")
    return problems


class OfClips:
    """A model of clips as one of images: ``length`` images after the other are a clip, and give one row."""

    def __init__(self, model: Model, length: int) -> None:
        self.model, self.length = model, length
        self.name, self.size, self.digest = model.name, model.size, model.digest
        self.mean, self.std = model.mean, model.std

    def __call__(self, images: np.ndarray) -> dict[str, np.ndarray]:
        clips = images.reshape(-1, self.length, *images.shape[1:])
        found = called(self.model, clips)
        wrong = ", ".join(head or "the feature" for head, rows in found.items() if len(rows) != len(clips))
        if wrong:
            raise InputError(
                [f"{self.name}: wanted a row for each of {len(clips)} clips, found another number in {wrong}"]
            )
        return found
