"""Features of parts joined into one vector an image."""

from dataclasses import dataclass

import numpy as np

from ensemble.base.errors import InputError

KINDS = ("none", "pcb", "streid", "sum", "max", "concat")
GLOBAL = 16.0  # weight of the whole image beside parts whose weights add up to 1


@dataclass(frozen=True)
class Parts:
    """What becomes of parts (n, p, d) of a model.

    ``none``:    the model's own feature is taken; the concatenated parts where it has none.
    ``pcb``:     every part to length 1, over sqrt(p), values of one channel side by side (layumi): length 1.
    ``streid``:  the same without sqrt(p) (st-ReID): length sqrt(p).
    ``sum``, ``max``, ``concat``: every part x becomes ``sqrt(weight) x / |x|_1``, with weights (n, p) that are
                 divided by their sum (confidences of a pose; without them 1 / p); then their sum, the largest
                 value of each channel, or all of them; beside it the whole image likewise, with weight 16
                 (light-reid).
    """

    kind: str = "none"


def join(found: dict[str, np.ndarray], parts: Parts, weights: np.ndarray | None, model: str) -> np.ndarray:
    """The feature of a model's output ``{"": (n, d), "parts": (n, p, d)}``. Raises InputError without parts."""
    pieces = found.get("parts")
    if parts.kind == "none":
        if "" in found:
            return found[""]
        if pieces is None:
            raise InputError([f"{model}: wanted features from the model, found none; check what it returns"])
        return pieces.reshape(len(pieces), -1)
    if pieces is None:
        raise InputError([f"--parts: wanted parts of {model}, found only whole images; leave out --parts"])
    if parts.kind in ("pcb", "streid"):
        whole = np.float32(np.sqrt(pieces.shape[1])) if parts.kind == "pcb" else np.float32(1)
        unit = _over(pieces, np.linalg.norm(pieces, axis=2, keepdims=True) * whole)
        return np.ascontiguousarray(unit.transpose(0, 2, 1)).reshape(len(unit), -1)
    return _weighted(found.get(""), pieces, parts.kind, weights)


def _weighted(whole: np.ndarray | None, pieces: np.ndarray, kind: str, weights: np.ndarray | None) -> np.ndarray:
    if weights is None:
        weights = np.ones(pieces.shape[:2], np.float32)
    if weights.shape != pieces.shape[:2]:
        raise InputError(
            [f"--part-weights: wanted {pieces.shape[1]} weights an image, found {weights.shape[1]}; check them"]
        )
    weights = _over(weights, weights.sum(axis=1, keepdims=True))
    scaled = np.sqrt(weights)[:, :, None] * _over(pieces, np.abs(pieces).sum(axis=2, keepdims=True))
    joined = {
        "sum": lambda: scaled.sum(axis=1),
        "max": lambda: scaled.max(axis=1),
        "concat": lambda: scaled.reshape(len(scaled), -1),
    }[kind]()
    if whole is not None:
        beside = np.float32(np.sqrt(GLOBAL)) * _over(whole, np.abs(whole).sum(axis=1, keepdims=True))
        joined = np.concatenate([joined, beside], axis=1)
    return joined.astype(np.float32)


def _over(values: np.ndarray, by: np.ndarray) -> np.ndarray:
    """Quotients; nothing over nothing is nothing."""
    found: np.ndarray = values / np.where(by == 0, 1, by).astype(np.float32)
    return found
