"""What a pipeline may be made of: one row for every family of steps, with the place where it stands.

A new step is one row. A row is left out where a folder lacks what its steps look at, or where a package is
missing. ``axes`` are numbers to move once the family is in: each axis is a list of settings for the row's first
step, of which one is taken at a time. Rows of a place stand in the order in which they are tried.

Every row costs tries that others do not get, so a step has to have won over the step of ``default`` on a real set
(``bench/results/gains.csv``), and not behind others of its kind everywhere; :data:`LEFT_OUT` says why some have no
row.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Uses = tuple[Mapping[str, Any], ...]
Axis = tuple[Mapping[str, Any], ...]

PLACES = {  # in the order of the recipe
    "model": "each model's features",
    "joined": "features side by side",
    "cameras": "what cameras do to features",
    "tracks": "features of tracks",
    "expansion": "features with their neighbours'",
    "ranker": "features to distances",
    "corrected": "distances of the end",
    "constraints": "what cannot be, and whole tracks",
}
BEFORE = ("joined", "cameras", "tracks", "expansion", "ranker")  # steps of a branch; the last two are the recipe's
UNIT: Mapping[str, Any] = {"use": "l2_normalize"}


@dataclass(frozen=True)
class Family:
    """Steps that come into a recipe together, at ``place``."""

    place: str
    uses: Uses
    axes: tuple[Axis, ...] = ()

    @property
    def name(self) -> str:
        """For the eye."""
        return text(self.uses)

    def neighbours(self, now: Uses) -> Iterator[Uses]:
        """``now`` with the settings of one axis changed, each value of each axis once."""
        for axis in self.axes:
            for values in axis:
                moved = ({**now[0], **values}, *now[1:])
                if moved != now:
                    yield moved


def text(uses: Uses) -> str:
    """``learned_metric xqda, ridge 0.01``; nothing for no steps."""
    said = []
    for use in uses:
        if use == UNIT:
            continue
        settings = [str(v) if k == "method" else f"{k} {v}" for k, v in use.items() if k != "use"]
        said.append(" ".join([use["use"], ", ".join(settings)]).strip())
    return " + ".join(said)


def _axis(name: str, *values: Any) -> Axis:
    return tuple({name: value} for value in values)


def _pairs(*values: tuple[int, int]) -> Axis:
    return tuple({"k1": k1, "k2": k2} for k1, k2 in values)


def _step(place: str, use: str, *axes: Axis, **settings: Any) -> Family:
    return Family(place, ({"use": use, **settings},), axes)


def _unit_after(place: str, use: str, *axes: Axis, **settings: Any) -> Family:
    """What leaves rows of any length, and the unit length after it."""
    return Family(place, ({"use": use, **settings}, UNIT), axes)


def _maps(place: str) -> Iterator[Family]:
    """Linear maps, learned or not: of each model, or of all side by side. NFST takes n³ of n images: left out."""
    ridges = _axis("ridge", 0.0001, 0.0003, 0.001, 0.002, 0.005, 0.01)
    sizes = _axis("components", 40, 80, 160)
    reduced = _axis("pca", 60, 100, 200, 300)
    kept = _axis("components", 64, 128, 256)
    yield _step(place, "whiten", _axis("power", 0.25, 0.5, 0.75, 1.0), kept, power=0.5)
    for method, axes in (
        ("xqda", (ridges, sizes)),
        ("kissme", (reduced, ridges, _axis("different_weight", 0.0, 0.5))),
        ("sdml", (reduced,)),
        ("lfda", (reduced, ridges)),
        ("rca", (reduced,)),
    ):
        yield _unit_after(place, "learned_metric", *axes, method=method)
        if method == "xqda":
            yield _unit_after(place, "learned_metric", *axes, method=method, ridge=0.005)
    yield _unit_after(place, "learned_whitening", kept)


_LISTS = _pairs((4, 2), (7, 3), (10, 3), (12, 4), (15, 5), (20, 6), (26, 7), (40, 12))
_SHARES = _axis("lambda_value", 0.1, 0.3, 0.5, 0.7)
_FEW = _axis("k", 3, 5, 10, 20, 40)
_NEAR = (_axis("k", 2, 3, 5, 10), _axis("alpha", 0.0, 1.0, 3.0))
_HALF: Mapping[str, Any] = {"k1": 10, "k2": 3, "lambda_value": 0.5}
_OF_CAMERAS = (
    _axis("k1_inter", 5, 10, 15, 20, 30), _axis("k1_intra", 3, 5, 8),
    _axis("k2_inter", 1, 2, 3, 5), _axis("k2_intra", 1, 2, 3, 5), _axis("lambda_value", 0.0, 0.1, 0.3),
)  # fmt: skip

FAMILIES: tuple[Family, ...] = (
    *_maps("model"),
    *_maps("joined"),
    _step("cameras", "camera_whitening", whiten=False),
    _step("cameras", "camera_whitening", _axis("ridge", 0.005, 0.01, 0.02, 0.05, 0.1, 0.3, 1.0)),
    _step("cameras", "camera_whitening", _axis("ridge", 0.005, 0.01, 0.02, 0.05, 0.1, 0.3, 1.0), per_camera=False),
    _step("tracks", "track_mean", renormalize=True),
    _step("tracks", "weighted_track_mean", _axis("threshold", 0.3, 0.6, 1.0), renormalize=True),
    _step("tracks", "track_augmentation"),
    _step("expansion", "query_expansion", *_NEAR, k=3, alpha=3.0, expand="both"),
    _step("expansion", "query_expansion", *_NEAR, k=3, alpha=3.0),
    _step("expansion", "nfc", _pairs((1, 1), (2, 2), (3, 3), (5, 5))),
    _step("expansion", "discriminative_expansion", _axis("k", 2, 5, 10)),
    _step("expansion", "gcr", _axis("rounds", 1, 2, 3), _axis("scale", 0.1, 0.3, 0.5)),
    _step("expansion", "merge_set_features", _axis("k", 5, 20, 50)),
    _step("ranker", "csls", _FEW),
    _step("ranker", "local_scaling", _FEW, method="nicdm"),
    _step("ranker", "dis_sim", _FEW),
    _step("ranker", "mutual_proximity"),
    _step("ranker", "nnn", _FEW, _axis("alpha", 0.25, 0.5, 0.75)),
    _step("ranker", "sinkhorn", _axis("temperature", 0.02, 0.03, 0.05, 0.1)),
    _step("ranker", "rerank", _LISTS, _SHARES, **_HALF),
    _step("ranker", "rerank", _LISTS, _axis("camera_penalty", 0.05, 0.1, 0.2), **_HALF, camera_penalty=0.1),
    _step("ranker", "rerank_multiscale", _FEW, _axis("lambda_value", 0.3, 0.5, 0.7)),
    _step("ranker", "gnn_rerank", _LISTS, _SHARES, **_HALF),
    _step("ranker", "ecn"),
    _step("ranker", "ca_jaccard", *_OF_CAMERAS),
    _step("ranker", "kwf", _axis("k", 3, 6, 10)),
    _step("ranker", "lbr", _axis("k", 10, 50), _axis("temperature", 0.03, 0.1, 0.3)),
    _step("ranker", "diffusion"),
    _step("ranker", "rdp", _axis("k", 5, 10, 20, 30)),
    _step("ranker", "rdpac", _axis("k", 8, 15, 25)),
    _step("ranker", "cas", _axis("lambda_value", 0.1, 0.3, 0.5)),
    _step("ranker", "bfs_tree", _axis("k", 10, 20, 30)),
    _step("ranker", "lhrr", _axis("k", 10, 18, 30)),
    _step("ranker", "visual_neighbours", _axis("k", 3, 5, 10)),
    _step("ranker", "rerank_tracks", _pairs((4, 2), (7, 2), (10, 3)), _SHARES),
    _step("ranker", "rerank_spatio_temporal", _LISTS, _SHARES, **_HALF),
    _step("corrected", "csls_distances", _FEW),
    _step("corrected", "sinkhorn_distances", _axis("temperature", 0.02, 0.05, 0.1)),
    _step("corrected", "pool_distances", _axis("reduce", "min", "mean")),
    _step("constraints", "camera_penalty", penalty=10.0),
    _step("constraints", "scene_gate", penalty=10.0),
    _step("constraints", "one_track_per_camera"),
    _step("constraints", "rewrite_tracks"),
)  # fmt: skip
_LOSES = "behind rerank_multiscale on every real set, at its defaults"
_NO_SET = "no real set has what it looks at"
LEFT_OUT: Mapping[str, str] = {  # steps that came after the table was made, and why they have no row
    "aim": _LOSES,
    "cheb_gr": _LOSES,
    "cprr": _LOSES,
    "explore_exploit": _LOSES,
    "knn_rank": _LOSES,
    "label_votes": _LOSES,
    "qb_norm": _LOSES,
    "recknn": _LOSES,
    "rerank_one_sided": _LOSES,
    "sort_and_insert": _LOSES,
    "rfe": "ahead on CUHK03 and characters, and on all of these behind rdpac and bfs_tree",
    "part_distances": _NO_SET,
    "tlift": _NO_SET,
}
PLAIN: Uses = ({"use": "distances", "metric": "cosine"},)
"""What stands for a ranker where there is none."""


def of(place: str, families: Sequence[Family]) -> list[Family]:
    """The rows of a place."""
    return [family for family in families if family.place == place]


def place_of(use: str, families: Sequence[Family]) -> str | None:
    """Where a step stands, by its name."""
    return next((family.place for family in families if family.uses[0]["use"] == use), None)


def like(uses: Uses, place: str, families: Sequence[Family]) -> Family | None:
    """The row that ``uses`` come from, whatever their numbers: the first of the same steps and words."""
    if not uses:
        return None
    for family in of(place, families):
        moved = {name for axis in family.axes for values in axis for name in values}
        first, other = (
            {name: value for name, value in use.items() if name not in moved} for use in (family.uses[0], uses[0])
        )
        if first == other and len(family.uses) == len(uses):
            return family
    return None
