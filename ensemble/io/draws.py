"""Who takes part in an evaluation, and which gallery images its trials draw, as a data set's own files say it.

``rand_perm_cam`` (SYSU-MM01's ``rand_perm_cam.mat``): a cell array (cameras, 1) of cell arrays (identities, 1) of
matrices (trials, images), each row a permutation of the numbers of an identity's images in that camera, from 1.
``id`` (``test_id.mat``): the identities of a list, which is called like the file.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath

import numpy as np

from ensemble.base.broken import BROKEN, reason
from ensemble.base.errors import InputError, examples, refuse_if_any
from ensemble.base.kinds import Array, Ints
from ensemble.io import containers, matlab5
from ensemble.io.arrays import what

DRAWS, IDENTITIES = "rand_perm_cam", "id"
WHAT = {
    DRAWS: "the draws of an evaluation, read from the folder of the models alone",
    IDENTITIES: "a list of identities, read from the folder of the models alone",
}
_NUMBER = re.compile("[0-9]{1,18}")


@dataclass(frozen=True, eq=False)
class Draws:
    """The permutations (trials, images) of each camera and identity, from 1."""

    path: Path
    orders: dict[tuple[int, int], Ints]

    @property
    def trials(self) -> int:
        """How many there are."""
        return min((len(order) for order in self.orders.values()), default=0)

    def places(self, pid: Ints, cam: Ints, names: Sequence[str]) -> Ints:
        """(trials, ng) the place of each gallery image among those of its identity and camera, from 0.

        Images stand for the numbers of the file in the order of the numbers that they are called by; of names that
        are no numbers, as they come. Images of unknown identity or camera are alone: place 0.
        Raises InputError where the file has other images.
        """
        out = np.zeros((self.trials, len(pid)), np.int64)
        groups: dict[tuple[int, int], list[int]] = {}
        for row, group in enumerate(zip(cam.tolist(), pid.tolist(), strict=True)):
            if min(group) >= 0:
                groups.setdefault(group, []).append(row)
        stems = [PurePath(name).stem for name in names]
        numbered = all(_NUMBER.fullmatch(stem) for stem in stems)
        wrong = []
        for (camera, identity), rows in groups.items():
            order = self.orders.get((camera, identity))
            if order is None or order.shape[1] != len(rows):
                count = 0 if order is None else order.shape[1]
                wrong.append(f"{len(rows)} for {count} of identity {identity} in camera {camera}")
                continue
            if numbered:
                rows = sorted(rows, key=lambda row: int(stems[row]))
            # A permutation turned round says of each image its place.
            out[:, rows] = np.argsort(order[: self.trials], axis=1)
        if wrong:
            raise InputError(
                [
                    f"{self.path}: wanted the gallery images that it draws from, found {len(wrong)} groups of "
                    f"others ({examples(wrong)}); give all images of the gallery, or move the file away"
                ]
            )
        return out


def kind_of(path: Path, keys: Sequence[str] | None) -> str | None:
    """The key of a file that is draws or a list of identities; None for others."""
    if keys is None or path.suffix.lower() != ".mat":
        return None
    return DRAWS if DRAWS in keys else IDENTITIES if tuple(keys) == (IDENTITIES,) else None


def chosen(files: Sequence[Path]) -> Draws | None:
    """The draws of a folder; None where it has none. InputError for two files, and as :func:`read_draws`."""
    if len(files) > 1:
        found = examples([file.name for file in files])
        raise InputError([f"{files[0].parent}: wanted one file of draws, found {found}; move the others away"])
    return read_draws(files[0]) if files else None


def read_draws(path: Path) -> Draws:
    """The draws of a file; InputError with all that is wrong with them."""
    cells = _guarded(path, lambda content: matlab5.nested(content, DRAWS))
    if not isinstance(cells, list) or not all(isinstance(inner, list) for inner in cells):
        where = f"{path}: wanted {DRAWS} as cells of identities in cells of cameras"
        raise InputError([f"{where}, found none; copy it again"])
    orders: dict[tuple[int, int], Ints] = {}
    wrong, trials = [], set()
    for camera, inner in enumerate(cells, 1):
        for identity, order in enumerate(inner, 1):
            if isinstance(order, np.ndarray) and not order.size:
                continue
            where = f"identity {identity} in camera {camera}"
            if not isinstance(order, np.ndarray) or order.ndim != 2:
                wrong.append(f"{where}: {what(order)}")
                continue
            usual = np.arange(1, order.shape[1] + 1)
            if not np.array_equal(np.sort(order, axis=1), np.broadcast_to(usual, order.shape)):
                wrong.append(f"{where}: not each of 1 to {order.shape[1]} once")
                continue
            trials.add(len(order))
            orders[camera, identity] = order.astype(np.int64)
    problems = []
    if wrong or not orders:
        found = f"{len(wrong)} others ({examples(wrong)})" if wrong else "none"
        problems.append(f"{path}: wanted permutations (trials, images), found {found}; copy it again")
    if len(trials) > 1:
        found = examples(sorted(trials))
        problems.append(f"{path}: wanted as many trials everywhere, found {found}; copy it again")
    refuse_if_any(problems)
    return Draws(path, orders)


def read_identities(path: Path) -> Ints:
    """The identities of a file, (n,); InputError where it is no list of whole numbers."""
    values = containers.load(path)[IDENTITIES]
    numbers = np.ravel(values) if isinstance(values, np.ndarray) and values.dtype.kind in "iuf" else np.empty(0)
    if not numbers.size or not (np.isfinite(numbers) & (numbers % 1 == 0) & (abs(numbers) < 2**53)).all():
        where = f"{path}: wanted {IDENTITIES} as a list of whole numbers"
        raise InputError([f"{where}, found {what(values)}; write it so"])
    return numbers.astype(np.int64)


def _guarded(path: Path, action: Callable[[bytes], Array | list | None]) -> Array | list | None:
    try:
        return action(path.read_bytes())
    except BROKEN as error:
        raise InputError(
            [f"{path}: wanted a whole MATLAB 5 file, found a damaged one ({reason(error)}); copy it again"]
        ) from None
