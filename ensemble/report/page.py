"""The template filled in: one file that needs nothing else, within a number of bytes."""

import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from ensemble import __version__, io
from ensemble.base.errors import InputError, printable
from ensemble.report import plots, sections, tables
from ensemble.report.filling import digest, embedded, template
from ensemble.report.history import History, Step
from ensemble.report.pictures import Album, Pictures, Wanted, gather
from ensemble.report.submission import matched

SIZE = 20_000_000  # bytes of a page, unless said otherwise
PLACES = 20  # of every list
VIEWS = 24  # rankings that can be chosen
COLUMNS = ("pid", "cam", "track", "frame")

Data = dict[str, Any]


@dataclass(frozen=True, eq=False)
class Cut:
    """What the browser shows of the runs: queries by their rows, places of every list, rankings; what it lacks."""

    queries: np.ndarray
    places: int
    views: tuple[tuple[int, Step], ...]
    notes: tuple[str, ...] = ()


def write(
    path: Path, histories: Sequence[History], *, album: Album | None = None, size: int = SIZE, places: int = PLACES
) -> list[str]:
    """Write the page of one run, of two, or of a submission; returns what it leaves out to stay within ``size``.

    Raises InputError where not even a page without pictures, of a few queries, fits.
    """
    text, notes = html(histories, album=album, size=size, places=places)
    with io.beside(path, "wb") as stream:
        stream.write(text)
    return notes


def html(
    histories: Sequence[History], *, album: Album | None = None, size: int = SIZE, places: int = PLACES
) -> tuple[bytes, list[str]]:
    """The page as UTF-8, and what it leaves out."""
    histories = matched(histories)
    context = {**_context(histories), "same_files": sections.files_alike(histories[-1], album)}
    empty = len(_render(context, {}, ()))
    cut, data = _fitting(histories, places, size - empty, size)
    base = len(_render(context, data, cut.notes))
    wanted = _wanted(histories, cut)
    spare = size - base - 4096 - 4 * len(wanted)  # for what is said about pictures, and for those that are missing
    chosen = gather(album, wanted, max(spare, 0))
    data |= _pictures(chosen, data)
    notes = [*cut.notes, *chosen.notes]
    return _render(context, data, notes), notes


