"""What others take for the same step, where they have it and are installed: parity first, then CPU seconds."""

import time
from collections.abc import Callable
from importlib.util import find_spec

import numpy as np

import postproc
from bench import plain
from bench.worlds import features

TEMPERATURE, HALF_ROUNDS = 0.05, 20  # the defaults of sinkhorn
CLOSE = 1e-3


def rerank(query: np.ndarray, gallery: np.ndarray) -> np.ndarray:
    """The usual NumPy function, as it is copied from project to project."""
    return plain.rerank(query, gallery)


def sinkhorn(query: np.ndarray, gallery: np.ndarray) -> np.ndarray:
    """POT's, between equal shares; as a distance, whose sum for all pairs is another."""
    import ot

    far = 1 - query.astype(np.float64) @ gallery.T.astype(np.float64)
    rows, columns = (np.full(n, 1 / n) for n in far.shape)
    plan = ot.sinkhorn(rows, columns, far, TEMPERATURE, numItermax=HALF_ROUNDS // 2, stopThr=0, warn=False)
    return -TEMPERATURE * np.log(plan)


Peer = tuple[Callable[[np.ndarray, np.ndarray], np.ndarray], str, tuple[str, ...]]
PEERS: dict[str, Peer] = {  # who, the package, and the sizes that fit into memory
    "rerank": (rerank, "numpy", ("S",)),
    "sinkhorn": (sinkhorn, "ot", ("S", "M", "L")),
}


def processor(name: str, size: str) -> float | None:
    """CPU seconds of the peer of a step at a size; None where there is none. It has to agree with ours first."""
    if name not in PEERS or size not in PEERS[name][2] or find_spec(PEERS[name][1]) is None:
        return None
    peer = PEERS[name][0]
    query, gallery = features(size)
    peer(query[:10], gallery[:20])
    started = time.process_time()
    theirs = peer(query, gallery)
    seconds = time.process_time() - started
    apart = getattr(postproc, name)(query, gallery) - theirs
    most = float(np.abs(apart - np.median(apart)).max())
    if not most < CLOSE:
        raise SystemExit(f"{name}: ours and the peer's differ by {most:.2g}; nothing is compared")
    return seconds
