"""Why scores are other than one thinks: labels that do not suit a protocol, each cause in a sentence."""

from collections.abc import Iterator

import numpy as np

from ensemble.base.kinds import Bools, Floats, Ints
from ensemble.scores.labels import Labels
from ensemble.scores.matching import matches
from ensemble.scores.protocol import Protocol

FEWEST = 10  # queries; of fewer an order says little


def of(labels: Labels, protocol: Protocol, without_match: Ints | None = None) -> tuple[str, ...]:
    """What to know before these labels are scored under this protocol; empty where there is nothing.

    without_match: the queries that have none under the protocol, where that is known; None: looked for.
    Cost:          a pass over the gallery for each of these queries, and for each that stands in the gallery.
    """
    lost = _removed(labels, protocol, without_match)
    return (
        *lost,
        *_lacking(labels, protocol),
        *_unknown_cameras(labels, protocol),
        *_apart(labels, protocol),
        *_shifted(labels, protocol),
        *_searched(labels, protocol),
        *_own(labels, protocol),
        *_clothes(labels, protocol),
    )


def by_chance(ap: Floats, positives: Ints, images: int, protocol: Protocol) -> tuple[str, ...]:
    """That queries find their own no better than in a random order, or find them last; empty where neither is so.

    ap, positives: (nq,) each query's average precision and number of good images, of so many ``images``.
    Of a random order the mean of AP is (H + (p - 1) (K - H) / (n - 1)) / n, with p good images of n, the first K
    that count, H = 1 + 1/2 + … + 1/K. Removed images are counted in n, which makes it less.
    """
    asked = (positives > 0) & (positives < images)
    if asked.sum() < FEWEST or not ap[asked].any() or protocol.ap == "trapezoid" or protocol.divide != "all":
        return ()
    cut = min(protocol.top_k or images, images)
    harmonic = float(np.sum(1 / np.arange(1, cut + 1)))
    random = (harmonic + (positives[asked] - 1) / (images - 1) * (cut - harmonic)) / images
    beyond = ap[asked] - random
    limit = 2 * float(beyond.std(ddof=1)) / np.sqrt(len(beyond))
    if beyond.mean() < -limit:
        return (
            "queries find their own identity later than in a random order: are similarities taken for distances, "
            "or are features and labels in different orders?",
        )
    if beyond.mean() > limit:
        return ()
    return (
        "queries find their own identity no better than in a random order: are features and labels in one order, "
        "and identities called alike on both sides?",
    )


def among_themselves(first: Ints, labels: Labels, protocol: Protocol) -> tuple[str, ...]:
    """That one set stands on both sides without anybody saying so: most images find themselves first.

    first: (nq,) the nearest gallery row of each query. An identity that the gallery has once may be a pair of
           images, one on each side and in the same order, and says nothing.
    """
    alike = len(labels.gallery_pid) == len(first) and np.array_equal(labels.query_pid, labels.gallery_pid)
    if labels.one_set or labels.own is not None or not alike:
        return ()
    _, number, counts = np.unique(labels.gallery_pid, return_inverse=True, return_counts=True)
    asked = np.flatnonzero((counts[number] > 1) & ~labels.unknown)
    found = asked[first[asked] == asked]
    if len(asked) < FEWEST or len(found) < 0.9 * len(asked) or not kept(labels, protocol, found, found).any():
        return ()
    return (
        f"{len(found)} of {len(first)} images find themselves first, which counts as right: of one set, each "
        "image against all others, give labels once (gallery_pid left out)",
    )


def one_camera(labels: Labels, protocol: Protocol) -> str:
    """That all images are of one camera, where the protocol removes what that took; else nothing."""
    query, gallery = labels.query_cam, labels.gallery_cam
    if query is None or gallery is None or not _by_camera(protocol):
        return ""
    cameras = np.union1d(query, gallery)
    if len(cameras) > 1 or cameras.min() < 0:
        return ""
    return (
        f"all {len(query) + len(gallery)} images are of one camera, and {protocol.removes.what}: "
        "give their true cameras, or take --junk none"
    )


def kept(labels: Labels, protocol: Protocol, query: Ints, gallery: Ints) -> Bools:
    """(n,) whether the gallery image of each pair stays in the query's ranking."""
    looks = _looks(labels, protocol, query)
    return np.array([not hidden[j] for (_, hidden), j in zip(looks, gallery, strict=True)], bool)


def _removed(labels: Labels, protocol: Protocol, without_match: Ints | None) -> list[str]:
    """Queries whose identity is in the gallery and only where the protocol removes it."""
    if not protocol.removes.rules:
        return []
    there = np.isin(labels.query_pid, labels.gallery_pid) & ~labels.unknown
    asked = np.flatnonzero(there) if without_match is None else without_match[there[without_match]]
    lost = sum(not good.any() for good, _ in _looks(labels, protocol, asked))
    if not lost:
        return []
    cause = one_camera(labels, protocol)
    if cause and lost == np.count_nonzero(there):
        return [cause]
    return [
        f"{lost} of {len(labels.query_pid)} queries meet their identity only in images that are removed "
        f"({protocol.removes.what}), so they have no match"
        + ("; --junk none keeps these images" if protocol.removes.needs_cameras else "")
    ]


