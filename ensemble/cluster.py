"""Who belongs together: every image of one set gets a cluster, as a file to hand in, with scores and a page.

    python -m ensemble.cluster --features DIR --fit ami
    python -m ensemble.cluster --features DIR --recipe default --method average --threshold 0.6 --report
    python -m ensemble.cluster --features DIR --by dataset --threshold lynx=0.85 turtle=0.25 --sample sample.csv
    python -m ensemble.cluster --features DIR --method union --threshold 0.5 --links links.csv
    python -m ensemble.cluster --rankings DIR --method components --threshold 0.4

The set is a folder with one side, or the gallery of one with two; of --rankings square matrices and tables of
pairs of one set. Writes submission.csv and clusters.json, and with --report clusters.html, a page that asks about
the pairs most in doubt and gives the answers back as links.csv.
"""

import argparse
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack

import numpy as np

from ensemble import io
from ensemble.base import calling, tabled
from ensemble.base.collecting import collecting
from ensemble.base.distances import DistanceSet, ModelSet
from ensemble.base.errors import InputError, examples, refuse_if_any
from ensemble.cli import intervals, machine, notes, outputs, pictures, planning, program
from ensemble.cli.numbers import too_small
from ensemble.clusters import how as methods
from ensemble.clusters import told
from ensemble.clusters.answers import Answers, Fit, answers
from ensemble.clusters.fitting import FITS, Rule, fit_rule
from ensemble.clusters.how import METHODS, How
from ensemble.clusters.links import Links, read_links, read_windows
from ensemble.clusters.one_set import OneSet, of_recipe, of_train, rows_of_parts
from ensemble.interface import arguments
from ensemble.interface.arguments import Common, Data, FilePath
from ensemble.interface.recipes import RecipeGiven, recipe_of
from ensemble.pipeline import plan
from ensemble.pipeline import sets as models_of
from ensemble.pipeline.plan import Plan
from ensemble.pipeline.recipe import Recipe, Use
from ensemble.report import refuse_without_packages
from ensemble.scores.clusters import RESAMPLES, ClusterScores
from ensemble.submissions import clusters as tables
from ensemble.submissions.clusters import Form
from postproc.base.vocabulary import Ints
from postproc.clusters.links import NONE

if TYPE_CHECKING:
    import pandas as pd

TASK = "people and clusters"  # of reid-ensemble --help
OF_THE_COMMAND = ("sample", "columns", "value")

