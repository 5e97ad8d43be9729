"""Track files: one a camera in MOT's form, or AI City's form, in which a line names its camera.

    MOT      frame,id,x,y,w,h[,conf[,…]]              commas; ten values: the eighth and ninth are ground points
    AI City  cam id frame x y w h [xw yw]             spaces; -1 -1: no ground point

The camera of a MOT file stands in its name, or in that of a folder above it: ``c041.txt``, ``cam_3.txt``,
``camera_0001.txt``, ``S06/c041/gt/gt.txt``, ``7.txt``.
"""

import re
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from ensemble.base.collecting import collecting
from ensemble.base.errors import InputError, examples, printable, refuse_if_any
from ensemble.base.kinds import Floats, Ints
from ensemble.boxes.value import Boxes, joined

FORMS = ("mot", "aicity")
SUFFIXES = (".txt", ".csv")
MOT, CITY = ("frame", "id", "x", "y", "w", "h", "conf"), ("cam", "id", "frame", "x", "y", "w", "h")
WHOLE = ("cam", "id", "frame")
MOT_WORLD = 10  # values of a MOT line with ground points
CAMERA = re.compile(r"(?:^|[^a-z])c(?:am(?:era)?)?[_-]?([0-9]{1,9})(?![0-9])", re.IGNORECASE)
BIGGEST = 2**53  # whole numbers that a float holds


def read(paths: Sequence[Path], *, form: str | None = None, ignored: bool = False) -> Boxes:
    """All boxes of some files and folders; of a folder, every .txt and .csv in it and below.

    form:    "mot" or "aicity"; None: as a file's first line tells, by its commas.
    ignored: leave out boxes of confidence 0, which MOT's ground truth means to be ignored.
    Raises:  InputError with all faults of all files.
    Cost:    2 s and 300 MB for a million boxes.
    """
    problems: list[str] = []
    parts: list[Boxes] = []
    cameras: dict[int | None, Path] = {}
    for file in _files(paths, problems):
        with collecting(problems):
            found, named = _read(file, form)
            if named is not None and named in cameras:
                problems.append(
                    f"{file}: wanted one file a camera, found {cameras[named]} for camera {named} too; leave one"
                )
            cameras.setdefault(named, file)
            parts.append(found)
    refuse_if_any(problems)
    boxes = joined(parts)
    refuse_if_any(_twice("tracks", np.stack([boxes.cam, boxes.frame, boxes.track])))
    return boxes.take(boxes.conf != 0) if ignored else boxes


def camera_of(path: Path) -> int | None:
    """The camera that a path names, the nearest to the file first; None: none.

    >>> [camera_of(Path(name)) for name in ("c041.txt", "S06/c041/gt/gt.txt", "camera_0001.txt", "gt.txt")]
    [41, 41, 1, None]
    """
    for part in reversed((*path.parts[:-1], path.stem)):
        found = camera_number(part)
        if found is not None:
            return found
    return None


def camera_number(text: str) -> int | None:
    """The number in what people call a camera.

    >>> camera_number("c041"), camera_number("S02_c006"), camera_number("12"), camera_number("north")
    (41, 6, 12, None)
    """
    found = CAMERA.search(text)
    if found:
        return int(found[1])
    return int(text) if re.fullmatch("[0-9]{1,9}", text) else None


def _files(paths: Sequence[Path], problems: list[str]) -> list[Path]:
    found: list[Path] = []
    for path in map(Path, paths):
        if path.is_dir():
            inside = sorted(
                file for file in path.rglob("*") if file.suffix.lower() in SUFFIXES and not _hidden(file, path)
            )
            if not inside:
                problems.append(f"{path}: wanted track files ({', '.join(SUFFIXES)}), found none; check the path")
            found += inside
        elif path.exists():
            found.append(path)
        else:
            problems.append(f"{path}: wanted a track file or a folder of them, found none; check the path")
    return list(dict.fromkeys(found))


def _hidden(file: Path, folder: Path) -> bool:
    return any(part.startswith(".") for part in file.relative_to(folder).parts) or not file.is_file()


