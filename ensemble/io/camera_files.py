"""Features by camera and identity, as SYSU-MM01's evaluation keeps them: ``NAME_cam1.mat`` to ``NAME_cam6.mat``.

Each holds ``feature``, a cell array (identities, 1): in the cell of an identity a matrix (images, values), one row
an image in the order of their numbers, empty where that camera did not see the identity. Identities count from 1.
The images of the infrared cameras 3 and 6 are the queries, the others the gallery; they are called as the data set
has them, ``cam3/0006/0001.jpg``. Source: the evaluation code of SYSU-MM01 (Wu et al., ICCV 2017) and its versions
in Python.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np

from ensemble.base.broken import BROKEN
from ensemble.base.errors import InputError, examples, refuse_if_any
from ensemble.io import containers, matlab5
from ensemble.io.bounds import TooLarge
from ensemble.io.layouts import Part

CAMERAS = 6
KEY = "feature"
SEARCHED = {"query": (3, 6), "gallery": (1, 2, 4, 5)}
COLUMNS = {side for name in SEARCHED for side in (name, f"{name}_pid", f"{name}_cam")}
ONE_OF_SIX = re.compile(r"(.*)_cam([1-6])\.mat", re.DOTALL)


def names(folder: Path, stem: str) -> dict[int, Path]:
    """The six files of a set by their cameras."""
    return {camera: folder / f"{stem}_cam{camera}.mat" for camera in range(1, CAMERAS + 1)}


def sets(files: Iterable[Path]) -> dict[str, list[Path]]:
    """The sets among these files by name, each with its files as far as they are there: two or more."""
    found: dict[str, list[Path]] = {}
    for file in files:
        match = ONE_OF_SIX.fullmatch(file.name)
        if match and match[1] and file.is_file():
            found.setdefault(match[1], []).append(file)
    return {name: paths for name, paths in found.items() if len(paths) > 1 and all(map(_is_one, paths))}


def are(paths: Sequence[Path]) -> bool:
    """Whether these files of one model are such a set."""
    return len(paths) > 1 and all(ONE_OF_SIX.fullmatch(path.name) for path in paths)


def parts(paths: Sequence[Path]) -> dict[str, Part]:
    """Queries and gallery of a set, with names, identities and cameras; InputError with all that is wrong."""
    match = ONE_OF_SIX.fullmatch(paths[0].name)
    assert match is not None
    cells, problems = read(names(paths[0].parent, match[1]))
    refuse_if_any(problems)
    found = {}
    for side, cameras in SEARCHED.items():
        groups = [(c, i, rows) for c in cameras for i, rows in enumerate(cells[c], 1) if len(rows)]
        if not groups:
            listed = " and ".join(map(str, cameras))
            raise InputError([f"{paths[0].parent}: wanted images of cameras {listed}, found none; extract them"])
        counts = [len(rows) for _, _, rows in groups]
        called = [f"cam{c}/{i:04d}/{row:04d}.jpg" for c, i, rows in groups for row in range(1, len(rows) + 1)]
        found[side] = Part(
            np.concatenate([rows for _, _, rows in groups]).astype(np.float64, copy=False),
            called,
            columns={
                "pid": np.repeat([i for _, i, _ in groups], counts),
                "cam": np.repeat([c for c, _, _ in groups], counts),
            },
        )
    return found


def read(paths: Mapping[int, Path]) -> tuple[dict[int, list[np.ndarray]], list[str]]:
    """The features of each camera and identity, (images, values) or (0, 0), and all that is wrong with them."""
    problems: list[str] = []
    cells: dict[int, list[np.ndarray]] = {}
    absent = [path.name for path in paths.values() if not path.is_file()]
    if absent:
        problems.append(f"{paths[1].parent}: wanted six files, found no {examples(absent, 6)}; write them all")
    for camera, path in paths.items():
        if not path.is_file():
            continue
        try:
            content = path.read_bytes()
            if not content.startswith(b"MATLAB 5.0"):
                raise ValueError("the first bytes are not those of one")
            found = matlab5.cells(content, KEY)
        except (*BROKEN, TooLarge) as error:
            problems.append(
                f"{path}: wanted a MATLAB 5 file, found none that can be read ({error}); write it again"
            )
            continue
        if found is None:
            problems.append(f"{path}: wanted the cell array {KEY}, found none; write it again")
            continue
        matrices = [cell for cell in found if isinstance(cell, np.ndarray) and cell.ndim == 2]
        if len(matrices) < len(found):
            odd = len(found) - len(matrices)
            problems.append(
                f"{path}: wanted a matrix of numbers in every cell, found others in {odd}; write it again"
            )
            continue
        bad = [row for row, matrix in enumerate(matrices, 1) if not np.isfinite(matrix).all()]
        if bad:
            problems.append(
                f"{path}: wanted finite numbers, found others for identity {examples(bad)}; extract again"
            )
        cells[camera] = [matrix if matrix.size else np.zeros((0, 0)) for matrix in matrices]
    widths = {matrix.shape[1] for matrices in cells.values() for matrix in matrices if len(matrix)}
    if len(widths) != 1 and cells:
        found_widths = f"widths {examples(sorted(widths))}" if widths else "no image at all"
        problems.append(
            f"{paths[1].parent}: wanted features of one width, found {found_widths}; extract them again"
        )
    return cells, problems


def _is_one(path: Path) -> bool:
    """Whether this is one camera's file, by its key; a broken one is another's to refuse."""
    try:
        return containers.keys(path) == (KEY,)
    except InputError:
        return False
