"""Which data set names are of: what a command line asks for, what fits them, and which version it is."""

import re
from collections.abc import Sequence

from ensemble.base.errors import InputError, near
from ensemble.parsers.parser import COLUMNS, Parser, custom, numbers, tail
from ensemble.parsers.sets import PARSERS

_VERSIONS = {
    "market1501": ((r"v15\.09\.15", "15.09.15"),),
    "msmt17": (
        (r"mask_(train|test)_v2|msmt17_v2", "V2 (faces masked)"),
        (r"msmt17_v1|/(train|test)/", "V1"),
    ),
    "cuhk03": ((r"detected", "detected"), (r"labell?ed", "labelled")),
    "cuhk03np": ((r"detected", "detected"), (r"labell?ed", "labelled")),
    "vehicleid": tuple((rf"test_list_{n}\b", f"test of {n} identities") for n in (800, 1600, 2400, 13164)),
    "veriwild": tuple((rf"test_{n}(_id)?(_query)?\b", f"test of {n} identities") for n in (3000, 5000, 10000)),
    "prid2011": ((r"single_shot", "single shot"), (r"multi_shot|/person_\d+/", "multi shot")),
}
_CITY = {
    **dict.fromkeys((1052, 18290, 36935), "2019 or 2020 (the same images)"),
    **dict.fromkeys((1103, 31238, 52717), "2021"),
}


def find(name: str) -> Parser:
    """The parser called ``name``. Raises InputError with the nearest name."""
    if name not in PARSERS:
        hint = near(name, PARSERS) or "; python -m ensemble.names --list-parsers has them"
        raise InputError([f"--parser: wanted the name of a data set, found {name!r}{hint}"])
    return PARSERS[name]


def choose(name: str | None, pattern: str | None, folders: int = 0) -> Parser | None:
    """The parser that a command line asks for by name or by a pattern of its own; None if by neither.

    Raises: InputError for both, and as :func:`find` and :func:`custom` do.
    """
    if name is not None and pattern is not None:
        raise InputError(["--pattern: wanted it or the name of a data set, found both; leave one of them out"])
    if pattern is not None:
        return custom(pattern, folders)
    return None if name is None else find(name)


def version(parser: Parser, where: str, names: Sequence[str]) -> str | None:
    """Which version of the data set this is, where the path, the names or their number tell; None if nothing does.

    where: the path of the folder or list that the names are from.
    """
    if parser.name == "aicity":
        return _CITY.get(len(names))
    if parser.name == "dukevideo":
        new = sum("_" in tail(name) for name in names)
        return {0: "old names (0001C6F…)", len(names): "new names (0001_C6_F…)"}.get(new)
    folders = sorted({name.replace("\\", "/").rpartition("/")[0] for name in names})
    text = "\n".join(f"/{folder}/" for folder in (where.replace("\\", "/"), *folders)).lower()
    found = [title for pattern, title in _VERSIONS.get(parser.name, ()) if re.search(pattern, text)]
    return found[0] if found else None


def guess(names: Sequence[str]) -> list[tuple[Parser, int]]:
    """The parsers that fit at least one name, with how many each fits: best first.

    More names before fewer; of those that fit as many, the one whose set has all these cameras, then the one that
    tells more, then the order of ``PARSERS``.
    """
    ranks = []
    for place, parser in enumerate(PARSERS.values()):
        if parser.name == "list":
            continue
        found = [numbers(parser, name, explain=False)[0] for name in names]
        said = [one for one in found if one is not None]
        if said:
            cameras = {one["cam"] for one in said if "cam" in one} - {-1}
            strange = parser.cameras is not None and not cameras <= set(parser.cameras)
            told = len({group for one in said for group in one if group in COLUMNS})
            ranks.append((-len(said), strange, -told, place, parser))
    return [(rank[-1], -rank[0]) for rank in sorted(ranks, key=lambda rank: rank[:-1])]
