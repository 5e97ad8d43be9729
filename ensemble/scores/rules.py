"""What is removed from the ranking of a query: rules over the columns of the tables, as data.

A rule is about what all of its relations hold for; several rules remove what any of them holds for. What is
unknown equals nothing: two unknown cameras are two, and no value of a list is an unknown one.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from ensemble.base.spellings import canonical
from postproc.base import checks

Label = int | str
Values = Mapping[str, tuple[Label, ...]]
WORDS = {"pid": "identity", "cam": "camera"}  # how columns are called in sentences
OWN = "own"  # the name of the junk rule of a user's protocol


@dataclass(frozen=True)
class Rule:
    """Images of the gallery for which all of these hold are removed for the query. Columns by their names.

    same:        query and image have the same value in these columns.
    other:       they have not: another value, or an unknown one.
    within:      their whole numbers in this column differ by at most so much.
    unknown:     the image's value is unknown.
    query:       the query's value in this column is one of these, and ``query_not``: is none of these.
    gallery:     the image's value in this column is one of these, and ``gallery_not``: is none of these.
    own:         the image is the query itself, which stands in the gallery too.
    """

    same: tuple[str, ...] = ()
    other: tuple[str, ...] = ()
    within: Mapping[str, int] = field(default_factory=dict)
    unknown: tuple[str, ...] = ()
    query: Values = field(default_factory=dict)
    query_not: Values = field(default_factory=dict)
    gallery: Values = field(default_factory=dict)
    gallery_not: Values = field(default_factory=dict)
    own: bool = False

    def __post_init__(self) -> None:
        for name in ("same", "other", "unknown"):
            given = getattr(self, name)
            listed = tuple(given) if isinstance(given, list | tuple) else (given,)
            object.__setattr__(self, name, tuple(_column(name, column) for column in listed))
        for name in ("within", "query", "query_not", "gallery", "gallery_not"):
            given = getattr(self, name)
            if not isinstance(given, Mapping):
                raise ValueError(f"{name}: wanted a table of columns, got {given!r}")
            read = _most if name == "within" else _values
            found = {_column(name, column): read(f"{name} {column}", value) for column, value in given.items()}
            object.__setattr__(self, name, found)
        if not isinstance(self.own, bool):
            raise ValueError(f"own: wanted true or false, got {self.own!r}")
        if not self.own and not any(self._of_columns()):
            raise ValueError("rule: wanted something that holds for what is removed, got nothing")

    @property
    def columns(self) -> tuple[str, ...]:
        """Every column that it looks at, once."""
        return tuple(dict.fromkeys(column for _, column, _ in self._of_columns()))

    @property
    def of_images(self) -> bool:
        """Whether it removes the same images for all queries."""
        return not self.own and {name for name, _, _ in self._of_columns()} <= {
            "unknown",
            "gallery",
            "gallery_not",
        }

    def describe(self) -> str:
        """In words."""
        parts = []
        for names, text in (
            (self.same, "same {}"),
            (self.other, "other {}"),
            (self.unknown, "unknown {}"),
        ):
            if names:
                parts.append(text.format(" and ".join(WORDS.get(name, name) for name in names)))
        for name, column, value in self._of_columns():
            word = WORDS.get(column, column)
            if name == "within":
                parts.append(f"{word} at most {value} apart")
            elif isinstance(value, tuple):
                whose = "query of " if name.startswith("query") else ""
                none = "none of " if name.endswith("_not") else ""
                parts.append(f"{whose}{word} {none}{', '.join(map(str, value))}")
        return " and ".join([*parts, *(["the query's own image"] if self.own else [])])

    def as_table(self) -> dict[str, object]:
        """As it stands in a recipe."""
        given = {each.name: getattr(self, each.name) for each in fields(self) if getattr(self, each.name)}
        return {name: _plain(value) for name, value in given.items()}

    def _of_columns(self) -> Iterator[tuple[str, str, object]]:
        """The name of a relation, its column, and what it says of it, relation by relation."""
        for each in fields(self):
            given = getattr(self, each.name)
            if isinstance(given, Mapping):
                yield from ((each.name, column, value) for column, value in given.items())
            elif isinstance(given, tuple):
                yield from ((each.name, column, None) for column in given)


@dataclass(frozen=True)
class Junk:
    """What is removed from the ranking of a query: what any of the rules holds for."""

    rules: tuple[Rule, ...] = ()
    name: str = OWN

    @property
    def what(self) -> str:
        """In words, for the line that stands beside every number."""
        removed = "; ".join(rule.describe() for rule in self.rules)
        return f"junk {self.name} ({f'removed: {removed}' if removed else 'nothing removed'})"

    @property
    def columns(self) -> tuple[str, ...]:
        """Every column that a rule looks at, once."""
        return tuple(dict.fromkeys(column for rule in self.rules for column in rule.columns))

    def as_list(self) -> list[dict[str, object]]:
        """The rules as they stand in a recipe."""
        return [rule.as_table() for rule in self.rules]

    @property
    def needs_cameras(self) -> bool:
        """Whether something is removed because of its camera."""
        return "cam" in self.columns

    @property
    def own(self) -> bool:
        """Whether something is removed because it is the query itself."""
        return any(rule.own for rule in self.rules)

    @property
    def unknown(self) -> bool:
        """Whether all images of unknown identity are removed."""
        return Rule(unknown=("pid",)) in self.rules


def _column(where: str, name: object) -> str:
    """The name of a column; usual spellings of one that we know are that one."""
    if not isinstance(name, str) or not name.strip():
        raise ValueError(f"{where}: wanted names of columns, got {name!r}")
    return canonical(name.strip())


def _most(where: str, value: Any) -> int:
    checks.whole(where, value, 0)
    return int(value)


def _values(where: str, value: Any) -> tuple[Label, ...]:
    listed = tuple(value) if isinstance(value, list | tuple) else (value,)
    if not listed or not all(isinstance(one, int | str) and not isinstance(one, bool) for one in listed):
        raise ValueError(f"{where}: wanted whole numbers or text, got {value!r}")
    return listed


def _plain(value: object) -> object:
    """Lists in the place of tuples, as TOML and JSON have them."""
    if isinstance(value, Mapping):
        return {name: _plain(one) for name, one in value.items()}
    return list(value) if isinstance(value, tuple) else value


_SAME_CAMERA, _UNKNOWN, _OWN = Rule(same=("pid", "cam")), Rule(unknown=("pid",)), Rule(own=True)
_SHARED = Rule(query={"cam": (3,)}, gallery={"cam": (2,)})  # cameras 2 and 3 of SYSU-MM01 see the same place

JUNK = {
    name: Junk(rules, name)
    for name, rules in {
        "market": (_SAME_CAMERA, _UNKNOWN),
        "bot": (_SAME_CAMERA,),
        "none": (),
        "self": (_OWN,),
        "all": (_OWN, _UNKNOWN),
        "intra": (Rule(other=("cam",)), _OWN, _UNKNOWN),
        "cuhk03": (Rule(same=("cam",)),),
        "sysu": (Rule(gallery_not={"cam": (1, 2, 4, 5)}), _SHARED),
        "sysu_indoor": (Rule(gallery_not={"cam": (1, 2)}), _SHARED),
        "clothes": (_SAME_CAMERA, Rule(same=("pid", "clothes"))),
        "same_clothes": (_SAME_CAMERA, Rule(same=("pid",), other=("clothes",))),
        "frames": (Rule(same=("pid", "cam"), within={"frame": 3}), _OWN, _UNKNOWN),
        "action": (Rule(other=("action",)),),
    }.items()
}
"""What protocols remove, by name."""
