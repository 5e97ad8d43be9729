"""List everything that is wrong with a submission, before it is handed in.

    python -m ensemble.validate track2.txt --query-names name_query.txt --gallery-names name_test.txt
    python -m ensemble.validate FILE --query-names F --gallery-names F [--format NAME] [--top-k K] [--tracks F]
    python -m ensemble.validate FILE --pairs F
    python -m ensemble.validate track1.txt [--format track1|track1_2024]

Exit status 0: nothing is wrong; 1: something is, and every kind of fault is listed; 2: the check could not be
made, because a file is missing, a list of names is none, or the format is unknown.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ensemble import submissions
from ensemble.base.collecting import collecting
from ensemble.base.errors import refuse_if_any
from ensemble.boxes import track1
from ensemble.cli import files, program
from ensemble.io import read_names
from ensemble.io.lists import read_tracks
from ensemble.submissions import RankList, format, formats, sysu
from ensemble.submissions.formats import FEATURES
from ensemble.submissions.similarities import Pairs, read_pairs, similarity_faults
from ensemble.submissions.whole_tracks import whole_track_lines

TASK = "rank"  # of reid-ensemble --help


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns the exit status."""
    given = parser().parse_args(arguments)
    if given.pairs is not None:
        return _tell_pairs(given.file, read_pairs(given.pairs))
    tracks = given.format if given.format in track1.FORMATS else _recognised(given)
    if tracks is not None:
        return _tell_tracks(given.file, track1.FORMATS[tracks])
    name, query_names, gallery_names, track_of = _read_lists(given)
    if name == FEATURES:
        return _tell(given.file, sysu.faults(given.file, query_names, gallery_names)) or _tell_features(given.file)
    for doubt in submissions.doubts(given.file, name, query_names, gallery_names):
        print(f"warning: {doubt}")
    found = submissions.faults(
        given.file, name, query_names, gallery_names, top_k=given.top_k, similarity=given.similarity
    )
    if found:
        return _tell(given.file, found)
    read = submissions.read(given.file, name, similarity=given.similarity)
    partial = submissions.named(name).absent
    ranking = submissions.aligned(str(given.file), read, query_names, gallery_names, partial=partial)
    unit = "line" if read.query_names is None else "list"
    if _alike(ranking):
        print(
            f"warning: {given.file.name}: all {len(ranking)} {unit}s are the same: is one answer in all of them?"
        )
    print(_summary(ranking, unit))
    if track_of:
        lines = [rows.tolist() for rows in ranking.lines()]
        whole = f"{whole_track_lines(lines, track_of)} of {len(lines)} lines"
        print(f"tracks: {whole} are whole tracks, one after another (the last may be cut)")
    return program.FINE


def parser() -> argparse.ArgumentParser:
    """The options."""
    p = program.parser("ensemble.validate", __doc__)
    p.add_argument("file", metavar="FILE", type=Path, help="the submission")
    p.add_argument(
        "--format",
        choices=(*submissions.all_formats(), FEATURES, *track1.FORMATS),
        help="default: guessed from the file's content and name",
    )
    files.add_name_lists(p)
    p.add_argument(
        "--top-k",
        metavar="K",
        type=int,
        help="images a query (default: the format's; 100 for track2 and visda, "
        "200 for naic, any number for the others)",
    )
    p.add_argument("--similarity", action="store_true", help="the numbers are larger for nearer images")
    files.add_tracks(p, "also count the lines made of whole tracks")
    p.add_argument(
        "--pairs",
        metavar="FILE",
        type=Path,
        help="it holds similarities (row_id, similarity) of these pairs (row_id, query_image, gallery_image)",
    )
    return p


def _tell(file: Path, found: Sequence[str]) -> int:
    if not found:
        return program.FINE
    print(f"not ok: {len(found)} kind{'s' if len(found) > 1 else ''} of fault in {file}")
    for fault in found:
        print(f"  {fault}")
    return program.FAULTY


