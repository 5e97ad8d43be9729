"""SYSU-MM01: not rank lists but features, ``NAME_cam1.mat`` … ``NAME_cam6.mat``, for the official evaluation.

:mod:`ensemble.io.camera_files` says what is in them, and reads them as features too.
"""

import re
from collections.abc import Sequence
from pathlib import Path, PurePath

import numpy as np

from ensemble.base.errors import InputError, examples, refuse_if_any
from ensemble.base.features import FeatureSet
from ensemble.io import beside, camera_files, matlab5
from ensemble.io.camera_files import CAMERAS, KEY, ONE_OF_SIX

IDENTITIES = (333, 333, 533, 533, 533, 333)  # cells in the files of the data set, camera by camera
HEADER = "MATLAB 5.0 MAT-file, rank and evaluate with the code of SYSU-MM01"
PROBES = {3: (1,), 6: (1,)}  # infrared cameras, and where each of their identities has to be seen
IMAGE = re.compile(r"(?:.*/)?cam([1-6])/([0-9]{1,9})/[^/]+", re.DOTALL)


def write(
    folder: Path, features: FeatureSet, *, name: str | None = None, identities: Sequence[int] = IDENTITIES
) -> list[Path]:
    """Write the six files of one model; the same bytes for the same features.

    features:   with ``pid`` from 1 and ``cam`` from 1 to 6 on both sides; an image that is on both is taken once.
                Rows go by the number in the image's name where all names are numbers, else as they come.
    name:       what the files' names begin with, the model's name where None.
    identities: cells in each camera's file, those of the data set unless told otherwise.
    Returns:    the paths. Raises InputError with everything that does not fit; then nothing is written.
    """
    values, pid, cam = _images(features, identities)
    paths = [folder / f"{name or features.model}_cam{camera}.mat" for camera in range(1, CAMERAS + 1)]
    for camera, (path, count) in enumerate(zip(paths, identities, strict=True), 1):
        cells = np.empty((count, 1), object)
        for identity in range(count):
            rows = np.flatnonzero((cam == camera) & (pid == identity + 1))
            cells[identity, 0] = values[rows].astype(np.float64) if len(rows) else np.zeros((0, 0))
        with beside(path, "wb") as stream:
            stream.write(matlab5.dumped({KEY: cells}, HEADER))
    return paths


def files(path: Path) -> dict[int, Path]:
    """The six paths that belong to one of them, or to a folder that holds one set."""
    if path.is_dir():
        stems = {match[1] for found in path.iterdir() if (match := ONE_OF_SIX.fullmatch(found.name))}
        if len(stems) != 1:
            found = examples(sorted(stems)) or "none"
            raise InputError(
                [f"{path}: wanted one set of NAME_cam1.mat to NAME_cam6.mat, found {found}; name a file"]
            )
        folder, stem = path, stems.pop()
    else:
        match = ONE_OF_SIX.fullmatch(path.name)
        if match is None:
            raise InputError([f"{path}: wanted a name like NAME_cam1.mat, found another; rename the file"])
        folder, stem = path.parent, match[1]
    return camera_files.names(folder, stem)


def read(path: Path) -> dict[int, list[np.ndarray]]:
    """The features of each camera and identity, (images, values) or (0, 0).

    Raises: InputError with everything that is wrong with the six files.
    """
    cells, problems = camera_files.read(files(path))
    refuse_if_any(problems)
    return cells


