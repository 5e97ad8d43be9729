"""What the competition for tracks gains behind the recipe ``best``, on drawn cities with tracks and cameras.

    python -m bench.competition_behind [--seeds 6] [--first 1001] [--kind city]

``best`` up to its re-ranking and camera penalty, then what stands in a row of the table, then whole tracks. mAP of
the first hundred, the mean over cities of other seeds; then the mean difference from ``best`` with the interval of
95 per cent of Student's t over the seeds. The cities are drawn and not real: differences count, not heights. No
real set here has features, tracks and truth.
"""

import argparse
import sys
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from scipy.stats import t as student

from bench.competition import Asked, asked, some_queries
from ensemble.city import city
from ensemble.pipeline import recipe, steps
from ensemble.scores import PROTOCOLS, Labels, score_labelled_ranking
from postproc import rank

KINDS = {
    "queries of a vehicle from one camera": (True, "all"),
    "the same, half of the vehicles asked for": (True, "half of the vehicles"),
    "the same, one query a vehicle": (True, "one query a vehicle"),
    "each from another camera": (False, "all"),
    "each from another camera, half of the vehicles asked for": (False, "half of the vehicles"),
    "each from another camera, one query a vehicle": (False, "one query a vehicle"),
}
ONCE, WHOLE = {"use": "one_track_per_camera"}, {"use": "rewrite_tracks"}
COMPETE: dict[str, Any] = {"use": "compete_tracks"}
ENDS: dict[str, list[dict[str, Any]]] = {  # the last steps of best, in other words
    "best": [ONCE, WHOLE],
    "compete_tracks, one a camera": [COMPETE, ONCE, WHOLE],
    "compete_tracks": [COMPETE, WHOLE],
    "sharpen = 0.25": [{**COMPETE, "sharpen": 0.25}, WHOLE],
    "pool = none": [{**COMPETE, "pool": "none"}, WHOLE],
    "once = false": [{**COMPETE, "once": False}, WHOLE],
    "rounds = 0": [{**COMPETE, "rounds": 0}, WHOLE],
    "pool = none, sharpen = 0.25, lend = 0": [{**COMPETE, "pool": "none", "sharpen": 0.25, "lend": 0}, WHOLE],
}
State = dict[str, Any]


def state_of(found: Asked, rows: np.ndarray, each: list[dict[str, Any]]) -> State:
    """What ``best`` finds in the folder of a city, with some of its queries; every network of unit length."""
    sides: list[list[np.ndarray]] = [[], []]
    for query, gallery in found.sides:
        one = run({"query": query[rows], "gallery": gallery}, each)
        sides[0].append(one["query"])
        sides[1].append(one["gallery"])
    state: State = {side: np.concatenate(of, axis=1) for side, of in zip(("query", "gallery"), sides, strict=True)}
    for side, table in (("query", found.query_table.iloc[rows]), ("gallery", found.gallery_table)):
        names = ("cam", "scene", "frame", *(["track"] if side == "gallery" else []))
        state |= {f"{side}_{name}": table[name].to_numpy(np.int64) for name in names}
    return state


def run(state: State, uses: list[dict[str, Any]]) -> State:
    """The steps one after the other, those whose data are there."""
    for use in uses:
        step = steps.catalogue()[use["use"]]
        settings = {name: value for name, value in use.items() if name not in ("use", "optional")}
        there = {*state, "features"} if "distances" not in state else set(state)
        if set(step.needs) <= there:
            state = state | steps.apply(step, state, settings)
            if "distances" in step.gives:
                state = {name: value for name, value in state.items() if name not in ("query", "gallery")}
    return state


def scores(found: Asked, which: str, seed: int) -> list[float]:
    """mAP by every end, in one city."""
    best = recipe.load("best")
    each, images, late = (
        [use.as_toml() for use in uses] for uses in (best.branches[0].each, best.branches[0].steps, best.steps)
    )
    rows = some_queries(found.query_table["pid"].to_numpy(), which, seed)
    state = run(state_of(found, rows, each), images)
    state = run(state, [use for use in late if use["use"] not in (ONCE["use"], WHOLE["use"])])
    query = found.query_table.iloc[rows]
    labels = Labels(*(table[name].to_numpy() for name in ("pid", "cam") for table in (query, found.gallery_table)))
    ranked = (rank(run(state, end)["distances"], top_k=100) for end in ENDS.values())
    return [100 * score_labelled_ranking(rows, labels, PROTOCOLS["aicity"]).mAP for rows in ranked]


def told(found: Mapping[str, np.ndarray]) -> Iterator[str]:
    """A line an end: the mean, and how far it is from the first."""
    first = next(iter(found.values()))
    for name, values in found.items():
        change = values - first
        half = student.ppf(0.975, len(change) - 1) * change.std(ddof=1) / np.sqrt(len(change))
        against = (
            ""
            if values is first
            else f"  {change.mean():+6.2f} ({change.mean() - half:+.2f} .. {change.mean() + half:+.2f})"
        )
        yield f"  {name:38s}{values.mean():6.2f}{against}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kind", default="city", choices=("city", "two_scenes"))
    parser.add_argument("--seeds", type=int, default=6)
    parser.add_argument("--first", type=int, default=1001)
    given = parser.parse_args()
    print(
        f"mAP of the first 100, {given.kind}, small, {given.seeds} cities from seed {given.first} on", flush=True
    )
    rows: dict[str, list[list[float]]] = {name: [] for name in KINDS}
    for seed in range(given.first, given.first + given.seeds):
        made = city("small", seed, kind=given.kind)
        for name, (one_camera, which) in KINDS.items():
            rows[name].append(scores(asked(made, one_camera=one_camera), which, seed))
            print(f"seed {seed}, {name}:", " ".join(f"{value:.2f}" for value in rows[name][-1]), file=sys.stderr)
    for name, found in rows.items():
        print(f"\n{name}")
        print("\n".join(told(dict(zip(ENDS, np.array(found).T, strict=True)))), flush=True)


if __name__ == "__main__":
    main()
