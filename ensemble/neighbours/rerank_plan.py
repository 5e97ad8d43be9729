"""The plan of a re-ranking in tasks: of which lists, at which settings, in which ranges of rows."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ensemble.base.errors import InputError
from ensemble.neighbours import making
from ensemble.neighbours.plan import BASE, NAME, TILE
from postproc import NeighbourLists
from postproc.context import kreciprocal
from postproc.pairs import known, long_lists, stored
from postproc.pairs.pairwise import FeatureTerm, Pairwise
from postproc.pairs.stored import Known

FORMAT = 1
LISTS = "graph"  # lists that no folder has, in the work folder
LEAST = 128  # rows of a range
SCRATCH = 36  # bytes an image that a thread marks who was met with
IMAGE = 24  # bytes an image of what a worker knows of all: copies, largest distances
CANDIDATE = long_lists.EACH * long_lists.CANDIDATES * long_lists.QUERIES
ENTRY = 40  # bytes of an entry of averaged V while it is put into its column
SETTINGS: Mapping[str, Any] = {
    "k1": 20, "k2": 6, "lambda_value": 0.3, "power": 2.0, "count_self": False, "normalize": True,
}  # fmt: skip


@dataclass(frozen=True)
class Plan:
    """What is re-ranked, and how the work is cut.

    ``digest`` and ``sizes`` are those of the features, ``width`` values each, in the files ``sources``; ``near``,
    ``distinct`` and ``centred`` are what is known of them (:class:`postproc.pairs.stored.Known`). ``lists`` is the
    folder of the lists, ``content`` the digest of what it says of them; ``entries`` of each are looked at.
    ``step`` images make a range. The others are settings of :func:`postproc.rerank`.
    """

    digest: str
    sizes: tuple[int, int]
    one_set: bool
    width: int
    near: bool
    distinct: bool
    centred: bool
    sources: tuple[str, ...]
    lists: str
    content: str
    entries: int
    step: int
    top_k: int
    k1: int
    k2: int
    lambda_value: float
    power: float
    count_self: bool
    normalize: bool
    format: int = FORMAT

    @property
    def key(self) -> str:
        """What tells files of this plan from those of others, wherever the lists are."""
        said = {**asdict(self), "lists": ""}
        return hashlib.blake2b(json.dumps(said, sort_keys=True).encode(), digest_size=12).hexdigest()

    @property
    def count(self) -> int:
        """How many images there are."""
        return self.sizes[1] if self.one_set else sum(self.sizes)

    @property
    def border(self) -> int:
        """The number of the first gallery image."""
        return 0 if self.one_set else self.sizes[0]

    @property
    def short(self) -> int:
        """How much of a list encoding looks at."""
        return min(self.count, max(self.k1 + (not self.count_self), self.k2))

    @property
    def flags(self) -> tuple[int, int]:
        """How much of a list is looked at for reciprocal neighbours, and for those that expand their sets."""
        return kreciprocal.lengths(self.count, self.k1, self.k1 + (not self.count_self))

    def ranges(self, images: int) -> range:
        """The numbers of the ranges of so many images."""
        return range(-(-images // self.step))

    def rows(self, number: int, images: int) -> range:
        """The images of a range."""
        return range(number * self.step, min((number + 1) * self.step, images))

    def text(self) -> str:
        """What is re-ranked, in words."""
        nq, ng = self.sizes
        images = f"{ng} images" if self.one_set else f"{nq} queries and {ng} gallery images"
        chosen = ", ".join(f"{name} = {getattr(self, name)}" for name in ("top_k", *SETTINGS))
        return f"{images} x {self.width}, {chosen}, features {self.digest[:8]}, lists {self.content[:8]}"


def read(folder: Path) -> Plan:
    """The plan of a folder; InputError where it is none, or damaged."""
    try:
        said: dict[str, Any] = json.loads((folder / NAME).read_text("utf-8"))
        found = Plan(**{**said, **{name: tuple(said[name]) for name in ("sizes", "sources")}})
    except (ValueError, TypeError, KeyError):
        raise InputError(
            [f"{folder / NAME}: wanted the plan of a re-ranking, found a damaged one; delete {folder}"]
        ) from None
    if found.format != FORMAT:
        raise InputError(
            [
                f"{folder / NAME}: wanted format {FORMAT}, found {found.format}; delete {folder}, or use that "
                "version"
            ]
        )
    return found


def make(
    lists: NeighbourLists,
    where: Path,
    sides: Sequence[np.ndarray],
    found: Known,
    *,
    top_k: int,
    settings: Mapping[str, Any],
    budget: int,
    workers: int,
    threads: int,
) -> Plan:
    """A new plan of ``lists``, which are in ``where``.

    Raises InputError for too little memory, short lists, a power that does not fit their distances.
    """
    layout = found.layout
    names = making.SIDES[-len(sides) :]
    chosen = {**SETTINGS, **settings}
    k = min(top_k, max(1, layout.others))
    made = Plan(
        digest=lists.digest,
        sizes=(layout.nq, layout.ng),
        one_set=layout.one_set,
        width=sides[0].shape[1],
        near=found.near,
        distinct=layout.distinct,
        centred=found.centre is not None,
        sources=tuple(making.source_of(side) or f"{name}.npy" for name, side in zip(names, sides, strict=True)),
        lists=str(where),
        content=content_of(where),
        entries=0,
        step=0,
        top_k=k,
        **chosen,
    )
    entries = _entries(made, lists)
    _refuse_power(made, lists)
    return _replaced(made, entries, _step(made, entries, budget, workers, threads))


def _refuse_power(made: Plan, lists: NeighbourLists) -> None:
    """Raise InputError for distances whose power float32 cannot hold, or whose weights are nothing."""
    try:
        kreciprocal.refuse_power(lists.largest, made.power)
        if made.lambda_value < 1 and not made.normalize:
            kreciprocal.refuse_weightless(lists.distances[:, 1:2], made.power)
    except ValueError as error:
        raise InputError([str(error)]) from None


def refuse_large(made: Plan, budget: int, threads: int) -> None:
    """Raise InputError for a budget that the ranges do not fit in."""
    needed = _fixed(made, threads) + made.step * _of_row(made, made.entries)
    if needed > budget:
        _refuse(needed, budget, threads)


def check(lists: NeighbourLists, sides: Sequence[np.ndarray]) -> None:
    """Raise InputError for lists of other features, or that do not say of which."""
    pairs = Pairwise((FeatureTerm(sides[0], sides[-1]),), (len(sides[0]), len(sides[-1])), one_set=len(sides) == 1)
    if not lists.digest:
        raise InputError(
            ["neighbours: wanted lists that say of which features they are, found none such; give digest where "
             "they are handed over"]
        )  # fmt: skip
    try:
        known.check(pairs, lists)
    except ValueError as error:
        raise InputError([str(error)]) from None


def _entries(made: Plan, lists: NeighbourLists) -> int:
    """How much of each list is looked at: what one process looks at, or all where there is less."""
    nq, ng = made.sizes
    held = lists.rows.shape[1]
    wanted = max(made.short, long_lists.entries(nq, ng, made.top_k, one_set=made.one_set))
    least = max(made.short, min(made.count, -(-made.top_k * made.count // ng) + made.one_set))
    if held < least:
        raise InputError(
            [f"neighbours: wanted lists of k = {least - 1} or more for top_k = {made.top_k}, found "
             f"k = {held - 1}; make longer ones (k = {wanted - 1} is best), or ask for fewer"]
        )  # fmt: skip
    return min(wanted, held)


def _step(made: Plan, entries: int, budget: int, workers: int, threads: int) -> int:
    """Images in a range: as many as fit, fewer where tasks would be too few."""
    each, fixed = _of_row(made, entries), _fixed(made, threads)
    least = min(made.count, LEAST)
    fits = (budget - fixed) // each
    if fits < least:
        _refuse(fixed + least * each, budget, threads)
    return int(max(least, min(fits, -(-made.count // (4 * workers)))))


def _fixed(made: Plan, threads: int) -> int:
    return BASE + threads * (TILE + SCRATCH * made.count + CANDIDATE) + IMAGE * made.count


def _of_row(made: Plan, entries: int) -> int:
    """Bytes of an image of a range: its list, its answer, its averaged V on the way to its columns."""
    averaged = int((made.k1 + 1) * (1.5 + 0.75 * made.k2))
    return 16 * entries + 8 * made.top_k + ENTRY * averaged


def _refuse(needed: int, budget: int, threads: int) -> None:
    raise InputError(
        [f"--memory: wanted {-(-needed // 10**6)}MB or more for a worker of {threads} threads, found "
         f"{budget // 10**6}MB; give more, or start workers of fewer threads"]
    )  # fmt: skip


def _replaced(made: Plan, entries: int, step: int) -> Plan:
    return Plan(**{**asdict(made), "entries": entries, "step": step})


def content_of(lists: Path) -> str:
    """What tells lists in a folder from others: what it says of them, whatever its files are called."""
    said = json.loads((lists / "neighbours.json").read_text("utf-8"))
    said.pop("number")
    for head in said["arrays"].values():
        head.pop("file")
    return hashlib.blake2b(json.dumps(said, sort_keys=True).encode(), digest_size=12).hexdigest()


def known_arrays(found: Known) -> dict[str, np.ndarray]:
    """What tasks want to know of all images, by name."""
    layout = found.layout
    arrays = {"norms": found.norms}
    if not layout.distinct:
        arrays |= {"inverse": layout.inverse, "first": layout.first}
    if found.centre is not None:
        arrays["centre"] = found.centre
    return arrays


def known_of(made: Plan, arrays: Mapping[str, np.ndarray]) -> Known:
    """The same from arrays."""
    everybody = np.arange(made.count, dtype=np.int32) if made.distinct else None
    inverse = arrays["inverse"] if everybody is None else everybody
    first = arrays["first"] if everybody is None else everybody
    layout = stored.Layout(*made.sizes, inverse, first, one_set=made.one_set)
    return Known(layout, arrays["norms"], arrays.get("centre"), made.near)