def _lacking(labels: Labels, protocol: Protocol) -> list[str]:
    """That one side alone has cameras."""
    if not labels.uncounted or not _by_camera(protocol):
        return []
    whose = {"query": "the queries", "gallery": "the gallery"}
    (other,) = whose.keys() - {labels.uncounted}
    return [
        f"cameras are given for {whose[other]} and not for {whose[labels.uncounted]}, so nothing is removed for "
        f"the camera: add cam in {labels.uncounted}.csv"
    ]


def _clothes(labels: Labels, protocol: Protocol) -> list[str]:
    """That clothes are known, and nobody looks at them: then most of the score is finding the same clothes."""
    if "clothes" not in labels.beside or any("clothes" in rule.columns for rule in protocol.removes.rules):
        return []
    return ["the protocol does not look at clothes: ltcc counts images in others alone, ltcc_same in the same"]


def _unknown_cameras(labels: Labels, protocol: Protocol) -> list[str]:
    """That there are cameras, and of some images they are unknown, so that nothing is removed for theirs."""
    if labels.query_cam is None or labels.gallery_cam is None or not _by_camera(protocol):
        return []
    sides = {"queries": labels.query_cam, "gallery images": labels.gallery_cam}
    counts = [
        f"{np.count_nonzero(cam < 0)} of {len(cam)} {side}" for side, cam in sides.items() if (cam < 0).any()
    ]
    if not counts:
        return []
    return [f"the camera of {' and of '.join(counts)} is unknown (-1), so nothing is removed for it"]


def _apart(labels: Labels, protocol: Protocol) -> list[str]:
    """That no camera is on both sides, as where one has 1 and the other c1; with a camera each that is usual."""
    if labels.query_cam is None or labels.gallery_cam is None or not _by_camera(protocol):
        return []
    query, gallery = (np.unique(cam[cam >= 0]) for cam in (labels.query_cam, labels.gallery_cam))
    if not len(query) or not len(gallery) or len(query) + len(gallery) < 3 or np.isin(query, gallery).any():
        return []
    return [
        f"the {len(query)} cameras of the queries and the {len(gallery)} of the gallery have none in common, so "
        "nothing is removed for the camera: if they are the same cameras, call them alike on both sides"
    ]


def _shifted(labels: Labels, protocol: Protocol) -> list[str]:
    """That the cameras of one side count from 0 and those of the other from 1, as far as their numbers tell."""
    if labels.query_cam is None or labels.gallery_cam is None or not _by_camera(protocol):
        return []
    query, gallery = (np.unique(cam[cam >= 0]) for cam in (labels.query_cam, labels.gallery_cam))
    if not len(query) or not len(gallery) or not np.isin(query, gallery).any():
        return []
    ends = (int(query[0]), int(query[-1])), (int(gallery[0]), int(gallery[-1]))
    (first, last), (later, end) = sorted(ends)
    if first != 0 or (later, end) != (1, last + 1):
        return []
    sides = ("queries", "gallery") if ends[0][0] == 0 else ("gallery", "queries")
    return [
        f"the cameras of the {sides[0]} are 0 to {last} and those of the {sides[1]} 1 to {end}: if the first "
        "count from 0 and the others from 1, other images are removed than those of the query's camera; call them "
        "alike"
    ]


def _searched(labels: Labels, protocol: Protocol) -> list[str]:
    """That a protocol that searches some cameras by their numbers finds others than it means."""
    if labels.query_cam is None or labels.gallery_cam is None:
        return []
    searched = [camera for rule in protocol.removes.rules for camera in rule.gallery_not.get("cam", ())]
    numbers = [camera for camera in searched if isinstance(camera, int)]
    if not numbers or len(numbers) < len(searched):
        return []
    listed = ", ".join(map(str, numbers))
    if 0 not in numbers and 0 in (labels.query_cam.min(), labels.gallery_cam.min()):
        return [f"the protocol searches cameras {listed}, counted from 1, and here cameras count from 0: add 1"]
    known = labels.query_cam[labels.query_cam >= 0]
    if not len(known) or not np.isin(known, numbers).all():
        return []
    return [
        f"all queries are of cameras {listed}, which the protocol searches: it asks with images of other cameras"
    ]


def _by_camera(protocol: Protocol) -> bool:
    """Whether images are removed because they are of the query's camera."""
    return any("cam" in rule.same for rule in protocol.removes.rules)


def _own(labels: Labels, protocol: Protocol) -> list[str]:
    """Queries that find themselves in the gallery."""
    if labels.own is None or labels.one_set or protocol.removes.own:
        return []
    asked = np.flatnonzero((labels.own >= 0) & ~labels.unknown)
    found = np.count_nonzero(kept(labels, protocol, asked, labels.own[asked]))
    if not found:
        return []
    return [
        f"{found} of {len(labels.own)} queries stand in the gallery under their own name and find themselves; "
        "--junk self removes them"
    ]


def _looks(labels: Labels, protocol: Protocol, queries: Ints) -> Iterator[tuple[Bools, Bools]]:
    """For each query which images (ng,) are good, and which are removed."""
    if not len(queries):
        return
    from ensemble.scores.counting import cpu

    ready = matches(protocol.removes, labels)
    good, hidden = (np.zeros(len(labels.gallery_pid), bool) for _ in range(2))
    for query in queries.tolist():
        cpu.hidden_rows(query, ready, good, hidden)
        yield good, hidden
