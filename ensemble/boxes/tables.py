"""Tables beside track files: cameras with their clocks, travel windows, zones.

    cameras   cam,offset,fps           seconds by which a camera's first frame is late; frames a second
    windows   from,to,min,max          seconds from leaving one camera to coming into another; may be below 0
              also out,in              the zones by which one leaves and comes; empty: any
    zones     cam,zone,x1,y1,x2,y2     rectangles in pixels; in several, the first of the table counts

A camera is a number, or a name with one in it (``c041``). Without a first line of titles, two columns are the
``cam_timestamp`` files of AI City: camera and offset.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from ensemble.base.collecting import collecting
from ensemble.base.errors import InputError, examples, near, printable, refuse_if_any
from ensemble.base.kinds import Floats, Ints
from ensemble.boxes.reading import camera_number
from ensemble.boxes.value import Boxes

FPS = 10.0  # of AI City's videos, but for some


@dataclass(frozen=True)
class Clocks:
    """When a frame was: ``offset[cam] + (frame - first) / fps[cam]`` seconds."""

    offset: dict[int, float] = field(default_factory=dict)
    fps: dict[int, float] = field(default_factory=dict)
    usual: float = FPS
    first: int = 1

    def seconds(self, boxes: Boxes) -> Floats:
        """(n,) when every box was."""
        cams, of = np.unique(boxes.cam, return_inverse=True)
        offset = np.array([self.offset.get(cam, 0.0) for cam in cams.tolist()])[of]
        fps = np.array([self.fps.get(cam, self.usual) for cam in cams.tolist()])[of]
        found: Floats = offset + (boxes.frame - self.first) / fps
        return found


@dataclass(frozen=True)
class Window:
    """The way from one camera to another takes ``low`` to ``high`` seconds; ``out``, ``into``: zones, "" any."""

    start: int
    end: int
    low: float
    high: float
    out: str = ""
    into: str = ""


@dataclass(frozen=True)
class Zone:
    """A part of a camera's picture: left, top, right, bottom."""

    cam: int
    name: str
    box: tuple[float, float, float, float]


def cameras(path: Path, *, usual: float = FPS, first: int = 1) -> Clocks:
    """Read the table of cameras; InputError with all its faults."""
    rows = _rows(path, ("cam",), ("offset", "fps"), bare=("cam", "offset"))
    problems: list[str] = []
    cams = _cameras(path, rows, "cam", problems)
    offset = _numbers(path, rows, "offset", problems) if "offset" in rows else [0.0] * len(cams)
    fps = _numbers(path, rows, "fps", problems) if "fps" in rows else [usual] * len(cams)
    slow = [f"{rate:g}" for rate in fps if rate <= 0]
    if slow:
        problems.append(f"{path}: wanted frames a second above 0, found {examples(slow)}; correct them")
    if len(set(cams)) < len(cams):
        twice = sorted({cam for cam in cams if cams.count(cam) > 1})
        problems.append(f"{path}: wanted every camera once, found again {examples(twice)}; leave one line")
    refuse_if_any(problems)
    return Clocks(dict(zip(cams, offset, strict=True)), dict(zip(cams, fps, strict=True)), usual, first)


def windows(path: Path) -> list[Window]:
    """Read the table of travel windows; InputError with all its faults."""
    rows = _rows(path, ("from", "to", "min", "max"), ("out", "in"))
    problems: list[str] = []
    start, end = (_cameras(path, rows, name, problems) for name in ("from", "to"))
    low, high = (_numbers(path, rows, name, problems) for name in ("min", "max"))
    back = [f"{a:g} to {b:g}" for a, b in zip(low, high, strict=True) if a > b]
    if back:
        problems.append(f"{path}: wanted min up to max, found {examples(back)}; exchange them")
    same = [a for a, b in zip(start, end, strict=True) if a == b and a >= 0]
    if same:
        problems.append(f"{path}: wanted two different cameras, found {examples(same)} twice; remove the line")
    refuse_if_any(problems)
    out, into = (rows.get(name, [""] * len(start)) for name in ("out", "in"))
    return [Window(*row) for row in zip(start, end, low, high, out, into, strict=True)]


