"""Lists of gallery rows: what can be wrong with them, before they are scored and after."""

import numpy as np
from numpy.typing import NDArray

from ensemble.base.errors import InputError, examples, refuse_if_any
from ensemble.base.kinds import Ints
from ensemble.scores.protocol import Protocol
from postproc.base import arrays
from postproc.base.vocabulary import Ranking


def checked(rows: Ranking, ng: int) -> NDArray[np.int32]:
    """``rows`` as C-ordered int32, every one of them a gallery row or -1."""
    array = np.asarray(arrays.host(rows))
    if array.ndim != 2:
        raise ValueError(f"rows: wanted (queries, places), got shape {array.shape}")
    if not np.issubdtype(array.dtype, np.integer):
        raise TypeError(f"rows: wanted whole numbers, got {array.dtype}")
    if array.shape[1] == 0:  # nobody has an answer
        return np.full((len(array), 1), -1, np.int32)
    bad = np.flatnonzero((array.min(axis=1) < -1) | (array.max(axis=1) >= ng))
    if len(bad):
        raise InputError(
            [f"rows: wanted 0 to {ng - 1}, or -1 for none, found others in queries {examples(bad.tolist())}"]
        )
    return np.ascontiguousarray(array, np.int32)


def refuse_faults(fault: Ints, ng: int, protocol: Protocol) -> None:
    """One message for all that is wrong with the lists."""
    from ensemble.scores.counting import cpu

    whole = f"all {ng} gallery rows, because the protocol has no cut"
    needed = whole if protocol.top_k is None else f"{protocol.top_k} places {protocol.cut} removal"
    meaning = {
        cpu.TWICE: "wanted every gallery row once, found one again",
        cpu.GAP: "wanted -1 only at the end, found a row behind it",
        cpu.SHORT: f"wanted {needed}, found shorter lists; give longer ones or set a smaller top_k",
    }
    found = {text: np.flatnonzero(fault == code).tolist() for code, text in meaning.items()}
    refuse_if_any([f"rows: {text} (queries {examples(who)})" for text, who in found.items() if who])
