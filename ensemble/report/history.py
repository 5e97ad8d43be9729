"""What a run keeps for its report: the first places of every step and what curves need, in one file.

``report.npz`` holds arrays of numbers and one text in JSON. Reading it executes nothing.
"""

import json
from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ensemble import io
from ensemble.base.broken import told
from ensemble.io.bounds import TooLarge
from ensemble.io.readers.numpy_files import NPZ

FILE = "report.npz"
VERSION = 1
TEXT = ("pid", "cam", "track")  # columns of labels
WRONG, GOOD, JUNK, UNKNOWN = range(4)  # what an image is to a query

Arrays = Mapping[str, np.ndarray]


@dataclass(frozen=True, eq=False)
class Step:
    """A ranking as it was after one step.

    label:     what to call it; ``kind`` is ``model`` or ``step``, ``state`` what it gave, ``features`` or
               ``distances``; ``after`` the number of the step whose result it changed, -1 none.
    rows:      (nq, k) int32 places in ``History.images``, -1 none; ``distances`` (nq, k) float32 (NaN: not known);
               ``relation`` (nq, k) int8, one of WRONG, GOOD, JUNK, UNKNOWN.
    scores:    numbers by name, with ``cmc``; None without labels.
    ap, first_hit: (nq,) each query's own, NaN and -1 for none; None without labels.
    curves:    arrays for the plots, by name.
    """

    label: str
    what: str
    kind: str
    state: str
    after: int
    seconds: float
    rows: np.ndarray
    distances: np.ndarray
    relation: np.ndarray
    scores: Mapping[str, Any] | None = None
    ap: np.ndarray | None = None
    inp: np.ndarray | None = None
    first_hit: np.ndarray | None = None
    curves: Arrays = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class History:
    """All of a run that its report shows.

    queries, images: columns by name: ``name`` (list of text) and any of ``pid cam track frame`` (n,) int64, labels
                     that are text as such; images are those of the gallery that stand in some list.
    record:          what ``run.json`` says; empty for a submission alone.
    unscored:        why there are no scores; empty where there are.
    extras:          arrays of the whole run: ``agreement``, ``hardest_*``, ``prior_*``.
    leave_out:       what the recipe is worth without each model, a row each; ``note`` says why there is none.
    """

    title: str
    queries: Mapping[str, Any]
    images: Mapping[str, Any]
    steps: tuple[Step, ...]
    record: Mapping[str, Any]
    unscored: str = ""
    extras: Mapping[str, Any] = field(default_factory=dict)
    leave_out: tuple[Mapping[str, Any], ...] = ()
    note: str = ""

    @property
    def final(self) -> Step:
        """The result of the run."""
        return self.steps[-1]

    @property
    def before(self) -> Step | None:
        """What the distance steps began with: the last features on the way to the result; None without a step."""
        way = [self.final]
        while 0 <= way[-1].after < len(self.steps) and len(way) <= len(self.steps):
            way.append(self.steps[way[-1].after])
        features = [step for step in way[1:] if step.state == "features"]
        return features[0] if features else way[-1] if len(way) > 1 else None

    @property
    def protocol(self) -> Mapping[str, Any]:
        """How it was scored; empty without scores."""
        return (self.record.get("scores") or {}).get("protocol") or {}


STEP_ARRAYS = ("rows", "distances", "relation", "ap", "inp", "first_hit")
STEP_TEXT = ("label", "what", "kind", "state", "after", "seconds", "scores")


def write(path: Path, history: History) -> None:
    """Write everything; the same bytes for the same run."""
    arrays: dict[str, np.ndarray] = {}
    steps = []
    for number, step in enumerate(history.steps):
        steps.append({name: getattr(step, name) for name in STEP_TEXT})
        found = {name: getattr(step, name) for name in STEP_ARRAYS if getattr(step, name) is not None}
        arrays |= {f"{number}.{name}": value for name, value in found.items()}
        arrays |= {f"{number}.curves.{name}": value for name, value in step.curves.items()}
    text: dict[str, Any] = {"version": VERSION, "title": history.title, "steps": steps, "extras": {}}
    text |= {name: getattr(history, name) for name in ("record", "unscored", "leave_out", "note")}
    for side in ("queries", "images"):
        table = getattr(history, side)
        text[side] = list(table["name"])
        arrays |= {f"{side}.{name}": value for name, value in table.items() if name != "name"}
    for name, value in history.extras.items():
        if isinstance(value, np.ndarray):
            arrays[f"extras.{name}"] = value
        else:
            text["extras"][name] = value
    content = json.dumps(text, allow_nan=False, default=_plain).encode()
    with io.beside(path, "wb") as file:
        np.savez_compressed(file, json=np.frombuffer(content, np.uint8), **arrays)  # type: ignore[arg-type]


