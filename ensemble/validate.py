"""Look a submission through before it is handed in.

    python -m ensemble.validate FILE --query-names F --gallery-names F [--top-k 100] [--tracks F]

Exit status 0: nothing is wrong; 1: something is, and every kind of fault is listed; 2: the check could not be
made, because a file is missing or a list of names is none.
"""

import argparse
from collections import Counter
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path

from ensemble import errors
from ensemble.errors import refuse_if_any
from ensemble.io import read_names
from ensemble.io.collecting import collecting
from ensemble.io.lists import read_tracks
from ensemble.submission import doubts, faults, image_numbers, read_track2


def main(arguments: Sequence[str] | None = None) -> int:
    given = _parser().parse_args(arguments)
    query_names, gallery_names, track_of = _read_lists(given)
    for doubt in doubts(given.file, query_names, gallery_names):
        print(f"warning: {doubt}")
    found = faults(given.file, query_names, gallery_names, top_k=given.top_k)
    if found:
        print(f"not ok: {len(found)} kind{'s' if len(found) > 1 else ''} of fault in {given.file}")
        for fault in found:
            print(f"  {fault}")
        return 1
    lines = read_track2(given.file)
    print(_summary(lines, len(gallery_names)))
    if track_of:
        whole = f"{whole_track_lines(lines, track_of)} of {len(lines)} lines"
        print(f"tracks: {whole} are whole tracks, one after another (the last may be cut)")
    return 0


def _read_lists(given: argparse.Namespace) -> tuple[list[str], list[str], dict[int, int]]:
    """The two lists of names, and the track of each image number where there is a track list."""
    problems: list[str] = []
    names: dict[str, list[str]] = {"query": [], "gallery": []}
    tracks: dict[int, int] = {}
    if given.top_k < 1:
        problems.append(f"--top-k: wanted 1 or more, found {given.top_k}; give the number of images a line")
    if not given.file.is_file():
        problems.append(f"{given.file}: wanted a submission, found no such file; check the name")
    for side, path in (("query", given.query_names), ("gallery", given.gallery_names)):
        with collecting(problems):
            names[side] = read_names(path)
    if given.tracks is not None and names["gallery"]:
        with collecting(problems):
            numbers = map(int, image_numbers(names["gallery"]))
            track = read_tracks(given.tracks, names["gallery"]).columns["track"]
            tracks = dict(zip(numbers, track.tolist(), strict=True))
    refuse_if_any(problems)
    return names["query"], names["gallery"], tracks


def whole_track_lines(lines: Sequence[Sequence[int]], track_of: dict[int, int]) -> int:
    """How many lines are made of tracks in one piece each, all but the last of them complete.

    lines:    numbers of images, each in ``track_of``, none twice in a line.
    track_of: the track of every gallery image, -1 for none; a line with such an image does not count.
    """
    size = Counter(track_of.values())
    return sum(_of_whole_tracks([track_of[image] for image in line], size) for line in lines)


def _of_whole_tracks(tracks: Sequence[int], size: dict[int, int]) -> bool:
    """Whether the tracks of a line's images come in one run each, as long as the track but for the last."""
    runs = [(track, len(list(run))) for track, run in groupby(tracks)]
    return (
        -1 not in tracks
        and len({track for track, _ in runs}) == len(runs)
        and all(length == size[track] for track, length in runs[:-1])
    )


def _summary(lines: Sequence[Sequence[int]], gallery: int) -> str:
    different = len({image for line in lines for image in line})
    return (
        f"ok: {len(lines)} lines x {len(lines[0])} numbers, none twice in a line, "
        f"{different} of {gallery} gallery images"
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m ensemble.validate", description="List everything that is wrong with a track2.txt."
    )
    parser.add_argument("file", metavar="FILE", type=Path, help="the submission")
    parser.add_argument(
        "--query-names", metavar="F", type=Path, required=True, help="names of the queries, one a line"
    )
    parser.add_argument(
        "--gallery-names",
        metavar="F",
        type=Path,
        required=True,
        help="names of the gallery images, one a line",
    )
    parser.add_argument("--top-k", metavar="K", type=int, default=100, help="images a line, default: %(default)s")
    parser.add_argument("--tracks", metavar="F", type=Path, help="also count the lines made of whole tracks")
    return parser


if __name__ == "__main__":
    errors.main(main)
