"""The report: one HTML file that shows what a ranking does, to be opened, understood and sent.

    recorder       watches a run and keeps what its report will show
    history        that as a value and as a file, ``report.npz``
    curves, tally  a ranking's curves and distributions, a block of queries at a time
    judge          what an image is to a query
    gaps           the gaps in time between cameras that a step has learned
    hard_pairs     the hardest pairs of the models in batches as in training
    dataset        what the features say of the data set: a map (embedding), copies (copies)
    submission     rank lists alone, and two runs brought together
    contributions  what a recipe is worth without each model
    searched       what a search over pipelines has tried
    pictures       images found by name, made small, within a number of bytes
    plots          the curves, drawn by matplotlib in one style
    tables         scores with intervals, what steps changed; CSV, JSON, Markdown, LaTeX
    sections       what the page says beside: where a run comes from, uncertain queries, copies
    page           the template filled in
    identities     the page of answers to "who is it?"
    figures, strips, tensorboard     the same as files for papers, rows of pictures, a log
    clouds         features as points of three components

What watches a run needs none of the packages of the extra ``report``; the rest does.
"""

from importlib.util import find_spec

from ensemble.base.errors import InputError
from postproc.base.extras import install

NAME = "report.html"
PACKAGES = {"jinja2": "jinja2", "matplotlib": "matplotlib", "PIL": "pillow"}


def refuse_without_packages() -> None:
    """Raise InputError where a package is missing that a report needs, before anything is computed."""
    missing = [package for module, package in PACKAGES.items() if find_spec(module) is None]
    if missing:
        raise InputError(
            [
                f"report: wanted the packages {', '.join(PACKAGES.values())}, found no {', '.join(missing)}; "
                f"{install('report')}"
            ]
        )
