"""What a report says as tables: scores with intervals, what each step changed; for pages, papers and programs."""

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ensemble import io
from ensemble.base.errors import printable
from ensemble.base.labels import numbered, of_values
from ensemble.report.history import GOOD, JUNK, UNKNOWN, WRONG, History, Step
from ensemble.scores import comparable, statistics

RESAMPLES = 2000
LEVEL = 0.95
NAMES = {"mAP": "mAP", "rank1": "rank-1", "rank5": "rank-5", "rank10": "rank-10", "mINP": "mINP"}
MEANING = {WRONG: "wrong", GOOD: "right", JUNK: "junk", UNKNOWN: ""}
METHOD = f"interval: {LEVEL:.0%}, BCa bootstrap by {{}}, {RESAMPLES} draws, seed 0"

Row = dict[str, Any]


def scores(history: History) -> list[Row]:
    """The result's scores: ``name``, ``value``, ``low`` and ``high`` (None where no interval can be told)."""
    numbers, step = history.final.scores, history.final
    if not numbers:
        return []
    rows = []
    names = dict(NAMES)
    if history.protocol.get("final", "mAP") != "mAP":
        names["final"] = "final"
    for key, name in names.items():
        low, high = _interval(_own(step, key), float(numbers[key]), history)
        rows.append({"key": key, "name": name, "value": float(numbers[key]), "low": low, "high": high})
    return rows


def method(history: History) -> str:
    """How the intervals came about."""
    return METHOD.format("identity" if "pid" in history.queries else "query")


def _own(step: Step, key: str) -> np.ndarray | None:
    """Each query's own share of a score, NaN for one without a match; None where there is none."""
    if step.ap is None or step.inp is None or step.first_hit is None:
        return None
    if key in ("mAP", "mINP"):
        return step.ap if key == "mAP" else step.inp
    if not key.startswith("rank"):
        return None
    hit = (step.first_hit >= 0) & (step.first_hit < int(key[4:]))
    return np.where(np.isnan(step.ap), np.nan, hit)


def _identities(history: History) -> np.ndarray | None:
    """The identities of the queries as numbers, -1 unknown; None without any."""
    given = None if "pid" not in history.queries else of_values(history.queries["pid"])
    return None if given is None else numbered({"pid": given})["pid"]


def _interval(own: np.ndarray | None, value: float, history: History) -> tuple[float | None, float | None]:
    """None where queries do not add up to the score: where galleries are drawn, or tracks count once."""
    if own is None:
        return None, None
    group = _identities(history)
    means = comparable.means(history.protocol)
    if means["denominator"] == "all":
        values = np.nan_to_num(own)
    else:
        known = ~np.isnan(own)
        values, group = own[known], None if group is None else group[known]
    weight = statistics.weights(means["average"], np.arange(len(values)) if group is None else group)
    if not len(values) or abs(np.average(values, weights=weight) - value) > 1e-9:
        return None, None
    low, high = statistics.interval(values, group, weight, level=LEVEL, resamples=RESAMPLES)
    return (None, None) if math.isnan(low) else (low, high)


def steps(history: History) -> list[Row]:
    """A row a step: what it is, its scores, and what it changed against the step that it follows."""
    rows = []
    for number, step in enumerate(history.steps):
        row: Row = {
            "label": step.label,
            "what": step.what,
            "kind": step.kind,
            "seconds": step.seconds,
            "mAP": step.scores["mAP"] if step.scores else None,
            "rank1": step.scores["rank1"] if step.scores else None,
            "after": history.steps[step.after].label if 0 <= step.after < number else "",
            **changes(history.steps[step.after] if 0 <= step.after < number else None, step),
        }
        rows.append(row)
    return rows


def changes(before: Step | None, step: Step) -> Row:
    """How many queries a step made better or worse, and by how much on average; None without labels."""
    nothing = dict.fromkeys(("better", "worse", "equal", "gain", "loss"))
    if before is None or before.ap is None or step.ap is None:
        return nothing
    change = np.nan_to_num(step.ap) - np.nan_to_num(before.ap)
    change = change[~(np.isnan(step.ap) & np.isnan(before.ap))]
    up, down = change[change > 1e-12], change[change < -1e-12]
    return {
        "better": len(up),
        "worse": len(down),
        "equal": len(change) - len(up) - len(down),
        "gain": float(up.mean()) if len(up) else 0.0,
        "loss": float(down.mean()) if len(down) else 0.0,
    }


