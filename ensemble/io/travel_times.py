"""Histograms of travel times from camera to camera, as st-ReID keeps them beside its features.

``distribution`` (C, C, bins): the share of the identities that came to the first camera so many bins after they
were seen by the second, every pair divided by its sum and not smoothed. Cameras count from 1. Other cameras stand
beside it in ``cameras`` (C,), and bins of other than 100 frames in ``bin_frames``. Any file with keys can be one.
Source: Wang et al., "Spatial-Temporal Person Re-identification", AAAI 2019, and the code released with it
(``pytorch_result2.mat``); FGReID calls it ``distribution_DATASET.mat``.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ensemble.base.errors import InputError, examples, refuse_if_any
from ensemble.base.kinds import Array
from ensemble.io import containers, matlab5
from ensemble.io.arrays import what
from ensemble.io.keys import column_of, slot
from ensemble.io.write import beside
from postproc import SpatioTemporalPrior

KEY, CAMERAS, BIN_FRAMES = "distribution", "cameras", "bin_frames"
RELEASED = 100  # frames in a bin, where the file does not say it
HEADER = "MATLAB 5.0 MAT-file, travel times of reid-ensemble"
TRAVEL_TIMES = "histograms of travel times, read from the folder of the models alone"
CLOSE = 1e-3  # shares of a pair add up to 1, give or take what float32 rounds


@dataclass(frozen=True, eq=False)
class TravelTimes:
    """A file of histograms as it is: not smoothed."""

    path: Path
    prior: SpatioTemporalPrior


def are(keys: Iterable[object]) -> bool:
    """Whether a file with these keys holds histograms of travel times, and no features."""
    listed = list(keys)
    features = any(column_of(key) == "" or (slot(key) or ("", "no"))[1] == "" for key in listed)
    return KEY in listed and not features


def chosen(files: list[Path]) -> TravelTimes | None:
    """The histograms of a folder; None where it has none. Raises InputError for two files, and as
    :func:`read_travel_times`."""
    if len(files) > 1:
        found = examples([file.name for file in files])
        raise InputError(
            [f"{files[0].parent}: wanted one file of travel times, found {found}; move the others away"]
        )
    return TravelTimes(files[0], read_travel_times(files[0])) if files else None


def read_travel_times(path: Path) -> SpatioTemporalPrior:
    """The histograms of a file, not smoothed. Raises InputError with everything that is wrong with them."""
    content = containers.load(path, lambda key: key in (KEY, CAMERAS, BIN_FRAMES))
    given = content[KEY]
    if not isinstance(given, np.ndarray) or given.dtype.kind not in "fiu" or given.ndim != 3:
        raise InputError(
            [f"{path}: wanted {KEY} as numbers (cameras, cameras, bins), found {what(given)}; write it so"]
        )
    if given.shape[0] != given.shape[1] or not given.size:
        raise InputError(
            [f"{path}: wanted {KEY} with as many cameras twice, and bins, found {what(given)}; write it so"]
        )
    problems: list[str] = []
    cameras = _cameras(path, content.get(CAMERAS), len(given), problems)
    width = np.ravel(content.get(BIN_FRAMES, RELEASED))
    if width.dtype.kind not in "iuf" or len(width) != 1 or not 1 <= width[0] < 2**31 or width[0] % 1:
        problems.append(
            f"{path}: wanted {BIN_FRAMES} as one whole number from 1, found {examples(width.tolist())}"
        )
    problems += _faults(path, given, cameras)
    refuse_if_any(problems)
    return SpatioTemporalPrior(cameras, given.astype(np.float32), int(width[0]))


def spread(prior: SpatioTemporalPrior, cameras: Array) -> SpatioTemporalPrior:
    """The same with the ``cameras`` that it lacks, between which nobody passed; numbered from 1 where these are
    few enough numbers from 1, as released code reads them."""
    every = np.union1d(prior.cameras, cameras[cameras >= 0])
    if len(every) and every[0] >= 1 and every[-1] <= 2 * len(every):
        every = np.arange(1, every[-1] + 1)
    histograms = np.zeros((len(every), len(every), prior.histograms.shape[2]), np.float32)
    place = np.searchsorted(every, prior.cameras)
    histograms[place[:, None], place] = prior.histograms
    return SpatioTemporalPrior(every, histograms, prior.bin_frames)


def write_times_mat(path: Path, prior: SpatioTemporalPrior) -> None:
    """Write histograms as st-ReID does; the same bytes for the same ones."""
    with beside(path, "wb") as file:
        file.write(matlab5.dumped(_entries(prior), HEADER))


def write_times_npz(path: Path, prior: SpatioTemporalPrior) -> None:
    """The same with keys of NumPy's."""
    with beside(path, "wb") as file:
        np.savez(file, **_entries(prior))  # type: ignore[arg-type]


def _entries(prior: SpatioTemporalPrior) -> dict[str, Array]:
    entries: dict[str, Array] = {KEY: prior.histograms.astype(np.float64)}
    if not np.array_equal(prior.cameras, np.arange(1, len(prior.cameras) + 1)):
        entries[CAMERAS] = prior.cameras.astype(np.int64)[None]
    if prior.bin_frames != RELEASED:
        entries[BIN_FRAMES] = np.array([[prior.bin_frames]], np.int64)
    return entries


def _cameras(path: Path, given: Any, count: int, problems: list[str]) -> Array:
    """The cameras of the histograms; 1, 2, … where the file does not say them, or says them wrongly."""
    usual = np.arange(1, count + 1)
    if given is None:
        return usual
    values = np.ravel(given)
    whole = values.dtype.kind in "iuf" and bool(np.isfinite(values).all() and (values % 1 == 0).all())
    if not whole or len(values) != count or (np.diff(values, prepend=-1) <= 0).any() or values[-1] >= 2**53:
        problems.append(
            f"{path}: wanted {CAMERAS} as {count} ascending whole numbers from 0, one for each camera of {KEY}, "
            f"found {what(given)} ({examples(values.tolist())}); write them so, or leave them out"
        )
        return usual
    return values.astype(np.int64)


def _faults(path: Path, given: Array, cameras: Array) -> list[str]:
    """What keeps numbers from being shares, with the pairs of cameras, earlier to later."""
    values = given.astype(np.float64)
    finite = np.isfinite(values).all(axis=2)
    sums = np.where(np.isfinite(values), values, 0).sum(axis=2)
    checks = (
        (~finite, "finite shares", "NaN or infinity"),
        ((values < 0).any(axis=2), "shares of 0 or more", "negative ones"),
        (
            finite & (values >= 0).all(axis=2) & (np.minimum(abs(sums - 1), abs(sums)) > CLOSE),
            "shares that add up to 1 from camera to camera, or to 0 where nobody passed",
            "other sums",
        ),
    )
    problems = []
    for wrong, wanted, found in checks:
        pairs = [f"{cameras[b]} to {cameras[a]}" for a, b in np.argwhere(wrong).tolist()]
        if pairs:
            problems.append(
                f"{path}: wanted {wanted}, found {found} for {len(pairs)} pairs of cameras ({examples(pairs)}); "
                "fit the histograms again"
            )
    return problems
