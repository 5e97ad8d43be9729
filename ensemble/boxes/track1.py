"""``track1.txt`` of the AI City challenge: identities over cameras, one box a line, single spaces, LF.

    2022   cam id frame x y w h -1 -1       frames from 1; whole numbers
    2024   cam id frame x y w h xw yw       frames from 0; the point on the ground with six places

Source of the forms: the writers of LCFractal/AIC21-MTMC, Yejin0111/AICITY2022-Track1-MTMC and
riips/AIC24_Track1_YACHIYO_RIIPS.
"""

import re
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from ensemble.base.errors import InputError, examples, printable
from ensemble.base.kinds import Bools, Floats, Ints
from ensemble.boxes.value import Boxes, ordered
from ensemble.io import beside

FILE = "track1.txt"
FORMS = {"2022": 1, "2024": 0}  # the number of the first frame
FORMATS = {"track1": "2022", "track1_2024": "2024"}  # as ensemble.validate calls them
NAMES = ("cam", "id", "frame", "x", "y", "w", "h")
LENGTH = 9
_WHOLE = re.compile(r"0|[1-9][0-9]{0,15}")
_NUMBER = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?")


def lines(boxes: Boxes, form: str, *, first_frame: int = 1) -> list[str]:
    """The lines of a file, by camera, frame and identity.

    boxes:       ``track`` are identities, 1 or more; left, top, right and bottom are rounded to whole pixels, half
                 to even, and what is left of or above the picture is cut off.
    first_frame: what the first frame is called in ``boxes``.
    Raises:      InputError where a point on the ground is missing that the form wants, a frame lies before the
                 first, or an identity is below 1.
    """
    kept, corners = _whole(ordered(boxes))
    frame = kept.frame - first_frame + FORMS[form]
    problems = []
    if (kept.frame < first_frame).any():
        found = f"frame {int(kept.frame.min())}"
        problems.append(
            f"{FILE}: wanted frames from {first_frame}, found {found}; say what the first one is called"
        )
    if (kept.track < 1).any():
        problems.append(f"{FILE}: wanted identities from 1, found {int(kept.track.min())}; number them again")
    if form == "2024" and np.isnan(kept.world).any():
        found = f"{int(np.isnan(kept.world).any(axis=1).sum())} of {len(kept)} boxes without"
        problems.append(
            f"{FILE}: wanted points on the ground for the form 2024, found {found}; hand in the form 2022"
        )
    if problems:
        raise InputError(problems)
    head = np.column_stack([kept.cam, kept.track, frame, corners]).tolist()
    ends = _ends(kept, form)
    return [" ".join(map(str, row)) + end for row, end in zip(head, ends, strict=True)]


def write(path: Path, boxes: Boxes, form: str, *, first_frame: int = 1) -> int:
    """Write :func:`lines`; returns how many boxes lie outside the picture and are left out."""
    found = lines(boxes, form, first_frame=first_frame)
    with beside(path, "w") as stream:
        stream.writelines(f"{line}\n" for line in found)
    return len(boxes) - len(found)


def _whole(boxes: Boxes) -> tuple[Boxes, Ints]:
    """Boxes of which something is in the picture, and their whole numbers: left, top, width, height."""
    low = np.maximum(np.rint(boxes.box[:, :2]), 0)
    high = np.rint(boxes.box[:, :2] + boxes.box[:, 2:])
    inside: Bools = np.all(high >= 1, axis=1)
    size = np.maximum(high - low, 1)
    return boxes.take(inside), np.hstack([low, size])[inside].astype(np.int64)


def _ends(boxes: Boxes, form: str) -> Iterable[str]:
    if form == "2022":
        return [" -1 -1"] * len(boxes)
    world: Floats = boxes.world + 0.0  # no negative zero
    return [f" {x:.6f} {y:.6f}" for x, y in world.tolist()]


def recognises(head: bytes) -> str | None:
    """The format of a file by its beginning; None: another. 2024's lines end in a point, 2022's in -1 -1."""
    first = next((line for line in head.decode("utf-8", "replace").splitlines() if line.strip()), "")
    words = first.split()
    if len(words) != LENGTH or not all(_WHOLE.fullmatch(word) for word in words[:3]):
        return None
    if words[7:] == ["-1", "-1"]:
        return "track1"
    return "track1_2024" if all("." in word and _NUMBER.fullmatch(word) for word in words[7:]) else None


