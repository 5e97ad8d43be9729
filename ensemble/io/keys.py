"""What the keys of a feature file, or the titles of a table, mean: sides, features, names and labels."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from ensemble.base.spellings import meant

_SIDE = {"query": "query", "probe": "query", "q": "query", "gallery": "gallery", "gal": "gallery", "g": "gallery",
         "train": "train", "training": "train", "database": "gallery"}  # fmt: skip
_SLOT = re.compile(r"(query|probe|gallery|gal|train)(?:[_/.\- ]?(\w+))?|([qg])[_/.\- ]?(\w*)", re.IGNORECASE)
_BEHIND = re.compile(r"(\w+)[_/.\- ](query|probe|gallery|gal|train|q|g)", re.IGNORECASE)  # feat_query, pids_q
PIXELS = ("image", "images", "img")  # in a table these are names; as keys of a file they may be pictures
_FEATURES = frozenset(
    {
        "f", "ft", "fts", "feat", "feats", "feature", "features", "featurevector", "featurevectors",
        "emb", "embs", "embed", "embeds", "embedding", "embeddings", "descriptor", "descriptors", "vector",
        "vectors",
        "arr0",
    }
)  # fmt: skip
# Names, where nothing else is: of rows in a table, and what people call them that have but one kind of them.
WEAK_NAMES = frozenset({"id", "ids", "key", "keys", "", "index", "unnamed: 0", "__index_level_0__"})
ONE_SET = "images"  # what files are called that describe one set, each image against all others
MULTI = "mquery_"  # keys of multi-query features begin with it
_SPLIT = frozenset({"split", "splits", "subset", "set", "side", "partition"})
_ASKED, _SEARCHED = frozenset({"isquery"}), frozenset({"isgallery"})
_COUNT = frozenset({"numquery", "numqueries", "nquery", "nqueries"})  # fast-reid's: the first rows are queries


def slot(key: object) -> tuple[str, str] | None:
    """``query_label``, ``pids_q`` -> ``("query", "pid")``, ``gf`` -> ``("gallery", "")``; ``None`` for others."""
    found = sided(key)
    if found is None:
        return None
    side, rest = found
    column = "" if not rest else None if rest.casefold() in PIXELS else column_of(rest)
    return None if column is None else (side, column)


def sided(key: object) -> tuple[str, str] | None:
    """The side that a key begins or ends with, and the rest of it; ``None`` for a key of no side."""
    if not isinstance(key, str):
        return None
    if match := _SLOT.fullmatch(key):
        return _SIDE[(match[1] or match[3]).casefold()], match[2] or match[4] or ""
    match = _BEHIND.fullmatch(key)
    return (_SIDE[match[2].casefold()], match[1]) if match else None


def side_called(name: str) -> str:
    """The side that a file is about whose name begins so: of one set the images stand as the gallery."""
    return "gallery" if name == ONE_SET else name


def tables_of(*, one_set: bool) -> str:
    """The tables that a column of queries and gallery is wanted in, for messages."""
    return f"{ONE_SET}.csv" if one_set else "query.csv and gallery.csv"


def column_of(key: object) -> str | None:
    """The column that a key without a side means, ``""`` for features; ``None`` for other keys."""
    if not isinstance(key, str):
        return None
    return "" if _plain(key) in _FEATURES else meant(key)


def has_both(keys: Iterable[object]) -> bool:
    """Whether there are features of query and gallery among the keys of a file."""
    found = {place[0] for place in map(slot, keys) if place and place[1] == ""}
    return {"query", "gallery"} <= found


def is_multi(key: object) -> bool:
    """Whether a key is one of multi-query features."""
    return isinstance(key, str) and key.startswith(MULTI)


@dataclass(frozen=True)
class Split:
    """The keys that say to which side each row belongs: by a word, or by yes and no for queries and gallery.

    ``word`` holds query, gallery and train; beside ``asked``, whether a row is a query, only train counts in it.
    ``count``, where neither is there, says how many rows are queries, which stand first; all others are gallery.
    """

    word: str = ""
    asked: str = ""
    searched: str = ""
    count: str = ""

    @property
    def titles(self) -> tuple[str, ...]:
        """All of them that are there."""
        return tuple(filter(None, (self.word, self.asked, self.searched, self.count)))


def split_of(keys: Iterable[object]) -> Split | None:
    """What divides the rows of a file that has features of all sides in one table; None where nothing does.

    >>> split_of(["features", "split"]).titles, split_of(["emb", "split", "is_query", "is_gallery"]).titles
    (('split',), ('split', 'is_query', 'is_gallery'))
    """
    titles = [key for key in keys if isinstance(key, str)]
    if not any(column_of(key) == "" for key in titles):
        return None
    words, asked, searched = (
        [key for key in titles if _plain(key) in spellings] for spellings in (_SPLIT, _ASKED, _SEARCHED)
    )
    if max(len(words), len(asked), len(searched)) > 1:
        return None
    if not (words or asked):
        counts = [key for key in titles if _plain(key) in _COUNT]
        return Split(count=counts[0]) if len(counts) == 1 else None
    word, query, gallery = (found[0] if found else "" for found in (words, asked, searched))
    return Split(word, query, gallery if query else "")


def divides(key: str) -> bool:
    """Whether a key may be one of a :class:`Split`."""
    return _plain(key) in _SPLIT | _ASKED | _SEARCHED | _COUNT


def side_named(value: object) -> str | None:
    """The side that a word means."""
    return _SIDE.get(_word(value))


def yes_or_no(value: object) -> bool | None:
    """Whether a cell says yes; None where it says nothing, or something else."""
    return {"true": True, "1": True, "1.0": True, "false": False, "0": False, "0.0": False}.get(_word(value))


def _word(value: object) -> str:
    text = value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
    return text.strip().casefold()


def _plain(key: str) -> str:
    return re.sub(r"[\W_]", "", key.casefold())
