"""Identities out of groups, the files of a run, and what is said of it."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tomli_w

from ensemble import __version__, io
from ensemble.base.errors import InputError, examples
from ensemble.base.kinds import Ints
from ensemble.boxes import track1
from ensemble.boxes.scores import Scores
from ensemble.boxes.tables import Window
from ensemble.boxes.value import Boxes
from ensemble.track.given import Given
from ensemble.track.recipe import Recipe
from ensemble.track.value import ALONE, LEFT_OUT, Tracklets

TRACKLETS, WINDOWS, RECIPE, RECORD = "tracklets.csv", "windows.csv", "recipe.toml", "run.json"
COLUMNS = ("cam", "track", "id", "start", "end", "entry", "exit", "boxes")


@dataclass(frozen=True, eq=False)
class Result:
    """(t,) identities from 1, by when somebody is first seen; 0: left out. Scores where there is truth."""

    identity: Ints
    boxes: Boxes
    scores: Scores | None = None


def identities(tracklets: Tracklets, group: Ints) -> Ints:
    """(t,) 1, 2, … in the order of first appearance, by camera and track at the same time; 0: left out."""
    own = group.copy()
    alone = own == ALONE
    own[alone] = own.max(initial=0) + 1 + np.arange(int(alone.sum()))
    kept = np.flatnonzero(own != LEFT_OUT)
    order = kept[np.lexsort((tracklets.track[kept], tracklets.cam[kept], tracklets.start[kept]))]
    found = np.zeros(len(own), np.int64)
    number: dict[int, int] = {}
    for row in order.tolist():
        found[row] = number.setdefault(int(own[row]), len(number) + 1)
    return found


def boxes_of(tracklets: Tracklets, identity: Ints) -> Boxes:
    """All boxes of those who are not left out, called by their identities.

    Raises: InputError where an identity would be twice in a frame of a camera.
    """
    named = identity[tracklets.of]
    found = tracklets.boxes.take(named > 0).called(named[named > 0])
    key = np.stack([found.cam, found.frame, found.track])
    again = np.flatnonzero((key[:, 1:] == key[:, :-1]).all(axis=0))
    if len(again):
        shown = [f"identity {i} in camera {c}, frame {f}" for c, f, i in key[:, again[:4]].T.tolist()]
        raise InputError(
            [
                f"result: wanted an identity once in a frame of a camera, found {len(again)} again "
                f"({examples(shown)}); "
                'add { use = "split_repeated" } to clean'
            ]
        )
    return found


def written(
    out: Path, given: Given, recipe: Recipe, result: Result, form: str, more: Sequence[tuple[str, str]]
) -> list[Path]:
    """Write everything into ``out``, all of it or nothing; the paths. ``more``: other files as text, by name."""
    with io.together(out) as stage:
        track1.write(stage / track1.FILE, result.boxes, form, first_frame=given.first_frame)
        io.write_csv(stage / TRACKLETS, COLUMNS, _rows(given.world.tracklets, result.identity))
        names = [track1.FILE, TRACKLETS]
        if given.world.windows:
            io.write_csv(stage / WINDOWS, ("from", "to", "out", "in", "min", "max"), _windows(given.world.windows))
            names.append(WINDOWS)
        texts = [(RECIPE, tomli_w.dumps(recipe.as_toml())), *more]
        names += [name for name, _ in texts]
        texts.append((RECORD, json.dumps(_record(given, recipe, result, form, [*names, RECORD]), indent=1) + "\n"))
        for name, text in texts:
            with io.beside(stage / name) as stream:
                stream.write(text)
    return [out / name for name in [*names, RECORD]]


def files(report: str | None) -> list[str]:
    """What a run may write."""
    return [track1.FILE, TRACKLETS, WINDOWS, RECIPE, *([report] if report else []), RECORD]


def _rows(tracklets: Tracklets, identity: Ints) -> list[tuple[Any, ...]]:
    seconds = [[f"{value:.3f}" for value in side.tolist()] for side in (tracklets.start, tracklets.end)]
    columns = (
        tracklets.cam.tolist(), tracklets.track.tolist(), identity.tolist(), *seconds,
        tracklets.entry, tracklets.exit, tracklets.counts.tolist(),
    )  # fmt: skip
    return list(zip(*columns, strict=True))


def _windows(windows: Sequence[Window]) -> list[tuple[Any, ...]]:
    return [(w.start, w.end, w.out, w.into, f"{w.low:.3f}", f"{w.high:.3f}") for w in windows]


def _record(given: Given, recipe: Recipe, result: Result, form: str, names: Sequence[str]) -> dict[str, Any]:
    return {
        "version": __version__,
        "recipe": {"name": recipe.name, **recipe.as_toml()},
        "submission": track1.FILE,
        "form": form,
        "first_frame": given.first_frame,
        "inputs": [str(path) for path in given.inputs],
        "windows": given.windows_from,
        "counts": counts(given, result),
        "scores": asdict(result.scores) if result.scores else None,
        "notes": given.notes,
        "files": list(names),
    }


def counts(given: Given, result: Result) -> dict[str, int]:
    """How many of everything."""
    tracklets, identity = given.world.tracklets, result.identity
    pairs = np.unique(np.stack([identity, tracklets.cam]), axis=1)
    cameras = np.bincount(pairs[0][pairs[0] > 0])
    return {
        "cameras": len(np.unique(tracklets.cam)),
        "boxes": len(tracklets.boxes),
        "tracks": len(tracklets),
        "identities": int(identity.max(initial=0)),
        "over_cameras": int((cameras > 1).sum()),
        "left_out": int((identity == 0).sum()),
    }


def text(given: Given, result: Result) -> str:
    """What came out, in a line."""
    found = counts(given, result)
    return (
        f"{found['tracks']} tracks of {found['cameras']} cameras are {found['identities']} identities, "
        f"{found['over_cameras']} of them in several cameras; {found['left_out']} tracks are left out"
    )
