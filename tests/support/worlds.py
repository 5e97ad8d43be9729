"""Small worlds to test on, and the strategies that draw them."""

from collections.abc import Mapping

import hypothesis.strategies as st
import numpy as np
from hypothesis.extra.numpy import arrays

from postproc.testing.worlds import around, herd, world

__all__ = ["cubes", "herd", "lattices", "of_unit_length", "passages", "world"]


def of_unit_length(data: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The same images with features of unit length, as inner products want them, and cosine distances."""
    query, gallery = (
        data[side] / np.linalg.norm(data[side], axis=1, keepdims=True) for side in ("query", "gallery")
    )
    return {**data, "query": query, "gallery": gallery, "distances": 1 - query @ gallery.T}


def passages(seed: int = 0) -> dict[str, np.ndarray]:
    """Vehicles that pass every camera once at most, in one track each, and come in pairs that look alike.

    Three queries a vehicle, with its number as their track, from a camera of their own; seven images a track, each
    seen from a side of its own, which adds to the noise.
    """
    rng = np.random.default_rng(seed)
    people, cameras, d = 24, 5, 12
    centre = np.repeat(rng.normal(size=(people // 2, d)), 2, axis=0) + 0.35 * rng.normal(size=(people, d))
    passed = np.argwhere(rng.random((people, cameras)) < 0.8)
    track = np.repeat(rng.permutation(len(passed)), 7)
    pid, cam = np.repeat(passed, 7, axis=0).T
    gallery = around(rng, centre, pid, 0.6)
    query_pid = np.repeat(np.arange(people), 3)
    query = around(rng, centre, query_pid, 0.6)
    cosine = (query / np.linalg.norm(query, axis=1, keepdims=True)) @ (
        gallery / np.linalg.norm(gallery, axis=1, keepdims=True)
    ).T
    return {
        "distances": (1 - cosine).astype(np.float32),
        "query_pid": query_pid,
        "query_track": query_pid,
        "gallery_pid": pid,
        "gallery_cam": cam,
        "gallery_track": track,
    }


def lattices(rows: st.SearchStrategy[int], width: int = 3) -> st.SearchStrategy[np.ndarray]:
    """Features on a coarse grid: every distance is an exact number, ties and copies abound."""
    return rows.flatmap(
        lambda n: arrays(np.int8, (n, width), elements=st.integers(-2, 2)).map(lambda x: x.astype(np.float32))
    )


def cubes(rows: st.SearchStrategy[int], scales: tuple[float, ...] = (1.0,)) -> st.SearchStrategy[np.ndarray]:
    """Corners of a cube in four dimensions times a scale: lengths and cosines are exact, ties abound."""
    signs = st.tuples(*[st.sampled_from([-1.0, 1.0])] * 4)
    row = st.tuples(signs, st.sampled_from(scales)).map(lambda drawn: [sign * drawn[1] for sign in drawn[0]])
    return rows.flatmap(lambda n: st.lists(row, min_size=n, max_size=n)).map(lambda x: np.array(x, np.float32))
