"""Labels as one checked value."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import ArrayLike

from ensemble.base.kinds import Array, Bools, Ints
from ensemble.base.labels import numbered, of_values
from ensemble.base.spellings import canonical
from postproc.base import checks

if TYPE_CHECKING:
    import pandas as pd


class Images(Protocol):
    """Images with tables: of a model's features, of rank lists."""

    @property
    def query_table(self) -> "pd.DataFrame":
        """One row a query, with its name."""

    @property
    def gallery_table(self) -> "pd.DataFrame":
        """One row a gallery image, with its name."""

    def data(self) -> dict[str, np.ndarray]:
        """The columns of both by their names in the vocabulary."""


@dataclass(frozen=True, eq=False)
class Labels:
    """What a score may want to know of queries (nq,) and gallery images (ng,), int64; None: nobody gave it.

    Below 0 is unknown: an unknown identity (``pid``) is nobody's match, an unknown camera (``cam``) is the same as
    no other, also not as another unknown one. ``track``: -1 none. ``own``: the gallery row that is the
    query itself, -1 none. ``one_set``: each image is asked about all others, and every protocol removes its own.
    ``places`` (trials, ng): where each gallery image stands in a data set's own draws,
    among those of its identity and camera. ``uncounted``: the side without cameras where the other has some, which
    count for nothing then.
    """

    query_pid: Ints
    gallery_pid: Ints
    query_cam: Ints | None = None
    gallery_cam: Ints | None = None
    query_track: Ints | None = None
    gallery_track: Ints | None = None
    own: Ints | None = None
    beside: Mapping[str, tuple[Any, Any]] = field(default_factory=dict)
    one_set: bool = False
    places: Ints | None = None
    uncounted: str = ""

    @classmethod
    def checked(
        cls,
        shape: tuple[int, ...],
        query_pid: ArrayLike,
        gallery_pid: ArrayLike | None,
        query_cam: ArrayLike | None = None,
        gallery_cam: ArrayLike | None = None,
        query_track: ArrayLike | None = None,
        gallery_track: ArrayLike | None = None,
        query_image: ArrayLike | None = None,
        gallery_image: ArrayLike | None = None,
        columns: Mapping[str, tuple[ArrayLike, ArrayLike]] | None = None,
    ) -> "Labels":
        """Labels of (nq, ng) images as people give them; ValueError where they do not fit.

        ``columns``: others by name, of queries and of images, for rules that name them. ``gallery_pid`` None: one
        set, whose columns are given once.
        """
        nq, ng = shape
        one_set = gallery_pid is None
        if one_set:
            if nq != ng:
                raise ValueError(
                    f"gallery_pid: wanted identities of the gallery too, found {nq} x {ng} without them"
                )
            gallery_pid, gallery_image = query_pid, None
            query_image = None
            gallery_cam = query_cam if gallery_cam is None else gallery_cam
            gallery_track = query_track if gallery_track is None else gallery_track
        pairs = {"cam": (query_cam, gallery_cam), "image": (query_image, gallery_image)}
        for name, (query, gallery) in pairs.items():
            if (query is None) != (gallery is None):
                present = f"gallery_{name}" if query is None else f"query_{name}"
                raise ValueError(f"query_{name} and gallery_{name}: wanted both or neither, got only {present}")

        def known(name: str, value: ArrayLike | None, count: int) -> Ints | None:
            return None if value is None else checks.labels(name, value, count)

        query_pid, gallery_pid = _numbers(query_pid, gallery_pid)
        query_cam, gallery_cam = _numbers(query_cam, gallery_cam)
        query_track, gallery_track = _numbers(query_track, gallery_track)
        return cls(
            checks.labels("query_pid", query_pid, nq),
            checks.labels("gallery_pid", gallery_pid, ng),
            known("query_cam", query_cam, nq),
            known("gallery_cam", gallery_cam, ng),
            known("query_track", query_track, nq),
            known("gallery_track", gallery_track, ng),
            np.arange(ng)
            if one_set
            else _own(known("query_image", query_image, nq), known("gallery_image", gallery_image, ng)),
            {canonical(name): _sides(name, sides, shape) for name, sides in (columns or {}).items()},
            one_set,
        )

    def take(self, query: Ints, gallery: Ints) -> "Labels":
        """The labels of some rows of both sides."""
        own = None
        if self.own is not None:
            place = np.full(len(self.gallery_pid) + 1, -1)  # one more, for a query that is nowhere
            place[gallery] = np.arange(len(gallery))
            own = place[self.own[query]]
        return replace(
            self,
            query_pid=self.query_pid[query],
            gallery_pid=self.gallery_pid[gallery],
            query_cam=_rows(self.query_cam, query),
            gallery_cam=_rows(self.gallery_cam, gallery),
            query_track=_rows(self.query_track, query),
            gallery_track=_rows(self.gallery_track, gallery),
            own=own,
            beside={name: (q[query], g[gallery]) for name, (q, g) in self.beside.items()},
            places=None if self.places is None else self.places[:, gallery],
        )

    @property
    def unknown(self) -> Bools:
        """(nq,) the queries of unknown identity, which are not scored."""
        found: Bools = self.query_pid < 0
        return found

    def refuse_unless(self, shape: tuple[int, ...]) -> None:
        """Raise ValueError unless there are (nq, ng) labels."""
        checks.labels("query_pid", self.query_pid, shape[0])
        checks.labels("gallery_pid", self.gallery_pid, shape[1])

    def lacking(self, columns: Sequence[str]) -> list[str]:
        """Those of the columns that nobody gave for both sides; cameras may lack."""
        return [name for name in columns if name != "cam" and self._given(name) is None]

    def numbers(self, column: str, *, whole: bool = False) -> tuple[Ints, Ints]:
        """A column of queries and of images as numbers that are equal where the labels are, below 0 unknown.

        whole: the numbers that somebody wrote down, and nothing else.
        """
        sides = self._sides(column)
        text = [found for found in sides if found.dtype == object]
        if whole and text:
            shown = next(value for value in text[0].tolist() if value)
            raise ValueError(f"{column}: wanted whole numbers to tell how far they are apart, found {shown!r}")
        found = numbered(dict(zip(("query", "gallery"), sides, strict=True)))
        return found["query"], found["gallery"]

    def among(self, column: str, side: str, values: Sequence[int | str]) -> Bools:
        """(n,) which images of a side have one of the values in a column."""
        labels = self._sides(column)[0 if side == "query" else 1]
        wanted = of_values(np.array(values, object))
        assert wanted is not None
        found = numbered({"labels": labels, "wanted": wanted})
        return np.isin(found["labels"], found["wanted"]) & (found["labels"] >= 0)

    def _sides(self, column: str) -> tuple[Array, Array]:
        """A column of queries and of images, as :mod:`ensemble.base.labels` has labels."""
        given = self._given(column)
        if given is None:
            raise ValueError(
                f"{column}: wanted this column of queries and gallery, which a rule names, found none"
            )
        query, gallery = (of_values(side) for side in given)
        if query is None or gallery is None:
            raise ValueError(f"{column}: wanted labels, whole numbers or text, found something else")
        return query, gallery

    def _given(self, column: str) -> tuple[Any, Any] | None:
        if column in self.beside:
            return self.beside[column]
        found = getattr(self, f"query_{column}", None), getattr(self, f"gallery_{column}", None)
        return None if found[0] is None or found[1] is None else found

    def columns(self) -> dict[str, Ints]:
        """What is known of the images, by its name in the vocabulary."""
        names = ("query_pid", "gallery_pid", "query_cam", "gallery_cam", "query_track", "gallery_track")
        return {name: value for name in names if (value := getattr(self, name)) is not None}