def _tell_pairs(file: Path, pairs: Pairs) -> int:
    refuse_if_any([] if file.is_file() else [f"{file}: wanted a submission, found no such file; check the name"])
    status = _tell(file, similarity_faults(file, pairs))
    if status == program.FINE:
        print(f"ok: {len(pairs.row_ids)} similarities of 0 to 1, in the order of {pairs.path}")
    return status


def _recognised(given: argparse.Namespace) -> str | None:
    """The form of a file of tracks that was not named, by its beginning."""
    if given.format is not None or not given.file.is_file():
        return None
    with given.file.open("rb") as stream:
        return track1.recognises(stream.read(format.HEAD))


def _tell_tracks(file: Path, form: str) -> int:
    found = track1.faults(file, form)
    if found:
        return _tell(file, found)
    for doubt in track1.doubts(file, form):
        print(f"warning: {doubt}")
    print(track1.summary(file))
    return program.FINE


def _tell_features(file: Path) -> int:
    cells = sysu.read(file)
    counts = [sum(map(len, matrices)) for matrices in cells.values()]
    width = max(matrix.shape[1] for matrices in cells.values() for matrix in matrices)
    print(f"ok: {len(cells)} cameras, {' + '.join(map(str, counts))} images x {width} values")
    return program.FINE


def _read_lists(given: argparse.Namespace) -> tuple[str, list[str], list[str], dict[int, int]]:
    """The format, the two lists of names, and the track of each gallery row where there is a track list."""
    problems: list[str] = []
    names: dict[str, list[str]] = {"query": [], "gallery": []}
    tracks: dict[int, int] = {}
    name = given.format
    if given.top_k is not None and given.top_k < 1:
        problems.append(f"--top-k: wanted 1 or more, found {given.top_k}; give the number of images a line")
    if not given.file.exists():
        problems.append(f"{given.file}: wanted a submission, found no such file; check the name")
    elif name is None:
        with collecting(problems):
            name = submissions.guess(given.file)
    if name is not None:
        problems += formats.lacking(name)
    if given.file.is_dir() and name not in (None, FEATURES):
        problems.append(f"{given.file}: wanted a file, found a folder; name the file")
    for side, path in (("query", given.query_names), ("gallery", given.gallery_names)):
        if path is not None:
            with collecting(problems):
                names[side] = read_names(path)
        elif name != FEATURES:
            problems.append(f"--{side}-names: wanted the list of names, found nothing; give it")
    if name == FEATURES and given.file.exists():
        with collecting(problems):
            sysu.files(given.file)
    if name not in (None, FEATURES) and names["gallery"]:
        with collecting(problems):
            submissions.named(name).refuse(names["gallery"])
    if name not in (None, FEATURES) and names["gallery"]:
        names["gallery"] += [word for word in submissions.named(name).also if word not in names["gallery"]]
    if given.tracks is not None and names["gallery"]:
        with collecting(problems):
            track = read_tracks(given.tracks, names["gallery"]).columns["track"]
            tracks = dict(enumerate(track.tolist()))
    refuse_if_any(problems)
    return name, names["query"], names["gallery"], tracks


def _alike(ranking: RankList) -> bool:
    """Whether three queries or more have one list of three images or more, which chance hardly gives."""
    lists = list(ranking.lines())
    return len(lists) > 2 and len(lists[0]) > 2 and all(np.array_equal(lists[0], other) for other in lists[1:])


def _summary(ranking: RankList, unit: str) -> str:
    counts = sorted(set(ranking.counts.tolist()))
    count = str(counts[0]) if len(counts) == 1 else f"{counts[0]} to {counts[-1]}"
    what = "numbers" if unit == "line" else "images"
    return (
        f"ok: {len(ranking)} {unit}s x {count} {what}, none twice in a {unit}, "
        f"{len(np.unique(ranking.rows))} of {len(ranking.gallery_names)} gallery images"
    )


if __name__ == "__main__":
    program.main(main)
