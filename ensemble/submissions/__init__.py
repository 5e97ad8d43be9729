"""Rank lists as files: written, read back, and looked through for everything that a server would refuse.

    RankList     the value between files and arrays               (ranklist)
    all_formats  name -> file, write, parse, faults, doubts       (formats; a file for each)
    joined       rank lists in the order of the lists of images   (joining)
    candidates   several rank lists -> arrays, and back           (ensembles)

One file a format: ``track2``, ``visda``, ``json_lists`` (NAIC's and plain JSON), ``trec``, ``tables`` (CSV and
Parquet), ``arrays`` (NumPy), ``python_text`` (printed Python, only read), ``sysu`` (features, not lists).
"""

from ensemble.submissions.ensembles import candidates, dense, read_rankings
from ensemble.submissions.format import Format
from ensemble.submissions.formats import all_formats, doubts, faults, guess, join, named, read, writable, write
from ensemble.submissions.joining import joined
from ensemble.submissions.ranklist import RankList, from_matrix

__all__ = [
    "Format",
    "RankList",
    "all_formats",
    "candidates",
    "dense",
    "doubts",
    "faults",
    "from_matrix",
    "guess",
    "join",
    "joined",
    "named",
    "read",
    "read_rankings",
    "writable",
    "write",
]
