"""Sets in which it is known who belongs together: many seen once, a few seen very often, tracks in time."""

import numpy as np


def herd(
    seed: int = 0, people: int = 60, largest: int = 60, noise: float = 0.35, d: int = 24
) -> dict[str, np.ndarray]:
    """Animals with 1 to ``largest`` photographs, as in a database: about half have one, few have many.

    ``features`` (n, d) float32 of unit length, ``pid`` (n,), ``cam`` (n,), in no order.
    """
    rng = np.random.default_rng(seed)
    sizes = np.maximum(1, (largest * (1 + np.arange(people)) ** -1.1).astype(int))
    pid = rng.permutation(np.repeat(np.arange(people), sizes))
    centre = rng.normal(size=(people, d))
    x = centre[pid] + noise * rng.normal(size=(len(pid), d))
    x = (x / np.linalg.norm(x, axis=1, keepdims=True)).astype(np.float32)
    return {"features": x, "pid": pid, "cam": rng.integers(0, 5, len(pid))}


def passers(seed: int = 0, people: int = 30, noise: float = 0.5, d: int = 16) -> dict[str, np.ndarray]:
    """Vehicles that come by four cameras one after the other, three images a track; pairs of them look alike.

    Those that look alike pass together, so that their tracks overlap in time. ``frame`` counts from 0; from one
    camera to the next it takes 80 to 120 frames, and a track lasts 20.
    """
    rng = np.random.default_rng(seed)
    kind = np.repeat(rng.normal(size=(people // 2, d)), 2, axis=0)
    centre = kind + 0.15 * rng.normal(size=(people, d))
    rows = []
    for one in range(people):
        start = 500 * (one // 2) + int(rng.integers(0, 10))
        for cam in range(4):
            rows += [(one, cam, 4 * one + cam, start + step) for step in (0, 10, 20)]
            start += 20 + int(rng.integers(80, 121))
    pid, cam, track, frame = np.array(rows).T
    x = centre[pid] + noise * rng.normal(size=(len(pid), d)) / np.sqrt(d)
    x = (x / np.linalg.norm(x, axis=1, keepdims=True)).astype(np.float32)
    order = rng.permutation(len(pid))
    return {
        "features": x[order], "pid": pid[order], "cam": cam[order], "track": track[order], "frame": frame[order],
    }  # fmt: skip


def cosine(features: np.ndarray) -> np.ndarray:
    """(n, n) float32 cosine distances, symmetric to the last bit, +inf on the diagonal."""
    far = np.maximum(1 - features.astype(np.float64) @ features.T.astype(np.float64), 0).astype(np.float32)
    far = np.maximum(far, far.T)
    np.fill_diagonal(far, np.inf)
    return far


def same(found: np.ndarray, wanted: np.ndarray) -> bool:
    """Whether two say the same of who is with whom, -1 alone."""

    def together(labels: np.ndarray) -> np.ndarray:
        return (labels[:, None] == labels) & (labels >= 0) | np.eye(len(labels), dtype=bool)

    return bool((together(np.asarray(found)) == together(np.asarray(wanted))).all())