OPTIONS: dict[str, tuple[dict[str, Any], str]] = {
    "method": (
        {"choices": tuple(METHODS)},
        "average, complete, single linkage; components; union: nearest pairs first, with links; dbscan; hdbscan "
        "(default: the recipe's last step, else average)",
    ),
    "threshold": ({"nargs": "+", "metavar": "[SET=]D"}, "distance up to which images belong together"),
    "clusters": ({"nargs": "+", "metavar": "[SET=]N"}, "in its place: about so many clusters"),
    "fit": (
        {"metavar": "RULE"},
        f"in its place, of labelled identities: best by {', '.join(FITS[:-1])}; chance: where half of the pairs "
        "are of one (default: ami, where there are labels)",
    ),
    "fit-on": ({"choices": ("set", "train")}, "whose labels (default: the set's if it has any)"),
    "folds": ({"type": int, "default": 2, "metavar": "N"}, "parts of the identities (default: %(default)s)"),
    "neighbours": (
        {"type": int, "metavar": "K"},
        "keep the K nearest of each image in the place of all distances, for large sets",
    ),
    "by": ({"metavar": "COLUMN"}, "a column of gallery.csv that names the data set: each by itself"),
    "links": ({"type": Path, "metavar": "FILE"}, "pairs that somebody knows: image,image,yes or no"),
    "one-track-per-camera": ({"action": "store_true"}, "union: two tracks of one camera are two identities"),
    "windows": ({"type": Path, "metavar": "FILE"}, "union: travel times, from,to,least,most frames"),
    "min-samples": ({"type": int, "metavar": "N"}, "dbscan, hdbscan: images that make a place dense"),
    "min-size": ({"type": int, "metavar": "N"}, "hdbscan: images of a cluster at least"),
}
NOT_ALONE = (
    "wanted what is known of pairs inside one set, with images.csv or no table at all, found query and gallery in "
    "{}; cluster by the distances of the gallery to itself"
)
TWO_SIDES = "{}: the gallery is the set: its images are clustered, and the queries are left out"
REFINE = {  # an option: the setting of refine_clusters, and what it does
    "split": ("loose", float, "D", "split clusters whose mean distance is larger"),
    "largest": ("largest", int, "N", "split clusters of more images"),
    "merge": ("merge", float, "D", "tiny clusters join one whose nearest image is at most so far"),
    "tiny": ("tiny", int, "N", "images of a tiny cluster at most (default: 2)"),
    "weak": ("weak", float, "D", "members farther from the others in the mean are alone"),
    "cameras": ("cameras", int, "N", "clusters that fewer cameras see fall apart"),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns the exit status."""
    options = parser().parse_args(arguments)
    out: Path = options.out or Path("runs") / "clusters"
    rules = _rules(options)
    with redirect_stdout(sys.stderr if options.json else sys.stdout):
        checked, how, rules, known = _prepared(options, rules)
        outputs.refuse_unwritable(*(out / name for name in told.names(report=options.report)))
        print(f"{checked.recipe.name}: {checked.recipe.about}")
        notes.say(known)
        with machine.using(options):
            found, form, order, said = _clustered(
                options, checked, how, rules, lambda line: print(line, flush=True)
            )
            notes.say(said)
            content = told.record(found, checked, said)
            with io.together(out) as stage:
                told.write(stage, found, form, order, content)
                if options.report:
                    _page(options, stage, found, form, content)
        print(*told.text(found), sep="\n")
        for name in told.names(report=options.report):
            print(out / name)
    if options.json:
        print(json.dumps(content))
    return program.FINE


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
            parser(), features, lambda: recipe_of(recipe), {**own, **keywords}, lacks=OF_THE_COMMAND
        )
        checked, how, rules, known = _prepared(options, _rules(options))
        with arguments.using(options):
            found, _, _, said = _clustered(options, checked, how, rules, lambda line: None)
        return Clustering(found, [arguments.spoken(note) for note in (*known, *said)])


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


def _prepared(
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
    how = _how(options, end)
    said = [*checked.notes, *([TWO_SIDES.format(checked.folder.path)] if two_sides else [])]
    return checked, how, _completed(options, rules, how, checked), said


def parser() -> argparse.ArgumentParser:
    """The options."""
    p = program.parser("ensemble.cluster", __doc__)
    planning.add_options(p, otherwise="baseline", scored=False)
    for name, (kind, use) in OPTIONS.items():
        p.add_argument(f"--{name}", help=use, **kind)
    for name, (_, number, metavar, use) in REFINE.items():
        p.add_argument(f"--{name}", type=number, metavar=metavar, help=f"afterwards: {use}")
    p.add_argument(
        "--sample", type=Path, metavar="FILE", help="a sample submission: its titles, its rows in order"
    )
    p.add_argument("--columns", metavar="IMAGE,CLUSTER", help="titles of your own (default: image_id,cluster)")
    p.add_argument(
        "--value",
        metavar="TEXT",
        help="what a cluster is called (default: cluster_{n}, with --by cluster_{dataset}_{n})",
    )
    intervals.add_options(p, resamples=RESAMPLES, of_queries=False)
    outputs.add_out(p, "where results go (default: runs/clusters)")
    pictures.add_report(p, "clusters.html too")
    pictures.add_options(p)
    outputs.add_json(p, "the record")
    return p


def _rules(options: argparse.Namespace) -> dict[str, Rule]:
    """The rules that were asked for, by data set; every problem of the options in one error."""
    problems = too_small(options, folds=2, neighbours=1, min_samples=1, min_size=2, largest=2, tiny=1, cameras=2)
    rules: dict[str, Rule] = {}
    with collecting(problems):
        intervals.settings(options)
    for option, kind in (("threshold", "given"), ("clusters", "number")):
        for text in getattr(options, option) or ():
            name, _, number = text.rpartition("=")
            try:
                found = float(number)
                good = np.isfinite(found) and (kind == "given" or (found >= 1 and found == int(found)))
            except ValueError:
                good = False
            if not good:
                wanted = "a number" if kind == "given" else "a whole number from 1"
                problems.append(f"--{option}: wanted {wanted}, or SET={wanted}, found {text!r}")
            elif name in rules:
                problems.append(f"--{option}: wanted one rule for {name or 'all sets'}, found another in {text!r}")
            else:
                rules[name] = Rule(kind, found)
    if options.fit:
        with collecting(problems):
            rule = fit_rule(options.fit)
            if "" in rules:
                problems.append(f"--fit: wanted one rule for all sets, found --fit {options.fit} and another")
            rules.setdefault("", rule)
    if options.by is None and (named := [name for name in rules if name]):
        problems.append(f"--by: wanted the column with the data sets {', '.join(named)}, found none")
    with collecting(problems):
        tables.form(options.columns, options.value, sets=options.by is not None)
    if options.images and not options.report:
        problems.append("--images: wanted --report too, found none; pictures are shown in the report alone")
    if options.report:
        with collecting(problems):
            refuse_without_packages()
            pictures.size(options)
            pictures.refuse_missing(options)
    refuse_if_any(problems)
    return rules


def _how(options: argparse.Namespace, end: Sequence[Use]) -> How:
    """The step that clusters, with the settings of the options."""
    settings: dict[str, Any] = {}
    name = METHODS[options.method].name if options.method else next((use.name for use in end), "linkage")
    given = {
        "min_samples": (options.min_samples, ("dbscan", "hdbscan")),
        "min_cluster_size": (options.min_size, ("hdbscan",)),
        "one_track_per_camera": (options.one_track_per_camera or None, ("constrained_union",)),
    }
    problems = []
    for setting, (value, takers) in given.items():
        if value is not None and name in takers:
            settings[setting] = value
        elif value is not None:
            problems.append(f"{setting.replace('_', '-')}: wanted a method that has it, found {name}")
    if options.windows is not None and name != "constrained_union":
        problems.append(f"--windows: wanted --method union, found {name}")
    refine = {setting: getattr(options, option) for option, (setting, *_) in REFINE.items()}
    refine = {setting: value for setting, value in refine.items() if value is not None}
    if "tiny" in refine and "merge" not in refine:
        problems.append("--tiny: wanted --merge too, found none")
    how = None
    with collecting(problems):
        how = methods.chosen(options.method, settings, refine, [] if options.method else end)
    if how and options.links is not None and not how.links:
        problems.append(
            f"--links: wanted --method union, average or complete, which keep images apart, found {how.text()}"
        )
    if how and options.neighbours and options.links is not None and how.step != "constrained_union":
        problems.append("--links: wanted --method union beside --neighbours, found another")
    refuse_if_any(problems)
    assert how is not None
    return how


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


def _clustered(
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


def _page(
    options: argparse.Namespace, stage: Path, found: Answers, form: Form, content: Mapping[str, Any]
) -> None:
    from ensemble.report import clusters as page

    called, album = told.values(found, form), page.album(options.images)
    said = page.write(
        stage / told.PAGE,
        found,
        content,
        called,
        album=album,
        size=pictures.size(options),
        data_folder=str(options.features or ""),
    )
    for note in said:
        print(f"report: {note}")


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


calling.does(__name__, f"{__name__}:cluster")

if __name__ == "__main__":
    program.main(main)
