"""Images of people and vehicles for a page: found by name, made small, within a number of bytes."""

import base64
import hashlib
import os
from collections import defaultdict
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path, PurePosixPath
from typing import Any

from ensemble.base.errors import InputError
from postproc.base import runtime

SUFFIXES = {".jpg", ".jpeg", ".png", ".bmp", ".webp", ".gif", ".tif", ".tiff", ".ppm"}
HEIGHTS = (160, 128, 96, 64, 48)  # pixels, the first that fits is taken
QUALITY = 72
SAMPLE = 24  # pictures by which it is guessed what fits
WORDS = {"query": ("query", "probe"), "gallery": ("gallery", "test", "search")}  # in the names of folders
BATCH = 256

Wanted = tuple[str, str]  # side and name


class Album:
    """The image files below some folders, by name; a name never leads to a file outside of them."""

    def __init__(self, folders: Sequence[Path]) -> None:
        self.files: dict[str, list[tuple[str, Path]]] = {}
        missing = [str(folder) for folder in folders if not folder.is_dir()]
        if missing:
            raise InputError([f"--images: wanted a folder with images, found none at {path}" for path in missing])
        for folder in folders:
            for where, below, names in os.walk(folder):
                below.sort()
                for name in sorted(names):
                    path = Path(where) / name
                    if path.suffix.lower() in SUFFIXES:
                        inside = (folder.resolve().name / path.relative_to(folder)).as_posix()
                        for key in (name, path.stem):
                            self.files.setdefault(key, []).append((inside, path))

    def find(self, side: str, name: str) -> Path | None:
        """The file of an image: its name, or the end of its path, is ``name``, with its suffix or without.

        Of several the one whose folders sound like ``side``.
        """
        parts = PurePosixPath(name.replace("\\", "/")).parts
        found = self.files.get(parts[-1], []) if parts else []
        if len(parts) > 1:
            folders = tuple(part for part in parts[:-1] if part not in ("/", ".", ".."))
            exact = [item for item in found if PurePosixPath(item[0]).parts[:-1][-len(folders) :] == folders]
            found = exact or found
        if not found:
            return None
        other = "gallery" if side == "query" else "query"

        def fit(item: tuple[str, Path]) -> tuple[int, str]:
            text = str(PurePosixPath(item[0]).parent).lower()
            return sum(word in text for word in WORDS[other]) - sum(word in text for word in WORDS[side]), item[0]

        return min(found, key=fit)[1]


def same_files(album: Album, wanted: Sequence[Wanted]) -> list[list[Wanted]]:
    """Images whose files are others with the same content, by SHA-256, in groups; files of one size are read."""
    sizes: dict[int, dict[Path, Wanted]] = defaultdict(dict)
    for item in dict.fromkeys(wanted):
        path = album.find(*item)
        if path is not None:
            sizes[path.stat().st_size].setdefault(path, item)
    groups: dict[bytes, list[Wanted]] = defaultdict(list)
    for files in sizes.values():
        for path, item in files.items() if len(files) > 1 else ():
            groups[hashlib.sha256(path.read_bytes()).digest()].append(item)
    return [items for items in groups.values() if len(items) > 1]


@dataclass(frozen=True)
class Pictures:
    """Pictures as data URIs by side and name, their height, width over height, and in words what is missing."""

    found: Mapping[Wanted, str] = field(default_factory=dict)
    height: int = 0
    shape: float = 0.5
    notes: tuple[str, ...] = ()


def gather(album: Album | None, wanted: Sequence[Wanted], budget: int) -> Pictures:
    """Pictures of the ``wanted`` in at most ``budget`` bytes, as large as that allows; the first have priority.

    Where even the smallest do not fit, the last of the wanted have none.
    """
    if album is None:
        return Pictures(notes=("no --images folder was given: names and numbers stand for pictures",))
    paths = {item: path for item in dict.fromkeys(wanted) if (path := album.find(*item)) is not None}
    notes = []
    if len(paths) < len(set(wanted)):
        notes.append(f"{len(set(wanted)) - len(paths)} of {len(set(wanted))} images are not in the folder")
    items = list(paths)
    tried = items[:: max(1, len(items) // SAMPLE)]
    height = HEIGHTS[-1]
    for height in HEIGHTS:
        sizes = [len(made) for item in tried if (made := thumbnail(paths[item], height))]
        if sizes and sum(sizes) / len(sizes) * len(items) * 1.05 <= budget:
            break
    found: dict[Wanted, str] = {}
    broken, left, used = 0, 0, 0
    with ThreadPoolExecutor(runtime.current().threads) as pool:
        for start in range(0, len(items), BATCH):
            batch = items[start : start + BATCH]
            if left:  # nothing behind what did not fit
                left += len(batch)
                continue
            for item, made in zip(batch, pool.map(lambda i: thumbnail(paths[i], height), batch), strict=True):
                if not made:
                    broken += 1
                elif used + len(made) + 4 > budget:
                    left += 1
                else:
                    found[item] = made
                    used += len(made) + 4
    if broken:
        notes.append(f"{broken} image files could not be read")
    if found and height < HEIGHTS[0]:
        notes.append(f"pictures are {height} pixels high, to stay within the size asked for")
    if left:
        notes.append(f"{left} images have no picture, to stay within the size asked for")
    return Pictures(found, height, shape([paths[item] for item in tried]), tuple(notes))


def thumbnail(path: Path, height: int) -> str:
    """A small copy as a data URI; empty where the file is no readable picture."""
    from PIL import features

    kind = "WEBP" if features.check("webp") else "JPEG"
    picture = load(path, (2 * height, height))
    if picture is None:
        return ""
    picture.thumbnail((2 * height, height))
    stream = BytesIO()
    picture.save(stream, kind, quality=QUALITY)
    return f"data:image/{kind.lower()};base64,{base64.b64encode(stream.getvalue()).decode()}"


def load(path: Path, size: tuple[int, int] | None = None) -> Any:
    """A picture in RGB, read no larger than needed for ``size``; None where the file is none."""
    from PIL import Image, ImageOps

    try:
        with Image.open(path) as image:
            if image.width * image.height > 1 << 26:  # a file of a few bytes can claim any size
                return None
            if size is not None:
                image.draft("RGB", (2 * size[0], 2 * size[1]))
            return ImageOps.exif_transpose(image).convert("RGB")
    except Exception:  # readers of broken pictures raise whatever they like
        return None


def shape(paths: Sequence[Path]) -> float:
    """The middle of the pictures' widths over their heights, between slim people and long lorries."""
    found = sorted(image.width / image.height for path in paths if (image := load(path, (64, 64))) is not None)
    return min(max(found[len(found) // 2], 0.4), 1.8) if found else 0.5