def faults(path: Path, form: str) -> list[str]:
    """Everything that is wrong with a file, one line for each kind; empty when nothing is.

    Looked at: nine values with single spaces; whole numbers without zeros before them, 0 or more, ids, w, h and
    2022's frames 1 or more; the last two -1 -1 or numbers; an identity once in a frame of a camera; LF, no
    byte-order mark.
    Raises: InputError if the file cannot be read.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise InputError([f"{path}: wanted a submission, found none ({error.strerror}); check the name"]) from None
    found = _marks(path.name, content)
    rows = content.decode("utf-8", "replace").removeprefix("\ufeff").replace("\r", "").split("\n")
    if rows[-1] == "":
        rows.pop()
    if not rows:
        return [f"{path.name}: wanted one box a line, found an empty file; write it again"]
    return found + _line_faults(path.name, rows, form)


def _marks(name: str, content: bytes) -> list[str]:
    found = []
    if content.startswith(b"\xef\xbb\xbf"):
        found.append(f"{name}: wanted no byte-order mark, found one; save it as plain UTF-8")
    if b"\r" in content:
        found.append(f"{name}: wanted LF at the end of lines, found CR; save it with Unix line ends")
    if content and not content.endswith(b"\n"):
        found.append(f"{name}: wanted LF after the last line, found none; add it")
    return found


def _line_faults(name: str, rows: list[str], form: str) -> list[str]:
    kinds: dict[str, list[str]] = {}
    seen: dict[tuple[str, ...], int] = {}
    first = FORMS[form]
    for number, line in enumerate(rows, 1):
        words = line.split(" ")
        if len(words) != LENGTH or "" in words or "\t" in line:
            kinds.setdefault(f"wanted {' '.join(NAMES)} and two more, single spaces between", []).append(
                f"{printable(line, 40)!r} on line {number}"
            )
            continue
        for label, word in zip(NAMES, words, strict=False):
            least = 0 if label in ("cam", "x", "y") else first if label == "frame" else 1
            if not _WHOLE.fullmatch(word) or int(word) < least:
                kinds.setdefault(f"wanted whole numbers from {least} in {label}", []).append(
                    f"{printable(word, 20)} on line {number}"
                )
        if form == "2022" and words[7:] != ["-1", "-1"]:
            kinds.setdefault("wanted -1 -1 at the end", []).append(f"{' '.join(words[7:])} on line {number}")
        if form == "2024" and not all(_NUMBER.fullmatch(word) for word in words[7:]):
            kinds.setdefault("wanted two numbers, xw yw, at the end", []).append(
                f"{printable(' '.join(words[7:]), 40)} on line {number}"
            )
        key = tuple(words[:3])
        if key in seen:
            again = f"line {number} as line {seen[key]} (camera {key[0]}, id {key[1]}, frame {key[2]})"
            kinds.setdefault("wanted an id once in a frame of a camera", []).append(again)
        seen.setdefault(key, number)
    return [f"{name}: {kind}, found {examples(found)}; write it again" for kind, found in kinds.items()]


def doubts(path: Path, form: str) -> list[str]:
    """What a server accepts and yet is probably a mistake, for a file without faults."""
    found = []
    if path.name != FILE:
        found.append(f"{path.name}: wanted the name {FILE}, as the server does; rename the file")
    values = np.array([line.split()[:3] for line in path.read_text("utf-8").splitlines()], np.int64)
    first = int(values[:, 2].min())
    if form == "2024" and first == 1:
        found.append(f"{path.name}: wanted frames from 0, found none below 1; were they counted from 1?")
    pairs = np.unique(values[:, :2], axis=0)
    who, cameras = np.unique(pairs[:, 1], return_counts=True)
    alone = who[cameras == 1]
    if form == "2022" and len(alone):
        found.append(
            f"{path.name}: wanted identities of two cameras or more, since 2022's truth has no others, found "
            f"{len(alone)} of one camera ({examples(alone.tolist())}); leave them out"
        )
    return found


def summary(path: Path) -> str:
    """What a file without faults holds."""
    values = np.array([line.split()[:3] for line in path.read_text("utf-8").splitlines()], np.int64)
    cams, ids, frames = (len(np.unique(column)) for column in values.T)
    return f"ok: {len(values)} boxes of {ids} identities in {cams} cameras, {frames} frames"