def read(path: Path) -> History:
    """Read what :func:`write` wrote; InputError for anything else."""
    with understood(path):
        arrays = NPZ.load(path, lambda key: True)
        text = json.loads(arrays.pop("json").tobytes())
        if text["version"] != VERSION:
            raise ValueError(f"version {text['version']}")
        found = _restored(text, arrays)
        _check(found)
        return found


def understood(where: object) -> AbstractContextManager[None]:
    """What goes wrong inside is the fault of a kept run, and becomes a sentence."""
    wanted = f"{where}: wanted what a run keeps for its report"
    return told(wanted, "run it again with --report", TooLarge)


def _restored(text: Mapping[str, Any], arrays: Arrays) -> History:
    steps = []
    for number, step in enumerate(text["steps"]):
        own = {
            name.partition(".")[2]: value
            for name, value in arrays.items()
            if name.partition(".")[0] == str(number)
        }
        curves = {name[7:]: value for name, value in own.items() if name.startswith("curves.")}
        parts: dict[str, Any] = {name: own.get(name) for name in STEP_ARRAYS}
        steps.append(Step(**{name: step[name] for name in STEP_TEXT}, **parts, curves=curves))
    sides = {
        side: {"name": text[side]}
        | {name.partition(".")[2]: value for name, value in arrays.items() if name.startswith(f"{side}.")}
        for side in ("queries", "images")
    }
    extras = {name[7:]: value for name, value in arrays.items() if name.startswith("extras.")}
    return History(
        title=text["title"],
        **sides,
        steps=tuple(steps),
        record=text["record"],
        unscored=text["unscored"],
        extras=text["extras"] | extras,
        leave_out=tuple(text["leave_out"]),
        note=text["note"],
    )


def _check(history: History) -> None:
    """Refuse values of other kinds, and arrays that do not fit each other."""
    if not history.steps:
        raise ValueError("no step")
    _of_kind("title, unscored and note", str, [history.title, history.unscored, history.note])
    _of_kind("record", dict, [history.record, history.record.get("scores") or {}, history.protocol])
    _of_kind("leave_out", dict, history.leave_out)
    _of_kind("names", str, [*history.queries["name"], *history.images["name"]])
    for step in history.steps:
        _of_kind("step", str, [step.label, step.what, step.kind, step.state])
        _of_kind("after", int, [step.after])
        _of_kind("seconds", (int, float), [step.seconds])
        _of_kind("scores", dict, [step.scores or {}])
        _of_kind("scores", (int, float), [(step.scores or {}).get(name, 0) for name in ("mAP", "rank1")])
        _of_kind("cmc", (int, float), (step.scores or {}).get("cmc", []))
        _numbers("f", step.distances, step.ap, step.inp)
        _numbers("i", step.rows, step.relation, step.first_hit)
        _numbers("biuf", *(values for name, values in step.curves.items() if name != "cameras"))
        _numbers("iU", step.curves.get("cameras"))
    for table in (history.queries, history.images):
        _numbers("i", *(column for name, column in table.items() if name not in ("name", *TEXT)))
        _numbers("iU", *(table.get(name) for name in TEXT))
    nq, images = len(history.queries["name"]), len(history.images["name"])
    for step in history.steps:
        shape = (nq, step.rows.shape[1])
        for array in (step.rows, step.distances, step.relation):
            if array.shape != shape:
                raise ValueError(f"shape {array.shape} for {shape}")
        if step.rows.size and not (step.rows.min() >= -1 and step.rows.max() < images):
            raise ValueError("an image that is not there")
        if step.relation.size and not (step.relation.min() >= WRONG and step.relation.max() <= UNKNOWN):
            raise ValueError("an image of a kind that there is not")
        for own in (step.ap, step.inp, step.first_hit):
            if own is not None and own.shape != (nq,):
                raise ValueError(f"shape {own.shape} for {nq} queries")
    for table, count in ((history.queries, nq), (history.images, images)):
        for column in table.values():
            if len(column) != count:
                raise ValueError(f"{len(column)} values for {count} images")


def _of_kind(what: str, kind: type | tuple[type, ...], values: Iterable[Any]) -> None:
    if not all(isinstance(value, kind) for value in values):
        raise TypeError(f"{what} of another kind")


def _numbers(kinds: str, *arrays: Any) -> None:
    for array in arrays:
        if array is not None and (not isinstance(array, np.ndarray) or array.dtype.kind not in kinds):
            raise TypeError("an array of another kind")


def _plain(value: Any) -> Any:
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray):
        return value.tolist()
    return str(value)
