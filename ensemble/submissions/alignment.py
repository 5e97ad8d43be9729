"""What is wrong with rank lists, what does not fit the lists of images, and rank lists in the order of these."""

import re
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from ensemble.base.alike import alike
from ensemble.base.errors import examples, refuse_if_any
from ensemble.submissions import numbers
from ensemble.submissions.ranklist import RankList

# ``29_1_819287.png``, ``29_c1s0_819287.png``: identity, camera, file
KEY = re.compile(r"-?[0-9]+_(?:c[0-9]+s[0-9]+|[0-9]+)_(.+)", re.DOTALL)


def flaws(where: str, ranking: RankList) -> list[str]:
    """What no rank list may be: a query twice, an image twice in a list, NaN, far before near."""
    problems = []
    if ranking.query_names is not None and (twice := numbers.repeated(ranking.query_names)):
        problems.append(f"{where}: wanted every query once, found again {examples(twice)}; keep one list of each")
    order = np.lexsort((ranking.rows, ranking.query_of))
    rows, query_of = ranking.rows[order], ranking.query_of[order]
    again = np.flatnonzero((rows[1:] == rows[:-1]) & (query_of[1:] == query_of[:-1])) + 1
    if len(again):
        found = [f"{_image(ranking, rows[i])} ({_query(ranking, query_of[i])})" for i in again[:4]]
        more = f", {len(again)} times in all" if len(again) > 3 else ""
        problems.append(
            f"{where}: wanted every image once in a list, found again {examples(found[:3])}{more}; "
            "remove the copies and fill up with the next best"
        )
    if ranking.distances is not None:
        problems += _distance_flaws(where, ranking, ranking.distances)
    return problems


def strangers(
    where: str,
    ranking: RankList,
    query_names: Sequence[str],
    gallery_names: Sequence[str],
    *,
    partial: bool = False,
) -> list[str]:
    """What does not fit the lists of names: unknown queries and images, missing queries unless ``partial``."""
    rows = _query_rows(ranking, query_names), _gallery_rows(ranking, gallery_names)
    return _strangers(where, ranking, query_names, gallery_names, *rows, partial=partial)


def aligned(
    where: str,
    ranking: RankList,
    query_names: Sequence[str],
    gallery_names: Sequence[str],
    *,
    partial: bool = False,
    notes: list[str] | None = None,
) -> RankList:
    """The same lists in the order of ``query_names``, their rows those of ``gallery_names``.

    Names are compared exactly; where that finds nothing, the file of an ``identity_camera_file`` key. Numbers
    are those in the images' names, and from 1 where the names are only positions (``0``, ``1``, …).
    partial: queries without a list get an empty one instead of being refused.
    notes:   takes a sentence where names differ by folder, suffix, capitals and the like alone, one to one, and
             joined without that; None: they are refused.
    Raises:  InputError with everything that does not fit.
    """
    if notes is not None:
        ranking = _respelt(where, ranking, query_names, gallery_names, notes)
    query_rows, gallery_rows = _query_rows(ranking, query_names), _gallery_rows(ranking, gallery_names)
    problems = _strangers(where, ranking, query_names, gallery_names, query_rows, gallery_rows, partial=partial)
    refuse_if_any(problems)
    sources = np.full(len(query_names), -1, np.int64)
    if len(np.unique(query_rows)) != len(query_rows):  # a name twice, or two keys of one file
        again = examples([query_names[row] for row in numbers.repeated(query_rows.tolist())])
        refuse_if_any([f"{where}: wanted every query once, found again {again}; keep one list of each"])
    sources[query_rows] = np.arange(len(ranking))
    counts = np.where(sources >= 0, np.append(ranking.counts, 0)[sources], 0)
    starts = np.concatenate([[0], np.cumsum(counts)])
    taken = np.repeat(ranking.starts[sources] - starts[:-1], counts) + np.arange(starts[-1])
    made = RankList(
        list(query_names),
        list(gallery_names),
        starts,
        gallery_rows[taken],
        None if ranking.distances is None else ranking.distances[taken],
    )
    refuse_if_any(flaws(where, made))
    return made


def _respelt(
    where: str, ranking: RankList, query_names: Sequence[str], gallery_names: Sequence[str], notes: list[str]
) -> RankList:
    """The lists under the names of queries and gallery, where theirs differ in spelling alone."""

    def mine(what: str, found: list[str] | None, wanted: Sequence[str]) -> list[str] | None:
        like = alike(found, wanted) if found and (_places(found, wanted) < 0).any() else None
        if not found or like is None or not like.renamed:
            return found
        notes.append(f"{where}: its {what} names differ from those wanted {like}: joined without that")
        return [like.renamed.get(name, name) for name in found]

    return replace(
        ranking,
        query_names=mine("query", ranking.query_names, query_names),
        gallery_names=mine("gallery", ranking.gallery_names, gallery_names) or [],
    )


