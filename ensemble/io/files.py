"""Which files and folders lie in a folder that somebody has named."""

import os
from pathlib import Path

from ensemble.base.errors import InputError, examples
from ensemble.io.folder import SIDE
from ensemble.io.models import is_folder
from ensemble.parsers.parser import SUFFIXES


def files_of(path: Path) -> list[Path]:
    """The files of a folder but hidden ones, in order; InputError where there is no such folder."""
    try:
        return sorted(file for file in path.iterdir() if file.is_file() and not file.name.startswith("."))
    except NotADirectoryError:
        raise InputError(
            [f"{path}: wanted a folder with feature files, found a file; give its folder, {path.parent}"]
        ) from None
    except OSError as error:
        raise InputError(
            [f"{path}: wanted a folder with feature files, found none ({error.strerror}); check the path"]
        ) from None


def broken_links(path: Path) -> list[str]:
    """A problem for each link that leads nowhere: a model may be missing."""
    return [
        f"{link}: wanted a file, found a link to {os.readlink(link)}, which is not there; mend or remove it"
        for link in sorted(path.iterdir())
        if link.is_symlink() and not link.exists() and not link.name.startswith(".")
    ]


def folders_of(path: Path) -> list[Path]:
    """The folders inside that hold features, as one file an image."""
    return sorted(
        inner
        for inner in path.iterdir()
        if inner.is_dir() and not inner.name.startswith(".") and inner.name != SIDE and is_folder(inner)
    )


def nothing(path: Path, ignored: dict[Path, str]) -> str:
    """That no model was found, what is there instead, and what to do."""
    left = [f"{file.name}: {reason}" for file, reason in ignored.items()]
    inner = sorted(folder.name for folder in path.iterdir() if folder.is_dir() and not folder.name.startswith("."))
    found = (
        f"only {examples(left)}" if left else f"only folders ({examples(inner)})" if inner else "an empty folder"
    )
    remedy = "copy them there, or name their folder"
    files = (file for place in (path, *map(path.joinpath, inner)) for file in place.iterdir())
    if any(file.suffix.lower() in SUFFIXES for file in files):
        remedy = (
            "pictures become features by python -m extractors.dump, or in one go by sh run_track2.sh --images DIR"
        )
    elif inner:
        remedy = f"name the one with the files, as {path / inner[0]}"
    wanted = "feature files (query_MODEL.pkl with gallery_MODEL.pkl, or MODEL.npz)"
    return f"{path}: wanted {wanted}, found {found}; {remedy}"
