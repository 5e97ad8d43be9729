"""Read a folder of feature files in any format and write each model as MODEL.npz, the project's own format.

    python -m ensemble.convert --features DIR --out DIR2

--format mat: pytorch_result.mat instead, and multi_query.mat where there are multi-query features, as layumi's
code opens them; of several models MODEL.mat and multi_query_MODEL.mat. Where training images have identities,
cameras and frames, also pytorch_result2.mat, the travel times between cameras, as st-ReID opens them.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

from ensemble import io
from ensemble.base.collecting import collecting
from ensemble.base.errors import InputError, refuse_if_any
from ensemble.cli import files, notes, outputs, program, travel_times

TASK = "begin"  # of reid-ensemble --help

WRITERS = {
    "npz": (io.write_npz, io.write_multi_npz, io.write_times_npz),
    "mat": (io.write_mat, io.write_multi_mat, io.write_times_mat),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Check everything, then write. Names, labels and tracks go into each file, so that it stands alone."""
    options = parser().parse_args(arguments)
    if options.out.resolve() == options.features.resolve():
        raise InputError([f"{options.out}: wanted another folder than --features, found the same; choose another"])
    folder = io.scan(
        options.features,
        query_names=options.query_names,
        gallery_names=options.gallery_names,
        tracks=options.tracks,
        keys=files.keys(options),
    )
    several = io.multi_queries_of(folder, list(folder.models)) if folder.multi_queries else {}
    paths = _paths(options, list(folder.models))
    times = travel_times.target(options, folder)
    written = [path for model, both in paths.items() for path in both[: 1 + (model in several)]]
    outputs.refuse_unwritable(*written, *filter(None, [times]))
    notes.say(folder.notes)
    write, write_multi, write_times = WRITERS[options.format]
    lines: list[str] = []
    problems: list[str] = []
    with io.all_together() as place:
        sets = io.read(folder, list(folder.models))
        for feature_set in sets:
            model = feature_set.model
            notes.say(feature_set.notes if model == next(iter(folder.models)) else ())
            notes.say(filter(None, [io.lost(feature_set)]) if options.format == "mat" else ())
            path, beside = paths[model]
            with collecting(problems):
                write(place(path), feature_set)
            queries = "" if feature_set.one_set else f"{len(feature_set.query)} query, "
            counts = f"{queries}{len(feature_set.gallery)} gallery"
            lines.append(f"{path}: {counts}, {feature_set.query.shape[1]} values an image")
            if model in several:
                with collecting(problems):
                    images = io.read_multi_queries(several[model], feature_set)
                    write_multi(place(beside), images)
                    count = f"{len(images.query)} multi-query"
                    lines.append(f"{beside}: {count}, {images.query.shape[1]} values an image")
        if times:
            with collecting(problems):
                prior = travel_times.of(options, folder, sets)
                write_times(place(times), prior)
                lines.append(travel_times.line(times, prior))
        refuse_if_any(problems)
    print("\n".join(lines))
    return program.FINE


def _paths(options: argparse.Namespace, models: list[str]) -> dict[str, tuple[Path, Path]]:
    """The file of each model and that of its multi-query features."""
    out, kind, alone = options.out, options.format, len(models) == 1
    return {
        model: (
            out / f"{'pytorch_result' if alone and kind == 'mat' else model}.{kind}",
            out / (f"multi_query.{kind}" if alone else f"multi_query_{model}.{kind}"),
        )
        for model in models
    }


def parser() -> argparse.ArgumentParser:
    """The options."""
    p = program.parser("ensemble.convert", __doc__)
    files.add_features(p, required=True)
    outputs.add_out(p, "the folder to write, another one", required=True)
    p.add_argument("--format", choices=WRITERS, default="npz", help="what to write (default: npz)")
    travel_times.add_options(p)
    files.add_name_lists(p)
    files.add_tracks(p)
    files.add_keys(p)
    return p


if __name__ == "__main__":
    program.main(main)
