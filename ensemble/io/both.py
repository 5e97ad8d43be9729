"""A folder of features and a folder of what is distances already, looked at as one."""

from dataclasses import replace

from ensemble.base.errors import examples
from ensemble.io.folder import Folder, orders_of


def together(features: Folder, lists: Folder, problems: list[str]) -> Folder:
    """The models of both. What the images are, the folder of features says; the other's lists of names, or else
    its tables, say in which order its nameless matrices have them.

    problems: takes what does not go together.
    """
    twice = sorted(set(features.models) & set(lists.models))
    if twice:
        problems.append(
            f"{lists.path}: wanted other names than the models in {features.path}, found {examples(twice)} again; "
            "rename the files"
        )
    used = lists.orders.values() if lists.given else lists.names.values()
    unused = [file.name for file in (*lists.tables.values(), *lists.tracks) if file not in used]
    notes = [*features.notes, *lists.notes]
    if unused:
        notes.append(f"{lists.path}: not used, as {features.path} says what the images are: {examples(unused, 9)}")
    return replace(
        features,
        models={**features.models, **lists.models},
        inputs=tuple(sorted({*features.inputs, *lists.inputs})),
        given=frozenset(lists.models),
        labelled=lists.labelled,
        orders=orders_of(features.names, features.tables, features.one_set) | (lists.orders or lists.names),
        notes=tuple(dict.fromkeys(notes)),
    )
