"""The gaps in time between cameras that a step has learned, for the cameras that most identities passed.

Of histograms from a file, nobody knows how many identities those were: the first pairs of cameras are shown.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

import postproc
from ensemble.base.kinds import Array
from ensemble.pipeline.steps import Step

CURVES = 12  # pairs of cameras whose gaps are shown
POINTS = 200  # of a curve, at most
NEEDED = ("train_pid", "train_cam", "train_frame")  # who learns gaps takes these


def learns(step: Step) -> bool:
    """Whether a step learns gaps."""
    return set(NEEDED) <= {*step.needs, *step.may_use}


def learned(
    columns: Mapping[str, Array], settings: Mapping[str, Any], given: postproc.SpatioTemporalPrior | None = None
) -> dict[str, Array]:
    """What a step with these settings has learned from ``columns``, or takes from the histograms ``given``.

    Empty where they say nothing of it.

    ``prior_shares`` (pairs, points): the share of each span of time. ``prior_frames`` (points,): where the spans
    begin. ``prior_cameras`` (pairs, 2): from camera to camera. ``prior_people`` (pairs,): how many identities, 0
    where nobody knows.
    """
    if given is not None:
        prior = given.smoothed(settings.get("sigma", 0))
        return _shown(prior, np.zeros((len(prior.cameras), len(prior.cameras)), np.int64))
    if not set(NEEDED) <= set(columns):
        return {}
    known: dict[str, Any] = {name: np.asarray(columns[name]) for name in NEEDED}
    taken: dict[str, Any] = {name: settings[name] for name in ("bin_frames", "bins", "sigma")}
    prior = postproc.fit_prior(**known, **taken)
    return _shown(prior, _identities(known["train_pid"], prior.codes(known["train_cam"]), len(prior.cameras)))


def _shown(prior: postproc.SpatioTemporalPrior, both: Array) -> dict[str, Array]:
    """The curves of the pairs of cameras that most identities passed; ``both``: how many."""
    later, earlier = np.nonzero(prior.histograms.any(axis=2))
    order = np.argsort(-both[later, earlier], kind="stable")[:CURVES]
    if not len(order):
        return {}
    later, earlier = later[order], earlier[order]
    shares = prior.histograms[later, earlier]
    end, step = _spans(shares)
    return {
        "prior_shares": shares[:, :end].reshape(len(order), -1, step).sum(axis=2),
        "prior_frames": np.arange(0, end, step) * prior.bin_frames,
        "prior_cameras": np.stack([prior.cameras[earlier], prior.cameras[later]], axis=1),
        "prior_people": both[later, earlier],
    }


def _identities(pid: Array, camera: Array, cameras: int) -> Array:
    """(cameras, cameras): how many identities passed both; ``camera`` is a number from 0, ``cameras`` unknown."""
    people, first, who = np.unique(pid, return_index=True, return_inverse=True)
    seen = np.zeros((len(people), cameras + 1), bool)
    seen[who, camera] = True
    seen = seen[pid[first] >= 0, :-1]
    both: Array = seen.T.astype(np.int64) @ seen
    np.fill_diagonal(both, 0)
    return both


def _spans(shares: Array) -> tuple[int, int]:
    """How many bins hold 99 in 100 of what is shared out, and how many of them make one point of a curve."""
    end = int(np.searchsorted(np.cumsum(shares.sum(axis=0)) / shares.sum(), 0.99)) + 1
    step = -(-end // POINTS)
    end = min(end + (-end) % step, shares.shape[1] - shares.shape[1] % step) or shares.shape[1]
    return end, step if end % step == 0 else 1