def faults(
    path: Path,
    query_names: Sequence[str] = (),
    gallery_names: Sequence[str] = (),
    *,
    identities: Sequence[int] | None = IDENTITIES,
) -> list[str]:
    """Everything that is wrong with the six files that ``path`` belongs to.

    Looked at: all six there and readable, a cell array ``feature`` of as many ``identities`` (None: any number),
    matrices of one width, finite; an identity of the infrared cameras 3 and 6 that camera 1 never saw; and, where
    the names are like ``cam3/0006/0001.jpg``, as many rows as there are images.
    """
    problems: list[str] = []
    cells, wrong = camera_files.read(files(path))
    problems += wrong
    for camera, matrices in cells.items():
        if identities is not None and len(matrices) != identities[camera - 1]:
            found = f"{len(matrices)} in camera {camera}"
            problems.append(
                f"{path.name}: wanted {identities[camera - 1]} identities, found {found}; write a cell for each"
            )
    present = {c: {i for i, matrix in enumerate(matrices, 1) if len(matrix)} for c, matrices in cells.items()}
    for camera, galleries in PROBES.items():
        lost = sorted(present.get(camera, set()) - set().union(*(present.get(c, set()) for c in galleries)))
        if lost and 1 in cells:
            problems.append(
                f"{path.name}: wanted every identity of camera {camera} in camera 1, found {len(lost)} without "
                f"({examples(lost)}); extract their images"
            )
    return problems + _count_faults(path, cells, [*query_names, *gallery_names])


def _images(features: FeatureSet, identities: Sequence[int]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """All images in the order of the files: features, identities and cameras."""
    data = features.data()
    wanted = [f"{side}_{column}" for side in ("query", "gallery") for column in ("pid", "cam")]
    missing = [name for name in wanted if name not in data]
    if missing:
        raise InputError(
            [f"{features.model}: wanted pid and cam of every image, found no {', '.join(missing)}; add them"]
        )
    names = [*features.query_table["name"], *features.gallery_table["name"]]
    pid = np.concatenate([data["query_pid"], data["gallery_pid"]])
    cam = np.concatenate([data["query_cam"], data["gallery_cam"]])
    problems = []
    strange = np.flatnonzero((cam < 1) | (cam > CAMERAS))
    if len(strange):
        found = examples([f"{names[i]}: {cam[i]}" for i in strange])
        problems.append(f"{features.model}: wanted cameras 1 to {CAMERAS}, found {found}; correct the table")
    most = np.asarray(identities)[np.clip(cam, 1, CAMERAS) - 1]
    strange = np.flatnonzero((pid < 1) | (pid > most))
    if len(strange):
        found = examples([f"{names[i]}: {pid[i]}" for i in strange])
        wanted_range = f"1 to {', '.join(map(str, identities))} in cameras 1 to {CAMERAS}"
        problems.append(f"{features.model}: wanted identities {wanted_range}, found {found}; correct the table")
    values = np.concatenate([features.query, features.gallery])
    unknown = np.flatnonzero(np.isnan(values).any(axis=1))
    if len(unknown):
        found = examples([names[i] for i in unknown])
        problems.append(f"{features.model}: wanted features of every image, found none for {found}; extract them")
    refuse_if_any(problems)
    first = {name: row for row, name in reversed(list(enumerate(names)))}
    stems = [PurePath(name).stem for name in names]
    rows = sorted(first.values())
    if all(re.fullmatch("[0-9]{1,18}", stem) for stem in stems):
        rows.sort(key=lambda row: int(stems[row]))
    return values[rows], pid[rows], cam[rows]


def _count_faults(path: Path, cells: dict[int, list[np.ndarray]], names: Sequence[str]) -> list[str]:
    """Where the number of rows is not that of the images, if the names tell camera and identity."""
    matches = [IMAGE.fullmatch(name) for name in dict.fromkeys(names)]
    wanted: dict[tuple[int, int], int] = {}
    for match in matches:
        if match is None:
            return []
        key = int(match[1]), int(match[2])
        wanted[key] = wanted.get(key, 0) + 1
    found = {
        (camera, identity): len(matrix)
        for camera, matrices in cells.items()
        for identity, matrix in enumerate(matrices, 1)
        if len(matrix)
    }
    keys = [key for key in wanted.keys() | found.keys() if key[0] in cells] if wanted else []
    off = sorted(key for key in keys if wanted.get(key, 0) != found.get(key, 0))
    if not off:
        return []
    shown = examples([f"cam{c}/{i:04d}: {found.get((c, i), 0)} for {wanted.get((c, i), 0)}" for c, i in off])
    return [f"{path.name}: wanted a row an image of the lists, found {shown}; extract the others"]