def _read(file: Path, form: str | None) -> tuple[Boxes, int | None]:
    """A file's boxes, and the camera that its name tells, where its lines do not."""
    lines = [(number, line) for number, line in enumerate(_text(file).splitlines(), 1) if line.strip()]
    if not lines:
        raise InputError([f"{file}: wanted one box a line, found an empty file; write it again"])
    form = form or ("mot" if "," in lines[0][1] else "aicity")
    split = re.compile(r"\s*,\s*" if form == "mot" else r"\s+")
    rows = [split.split(line.strip().rstrip(",")) for _, line in lines]
    names = MOT[:6] if form == "mot" else CITY
    if [cell.lower() for cell in rows[0][:2]] == list(names[:2]):  # titles
        lines, rows = lines[1:], rows[1:]
    short = [number for (number, _), row in zip(lines, rows, strict=True) if len(row) < len(names)]
    if short or not rows:
        wanted = f"{','.join(names)}" if form == "mot" else " ".join(names)
        problem = f"{file}: wanted {wanted} on every line, found fewer values on line {examples(short)}"
        raise InputError([f"{problem}; is it the {form} form?"])
    values, problems = _numbers(file, names, [number for number, _ in lines], rows)
    cam = None if form == "aicity" else camera_of(file)
    if form == "mot" and cam is None:
        problems.append(
            f"{file}: wanted the camera's number in the name of the file or its folder, found none; "
            "call it c001.txt"
        )
    if form == "aicity" and (said := CAMERA.search(file.stem)):
        cams = np.unique(values[:, 0])
        others = [f"{cam:g}" for cam in cams if cam != int(said[1])]
        if others and not problems:
            problems.append(
                f"{file}: wanted lines of camera {said[1]}, as its name says, found {examples(others)} where the "
                "form aicity has the camera; MOT's form has commas between its values"
            )
    if problems:  # what is twice among the lines that can be read is said with them
        places = [names.index(name) for name in ("frame", "id")]
        key = np.stack([values[:, 0] if form == "aicity" else np.zeros(len(values)), *values[:, places].T])
        key = key[:, np.isfinite(key).all(axis=0)]
        problems += _twice(str(file), key[:, np.lexsort(key[::-1])], named=form == "aicity")
    refuse_if_any(problems)
    count = len(rows)
    boxes = Boxes(
        cam=values[:, 0].astype(np.int64) if form == "aicity" else np.full(count, cam, np.int64),
        track=values[:, names.index("id")].astype(np.int64),
        frame=values[:, names.index("frame")].astype(np.int64),
        box=values[:, names.index("x") : names.index("h") + 1],
        conf=_confidence(file, rows, lines) if form == "mot" else np.ones(count),
        world=_world(file, rows, form, lines),
    )
    return boxes, cam


def _text(file: Path) -> str:
    try:
        return file.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise InputError([f"{file}: wanted a track file, found none ({error.strerror}); check it"]) from None
    except UnicodeDecodeError as error:
        raise InputError([f"{file}: wanted text, found another byte at {error.start}; save it as UTF-8"]) from None


def _numbers(
    file: Path, names: Sequence[str], numbers: Sequence[int], rows: Sequence[Sequence[str]]
) -> tuple[Floats, list[str]]:
    """The first values of every line, and what is wrong with them."""
    values = np.array([[_number(cell) for cell in row[: len(names)]] for row in rows])
    problems = []

    def tell(bad: Iterable[bool], wanted: str, remedy: str, column: int) -> None:
        at = [place for place, wrong in enumerate(bad) if wrong]
        if at:
            shown = [f"{printable(rows[place][column], 30)} on line {numbers[place]}" for place in at]
            problems.append(f"{file}: wanted {wanted}, found {examples(shown)}; {remedy}")

    for place, name in enumerate(names):
        column = values[:, place]
        finite = np.isfinite(column)
        tell(~finite, f"numbers in {name}", "write them again", place)
        if name in WHOLE:
            off = finite & ((column % 1 != 0) | (column < 0) | (column > BIGGEST))
            remedy = "detections have no tracks: run a tracker first" if name == "id" else "write it again"
            tell(off, f"whole numbers, 0 or more, in {name}", remedy, place)
        if name in ("w", "h"):
            tell(finite & (column <= 0), f"{name} above 0", "remove these boxes", place)
    return values, problems


def _number(cell: str) -> float:
    try:
        return float(cell)
    except ValueError:
        return np.nan


def _column(file: Path, rows: Sequence[Sequence[str]], at: int, lines: Sequence[tuple[int, str]]) -> Floats:
    """A value that not every line has; 1 where it is missing."""
    found = np.array([_number(row[at]) if len(row) > at else 1.0 for row in rows])
    bad = [number for (number, _), value in zip(lines, found, strict=True) if not np.isfinite(value)]
    if bad:
        wanted = "a number" if at != 6 else "a number for conf"
        raise InputError([f"{file}: wanted {wanted} as value {at + 1}, found another on line {examples(bad)}"])
    return found


def _confidence(file: Path, rows: Sequence[Sequence[str]], lines: Sequence[tuple[int, str]]) -> Floats:
    """(n,) the seventh value; 1 where it is missing or -1, which says that nobody knows."""
    found = _column(file, rows, 6, lines)
    return np.where(found == -1, 1.0, found)


def _world(file: Path, rows: Sequence[Sequence[str]], form: str, lines: Sequence[tuple[int, str]]) -> Floats:
    """(n, 2) ground points, NaN where there are none, which files say by -1 -1."""
    least = MOT_WORLD if form == "mot" else len(CITY) + 2
    there = np.array([len(row) >= least for row in rows])
    found = np.full((len(rows), 2), np.nan)
    if there.any():
        found = np.stack([_column(file, rows, at, lines) for at in (7, 8)], axis=1)
        found[~there | (found == -1).all(axis=1)] = np.nan
    return found


def _twice(where: str, key: Floats | Ints, *, named: bool = True) -> list[str]:
    """A problem where a track is at two places at a time. ``key`` (3, n): camera, frame and id in their order."""
    rows = np.flatnonzero((key[:, 1:] == key[:, :-1]).all(axis=0))
    if not len(rows):
        return []
    shown = [f"camera {c:.0f}, " * named + f"frame {f:.0f}, id {t:.0f}" for c, f, t in key[:, rows[:4]].T.tolist()]
    found = f"{len(rows)} again ({examples(shown)})"
    return [f"{where}: wanted every id once in a frame of a camera, found {found}; remove the copies"]
