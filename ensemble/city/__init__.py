"""A made-up city with known answers: what a camera network would see, from a seed.

What makes real features hard is planted, one number each: look-alikes, viewpoint, a shift of every camera, errors
of a passage and of an image, and networks that share most of these errors but not all. The numbers were chosen so
that, in the default city, one network, concatenation, the track mean and re-ranking stand about where they stood
in the AI City challenge: mAP 0.3 to 0.5, 0.5, 0.65 and more.
"""

from dataclasses import replace

from ensemble.city import people, traffic
from ensemble.city.traffic import LONGEST, MODELS, SHORTEST, SIZES
from ensemble.city.value import City
from postproc.base.checks import between, one_of, whole

__all__ = [
    "ABOUT",
    "KINDS",
    "LONGEST",
    "MODELS",
    "SHORTEST",
    "SIZES",
    "City",
    "city",
]

# What there is to choose from; the sizes of each are in ``KINDS``.
ABOUT = {
    "city": "vehicles in one scene, with tracks",
    "two_scenes": "vehicles that stay in one of two scenes",
    "people": "as in Market-1501",
    "campus": "as in DukeMTMC",
    "infrared": "as in SYSU-MM01: infrared asks, light answers",
    "domain": "cameras between which not every way leads, as in VisDA",
    "crowd": "few images each and no cameras, as in NAIC",
    "station": "fitted to real features: hubs, strangers, a camera that sees only them, a long tail",
}
KINDS: dict[str, dict] = {
    "city": traffic.SIZES,
    "two_scenes": traffic.TWO_SCENES,
    **{name: kind.sizes for name, kind in people.KINDS.items()},
}


def city(
    size: str = "small",
    seed: int = 0,
    *,
    kind: str = "city",
    width: int | None = None,
    unknown: float | None = None,
    wrong: float | None = None,
) -> City:
    """Make a city from a seed; no file is touched.

    size:    a key of ``KINDS[kind]``: "small", and one that has the counts of a known data set, about.
    seed:    0 or more; the same seed gives the same bits with any number of threads.
    kind:    a key of ``KINDS``.
    width:   1 or more values an image and model; None: as the size has it.
    unknown, wrong: 0 to 1, shares of predicted cameras that are -1, and another camera; together 1 or less. None:
             as the kind has it, usually 0.1 and 0.05.
    Raises:  ValueError for a setting out of range.
    Cost:    0.2 s and 20 MB (small), 3 s and 500 MB (aicity2020).
    """
    one_of("kind", kind, tuple(KINDS))
    one_of("size", size, tuple(KINDS[kind]))
    whole("seed", seed, 0)
    crowd = people.KINDS.get(kind)
    if unknown is None:
        unknown = crowd.unknown if crowd else traffic.UNKNOWN
    if wrong is None:
        wrong = crowd.wrong if crowd else traffic.WRONG
    between("unknown", unknown, 0, 1)
    between("wrong", wrong, 0, 1 - unknown)
    scale = KINDS[kind][size]
    if width is not None:
        whole("width", width, 1)
        scale = replace(scale, width=width)
    if crowd:
        return people.people(crowd, scale, seed, unknown, wrong)
    return traffic.traffic(scale, seed, unknown, wrong)