def comparison(histories: Sequence[History]) -> Row | None:
    """What the second run gains over the first on the same queries, with interval and p; None without labels."""
    if len(histories) < 2 or histories[0].final.ap is None or histories[1].final.ap is None:
        return None
    one, two = histories[0], histories[1]
    rules = [comparable.rules(history.protocol) for history in (one, two)]
    if rules[0] != rules[1]:
        return {"refused": "they were scored by different protocols, so that their numbers say nothing together"}
    assert one.final.ap is not None
    assert two.final.ap is not None
    found = statistics.difference(
        one.final.ap,
        two.final.ap,
        _identities(one),
        **comparable.means(one.protocol),
        resamples=RESAMPLES,
    )
    return {name: _finite(getattr(found, name)) for name in found.__dataclass_fields__}


def facts(histories: Sequence[History]) -> Row:
    """All numbers that a report shows beside the lists themselves, as plain values."""
    runs = []
    for history in histories:
        runs.append(
            {
                "title": history.title,
                "unscored": history.unscored,
                "protocol": dict(history.protocol),
                "recipe": history.record.get("recipe"),
                "scores": scores(history),
                "method": method(history),
                "steps": steps(history),
                "leave_out": list(history.leave_out),
                "curves": [
                    {
                        "label": step.label,
                        "cmc": (step.scores or {}).get("cmc"),
                        **_plain({name: v for name, v in step.curves.items() if name != "positives"}),
                    }
                    for step in history.steps
                ],
                "positives": _plain(history.final.curves).get("positives"),
                "extras": _plain(dict(sorted(history.extras.items()))),
            }
        )
    return {"runs": runs, "comparison": comparison(histories)}


def everything(histories: Sequence[History], places: int) -> Row:
    """:func:`facts` and the lists of every query after every step."""
    found = facts(histories)
    for run, history in zip(found["runs"], histories, strict=True):
        images = history.images["name"]
        queries: list[Row] = []
        for i, name in enumerate(history.queries["name"]):
            lists = []
            for step in history.steps:
                listed = step.rows[i, :places]
                there = listed >= 0
                lists.append(
                    {
                        "step": step.label,
                        "ap": None if step.ap is None else _finite(float(step.ap[i])),
                        "images": [images[row] for row in listed[there].tolist()],
                        "distances": [_finite(value) for value in step.distances[i, :places][there].tolist()],
                        "relation": [MEANING[code] for code in step.relation[i, :places][there].tolist()],
                    }
                )
            own = {c: values[i].item() for c, values in history.queries.items() if c != "name"}
            queries.append({"name": name, **own, "lists": lists})
        run["queries"] = queries
    return found


def markdown(histories: Sequence[History]) -> str:
    """The scores as a table for a README, a line a run; for one run a line a step."""
    heads, rows = _grid(histories)
    lines = [heads, ["---", *["---:"] * (len(heads) - 1)], *rows]
    text = "".join(f"| {' | '.join(_markdown(cell) for cell in line)} |\n" for line in lines)
    return text + "".join(f"\n{line}\n" for line in _below(histories))


def latex(histories: Sequence[History]) -> str:
    """The same for a paper, with booktabs."""
    heads, rows = _grid(histories)
    body = "".join(f"{' & '.join(_latex(cell) for cell in row)} \\\\\n" for row in rows)
    comments = "".join(f"% {' '.join(printable(line, 2000).split())}\n" for line in _below(histories))
    return (
        f"{comments}\\begin{{tabular}}{{l{'r' * (len(heads) - 1)}}}\n\\toprule\n"
        f"{' & '.join(map(_latex, heads))} \\\\\n\\midrule\n{body}\\bottomrule\n\\end{{tabular}}\n"
    )


def _grid(histories: Sequence[History]) -> tuple[list[str], list[list[str]]]:
    """Heads and rows: runs with intervals where there are several, else the steps of the one."""
    heads = ["run" if len(histories) > 1 else "step", *NAMES.values()]
    rows = []
    if len(histories) == 1:
        for step in histories[0].steps:
            found = step.scores or {}
            cells = [f"{100 * found[key]:.2f}" if key in found else "-" for key in NAMES]
            rows.append([step.label, *cells])
        return heads, rows
    for history in histories:
        known = {row["key"]: row for row in scores(history)}
        rows.append([history.title, *(_with_interval(known.get(key)) for key in NAMES)])
    return heads, rows


