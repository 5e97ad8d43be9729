"""What the names of images say: identities, cameras, tracks and frames, data set by data set.

``PARSERS`` holds a :class:`Parser` for every data set, ``custom`` makes one of a user's own regular expression,
``columns`` turns names into columns of whole numbers, ``guess`` says which parsers fit. Text in, numbers out:
files are read by ``ensemble.io`` and ``ensemble.names``.
"""

from ensemble.parsers.choosing import choose, find, guess, version
from ensemble.parsers.parser import Parsed, Parser, columns, custom, gives, parse
from ensemble.parsers.sets import PARSERS

__all__ = [
    "PARSERS",
    "Parsed",
    "Parser",
    "choose",
    "columns",
    "custom",
    "find",
    "gives",
    "guess",
    "parse",
    "version",
]
