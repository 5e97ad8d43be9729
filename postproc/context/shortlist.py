"""New distances for the nearest gallery images of every query, all others left as they are."""

from collections.abc import Callable
from functools import partial

import numpy as np

from postproc import kernels
from postproc.base import arrays
from postproc.base.vocabulary import Floats, Nearest
from postproc.pairs import answering
from postproc.pairs.tiles import PairwiseTiles

Rescore = Callable[[np.ndarray, Nearest], np.ndarray]


def rescore_nearest(
    tiles: PairwiseTiles, length: int, rescore: Rescore, *, top_k: int | None, behind: float = 0.0
) -> Floats | Nearest:
    """Distances (nq, ng) in which the ``length`` nearest of every query have new ones, or their ``top_k``.

    ``rescore(queries, shortlist)`` -> (len(queries), length) float32. Copies of an image of the shortlist that
    have no place on it, because copies before them took the last, get what the image got: they are as near.
    ``behind`` is added to the distances of all others. In one set an image is not on its own shortlist.
    """
    layout = tiles.layout
    offsets, members = (arrays.beside(part, layout.like) for part in layout.gallery)
    classes = layout.inverse_there[layout.border :]
    kernel = kernels.of(layout.like)

    def change(strip: np.ndarray, queries: np.ndarray) -> None:
        if layout.one_set:
            answering.set_own(strip, queries)
        if not layout.others:
            return
        found = answering.smallest(strip, min(length, layout.others))
        values, names = rescore(queries, found), classes[found.rows]
        if behind:
            strip += float(np.float32(behind))
        kernel.walk.over_rows(
            partial(kernel.shortlists.write_to_copies, values, names, offsets, members, strip),
            len(strip),
            what="shortlists",
        )

    return answering.answer(tiles, change, top_k=top_k)
