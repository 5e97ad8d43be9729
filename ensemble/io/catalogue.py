"""What one file says of the images of all sides: labels by name, and who is query, gallery and training."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePath

from ensemble.base.alike import alike
from ensemble.base.errors import InputError, examples
from ensemble.io.lists import Labels


@dataclass(frozen=True)
class Catalogue:
    """Labels of images by name, and which names each side has, where anything says that.

    ``folders``: names are told apart by their folders; if not, images are known by their names without folders.
    ``orders``: the names that as many rows without names may have, one after the other.
    """

    path: Path
    labels: Labels
    sides: Mapping[str, list[str]]
    inputs: tuple[Path, ...]
    notes: tuple[str, ...] = ()
    folders: bool = False
    orders: tuple[list[str], ...] = ()

    def key(self, name: str) -> str:
        """What an image is known by."""
        return name if self.folders else PurePath(name).name

    def divides(self, keys: Iterable[str]) -> bool:
        """Whether these are names of images that it divides."""
        listed = list(map(self.key, keys))
        called = (self.labels.names, self.labels.paths)
        return bool(self.sides and listed) and any(set(names).issuperset(listed) for names in called)

    def called(self, where: str, names: Sequence[str], notes: list[str]) -> list[str]:
        """Names of images as they are here, where they differ in spelling, or are the paths beside the ids here.

        ``notes`` takes what was done.
        """
        own = dict(zip(self.labels.paths, self.labels.names, strict=False))  # there are paths of all, or none
        if own and not {*names} & {*self.labels.names}:
            like = alike(names, self.labels.paths)
            paths = [like.renamed.get(name, name) if like else name for name in names]
            if {*paths} & {*own}:
                notes.append(f"{where}: its images are called by the ids that {self.path} has beside their paths")
                return [own.get(path, path) for path in paths]
        like = alike([self.key(name) for name in names], self.labels.names)
        if not like or not like.renamed:
            return list(names)
        notes.append(f"{where}: its names differ from those of {self.path} {like}: joined without that")
        return [like.renamed.get(self.key(name), name) for name in names]

    def sides_of(self, names: Iterable[str] | None) -> dict[str, list[str]]:
        """The sides that a model has of whom these are all images; None: it has all that there are."""
        known = None if names is None else {*names}
        return {side: of for side, of in self.sides.items() if known is None or known.issuperset(of)}

    def names_of(self, count: int) -> list[str] | None:
        """The names of so many rows that have none."""
        return next((names for names in self.orders if len(names) == count), None)

    def counts(self) -> str:
        """How many rows without names there may be, in words."""
        return " or ".join(str(len(names)) for names in self.orders)

    def of(self, names: Sequence[str], side: str) -> Labels:
        """The labels of the images of a side; InputError for names that are not there."""
        place = {name: row for row, name in enumerate(self.labels.names)}
        rows = [place.get(self.key(name), -1) for name in names]
        strange = [name for name, row in zip(names, rows, strict=True) if row < 0]
        if strange:
            raise InputError(
                [
                    f"{self.path}: wanted all images of the {side}, found none called {examples(strange)}; write "
                    f"{side}.csv, which goes before it, or complete it"
                ]
            )
        columns = {column: values[rows] for column, values in self.labels.columns.items()}
        return replace(self.labels, names=list(names), columns=columns)
