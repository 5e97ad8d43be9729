"""Rank strips: the query and its nearest images in a row, framed by what they are.

Source: wangguanan/light-reid, ``visualize_ranked_results``: tiles of 64 x 128 in frames of 4 pixels, the query and
images of its identity green, others red, the distance in yellow.
Differs: junk that is not left out is grey, and without labels every frame is grey; PNG in the place of JPEG.
"""

import math
import re
from pathlib import Path
from typing import Any

from ensemble import io
from ensemble.base.errors import InputError
from ensemble.report.history import GOOD, JUNK, UNKNOWN, WRONG, History
from ensemble.report.pictures import Album, load

TILE, BORDER = (64, 128), 4
GREEN, RED, GREY, YELLOW = (0, 160, 60), (220, 30, 20), (150, 150, 150), (255, 255, 0)
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
) -> tuple[int, list[str]]:
    """Write ``NAME.png`` for every query that has a picture; how many, and in words what is missing.

    mode: ``inter`` leaves junk out, ``intra`` shows images of the query's camera alone, ``all`` everything.
    only: ``all``, ``right`` or ``wrong`` images. distances: write them on the images.
    Raises: InputError where no query has a picture.
    """
    from PIL import Image

    made, names = 0, set[str]()
    for i, name in enumerate(history.queries["name"]):
        path = album.find("query", name)
        if path is None:
            continue
        chosen = _chosen(history, i, places, mode, only)
        width, height = (TILE[k] + 2 * BORDER for k in range(2))
        strip = Image.new("RGB", (width * (1 + places), height), "white")
        labelled = any(history.final.relation[i] != UNKNOWN)
        strip.paste(_tile(path, GREEN if labelled else GREY, None), (0, 0))
        for place, (row, relation, value) in enumerate(chosen, 1):
            found = album.find("gallery", history.images["name"][row])
            strip.paste(_tile(found, FRAMES[relation], value if distances else None), (place * width, 0))
        with io.beside(folder / f"{_file(name, i, names)}.png", "wb") as stream:
            strip.save(stream, "PNG")
        made += 1
    if not made:
        raise InputError(["--strips: wanted pictures of the queries, found none in --images; name another folder"])
    lacking = len(history.queries["name"]) - made
    notes = [f"{lacking} queries have no picture and no strip"] if lacking else []
    if mode != "all" and "cam" not in history.queries:
        notes.append("no cameras are known: junk is what the protocol removes, and --mode intra shows all")
    return made, notes


def _chosen(history: History, query: int, places: int, mode: str, only: str) -> list[tuple[int, int, float]]:
    """Image, relation and distance of the first images of the kinds wanted."""
    step = history.final
    own = history.queries["cam"][query] if "cam" in history.queries else None
    found = []
    for row, relation, value in zip(step.rows[query], step.relation[query], step.distances[query], strict=True):
        if row < 0:
            continue
        camera = history.images["cam"][row] if "cam" in history.images else None
        if mode == "inter" and relation == JUNK:
            continue
        if mode == "intra" and own is not None and camera != own:
            continue
        if (only == "right" and relation not in (GOOD, JUNK)) or (only == "wrong" and relation != WRONG):
            continue
        found.append((int(row), int(relation), float(value)))
    return found[:places]


def _tile(path: Path | None, colour: tuple[int, int, int], value: float | None) -> Any:
    """A picture in its frame; an empty one where there is none."""
    from PIL import Image, ImageDraw

    tile = Image.new("RGB", (TILE[0] + 2 * BORDER, TILE[1] + 2 * BORDER), colour)
    picture = None if path is None else load(path)
    inside = Image.new("RGB", TILE, "white") if picture is None else picture.resize(TILE)
    tile.paste(inside, (BORDER, BORDER))
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
