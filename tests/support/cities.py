"""Drawn cities smaller than those of ``reid-ensemble demo``: what commands do with one shows on few images too."""

from dataclasses import replace
from pathlib import Path

import pytest

from ensemble.city import folder, people, tracks, traffic
from ensemble.city.traffic import Size

FEW = Size(vehicles=20, cameras=6, tracks=40, gallery=400, queries=40, width=24, learners=20, passes=4)
TRACKS = Size(vehicles=9, cameras=3, tracks=25, gallery=560, queries=2, width=48, learners=12)


def shrink(patch: pytest.MonkeyPatch, size: Size = FEW) -> None:
    """From now on the cities of size "small" are smaller."""
    patch.setitem(traffic.SIZES, "small", size)
    patch.setitem(tracks.SIZES, "small", TRACKS)
    for kind in ("people", "station"):
        sizes = people.KINDS[kind].sizes
        patch.setitem(sizes, "small", replace(sizes["small"], people=24, learners=20, width=24))


def few(path: Path) -> Path:
    """A city of FEW vehicles in a folder, which comes back."""
    with pytest.MonkeyPatch.context() as patch:
        shrink(patch)
        folder.make(path)
    return path
