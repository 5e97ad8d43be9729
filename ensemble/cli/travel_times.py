"""Travel times between cameras as a file: those of a folder, or what its training images tell."""

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ensemble.base.errors import InputError, examples, refuse_if_any
from ensemble.base.features import SIDES, FeatureSet
from ensemble.base.labels import as_numbers
from ensemble.cli.numbers import too_small
from ensemble.io import Folder, spread
from postproc import SpatioTemporalPrior, fit_prior

NEEDED = ("train_pid", "train_cam", "train_frame")
NAME = "pytorch_result2"  # as st-ReID calls it
BINS, BIN_FRAMES = 5000, 100  # Market-1501 as released


def add_options(p: argparse.ArgumentParser) -> None:
    """``--bins`` and ``--bin-frames``."""
    p.add_argument(
        "--bins",
        type=int,
        metavar="N",
        help=f"of --format mat: bins of the travel times (default: {BINS}, as released for Market-1501; 3000 for "
        "DukeMTMC-reID)",
    )
    p.add_argument(
        "--bin-frames", type=int, metavar="N", help=f"of --format mat: frames in a bin (default: {BIN_FRAMES})"
    )


def target(options: argparse.Namespace, folder: Folder) -> Path | None:
    """The file that is written; None where there is nothing to write, or training images go along themselves."""
    asked = [name for name in ("bins", "bin_frames") if getattr(options, name) is not None]
    learns = options.format == "mat" and set(NEEDED) <= folder.columns and folder.times is None
    if asked and not learns:
        said = " and ".join(f"--{name.replace('_', '-')}" for name in asked)
        if folder.times is not None:
            found = f"those of {folder.times.path.name}, which have their own"
        elif options.format != "mat":
            found = f"--format {options.format}, which keeps the training images themselves"
        else:
            found = f"no {', '.join(name for name in NEEDED if name not in folder.columns)}"
        raise InputError(
            [f"{said}: wanted training images to learn travel times from, found {found}; leave it out"]
        )
    refuse_if_any(too_small(options, bins=1, bin_frames=1))
    return options.out / f"{NAME}.{options.format}" if learns or folder.times is not None else None


def of(options: argparse.Namespace, folder: Folder, sets: Sequence[FeatureSet]) -> SpatioTemporalPrior:
    """The histograms, not smoothed, with all cameras of all images. InputError for cameras that are text."""
    features = max(sets, key=lambda one: one.train is not None)
    data = features.data()
    for side in SIDES:
        table = getattr(features, f"{side}_table")
        if table is not None and "cam" in table and as_numbers(table["cam"].to_numpy()) is None:
            found = examples(sorted(filter(None, set(table["cam"]))))
            where = f"{NAME}: wanted the cameras of {side} as numbers"
            raise InputError([f"{where}, found text ({found}); number them in {side}.csv"])
    if folder.times is not None:
        prior = folder.times.prior
    else:
        bins, bin_frames = options.bins or BINS, options.bin_frames or BIN_FRAMES
        prior = fit_prior(*(data[name] for name in NEEDED), bins=bins, bin_frames=bin_frames, sigma=0)
    cameras = [data[f"{side}_cam"] for side in SIDES if f"{side}_cam" in data]
    return spread(prior, np.unique(np.concatenate(cameras)) if cameras else np.empty(0, np.int64))


def line(path: Path, prior: SpatioTemporalPrior) -> str:
    """What was written."""
    sizes = f"{prior.histograms.shape[2]} bins of {prior.bin_frames} frames"
    return f"{path}: travel times between {len(prior.cameras)} cameras, {sizes}"
