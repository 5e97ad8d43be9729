"""What steps have to do, to be put together in their declarations, as :mod:`postproc.pairs.held` does for memory.

    @step(unit=JACCARD, memory=…, work=spent.together(spent.pairs(), spent.looked(1), spent.nearest))

Every name here is a function of the sizes and all settings that gives :class:`~postproc.base.work.Work`, or makes
one. Factors are what a step was measured to do of a kind for each that it must do (``bench/prediction.py`` holds
prediction against measurement). More images or more values are never less work. Where neighbour lists are given,
looking for them is none: of products and looks among all images what is left are those of queries and gallery, and
of those among the gallery nothing.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import replace

from postproc.base.sizes import SINGLE, Sizes
from postproc.base.step import Chosen
from postproc.base.work import NO_WORK, Known, Spent, Work

LISTS = "neighbours"  # as steps call the lists that they can be given


def by(name: str, parts: Mapping[str, Known]) -> Spent:
    """What the value of a setting says; of values that are not there nobody knows."""
    return lambda sizes, chosen: parts[chosen[name]](sizes, chosen) if chosen[name] in parts else None


def only(name: str, values: tuple[str, ...], part: Known) -> Spent:
    """Known for these values of a setting alone."""
    return by(name, dict.fromkeys(values, part))


def together(*parts: Known) -> Known:
    """All of them, one after the other."""
    return lambda sizes, chosen: sum((part(sizes, chosen) for part in parts), NO_WORK)


def times(factor: float, part: Known) -> Known:
    """Several of a kind."""
    return lambda sizes, chosen: factor * part(sizes, chosen)


def for_setting(name: str, part: Known) -> Known:
    """As often as a setting says; lists that are given are those of the first round."""

    def needed(sizes: Sizes, chosen: Chosen) -> Work:
        often = float(chosen[name] or 0)
        later = replace(sizes, given=sizes.given - {LISTS})
        return min(often, 1.0) * part(sizes, chosen) + max(often - 1, 0.0) * part(later, chosen)

    return needed


def alone(part: Known) -> Known:
    """What runs in one thread however many there are."""
    return lambda sizes, chosen: sizes.threads * part(sizes, chosen)


def read(factor: float = 1) -> Known:
    """Features of queries and gallery, gone over so many times."""
    return lambda sizes, chosen: Work(bytes=factor * SINGLE * (sizes.images + sizes.train) * sizes.width)


def images(count: float) -> Known:
    """So many looks an image."""
    return lambda sizes, chosen: Work(sparse=count * sizes.images)


def pairs(factor: float = 1) -> Known:
    """Products of features of every two images, each pair once."""
    found = across(factor)
    return _to_find(
        lambda sizes: Work(products=factor * sizes.images * (sizes.images + 1) / 2 * sizes.width), found
    )


def across(factor: float = 1) -> Known:
    """Products of features of every query and every gallery image."""
    return lambda sizes, chosen: Work(products=factor * sizes.nq * sizes.ng * sizes.width)


def gallery_pairs(factor: float = 1) -> Known:
    """Products of features of every two gallery images, each pair once."""
    return _to_find(lambda sizes: Work(products=factor * sizes.ng * (sizes.ng + 1) / 2 * sizes.width))


def looked(factor: float = 1) -> Known:
    """A look at the distance of every image from every other, to keep the nearest."""
    return _to_find(lambda sizes: Work(entries=factor * sizes.images**2), left=matrix(factor))


def gallery_looked(factor: float = 1) -> Known:
    """The same among the gallery."""
    return _to_find(lambda sizes: Work(entries=factor * sizes.ng**2))


def matrix(factor: float = 1) -> Known:
    """A look at every distance of the answer."""
    return lambda sizes, chosen: Work(entries=factor * sizes.nq * sizes.ng)


def nearest(sizes: Sizes, chosen: Chosen) -> Work:
    """The ``top_k`` of every query, found in its row: a look at all, a place for those kept for a while."""
    if chosen.get("top_k") is None:
        return NO_WORK
    k = max(1, min(int(chosen["top_k"]), sizes.ng))
    kept = k * (1 + math.log(max(1.0, sizes.ng / k)))
    return Work(entries=sizes.nq * (0.9 * sizes.ng + 62 * kept))


def lists(factor: float, *names: str) -> Known:
    """Entries of lists of every image: as many as the settings multiplied."""

    def needed(sizes: Sizes, chosen: Chosen) -> Work:
        return Work(sparse=factor * sizes.images * _together(sizes, chosen, names))

    return needed


def overlaps(factor: float, *names: str) -> Known:
    """Entries that rows of a graph share, of queries and gallery; rows are as full as these settings say."""

    def needed(sizes: Sizes, chosen: Chosen) -> Work:
        full = _together(sizes, chosen, names)
        return Work(sparse=factor * sizes.nq * full * min(full, sizes.ng))

    return needed


def covariance(sizes: Sizes, chosen: Chosen) -> Work:
    """Products of values of the images that something is fitted to, in float64."""
    fitted = sizes.train if "train" in sizes.given else sizes.ng
    return Work(products=2 * max(fitted, 1) * sizes.width**2)


def query_pairs(factor: float = 1) -> Known:
    """Products of features of every two queries."""
    return lambda sizes, chosen: Work(products=factor * sizes.nq**2 * sizes.width)


def columns(count: float) -> Known:
    """So many looks for every value that an image has."""
    return lambda sizes, chosen: Work(sparse=count * sizes.width)


def mapped(factor: float = 1) -> Known:
    """Every image times a matrix of values by values, in float64."""

    def needed(sizes: Sizes, chosen: Chosen) -> Work:
        width = chosen.get("components") or sizes.width
        return Work(products=2 * factor * sizes.images * sizes.width * min(width, sizes.width))

    return needed


def factored(factor: float) -> Known:
    """Eigenvectors and the like of a matrix of values by values, in one thread."""
    return alone(lambda sizes, chosen: Work(products=factor * sizes.width**3))


def shortlists(factor: float, *names: str) -> Known:
    """Products between the images of every query's shortlist, in float64: as many as settings squared."""

    def needed(sizes: Sizes, chosen: Chosen) -> Work:
        return Work(products=2 * factor * sizes.nq * _together(sizes, chosen, names) ** 2 * sizes.width)

    return needed


def per_query(factor: float, *names: str) -> Known:
    """Looks for every query: as many as these settings multiplied."""
    return lambda sizes, chosen: Work(sparse=factor * sizes.nq * _together(sizes, chosen, names))


def whole_sorted(factor: float = 1) -> Known:
    """Whole rows of distances in their order, where no ``top_k`` says that less will do."""

    def needed(sizes: Sizes, chosen: Chosen) -> Work:
        whole = chosen.get("top_k") is None
        return Work(entries=factor * sizes.nq * sizes.ng * math.log2(sizes.ng + 2)) if whole else NO_WORK

    return needed


def _to_find(part: Callable[[Sizes], Work], left: Known = lambda sizes, chosen: NO_WORK) -> Known:
    """What is done to find lists; where they are given, what is ``left`` of it."""
    return lambda sizes, chosen: left(sizes, chosen) if LISTS in sizes.given else part(sizes)


def _together(sizes: Sizes, chosen: Chosen, names: tuple[str, ...]) -> float:
    found = 1.0
    for name in names:
        found *= max(1, min(int(chosen.get(name) or 1), sizes.images))
    return found
