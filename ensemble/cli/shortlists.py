"""The shortlist of pairs that an outside matcher should look at."""

import argparse
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from ensemble import io
from ensemble.base.errors import refuse_if_any
from ensemble.cli.numbers import too_small
from ensemble.pipeline.recipe import Recipe
from ensemble.pipeline.run import Result
from ensemble.submissions import RankList, from_matrix, pairs

K = 25  # as winners have it whose matchers look at single pairs


def add_options(p: argparse.ArgumentParser) -> None:
    """``--pairs-out`` and ``--pairs-k``."""
    p.add_argument(
        "--pairs-out",
        type=Path,
        metavar="FILE",
        help="write the nearest pairs for an outside matcher: query, gallery, rank, distance (.csv, .parquet, "
        ".npz); with a column score added, --rankings takes the file back",
    )
    p.add_argument("--pairs-k", type=int, metavar="N", help=f"images a query in it (default: {K})")


def wanted(options: argparse.Namespace, used: Recipe, taken: Sequence[Path]) -> Path | None:
    """The file that is asked for; InputError where it cannot be written so, or is one of the ``taken``."""
    path: Path | None = options.pairs_out
    problems = too_small(options, pairs_k=1)
    if path is None:
        problems += ["--pairs-k: wanted --pairs-out too, found none; add it"] * (options.pairs_k is not None)
        refuse_if_any(problems)
        return None
    problems += [f"--pairs-out: {problem}" for problem in pairs.problems(path)]
    if path.resolve() in [file.resolve() for file in taken]:
        problems.append(f"--pairs-out: wanted a name of its own, found {path}, which the run writes; rename it")
    if _k(options) > used.top_k and options.pairs_k is not None:
        problems.append(
            f"--pairs-k: wanted at most the {used.top_k} images a query of this run, found {options.pairs_k}; "
            f"--set top_k={options.pairs_k} for more"
        )
    refuse_if_any(problems)
    return path


@contextmanager
def beside(options: argparse.Namespace, out: Path, result: Result) -> Iterator[dict[str, Callable[[Path], None]]]:
    """The shortlist, written together with what a run writes into ``out``; what the run has to write itself."""

    def write(path: Path) -> None:
        pairs.write(path, _of(result), k=_k(options))

    target: Path | None = options.pairs_out
    if target is None:
        yield {}
    elif target.parent.resolve() == out.resolve():
        yield {target.name: write}
    else:
        with io.all_together() as place:
            write(place(target))
            yield {}


def about(options: argparse.Namespace, result: Result) -> str:
    """What is said of the shortlist."""
    count = len(_of(result).first(_k(options)).rows)
    return (
        f"{options.pairs_out}: {count} pairs, the {_k(options)} nearest of every query; with a column score "
        "added, --rankings takes its folder"
    )


def _of(result: Result) -> RankList:
    return from_matrix(result.ranking, result.query_names, result.gallery_names, result.distances)


def _k(options: argparse.Namespace) -> int:
    return K if options.pairs_k is None else int(options.pairs_k)
