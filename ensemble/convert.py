"""Read a folder of feature files in any format and write each model as MODEL.npz, the project's own format."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from ensemble.base import errors
from ensemble.base.errors import InputError
from ensemble.io import read, scan, write_npz


def main(arguments: Sequence[str] | None = None) -> int:
    """Check everything, then write. Names, labels and tracks go into each file, so that it stands alone."""
    parser = argparse.ArgumentParser("python -m ensemble.convert", description=__doc__)
    parser.add_argument("--features", type=Path, required=True, metavar="DIR", help="the folder to read")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="the folder to write, another one")
    parser.add_argument("--query-names", type=Path, metavar="FILE", help="query names, one a line")
    parser.add_argument("--gallery-names", type=Path, metavar="FILE", help="gallery names, one a line")
    parser.add_argument("--tracks", type=Path, metavar="FILE", help="gallery tracks, one a line, ids or names")
    options = parser.parse_args(arguments)
    if options.out.resolve() == options.features.resolve():
        raise InputError([f"{options.out}: wanted another folder than --features, found the same; choose another"])
    folder = scan(
        options.features,
        query_names=options.query_names,
        gallery_names=options.gallery_names,
        tracks=options.tracks,
    )
    for feature_set in read(folder, list(folder.models)):
        path = options.out / f"{feature_set.model}.npz"
        write_npz(path, feature_set)
        counts = f"{len(feature_set.query)} query, {len(feature_set.gallery)} gallery"
        print(f"{path}: {counts}, {feature_set.query.shape[1]} values an image")
    return 0


if __name__ == "__main__":
    errors.main(main)
