"""``python -m ensemble.evaluate``: scores of a folder of labelled features under a recipe, and nothing else."""

import argparse
import json
import sys
from collections.abc import Sequence
from contextlib import redirect_stdout

from ensemble import errors, results, run
from ensemble.errors import InputError


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns the exit status."""
    p = argparse.ArgumentParser(prog="python -m ensemble.evaluate", description=__doc__)
    run.add_inputs(p)
    p.set_defaults(recipe="baseline")
    p.add_argument("--json", action="store_true", help="print the scores as JSON and nothing else on stdout")
    options = p.parse_args(arguments)
    if options.features is None:
        raise InputError(["--features: wanted a folder with feature files, found nothing; see --help"])
    checked = run.prepare(options)
    with redirect_stdout(sys.stderr if options.json else sys.stdout):
        result = run.walk(options, checked)
    if result.scores is None:
        raise InputError([results.score_text(result)])
    print(json.dumps(results.scores_json(result)) if options.json else results.score_text(result))
    return 0


if __name__ == "__main__":
    errors.main(main)
