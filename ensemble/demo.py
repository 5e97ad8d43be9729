"""Write a synthetic, labelled city as a competition would: something to run without anybody's data.

    python -m ensemble.demo city
    python -m ensemble.demo DIR [--kind KIND] [--size SIZE] [--seed N] [--width N] [--unknown S] [--wrong S]
    python -m ensemble.demo DIR --images [--kind KIND] [--size SIZE] [--seed N]
    python -m ensemble.demo DIR --tracks [--size SIZE] [--seed N]

The folder is laid out as the AI City challenge and its entrants lay it out: a pair of pickles a model, name lists
and a track list; the answers lie beside them in ``query.csv`` and ``gallery.csv``, side models in ``side``, a
training set in ``train_MODEL.pkl`` and ``train.csv``, and a text that says that nothing of it is real. With
``--images`` there are drawn pictures of the vehicles in ``image_query`` and ``image_test`` instead of features.
With ``--tracks`` there is what trackers at the cameras would have found, for ``ensemble.track``: boxes frame by
frame, features of boxes, clocks, travel windows, and the truth.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

from ensemble.base.errors import InputError, refuse_if_any
from ensemble.city import ABOUT, KINDS, folder, readme, track_folder
from ensemble.city.people import KINDS as PEOPLE
from ensemble.city.tracks import SIZES
from ensemble.cli import program

TASK = "begin"  # of reid-ensemble --help


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns the exit status."""
    given = parser().parse_args(arguments)
    _check(given)
    settings = vars(given).copy()
    where = settings.pop("folder")
    if settings.pop("tracks"):
        counted = track_folder.make(where, size=given.size, seed=given.seed)
        print(f"synthetic data, not real: {readme.tracks_text(vars(counted))}")
        print(f"written to {where} (tracks, size {given.size}, seed {given.seed})")
        return program.FINE
    try:
        made = folder.make(where, **settings)
    except InputError:
        raise
    except ValueError as error:
        raise InputError([f"--{error}; give another number"]) from None
    print(f"synthetic data, not real: {readme.counts(made)}")
    print(f"written to {where} (kind {given.kind}, size {given.size}, seed {given.seed})")
    return program.FINE


def parser() -> argparse.ArgumentParser:
    """The options."""
    kinds = "".join(f"    {kind:<12}{about}\n" for kind, about in ABOUT.items())
    p = program.parser("ensemble.demo", f"{__doc__}\nKinds of city:\n\n{kinds}")
    sizes = list(dict.fromkeys([*(size for kind in KINDS.values() for size in kind), *SIZES]))
    of_each = "; ".join(f"{kind}: {', '.join(of)}" for kind, of in KINDS.items())
    of_each += f"; --tracks: {', '.join(SIZES)}"
    p.add_argument("folder", metavar="DIR", type=Path, help="new, empty, or an earlier demo to replace")
    p.add_argument("--kind", choices=KINDS, default="city", help="default: %(default)s")
    p.add_argument("--size", choices=sizes, default="small", help=f"default: %(default)s ({of_each})")
    p.add_argument("--seed", metavar="N", type=int, default=0, help="0 or more, default: %(default)s")
    p.add_argument("--images", action="store_true", help="drawn pictures instead of features (vehicles)")
    p.add_argument("--tracks", action="store_true", help="tracks of cameras and features of boxes (vehicles)")
    p.add_argument("--width", metavar="N", type=int, help="values an image and model, default: as the size")
    for name, means in (("unknown", "are not told"), ("wrong", "are wrong")):
        p.add_argument(f"--{name}", metavar="SHARE", type=float, help=f"of the predicted cameras that {means}")
    return p


def _check(given: argparse.Namespace) -> None:
    if given.seed < 0:
        raise InputError([f"--seed: wanted 0 or more, found {given.seed}; give another number"])
    if given.images and given.kind in PEOPLE:
        raise InputError(
            [f"--images: wanted a city of vehicles, found --kind {given.kind}; leave one of them out"]
        )
    if given.tracks:
        _check_tracks(given)
        return
    if given.size not in KINDS[given.kind]:
        wanted = ", ".join(KINDS[given.kind])
        raise InputError(
            [f"--size: wanted one of {wanted} for --kind {given.kind}, found {given.size}; choose one"]
        )


def _check_tracks(given: argparse.Namespace) -> None:
    problems = []
    others = [name for name in ("width", "unknown", "wrong") if getattr(given, name) is not None]
    others += ["images"] if given.images else []
    others += ["kind"] if given.kind != "city" else []
    problems += [
        f"--{name}: wanted nothing beside --tracks, found --{name}; leave one of them out" for name in others
    ]
    if given.size not in SIZES:
        problems.append(f"--size: wanted one of {', '.join(SIZES)} for --tracks, found {given.size}; choose one")
    refuse_if_any(problems)


if __name__ == "__main__":
    program.main(main)
