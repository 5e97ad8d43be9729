"""Run models over images and write feature files that ``run`` reads with no other flag.

    python -m extractors.dump --images DIR --model osnet.onnx --model hog:8 --out features/
    python -m ensemble.run --features features/

The folder holds ``query`` and ``gallery`` folders under any of the usual names; --query and --gallery name them,
or lists. A folder with neither, or --gallery alone, is one set: each image is described once and compared with all
others. A run that was killed goes on where it was, a finished one is not done again. Exit status 0; 1 where
features of zeros came out, as of black images; 2 where it could not be done.
"""

import argparse
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ensemble.base.collecting import collecting
from ensemble.base.errors import InputError, examples, refuse_if_any
from ensemble.cli import program
from ensemble.cli.numbers import too_small
from extractors import command

TASK = "begin"  # of reid-ensemble --help

# Worker processes import this file: what is heavy is imported where it is used.
if TYPE_CHECKING:
    from extractors.codes import Codes
    from extractors.extract import Done, How, Rows
    from extractors.model import Model

    Loaded = list[tuple[Model, dict[str, Any], Codes | None]]  # every model, how it was loaded, its codes


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns the exit status."""
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")  # threads that spin take the processors of the workers
    given = _settled(parser().parse_args(arguments))
    from extractors import listing

    how, loaded, columns, rows, lists = _prepared(given)
    left, empty = _extracted(given, how, loaded, rows)
    kept = {
        side: [row for row, name in enumerate(of.names) if name not in left.get(side, {})]
        for side, of in rows.items()
    }
    listing.write_tables(
        given.out,
        {side: [rows[side].names[row] for row in places] for side, places in kept.items()},
        {side: {column: values[kept[side]] for column, values in of.items()} for side, of in columns.items()},
        lists,
    )
    for broken in left.values():
        for why in broken.values():
            print(f"left out: {why}")
    if empty:
        names = examples(list(dict.fromkeys(empty)))
        print(f"not ready: {names} have only zeros, which ensemble.run refuses; leave them or the model out")
        return program.FAULTY
    print(program.as_called(f"next: python -m ensemble.run --features {given.out}"))
    return program.FINE


def _prepared(given: argparse.Namespace) -> "tuple[How, Loaded, dict[str, dict], dict[str, Rows], dict[str, str]]":
    """How to read, the models, the columns and rows of every side, and AI City's lists.

    All that can be refused is refused here.
    """
    problems = _simple_problems(given)
    how = loaded = rows = None
    with collecting(problems):
        how = _how(given, problems)
    with collecting(problems):
        loaded = _models(given, problems)
    with collecting(problems):
        columns, rows, lists = _rows(given, problems)
    refuse_if_any(problems)
    assert how is not None
    assert loaded is not None
    assert rows is not None
    _check_sizes(loaded, given)
    _check_tables(given, rows)
    return how, loaded, columns, rows, lists


def _extracted(
    given: argparse.Namespace, how: "How", loaded: "Loaded", rows: "dict[str, Rows]"
) -> tuple[dict[str, dict[str, str]], list[str]]:
    """Run every model over all rows and write its files; what was left out, with the reason, and what is empty."""
    from extractors.extract import extract
    from extractors.loader import loader

    left: dict[str, dict[str, str]] = {}
    empty: list[str] = []
    workers = given.workers if given.workers is not None else min(os.cpu_count() or 1, 8)
    with loader(workers) as pool:
        for model, loading, codes in loaded:
            used = _for_model(how, model, given, loading, codes)
            done = extract(model, rows, used, given.out, pool, skip_broken=given.skip_broken)
            for side, broken in done.broken.items():
                left.setdefault(side, {}).update(broken)
            _tell(model.name, done)
            empty += done.empty
    return left, empty


def _settled(given: argparse.Namespace) -> argparse.Namespace:
    """Options that were not given: as --like says, or the default."""
    for key, value in {**command.DEFAULTS, **command.LIKE.get(given.like or "", {})}.items():
        if getattr(given, key) is None:
            setattr(given, key, value)
    return given


def _simple_problems(given: argparse.Namespace) -> list[str]:
    problems = []
    if not given.images and not given.query and not given.gallery:
        problems.append("--images: wanted a folder or a list, or --query and --gallery, found nothing; see --help")
    if not given.model:
        problems.append("--model: wanted at least one model, found none; see --help")
    problems += too_small(given, batch=1, workers=0, clip=1, most_frames=1, most_pixels=1, seed=0)
    if given.compounding and given.scales is None:
        problems.append("--compounding: wanted --scales with it, found none; leave it out")
    if given.ten_crop and given.flip != "none":
        problems.append("--ten-crop: wanted no --flip, since five of the ten crops are mirrored; leave it out")
    if given.ten_crop and given.resize is None:
        problems.append("--ten-crop: wanted --resize HEIGHTxWIDTH, larger than the model's size, found none")
    if given.tracklets and given.detected:
        problems.append("--detected: wanted images, found --tracklets; leave one of them out")
    if given.tracklets and given.part_weights:
        problems.append("--part-weights: wanted images, found --tracklets; leave one of them out")
    if given.part_weights and given.parts not in ("sum", "max", "concat"):
        problems.append("--part-weights: wanted --parts sum, max or concat with it, found another")
    if given.tracklets == "mars" and len(given.images) != 1:
        problems.append("--tracklets: wanted the folder of MARS as --images, found something else")
    return problems


def _how(given: argparse.Namespace, problems: list[str]) -> "How":
    from extractors.decode import Reading
    from extractors.extract import How
    from extractors.options import floats, size_of
    from extractors.parts import Parts
    from extractors.tracklets import Clips
    from extractors.views import Views

    scales: list[float] = [1.0]
    if given.scales is not None:
        try:
            scales = [float(text) for text in given.scales.split(",")]
        except ValueError:
            scales = []
        if not scales or not all(0.01 <= scale <= 100 for scale in scales):
            problems.append(f"--scales: wanted factors of the area as 1,1.1,1.2, found {given.scales!r}")
    size = size_of("--resize", given.resize, problems) or (1, 1)
    return How(
        Reading(size, given.filter, not given.no_antialias, not given.ignore_exif, given.most_pixels),
        Views(given.flip, tuple(scales), given.compounding, given.ten_crop, given.l2, Parts(given.parts)),
        given.batch,
        floats("--mean", "--mean", given.mean, (0, 0, 0), problems) if given.mean else None,
        floats("--std", "std", given.std, (1, 1, 1), problems) if given.std else None,
        given.format,
        Clips(given.sampling, given.clip, given.most_frames, given.seed) if given.tracklets else None,
    )


def _models(given: argparse.Namespace, problems: list[str]) -> "Loaded":
    """Every model, loaded, with what it was loaded with."""
    from extractors.calling import clip_problems
    from extractors.codes import codes_of
    from extractors.models import load
    from extractors.options import split

    found: Loaded = []
    for text in given.model:
        spec, options = split(text)
        name = options.pop("name", None)
        precision = options.pop("precision", given.precision)
        coded = options.pop("codes", None)
        with collecting(problems):
            model = load(spec, device=given.device, precision=precision, name=name, **options)
            codes = codes_of(model, coded, problems)
            found.append((model, {"spec": spec, "precision": precision, **options}, codes))
            if codes is not None and given.format != "npz":
                problems.append(f"--format: wanted npz for the codes of {model.name}, found {given.format}")
    problems += clip_problems([model for model, *_ in found], bool(given.tracklets), given.clip)
    names = [model.name for model, *_ in found]
    again = sorted({name for name in names if names.count(name) > 1})
    if again:
        problems.append(f"--model: wanted a name for each, found again {examples(again)}; add name=OTHER")
    odd = [name for name in names if not name or name != os.path.basename(name) or name.startswith(".")]
    if odd:
        problems.append(f"--model: wanted names for files, found {examples(odd)}; add name=OTHER")
    return found


def _rows(
    given: argparse.Namespace, problems: list[str]
) -> "tuple[dict[str, dict], dict[str, Rows], dict[str, str]]":
    """The columns of every side's labels, its rows: images, or tracklets; and the lists of names of images."""
    from ensemble.parsers import choose
    from extractors import listing, tracklets
    from extractors.extract import Rows

    if given.tracklets == "mars" and given.images:
        found = tracklets.mars(given.images[0])
        return (
            {side: of.columns for side, of in found.items()},
            {side: _tracklets(of.names, of.frames, given) for side, of in found.items()},
            {},
        )
    parser = choose(given.parser, given.pattern, given.folders or 0)
    explicit = {side: paths for side in command.SIDES if (paths := getattr(given, side))}
    long = [side for side, paths in explicit.items() if len(paths) > 2]
    if long:
        raise InputError([f"--{side}: wanted a folder or a list and its folder, found more" for side in long])
    sides, remarks = listing.find(given.images, explicit, root=given.root, parser=parser, sides=given.sides)
    for remark in remarks:
        print(remark)
    columns = listing.with_labels(sides, parser, given.labels)
    if given.tracklets:
        rows = {}
        for side, of in sides.items():
            names, groups = tracklets.folders(of.names)
            rows[side] = _tracklets(names, [[of.files[row] for row in group] for group in groups], given)
            first = [group[0] for group in groups]
            columns[side] = {key: values[first] for key, values in columns[side].items() if key != "order"}
        return columns, rows, {}
    crops = _crops(given, sides, problems)
    weights = _part_weights(given, sides, problems)
    rows = {
        side: Rows(
            of.names,
            [
                (file, crop) if crop is not None else (file,)
                for file, crop in zip(of.files, crops[side], strict=True)
            ],
            weights.get(side),
        )
        for side, of in sides.items()
    }
    return columns, rows, listing.lists(sides)


