"""Who is whose match under a protocol: labels and rules made ready for the counting."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from ensemble.base.kinds import Bools, Ints
from ensemble.scores.labels import Labels, apart
from ensemble.scores.rules import Junk, Rule

if TYPE_CHECKING:
    from ensemble.scores.counting.cpu import Matches

NOT_OF_QUERY, NOT_OF_IMAGE = -2, -3  # numbers of what is unknown, or does not hold: equal to none
FAR = 1 << 61  # farther apart than any two numbers of a column


class _Relation(NamedTuple):
    """A comparison of a number of the query (nq,) with one of the image (ng,); ``most`` for one of ``WITHIN``."""

    kind: int
    query: Ints
    gallery: Ints
    most: int = 0


def matches(junk: Junk, labels: Labels, drawn: Bools | None = None) -> "Matches":
    """The gallery by identity, the junk rules as numbers; only ``drawn`` gallery rows count (None: all).

    Unknown identities match nobody: such a query has no members, such an image is in nobody's. Rules about cameras
    remove nothing where there are none, nor those about the query's own image.
    Raises ValueError where a rule names a column that the labels lack.
    """
    from ensemble.scores.counting import cpu as counting

    nq, ng = len(labels.query_pid), len(labels.gallery_pid)
    left = np.ones(ng, bool) if drawn is None else drawn.copy()
    own = labels.own if labels.one_set and labels.own is not None else np.full(nq, -1, np.int64)
    narrow: list[list[_Relation]] = []
    wide: list[list[_Relation]] = []
    for rule in junk.rules:
        if ("cam" in rule.columns and labels.query_cam is None) or (rule.own and labels.own is None):
            continue
        if rule.of_images:
            left &= ~_holds(rule, "gallery", labels)
        elif rule == Rule(own=True) and labels.own is not None:
            own = labels.own
        else:
            (narrow if "pid" in rule.same else wide).append(list(_relations(rule, labels)))
    rows = np.flatnonzero(left)
    members = rows[np.argsort(labels.gallery_pid[rows], kind="stable")]
    of_members = labels.gallery_pid[members]
    starts = np.searchsorted(of_members, labels.query_pid, "left")
    relations = [relation for found in (*narrow, *wide) for relation in found]
    return counting.Matches(
        starts=starts,
        stops=np.where(labels.unknown, starts, np.searchsorted(of_members, labels.query_pid, "right")),
        members=members,
        kinds=np.array([relation.kind for relation in relations], np.int64),
        most=np.array([relation.most for relation in relations], np.int64),
        query=_stacked([relation.query for relation in relations], nq),
        gallery=_stacked([relation.gallery for relation in relations], ng),
        ends=np.cumsum([len(found) for found in (*narrow, *wide)], dtype=np.int64),
        narrow=len(narrow),
        own=own,
        removed=np.flatnonzero(~left),
        identity=np.unique(apart(labels.gallery_pid), return_inverse=True)[1].astype(np.int64),
    )


def _relations(rule: Rule, labels: Labels) -> Iterator[_Relation]:
    """What must hold between query and image, beside that they are of one identity where the rule says so."""
    from ensemble.scores.counting.cpu import OTHER_VALUE, SAME, WITHIN

    for kind, columns in ((SAME, rule.same), (OTHER_VALUE, rule.other)):
        for column in columns:
            if (kind, column) != (SAME, "pid"):
                query, gallery = labels.numbers(column)
                yield _Relation(kind, *_told_apart(query >= 0, gallery >= 0, query, gallery))
    for column, most in rule.within.items():
        query, gallery = _from_zero(column, *labels.numbers(column, whole=True))
        yield _Relation(WITHIN, query, gallery, min(most, FAR - 1))
    if rule.own and labels.own is not None:
        yield _Relation(
            SAME, np.where(labels.own < 0, NOT_OF_QUERY, labels.own), np.arange(len(labels.gallery_pid))
        )
    if rule.query or rule.query_not or rule.gallery or rule.gallery_not or rule.unknown:
        yield _Relation(SAME, *_told_apart(_holds(rule, "query", labels), _holds(rule, "gallery", labels)))


def _told_apart(
    query: Bools, gallery: Bools, of_query: Ints | int = 1, of_image: Ints | int = 1
) -> tuple[Ints, Ints]:
    """Numbers where there is something to compare; elsewhere such as equal none of the other side."""
    return (
        np.where(query, of_query, NOT_OF_QUERY).astype(np.int64),
        np.where(gallery, of_image, NOT_OF_IMAGE).astype(np.int64),
    )


def _from_zero(column: str, query: Ints, gallery: Ints) -> tuple[Ints, Ints]:
    """Whole numbers from 0; what is unknown is ``FAR`` from all others."""
    known = np.concatenate([query[query >= 0], gallery[gallery >= 0]])
    least = int(known.min()) if known.size else 0
    if known.size and int(known.max()) - least >= FAR:
        raise ValueError(f"{column}: wanted numbers less than 2^61 apart, found {least} and {int(known.max())}")
    return (
        np.where(query >= 0, query - least, -FAR).astype(np.int64),
        np.where(gallery >= 0, gallery - least, -2 * FAR).astype(np.int64),
    )


def _holds(rule: Rule, side: str, labels: Labels) -> Bools:
    """(n,) what a rule says of one side alone: values of its columns, and that they are unknown."""
    count = len(labels.query_pid if side == "query" else labels.gallery_pid)
    found = np.ones(count, bool)
    for column, values in getattr(rule, side).items():
        found &= labels.among(column, side, values)
    for column, values in getattr(rule, f"{side}_not").items():
        found &= ~labels.among(column, side, values)
    if side == "gallery":
        for column in rule.unknown:
            found &= labels.numbers(column)[1] < 0
    return found


def _stacked(rows: Sequence[Ints], width: int) -> Ints:
    return np.ascontiguousarray(np.stack(rows)) if rows else np.zeros((0, width), np.int64)
