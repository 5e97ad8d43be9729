"""A gallery that answers one query at a time: :func:`postproc.rerank` for services."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Annotated, Any

import numpy as np

from postproc.base import checks, settings
from postproc.base.settings import Mutual, Neighbours, Share, TopK, Weight, Within
from postproc.base.vocabulary import Gallery, Nearest, Query, Unchecked
from postproc.context.rerank import rerank
from postproc.online import folders, steps
from postproc.online.build import built
from postproc.online.candidates import Candidates
from postproc.online.changes import with_rows, without_rows
from postproc.online.query import answered
from postproc.online.state import Settings, State
from postproc.online.steps import Transform
from postproc.pairs.listed import NeighbourLists


class GalleryIndex:
    """A gallery whose neighbourhoods are known, so that a query costs one look at the features and little more.

    ``index.rerank(query, top_k)`` is ``postproc.rerank(query[i][None], gallery, …, top_k=top_k)`` for every query
    alone, to rounding: queries do not see each other. Only what a query changes is worked out again: whose list of
    neighbours it enters, whose set of mutual neighbours is another with it, and who shares a member with it.

    gallery:   (n, d) float32, used as it is; not copied, and not to be written to afterwards. What is stored on
               disk is read into memory.
    ids:       (n,) int, 0 or more, each once: names that stay when others leave. None: 0 to n - 1.
    transform: what happens to gallery and queries first: an object with ``transform(features)``, as the fitted
               steps of :mod:`postproc.online.estimators` and scikit-learn's are, or a list of such. None: nothing.
    gallery_cam: (n,) int, -1 unknown: cameras, for a ``transform`` that was fitted with some.
    neighbours: the gallery's own lists, ``postproc.neighbours(gallery, k=k)`` with k of at least k1 and k2 - 1,
               which spares the search; of approximate searches they make approximate answers (``exact`` says so).
    candidates: an index of somebody else's that names images by id, where there are too many features to read for
               every query: an object with ``search(queries, k)``, as faiss' and usearch's are, or a function. It
               sees features after ``transform``, and has to be kept in step when images join or leave. Distances
               to those that it names are computed exactly, others are in no answer: ``exact`` is False then. It
               is not saved. None: all images are looked at.
    shortlist: 1 or more: how many candidates are asked for.
    k1, k2, lambda_value, power, count_self, normalize: as in :func:`postproc.rerank`.

    Threads may ask at the same time, also while another adds or removes: a query is answered from the gallery that
    was there when it came. Adding and removing wait for each other.

    Raises:  ValueError naming the setting or array and what was wanted; TypeError for CUDA tensors.
    Cost:    building: half a product of all by all, n^2 d / 2 multiply-adds, as ``rerank`` of one query takes.
             A query: n d multiply-adds and one reading of the features, some thousand list entries. Memory beside
             the features: some 700 bytes an image at k1 = 20, and 60 an image for every query at a time.

    >>> x = np.array([[0, 1], [4, 0], [4, 1]], np.float32)
    >>> index = GalleryIndex(x, k1=1, k2=1)
    >>> index.rerank(np.array([0, 0], np.float32)).distances.round(3)
    array([[0.058, 0.982, 1.   ]], dtype=float32)
    """

    def __init__(
        self,
        gallery: Gallery,
        *,
        ids: Unchecked = None,
        transform: Transform | None = None,
        gallery_cam: Unchecked = None,
        neighbours: NeighbourLists | None = None,
        candidates: Any = None,
        shortlist: int = 1000,
        k1: Annotated[Neighbours, Mutual()] = 20,
        k2: Neighbours = 6,
        lambda_value: Share = 0.3,
        power: Annotated[Weight, Within(0.01, 64)] = 2.0,
        count_self: bool = False,
        normalize: bool = True,
    ) -> None:
        chosen: dict[str, Any] = {
            "k1": k1, "k2": k2, "lambda_value": lambda_value, "power": power, "count_self": count_self,
            "normalize": normalize,
        }  # fmt: skip
        if wrong := settings.problem(rerank, chosen, ()):
            raise ValueError(wrong)
        self.use_candidates(candidates, shortlist)
        self._transform, self._writing = transform, threading.RLock()
        features = checks.images("gallery", steps.applied(transform, gallery, "gallery", gallery_cam))
        names = _new_ids(ids, len(features), np.empty(0, np.int64))
        self._state: State = built(features, names, Settings(**chosen), neighbours).ready()

    @property
    def ids(self) -> np.ndarray:
        """(n,) int64: the name of every gallery row, as it is now; read only."""
        return self._state.ids

    @property
    def exact(self) -> bool:
        """Whether neighbours are searched exactly and all images are looked at."""
        return self._state.exact and self._candidates is None

    def use_candidates(self, candidates: Any, shortlist: int = 1000) -> None:
        """From now on look at those that ``candidates`` names, at all if it is None: as in the constructor."""
        checks.whole("shortlist", shortlist, 1)
        self._candidates = None if candidates is None else Candidates(candidates, shortlist)

    def __len__(self) -> int:
        return self._state.count

    def __repr__(self) -> str:
        state = self._state
        chosen = ", ".join(f"{name}={value!r}" for name, value in vars(state.settings).items())
        return f"GalleryIndex({state.count} images of {state.features.shape[1]} numbers, {chosen})"

    def rerank(self, query: Query, top_k: TopK = 100, *, cam: Unchecked = None, by_id: bool = False) -> Nearest:
        """The nearest gallery images of every query alone, after re-ranking.

        Takes:   query (d,) or (m, d) float32. For many queries that are known together, :func:`postproc.rerank`
                 costs less a query.
        Returns: :class:`Nearest`: distances (m, top_k) float32 in 0..1, rows (m, top_k) int32 of the gallery as it
                 is now, ties by row. ``by_id``: ids in their place, int64. Where candidates are fewer, the rest
                 is +inf and -1.
        top_k:   1 or more, cut to the gallery; None: all of it.
        cam:     (m,) int, -1 unknown: cameras, for a ``transform`` that was fitted with some.
        """
        checks.top_k(top_k)
        state = self._state  # the one for all that follows, whoever adds or removes meanwhile
        features = checks.images("query", steps.applied(self._transform, _as_rows(query), "query", cam))
        checks.same_width("query", features, "gallery", state.features)
        found = answered(state, features, top_k, self._candidates)
        return Nearest(found.distances, np.where(found.rows < 0, -1, state.ids[found.rows])) if by_id else found

    def add(self, rows: Unchecked, ids: Unchecked = None, *, cam: Unchecked = None) -> np.ndarray:
        """Put images (m, d), or one (d,), behind the others; gives their ids, the next free ones if not given.

        Whatever ``transform`` was fitted on, it is not fitted anew. Cost: m n d multiply-adds, and the sets of the
        images that the new ones change; m of n cost about 2 m / n of building.
        """
        with self._writing:
            features = checks.images("rows", steps.applied(self._transform, _as_rows(rows), "rows", cam))
            checks.same_width("rows", features, "gallery", self._state.features)
            names = _new_ids(ids, len(features), self._state.ids)
            self._state = with_rows(self._state, features, names).ready()
            return names

    def remove(self, ids: Unchecked) -> None:
        """Take images away, by id; those behind move up. At least one has to stay.

        Cost: m n d multiply-adds, and a search of those who have lost more neighbours than the four to spare, or
        the image that was farthest from them.
        """
        with self._writing:
            wanted = np.atleast_1d(np.asarray(ids))
            if not wanted.size:
                return  # an empty list is of no whole numbers
            wanted = checks.labels("ids", wanted, wanted.size)
            order, named = self._state.by_id
            places = np.searchsorted(named, wanted)
            rows = order[np.minimum(places, len(order) - 1)]
            unknown = wanted[self._state.ids[rows] != wanted]
            if unknown.size:
                raise ValueError(
                    f"ids: wanted images of this index, got {unknown[0]}, and {unknown.size} such in all"
                )
            leaving = np.unique(rows)
            if len(leaving) == len(order):
                raise ValueError("ids: wanted at least one image that stays, got all of them")
            self._state = without_rows(self._state, leaving).ready()

    def save(self, folder: str | Path) -> None:
        """Keep the index in a folder. An older one there is replaced once all is written, and whole until then.

        Raises TypeError for a ``transform`` that is none of ours: nothing here is pickled. OSError where the disk
        refuses.
        """
        folders.save(Path(folder), self._state, self._transform)

    @classmethod
    def load(cls, folder: str | Path, *, in_memory: bool = False) -> GalleryIndex:
        """An index from a folder, its features memory-mapped: read when the first query looks at them.

        Raises FileNotFoundError where there is none, ValueError where a file is damaged.
        """
        index = cls.__new__(cls)
        index._writing, index._candidates = threading.RLock(), None
        state, index._transform = folders.load(Path(folder), in_memory=in_memory)
        index._state = state.ready()
        return index


def _as_rows(value: Unchecked) -> Unchecked:
    """One image (d,) as (1, d)."""
    if isinstance(value, (list, tuple)):
        return [value] if value and np.isscalar(value[0]) else value
    return value[None] if getattr(value, "ndim", 0) == 1 else value


def _new_ids(ids: Unchecked, count: int, taken: np.ndarray) -> np.ndarray:
    """Checked ids of new images: whole numbers, 0 or more, each once, none of those that are taken."""
    if ids is None:
        first = int(taken.max(initial=-1)) + 1
        if first + count > 2**63:
            raise ValueError(f"ids: wanted them, as none is free behind {first - 1}, got none")
        return np.arange(first, first + count, dtype=np.int64)
    found = checks.labels("ids", np.atleast_1d(np.asarray(ids)), count)
    if (found < 0).any():
        raise ValueError(f"ids: wanted whole numbers, 0 or more, got {found.min()}")
    values, counts = np.unique(found, return_counts=True)
    if (counts > 1).any():
        raise ValueError(f"ids: wanted each once, got {values[counts > 1][0]} {counts.max()} times")
    if (known := np.isin(values, taken)).any():
        raise ValueError(f"ids: wanted none that is taken, got {values[known][0]}")
    return found
