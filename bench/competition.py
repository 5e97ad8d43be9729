"""What votes, weights by agreement and competition for tracks add to rank lists, on drawn cities.

    python -m bench.competition [--size small] [--seeds 4]
    python -m bench.competition --size aicity2020 --seeds 1
    python -m bench.competition --many 10000          seconds and memory alone, of lists at random

Lists are the first hundred of networks of unequal quality: the city's own, each with more and more errors added,
and one of them twice with other errors, as submissions of one team are. mAP of the first hundred. The cities are
drawn and not real: differences count, not heights.
"""

import argparse
import resource
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from ensemble import fusion
from ensemble.city import City, city
from ensemble.scores import PROTOCOLS, Labels, score_labelled_ranking
from postproc import distances, l2_normalize, mask_same_camera, one_track_per_camera, rank, rewrite_tracks

ERRORS = (0.0, 0.5, 0.8, 1.1, 1.4)  # added to unit features, as a length
NOTHING: dict[str, Any] = {"pool": "none", "lend": 0, "rounds": 0, "trust": False, "weights": None}
PARTS: dict[str, dict[str, Any]] = {  # each as the line before it, and this
    "votes": NOTHING,
    "weights by agreement": {"weights": "agreement"},
    "queries pool": {"pool": "camera"},
    "tracks lend": {"lend": 0.5},
    "competition": {"rounds": 4, "regroup": False},
    "pooling again inside": {"regroup": True},
    "trust": {"trust": True},
}
VARIANTS: dict[str, dict[str, Any]] = {  # of all of that
    "sharpen = 0.25": {"sharpen": 0.25},
    "pool = none": {"pool": "none"},
    "pool = all": {"pool": "all"},
    "once = false": {"once": False},
}
Columns = Mapping[str, np.ndarray]


@dataclass(frozen=True)
class World:
    """Places in lists of a hundred (NaN elsewhere), columns, and who is who."""

    parts: list[np.ndarray]
    columns: dict[str, np.ndarray]
    query_pid: np.ndarray
    gallery_pid: np.ndarray

    def only(self, queries: np.ndarray) -> "World":
        columns = {**self.columns, "query_cam": self.columns["query_cam"][queries]}
        return World([part[queries] for part in self.parts], columns, self.query_pid[queries], self.gallery_pid)


@dataclass(frozen=True)
class Asked:
    """Who asks and who is found in a city: rows of its gallery, or of its queries, and their tables."""

    query_table: pd.DataFrame
    gallery_table: pd.DataFrame
    sides: list[tuple[np.ndarray, np.ndarray]]  # features of both, by network


def asked(made: City, *, one_camera: bool) -> Asked:
    """A city's own queries of a vehicle are from different cameras; with ``one_camera`` one of the tracks of every
    vehicle that has two leaves the gallery, and up to four of its images ask.
    """
    gallery = made.gallery
    if not one_camera:
        return Asked(made.query, gallery, list(made.features.values()))
    tracks = gallery.groupby("track").first().reset_index()
    asking = tracks[tracks.duplicated("pid", keep=False)].groupby("pid")["track"].first().to_numpy()
    from_gallery = gallery["track"].isin(asking).to_numpy()
    place = gallery.groupby("track").cumcount().to_numpy()
    query_rows, gallery_rows = np.flatnonzero(from_gallery & (place < 4)), np.flatnonzero(~from_gallery)
    sides = [(found[query_rows], found[gallery_rows]) for _, found in made.features.values()]
    return Asked(gallery.iloc[query_rows], gallery.iloc[gallery_rows], sides)


def world(size: str, seed: int, *, one_camera: bool) -> World:
    """A city's lists (:func:`asked`)."""
    found, random = asked(city(size, seed), one_camera=one_camera), np.random.default_rng(seed)
    networks, parts = found.sides, []
    for number, error in enumerate([*ERRORS, ERRORS[-1]]):
        noisy = []
        for side in networks[min(number, len(ERRORS) - 1) % len(networks)]:
            noise = random.normal(size=side.shape) / np.sqrt(side.shape[1])
            noisy.append(l2_normalize((l2_normalize(side) + error * noise).astype(np.float32)))
        parts.append(fusion.of_ranking(rank(distances(*noisy), top_k=100), len(found.gallery_table)))
    query, gallery = found.query_table, found.gallery_table
    columns = {
        "query_cam": query["cam"].to_numpy(),
        "gallery_cam": gallery["cam"].to_numpy(),
        "gallery_track": gallery["track"].to_numpy(),
    }
    return World(parts, columns, query["pid"].to_numpy(), gallery["pid"].to_numpy())


def joined(parts: list[np.ndarray], columns: Columns, **settings: Any) -> np.ndarray:
    return rewrite_tracks(fusion.compete_lists(parts, **columns, **settings), columns["gallery_track"])


def structure(parts: list[np.ndarray], columns: Columns) -> np.ndarray:
    """What the recipe ``lists_structure`` does."""
    cam, track = columns["gallery_cam"], columns["gallery_track"]
    far = mask_same_camera(fusion.reciprocal_rank_fusion(parts), columns["query_cam"], cam)
    return rewrite_tracks(one_track_per_camera(far, cam, track), track)


