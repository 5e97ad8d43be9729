"""Votes of ranked images for tracks, and the competition for tracks, as they are written down."""

import numpy as np
from numpy.typing import NDArray

from postproc.kernels.reference.basic import Array


def track_votes(ranking: NDArray, tracks: list[list[int]], own: NDArray, offset: float) -> Array:
    """Rows of sum 1: ``sum 1 / (offset + rank) / sqrt(images)``; ``own`` (nq, ng) images take no others' place."""
    out = np.zeros((len(ranking), len(tracks)))
    of = {image: t for t, images in enumerate(tracks) for image in images}
    for q, row in enumerate(ranking.tolist()):
        listed = [image for place, image in enumerate(row) if image >= 0 and image not in row[:place]]
        for place, image in enumerate(listed):
            before = place if own[q, image] else sum(not own[q, other] for other in listed[:place])
            out[q, of[image]] += 1 / (offset + 1 + before) / np.sqrt(len(tracks[of[image]]))
        if out[q].sum():
            out[q] /= out[q].sum()
    return out


def cosines(x: Array) -> Array:
    """(n, n) between rows; 0 with a row of zeros."""
    unit = x / np.maximum(np.sqrt((x**2).sum(axis=1, keepdims=True)), 1e-300)
    return np.minimum(unit @ unit.T, 1)


def compete(
    votes: Array,
    own: NDArray,
    rivals: NDArray,
    apart: NDArray,
    cameras: list[list[int]],
    power: float,
    lend: float,
    sharpen: float,
    rounds: int,
    regroup: bool,
) -> Array:
    """Claims. ``own`` (nq, nt): of the query's camera; ``rivals`` (nq, nq): may pool; ``apart`` (nt, nt): tracks
    of different cameras; ``cameras``: the tracks that compete in each."""
    near = np.where(rivals, cosines(votes), 0)
    open_votes = np.where(own, 0, votes)
    weights = _shares(near**power)
    a = np.where(own, 0, weights @ open_votes)
    alike = np.where(apart, cosines(open_votes.T), 0) ** 2
    alike /= np.maximum(alike.sum(axis=1, keepdims=True), 1)
    a += lend * np.where(own, 0, a @ alike)
    a = first = a / (a.max(initial=0) or 1)
    for number in range(rounds):
        a = a * np.divide(a, a.sum(axis=0), out=np.zeros_like(a), where=a > 0) ** sharpen
        for tracks in cameras:
            a[:, tracks] *= _shares(a[:, tracks]) ** sharpen
        if regroup and number < rounds - 1:
            weights = _shares(np.sqrt(near * cosines(np.sqrt(a))) ** power)
        a = np.where(own, 0, weights @ a)
        a = a / (a.max(initial=0) or 1)
    return a + 1e-9 * first * a.max(axis=1, keepdims=True, initial=0)


def _shares(x: Array) -> Array:
    """Every row over its sum."""
    return np.divide(x, x.sum(axis=1, keepdims=True), out=np.zeros_like(x), where=x > 0)
