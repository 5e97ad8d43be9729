"""Tracks of cameras become identities, from Python; and what command and function have in common."""

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import postproc
from ensemble.base import tabled
from ensemble.base.collecting import collecting
from ensemble.base.errors import refuse_if_any
from ensemble.base.kinds import Ints
from ensemble.boxes import scores, track1
from ensemble.cli import files
from ensemble.cli.numbers import too_small
from ensemble.interface import arguments
from ensemble.interface.arguments import Changes, Data, FilePath
from ensemble.parsers import choose
from ensemble.track import given, recipe, result
from ensemble.track.given import Asked, Given
from ensemble.track.options import parser
from ensemble.track.recipe import Recipe
from ensemble.track.result import Result

if TYPE_CHECKING:
    import pandas as pd

OF_THE_COMMAND = ("submission", "list_recipes", "dry_run", "form")
PLACES = ("tracks", "learn_from", "truth")  # options of several paths

Paths = FilePath | Sequence[FilePath]


def track(
    features: Data,
    tracks: "Paths",
    recipe: "FilePath | Mapping[str, Any] | None" = None,
    *,
    cameras: "FilePath | None" = None,
    windows: "FilePath | None" = None,
    zones: "FilePath | None" = None,
    learn_from: "Paths" = (),
    truth: "Paths" = (),
    gallery_names: Data = None,
    gallery_cam: Data = None,
    gallery_track: Data = None,
    gallery_frame: Data = None,
    names: str | None = None,
    pattern: str | None = None,
    set: "Changes | None" = None,
    tracks_form: str | None = None,
    fps: float | None = None,
    first_frame: int | None = None,
    threads: int | None = None,
    quiet: bool = True,
) -> "Tracked":
    """Tracks of single cameras become identities over all of them.

    features: of one set, a folder or arrays, as for :func:`ensemble.rank`; images called cCAM_TRACK, or with
              ``gallery_cam``, ``gallery_track`` and ``gallery_frame``.
    tracks:   track files, or folders of them. recipe: of ``python -m ensemble.track --list-recipes``, a file or a
              dictionary; None: ``default``.
    The others are the options of ``python -m ensemble.track`` with underscores.
    """
    keywords = {
        **{"gallery_names": gallery_names, "gallery_cam": gallery_cam, "gallery_track": gallery_track},
        **{"gallery_frame": gallery_frame, "set": set, "names": names, "pattern": pattern, "cameras": cameras},
        **{"windows": windows, "zones": zones, "tracks_form": tracks_form, "fps": fps, "first_frame": first_frame},
        **{"threads": threads, "quiet": quiet},
    }
    paths = {"tracks": tracks, "learn_from": learn_from, "truth": truth}
    with arguments.in_python():
        options = arguments.asked(
            parser(), features, lambda: _recipe(recipe), keywords, lacks=(*OF_THE_COMMAND, *PLACES)
        )
        vars(options).update({name: _paths(value) for name, value in paths.items()})
        used, world = read(options)
        with postproc.using(threads=options.threads, progress=not options.quiet):
            return Tracked(matched(world, used), world, used)


@dataclass(frozen=True, eq=False, repr=False)
class Tracked:
    """What :func:`track` returns; ``scores`` where there was truth."""

    result: Result
    given: Given
    recipe: Recipe

    @property
    def identities(self) -> Ints:
        """(t,) the identity of each track, from 1 by when somebody is first seen; 0: left out."""
        return self.result.identity

    @property
    def scores(self) -> scores.Scores | None:
        """IDF1 and the rest; None without truth."""
        return self.result.scores

    @property
    def notes(self) -> list[str]:
        """What to know of data and recipe."""
        return [arguments.spoken(note) for note in self.given.notes]

    def to_frame(self) -> "pd.DataFrame":
        """A row a track: camera, track, identity, when it begins and ends in seconds, boxes."""
        import pandas as pd

        of = self.given.world.tracklets
        columns = {"cam": of.cam, "track": of.track, "id": self.identities, "start": of.start, "end": of.end}
        return pd.DataFrame({**columns, "boxes": of.counts})

    def to_submission(self, path: FilePath, form: str = "2022") -> Path:
        """Write ``track1.txt`` in the form of a year."""
        track1.write(Path(path), self.result.boxes, form, first_frame=self.given.first_frame)
        return Path(path)

    def __repr__(self) -> str:
        scored = [self.scores.text()] if self.scores else []
        return "\n".join([result.text(self.given, self.result), *scored])

    def _repr_html_(self) -> str:
        rows: list[tuple[str, object]] = list(result.counts(self.given, self.result).items())
        scored = [("scores", self.scores.text())] if self.scores else []
        return tabled.page(f"Tracks by {self.recipe.name}", [*rows, *scored], self.notes)


def read(options: argparse.Namespace) -> tuple[Recipe, Given]:
    """The recipe and everything that it works on; every problem in one error."""
    problems = files.wanted(options) + too_small(options, threads=1) + (scores.lacking() if options.truth else [])
    if not options.tracks:
        problems.append("--tracks: wanted track files, found nothing; see --help")
    if not 0 < options.fps < float("inf"):
        problems.append(f"--fps: wanted a number above 0, found {options.fps:g}")
    refuse_if_any(problems)
    used = parsed = None
    with collecting(problems):
        named = options.recipe or options.otherwise
        used = recipe.changed(named if isinstance(named, Recipe) else recipe.load(named), options.set)
    with collecting(problems):
        parsed = choose(options.names, options.pattern)
    names = ("features", "tracks", "cameras", "windows", "zones", "learn_from", "truth", "fps", "first_frame")
    asked = Asked(
        **{name: getattr(options, name) for name in names}, parser=parsed, tracks_form=options.tracks_form
    )
    with postproc.using(threads=options.threads, progress=not options.quiet):
        world = given.read(asked, used, problems)
    assert used is not None
    return used, world


def matched(world: Given, used: Recipe) -> Result:
    """Identities by the recipe, and their scores where there is truth."""
    group = given.associated(world.world, used)
    identity = result.identities(world.world.tracklets, group)
    boxes = result.boxes_of(world.world.tracklets, identity)
    judged = scores.score(world.truth, boxes) if world.truth is not None else None
    return Result(identity, boxes, judged)


def _recipe(asked: "FilePath | Mapping[str, Any] | None") -> Recipe | str | None:
    if isinstance(asked, Mapping):
        return recipe.parse(asked, "recipe")
    return None if asked is None else str(asked)


def _paths(asked: "Paths") -> list[Path]:
    return [Path(asked)] if isinstance(asked, (str, Path)) else [Path(one) for one in asked]  # type: ignore[union-attr]
