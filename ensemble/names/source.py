"""Where names come from: a folder of images, a list, or feature files; with the side, if anything tells it."""

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from ensemble import io
from ensemble.base import spellings
from ensemble.base.errors import InputError, refuse_if_any
from ensemble.base.features import SIDES
from ensemble.io.blocks import read_blocks
from ensemble.io.containers import LISTS, suffixes
from ensemble.io.lists import TABLES, read_table
from ensemble.names.listings import Listing, read_listing
from ensemble.parsers.parser import SUFFIXES, Parser

_WORDS = {  # what the name of a list or a folder says about the side, the first that fits
    "query": re.compile(r"(?<!multi[-_])(?<!gt_)query|probe|occluded_body|partial_body", re.IGNORECASE),
    "train": re.compile(r"train(?!_test)", re.IGNORECASE),
    "gallery": re.compile(r"gallery|whole_body|bounding_box_test|name_test|image_test", re.IGNORECASE),
}
_TEST = re.compile(r"(^|_)test(_|$)", re.IGNORECASE)


@dataclass(frozen=True)
class Source:
    """Names by side ("" where nothing tells it), in their order.

    ``paths`` are what a parser looks at, ``names`` what a table calls the images: the same, but for folders of
    images, where ``paths`` start at the data set and ``names`` at the side's folder. ``listing`` is there for a
    list file, ``left`` are files that are no images, ``folder`` is what the user called the folder of images.
    """

    kind: str
    paths: dict[str, list[str]]
    names: dict[str, list[str]]
    listing: Listing | None = None
    left: list[str] = field(default_factory=list)
    folder: Path | None = None

    def shown(self, path: str) -> str:
        """One of ``paths`` (or a folder on the way) for the eye: below what the user named, found from here."""
        return path if self.folder is None else (self.folder / "/".join(path.split("/")[2:])).as_posix()


def read_source(path: Path, parser: Parser, side: str | None = None) -> Source:
    """Look at ``path``: a folder with images in it (and in its folders), a list of names (.txt, .csv), a list of
    the set (.txt, .xml), a feature file, or a folder of feature files. ``side`` overrules what file names say.
    Hidden files and folders are not looked at: macOS leaves ``._a.jpg`` beside ``a.jpg``, which is no image.

    Raises: InputError with all that is wrong with it.
    """
    if not path.exists():
        raise InputError([f"{path}: wanted a folder of images, a list or features, found none; check the path"])
    if path.is_dir():
        own = [file for file in path.iterdir() if file.is_file() and not _hidden(file.name)]
        features = any(file.suffix.lower() in suffixes() - {*LISTS} for file in own)
        images = any(_is_image(Path(file)) for _, files in _walk(path) for file in files)
        return _features_folder(path, side) if features and not images else _images(path, parser, side)
    suffix = path.suffix.lower()
    if suffix in TABLES:
        header, rows, problems = read_table(path)
        place = spellings.columns(header)[0].get("name")
        if place is not None:
            refuse_if_any(problems)
            names = [row[place].strip() for row in rows]
            return _one("table", names, side or side_of(path.stem, parser))
    if suffix in (".txt", ".xml", ".csv", ".lst", ".list"):
        listing = read_listing(path, parser)
        return _one(listing.kind, listing.names, side or side_of(path.stem, parser), listing)
    return _feature_file(path, side)


def side_of(text: str, parser: Parser) -> str:
    """What the name of a list or folder says about the side, "" for nothing."""
    for side, words in _WORDS.items():
        if words.search(text):
            return side
    return "gallery" if _TEST.search(text) and not parser.split_test else ""


def sides_of_labels(text: str, parser: Parser) -> set[str]:
    """The sides that a list of labels may be about: numbers such as 000001.jpg are there once a side."""
    for side, words in _WORDS.items():
        if words.search(text):
            return {side}
    return {"query", "gallery"} if _TEST.search(text) and not parser.split_test else set(SIDES)


def _one(kind: str, names: list[str], side: str, listing: Listing | None = None) -> Source:
    return Source(kind, {side: names}, {side: names}, listing)


def _is_image(path: Path) -> bool:
    return path.suffix.lower() in SUFFIXES


def _hidden(name: str) -> bool:
    return name.startswith(".")


def _walk(path: Path) -> Iterator[tuple[Path, list[str]]]:
    """Folders with the files in them, sorted; links to folders are not followed."""
    for folder, inner, files in os.walk(path):
        inner[:] = sorted(name for name in inner if not _hidden(name))
        yield Path(folder), sorted(name for name in files if not _hidden(name))


def _images(path: Path, parser: Parser, side: str | None) -> Source:
    """Images of a folder and the folders in it, sorted by path."""
    paths: dict[str, list[str]] = {}
    names: dict[str, list[str]] = {}
    left: list[str] = []
    top = path.absolute()
    for folder, files in _walk(path):
        below = folder.relative_to(path)
        for file in files:
            inside = (below / file).as_posix()
            if not _is_image(Path(file)):
                left.append(inside)
                continue
            known, name = side, inside
            if known is None:
                known = side_of(top.name, parser)
                for depth, part in enumerate(below.parts, 1):
                    if side_of(part, parser):
                        known = side_of(part, parser)
                        name = "/".join([*below.parts[depth:], file])
            paths.setdefault(known, []).append(f"{top.parent.name}/{top.name}/{inside}")
            names.setdefault(known, []).append(name)
    if not paths:
        raise InputError(
            [f"{path}: wanted images ({', '.join(SUFFIXES)}) or feature files, found none; check the path"]
        )
    order = ("query", "gallery", "train", "")
    return Source(
        "folder of images",
        {side: paths[side] for side in order if side in paths},
        {side: names[side] for side in order if side in names},
        left=left,
        folder=path,
    )


def _features_folder(path: Path, side: str | None) -> Source:
    """The names that all models of a folder share, from its first model."""
    folder = io.scan(path)
    first = io.read(folder, folder.joined[:1])[0]
    tables = {known: getattr(first, f"{known}_table") for known in first.sides}
    names = {known: table["name"].tolist() for known, table in tables.items() if table is not None}
    names = {known: listed for known, listed in names.items() if side in (None, known)}
    return _named(path, "features folder", names)


def _feature_file(path: Path, side: str | None) -> Source:
    problems: list[str] = []
    blocks = read_blocks([path], problems)
    refuse_if_any(problems)
    names = {
        known: block.names
        for known, block in blocks.items()
        if block.names is not None and (side in (None, known) or len(blocks) == 1)
    }
    if side is not None and len(names) == 1:
        names = {side: next(iter(names.values()))}
    return _named(path, "feature file", names)


def _named(path: Path, kind: str, names: dict[str, list[str]]) -> Source:
    if all(listed == list(map(str, range(len(listed)))) for listed in names.values()):  # rows by position
        raise InputError(
            [f"{path}: wanted features with the names of their images, found rows without; give a list of names"]
        )
    return Source(kind, names, names)
