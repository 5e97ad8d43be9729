"""Tracklets: which frames of a recording a model sees, and how their features become one.

Source: the sampling of FGReID (``evaluate_videos.py``). Differs: every tracklet has a random generator of its own,
seeded by its name, so that its features do not depend on what was extracted before it or on the number of workers.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ensemble.base.errors import InputError
from postproc import l2_normalize

SAMPLINGS = ("uniform", "dense", "all")


@dataclass(frozen=True)
class Clips:
    """How a tracklet becomes clips.

    sampling: ``uniform``: at most ``most`` frames, spread over the tracklet with some chance; ``dense``: all
              frames in order, at most ``most`` + 1 clips; ``all``: every frame, without a limit.
    length:   frames a clip; what the last one lacks is filled with its own frames over again.
    most:     frames (``uniform``; FGReID: 32 on MARS, 40 elsewhere).
    seed:     of the chance in ``uniform``.
    """

    sampling: str = "uniform"
    length: int = 4
    most: int = 40
    seed: int = 0


def clips(name: str, frames: int, how: Clips) -> list[list[int]]:
    """The clips of a tracklet, each ``how.length`` places among its ``frames``.

    >>> clips("0001C1T0001", 7, Clips(sampling="dense", length=5))
    [[0, 1, 2, 3, 4], [5, 6, 5, 6, 5]]
    """
    places = list(range(frames))
    if how.sampling == "uniform":
        places = _spread(name, frames, how)
    found = [places[start : start + how.length] for start in range(0, len(places), how.length)]
    if how.sampling == "dense":
        found = found[: how.most + 1]
    last = found[-1]
    found[-1] = [last[place % len(last)] for place in range(how.length)]
    return found


def _spread(name: str, frames: int, how: Clips) -> list[int]:
    """All frames, or ``most`` of them: one of about every ``frames // most``."""
    every = frames // how.most
    if not every:
        return list(range(frames))
    words = np.frombuffer(hashlib.sha256(name.encode()).digest()[:16], "<u4")
    random = np.random.Generator(np.random.PCG64([how.seed, *words.tolist()]))
    short = how.most * (every + 1) - frames  # so many stand for `every` frames, the others for one more
    early = random.choice(every * short, short, replace=False)
    late = every * short + random.choice(frames - every * short, how.most - short, replace=False)
    return sorted(early.tolist()) + sorted(late.tolist())


def join(frames: np.ndarray, of: Sequence[Sequence[int]], unit: bool) -> np.ndarray:
    """One feature of a tracklet: the mean of its frames in every clip, and the mean of the clips.

    Takes:   frames (n, d), clips as places among them.
    unit:    every clip is made length 1 before the mean (FGReID's second way); the mean is left as it is.
    """
    return mean(np.stack([frames[list(places)].mean(axis=0) for places in of]), unit)


def mean(clips: np.ndarray, unit: bool) -> np.ndarray:
    """One feature of clips (n, d): their mean, each made length 1 before it where ``unit`` says so."""
    found: np.ndarray = (l2_normalize(clips) if unit else clips).mean(axis=0, dtype=np.float32)
    return found


@dataclass(frozen=True)
class Tracklets:
    """The tracklets of one side: their names, the files of each, and columns of labels."""

    names: list[str]
    frames: list[list[Path]]
    columns: dict[str, np.ndarray]


def mars(root: Path) -> dict[str, Tracklets]:
    """Tracklets of MARS by side, from ``test_name.txt``, ``tracks_test_info.mat`` and ``query_IDX.mat``.

    Names are what the images of a tracklet have in common, ``0002C1T0001``. Junk and distractors stay.

    root:    the folder with ``info`` (or these files themselves) and ``bbox_test``.
    Raises:  InputError where a file is missing or does not hold what it should.
    """
    from scipy.io import loadmat

    from ensemble.io import read_names

    info = root / "info" if (root / "info").is_dir() else root
    try:
        images = read_names(info / "test_name.txt")
        tracks = np.atleast_2d(_only(loadmat(info / "tracks_test_info.mat"))).astype(np.int64)
        queries = _only(loadmat(info / "query_IDX.mat")).astype(np.int64).ravel()
    except (OSError, ValueError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(
            [f"{info}: wanted test_name.txt, tracks_test_info.mat and query_IDX.mat of MARS, but {error}"]
        ) from None
    good = tracks.shape[1] == 4 and len(tracks) and (tracks[:, 0] >= 1).all()
    good = good and (tracks[:, 1] >= tracks[:, 0]).all() and tracks[:, 1].max() <= len(images)
    if not good or queries.min(initial=1) < 1 or queries.max(initial=1) > len(tracks):
        raise InputError([f"{info}: wanted tracks of the images in test_name.txt, found other numbers"])
    asked = np.isin(np.arange(1, len(tracks) + 1), queries)
    found = {}
    for side, rows in (("query", tracks[asked]), ("gallery", tracks[~asked])):
        lists = [images[first - 1 : last] for first, last in rows[:, :2].tolist()]
        frames = [[root / "bbox_test" / name[:4] / name for name in one] for one in lists]
        names = [one[0].rpartition("F")[0] or one[0] for one in lists]
        found[side] = Tracklets(names, frames, {"pid": rows[:, 2], "cam": rows[:, 3]})
    return found


def folders(names: Sequence[str]) -> tuple[list[str], list[list[int]]]:
    """Every folder that holds images as one tracklet: its name and its images, in the order of their names.

    >>> folders(["a/2.png", "a/1.png", "b/1.png"])
    (['a', 'b'], [[1, 0], [2]])
    """
    found: dict[str, list[int]] = {}
    for row, name in enumerate(names):
        found.setdefault(name.rpartition("/")[0] or ".", []).append(row)
    return list(found), [sorted(rows, key=lambda row: names[row]) for rows in found.values()]


def _only(content: dict) -> np.ndarray:
    """The one variable of a .mat file; ValueError where there are several."""
    keys = [key for key in content if not key.startswith("__")]
    if len(keys) != 1:
        raise ValueError(f"a .mat file holds {len(keys)} variables")
    return np.asarray(content[keys[0]])
