"""Rank strips: the query, and apart from it its nearest images in a row, framed by what they are.

Source: wangguanan/light-reid, ``visualize_ranked_results``: tiles of 64 x 128 in frames of 4 pixels, the query and
images of its identity green, others red, the distance in yellow.
Differs: junk that is not left out is grey, and without labels every frame is grey; PNG in the place of JPEG. The
query is framed dark and stands apart, ranks stand below the images, and a picture keeps its shape: tiles are as
wide as the pictures of the set usually are.
"""

import math
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ensemble import io
from ensemble.base.errors import InputError, examples, near
from ensemble.report.history import GOOD, JUNK, UNKNOWN, WRONG, History
from ensemble.report.pictures import SAMPLE, Album, load, shape

HIGH, BORDER, APART, BELOW = 128, 4, 16, 16  # pixels: a tile, its frame, beside the query, the line of ranks
GREEN, RED, GREY, YELLOW, DARK = (0, 160, 60), (220, 30, 20), (150, 150, 150), (255, 255, 0), (40, 44, 52)
FRAMES = {GOOD: GREEN, WRONG: RED, JUNK: GREY, UNKNOWN: GREY}
UNSAFE = re.compile(r"[^\w.-]+")


def write(
    folder: Path,
    history: History,
    album: Album,
    *,
    places: int = 20,
    mode: str = "inter",
    only: str = "all",
    distances: bool = False,
    queries: Sequence[str] = (),
) -> tuple[int, list[str]]:
    """Write ``NAME.png`` for every query that has a picture; how many, and in words what is missing.

    mode: ``inter`` leaves junk out, ``intra`` shows images of the query's camera alone, ``all`` everything.
    only: ``all``, ``right`` or ``wrong`` images. distances: write them on the images.
    queries: names of those that are wanted; none: all.
    Raises: InputError where no query has a picture, or a name is none of a query.
    """
    made, names = 0, set[str]()
    rows = _rows(history.queries["name"], queries)
    paths = {row: path for row in rows if (path := album.find("query", history.queries["name"][row])) is not None}
    if not paths:
        raise InputError(["--strips: wanted pictures of the queries, found none in --images; name another folder"])
    size = round(HIGH * shape(list(paths.values())[:: max(1, len(paths) // SAMPLE)])), HIGH
    for row, path in paths.items():
        tiles = [
            (place, album.find("gallery", history.images["name"][image]), FRAMES[relation], value)
            for place, image, relation, value in _chosen(history, row, places, mode, only)
        ]
        drawn = _strip(path, tiles, size, places, distances=distances)
        with io.beside(folder / f"{_file(history.queries['name'][row], row, names)}.png", "wb") as stream:
            drawn.save(stream, "PNG")
        made += 1
    lacking = len(rows) - made
    notes = [f"{lacking} queries have no picture and no strip"] if lacking else []
    if mode != "all" and "cam" not in history.queries:
        notes.append("no cameras are known: junk is what the protocol removes, and --mode intra shows all")
    return made, notes


def _rows(names: Sequence[str], wanted: Sequence[str]) -> list[int]:
    """The queries that are wanted, each once, as they stand in the run."""
    at = {name: row for row, name in enumerate(names)}
    problems = [
        f"--query: wanted one of {examples(names)}, found {name!r}{near(name, names)}"
        for name in wanted
        if name not in at
    ]
    if problems:
        raise InputError(problems)
    return sorted({at[name] for name in wanted}) if wanted else list(range(len(names)))


def _chosen(history: History, query: int, places: int, mode: str, only: str) -> list[tuple[int, int, int, float]]:
    """Rank from 1, image, relation and distance of the first images of the kinds wanted."""
    step = history.final
    own = history.queries["cam"][query] if "cam" in history.queries else None
    found = []
    listed = zip(step.rows[query], step.relation[query], step.distances[query], strict=True)
    rank = 0  # as it is counted: junk that is left out has none
    for row, relation, value in listed:
        if row < 0 or (mode == "inter" and relation == JUNK):
            continue
        rank += 1
        camera = history.images["cam"][row] if "cam" in history.images else None
        if mode == "intra" and own is not None and camera != own:
            continue
        if (only == "right" and relation not in (GOOD, JUNK)) or (only == "wrong" and relation != WRONG):
            continue
        found.append((rank, int(row), int(relation), float(value)))
    return found[:places]


Tile = tuple[int, Path | None, tuple[int, int, int], float]  # rank, picture, colour of the frame, distance


def _strip(query: Path, tiles: Sequence[Tile], size: tuple[int, int], places: int, *, distances: bool) -> Any:
    """The query, a gap, and room for as many images as there are places, with their ranks below."""
    from PIL import Image, ImageDraw

    wide, high = (side + 2 * BORDER for side in size)
    strip = Image.new("RGB", (wide * (1 + places) + APART, high + BELOW), "white")
    pen = ImageDraw.Draw(strip)
    strip.paste(_tile(query, DARK, size, None), (0, 0))
    pen.text((wide // 2, high + BELOW // 2), "query", fill=DARK, anchor="mm")
    for at, (rank, path, colour, value) in enumerate(tiles, 1):
        left = at * wide + APART
        strip.paste(_tile(path, colour, size, value if distances else None), (left, 0))
        pen.text((left + wide // 2, high + BELOW // 2), str(rank), fill=DARK, anchor="mm")
    return strip


def _tile(path: Path | None, colour: tuple[int, int, int], size: tuple[int, int], value: float | None) -> Any:
    """A picture in its frame, in its own shape; an empty one where there is none."""
    from PIL import Image, ImageDraw, ImageOps

    tile = Image.new("RGB", (size[0] + 2 * BORDER, size[1] + 2 * BORDER), colour)
    tile.paste("white", (BORDER, BORDER, size[0] + BORDER, size[1] + BORDER))
    picture = None if path is None else load(path)
    if picture is not None:
        inside = ImageOps.contain(picture, size)
        left, top = (BORDER + (size[k] - inside.size[k]) // 2 for k in range(2))
        tile.paste(inside, (left, top))
    if value is not None and not math.isnan(value):
        ImageDraw.Draw(tile).text(
            (BORDER + 3, BORDER + 1), f"{value:.3}", fill=YELLOW, stroke_width=1, stroke_fill="black"
        )
    return tile


def _file(name: str, query: int, taken: set[str]) -> str:
    """A name for a file that cannot lead anywhere else, and that no other query has."""
    stem = UNSAFE.sub("_", Path(name.replace("\\", "/")).stem).strip(".")[:80] or "query"
    if stem.lower() in taken:
        stem = f"{stem}_{query + 1}"
    taken.add(stem.lower())
    return stem
