"""Who belongs together, from Python; and what command and function have in common."""

import argparse
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Unpack

import numpy as np

from ensemble.base import tabled
from ensemble.base.collecting import collecting
from ensemble.base.distances import DistanceSet, ModelSet
from ensemble.base.errors import InputError, examples, refuse_if_any
from ensemble.cli import intervals, machine, planning
from ensemble.cluster import options as known
from ensemble.cluster import told
from ensemble.clusters import how as methods
from ensemble.clusters.answers import Answers, Fit, answers
from ensemble.clusters.fitting import FITS, Rule
from ensemble.clusters.how import How
from ensemble.clusters.links import Links, read_links, read_windows
from ensemble.clusters.one_set import OneSet, of_recipe, of_train, rows_of_parts
from ensemble.interface import arguments
from ensemble.interface.arguments import Common, Data, FilePath
from ensemble.interface.recipes import RecipeGiven, recipe_of
from ensemble.pipeline import plan
from ensemble.pipeline import sets as models_of
from ensemble.pipeline.plan import Plan
from ensemble.pipeline.recipe import Recipe, Use
from ensemble.scores.clusters import ClusterScores
from ensemble.submissions import clusters as tables
from ensemble.submissions.clusters import Form
from postproc.base.vocabulary import Ints
from postproc.clusters.links import NONE

if TYPE_CHECKING:
    import pandas as pd

OF_THE_COMMAND = ("sample", "columns", "value")
NOT_ALONE = (
    "wanted what is known of pairs inside one set, with images.csv or no table at all, found query and gallery in "
    "{}; cluster by the distances of the gallery to itself"
)
TWO_SIDES = "{}: the gallery is the set: its images are clustered, and the queries are left out"


def cluster(
    features: Data,
    recipe: RecipeGiven = None,
    *,
    method: str | None = None,
    threshold: float | Mapping[str, float] | None = None,
    clusters: int | Mapping[str, int] | None = None,
    fit: str | None = None,
    fit_on: str | None = None,
    folds: int | None = None,
    neighbours: int | None = None,
    by: str | None = None,
    links: "FilePath | None" = None,
    one_track_per_camera: bool | None = None,
    windows: "FilePath | None" = None,
    min_samples: int | None = None,
    min_size: int | None = None,
    **keywords: Unpack[Common],
) -> "Clustering":
    """Who belongs together: clusters of one set; of queries and gallery the gallery is the set.

    features, recipe, keywords: as for :func:`ensemble.rank`, without a protocol; recipe None: ``baseline``.
    method:    average, complete, single, components, union, dbscan, hdbscan; None: the recipe's last step, else
               average.
    threshold: distance up to which images belong together, or one for each data set of ``by``. clusters: in its
               place about so many. fit: in its place a rule for labelled identities, as ``ami``.
    The others are the options of ``python -m ensemble.cluster`` with underscores.
    """
    own = {
        **{"method": method, "threshold": _by_set(threshold), "clusters": _by_set(clusters), "fit": fit},
        **{"fit_on": fit_on, "folds": folds, "neighbours": neighbours, "by": by, "links": links},
        **{"one_track_per_camera": one_track_per_camera, "windows": windows, "min_samples": min_samples},
        **{"min_size": min_size},
    }
    with arguments.in_python():
        options = arguments.asked(
            known.parser(None), features, lambda: recipe_of(recipe), {**own, **keywords}, lacks=OF_THE_COMMAND
        )
        checked, how, rules, noted = prepared(options, known.rules(options))
        with arguments.using(options):
            found, _, _, said = clustered(options, checked, how, rules, lambda line: None)
        return Clustering(found, [arguments.spoken(note) for note in (*noted, *said)])


@dataclass(frozen=True, eq=False, repr=False)
class Clustering:
    """What :func:`cluster` returns; ``answers`` has every number, ``notes`` what to know of data and recipe."""

    answers: Answers
    notes: Sequence[str]

    @property
    def names(self) -> list[str]:
        """What the images are called."""
        return list(self.answers.names)

    @property
    def clusters(self) -> Ints:
        """(n,) the cluster of each image, 0, 1, …, one data set after the other; -1: it is alone."""
        found, first = np.full(len(self.answers.names), -1, np.int64), 0
        for part in self.answers.parts:
            found[part.rows] = np.where(part.clusters < 0, -1, part.clusters + first)
            first += int(part.clusters.max(initial=-1)) + 1
        return found

    @property
    def thresholds(self) -> dict[str, float | None]:
        """The distance up to which images belong together, by data set."""
        return {part.name: part.threshold.distance for part in self.answers.parts}

    @property
    def scores(self) -> ClusterScores | None:
        """ARI, AMI and the rest, of several data sets their mean; None without labels."""
        return self.answers.mean if self.answers.mean is not None else self.answers.parts[0].scores

    def to_frame(self) -> "pd.DataFrame":
        """A row an image: name and cluster."""
        import pandas as pd

        return pd.DataFrame({"name": self.names, "cluster": self.clusters})

    def __repr__(self) -> str:
        return "\n".join(told.text(self.answers))

    def _repr_html_(self) -> str:
        rows = [
            (part.name or "images", f"{part.images.images} in {part.count} clusters")
            for part in self.answers.parts
        ]
        scores = [] if self.scores is None else list(self.scores.values.items())
        return tabled.page(f"Clusters by {self.answers.how.text()}", [*rows, *scores], list(self.notes))


def _by_set(given: "float | Mapping[str, float] | None") -> list[str] | None:
    """A number, or one for each data set, as the options have it."""
    if given is None or not isinstance(given, Mapping):
        return None if given is None else [str(given)]
    return [f"{name}={number}" for name, number in given.items()]


