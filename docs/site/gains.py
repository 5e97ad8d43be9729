"""What techniques gained and lost, from the table that ``bench/techniques.py gain --keep`` writes."""

import csv
from collections.abc import Iterator, Mapping
from pathlib import Path

from docs.site.docstrings import Links, inline
from ensemble.pipeline.steps import Step
from postproc import __doc__ as FLOORS

TABLE = Path(__file__).parents[2] / "bench" / "results" / "gains.csv"
Row = dict[str, str]
MADE = "Mean average precision in points under the rules of Market-1501, plain cosine distance against the step at its defaults. The interval holds 95 per cent of the change, queries drawn anew 10,000 times."  # noqa: E501
ABOUT = {
    "VIPeR": "people, one image in each of two cameras: one right answer a query; half are to learn from",
    "CUHK01": "people, two images in each of two cameras: two right answers; a published split",
    "CUHK03": "people, five images in each of two cameras, both in the gallery, "
    "right answers in the other one: constraints on cameras know that; half are to learn from",
    "Omniglot 1": "handwritten characters, twenty writers as cameras; half are to learn from",
    "Omniglot 2": "other characters, likewise",
    "SketchReID": "sketches of people: 50 queries, so intervals are wide",
    "lions": "photographs of lions, one set without cameras; features of a person model, weak on purpose",
}
SHORT = {"Omniglot 1": "Omni. 1", "Omniglot 2": "Omni. 2", "SketchReID": "sketches"}


def read() -> list[Row]:
    """The rows of the table."""
    with TABLE.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def of(rows: list[Row], step: str) -> list[Row]:
    """Those of a step, real sets first."""
    return sorted((row for row in rows if row["step"] == step), key=lambda row: row["made_up"])


def section(rows: list[Row]) -> Iterator[str]:
    """The table of a step, and on which sets it was not measured, and why."""
    measured = [row for row in rows if row["after"]]
    if measured:
        yield from (f"{verdict(measured)} {MADE}", "")
        yield from (".. list-table::", "   :header-rows: 1", "")
        yield from ("   * - set", "     - queries x gallery", "     - plain", "     - after", "     - change")
        for row in measured:
            kind = " (made up)" if row["made_up"] == "1" else ""
            yield from (f"   * - {row['set']}{kind}", f"     - {row['queries']} x {row['gallery']}")
            yield from (
                f"     - {row['before']}",
                f"     - {row['after']}",
                f"     - {change(row, interval=True)}",
            )
        yield ""
    without: dict[str, list[str]] = {}
    for row in rows:
        if not row["after"]:
            without.setdefault(row["why"], []).append(row["set"])
    for why, sets in without.items():
        yield f"Not measured on {', '.join(sets)}: {reason(why)}."
    if not rows:
        yield "It has no line in ``bench/results/gains.csv`` yet."


def verdict(measured: list[Row]) -> str:
    """On how many real sets it gains and loses beyond the interval."""
    real = [row for row in measured if row["made_up"] == "0"]
    if not real:
        return "Measured on made-up sets alone, which show that it does what its authors meant, not how it fares on real ones."  # noqa: E501
    up, down = (sum(sign(row) == side for row in real) for side in (1, -1))
    return f"Of {len(real)} real sets it gains on {up} and loses on {down}, beyond the interval of the change."


def sign(row: Row) -> int:
    """1 a gain, -1 a loss, 0 what cannot be told apart."""
    return (float(row["least"]) > 0) - (float(row["most"]) < 0)


def change(row: Row, *, interval: bool) -> str:
    """The change in points, with the role that colours it."""
    by = float(row["after"]) - float(row["before"])
    role = {1: "gain", -1: "loss", 0: "level"}[sign(row)]
    ends = f" ({float(row['least']):+.1f} to {float(row['most']):+.1f})" if interval else ""
    return f":{role}:`{by:+.1f}{ends}`".replace("-", "−")


def reason(why: str) -> str:
    """``no cam`` in words."""
    words = {
        "cam": "cameras",
        "track": "tracks",
        "frame": "times",
        "aux": "side model",
        "scene": "scenes",
        "quality": "qualities",
        "cam_prob": "chances of cameras",
        "a training set": "training set",
    }
    if why.startswith("no "):
        return "the set has no " + " and no ".join(words.get(one, one) for one in why[3:].split(", "))
    if why == "gives no ranking":
        return "it gives no ranking, which is what is scored"
    return why


def index(families: Mapping[str, list[Step]], rows: list[Row]) -> Iterator[str]:
    """All techniques, family by family, with what each changed on every real set."""
    sets = list(dict.fromkeys(row["set"] for row in rows if row["made_up"] == "0"))
    known = {(row["step"], row["set"]): row for row in rows}
    yield from ("Techniques", "==========", "")
    yield "A page each: formula, settings, cost, gains and losses, source. The numbers below are changes in points"
    yield "of mean average precision on real sets, each step alone and at its defaults, which were made for other"
    yield "sets: :gain:`a gain` and :loss:`a loss` beyond the interval, :level:`what cannot be told from none`,"
    yield "an empty cell where the set lacks what the step needs. Nothing here is tuned."
    yield from _sets(rows, sets)
    for family, steps in families.items():
        yield from ("", family.capitalize(), "-" * len(family), "", f"{about(family)}", "")
        yield from _table(steps, [[known.get((step.name, name)) for name in sets] for step in steps], sets)
    yield from ("", ".. toctree::", "   :hidden:", "")
    yield from (
        f"   {step.name}" for steps in families.values() for step in sorted(steps, key=lambda one: one.name)
    )
    yield "   joins"


def _sets(rows: list[Row], sets: list[str]) -> Iterator[str]:
    """What the real sets are."""
    first = {row["set"]: row for row in reversed(rows)}
    yield from ("", ".. list-table::", "   :header-rows: 1", "", "   * - set", "     - what it is")
    yield from ("     - queries x gallery", "     - plain mAP")
    for name in sets:
        row = first[name]
        yield from (f"   * - {name}", f"     - {ABOUT.get(name, '')}")
        yield from (f"     - {row['queries']} x {row['gallery']}", f"     - {row['before']}")


def _table(steps: list[Step], found: list[list[Row | None]], sets: list[str]) -> Iterator[str]:
    """A line a step: what it changed on every set; what it does, where a family has no numbers."""
    measured = any(row and row["after"] for rows in found for row in rows)
    heads = [SHORT.get(name, name) for name in sets] if measured else ["what it does"]
    yield from (".. list-table::", "   :header-rows: 1", *(["   :class: gains"] if measured else []), "")
    yield from ("   * - step", *(f"     - {head}" for head in heads))
    for step, rows in zip(steps, found, strict=True):
        cells = [change(row, interval=False) if row and row["after"] else "" for row in rows]
        said = inline(step.summary, Links({}, step.settings))
        yield from (f"   * - :doc:`{step.name}`", *(f"     - {cell}" for cell in (cells if measured else [said])))


def about(family: str) -> str:
    """What the package says of a family of steps."""
    line = next(line.strip() for line in (FLOORS or "").splitlines() if line.strip().startswith(f"{family} "))
    said = line.removeprefix(family).strip()
    return said[0].upper() + said[1:] + "."
