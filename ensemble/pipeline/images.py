"""What a run reads: the models' features, or rank lists in their place, and what is known of the images."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from ensemble.base.distances import ModelSet
from ensemble.base.features import SIDES
from ensemble.base.kinds import Array
from ensemble.base.labels import LABELS, kind_of
from ensemble.pipeline import official, rankings, travel_times
from ensemble.pipeline import sets as models_of
from ensemble.pipeline.neighbours import Made
from ensemble.pipeline.plan import Plan
from ensemble.pipeline.rankings import Rankings
from ensemble.scores import Labels, labels_of
from ensemble.scores.protocol import Protocol
from postproc import SpatioTemporalPrior

SCORED = ("query_pid", "gallery_pid")  # for scores alone: no step may see them


@dataclass(frozen=True, eq=False)
class Images:
    """What is known of all images before anything is computed.

    columns: what steps find beside features, by its name in the vocabulary.
    labels:  what scores are computed from; None without identities.
    lists:   rank lists in the place of features.
    """

    query_names: list[str]
    gallery_names: list[str]
    columns: Mapping[str, Array]
    labels: Labels | None
    lists: Rankings | None = None
    query_label: list[object] | None = None  # the identities of the queries as the user has written them
    notes: tuple[str, ...] = ()  # what the user should know of how they were read
    called: Mapping[str, Mapping[int, str]] = field(default_factory=dict)  # text labels by kind and number
    one_set: bool = False  # each image is asked about all others
    times: SpatioTemporalPrior | None = None  # for steps that take it in the place of training labels
    train_names: list[str] = field(default_factory=list)  # of the training images, where somebody names them
    made: Made | None = None  # neighbour lists, for steps that compare the features they are of

    @property
    def shape(self) -> tuple[int, int]:
        """How many queries and gallery images there are."""
        return len(self.query_names), len(self.gallery_names)

    @property
    def known(self) -> dict[str, Array]:
        """Columns and labels together."""
        return {**self.columns, **(self.labels.columns() if self.labels else {})}


def read(
    plan: Plan, protocol: Protocol, sets: Mapping[str, ModelSet] | None = None
) -> tuple[Images, dict[str, ModelSet]]:
    """The images of a plan, and its models' features by name, joined by the images' names.

    protocol: may be about some identities alone. sets: the features, where somebody has read them already. There
    are none where the plan is about rank lists.
    """
    if "distances" in plan.folder.columns:
        lists = rankings.read(plan.folder, list(plan.all_models), plan.recipe.similarity)
        return _images(plan, protocol, lists, lists), {}
    taken = models_of.read(plan) if sets is None else {model: sets[model] for model in plan.all_models}
    taken = official.taking_part(plan.folder, protocol, taken)
    richest = max(taken.values(), key=lambda found: found.train is not None)
    notes = tuple(dict.fromkeys(note for found in (richest, *taken.values()) for note in found.notes))
    images = _images(plan, protocol, richest)
    return replace(images, notes=tuple(dict.fromkeys((*notes, *images.notes)))), taken


def _images(plan: Plan, protocol: Protocol, found: ModelSet | Rankings, lists: Rankings | None = None) -> Images:
    data = found.data()
    columns = {name: value for name, value in data.items() if name not in (*SIDES, *SCORED)}
    cameras = plan.recipe.cameras
    if cameras != "cam":
        columns |= {f"{side}_cam": data[f"{side}_{cameras}"] for side in SIDES if f"{side}_{cameras}" in data}
    called = _called(found, data)
    train = getattr(found, "train_table", None)
    names = list(found.gallery_table["name"])
    return Images(
        query_names=list(found.query_table["name"]),
        gallery_names=names,
        columns=columns,
        labels=official.with_places(plan.folder, protocol, labels_of(found), names),
        lists=lists,
        notes=(*found.notes, *official.notes(plan.folder, protocol)),
        called=called,
        times=travel_times.checked(plan.recipe, plan.folder, columns, called),
        query_label=found.query_table["pid"].tolist() if "pid" in found.query_table else None,
        one_set=getattr(found, "one_set", False),
        train_names=[] if train is None else list(train["name"]),
    )


def _called(found: ModelSet | Rankings, data: Mapping[str, Array]) -> dict[str, dict[int, str]]:
    """What the numbers of labels stand for, by kind, where some of these are text."""
    called: dict[str, dict[int, str]] = {}
    given = {
        f"{side}_{column}": table[column].to_numpy()
        for side in SIDES
        if (table := getattr(found, f"{side}_table", None)) is not None
        for column in LABELS
        if column in table.columns
    }
    text = {kind_of(name.partition("_")[2]) for name, values in given.items() if values.dtype == object}
    for name, values in given.items():
        kind = kind_of(name.partition("_")[2])
        if kind in text and name in data:
            known = {
                number: str(label) for number, label in zip(data[name].tolist(), values.tolist(), strict=True)
            }
            called.setdefault(kind, {-1: ""}).update({**known, -1: ""})
    return called