def _tracklets(names: list[str], frames: list[list[Path]], given: argparse.Namespace) -> "Rows":
    """Tracklets as rows: of each the frames that are used, once, and its clips as places among them."""
    from extractors.extract import Rows
    from extractors.tracklets import Clips, clips

    how = Clips(given.sampling, given.clip, given.most_frames, given.seed)
    jobs, chosen = [], []
    for name, files in zip(names, frames, strict=True):
        places = clips(name, len(files), how)
        used = sorted({place for clip in places for place in clip})
        at = {place: row for row, place in enumerate(used)}
        jobs.append(tuple(files[place] for place in used))
        chosen.append([[at[place] for place in clip] for clip in places])
    return Rows(names, jobs, clips=chosen)


def _crops(given: argparse.Namespace, sides: Any, problems: list[str]) -> dict[str, list[Path | None]]:
    """For every image the detector's crop, in a folder of the same names; without one the image counts twice."""
    if given.detected is None:
        return {side: [None] * len(of.names) for side, of in sides.items()}
    found: dict[str, list[Path | None]] = {}
    missing = 0
    for side, of in sides.items():
        folder = given.detected / side if (given.detected / side).is_dir() else given.detected
        paths = [folder / name for name in of.names]
        there = [path.is_file() for path in paths]
        missing += there.count(False)
        found[side] = [path if good else file for path, file, good in zip(paths, of.files, there, strict=True)]
    total = sum(len(of.names) for of in sides.values())
    if missing == total:
        problems.append(f"--detected: wanted crops called like the images in {given.detected}, found none")
    elif missing:
        print(f"{given.detected}: no crop of {missing} of {total} images; the image itself takes its place")
    return found