def apart(label: Ints) -> Ints:
    """The labels, where every unknown one (below 0) is another one: equal where two are known to be the same.

    >>> apart(np.array([7, -1, 7, -1]))
    array([ 7, -2,  7, -4])
    """
    return np.where(label < 0, -1 - np.arange(len(label)), label)


def labels_of(images: Images) -> Labels | None:
    """The labels of these images; None without identities on both sides.

    Which gallery image is the query's own is told by its name and identity, where images have names. Lists that
    each count their own images, so that most of the names on both sides are of other identities, tell nothing.
    """
    data = images.data()
    if "query_pid" not in data or "gallery_pid" not in data:
        return None
    cams = ("query_cam", "gallery_cam")
    names = [*(cams if all(name in data for name in cams) else ()), "query_track", "gallery_track"]
    at = {name: row for row, name in enumerate(images.gallery_table["name"])}
    alike = np.array([at.get(name, -1) for name in images.query_table["name"]], np.int64)
    asked, found = data["query_pid"], data["gallery_pid"][alike]
    other = (alike >= 0) & (asked >= 0) & (found >= 0) & (asked != found)
    tells = getattr(images, "named", True) and 2 * np.count_nonzero(other) <= np.count_nonzero(alike >= 0)
    one_set = bool(getattr(images, "one_set", False))
    own = np.arange(len(found)) if one_set else np.where(other, -1, alike) if tells else None
    known = {name: data[name] for name in names if name in data}
    tables = images.query_table, images.gallery_table
    both = [name for name in tables[0].columns if name in tables[1].columns]
    beside = {name: (tables[0][name].to_numpy(), tables[1][name].to_numpy()) for name in both}
    without = [side for side, cam in zip(("query", "gallery"), cams, strict=True) if cam not in data]
    return Labels(
        data["query_pid"],
        data["gallery_pid"],
        **known,
        own=own,
        beside=beside,
        one_set=one_set,
        uncounted=without[0] if len(without) == 1 else "",
    )


