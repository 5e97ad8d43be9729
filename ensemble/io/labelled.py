"""What a matcher says of labelled images, beside what it says of queries and gallery.

``train_MODEL`` beside ``MODEL``, a table of pairs or a matrix too, is about the images of ``train.csv`` (name,
pid) in the same folder. Joins that learn from labelled pairs find them there and nowhere else: no identity is used
that ``train.csv`` does not tell.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ensemble.base.errors import examples
from ensemble.io import matrices
from ensemble.io.keys import column_of
from ensemble.io.lists import read_table

PREFIX = "train_"


@dataclass(frozen=True)
class Labelled:
    """The files of one model: its pairs, their own lists of names by side, and the table of the labels."""

    pairs: Path
    lists: Mapping[str, Path]
    labels: Path

    @property
    def files(self) -> tuple[Path, ...]:
        """All of them."""
        return (self.pairs, *dict.fromkeys(self.lists.values()), self.labels)


def taken_out(
    models: dict[str, tuple[Path, ...]], table: Path | None, keys: object, problems: list[str]
) -> dict[str, Labelled]:
    """The models with labelled pairs; the files of these are models no longer.

    keys: whether several columns of tables make identities. problems: takes what is missing beside them.
    """
    found = {}
    for name in [name for name in models if name.startswith(PREFIX) and name.removeprefix(PREFIX) in models]:
        file, *lists = models.pop(name)
        own = matrices.own_lists([file, *lists]).get(file, {})
        found[name.removeprefix(PREFIX)] = Labelled(
            file, own, file.parent / "train.csv" if table is None else table
        )
    files = examples([one.pairs.name for one in found.values()])
    if found and table is None:
        problems.append(
            f"{next(iter(found.values())).labels}: wanted the identities of the images in {files} (name, pid), "
            "found none; of a gallery whose identities may be used it is a copy of gallery.csv"
        )
    elif table is not None and found and not keys and "pid" not in map(column_of, read_table(table)[0]):
        problems.append(f"{table}: wanted a column pid for the pairs in {files}, found none; add it")
    return found
