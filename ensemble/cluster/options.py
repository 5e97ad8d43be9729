"""The options of the command, and what they mean."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ensemble.base.collecting import collecting
from ensemble.base.errors import refuse_if_any
from ensemble.cli import intervals, outputs, pictures, planning, program
from ensemble.cli.numbers import too_small
from ensemble.clusters import how as methods
from ensemble.clusters.fitting import FITS, Rule, fit_rule
from ensemble.clusters.how import METHODS, How
from ensemble.pipeline.recipe import Use
from ensemble.report import refuse_without_packages
from ensemble.scores.clusters import RESAMPLES
from ensemble.submissions import clusters as tables

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
REFINE = {  # an option: the setting of refine_clusters, and what it does
    "split": ("loose", float, "D", "split clusters whose mean distance is larger"),
    "largest": ("largest", int, "N", "split clusters of more images"),
    "merge": ("merge", float, "D", "tiny clusters join one whose nearest image is at most so far"),
    "tiny": ("tiny", int, "N", "images of a tiny cluster at most (default: 2)"),
    "weak": ("weak", float, "D", "members farther from the others in the mean are alone"),
    "cameras": ("cameras", int, "N", "clusters that fewer cameras see fall apart"),
}


def parser(description: str | None) -> argparse.ArgumentParser:
    """The options."""
    p = program.parser("ensemble.cluster", description)
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


def rules(options: argparse.Namespace) -> dict[str, Rule]:
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


def how(options: argparse.Namespace, end: Sequence[Use]) -> How:
    """The step that clusters, with the settings of the options."""
    settings: dict[str, Any] = {}
    name = METHODS[options.method].name if options.method else next((use.name for use in end), "linkage")
    given = {
        "min_samples": ("min_samples", "dbscan", "hdbscan"),
        "min_size": ("min_cluster_size", "hdbscan"),
        "one_track_per_camera": ("one_track_per_camera", "union"),
    }
    problems = []
    for option, (setting, *takers) in given.items():
        value = getattr(options, option) or None
        if value is not None and name in [METHODS[taker].name for taker in takers]:
            settings[setting] = value
        elif value is not None:
            wanted = " or ".join(f"--method {taker}" for taker in takers)
            problems.append(f"--{option.replace('_', '-')}: wanted {wanted}, found {options.method or name}")
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