def _sides(name: str, sides: tuple[ArrayLike, ArrayLike], shape: tuple[int, ...]) -> tuple[Array, Array]:
    """A column of queries and of images, one value each."""
    found = [np.asarray(side) for side in sides]
    sizes = tuple(len(side) if side.ndim == 1 else -1 for side in found)
    if sizes != tuple(shape):
        raise ValueError(
            f"{name}: wanted {shape[0]} values of queries and {shape[1]} of images, "
            f"got {' and '.join(str(side.shape) for side in found)}"
        )
    return found[0], found[1]


def _numbers(query: ArrayLike | None, gallery: ArrayLike | None) -> tuple[Any, Any]:
    """Labels of both sides as numbers, where they are text, categories, floats with NaN, or too large for int64.

    What is no label, and (n, m) arrays, stay what they are, for the checks to refuse.
    """
    given = {name: value for name, value in (("query", query), ("gallery", gallery)) if value is not None}
    arrays = [np.asarray(value) for value in given.values()]
    if all(array.dtype.kind == "i" for array in arrays) or any(array.ndim != 1 for array in arrays):
        return query, gallery
    read = {name: found for name, value in given.items() if (found := of_values(value)) is not None}
    if len(read) < len(given):
        return query, gallery
    numbers = numbered(read)
    return numbers.get("query"), numbers.get("gallery")


def _own(query: Ints | None, gallery: Ints | None) -> Ints | None:
    """The gallery row that is the query itself, -1 where there is none."""
    if query is None or gallery is None:
        return None
    rows = {int(number): row for row, number in enumerate(gallery) if number != -1}
    if len(rows) < np.count_nonzero(gallery != -1):
        raise ValueError("gallery_image: wanted every number but -1 once, got one twice")
    return np.array([rows.get(int(number), -1) for number in query], np.int64)


def _rows(column: Ints | None, rows: Ints) -> Ints | None:
    return None if column is None else column[rows]
