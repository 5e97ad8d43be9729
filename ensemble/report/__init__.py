"""The report: one HTML file that shows what a ranking does, to be opened, understood and sent.

    keeping      what a run keeps of every step while it runs              -> Kept
    measuring    a step's curves and distributions, a block of queries at a time
    kept         that as a value and as a file, ``report.npz``
    submission   rank lists alone, and two runs brought together
    leaving      what a recipe is worth without each model
    pictures     images found by name, made small, within a number of bytes
    plots        the curves, drawn by matplotlib in one style
    tables       scores with intervals, what steps changed; CSV, JSON, Markdown, LaTeX
    page         the template filled in
    figures, strips, tensorboard     the same as files for papers, rows of pictures, a log

Everything but ``keeping``, ``measuring`` and ``kept`` needs the packages of the extra ``report``.
"""

from importlib.util import find_spec

from ensemble.base.errors import InputError

NAME = "report.html"
PACKAGES = {"jinja2": "jinja2", "matplotlib": "matplotlib", "PIL": "pillow"}


def refuse_without_packages() -> None:
    """Raise InputError where a package is missing that a report needs, before anything is computed."""
    missing = [package for module, package in PACKAGES.items() if find_spec(module) is None]
    if missing:
        raise InputError(
            [
                f"report: wanted the packages {', '.join(PACKAGES.values())}, found no {', '.join(missing)}; "
                "install them: pip install 'reid-ensemble[report]'"
            ]
        )
