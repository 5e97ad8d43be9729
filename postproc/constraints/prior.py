"""How long an identity takes from camera to camera: histograms learned from labelled images with times.

Source: Wang et al., "Spatial-Temporal Person Re-identification", AAAI 2019, and the code released with it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from postproc.base import checks, runtime
from postproc.base.vocabulary import Floats, Ints, Unchecked

TINY = 1e-7  # added to every divisor, as released


@dataclass(frozen=True, eq=False)
class SpatioTemporalPrior:
    """Shares of the gaps in time between two cameras, a histogram for each ordered pair of cameras.

    ``histograms[a, b, n]`` float32: of the identities seen by camera ``cameras[b]`` first and by ``cameras[a]``
    later, the share whose gap is ``n * bin_frames`` or more and less than ``(n + 1) * bin_frames`` frames. A pair
    of cameras sums to 1, or to 0 where nobody passed; so does a camera with itself. ``cameras`` (C,) int,
    ascending, 0 or more. One read from a file of the released code has ``cameras = 1, 2, ..`` and is to be
    :meth:`smoothed`.
    """

    cameras: Ints
    histograms: Floats
    bin_frames: int = 100

    def __post_init__(self) -> None:
        checks.whole("bin_frames", self.bin_frames, 1)
        count = len(self.cameras)
        cameras = checks.labels("cameras", self.cameras, count)
        if (np.diff(cameras, prepend=-1) <= 0).any():
            raise ValueError(f"cameras: wanted ascending numbers, 0 or more, got {self.cameras!r}")
        histograms = np.ascontiguousarray(self.histograms, np.float32)
        if histograms.ndim != 3 or histograms.shape[:2] != (count, count) or not histograms.shape[2]:
            raise ValueError(f"histograms: wanted shape {(count, count, 'bins')}, got {histograms.shape}")
        if not (histograms >= 0).all() or np.isinf(histograms).any():
            raise ValueError("histograms: wanted finite shares, 0 or more")
        for name, array in (("cameras", cameras), ("histograms", histograms)):
            view = array.view()
            view.flags.writeable = False
            object.__setattr__(self, name, view)
        object.__setattr__(self, "bin_frames", int(self.bin_frames))

    def smoothed(self, sigma: float = 50.0, cut: float = 3.0) -> SpatioTemporalPrior:
        """The same after a Gaussian of ``sigma`` bins, cut at ``cut`` sigma, over every pair; nothing lies beyond
        either end of a histogram. ``sigma`` 0: as it is."""
        checks.between("sigma", sigma, 0, 1e6)
        checks.between("cut", cut, 0, 1e6)
        if sigma == 0:
            return self
        bins = self.histograms.shape[2]
        reach = min(int(cut * sigma), bins - 1)
        away = np.arange(-reach, reach + 1) / sigma
        weights = np.exp(-0.5 * away**2) / (sigma * math.sqrt(2 * math.pi))
        out = np.zeros_like(self.histograms)

        def smooth(pair: tuple[int, int]) -> None:
            curve = np.convolve(self.histograms[pair].astype(np.float64), weights)[reach : reach + bins]
            out[pair] = curve / (curve.sum() + TINY)

        seen = np.argwhere(self.histograms.any(axis=2)).tolist()
        runtime.run(smooth, [(a, b) for a, b in seen], what="smoothing")
        return replace(self, histograms=out)

    def codes(self, cam: np.ndarray) -> np.ndarray:
        """(n,) int64: the place of each camera in ``cameras``; C for one that is not there."""
        count = len(self.cameras)
        place = np.searchsorted(self.cameras, cam)
        return np.where(np.append(self.cameras, -1)[place] == cam, place, count)


def fit_prior(
    train_pid: np.ndarray,
    train_cam: np.ndarray,
    train_frame: np.ndarray,
    *,
    bin_frames: int = 100,
    bins: int = 5000,
    sigma: float = 50.0,
    cut: float = 3.0,
) -> SpatioTemporalPrior:
    """Learn how many frames identities take from camera to camera.

    For every identity the mean frame in each camera; for two of its cameras the gap between these means, counted
    in a histogram of the pair [later, earlier]; every histogram divided by its sum, smoothed by a Gaussian,
    divided by its sum again.

    Takes:   train_pid, train_cam, train_frame (n,) int. Images of unknown identity or camera (-1) are left out.
             Frames must be comparable between cameras: see :func:`cumulative_frames`.
    Returns: a :class:`SpatioTemporalPrior` over the cameras that occur, whatever their numbers.
    bin_frames: 1 or more frames in a bin; in other units of time, as many of those.
    bins:    1 or more. Gaps of ``bins * bin_frames`` or more are left out. Released: 5000 for Market-1501, 3000
             for DukeMTMC.
    sigma:   0 to 1,000,000, in bins. 0 leaves the counts as they are; large: all gaps alike.
    cut:     0 to 1,000,000: the Gaussian ends at that many sigma.
    Raises:  ValueError for lengths that do not fit or a setting out of range.
    Cost:    C^2 histograms of ``bins`` numbers for C cameras, each convolved with 2 cut sigma weights.
    Differs: the released code fails on a gap beyond the last bin, and takes an unknown camera for the last. It
             divides by the number of images and 1e-7; so do we, of times since the identity's first image, so
             that any origin will do. A gap of whole bins may thus count in the bin before.

    >>> pid, cam, frame = np.array([0, 0, 1, 1]), np.array([3, 7, 3, 7]), np.array([0, 120, 0, 210])
    >>> prior = fit_prior(pid, cam, frame, bins=4, sigma=0)
    >>> prior.histograms[1, 0].round(3)  # from camera 3 to camera 7
    array([0. , 0.5, 0.5, 0. ], dtype=float32)
    """
    checks.whole("bin_frames", bin_frames, 1)
    checks.whole("bins", bins, 1)
    checks.between("sigma", sigma, 0, 1e6)
    checks.between("cut", cut, 0, 1e6)
    count = sorted(np.shape(data)[:1] or (0,) for data in (train_pid, train_cam, train_frame))[1][0]
    pid = checks.labels("train_pid", train_pid, count)  # the length that two share is the right one
    cam = checks.labels("train_cam", train_cam, count)
    frame = checks.labels("train_frame", train_frame, count)
    known = (pid >= 0) & (cam >= 0)
    people, who = np.unique(pid[known], return_inverse=True)
    cameras, where = np.unique(cam[known], return_inverse=True)
    shape = len(people), len(cameras)
    cells, size = who * len(cameras) + where, len(people) * len(cameras)
    images = np.bincount(cells, minlength=size).reshape(shape)
    first = np.full(len(people), np.iinfo(np.int64).max)
    np.minimum.at(first, who, frame[known])  # a person's times are measured from the first: gaps know no origin
    sums = np.bincount(cells, weights=frame[known] - first[who], minlength=size).reshape(shape)
    mean = sums / (images + TINY)
    counts = np.zeros((len(cameras), len(cameras), bins), np.float32)
    for high in range(len(cameras)):
        for low in range(high):
            both = (images[:, low] > 0) & (images[:, high] > 0)
            gap = mean[both, low] - mean[both, high]
            place = np.minimum(abs(gap) / bin_frames, bins).astype(np.int64)
            for later, earlier, mine in ((low, high, gap > 0), (high, low, gap <= 0)):
                found = np.bincount(place[mine], minlength=bins)[:bins]
                counts[later, earlier] = found / (found.sum() + TINY)
    return SpatioTemporalPrior(cameras, counts, bin_frames).smoothed(sigma, cut)


def cumulative_frames(
    camera: Unchecked,
    sequence: Unchecked,
    frame: Unchecked,
    *,
    lengths: Mapping[tuple[int, int], int] | None = None,
) -> np.ndarray:
    """Number the frames of a camera through, where every sequence starts anew: Market-1501's do.

    ``out = frame + sum of the lengths of the camera's earlier sequences``.

    Takes:   camera, sequence, frame (n,) int, as ``0002_c1s2_000451_03.jpg`` names them: 1, 2, 451. An image of
             unknown camera or sequence (-1) keeps its frame.
    Returns: (n,) int64.
    lengths: frames of (camera, sequence); one that is missing counts 0. None: the largest frame that
             occurs, so give all images at once (training, query and gallery) and take the result apart.
    Raises:  ValueError for lengths that do not fit.

    >>> cumulative_frames([1, 1, 1, 2], [1, 1, 2, 2], [30, 50, 7, 7])
    array([30, 50, 57,  7])
    """
    count = len(np.atleast_1d(frame))
    camera = checks.labels("camera", camera, count)
    sequence = checks.labels("sequence", sequence, count)
    frame = checks.labels("frame", frame, count)
    known = (camera >= 0) & (sequence >= 0)
    parts, part = np.unique(np.stack([camera[known], sequence[known]], axis=1), axis=0, return_inverse=True)
    part = part.reshape(-1)
    names = [(c, s) for c, s in parts.tolist()]
    if lengths is None:
        last = np.zeros(len(names), np.int64)
        np.maximum.at(last, part, frame[known])
        lengths = dict(zip(names, last.tolist(), strict=True))
    before = [sum(n for (c, s), n in lengths.items() if c == mine and s < now) for mine, now in names]
    out = frame.copy()
    out[known] += np.array(before, np.int64)[part]
    return out
