"""The plan of a work folder: found once, read by every task.

plan.json              what the lists are of, how long, and which classes make a part
copies.npz, parts/     what is known of the images (:mod:`ensemble.neighbours.images`)
query.npy, gallery.npy the features, where no file has them as they are needed
pairs/, lists/, …      what tasks have finished
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ensemble.base.errors import InputError
from postproc.pairs import pruned

FORMAT = 1
NAME = "plan.json"
LINK = 4 * 2 * 16 + 32  # bytes of an image in a graph beside its values; fewer in cells
BASE = 320 << 20  # bytes of a worker before it has any task: Python, NumPy, Numba, Dask
CELLS, GRAPH = INDEXES = ("faiss", "faiss-hnsw")  # an inverted file, a graph
TILE = 24 << 20  # bytes of a tile and of its rows, for each thread


@dataclass(frozen=True)
class Plan:
    """What the lists are of, and how the work is cut.

    ``digest`` and ``sizes`` are those of the features (:attr:`postproc.NeighbourLists.digest`), ``width`` values
    each, ``bytes_each`` a value. ``k`` counts the image itself. ``parts`` are the classes at which parts end.
    ``whole``: whether one process would find these lists by whole numbers (:mod:`postproc.pairs.pruned`), so that
    tasks do it too, whatever their processors can. ``sources`` are the files of the features, absolute or in the
    work folder. ``seed`` is that of an index, None: lists are exact; ``probes`` the cells of it that are looked
    through, None: as many as a sample wants; ``index`` which one.
    """

    digest: str
    sizes: tuple[int, int]
    one_set: bool
    width: int
    bytes_each: int
    k: int
    near: bool
    unit_length: bool
    sources: tuple[str, ...]
    parts: tuple[int, ...]
    whole: bool = False
    seed: int | None = None
    probes: int | None = None
    index: str = CELLS
    format: int = FORMAT

    @property
    def key(self) -> str:
        """What tells files of this plan from those of others."""
        return hashlib.blake2b(json.dumps(asdict(self), sort_keys=True).encode(), digest_size=12).hexdigest()

    @property
    def pairs(self) -> list[tuple[int, int]]:
        """All pairs of parts, each once, the smaller number first.

        By whole numbers either part is looked for among both, so that no part need be looked at alone.
        """
        count = len(self.parts)
        others = int(self.whole and count > 1)
        return [(i, j) for i in range(count) for j in range(i + others, count)]

    @property
    def longer(self) -> int:
        """How many candidates of an index a class has, the best of all parts: more than ``k``, since it rounds."""
        return min(candidates(self.k), self.parts[-1])

    def classes(self, part: int) -> range:
        """The classes of a part."""
        return range(self.parts[part - 1] if part else 0, self.parts[part])

    def text(self) -> str:
        """What the lists are of, in words."""
        nq, ng = self.sizes
        images = f"{ng} images" if self.one_set else f"{nq} queries and {ng} gallery images"
        index = "" if self.seed is None else f", approximate by {self.index} with seed {self.seed}"
        probes = "" if self.probes is None else f" and {self.probes} probes"
        return f"{images} x {self.width}, k = {self.k - 1}, features {self.digest[:8]}{index}{probes}"


def read(folder: Path) -> Plan:
    """The plan of a folder; InputError where it is none, or damaged."""
    try:
        said: dict[str, Any] = json.loads((folder / NAME).read_text("utf-8"))
        plan = Plan(**{**said, **{name: tuple(said[name]) for name in ("sizes", "sources", "parts")}})
    except (ValueError, TypeError, KeyError):
        raise InputError(
            [f"{folder / NAME}: wanted the plan of neighbour lists, found a damaged one; delete {folder}"]
        ) from None
    if plan.format != FORMAT:
        raise InputError(
            [f"{folder / NAME}: wanted format {FORMAT}, found {plan.format}; delete {folder}, or use that version"]
        )
    return plan


def task_bytes(classes: int, width: int, each: int, k: int, threads: int, index: bool, whole: bool = False) -> int:
    """What a worker holds for a pair of parts of so many classes each: two blocks of features and two lists.

    With an index the shard of one part too, and once more while it is read. By whole numbers the blocks are
    float32, and numbers and candidates come on top.
    """
    return BASE + threads * TILE + classes * bytes_of_class(width, each, k, threads, index, whole)


def bytes_of_class(width: int, each: int, k: int, threads: int, index: bool, whole: bool = False) -> int:
    found = 2 * (width * each + 8 * (candidates(k) if index else k) + 16)
    if whole:
        found += 2 * (width * (4 - each) + pruned.bytes_of_row(width, k, threads))
    return found + (2 * (2 * width + LINK) if index else 0)


def candidates(k: int) -> int:
    """How many of an index are looked at for ``k``."""
    return k + 8 + k // 8
