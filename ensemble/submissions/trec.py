"""TREC runs and judgements, for trec_eval, ir_measures and ranx.

Run: ``query Q0 image rank score tag``, ranks from 1, score = -distance in as many digits as a float32 has (without
distances: minus the place, from 1). trec_eval never looks at the ranks, reads scores as float32 and orders equal
ones by the image's name, ranx by something else: no two scores of a list that we write are equal there.
Read too: one rank for all lines, which says nothing, so that the scores alone order the lists. A query without an
answer has no line; in a run of nobody's answers stands nothing, and who was asked is known from elsewhere.

Judgements (qrels): ``query 0 image relevance``. Names may hold no white space. Source: NIST's trec_eval.
"""

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from ensemble.base.errors import examples
from ensemble.io import beside
from ensemble.submissions.format import Format, Head
from ensemble.submissions.ranklist import EMPTY, RankList, from_columns, refuse_names
from ensemble.submissions.text import exact, read_text
from postproc.base import checks

FILE, JUDGEMENTS = "ranking.trec", "qrels.txt"
JUNK = ("market", "bot", "none")
SPACE = re.compile(r"\s")
SCORE = re.compile(
    r"[-+]?(?:[0-9]{1,60}(?:\.[0-9]{0,60})?|\.[0-9]{1,60})(?:[eE][-+]?[0-9]{1,4})?|[-+]?inf(?:inity)?"
)
RANK = re.compile(r"[0-9]{1,18}")


def write(path: Path, ranking: RankList, *, top_k: int | None = None, tag: str = "reid-ensemble") -> None:
    """Write a line an answer. Raises InputError for names or a ``tag`` with white space in them."""
    best = ranking.first(top_k)
    assert best.query_names is not None
    for what, names in (("query", best.query_names), ("gallery", best.gallery_names), ("tag", [tag])):
        refuse_names(f"{what} names" if what != "tag" else "tag", names, SPACE, "no white space in a TREC run")
    best = replace(best, distances=best.telling(ties=False))
    with beside(path, "w") as stream:
        for query, rank, image, distance in best.entries():
            assert distance is not None
            stream.write(f"{query} Q0 {image} {rank} {exact(-distance)} {tag}\n")


def write_qrels(
    path: Path,
    query_names: Sequence[str],
    gallery_names: Sequence[str],
    query_pid: np.ndarray,
    gallery_pid: np.ndarray,
    query_cam: np.ndarray | None = None,
    gallery_cam: np.ndarray | None = None,
    *,
    junk: str = "market",
    marked: bool = False,
) -> None:
    """Write a line for every image of a query's identity, relevance 1, in the gallery's order.

    junk:   which images count for nothing: ``market`` those of the query's identity and camera and all of pid
            -1, ``bot`` only the former, ``none`` none; without cameras nothing is junk for its camera.
    marked: junk gets a line with relevance -1; otherwise it is left out. trec_eval counts what is not judged
            as wrong: remove junk from the run to compare the numbers.
    Unknown identities (-1) match nobody, an unknown camera is the same as no other, as in the scores.
    Cost:   O(nq * ng) comparisons, one row at a time.
    """
    checks.one_of("junk", junk, JUNK)
    checks.flag("marked", marked)
    query_pid = checks.labels("query_pid", query_pid, len(query_names))
    gallery_pid = checks.labels("gallery_pid", gallery_pid, len(gallery_names))
    for what, names in (("query", query_names), ("gallery", gallery_names)):
        refuse_names(f"{what} names", names, SPACE, "no white space in TREC judgements")
    with beside(path, "w") as stream:
        for row, query in enumerate(query_names):
            same = (gallery_pid == query_pid[row]) & (gallery_pid >= 0)
            dropped = np.zeros(len(gallery_pid), bool)
            if query_cam is not None and gallery_cam is not None and junk != "none":
                dropped = same & (gallery_cam == query_cam[row]) & (gallery_cam >= 0)
            if junk == "market":
                dropped |= gallery_pid < 0
            for image in np.flatnonzero((same | dropped) if marked else (same & ~dropped)).tolist():
                stream.write(f"{query} 0 {gallery_names[image]} {-1 if dropped[image] else 1}\n")


def parse(path: Path, similarity: bool = False) -> tuple[RankList, list[str]]:
    """What the run holds, each list ordered by score, then rank; scores are larger for nearer images anyway."""
    text, problems = read_text(path, blank=True)
    if text is None or not text.strip():
        return EMPTY, problems
    rows = [line.split() for line in text.split("\n") if line.strip()]
    ragged = [number for number, row in enumerate(rows, 1) if len(row) != 6]
    if ragged:
        found = f"another number on {len(ragged)} lines ({examples(ragged)})"
        shape = "query Q0 image rank score tag"
        return EMPTY, [*problems, f"{path}: wanted six words a line ({shape}), found {found}; write it again"]
    queries, _, images, ranks, scores, _ = zip(*rows, strict=True)
    for what, words, pattern in (("ranks", ranks, RANK), ("scores", scores, SCORE)):
        wrong = [word[:20] for word in words if not pattern.fullmatch(word)]
        if wrong:
            problems.append(f"{path}: wanted numbers as {what}, found {examples(wrong)}; write it again")
    if problems and any("wanted numbers" in problem for problem in problems):
        return EMPTY, problems
    distances, places = -np.array(scores, np.float64), np.array(ranks, np.int64)
    if (places == places[0]).all():  # many writers put 0 everywhere
        return from_columns(queries, images, [distances], distances), problems
    ranking = from_columns(queries, images, [distances, places], distances)
    ordered = from_columns(queries, images, [distances, places], places)
    assert ordered.distances is not None
    off = np.flatnonzero((np.diff(ordered.distances) <= 0) & (np.diff(ranking.query_of) == 0))
    if len(off):
        assert ranking.query_names is not None
        named = list(dict.fromkeys(ranking.query_names[row] for row in ranking.query_of[off].tolist()))
        problems.append(
            f"{path}: wanted ranks that grow as the scores fall, found others for {len(named)} queries "
            f"({examples(named)}); number them again"
        )
    return ranking, problems


def _recognises(head: Head) -> bool:
    return len(head.words) == 6 and head.words[1] == "Q0"


FORMAT = Format("trec", FILE, parse, write, absent=True, suffixes=(".trec", ".run"), recognises=_recognises)
