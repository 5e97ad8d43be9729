"""What a place in the list of each of several models is worth, learned from labelled lists."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, get_args

import numpy as np

from ensemble.fusion import labelled_lists, parts
from ensemble.fusion.join import Parts, join
from ensemble.fusion.ranks import places
from ensemble.fusion.scaling import scaler
from ensemble.io.write import beside
from postproc.base.vocabulary import Floats

Method = Literal["bayes", "pos", "prob", "seg", "slide"]
Missing = Literal["none", "refuse"]
Scaling = Literal["min-max", "rank"]
ENDS = {
    "bayes": (5, 10, 15, 20, 30, 100, 200, 500, 1000),  # where trec_eval takes the precision
    "seg": tuple(10 * 2**k - 5 for k in range(10)),
}
LEAST = 0.001  # chance of a hit, and of a miss, where labelled lists have none


@dataclass(frozen=True, eq=False)
class PlaceModel:
    """A join of distances or lists that has learned: :meth:`learn` makes it, :meth:`join` joins.

    method:  which of the joins it is: "bayes" for :func:`~ensemble.fusion.bayes_fuse`, and so on.
    names:   of the models, in the order of the parts; those of a list are their numbers.
    chances: (models, n) float64: how likely a hit is at each place or in each segment, one row a model.
    window, scaling: settings of "slide" and "seg".

    >>> from ensemble.fusion import hit_lists
    >>> lists = hit_lists(np.array([[0, 1], [0, 1]]), np.array([5, 6]), np.array([5, 6]))  # hits: first, second
    >>> PlaceModel.learn("pos", {"net": lists}).chances
    array([[0.5, 0.5]])
    """

    method: Method
    names: tuple[str, ...]
    chances: np.ndarray
    window: int = 0
    scaling: Scaling = "min-max"

    @classmethod
    def learn(
        cls,
        method: Method,
        train_hit_lists: Sequence[np.ndarray] | Mapping[str, np.ndarray],
        *,
        segments: int = 25,
        window: int = 6,
        scaling: Scaling = "min-max",
    ) -> "PlaceModel":
        """Learn from hit lists a model (:func:`~ensemble.fusion.hit_lists`), by name or in order.

        segments, window, scaling: settings of "prob", "slide" and "seg"; others do not look at them.
        Raises ValueError for another method, and for lists that are none.
        """
        if method not in get_args(Method):
            raise ValueError(f"method: wanted one of {', '.join(get_args(Method))}, got {method!r}")
        by_name: dict[str, np.ndarray] = (
            {**train_hit_lists}
            if isinstance(train_hit_lists, Mapping)
            else {str(number): lists for number, lists in enumerate(train_hit_lists)}
        )
        lists = labelled_lists.checked(list(by_name.values()))
        if method == "prob":
            rows = [labelled_lists.by_share(each, segments) for each in lists]
        elif method in ENDS:
            rows = [labelled_lists.by_segment(each, ENDS[method]) for each in lists]
        else:
            rows = [labelled_lists.by_place(each) for each in lists]
        chances = np.zeros((len(rows), max(1, *map(len, rows)) if rows else 1))
        for chance, row in zip(chances, rows, strict=True):
            chance[: len(row)] = row
        return cls(method, tuple(by_name), chances, window if method == "slide" else 0, scaling)

    def of(self, names: Collection[str]) -> "PlaceModel":
        """The same for these models, in this order. Raises ValueError for one that it has not learned from."""
        strange = [name for name in names if name not in self.names]
        if strange:
            raise ValueError(f"names: wanted some of {', '.join(self.names)}, got {', '.join(strange)}")
        return replace(self, names=tuple(names), chances=self.chances[[self.names.index(name) for name in names]])

    @join(lists="padded", host_only=True)
    def join(self, distances: Parts, *, missing: Missing = "none") -> Floats:
        """Join distances, one (nq, n) float32 a model, or lists by :func:`~ensemble.fusion.join_lists`.

        missing: as for :func:`~ensemble.fusion.pos_fuse`.
        Returns: (nq, n) float32, minus the score.
        Raises:  ValueError for another number of parts than it has learned from, and as the joins do.
        """
        used = parts.checked(distances, missing, get_args(Missing))
        if len(used) != len(self.names):
            more = ", ".join(map(str, range(len(self.names) + 1, len(used) + 1)))
            odd = f"part {more} is of no model" if more else f"none of {', '.join(self.names[len(used) :])}"
            raise ValueError(
                f"distances: wanted a part for each model that it has learned from ({', '.join(self.names)}), got "
                f"{len(used)}: {odd}"
            )

        def add(blocks: list[np.ndarray]) -> np.ndarray:
            never = parts.any_of([np.isinf(block) for block in blocks])
            total, nobody = np.zeros(never.shape), ~never
            for chances, block in zip(self.chances, blocks, strict=True):
                block = np.where(never, np.float32(np.inf), block)
                known = np.isfinite(block)
                total += np.where(known, self._points(chances, block, known), self._unknown())
                nobody &= ~known
            return parts.answer(-total, never, nobody)

        return parts.by_rows(
            used, lambda rows: parts.among_known([part[rows] for part in used], add), what="places"
        )

    def save(self, path: str | Path) -> None:
        """Write it as .npz, whole or not at all. Raises InputError where the disk refuses."""
        with beside(Path(path), "wb") as file:
            np.savez(
                file, method=self.method, names=np.array(self.names, np.str_), chances=self.chances,
                window=self.window, scaling=self.scaling,
            )  # fmt: skip

    @classmethod
    def load(cls, path: str | Path) -> "PlaceModel":
        """One that :meth:`save` wrote. Raises FileNotFoundError, and ValueError for another file."""
        wanted = f"{path}: wanted what PlaceModel.save has written"
        try:
            with np.load(path, allow_pickle=False) as file:
                found = {name: file[name] for name in ("method", "names", "chances", "window", "scaling")}
        except (KeyError, ValueError, EOFError, TypeError, AttributeError) as error:
            raise ValueError(f"{wanted}, found another file") from error
        method, scaling, names = str(found["method"]), str(found["scaling"]), tuple(map(str, found["names"]))
        chances = found["chances"]
        fits = chances.ndim == 2 and len(chances) == len(names) and np.isfinite(chances).all()
        if method not in get_args(Method) or scaling not in get_args(Scaling) or not fits:
            raise ValueError(f"{wanted}, found one of method {method!r} and shape {chances.shape}")
        return cls(method, names, chances.astype(np.float64), int(found["window"]), scaling)  # type: ignore[arg-type]

    def _points(self, chances: np.ndarray, block: np.ndarray, known: np.ndarray) -> np.ndarray:
        """What the places of a block are worth; anything where it is not known."""
        place = np.where(known, places(block), 0).astype(np.int64)
        length = known.sum(axis=1, keepdims=True)
        if self.method == "pos":
            return _at(chances, place)
        if self.method == "slide":
            return _window(chances, place, np.maximum(length, 1), self.window)
        if self.method == "prob":
            segment = place // np.maximum(-(-length // len(chances)), 1)
            return np.asarray(_at(chances, segment) / (segment + 1))
        chance = _at(chances, np.searchsorted(ENDS[self.method], place, "right"))
        if self.method == "bayes":
            return _log_odds(chance)
        near = 1 - np.where(known, scaler(block, self.scaling)(block), 1).astype(np.float64)
        return np.asarray(chance * (1 + near))

    def _unknown(self) -> float:
        """What an image adds that a model does not list."""
        return float(_log_odds(np.zeros(1))[0]) if self.method == "bayes" else 0.0


def _at(chances: np.ndarray, number: np.ndarray) -> np.ndarray:
    """The chance there; 0 behind the last."""
    return np.where(number < len(chances), chances[np.minimum(number, len(chances) - 1)], 0)


def _window(chances: np.ndarray, place: np.ndarray, length: np.ndarray, window: int) -> np.ndarray:
    """The mean chance of the places around each one, as far as the list goes."""
    first, behind = np.maximum(place - window, 0), np.minimum(place + window, length - 1) + 1
    sums = np.append(0, np.cumsum(chances))
    last = len(chances)
    return np.asarray((sums[np.minimum(behind, last)] - sums[np.minimum(first, last)]) / (behind - first))


def _log_odds(chance: np.ndarray) -> np.ndarray:
    chance = np.maximum(chance, LEAST)
    return np.asarray(np.log(chance / np.maximum(1 - chance, LEAST)))