def _fitting(histories: Sequence[History], places: int, room: int, size: int) -> tuple[Cut, Data]:
    """What fits into half of the room, the other half being for pictures: fewer places, then fewer queries."""
    nq = len(histories[0].queries["name"])
    every = [(run, step) for run, history in enumerate(histories) for step in history.steps]
    views = tuple(every)
    notes: list[str] = []
    if len(every) > VIEWS:
        most = max(1, VIEWS // len(histories))
        views = tuple((run, step) for run, history in enumerate(histories) for step in history.steps[-most:])
        notes.append(f"the last {most} steps of {len(every)} can be looked at")
    width = max(step.rows.shape[1] for _, step in views)
    cut = Cut(np.arange(nq), min(places, width), views, tuple(notes))
    while True:
        data = _data(histories, cut)
        length = len(embedded(data))
        if length <= room / 2 or (length <= room and cut.places <= 5 and len(cut.queries) <= 50):
            return cut, data
        if cut.places > 10:
            fewer = max(10, cut.places // 2)
            notes.append(f"the first {fewer} places of every list are shown")
            cut = replace(cut, places=fewer, notes=tuple(notes))
            continue
        count = min(int(len(cut.queries) * room / 2 / length * 0.95), len(cut.queries) - 1)
        if count < 1:
            raise InputError(
                [
                    f"--report-size: wanted room for a page, found that {size:,} bytes hold none of {nq} queries; "
                    "allow more"
                ]
            )
        chosen = np.unique(np.linspace(0, nq - 1, count).round().astype(int))
        said = [note for note in notes if "queries" not in note]
        notes = [*said, f"{len(chosen)} of {nq} queries are in the browser, evenly spaced over the list"]
        cut = replace(cut, queries=chosen, notes=tuple(notes))


def _data(histories: Sequence[History], cut: Cut) -> Data:
    """What the script of the page works with."""
    rows = [step.rows[cut.queries, : cut.places] for _, step in cut.views]
    used = np.unique(np.concatenate([values.ravel() for values in rows]))
    used = used[used >= 0]
    place = np.full(len(histories[0].images["name"]) + 1, -1, np.int32)
    place[used] = np.arange(len(used))
    views = []
    for (run, step), values in zip(cut.views, rows, strict=True):
        view = {
            "run": run,
            "label": step.label,
            "what": step.what,
            "kind": step.kind,
            "mAP": step.scores["mAP"] if step.scores else None,
            "places": int(values.shape[1]),
            "placed": sections.are_places(step),
            "rows": _packed(place[values], np.int32),
            "distances": _packed(step.distances[cut.queries, : cut.places], np.float32),
            "relation": _packed(step.relation[cut.queries, : cut.places], np.int8),
            "ap": None if step.ap is None else _packed(step.ap[cut.queries], np.float32),
            "uncertain": _packed(sections.uncertain(step)[cut.queries], np.float32),
            "hit": None if step.first_hit is None else _packed(step.first_hit[cut.queries], np.int32),
        }
        views.append(view)
    return {
        "runs": [{"title": printable(history.title, 80)} for history in histories],
        "views": views,
        "queries": _columns(histories[0].queries, cut.queries),
        "images": _columns(histories[0].images, used),
        "fair": "refused" not in (tables.comparison(histories) or {}),
        "facts": tables.facts(histories),
        "markdown": tables.markdown(histories),
        "latex": tables.latex(histories),
        "pictures": [],
        "shape": 0.5,
        "height": 0,
    }


def _columns(table: Mapping[str, Any], rows: np.ndarray) -> Data:
    found: Data = {"name": [table["name"][row] for row in rows.tolist()]}
    return found | {name: table[name][rows].tolist() for name in COLUMNS if name in table}


def _packed(values: np.ndarray, kind: type) -> str:
    return base64.b64encode(np.ascontiguousarray(values, np.dtype(kind).newbyteorder("<")).tobytes()).decode()


def _wanted(histories: Sequence[History], cut: Cut) -> list[Wanted]:
    """Images whose pictures the page shows, the most looked-at first: queries, the result's lists, the steps'."""
    names = histories[0].queries["name"]
    wanted: list[Wanted] = [("query", names[row]) for row in cut.queries.tolist()]
    images = histories[0].images["name"]
    views = sorted(cut.views, key=lambda view: view[1] is not histories[view[0]].final)
    for _, step in views:
        for place in range(min(cut.places, step.rows.shape[1])):  # everybody's first before anybody's second
            column = step.rows[cut.queries, place]
            wanted += [("gallery", images[row]) for row in np.unique(column[column >= 0]).tolist()]
    return list(dict.fromkeys(wanted))


def _pictures(chosen: Pictures, data: Data) -> Data:
    """Pictures in the order of queries and images, 0 for none."""
    found = chosen.found
    if not found:
        return {}
    sides = (("query", data["queries"]["name"]), ("gallery", data["images"]["name"]))
    return {
        "pictures": [[found.get((side, name), 0) for name in names] for side, names in sides],
        "shape": round(chosen.shape, 3),
        "height": chosen.height,
    }


def _context(histories: Sequence[History]) -> Data:
    """What the template says, all of it text that is escaped there, except for the plots."""
    figures = [
        {"name": plot.name, "title": plot.title, "caption": plot.caption, "svg": plots.svg(plot, number)}
        for number, plot in enumerate(plots.plots(histories))
    ]
    return {
        "title": " and ".join(printable(history.title, 80) for history in histories) or "ranking",
        "runs": [_run(history) for history in histories],
        "comparison": tables.comparison(histories),
        "figures": figures,
        "version": __version__,
        "labelled": any(history.final.scores for history in histories),
    }


def _run(history: History) -> Data:
    record = history.record
    lines = record.get("steps") or []
    peaks = [line["peak_bytes"] for line in lines if line.get("peak_bytes")]
    return {
        "title": printable(history.title, 80),
        "about": (record.get("recipe") or {}).get("about", ""),
        "origin": sections.origin(record),
        "queries": record.get("queries", len(history.queries["name"])),
        "gallery": record.get("gallery"),
        "models": [model for models in record.get("models") or [] for model in models],
        "seconds": record.get("seconds"),
        "peak": max(peaks) / 2**20 if peaks else None,
        "threads": record.get("threads"),
        "device": _device(record),
        "cameras": _count(history, "cam"),
        "scores": tables.scores(history),
        "method": tables.method(history),
        "protocol": history.protocol.get("description", ""),
        "without": (record.get("scores") or {}).get("without_match") or [],
        "unscored": history.unscored,
        "steps": tables.steps(history),
        "leave_out": history.leave_out,
        "note": history.note,
        "copies": sections.copied(history),
        "uncertain": sections.most_uncertain(history),
        "flow": _flow(record.get("recipe") or {}),
        "inputs": {Path(path).name: digest for path, digest in (record.get("inputs") or {}).items()},
        "versions": record.get("versions") or {},
    }


def _device(record: Mapping[str, Any]) -> str:
    """The device of a run that was not on the CPU alone, and what was there nevertheless."""
    device = str(record.get("device", "cpu"))
    if device == "cpu":
        return ""
    lines = [line for line in record.get("steps") or [] if line.get("device") == "cpu"]
    names = list(dict.fromkeys(str(line["step"]) for line in lines if line["step"] != "read"))
    return f"{device}; on the CPU: {', '.join(names)}" if names else device


def _count(history: History, column: str) -> int | None:
    values = (
        [history.queries[column], history.images[column]]
        if column in history.queries and column in history.images
        else []
    )
    return len(np.unique(np.concatenate(values))) if values else None


def _flow(recipe: Mapping[str, Any]) -> Data | None:
    """The recipe as a picture: branches beside each other, each a chain of boxes, and what follows them."""
    branches = recipe.get("branch") or []
    if not branches:
        return None
    found = []
    for branch in branches:
        boxes = [_box(use) for use in branch.get("each") or []]
        boxes += [_box(use) for use in ([branch["join"]] if branch.get("join") else [])]
        boxes += [_box(use) for use in branch.get("steps") or []]
        models = [printable(str(model)) for model in branch.get("models") or []]
        beside = list(dict.fromkeys(_beside(recipe.get("auxiliary")) + _beside(branch.get("auxiliary"))))
        found.append({"name": branch.get("name", ""), "models": models, "beside": beside, "boxes": boxes})
    after = [
        _box(use) for use in [*([recipe["join"]] if recipe.get("join") else []), *(recipe.get("steps") or [])]
    ]
    return {
        "branches": found,
        "after": after,
        "end": f"first {recipe.get('top_k')} of every list",
    }


def _beside(groups: Any) -> list[str]:
    """The side models that steps look at, a list of names or named groups of them."""
    if not isinstance(groups, Mapping):
        groups = {"": groups or []}
    found: list[str] = []
    for group in groups.values():
        found += group.get("models") or [] if isinstance(group, Mapping) else group
    return [printable(str(model)) for model in found]


def _box(use: Mapping[str, Any]) -> Data:
    settings = {name: value for name, value in use.items() if name not in ("use", "optional")}
    shown = [f"{name} {_setting(value)}" for name, value in settings.items()]
    return {"name": use.get("use", ""), "settings": shown}


def _setting(value: Any) -> str:
    return printable(value if isinstance(value, str) else json.dumps(value, default=str), 60)


def _render(context: Data, data: Data, notes: Sequence[str]) -> bytes:
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.FunctionLoader(template),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["percent"] = lambda value: "–" if value is None else f"{100 * value:.2f}"
    environment.filters["signed"] = lambda value: "–" if value is None else f"{100 * value:+.2f}"
    environment.filters["thousands"] = lambda value: f"{value:,}"
    script = template("report.js")
    text = environment.get_template("report.html").render(
        context,
        notes=list(notes),
        data=embedded(data),
        style=template("report.css"),
        script=script,
        digest=digest(script),
    )
    return text.encode("utf-8", "replace")
