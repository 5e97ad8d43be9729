"""Rank lists as files: written, read back, and looked through for everything that a server would refuse.

    RankList     the value between files and arrays               (ranklist)
    all_formats  name -> file, write, parse, faults, doubts       (formats; a file for each)
    aligned      rank lists in the order of the lists of images   (alignment)
    merged       the images that any of several lists names       (ensembles; candidates: as tables)

One file a format: ``track2``, ``visda``, ``json_lists`` (NAIC's and plain JSON), ``trec``, ``tables`` (CSV and
Parquet), ``arrays`` (NumPy), ``python_text`` and ``lines`` (printed Python and wide lines, only read), ``sysu``
(features, not lists).
"""

from ensemble.submissions.alignment import aligned
from ensemble.submissions.ensembles import Candidates, candidates, dense, merged, read_rankings
from ensemble.submissions.format import Format
from ensemble.submissions.formats import (
    all_formats,
    doubts,
    faults,
    guess,
    named,
    read,
    read_aligned,
    writable,
    write,
)
from ensemble.submissions.ranklist import RankList, from_matrix

__all__ = [
    "Candidates",
    "Format",
    "RankList",
    "aligned",
    "all_formats",
    "candidates",
    "dense",
    "doubts",
    "faults",
    "from_matrix",
    "guess",
    "merged",
    "named",
    "read",
    "read_aligned",
    "read_rankings",
    "writable",
    "write",
]
