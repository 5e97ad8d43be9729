"""How a ranking is judged: four choices in which released evaluators differ, and each moves the number."""

from dataclasses import dataclass

from postproc import checks

AP_RULES = ("rectangle", "trapezoid", "sklearn")
DENOMINATORS = {
    "all": "denominator all (a query without a match counts as 0)",
    "valid": "denominator valid (queries with a match)",
}
JUNK = {
    "market": "junk market (same identity and camera removed, and pid -1)",
    "bot": "junk bot (same identity and camera removed)",
    "none": "junk none (nothing removed)",
}
NO_CAMERAS = "no cameras given: nothing removed for the camera"


@dataclass(frozen=True)
class Protocol:
    """The rule of the average precision, what it is averaged over, what is removed, where the ranking is cut.

    With the good images at the 0-based places ``r_0 < r_1 < … < r_{n-1}`` of the ranking after removal:

    ap:          ``rectangle`` the mean of ``(i + 1) / (r_i + 1)``; ``trapezoid`` averages that precision with
                 the one before it (``i / r_i``, 1 at the top), as Oxford's and Market-1501's own code do;
                 ``sklearn`` the precision at the end of the tie in which ``r_i`` stands, so that the order
                 inside a tie does not matter (scikit-learn's ``average_precision_score``).
    denominator: ``valid`` the queries with a good image; ``all`` every query, those without as 0.
    junk:        ``market`` removes the images of the query's identity and camera, and all of pid -1; ``bot``
                 only the former, so that -1 is an identity like any other; ``none`` nothing. Cameras are
                 compared as numbers, as all released evaluators do: two unknown ones (-1) are the same.
    top_k:       only the first ``top_k`` places count (None: all). The AP is still divided by all good
                 images, the INP of a query with a good image behind the cut is 0, and a tie ends at the cut.
    """

    ap: str = "rectangle"
    denominator: str = "valid"
    junk: str = "market"
    top_k: int | None = None

    def __post_init__(self) -> None:
        checks.one_of("ap", self.ap, AP_RULES)
        checks.one_of("denominator", self.denominator, tuple(DENOMINATORS))
        checks.one_of("junk", self.junk, tuple(JUNK))
        if self.top_k is not None:
            checks.whole("top_k", self.top_k, 1)

    def describe(self, *, cameras: bool = True) -> str:
        """All four settings in one line, and whether the camera rule had ``cameras`` to go by."""
        cut = "no cut" if self.top_k is None else f"top_k {self.top_k}"
        parts = [f"AP {self.ap}", DENOMINATORS[self.denominator], JUNK[self.junk], cut]
        if not cameras and self.junk != "none":
            parts.append(NO_CAMERAS)
        return ", ".join(parts)


PROTOCOLS = {
    "market1501": Protocol("rectangle", "valid", "market"),
    "veri": Protocol("rectangle", "valid", "bot"),
    "aicity": Protocol("rectangle", "all", "none", top_k=100),
    "none": Protocol("rectangle", "valid", "none"),
}
"""The usual protocols by name.

``market1501``: what torchreid and fast-reid report on Market-1501, whose loaders drop pid -1 beforehand.
``veri``: VeRi-776 as the same two score it; there is no pid -1 in it, and none is removed.
``aicity``: AI City track 2, mAP of the first 100 places; images of the query's own camera count.
``none``: VehicleID and RegDB, where nothing is removed.
"""
