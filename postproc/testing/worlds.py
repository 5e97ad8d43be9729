"""A small world with everything in the vocabulary, made up from a seed."""

from collections.abc import Mapping, Sequence

import numpy as np

from postproc.base.vocabulary import VOCABULARY

World = dict[str, np.ndarray]


def around(
    rng: np.random.Generator, centre: np.ndarray, who: np.ndarray, noise: float, *, unit: bool = False
) -> np.ndarray:
    """(n, d) of the dtype of ``centre``: ``centre[who]`` and noise, of unit length or not, block by block."""
    rows = np.empty((len(who), centre.shape[1]), centre.dtype)
    for start in range(0, len(who), 1024):
        block = rows[start : start + 1024]
        block[:] = centre[who[start : start + 1024]]
        block += noise * rng.standard_normal(block.shape, dtype=centre.dtype)
        if unit:
            block /= np.linalg.norm(block, axis=1, keepdims=True)
    return rows


def world(
    nq: int = 12, ng: int = 90, d: int = 16, people: int = 15, cameras: int = 4, seed: int = 0
) -> dict[str, np.ndarray]:
    """Identities around centres, cameras with a shift, tracks, some copies; ``query_pid`` and ``gallery_pid`` too.

    Gallery images 5, 17 and 60 are copies of one. Distances are squared Euclidean.
    """
    rng = np.random.default_rng(seed)
    centre, shift = rng.normal(size=(people, d)), 0.4 * rng.normal(size=(cameras, d))

    seen = (centre[:, None] + shift).reshape(-1, d)  # everybody by every camera

    def side(count: int) -> tuple[np.ndarray, ...]:
        pid, cam = rng.integers(0, people, count), rng.integers(0, cameras, count)
        return around(rng, seen, pid * cameras + cam, 0.5), pid, cam

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
        "clusters": np.where(np.arange(nq) % 4, query_pid % 5, -1),
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


def herd(
    people: int = 60, strangers: int = 15, most: int = 200, d: int = 32, noise: float = 0.2, seed: int = 0
) -> World:
    """A database as animals have it: a few are seen all the time, many once, and some queries are of nobody in it.

    The gallery has ``most / rank^1.3`` images of each of ``people`` identities, rounded, one at least: half of
    them are singletons. Every identity asks with a quarter as many, one at least; ``strangers``, whom the gallery
    lacks, with one to four. ``noise`` is the deviation of a number of an image from that of its identity, which
    has 1; then images get unit length. Without noise every image of an identity is the same.
    """
    rng = np.random.default_rng(seed)
    counts = np.maximum(np.round(most / np.arange(1, people + 1) ** 1.3).astype(int), 1)
    gallery_pid = np.repeat(np.arange(people), counts)
    asked = np.concatenate([np.maximum(counts // 4, 1), 1 + np.arange(strangers) % 4])
    query_pid = np.repeat(np.arange(people + strangers), asked)
    centre = rng.standard_normal((people + strangers, d)).astype(np.float32)
    mixed = [rng.permutation(pid) for pid in (query_pid, gallery_pid)]
    query, gallery = (around(rng, centre, pid, noise, unit=True) for pid in mixed)
    return {"query": query, "gallery": gallery, "query_pid": mixed[0], "gallery_pid": mixed[1]}


def known(data: Mapping[str, np.ndarray]) -> World:
    """What a step may be given of a world: not the labels that scores are computed from."""
    return {name: array for name, array in data.items() if name in VOCABULARY}


def small() -> World:
    """What steps are tried on: :func:`world`, with unknown cameras, copies in one track, queries in one."""
    data = known(world())
    data["query_cam"][[4, 7]] = data["gallery_cam"][[3, 8, 40]] = -1
    data["gallery_track"][[17, 60]] = data["gallery_track"][5]
    data["query_track"][[4, 7]] = data["query_track"][5]
    return data


def pick(data: Mapping[str, np.ndarray], **rows: Sequence[int] | np.ndarray) -> World:
    """The same world with the images ``rows[axis]`` along each axis named, as in ``pick(data, ng=order)``."""
    out = {}
    for name, array in data.items():
        for axis, symbol in enumerate(VOCABULARY[name].axes):
            array = np.take(array, rows[symbol], axis) if symbol in rows else array
        out[name] = array
    return out
