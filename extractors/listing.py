"""Which images there are: a folder, a list, a data set's folders, AI City's; with the labels that lie beside them.

Names are those of the files below the folder of their side (``image_query/000001.jpg`` is ``000001.jpg``), or as a
list spells them; nothing is changed in them. Lists and tables beside the images count: ``name_query.txt`` and
``name_test.txt`` give the order, ``query.csv``, ``gallery.csv``, ``train.csv`` and the track lists give columns.
"""

import csv
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from ensemble.base.collecting import collecting
from ensemble.base.errors import InputError, examples, refuse_if_any
from ensemble.base.features import COLUMNS, SIDES
from ensemble.io import beside, read_names
from ensemble.io.alignment import merge
from ensemble.io.folder import NAME_LISTS, TRACK_LISTS
from ensemble.io.lists import Labels, read_labels, read_tracks, repeated
from ensemble.names.listings import read_listing
from ensemble.names.source import read_source, sides_of_labels
from ensemble.parsers import PARSERS, Parser
from ensemble.parsers.parser import Numbers, deeper, parse, tail

CALLED = {"query": "query, image_query or probe", "gallery": "gallery, test, image_test or bounding_box_test"}
WAY_OUT = "make such folders, or name yours: --query PATH --gallery PATH; --gallery PATH alone is one set"
ONE_SET = "one set: nothing tells queries from gallery, so each image is compared with all others"


@dataclass(frozen=True)
class Images:
    """One side: names, what a parser reads of them (paths), and files; labels of a list file, if there are."""

    names: list[str]
    paths: list[str]
    files: list[Path]
    labels: list[Numbers] = field(default_factory=list)
    folder: Path = Path()  # where lists and tables may lie


def find(
    places: Sequence[Path],
    given: dict[str, Sequence[Path]],
    *,
    root: Path | None = None,
    parser: Parser | None = None,
    sides: Sequence[str] = ("query", "gallery"),
) -> tuple[dict[str, Images], list[str]]:
    """The images of the sides that are wanted, and remarks on what was left out.

    places: folders and lists whose names tell the side: ``image_query``, ``bounding_box_test``, ``name_test.txt``,
            or folders that hold such folders.
            Where nothing tells a side, all of them are one set, which stands as the gallery.
    given:  side -> a folder or a list, perhaps with the folder that the list's images are in; a gallery alone is
            one set.
    root:   where the images of lists are, without it the list's folder.
    Raises: InputError with everything that is wrong.
    """
    problems: list[str] = []
    remarks: list[str] = []
    found: dict[str, list[Images]] = {}
    looks: list[tuple[Path, dict[str, Images]]] = []
    for path in places:
        with collecting(problems):
            looks.append((path, _look(path, None, root, parser)))
    if looks and not given and not any(side for _, look in looks for side in look):
        remarks.append(ONE_SET)
        looks = [(path, {"gallery": images}) for path, look in looks for images in look.values()]
        sides = (*sides, "gallery")
    for path, look in looks:
        with collecting(problems):
            for side, images in look.items():
                if side in sides:
                    found.setdefault(side, []).append(images)
                else:
                    what = "nothing tells their side" if not side else f"{side} was not asked for"
                    remarks.append(f"{path}: {len(images.names)} images are left out, since {what}")
    for side, (path, *folder) in given.items():
        with collecting(problems):
            found.setdefault(side, []).extend(_look(path, side, folder[0] if folder else root, parser).values())
    refuse_if_any(problems)
    out = {}
    for side in SIDES:
        if side not in found:
            continue
        images = _one(found[side])
        again = repeated(images.names)
        if again:
            problems.append(f"{side}: wanted every name once, found again {examples(again)}; remove the copies")
        spoilt = [name for name in images.names if name != name.strip() or not name.isprintable()]
        if spoilt:
            problems.append(f"{side}: wanted names that fit into a table, found {examples(spoilt)}; rename them")
        with collecting(problems):
            out[side] = _ordered(side, images)
    one_set = ONE_SET in remarks or (not places and "gallery" in given)
    lacking = [side for side in (["gallery"] if one_set else CALLED) if side not in found]
    if lacking:
        wanted = " and ".join(f"{side} images (a folder called {CALLED[side]})" for side in lacking)
        problems.append(f"--images: wanted {wanted}, found {'; '.join(remarks) or 'none'}; {WAY_OUT}")
    refuse_if_any(problems)
    return out, remarks


def _look(path: Path, side: str | None, root: Path | None, parser: Parser | None) -> dict[str, Images]:
    if path.is_file() and path.suffix.lower() not in (".txt", ".csv", ".xml", ".lst", ".list"):
        raise InputError([f"{path}: wanted a folder of images or a list (.txt, .csv, .xml), found another file"])
    source = read_source(path, parser or PARSERS["list"], side)
    folder = path if path.is_dir() else path.parent
    if path.is_dir() and source.kind != "folder of images":
        raise InputError([f"{path}: wanted images, found features; name the folder of the images"])
    base = path.absolute().parent.parent if path.is_dir() else (root or folder)
    labels = source.listing.labels if source.listing is not None and any(source.listing.labels) else []
    return {
        known: Images(names, source.paths[known], [base / p for p in source.paths[known]], labels, folder)
        for known, names in source.names.items()
    }


def _one(parts: list[Images]) -> Images:
    if len(parts) == 1:
        return parts[0]
    names = [name for part in parts for name in part.names]
    paths = [path for part in parts for path in part.paths]
    labels = [label for part in parts for label in part.labels]
    files = [file for part in parts for file in part.files]
    return Images(names, paths, files, labels if len(labels) == len(names) else [], parts[0].folder)