def _part_weights(given: argparse.Namespace, sides: Any, problems: list[str]) -> dict[str, Any]:
    if given.part_weights is None:
        return {}
    import numpy as np

    found = {}
    try:
        with np.load(given.part_weights) as file:
            for side, of in sides.items():
                names = {str(name): row for row, name in enumerate(file[f"{side}_name"])}
                missing = [name for name in of.names if name not in names]
                if missing:
                    problems.append(
                        f"{given.part_weights}: wanted weights of all {side} images, found none for "
                        f"{examples(missing)}"
                    )
                    continue
                found[side] = file[side].astype(np.float32)[[names[name] for name in of.names]]
                if found[side].ndim != 2 or not np.isfinite(found[side]).all() or (found[side] < 0).any():
                    problems.append(f"{given.part_weights}: wanted weights (n, parts) of 0 or more, found others")
    except (OSError, ValueError, KeyError) as error:
        raise InputError(
            [f"{given.part_weights}: wanted .npz with SIDE and SIDE_name for every side, but {error}"]
        ) from None
    return found


def _check_sizes(loaded: "Loaded", given: argparse.Namespace) -> None:
    from extractors.options import size_of

    size = size_of("--resize", given.resize, [])
    refuse_if_any(
        [
            f"--resize: wanted at least {model.size[0]}x{model.size[1]}, which {model.name} takes, "
            f"found {given.resize}"
            for model, *_ in loaded
            if size is not None and (size[0] < model.size[0] or size[1] < model.size[1])
        ]
    )


def _check_tables(given: argparse.Namespace, rows: "dict[str, Rows]") -> None:
    """Tables of other images in the folder mean that models of other images are there too."""
    from ensemble.io.lists import read_labels

    problems = []
    for side, of in rows.items():
        path = given.out / f"{side}.csv"
        if path.is_file():
            strange = sorted(set(read_labels(path).names) - set(of.names))
            if strange:
                problems.append(
                    f"{path}: wanted the images of this run, found others ({examples(strange)}); name a new --out"
                )
    refuse_if_any(problems)


def _for_model(
    how: "How", model: "Model", given: argparse.Namespace, loading: dict[str, Any], codes: "Codes | None"
) -> "How":
    from dataclasses import replace

    size = model.size if given.resize is None else how.reading.size
    return replace(how, reading=replace(how.reading, size=size), model=loading, codes=codes)


def _tell(name: str, done: "Done") -> None:
    files = ", ".join(str(path) for path in done.files)
    if not done.new:
        print(f"{name}: already there, of the same images, model and options: {files}")
        return
    rate = done.images / done.seconds if done.seconds else 0
    print(f"{name}: {done.images} images x {done.width}, {done.seconds:.1f} s ({rate:.0f} images/s), {files}")
    if done.empty:
        print(f"{name}: only zeros for {examples(done.empty)}, as of an image of one colour")


def parser() -> argparse.ArgumentParser:
    """The options."""
    return command.parser(__doc__)


if __name__ == "__main__":
    program.main(main)
