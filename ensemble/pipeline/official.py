"""What a data set's own files say of an evaluation: whose images take part, and what the trials draw."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from ensemble.base import labels
from ensemble.base.distances import ModelSet
from ensemble.base.errors import InputError, examples
from ensemble.io import Folder, read_identities
from ensemble.scores import Labels
from ensemble.scores.protocol import Protocol


def taking_part(folder: Folder, protocol: Protocol, sets: Mapping[str, ModelSet]) -> dict[str, ModelSet]:
    """The models with the images of those identities alone that the protocol is about, by the folder's list.

    Raises InputError where no query or no gallery image is one of theirs.
    """
    path = folder.identities.get(protocol.identities)
    if path is None:
        return dict(sets)
    people = read_identities(path).tolist()
    found: dict[str, ModelSet] = {}
    for model, features in sets.items():
        tables = {"query": features.query_table, "gallery": features.gallery_table}
        if any("pid" not in table for table in tables.values()):
            return dict(sets)
        rows = {
            side: np.flatnonzero(labels.among(table["pid"].to_numpy(), people)) for side, table in tables.items()
        }
        empty = [side for side, chosen in rows.items() if not len(chosen)]
        if empty:
            raise InputError(
                [
                    f"{path}: wanted identities with {' and '.join(empty)} images, found none "
                    f"({examples(people)}); take the list of these images, or move it away"
                ]
            )
        found[model] = features.take(**rows)
    return found


def with_places(folder: Folder, protocol: Protocol, given: Labels | None, names: Sequence[str]) -> Labels | None:
    """The labels with the places of the gallery in the folder's draws, where the protocol draws such ones."""
    draw = protocol.draw
    if folder.draws is None or given is None or given.gallery_cam is None or draw is None or draw.each != "camera":
        return given
    return replace(given, places=folder.draws.places(given.gallery_pid, given.gallery_cam, names))


def notes(folder: Folder, protocol: Protocol) -> list[str]:
    """What is said of the files that are used, and of those that are not."""
    said = []
    for name, path in folder.identities.items():
        if name == protocol.identities:
            said.append(f"{path}: only the identities of this list take part, as the protocol has it")
    if (
        protocol.identities
        and protocol.identities not in folder.identities
        and (folder.identities or folder.draws)
    ):
        said.append(f"{folder.path}: no {protocol.identities}.mat, so that all identities take part")
    others = [path.name for name, path in folder.identities.items() if name != protocol.identities]
    if others:
        said.append(f"{folder.path}: lists of identities that this protocol does not name: {examples(others, 9)}")
    if folder.draws is not None:
        drawn = protocol.draw is not None and protocol.draw.each == "camera"
        use = (
            "the gallery of each trial is drawn as it says" if drawn else "draws that this protocol does not make"
        )
        said.append(f"{folder.draws.path}: {use}")
    return said
