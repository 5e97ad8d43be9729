"""Histograms of travel times in the place of the training images that a step would learn them from.

One rule: where the folder has histograms, steps take them, whether there are training images or not. Cameras and
bins are those of the histograms then, the smoothing is still that of the step.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from ensemble.base.errors import InputError, examples
from ensemble.base.kinds import Array
from ensemble.io import Folder
from ensemble.pipeline import steps
from ensemble.pipeline.recipe import Recipe, Use
from postproc import SpatioTemporalPrior

LEARNED = ("train_pid", "train_cam", "train_frame")  # what a step learns travel times from
OWN = ("bins", "bin_frames")  # settings that histograms bring along


def provided(step: steps.Step, folder: Folder) -> tuple[str, ...]:
    """The data of a step that the histograms of a folder stand for."""
    return LEARNED if step.takes_times and folder.times is not None else ()


def given(recipe: Recipe, folder: Folder) -> SpatioTemporalPrior | None:
    """The histograms of a folder where a step of the recipe takes them, not smoothed."""
    return folder.times.prior if folder.times is not None and _uses(recipe) else None


def checked(
    recipe: Recipe, folder: Folder, columns: Mapping[str, Array], called: Mapping[str, Mapping[int, str]]
) -> SpatioTemporalPrior | None:
    """As :func:`given`; raises InputError where images have cameras that the histograms lack.

    columns: of the images, as steps see them. called: what stands for the numbers of labels that are text.
    """
    prior = given(recipe, folder)
    if prior is None or folder.times is None:
        return prior
    where, known = folder.times.path, f"those of the histograms, {examples(prior.cameras.tolist(), 8)}"
    if "cam" in called:
        texts = sorted(filter(None, called["cam"].values()))
        raise InputError(
            [f"{where}: wanted cameras as numbers, {known}, found text ({examples(texts)}); number them"]
        )
    seen = [np.unique(columns[name]) for name in ("query_cam", "gallery_cam") if name in columns]
    lacking = sorted({int(cam) for cams in seen for cam in cams if cam >= 0} - set(prior.cameras.tolist()))
    if lacking:
        raise InputError(
            [
                f"{where}: wanted cameras of the images among {known}, found {examples(lacking, 8)} too; take the "
                "histograms of these cameras, or number the cameras as they do"
            ]
        )
    return prior


def in_place(called: steps.Step, settings: Mapping[str, Any], prior: SpatioTemporalPrior | None) -> dict[str, Any]:
    """What a step gets where it would learn travel times: the histograms, smoothed as its ``sigma`` says."""
    if prior is None or not called.takes_times:
        return {}
    smoothed = prior.smoothed(called.with_defaults(settings).get("sigma", 0))
    return {**dict.fromkeys(LEARNED), LEARNED[0]: smoothed}


def notes(recipe: Recipe, folder: Folder) -> list[str]:
    """What is said where a folder has histograms."""
    if folder.times is None:
        return []
    path, prior = folder.times.path, folder.times.prior
    uses = _uses(recipe)
    if not uses:
        return [f"{path}: histograms of travel times, which no step of this recipe looks at"]
    names = examples([use.name for use in uses])
    rather = ", not from the training images" if set(LEARNED) <= folder.columns else ""
    found = [f"{path}: {names} takes its histograms of travel times from here{rather}"]
    own = {"bins": prior.histograms.shape[2], "bin_frames": prior.bin_frames}
    for use in uses:
        asked = steps.catalogue()[use.name].with_defaults(use.settings)
        found += [
            f"{use.where} ({use.name}), {name}: {own[name]}, as the histograms have, in the place of {asked[name]}"
            for name in OWN
            if name in asked and asked[name] != own[name]
        ]
    return found


def _uses(recipe: Recipe) -> list[Use]:
    """The uses of steps that take histograms."""
    known = steps.catalogue()
    return [use for use in recipe.uses() if use.name in known and known[use.name].takes_times]