def table() -> dict[str, Callable[[list[np.ndarray], Columns], np.ndarray]]:
    """What is compared, by name."""
    found: dict[str, Any] = {
        "reciprocal ranks": lambda parts, columns: fusion.reciprocal_rank_fusion(parts),
        "lists_structure": structure,
    }
    settings: dict[str, Any] = {}
    for name, more in PARTS.items():
        settings = settings | more
        found[name] = lambda parts, columns, chosen=settings: joined(parts, columns, **chosen)
    for name, more in VARIANTS.items():
        found[name] = lambda parts, columns, chosen=more: joined(parts, columns, **chosen)
    return found


def some_queries(pid: np.ndarray, kind: str, seed: int) -> np.ndarray:
    """All of them; those of half of the vehicles; one a vehicle."""
    if kind == "half of the vehicles":
        vehicles = np.unique(pid)
        return np.flatnonzero(
            np.isin(pid, np.random.default_rng(seed).permutation(vehicles)[: len(vehicles) // 2])
        )
    return np.sort(np.unique(pid, return_index=True)[1]) if kind == "one query a vehicle" else np.arange(len(pid))


KINDS = {
    "queries of a vehicle from one camera": (True, "all"),
    "the same, half of the vehicles asked for": (True, "half of the vehicles"),
    "the same, one query a vehicle": (True, "one query a vehicle"),
    "queries of a vehicle each from another camera": (False, "all"),
}


def scores(size: str, seeds: int) -> None:
    print(
        f"mAP of the first 100, {size}, mean of {seeds} cities: the best list, four weak ones, all six (one twice)"
    )
    for kind, (one_camera, which) in KINDS.items():
        worlds = [world(size, seed, one_camera=one_camera) for seed in range(seeds)]
        worlds = [each.only(some_queries(each.query_pid, which, seed)) for seed, each in enumerate(worlds)]
        counts = [f"{len(each.query_pid)} of {len(np.unique(each.query_pid))} vehicles" for each in worlds[:1]]
        print(f"\n{kind} ({counts[0]}, {len(np.unique(worlds[0].columns['gallery_track']))} tracks)")
        for name, method in table().items():
            line = []
            for chosen in ([0], [2, 3, 4, 5], range(6)):
                found = []
                for one in worlds:
                    cams = one.columns["query_cam"], one.columns["gallery_cam"]
                    labels = Labels(one.query_pid, one.gallery_pid, *cams)
                    far = method([one.parts[number] for number in chosen], one.columns)
                    found.append(score_labelled_ranking(rank(far, top_k=100), labels, PROTOCOLS["aicity"]).mAP)
                line.append(100 * float(np.mean(found)))
            print(f"  {name:24s}" + "".join(f"{value:7.1f}" for value in line), flush=True)


def many(queries: int, tracks: int, images: int, cameras: int, seed: int) -> None:
    """Seconds and memory of five lists at random."""
    random = np.random.default_rng(seed)
    columns = {"gallery_track": np.sort(random.integers(0, tracks, images))}
    columns["gallery_cam"] = random.integers(0, cameras, tracks)[columns["gallery_track"]]
    columns["query_cam"] = random.integers(0, cameras, queries)
    vehicle = random.integers(0, tracks // 3, queries)
    near = random.permutation(tracks)
    parts = []
    for _ in range(5):
        rows = np.empty((queries, 100), np.int64)
        for query in range(queries):
            own = near[(3 * vehicle[query] + random.integers(0, 3, 100)) % tracks]
            track = np.where(random.random(100) < 0.5, own, random.integers(0, tracks, 100))
            first = np.searchsorted(columns["gallery_track"], track)
            rows[query] = np.minimum(first + random.integers(0, images // tracks, 100), images - 1)
        parts.append(fusion.of_ranking(rows, images))
    fusion.compete_lists([part[:2] for part in parts], **{**columns, "query_cam": columns["query_cam"][:2]})
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    sizes = f"{queries} x {tracks} tracks x {images} images, 5 lists"
    for pool in ("camera", "all"):
        started, spent = time.perf_counter(), time.process_time()
        fusion.compete_lists(parts, **columns, pool=pool)
        seconds, spent = time.perf_counter() - started, time.process_time() - spent
        more = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1e6
        print(f"{sizes}, pool = {pool}: {seconds:.1f} s, {spent:.1f} CPU s, {more:.2f} GB more", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", default="small")
    parser.add_argument("--seeds", type=int, default=4)
    parser.add_argument("--many", type=int, default=0, metavar="N")
    parser.add_argument("--tracks", type=int, default=798)
    parser.add_argument("--images", type=int, default=18290)
    given = parser.parse_args()
    if given.many:
        many(given.many, given.tracks, given.images, 20, 0)
    else:
        scores(given.size, given.seeds)


if __name__ == "__main__":
    main()
