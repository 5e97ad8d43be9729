"""Small worlds to test on, and the strategies that draw them."""

import hypothesis.strategies as st
import numpy as np
from hypothesis.extra.numpy import arrays


def world(
    nq: int = 12, ng: int = 90, d: int = 16, people: int = 15, cameras: int = 4, seed: int = 0
) -> dict[str, np.ndarray]:
    """Everything in the vocabulary: identities around centres, cameras with a shift, tracks, some copies."""
    rng = np.random.default_rng(seed)
    centre, shift = rng.normal(size=(people, d)), 0.4 * rng.normal(size=(cameras, d))

    def side(count: int) -> tuple[np.ndarray, ...]:
        pid, cam = rng.integers(0, people, count), rng.integers(0, cameras, count)
        return centre[pid] + shift[cam] + 0.5 * rng.normal(size=(count, d)), pid, cam

    (query, query_pid, query_cam), (gallery, gallery_pid, gallery_cam) = side(nq), side(ng)
    (train, train_pid, train_cam) = side(3 * people)

    def with_copies(images: np.ndarray) -> np.ndarray:
        images[5] = images[17] = images[60 % ng]
        return images

    gallery, gallery_cam = with_copies(gallery), with_copies(gallery_cam)
    track = gallery_pid * cameras + gallery_cam
    track[rng.random(ng) < 0.1] = -1
    query_track = np.where(np.arange(nq) % 3, query_pid * cameras + query_cam, -1)

    def probable(cam: np.ndarray) -> np.ndarray:
        return (0.8 * np.eye(cameras)[cam] + 0.2 / cameras).astype(np.float32)

    def classes(images: np.ndarray) -> np.ndarray:
        logits = np.exp(2 * images[:, :4])
        return (logits / logits.sum(axis=1, keepdims=True)).astype(np.float32)

    def grouped(cam: np.ndarray) -> np.ndarray:
        return np.where(np.arange(len(cam)) % 5, cam % 3, -1)  # clusters of cameras, not of any image

    joined = np.concatenate([query, gallery]).astype(np.float32)
    square = np.maximum(((joined[:, None] - joined) ** 2).sum(-1), 0).astype(np.float32)
    return {
        "features": gallery.astype(np.float32),
        "query": query.astype(np.float32),
        "gallery": gallery.astype(np.float32),
        "train": train.astype(np.float32),
        "distances": square[:nq, nq:],
        "query_distances": square[:nq, :nq],
        "gallery_distances": square[nq:, nq:],
        "query_pid": query_pid,
        "gallery_pid": gallery_pid,
        "query_cam": query_cam,
        "gallery_cam": gallery_cam,
        "query_cam_group": grouped(query_cam),
        "gallery_cam_group": with_copies(grouped(gallery_cam)),
        "query_track": query_track,
        "gallery_track": track,
        "gallery_order": rng.permutation(ng),
        "query_frame": rng.integers(0, 5000, nq),
        "gallery_frame": with_copies(rng.integers(0, 5000, ng)),
        "query_scene": query_cam // 2,
        "gallery_scene": gallery_cam // 2,
        "query_cam_prob": probable(query_cam),
        "gallery_cam_prob": probable(gallery_cam),
        "query_quality": rng.random(nq).astype(np.float32),
        "gallery_quality": rng.random(ng).astype(np.float32),
        "query_aux": classes(query),
        "gallery_aux": classes(gallery),
        "train_aux": classes(train),
        "train_pid": train_pid,
        "train_cam": train_cam,
        "train_frame": rng.integers(0, 5000, len(train)),
    }


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
    gallery = centre[pid] + 0.6 * rng.normal(size=(len(pid), d))
    query_pid = np.repeat(np.arange(people), 3)
    query = centre[query_pid] + 0.6 * rng.normal(size=(len(query_pid), d))
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
