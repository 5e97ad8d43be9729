"""The known word that is most like one that is not known, for messages."""

import re
from collections.abc import Iterable
from difflib import get_close_matches

SHORTEST = 3  # letters that say which word is meant by its beginning


def near(word: object, known: Iterable[str]) -> str:
    """``; did you mean 'x'?``, or nothing where no known word is like this one.

    >>> near("Market-1501", ["mars", "market1501"]), near("sysu", ["veri", "sysu_all_single"]), near("zoo", ["k1"])
    ("; did you mean 'market1501'?", "; did you mean 'sysu_all_single'?", '')
    """
    found = nearest(word, known)
    return f"; did you mean {found!r}?" if found is not None else ""


def nearest(word: object, known: Iterable[str]) -> str | None:
    """The known word that is most like ``word``: the same but for capitals and signs, much alike, or begun so."""
    if not isinstance(word, str):
        return None
    names: dict[str, str] = {}
    for name in known:
        names.setdefault(_plain(name), name)
    plain = _plain(word)
    if plain in names:
        return names[plain]
    close = get_close_matches(plain, names)
    begun = [name for name in (*close, *names) if len(plain) >= SHORTEST and name.startswith(plain)]
    return next((names[name] for name in (*begun, *close)), None)


def _plain(word: str) -> str:
    return re.sub(r"[\W_]", "", word[:200].casefold())
