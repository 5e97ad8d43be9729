"""Read a folder of feature files in any format and write each model as MODEL.npz, the project's own format."""

import argparse
from collections.abc import Sequence

from ensemble import io
from ensemble.base.errors import InputError
from ensemble.cli import files, notes, outputs, program


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
    paths = {model: options.out / f"{model}.npz" for model in folder.models}
    outputs.refuse_unwritable(*paths.values())
    notes.say(folder.notes)
    lines = []
    with io.all_together() as place:
        for feature_set in io.read(folder, list(folder.models)):
            notes.say(feature_set.notes if feature_set.model == next(iter(folder.models)) else ())
            path = paths[feature_set.model]
            io.write_npz(place(path), feature_set)
            counts = f"{len(feature_set.query)} query, {len(feature_set.gallery)} gallery"
            lines.append(f"{path}: {counts}, {feature_set.query.shape[1]} values an image")
    print("\n".join(lines))
    return program.FINE


def parser() -> argparse.ArgumentParser:
    """The options."""
    p = program.parser("ensemble.convert", __doc__)
    files.add_features(p, required=True)
    outputs.add_out(p, "the folder to write, another one", required=True)
    files.add_name_lists(p)
    files.add_tracks(p)
    files.add_keys(p)
    return p


if __name__ == "__main__":
    program.main(main)