def zones(path: Path) -> list[Zone]:
    """Read the table of zones; InputError with all its faults."""
    rows = _rows(path, ("cam", "zone", "x1", "y1", "x2", "y2"), ())
    problems: list[str] = []
    cams = _cameras(path, rows, "cam", problems)
    corners = [_numbers(path, rows, name, problems) for name in ("x1", "y1", "x2", "y2")]
    nameless = [line for line, name in enumerate(rows["zone"], 2) if not name]
    if nameless:
        problems.append(f"{path}: wanted a name of every zone, found none on line {examples(nameless)}")
    found = [
        Zone(cam, name, (x1, y1, x2, y2))
        for cam, name, x1, y1, x2, y2 in zip(cams, rows["zone"], *corners, strict=True)
    ]
    flat = [f"{zone.name} of camera {zone.cam}" for zone in found if zone.box[0] >= zone.box[2]]
    flat += [f"{zone.name} of camera {zone.cam}" for zone in found if zone.box[1] >= zone.box[3]]
    if flat:
        problems.append(f"{path}: wanted x1 < x2 and y1 < y2, found otherwise in {examples(flat)}; exchange them")
    refuse_if_any(problems)
    return found


def zones_of(cam: Ints, points: Floats, known: Sequence[Zone]) -> list[str]:
    """The zone of every point of a camera, "" where it is in none."""
    found = [""] * len(cam)
    for zone in reversed(known):
        x1, y1, x2, y2 = zone.box
        x, y = points.T
        for row in np.flatnonzero((cam == zone.cam) & (x >= x1) & (x < x2) & (y >= y1) & (y < y2)).tolist():
            found[row] = zone.name
    return found


def _rows(path: Path, needed: Sequence[str], may: Sequence[str], bare: Sequence[str] = ()) -> dict[str, list[str]]:
    """The columns of a table by name; ``bare``: what they are where there are no titles."""
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise InputError([f"{path}: wanted a table, found none ({error.strerror}); check the path"]) from None
    except UnicodeDecodeError:
        raise InputError([f"{path}: wanted a table as UTF-8 text, found other bytes; save it again"]) from None
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if not lines:
        raise InputError([f"{path}: wanted a table of {','.join(needed)}, found an empty file; write it again"])
    split = next((sign for sign in (",", ";", "\t") if sign in lines[0]), None)
    cells = [[cell.strip() for cell in line.split(split)] for line in lines]
    titles = [re.sub(r"[\W_]", "", title.casefold()) for title in cells[0]]
    titles = ["cam" if title in ("camera", "camid", "cameraid") else title for title in titles]
    if bare and len(titles) == len(bare) and camera_number(cells[0][0]) is not None:
        titles, cells = list(bare), [[], *cells]
    known = (*needed, *may)
    problems = [f"{path}: wanted a column {name}, found none" for name in needed if name not in titles]
    problems += [
        f"{path}: wanted columns {', '.join(known)}, found {printable(title, 40)!r}{near(title, known)}"
        for title in titles
        if title not in known
    ]
    problems += [
        f"{path}: wanted a column {name} once, found it again" for name in known if titles.count(name) > 1
    ]
    ragged = [line for line, row in enumerate(cells[1:], 2) if len(row) != len(titles)]
    if ragged:
        problems.append(f"{path}: wanted {len(titles)} values a line, found another number on {examples(ragged)}")
    if len(cells) < 2:
        problems.append(f"{path}: wanted a line at least, found only the titles; write it again")
    refuse_if_any(problems)
    return {title: [row[place] for row in cells[1:]] for place, title in enumerate(titles)}


def _cameras(path: Path, rows: dict[str, list[str]], name: str, problems: list[str]) -> list[int]:
    found = [camera_number(text) for text in rows[name]]
    wrong = [printable(text, 30) for text, number in zip(rows[name], found, strict=True) if number is None]
    if wrong:
        problems.append(f"{path}: wanted numbers of cameras in {name}, found {examples(wrong)}; write 41 or c041")
    return [-1 if number is None else number for number in found]


def _numbers(path: Path, rows: dict[str, list[str]], name: str, problems: list[str]) -> list[float]:
    with collecting(problems):
        found, wrong = [], []
        for text in rows[name]:
            try:
                found.append(float(text))
            except ValueError:
                found.append(np.nan)
            if not np.isfinite(found[-1]):
                wrong.append(printable(text, 30))
        if wrong:
            raise InputError([f"{path}: wanted numbers in {name}, found {examples(wrong)}; write them again"])
    return found
