"""How many lines of a ranking are made of whole tracks."""

from collections import Counter
from collections.abc import Sequence
from itertools import groupby


def whole_track_lines(lines: Sequence[Sequence[int]], track_of: dict[int, int]) -> int:
    """How many lines are made of tracks in one piece each, all but the last of them complete.

    lines:    images, each in ``track_of``, none twice in a line.
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
