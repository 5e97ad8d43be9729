"""What the keys of a feature file, or the titles of a table, mean: sides, features, names and labels."""

import re
from collections.abc import Iterable

from ensemble.base.spellings import meant

_SIDE = {"query": "query", "probe": "query", "q": "query", "gallery": "gallery", "gal": "gallery", "g": "gallery",
         "train": "train", "training": "train"}  # fmt: skip
_SLOT = re.compile(r"(query|probe|gallery|gal|train)(?:[_/.\- ]?(\w+))?|([qg])[_/.\- ]?(\w*)")
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
_SPLIT = frozenset({"split", "splits", "subset", "set", "side", "partition", "isquery"})


def slot(key: object) -> tuple[str, str] | None:
    """``query_label`` -> ``("query", "pid")``, ``gf`` -> ``("gallery", "")``; ``None`` for other keys."""
    match = _SLOT.fullmatch(key) if isinstance(key, str) else None
    if match is None:
        return None
    side, rest = _SIDE[match[1] or match[3]], match[2] or match[4] or ""
    column = "" if not rest else None if rest in PIXELS else column_of(rest)
    return None if column is None else (side, column)


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
    plain = re.sub(r"[\W_]", "", key.casefold())
    return "" if plain in _FEATURES else meant(key)


def has_both(keys: Iterable[object]) -> bool:
    """Whether there are features of query and gallery among the keys of a file."""
    found = {place[0] for place in map(slot, keys) if place and place[1] == ""}
    return {"query", "gallery"} <= found


def is_multi(key: object) -> bool:
    """Whether a key is one of multi-query features."""
    return isinstance(key, str) and key.startswith(MULTI)


def split_of(keys: Iterable[object]) -> str | None:
    """The key that says to which side each row belongs, where a file has features of all sides in one table."""
    titles = [key for key in keys if isinstance(key, str)]
    found = [key for key in titles if re.sub(r"[\W_]", "", key.casefold()) in _SPLIT]
    return found[0] if len(found) == 1 and any(column_of(key) == "" for key in titles) else None


def side_named(value: object, title: str = "") -> str | None:
    """The side that a word means; in a column that says which rows are queries, what yes and no mean."""
    text = value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
    word = text.strip().casefold()
    if "query" in title.casefold():
        return "query" if word in ("true", "1") else "gallery" if word in ("false", "0") else None
    return _SIDE.get(word)