def _ordered(side: str, images: Images) -> Images:
    """In the order of the list of names that lies beside the folder; others are refused, not guessed."""
    path = _beside(images, NAME_LISTS.get(side))
    if path is None:
        return images
    listed = read_names(path)
    place = {name: row for row, name in enumerate(images.names)}
    missing = [name for name in listed if name not in place]
    more = sorted(set(images.names) - set(listed))
    problems = []
    if missing:
        problems.append(
            f"{path}: wanted only images that are there, found {len(missing)} more ({examples(missing)})"
        )
    if more:
        problems.append(
            f"{path}: wanted all {side} images, found {len(more)} missing ({examples(more)}); add them"
        )
    refuse_if_any(problems)
    rows = [place[name] for name in listed]
    return replace(
        images,
        names=listed,
        paths=[images.paths[row] for row in rows],
        files=[images.files[row] for row in rows],
        labels=[images.labels[row] for row in rows] if images.labels else [],
    )


def lists(sides: dict[str, Images]) -> dict[str, str]:
    """AI City's lists of names beside the images, by side; a features folder has them under the same names."""
    return {side: NAME_LISTS[side] for side, of in sides.items() if _beside(of, NAME_LISTS.get(side))}


def _beside(images: Images, name: str | None) -> Path | None:
    """A file called ``name`` in the folder of the images or the one above."""
    if name is None:
        return None
    for folder in (images.folder, images.folder.absolute().parent):
        if (folder / name).is_file():
            return folder / name
    return None


def with_labels(
    sides: dict[str, Images], parser: Parser | None = None, labels: Sequence[Path] = ()
) -> dict[str, dict[str, np.ndarray]]:
    """Columns by side: of tables and track lists beside the images, of lists of labels, and of the names.

    Raises: InputError where names do not fit the parser, or two sources contradict each other.
    """
    problems: list[str] = []
    listings = []
    for path in labels:
        with collecting(problems):
            listings.append(read_listing(path, parser or PARSERS["list"]))
    out = {}
    for side, images in sides.items():
        sources: list[Labels] = []
        with collecting(problems):
            table = _beside(images, f"{side}.csv")
            if table is None and "query" not in sides and side == "gallery":
                table = _beside(images, "images.csv")
            if table is not None:
                found = read_labels(table)
                missing = sorted(set(images.names) - set(found.names))
                if missing:
                    problems.append(
                        f"{table}: wanted all {side} images, found {len(missing)} missing ({examples(missing)})"
                    )
                sources.append(found)
            for name in TRACK_LISTS if side == "gallery" else ():
                tracks = _beside(images, name)
                if tracks is not None:
                    sources.append(read_tracks(tracks, images.names))
        if parser is not None or images.labels or listings:
            with collecting(problems):
                about = [
                    one for one in listings if side in sides_of_labels(one.path.stem, parser or PARSERS["list"])
                ]
                said = [one.look_up(images.paths) for one in about]
                sources.append(_parsed(side, images, parser or PARSERS["list"], said, problems))
        out[side] = {
            column: values
            for column, values in merge(images.names, sources, problems).items()
            if column in COLUMNS
        }
    refuse_if_any(problems)
    return out


def _parsed(
    side: str, images: Images, parser: Parser, said: list[list[Numbers | None]], problems: list[str]
) -> Labels:
    known: list[Numbers | None] | None = list(images.labels) if images.labels else None
    for one in said:
        before = known or [{} for _ in one]
        known = [None if b is None else {**(a or {}), **b} for a, b in zip(before, one, strict=True)]
    parsed = parse(images.paths, parser, known)
    if parsed.failed:
        problems.append(_misfits(side, images, parser, parsed.failed))
    return Labels(f"names of {side}", images.names, parsed.columns)


def _misfits(side: str, images: Images, parser: Parser, failed: dict[int, str]) -> str:
    """The names that do not fit, as the parser sees them, and what would help."""
    if parser.whole:
        shown = [f"{images.names[row]}: {why}" for row, why in failed.items()]
        return (
            f"{side}: wanted names of {parser.title}, found {len(shown)} others ({examples(shown)}); "
            "python -m ensemble.names PATH --guess says which parsers fit"
        )
    folders = deeper([images.paths[row] for row in failed], parser)
    known = f": not like {parser.pattern.pattern}"  # that is said once
    seen = [f"{tail(images.paths[row], parser.folders)}: {why}".removesuffix(known) for row, why in failed.items()]
    if folders is None:
        hint = "mend --pattern, which is matched from the beginning; --folders N lets it see folders too"
    else:
        hint = f"add --folders {folders}: so many folders before the base name the pattern has to see"
    return f"{side}: wanted {parser.title}, found {len(seen)} others ({examples(seen)}); {hint}"


def write_tables(
    out: Path,
    names: dict[str, list[str]],
    columns: dict[str, dict[str, np.ndarray]],
    lists: dict[str, str] | None = None,
) -> None:
    """``SIDE.csv`` with name and columns for every side, in the order of the names; and ``lists`` of names."""
    for side, rows in names.items():
        if lists and side in lists:
            with beside(out / lists[side]) as file:
                file.writelines(f"{name}\n" for name in rows)
        table = {column: columns[side][column].tolist() for column in COLUMNS if column in columns[side]}
        with beside(out / f"{side}.csv") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(["name", *table])
            writer.writerows(zip(rows, *table.values(), strict=True))
