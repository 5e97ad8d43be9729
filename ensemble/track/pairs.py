"""Settings that hold for one pair of cameras alone: ``pairs = [{from = 41, to = 42, threshold = 0.3}]``."""

from collections.abc import Mapping, Sequence
from typing import Any

from ensemble.base.errors import near
from ensemble.boxes.tables import Window
from postproc.base.settings import Checked

ENDS = ("from", "to")


def ways(windows: Sequence[Window]) -> list[tuple[int, int]]:
    """The ordered pairs of cameras that windows join."""
    return sorted({(window.start, window.end) for window in windows})


def of_pair(pairs: Sequence[Mapping[str, Any]], way: tuple[int, int]) -> dict[str, Any]:
    """The settings of one ordered pair of cameras; the last that names it counts."""
    found: dict[str, Any] = {}
    for one in pairs:
        if (one["from"], one["to"]) == way:
            found |= {name: value for name, value in one.items() if name not in ENDS}
    return found


def _wrong(value: Any) -> str | None:
    right = isinstance(value, (list, tuple)) and all(
        isinstance(one, Mapping) and all(type(one.get(end)) is int for end in ENDS) for one in value
    )
    return None if right else "wanted a list of tables with from and to, two cameras"


PAIRS = Checked(_wrong)


def problems(pairs: Sequence[Mapping[str, Any]], where: str, known: Mapping[str, Any]) -> list[str]:
    """What is wrong with the settings in such a list; ``known``: what may stand there, with its check."""
    found = []
    for one in pairs:
        here = f"{where}, {one['from']} to {one['to']}"
        for name, value in one.items():
            if name in ENDS:
                continue
            if name not in known:
                found.append(f"{here}: wanted any of {', '.join(known)}, found {name!r}{near(name, known)}")
            elif wrong := known[name].problem(value):
                found.append(f"{here}, {wrong}")
    return found
