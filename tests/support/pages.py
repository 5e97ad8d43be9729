"""Runs kept by hand and pictures drawn small, for the tests of the report."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ensemble.report.history import GOOD, UNKNOWN, History, Step

HOSTILE = [
    '"><script>document.title="broken in"</script>.jpg',
    "</script><img src=x onerror=document.title='broken-in'>.jpg",
    "{{ 7 * 7 }}${7*7}%}.jpg",
    "evil\u202egpj.exe",
    "lone\udc80surrogate.jpg",
    "=cmd|' /C calc'!A0",
    "new\nline\x1b[31m.jpg",
    "&lt;b&gt;' onmouseover='x.jpg",
]
SCORES = {"mAP": 0.5, "rank1": 0.5, "rank5": 0.6, "rank10": 0.7, "mINP": 0.3, "cmc": [0.5, 0.6, 0.7]}


def step(
    label: str,
    rows: np.ndarray,
    relation: np.ndarray | None = None,
    ap: Sequence[float] | None = None,
    after: int = -1,
) -> Step:
    """A ranking with distances 0.1, 0.2, … and, with ``ap``, scores."""
    rows = np.asarray(rows, np.int32)
    known = None if ap is None else np.asarray(ap, np.float64)
    return Step(
        label=label,
        what="",
        kind="step",
        state="distances",
        after=after,
        seconds=0.25,
        rows=rows,
        distances=np.tile(np.arange(1, rows.shape[1] + 1, dtype=np.float32) / 10, (len(rows), 1)),
        relation=np.full(rows.shape, UNKNOWN if ap is None else GOOD, np.int8) if relation is None else relation,
        scores=None if known is None else SCORES | {"mAP": float(np.nanmean(known))},
        ap=known,
        inp=known,
        first_hit=None if known is None else np.where(np.isnan(known), -1, 0),
    )


def history(
    steps: Sequence[Step], images: int, queries: Sequence[str] | None = None, title: str = "run"
) -> History:
    """A run with images g0.png, g1.png, … of identity i // 2, camera i % 3, track i // 2."""
    names = list(queries or (f"q{i}.png" for i in range(len(steps[0].rows))))
    nq, number = np.arange(len(names)), np.arange(images)
    record = {"scores": {"protocol": {"denominator": "valid", "description": "rules"}}} if steps[0].scores else {}
    return History(
        title=title,
        queries={"name": names, "pid": nq, "cam": nq % 3},
        images={
            "name": [f"g{i}.png" for i in number],
            "pid": number // 2,
            "cam": number % 3,
            "track": number // 2,
        },
        steps=tuple(steps),
        record=record,
        unscored="" if record else "these images have no labels",
    )


def draw(folder: Path, names: Sequence[str], size: tuple[int, int] = (32, 64)) -> None:
    """A picture of one colour for each name; the colour tells the number."""
    from PIL import Image

    folder.mkdir(parents=True, exist_ok=True)
    for number, name in enumerate(names):
        Image.new("RGB", size, (number % 256, 40, 200)).save(folder / name)


def noise(folder: Path, names: Sequence[str], size: tuple[int, int] = (64, 128)) -> None:
    """Pictures that do not shrink much."""
    from PIL import Image

    folder.mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(0)
    for name in names:
        Image.fromarray(random.integers(0, 255, (16, 8, 3), dtype=np.uint8)).resize(size).save(folder / name)