def _with_interval(row: Row | None) -> str:
    if row is None:
        return "-"
    if row["low"] is None:
        return f"{100 * row['value']:.2f}"
    return f"{100 * row['value']:.2f} [{100 * row['low']:.2f}, {100 * row['high']:.2f}]"


def _below(histories: Sequence[History]) -> list[str]:
    """What must stand beside the numbers: the rules, in percent of what, how intervals came about."""
    history = histories[0]
    if not history.protocol:
        return [f"No scores: {history.unscored}."]
    lines = [f"Percent. {history.protocol.get('description', '')}."]
    return [*lines, f"Brackets: {method(history)}."] if len(histories) > 1 else lines


def write(folder: Path, histories: Sequence[History], *, places: int) -> list[Path]:
    """Write everything that there is to take away into a folder; the paths."""
    texts = {
        "scores.md": markdown(histories),
        "scores.tex": latex(histories),
        "report.json": json.dumps(everything(histories, places), indent=1, allow_nan=False) + "\n",
    }
    written = []
    for name, text in texts.items():
        with io.beside(folder / name, "wb") as stream:
            stream.write(text.encode("utf-8", "replace"))
        written.append(folder / name)
    tables = {"queries.csv": _query_rows(histories), "rankings.csv": _ranking_rows(histories, places)}
    for name, rows in tables.items():
        io.write_csv(folder / name, rows[0], rows[1:])
        written.append(folder / name)
    return written


def _query_rows(histories: Sequence[History]) -> list[list[Any]]:
    """AP of every query after every step."""
    columns = [(history, step) for history in histories for step in history.steps if step.ap is not None]
    several = len(histories) > 1
    heads = [
        f"{_text(history.title)}: {_text(step.label)}" if several else _text(step.label)
        for history, step in columns
    ]
    queries = histories[0].queries
    pids = [""] * len(queries["name"]) if "pid" not in queries else queries["pid"].tolist()
    lines: list[list[Any]] = [["query", "pid", *heads]]
    for i, name in enumerate(queries["name"]):
        values = [float(step.ap[i]) for _, step in columns if step.ap is not None]
        lines.append([_text(name), pids[i], *("" if math.isnan(value) else repr(value) for value in values)])
    return lines


def _ranking_rows(histories: Sequence[History], places: int) -> list[list[Any]]:
    """The first places of every result."""
    lines: list[list[Any]] = [["run", "query", "rank", "gallery", "distance", "relation"]]
    for history in histories:
        step, images = history.final, history.images["name"]
        for i, name in enumerate(history.queries["name"]):
            for place, row in enumerate(step.rows[i, :places].tolist()):
                if row >= 0:
                    value = float(step.distances[i, place])
                    meaning = MEANING[int(step.relation[i, place])]
                    distance = "" if math.isnan(value) else value
                    lines.append(
                        [_text(history.title), _text(name), place + 1, _text(images[row]), distance, meaning]
                    )
    return lines


def _text(name: str) -> str:
    """A name as UTF-8 can hold it."""
    return name.encode("utf-8", "replace").decode()


def _plain(values: Mapping[str, Any]) -> Row:
    """Arrays as lists, None for what is no number."""

    def plain(value: Any) -> Any:
        if isinstance(value, list):
            return [plain(item) for item in value]
        return _finite(value)

    return {
        name: plain(value.tolist() if isinstance(value, np.ndarray) else value) for name, value in values.items()
    }


def _finite(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _markdown(text: str) -> str:
    if not set(text) - set("0123456789.,[] -"):
        return text
    return "".join(f"\\{sign}" if sign in "\\`*_[]<>|" else sign for sign in printable(text))


def _latex(text: str) -> str:
    signs = {
        "\\": r"\textbackslash{}",
        "~": r"\textasciitilde{}",
        "^": r"\textasciicircum{}",
        **{sign: f"\\{sign}" for sign in "&%$#_{}"},
    }
    return "".join(signs.get(sign, sign) for sign in printable(text))
