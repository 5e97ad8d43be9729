"""The recipes that come with the package, one line each; those that can run on a folder, and why others cannot.

    python -m ensemble.recipes
    python -m ensemble.recipes --for DIR
    python -m ensemble.recipes default > mine.toml

``--for`` looks at what is there (models, sides, cameras, tracks, times, labels, sizes) and at what the steps of
every recipe need; no feature is read. A name prints the recipe itself, to be changed and run.
"""

import argparse
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from ensemble.base.errors import InputError, examples, near, refuse_if_any
from ensemble.cli import files, notes, program
from ensemble.io import Folder
from ensemble.io.folder import is_side
from ensemble.pipeline import recipe
from ensemble.recipes.suited import Suited, holds, images, named, positives_of, suited
from ensemble.track import recipe as of_tracks
from postproc.base.machine import free_memory

TASK = "begin"  # of reid-ensemble --help


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns the exit status."""
    options = parser().parse_args(arguments)
    folder = options.features or options.rankings
    if options.recipes and folder:
        raise InputError(["RECIPE: wanted it or --for, found both; leave one of them out"])
    if options.recipes:
        print(*_contents(options.recipes), sep="\n\n")
    elif folder:
        found = files.scan(options)
        notes.say(found.notes)
        print(*about(found), sep="\n")
    else:
        print(*everything(), sep="\n")
    return program.FINE


def parser() -> argparse.ArgumentParser:
    """The options."""
    p = program.parser("ensemble.recipes", __doc__)
    p.add_argument("recipes", nargs="*", metavar="RECIPE", help="print these as they are, in TOML")
    p.add_argument(
        "--for", dest="features", type=Path, metavar="DIR", help="folder with the models' feature files"
    )
    files.add_rankings(p)
    files.add_name_lists(p)
    files.add_meaning(p)
    files.add_keys(p)
    files.add_tracks(p)
    return p


def everything() -> Iterator[str]:
    """Every recipe with what it is, those for tracks of cameras behind the others."""
    yield from _listed({name: recipe.load(name).about for name in recipe.available()})
    yield "of track, which follows identities over all cameras:"
    yield from _listed({name: of_tracks.load(name).about for name in of_tracks.available()})


def about(folder: Folder) -> Iterator[str]:
    """What there is in a folder, the recipes that can run on it, and what the others lack."""
    yield _told(folder)
    known = {name: recipe.load(name) for name in recipe.available()}
    found = list(suited(known, folder))
    can = [one for one in found if one.runs]
    yield f"{len(can)} of {len(found)} recipes can run:"
    yield from _listed({one.recipe.name: _taken(one) for one in can})
    if len(can) < len(found):
        yield "the others cannot; run --recipe NAME --dry-run says what to do:"
        yield from _listed({one.recipe.name: _why_not(one) for one in found if not one.runs})


def _told(folder: Folder) -> str:
    side = [model for model in folder.models if is_side(model)]
    counted = {"query": "queries", "gallery": "gallery images", "train": "training images"}
    of_each = images(folder)
    if folder.one_set:
        counted = {"gallery": "images of one set", "train": "training images"}
    positives = positives_of(folder)
    parts = [
        f"{len(folder.joined)} models ({examples(folder.joined, 8)})",
        f"{len(side)} side models ({examples(side, 8)})" if side else "",
        *(f"{of_each[name]} {words}" for name, words in counted.items() if name in of_each),
        f"{positives.images:g} images of an identity" if positives else "",
    ]
    return f"{folder.path}: {', '.join(filter(None, parts))}; known: {', '.join(holds(folder)) or 'nothing else'}"


def _taken(one: Suited) -> str:
    """What a recipe is, what it leaves out, how much it holds, and what does not go with these images."""
    free = free_memory()
    size = "" if one.bytes is None else f"{one.bytes / 1e9:.2f} GB"
    if one.bytes is not None and free is not None and one.bytes > free:
        size += f", more than the {free / 1e9:.2f} GB that are free"
    without = f"without {examples(one.without, 3)}" if one.without else ""
    said = "; ".join(filter(None, [size, without, *one.advice]))
    return f"{one.recipe.about} ({said})" if said else one.recipe.about


def _why_not(one: Suited) -> str:
    lacking = named(one.lacking)
    if not lacking:
        return examples(one.other, 2)
    return f"lacks {examples(lacking, 5)}"


def _listed(lines: Mapping[str, str]) -> Iterator[str]:
    wide = max(map(len, lines), default=0)
    for name, line in lines.items():
        yield f"  {name:<{wide}}  {line}"


def _contents(names: Sequence[str]) -> list[str]:
    known = recipe.available()
    refuse_if_any(
        [
            f"RECIPE: wanted the name of one, found {name!r}{near(name, known) or '; no name lists all'}"
            for name in names
            if name not in known
        ]
    )
    return [known[name].read_text(encoding="utf-8").rstrip() for name in names]


if __name__ == "__main__":
    program.main(main)