def prepared(
    options: argparse.Namespace, rules: dict[str, Rule]
) -> tuple[Plan, How, dict[str, Rule], Sequence[str]]:
    """The plan without the steps that cluster, how these do, by which rules; and what there is to say."""
    end: list[Use] = []

    def rest(recipe: Recipe) -> Recipe:
        without, found = methods.split(recipe)
        end.extend(found)
        return without

    columns = [options.by] if options.by else []
    checked = planning.prepare(options, wanted=columns, change=rest, of_one_set=True)
    two_sides = not checked.folder.one_set
    if two_sides and checked.folder.given:
        raise InputError([f"--rankings: {NOT_ALONE.format(checked.folder.path)}"])
    checked = plan.check(checked.recipe, replace(checked.folder, one_set=True))
    how = known.how(options, end)
    said = [*checked.notes, *([TWO_SIDES.format(checked.folder.path)] if two_sides else [])]
    return checked, how, _completed(options, rules, how, checked), said


def _completed(options: argparse.Namespace, rules: dict[str, Rule], how: How, checked: Plan) -> dict[str, Rule]:
    """The rules with that of the recipe, or the usual one, where nothing was asked for."""
    if how.threshold is None:
        return rules | {"": Rule("given")}
    if "" in rules or (rules and options.by):
        return rules
    if how.threshold in how.settings:
        return {"": Rule("given", float(how.settings[how.threshold]))}
    if {"gallery_pid", "train_pid"} & checked.folder.columns:
        return {"": Rule("ami")}
    raise InputError(["--threshold: wanted --threshold, --clusters, or labels for --fit, found none of them"])


def clustered(
    options: argparse.Namespace,
    checked: Plan,
    how: How,
    rules: Mapping[str, Rule],
    show: Callable[[str], None],
) -> tuple[Answers, Form, Ints | None, list[str]]:
    """Read, cluster, judge; how the table is written, in which order; what there is to say."""
    sets = models_of.read(checked)
    first = sets[checked.models[0][0]]
    listed = [model for model, each in sets.items() if isinstance(each, DistanceSet) and each.places]
    if listed:
        raise InputError(
            [f"--rankings: wanted distances, found places in a list in {examples(listed)}; leave them out"]
        )
    device, said, problems = machine.device(options), list[str](), list[str]()
    columns, table = first.data(), first.gallery_table
    names, parts = table["name"].tolist(), dict[str, Ints]()
    form = tables.form(options.columns, options.value, sets=options.by is not None)
    links, order = Links(NONE, NONE), None
    with collecting(problems):
        parts = _parts(options, table)
    with collecting(problems):
        how = _with_cameras(options, how, columns, table)
    with collecting(problems):
        links = read_links(options.links, names, said) if options.links else links
    if options.sample is not None:
        with collecting(problems):
            order, titles = tables.order(options.sample, names, options.columns, said)
            form = replace(form, columns=titles)
    refuse_if_any(problems)

    images, noted = of_recipe(checked, sets, neighbours=options.neighbours, device=device, show=show)
    images = replace(images, must=links.must, cannot=links.cannot)
    train, on = _train(options, checked, sets, rules, images)
    used = intervals.settings(options)
    found = answers(
        images, how, rules, parts=parts, fit=Fit(options.folds, options.seed, on), train=train, drawn=used
    )
    return found, form, order, [*noted, *said]


def _with_cameras(options: argparse.Namespace, how: How, columns: Mapping[str, Any], table: Any) -> How:
    """The method with travel times of cameras as the tables call them; InputError where rules lack columns."""
    problems = []
    wanted = {
        "--windows": ("cam", "frame") if options.windows is not None else (),
        "--one-track-per-camera": ("cam", "track") if options.one_track_per_camera else (),
        "--cameras": ("cam",) if options.cameras is not None else (),
    }
    for option, needs in wanted.items():
        lacking = [name for name in needs if f"gallery_{name}" not in columns]
        if lacking:
            problems.append(
                f"{option}: wanted the columns {', '.join(needs)} of the images, found no {lacking[0]}"
            )
    refuse_if_any(problems)
    if options.windows is None:
        return how
    numbers = dict(zip(map(str, table["cam"].tolist()), columns["gallery_cam"].tolist(), strict=True))
    return replace(how, settings={**how.settings, "windows": read_windows(options.windows, numbers)})


def _parts(options: argparse.Namespace, table: Any) -> dict[str, Ints]:
    if options.by is None:
        return {"": np.arange(len(table))}
    if options.by not in table.columns:
        raise InputError([f"--by: wanted a column of the images' table, found no {options.by!r}"])
    cells = ["" if str(cell) == "-1" else str(cell) for cell in table[options.by].tolist()]
    if "" in cells:
        raise InputError([f"--by: wanted a data set for every image, found {cells.count('')} images without"])
    return rows_of_parts(cells)


def _train(
    options: argparse.Namespace,
    checked: Plan,
    sets: Mapping[str, ModelSet],
    rules: Mapping[str, Rule],
    images: OneSet,
) -> tuple[dict[str, OneSet] | None, str]:
    """The labelled training images, where a threshold is fitted on them; and whose labels are fitted on."""
    on = options.fit_on or ("set" if (images.pid >= 0).any() else "train")
    if on == "set" or not any(rule.kind in FITS for rule in rules.values()):
        return None, on
    moved = of_train(sets)
    if moved is None:
        return None, on
    whole, _ = of_recipe(checked, moved, neighbours=options.neighbours, device=machine.device(options))
    found = {"": whole}
    table = next(iter(moved.values())).gallery_table
    if options.by in table.columns:
        found |= {
            name: whole.take(rows)
            for name, rows in rows_of_parts(list(map(str, table[options.by]))).items()
            if name
        }
    return found, on
