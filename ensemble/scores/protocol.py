"""How a ranking is judged: the choices in which released evaluators differ, and each moves the number."""

from dataclasses import asdict, dataclass, fields
from typing import Any

from ensemble.scores.rules import JUNK, Junk
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
AVERAGES = {"queries": "", "identities": "means over the queries of each identity, then over identities"}


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

    def describe(self, given: bool = False) -> str:
        """In words; ``given``: the data set's own files say which."""
        images = "1 image" if self.shots == 1 else f"{self.shots} images"
        trials = "1 trial" if self.trials == 1 else f"{self.trials} trials"
        how = f"as the data set draws them, {trials}" if given else f"drawn at random, {trials}, seed {self.seed}"
        return f"{images} {DRAWS[self.each]} {how}"


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
    average:     over ``queries``, each once; or over ``identities``, each the mean of its queries.
    junk:        what is removed, for each query: a name of :data:`~ensemble.scores.rules.JUNK`, or rules of one's
                 own. What is unknown (-1), as a camera, is the same as no other, also not as another unknown one.
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
    identities:  the name of the list of those that take part, where the folder has such a list; "": all.
    """

    ap: str = "rectangle"
    denominator: str = "valid"
    junk: str | Junk = "market"
    top_k: int | None = None
    divide: str = "all"
    cut: str = "after"
    cmc: str = "images"
    rows: str = "images"
    final: str = "mAP"
    draw: Draw | None = None
    average: str = "queries"
    identities: str = ""

    def __post_init__(self) -> None:
        checks.one_of("ap", self.ap, AP_RULES)
        if not isinstance(self.junk, Junk):
            checks.one_of("junk", self.junk, tuple(JUNK))
        for name, choices in (
            ("denominator", DENOMINATORS),
            ("average", AVERAGES),
            ("divide", DIVISORS),
            ("cut", CUTS),
            ("cmc", CMCS),
            ("rows", ROWS),
            ("final", FINALS),
        ):
            checks.one_of(name, getattr(self, name), tuple(choices))
        if not isinstance(self.identities, str):
            raise ValueError(f"identities: wanted the name of a list, got {self.identities!r}")
        if self.top_k is not None:
            checks.whole("top_k", self.top_k, 1)
        if self.cut == "before" and self.ap == "sklearn":
            raise ValueError("cut: wanted after for ap sklearn, whose ties end at the cut, got 'before'")

    @property
    def removes(self) -> Junk:
        """The junk rules."""
        return self.junk if isinstance(self.junk, Junk) else JUNK[self.junk]

    @property
    def whole(self) -> bool:
        """Whether the scores look at the whole ranking of every query."""
        return self.top_k is None or self.reshapes

    @property
    def reshapes(self) -> bool:
        """Whether what is ranked is not the gallery as it is given, image by image."""
        return self.draw is not None or self.rows != "images" or self.cmc != "images"

    def as_json(self) -> dict[str, Any]:
        """Every rule by its name, as plain values; the junk rules of one's own as a list of tables."""
        junk = self.junk.as_list() if isinstance(self.junk, Junk) else self.junk
        found = {each.name: getattr(self, each.name) for each in fields(self)}
        return {**found, "junk": junk, "draw": asdict(self.draw) if self.draw else None}

    @property
    def takes_lists(self) -> bool:
        """Whether lists without ties are all that the scores look at."""
        return not self.reshapes and self.ap != "sklearn"

    def describe(
        self, *, cameras: bool = True, tracks: bool = True, own: bool = True, draws_given: bool = False
    ) -> str:
        """All settings in one line, and whether the rules had ``cameras``, ``tracks``, queries' ``own`` images.

        draws_given: the data set's own files said which images are drawn.
        """
        cut = "no cut" if self.top_k is None else f"top_k {self.top_k} {CUTS[self.cut]}"
        parts = [
            f"AP {self.ap} {DIVISORS[self.divide]}",
            DENOMINATORS[self.denominator],
            AVERAGES[self.average],
            self.removes.what,
            cut,
            CMCS[self.cmc],
            ROWS[self.rows],
            self.draw.describe(draws_given) if self.draw else "",
            FINALS[self.final],
            NO_CAMERAS if not cameras and self.removes.needs_cameras else "",
            NO_TRACKS if not tracks and self.rows != "images" else "",
            NO_OWN if not own and self.removes.own else "",
        ]
        return ", ".join(filter(None, parts))