def _unlike(found: Sequence[str], wanted: Sequence[str]) -> str:
    """What unknown names differ by from those wanted, where that is their spelling."""
    like = alike(found, wanted)
    return f"; they differ {like}" if like else ""


def _strangers(
    where: str,
    ranking: RankList,
    query_names: Sequence[str],
    gallery_names: Sequence[str],
    query_rows: np.ndarray,
    gallery_rows: np.ndarray,
    *,
    partial: bool,
) -> list[str]:
    problems = []
    if ranking.query_names is None:
        if len(ranking) != len(query_names):
            found = f"{len(ranking)} lines for {len(query_names)} queries"
            problems.append(f"{where}: wanted one line a query, found {found}; give the list that it was made for")
    else:
        names = [ranking.query_names[i] for i in np.flatnonzero(query_rows < 0)]
        if names:
            problems.append(
                f"{where}: wanted queries of the list (such as {examples(query_names, 1)}), found {len(names)} "
                f"unknown ({examples(names)}); give the list that it was made for"
                + _unlike(ranking.query_names, query_names)
            )
        listed = np.zeros(len(query_names), bool)
        listed[query_rows[query_rows >= 0]] = True
        missing = [query_names[i] for i in np.flatnonzero(~listed).tolist()]
        if missing and not partial:
            problems.append(
                f"{where}: wanted a list for each of {len(query_names)} queries, found none for {len(missing)} "
                f"({examples(missing)}); add them"
            )
    unknown = np.flatnonzero(gallery_rows < 0)
    if len(unknown):
        images = list(dict.fromkeys(_image(ranking, row) for row in ranking.rows[unknown].tolist()))
        problems.append(
            f"{where}: wanted images of the gallery (such as {_such_as(ranking, gallery_names)}), found "
            f"{len(images)} unknown ({examples(images)}); give the list that it was made for"
            + (_unlike(ranking.gallery_names, gallery_names) if ranking.by == "name" else "")
        )
    return problems


def _query_rows(ranking: RankList, query_names: Sequence[str]) -> np.ndarray:
    if ranking.query_names is None:
        return np.arange(len(ranking))
    return _places(ranking.query_names, query_names)


def _gallery_rows(ranking: RankList, gallery_names: Sequence[str]) -> np.ndarray:
    """(n,) int64: the row of each entry in the gallery's list, -1 for an unknown image."""
    if ranking.by == "name":
        return np.append(_places(ranking.gallery_names, gallery_names), -1)[ranking.rows]
    if ranking.by == "place":
        return np.where((ranking.rows >= 0) & (ranking.rows < len(gallery_names)), ranking.rows, -1)
    place = {int(number): row for row, number in enumerate(numbers.one_based(gallery_names))}
    return np.array([place.get(number, -1) for number in ranking.rows.tolist()], np.int64)


def _places(names: Sequence[str], known: Sequence[str]) -> np.ndarray:
    place = {name: row for row, name in enumerate(known)}
    found = [place.get(name, -1) for name in names]
    for i, name in enumerate(names):
        if found[i] < 0 and (key := KEY.fullmatch(name)):
            found[i] = place.get(key[1], -1)
    return np.array(found, np.int64)


def _distance_flaws(where: str, ranking: RankList, distances: np.ndarray) -> list[str]:
    problems = []
    wrong = np.isnan(distances) | (distances == -np.inf)
    if wrong.any():
        problems.append(
            f"{where}: wanted distances, found NaN or -inf for {_queries(ranking, wrong)}; "
            "leave out what is not known"
        )
    with np.errstate(invalid="ignore"):
        falls = np.append(False, distances[1:] < distances[:-1])
    falls &= ranking.places > 0
    if falls.any():
        problems.append(
            f"{where}: wanted the nearest first, found a smaller distance behind a larger one for "
            f"{_queries(ranking, falls)}; sort them, or say that they are similarities (--similarity)"
        )
    return problems


def _queries(ranking: RankList, entries: np.ndarray) -> str:
    """``3 queries (a, b, c)``: the queries of some entries."""
    found = np.unique(ranking.query_of[entries])
    count = f"{len(found)} quer{'y' if len(found) == 1 else 'ies'}"
    return f"{count} ({examples([_query(ranking, row) for row in found])})"


def _query(ranking: RankList, row: int) -> str:
    return f"line {row + 1}" if ranking.query_names is None else ranking.query_names[row]


def _image(ranking: RankList, row: int) -> str:
    return ranking.gallery_names[row] if ranking.by == "name" else str(row)


def _such_as(ranking: RankList, gallery_names: Sequence[str]) -> str:
    if ranking.by == "name":
        return examples(gallery_names, 1)
    if ranking.by == "place":
        return f"0 to {len(gallery_names) - 1}"
    return " to ".join(numbers.extremes(numbers.one_based(gallery_names)))
