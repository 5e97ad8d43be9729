"""Give images without labels groups in the place of identities: a folder of features to train on.

    python -m ensemble.pseudo_labels --features DIR --out DIR2 --clusters 333
    python -m ensemble.pseudo_labels --features DIR --out DIR2 --method jaccard --eps 0.5
    python -m ensemble.run --features DIR2 --recipe FILE           with learned_metric, learned_whitening, …

DIR2 has every model with the same queries and gallery, and the grouped images as train, with train.csv beside.
Grouped are the images of train, where it has no labels; otherwise those of the gallery and of the query, which
come behind the train that is there, called PID_CAM_NUMBER.jpg, as open-reid's data sets have it, NUMBER from 1.
Images in no group are left out. dbscan measures 2 - 2 cosine, jaccard how much neighbourhoods overlap (0 to 1),
of which --cosine takes a part for 1 - cosine.

Sources: SpCL, Cluster-Contrast (jaccard); DMT, AI City 2021, which is --method jaccard --cosine 0.1 --eps 0.55
--min-samples 10; gggcy/AIC2020_ReID post_processing/kmeans, which is
--clusters 333 --offset 1763 --cameras 39 --raw.
"""

import argparse
import shutil
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np

import postproc
from ensemble import io
from ensemble.base.errors import InputError, examples, refuse_if_any
from ensemble.base.features import COLUMNS, SIDES, FeatureSet
from ensemble.base.labels import as_numbers
from ensemble.cli import files, machine, notes, outputs, program
from ensemble.cli.numbers import too_small
from ensemble.pseudo_labels.grouping import Grouped, How, group
from ensemble.pseudo_labels.training import trained

