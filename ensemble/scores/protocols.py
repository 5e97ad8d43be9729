"""How a ranking is judged: the choices in which released evaluators differ, and each moves the number.

Sources of the presets: :data:`SOURCES`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from postproc.base import checks

AP_RULES = ("rectangle", "trapezoid", "sklearn")
DIVISORS = {
    "all": "divided by all good images",
    "found": "divided by the good images found before the cut",
    "cut": "divided by all good images or the cut, whichever is less",
}
DENOMINATORS = {
    "all": "denominator all (a query without a match counts as 0)",
    "valid": "denominator valid (queries with a match)",
}


@dataclass(frozen=True)
class Junk:
    """What is removed from the ranking of a query.

    what:      in words, for the line that stands beside every number.
    unknown:   gallery images of pid -1.
    own:       the query's own image, where it stands in the gallery too.
    cameras:   ``same`` images of the query's camera; ``other`` those of all cameras but it; or for each camera of
               a query the one whose images are removed, because both see the same place. None: of no camera.
    searched:  the only cameras that are searched: images of all others are removed. None: all are searched.
    everybody: whether ``cameras`` and ``searched`` are about images of every identity, or only of the query's own.
    """

    what: str
    unknown: bool = False
    own: bool = False
    cameras: Literal["same", "other"] | Mapping[int, int] | None = None
    searched: tuple[int, ...] | None = None
    everybody: bool = False

    @property
    def needs_cameras(self) -> bool:
        """Whether something is removed because of its camera."""
        return self.cameras is not None or self.searched is not None


JUNK = {
    "market": Junk(
        "junk market (same identity and camera removed, and pid -1)",
        cameras="same",
        unknown=True,
    ),
    "bot": Junk("junk bot (same identity and camera removed)", cameras="same"),
    "none": Junk("junk none (nothing removed)"),
    "self": Junk("junk self (the query's own image removed)", own=True),
    "all": Junk("junk all (the query's own image removed, and pid -1)", own=True, unknown=True),
    "intra": Junk(
        "junk intra (other cameras removed, the query's own image, and pid -1)",
        cameras="other",
        everybody=True,
        own=True,
        unknown=True,
    ),
    "cuhk03": Junk(
        "junk cuhk03 (all images of the query's camera removed)",
        cameras="same",
        everybody=True,
    ),
    "sysu": Junk(
        "junk sysu (all but cameras 1, 2, 4 and 5 removed, and camera 2 for camera 3)",
        cameras={3: 2},
        searched=(1, 2, 4, 5),
        everybody=True,
    ),
    "sysu_indoor": Junk(
        "junk sysu_indoor (all but cameras 1 and 2 removed, and camera 2 for camera 3)",
        cameras={3: 2},
        searched=(1, 2),
        everybody=True,
    ),
}
"""What protocols remove, by name."""

CUTS = {"after": "after removal", "before": "before removal"}
CMCS = {
    "images": "CMC of images",
    "identities": "CMC of identities (the wrong identities before the first good image)",
}
ROWS = {
    "images": "",
    "gallery_tracks": "a gallery track is one row (at its nearest image)",
    "tracks": "a track is one row (at its nearest images)",
}
FINALS = {"mAP": "", "naic": "final score (rank-1 + mAP) / 2"}
DRAWS = {
    "identity": "of each identity",
    "camera": "of each identity and camera",
    "query": "of each identity for each query (CMC only)",
}
NO_CAMERAS = "no cameras given: nothing removed for the camera"
NO_TRACKS = "no tracks of queries or gallery given: there every image is a track"
NO_OWN = "unknown which gallery image is the query's own: none removed"


@dataclass(frozen=True)
class Draw:
    """A gallery drawn at random several times; the scores are means over the trials.

    each:   ``identity``: ``shots`` images of each identity; ``camera``: of each identity and camera; both draw the
            gallery of all queries. ``query``: one image of each identity for each query anew, out of what is not
            removed for it; that is for the CMC, and the average precision is that of the whole ranking.
    shots:  1 or more images, or as many as there are; 1 for ``query``.
    trials: 1 or more.
    seed:   0 or more, of NumPy's PCG64.
    """

    each: str
    shots: int = 1
    trials: int = 10
    seed: int = 0

    def __post_init__(self) -> None:
        checks.one_of("each", self.each, tuple(DRAWS))
        checks.whole("shots", self.shots, 1)
        checks.whole("trials", self.trials, 1)
        checks.whole("seed", self.seed, 0)
        if self.each == "query" and self.shots != 1:
            raise ValueError(f"shots: wanted 1 where every query has a draw of its own, got {self.shots}")

    def describe(self) -> str:
        """In words."""
        images = "1 image" if self.shots == 1 else f"{self.shots} images"
        trials = "1 trial" if self.trials == 1 else f"{self.trials} trials"
        return f"{images} {DRAWS[self.each]} drawn at random, {trials}, seed {self.seed}"


@dataclass(frozen=True)
class Protocol:
    """The rule of the average precision, what it is averaged over, what is removed, where the ranking is cut.

    With the good images at the 0-based places ``r_0 < r_1 < … < r_{n-1}`` of the ranking after removal:

    ap:          ``rectangle`` the mean of ``(i + 1) / (r_i + 1)``; ``trapezoid`` averages that precision with
                 the one before it (``i / r_i``, 1 at the top), as Oxford's and Market-1501's own code do;
                 ``sklearn`` the precision at the end of the tie in which ``r_i`` stands, so that the order
                 inside a tie does not matter (scikit-learn's ``average_precision_score``).
    denominator: ``valid`` the queries with a good image; ``all`` every query, those without as 0. Queries of
                 unknown identity (-1) are in neither.
    junk:        what is removed, for each query: the name of a rule of :data:`JUNK`. An unknown camera (-1) is the
                 same as no other, also not as another unknown one.
    top_k:       only the first ``top_k`` places count (None: all). The INP of a query with a good image behind
                 the cut is 0, and a tie ends at the cut.
    divide:      what the sum of precisions is divided by: ``all`` good images, those ``found`` before the cut
                 (a query without one then has no match), or ``cut``, the lesser of all and the cut.
    cut:         ``after`` removal are the places counted, or ``before`` it, as a server must that is sent lists.
    cmc:         of ``images``, or of ``identities``: how many wrong identities come before the first good image.
    rows:        ``images``; ``gallery_tracks`` all gallery images of a track are one row, as far as the nearest
                 of them; ``tracks`` those of the queries as well. Rows that are tracklets already need no tracks.
    final:       what the competition ranks by: ``mAP``, or ``naic``, the mean of rank-1 and mAP.
    draw:        None, or how galleries are drawn from the gallery given.
    """

    ap: str = "rectangle"
    denominator: str = "valid"
    junk: str = "market"
    top_k: int | None = None
    divide: str = "all"
    cut: str = "after"
    cmc: str = "images"
    rows: str = "images"
    final: str = "mAP"
    draw: Draw | None = None

    def __post_init__(self) -> None:
        checks.one_of("ap", self.ap, AP_RULES)
        for name, choices in (
            ("denominator", DENOMINATORS),
            ("junk", JUNK),
            ("divide", DIVISORS),
            ("cut", CUTS),
            ("cmc", CMCS),
            ("rows", ROWS),
            ("final", FINALS),
        ):
            checks.one_of(name, getattr(self, name), tuple(choices))
        if self.top_k is not None:
            checks.whole("top_k", self.top_k, 1)
        if self.cut == "before" and self.ap == "sklearn":
            raise ValueError("cut: wanted after for ap sklearn, whose ties end at the cut, got 'before'")

    @property
    def removes(self) -> Junk:
        """The junk rule."""
        return JUNK[self.junk]

    @property
    def whole(self) -> bool:
        """Whether the scores look at the whole ranking of every query."""
        return self.top_k is None or self.reshapes

    @property
    def reshapes(self) -> bool:
        """Whether what is ranked is not the gallery as it is given, image by image."""
        return self.draw is not None or self.rows != "images" or self.cmc != "images"

    @property
    def takes_lists(self) -> bool:
        """Whether lists without ties are all that the scores look at."""
        return not self.reshapes and self.ap != "sklearn"

    def describe(self, *, cameras: bool = True, tracks: bool = True, own: bool = True) -> str:
        """All settings in one line, and whether the rules had ``cameras``, ``tracks``, queries' ``own`` images."""
        cut = "no cut" if self.top_k is None else f"top_k {self.top_k} {CUTS[self.cut]}"
        parts = [
            f"AP {self.ap} {DIVISORS[self.divide]}",
            DENOMINATORS[self.denominator],
            self.removes.what,
            cut,
            CMCS[self.cmc],
            ROWS[self.rows],
            self.draw.describe() if self.draw else "",
            FINALS[self.final],
            NO_CAMERAS if not cameras and self.removes.needs_cameras else "",
            NO_TRACKS if not tracks and self.rows != "images" else "",
            NO_OWN if not own and self.removes.own else "",
        ]
        return ", ".join(filter(None, parts))


PERSON = Protocol("rectangle", "valid", "market")
VEHICLE = Protocol("rectangle", "valid", "bot")

_SYSU = (
    'Wu et al., "RGB-infrared cross-modality person re-identification", ICCV 2017, as wangguanan/JSIA-ReID scores '
    "it: cameras 3 and 6 search {}, of which {} an identity and camera are drawn"
)
_PERSON = "{}, as torchreid and fast-reid score it, like Market-1501"

_PRESETS = {
    "market1501": (
        PERSON,
        'Market-1501 (Zheng et al., "Scalable person re-identification", ICCV 2015) as torchreid and '
        "fast-reid report it, whose loaders drop pid -1 beforehand; the distractors, pid 0, stay",
    ),
    "market1501_official": (
        Protocol("trapezoid", "all", "market"),
        "Market-1501 by the data set's own MATLAB code, and layumi/Person_reID_baseline_pytorch, evaluate_gpu.py",
    ),
    "dukemtmc": (
        PERSON,
        _PERSON.format("DukeMTMC-reID (Zheng, Zheng and Yang, ICCV 2017)"),
    ),
    "msmt17": (
        PERSON,
        _PERSON.format('MSMT17 (Wei et al., "Person transfer GAN", CVPR 2018)'),
    ),
    "cuhk03np": (
        PERSON,
        _PERSON.format("CUHK03 with the new protocol (Zhong et al., CVPR 2017)"),
    ),
    "cuhk03": (
        Protocol("rectangle", "valid", "cuhk03", draw=Draw("query")),
        'CUHK03 with the old protocol (Li et al., "DeepReID", CVPR 2014): open-reid, cmc with '
        "single_gallery_shot and separate_camera_set, ten repeats; torchreid's eval_cuhk03 has junk bot",
    ),
    "veri": (
        VEHICLE,
        "VeRi-776 image to image, as torchreid and fast-reid score it; it has no pid -1, and none is removed",
    ),
    "veri_track": (
        Protocol("rectangle", "valid", "bot", rows="gallery_tracks"),
        'VeRi-776 image to track (Liu et al., "PROVID", TMM 2018)',
    ),
    "veriwild": (
        VEHICLE,
        "VeRi-Wild (Lou et al., CVPR 2019) with the cameras that its authors confirm in "
        "PKU-IMRE/VERI-Wild, issue 7, and that their test code left out (junk none)",
    ),
    "vehicleid": (
        Protocol("rectangle", "valid", "self", draw=Draw("identity")),
        'VehicleID (Liu et al., "Deep relative distance learning", CVPR 2016): one image of each '
        "identity is the gallery, ten times. It is drawn from the gallery given; where that holds the queries, "
        "under the same names, a query that is drawn sits out that trial, which is the protocol on a list of "
        "images",
    ),
    "aicity": (
        Protocol("rectangle", "all", "none", top_k=100),
        "AI City Challenge track 2, 2019 to 2021, mAP of the first 100 places; images of the query's own "
        "camera count",
    ),
    "visda": (
        Protocol("rectangle", "all", "bot", top_k=100, divide="found", cut="before"),
        "VisDA-2020: junk as Simon4Yan/VisDA2020, devkit; its server looks at the 100 images sent and says "
        "more than all places would (issue 3), which is dividing by what is found",
    ),
    "naic": (
        Protocol("rectangle", "valid", "none", top_k=200, final="naic"),
        "NAIC person re-identification: half rank-1, half mAP of the first 200 places (100 in the first year)",
    ),
    "sysu_all_single": (
        Protocol(junk="sysu", draw=Draw("camera", shots=1), cmc="identities"),
        _SYSU.format("1, 2, 4 and 5", "1 image"),
    ),
    "sysu_all_multi": (
        Protocol(junk="sysu", draw=Draw("camera", shots=10), cmc="identities"),
        _SYSU.format("1, 2, 4 and 5", "10 images"),
    ),
    "sysu_indoor_single": (
        Protocol(junk="sysu_indoor", draw=Draw("camera", shots=1), cmc="identities"),
        _SYSU.format("1 and 2", "1 image"),
    ),
    "sysu_indoor_multi": (
        Protocol(junk="sysu_indoor", draw=Draw("camera", shots=10), cmc="identities"),
        _SYSU.format("1 and 2", "10 images"),
    ),
    "mars": (
        Protocol("rectangle", "valid", "market", rows="tracks"),
        "MARS (Zheng et al., ECCV 2016) and other tracklet sets, as torchreid scores them; rows are tracklets "
        "or, where there are tracks, pooled by them",
    ),
    "landmarks": (
        Protocol("rectangle", "valid", "none", top_k=100, divide="cut"),
        'Google Landmarks retrieval, mAP@100 (Weyand et al., "Google Landmarks Dataset v2", CVPR 2020)',
    ),
    "intra_camera": (
        Protocol("rectangle", "all", "intra"),
        "light-reid, mode intra-camera, with the query's own image told by its name, not by its place",
    ),
    "all_cameras": (
        Protocol("rectangle", "all", "all"),
        "light-reid, mode all, likewise",
    ),
    "none": (
        Protocol("rectangle", "valid", "none"),
        "RegDB (mangye16/Cross-Modal-Re-ID-baseline, eval_regdb) and others, where nothing is removed",
    ),
}

PROTOCOLS = {name: protocol for name, (protocol, _) in _PRESETS.items()}
"""The usual protocols by name; where each comes from: :data:`SOURCES`."""

SOURCES = {name: source for name, (_, source) in _PRESETS.items()}
"""Where the rules of each protocol come from."""