TASK = "people and clusters"  # of reid-ensemble --help


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns the exit status."""
    options = parser().parse_args(arguments)
    _check(options)
    options.rankings = None
    folder = files.scan(options)
    outputs.refuse_unwritable(options.out / "train.csv", options.renamed)
    sets = io.read(folder, list(folder.models))
    asked = [features for features in sets if not features.auxiliary]
    notes.say((*folder.notes, *asked[0].notes))
    sides = _sides(options, asked[0])
    offset = _offset(options, asked[0], sides)
    names = ("method", "clusters", "starts", "eps", "min_samples", "k1", "k2", "cosine", "raw", "cameras", "seed")
    with postproc.using(threads=options.threads, progress=not options.quiet):
        found = group(asked, sides, offset, How(**{name: getattr(options, name) for name in names}))
    _write(options, [trained(features, found) for features in sets], found)
    print(_text(found))
    return program.FINE


def parser() -> argparse.ArgumentParser:
    """The options."""
    p = program.parser("ensemble.pseudo_labels", __doc__)
    files.add_features(p)
    files.add_name_lists(p)
    files.add_meaning(p)
    files.add_keys(p)
    files.add_tracks(p)
    outputs.add_out(p, "the folder of features to write, another one", required=True)
    add = p.add_argument
    add(
        "--method",
        choices=("kmeans", "dbscan", "jaccard"),
        default="kmeans",
        help="how to group (default: %(default)s)",
    )
    add("--clusters", type=int, metavar="N", help="groups of kmeans")
    add("--starts", type=int, default=1, metavar="N", help="of kmeans, the best counts (default: %(default)s)")
    add("--seed", type=int, default=0, metavar="N", help="of all that is drawn (default: %(default)s)")
    add("--eps", type=float, default=0.5, metavar="D", help="of the others (default: %(default)s)")
    add("--min-samples", type=int, default=4, metavar="N", help="of the others (default: %(default)s)")
    add("--k1", type=int, default=30, metavar="K", help="of jaccard (default: %(default)s)")
    add("--k2", type=int, default=6, metavar="K", help="of jaccard (default: %(default)s)")
    add("--cosine", type=float, default=0.0, metavar="PART", help="of jaccard (default: %(default)g)")
    add("--raw", action="store_true", help="join features as they are, not made of unit length model by model")
    add("--of", nargs="+", choices=SIDES, metavar="SIDE", help="whose images are grouped (default: see above)")
    add("--offset", type=int, metavar="N", help="the first identity (default: behind those of train, or 0)")
    add("--cameras", type=int, metavar="N", help="draw a camera from 1 to N for every image")
    add("--renamed", type=Path, metavar="FILE", help="write a table: file, side, name, pid, cam")
    add("--images", nargs="+", type=Path, metavar="DIR", help="folders with the pictures, for --pictures")
    add("--pictures", type=Path, metavar="DIR", help="copy the pictures there, PID_CAM_NUMBER.jpg")
    machine.add_threads(p)
    return p


def _check(options: argparse.Namespace) -> None:
    problems = files.wanted(options)
    if options.features is not None and options.out.resolve() == options.features.resolve():
        problems.append(f"{options.out}: wanted another folder than --features, found the same; choose another")
    if options.method == "kmeans" and options.clusters is None:
        problems.append(
            "--clusters: wanted how many groups kmeans makes, found nothing; about as many as identities"
        )
    if options.method != "kmeans" and options.clusters is not None:
        found = options.method
        problems.append(
            f"--clusters: wanted --method kmeans, whose setting it is, found {found}; set --eps instead"
        )
    if not 0 <= options.cosine <= 1:
        problems.append(f"--cosine: wanted a part of 0 to 1, found {options.cosine:g}")
    if options.cosine and options.method != "jaccard":
        problems.append(
            f"--cosine: wanted --method jaccard, whose setting it is, found {options.method}; leave it out"
        )
    if not 0 <= options.eps <= 4:
        problems.append(f"--eps: wanted 0 to 4, found {options.eps:g}")
    if (options.pictures is None) != (options.images is None):
        problems.append("--pictures: wanted --images with it, found one of the two; add the other")
    least = {"clusters": 1, "starts": 1, "seed": 0, "min_samples": 1, "k1": 1, "k2": 1, "offset": 0, "cameras": 1}
    least["threads"] = 1
    refuse_if_any(problems + machine.thread_problems(options) + too_small(options, **least))


def _sides(options: argparse.Namespace, first: FeatureSet) -> tuple[str, ...]:
    """Whose images are grouped."""
    labelled = first.train_table is not None and "pid" in first.train_table
    unlabelled = first.train is not None and not labelled
    if options.of is None:
        return ("train",) if unlabelled else ("gallery", "query")[: 1 if first.one_set else 2]
    if first.one_set and "query" in options.of:
        raise InputError(["--of: wanted gallery for one set of images, found query too; each image counts once"])
    if "train" in options.of and not unlabelled:
        there = "with a column pid" if labelled else "nowhere"
        raise InputError([f"--of: wanted train images without labels, found them {there}; leave train out"])
    if "train" not in options.of and unlabelled:
        raise InputError(["--of: wanted train to have labels, or to be grouped too, found neither; add train"])
    return tuple(dict.fromkeys(options.of))


def _offset(options: argparse.Namespace, first: FeatureSet, sides: tuple[str, ...]) -> int:
    """The first new identity: none that train has."""
    if first.train_table is None or "train" in sides:
        return options.offset or 0
    known = as_numbers(first.train_table["pid"].to_numpy())
    if known is None:
        raise InputError(["train: wanted identities that are whole numbers, to be followed by more, found text"])
    largest = int(known.max(initial=-1))
    if options.offset is not None and options.offset <= largest:
        raise InputError(
            [f"--offset: wanted more than {largest}, the largest identity of train, found {options.offset}"]
        )
    return largest + 1 if options.offset is None else int(options.offset)


def _write(options: argparse.Namespace, sets: Sequence[FeatureSet], found: Grouped) -> None:
    """Everything, or nothing."""
    copies = _pictures(options, found)
    table = next(features.train_table for features in sets if not features.auxiliary)
    assert table is not None
    titles = [column for column in ("name", *COLUMNS) if column in table]
    with io.all_together() as place:
        for features in sets:
            io.write_npz(place(options.out / f"{features.model}.npz"), features)
        io.write_csv(place(options.out / "train.csv"), titles, table[titles].itertuples(index=False), data=True)
        if options.renamed:
            rows = (
                (found.called[row], found.side[row], found.names[row], found.pid[row], found.cam[row])
                for row in found.kept
            )
            header = ("file", "side", "name", "pid", "cam")
            io.write_csv(place(options.renamed), header, rows, data=True)
        for target, source in copies.items():
            shutil.copyfile(source, place(target))


def _pictures(options: argparse.Namespace, found: Grouped) -> dict[Path, Path]:
    """Where each picture goes and where it is; InputError where some are not there."""
    if options.pictures is None:
        return {}
    from ensemble.report.pictures import Album

    album = Album(options.images)
    sources = {row: album.find(found.side[row], found.names[row]) for row in found.kept.tolist()}
    lost = [found.names[row] for row, source in sources.items() if source is None]
    if lost:
        raise InputError([f"--images: wanted the pictures of all images, found none of {examples(lost)}"])
    return {
        options.pictures / Path(found.called[row]).name: source
        for row, source in sources.items()
        if source is not None
    }


def _text(found: Grouped) -> str:
    sizes = np.array(list(Counter(found.pid[found.kept].tolist()).values()))
    alone = len(found.names) - len(found.kept)
    return (
        f"{len(sizes)} groups of {sizes.min()} to {sizes.max()} images (median {np.median(sizes):g}) among "
        f"{len(found.names)} of {' and '.join(found.sides)}, identities from {found.pid[found.kept].min()} to "
        f"{found.pid.max()}; {alone} in no group"
    )


if __name__ == "__main__":
    program.main(main)
