"""What steps gain on whole real sets: against plain cosine distance, and against the default recipe's step.

    python -m bench.gains DIR [--only STEP[:SETTING=VALUE,...] ...] [--sets NAME ...]

DIR holds the real sets (``bench/wholes.py``); they are cut as in ``bench/orders.py``, models side by side. A
line a step and set: mAP in per cent, then the change against the cosine and against ``rerank_multiscale``, each
with the paired bootstrap's interval of 95 per cent (queries drawn 2,000 times). A step that wants a training
set gets half of the people, and the other half is what is asked; the cosine and the default are then those of
that half. Settings are the defaults unless they stand behind the name; ``list_uncertainty`` gets a rank
correlation. Steps on distances get those of ``rerank``. CPU seconds are all of the process, on features of that
set. ``--sets streets`` are drawn ones, which have times.
"""

import argparse
import ast
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import rankdata

import postproc
from bench.orders import cut
from bench.sets import State, streets
from bench.wholes import Whole, real
from ensemble.pipeline.steps import apply, describe
from ensemble.scores import score

DRAWS = 2_000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder", type=Path, metavar="DIR")
    parser.add_argument("--only", nargs="+", required=True, metavar="STEP")
    parser.add_argument("--sets", nargs="*", metavar="NAME")
    options = parser.parse_args()
    for whole in real(options.folder):
        if whole.models and (not options.sets or whole.name in options.sets):
            for line in lines(whole.name, options.only, partial(state_of, whole)):
                print(line, flush=True)
    if "streets" in (options.sets or ()):
        for line in lines("streets", options.only, lambda learns: streets()):
            print(line, flush=True)


def lines(title: str, wanted: list[str], made: Callable[[bool], State]) -> Iterator[str]:
    """What every step reaches and gains on a set."""
    known: dict[bool, tuple[State, np.ndarray, np.ndarray]] = {}
    for text in wanted:
        name, settings = parsed(text)
        if name == "list_uncertainty":
            found = correlation(made(False), settings)
            yield f"{title:<11} {text:<34} {found:+6.2f} rank correlation with AP"
            continue
        step = describe(getattr(postproc, name))
        learns = "train" in step.needs
        if learns not in known:
            state = made(learns)
            plain, default = (
                precisions(far(state["query"], state["gallery"]), state)
                for far in (postproc.distances, postproc.rerank_multiscale)
            )
            known[learns] = state, plain, default
            yield f"{title:<11} {'cosine':<34} {np.nanmean(plain):6.2f}"
            yield f"{title:<11} {'default':<34} {np.nanmean(default):6.2f} {gain(default, plain)}"
        state, plain, default = known[learns]
        if "distances" in step.needs:
            state = state | {"distances": postproc.rerank(state["query"], state["gallery"])}
        if set(step.needs) - state.keys() - {"features", "distances"}:
            continue
        before = time.process_time()
        found = state | apply(step, state, settings)
        spent = time.process_time() - before
        far = (
            found["distances"]
            if "distances" in step.gives
            else postproc.distances(found["query"], found["gallery"])
        )
        after = precisions(far, state)
        yield (
            f"{title:<11} {text:<34} {np.nanmean(after):6.2f} {gain(after, plain)} {gain(after, default)}"
            f"  {spent:.1f} CPU s"
        )


def correlation(state: State, settings: dict[str, Any]) -> float:
    """Spearman's correlation of the uncertainty of lists with the precision of plain cosine lists."""
    ap = precisions(postproc.distances(state["query"], state["gallery"]), state)
    known = ~np.isnan(ap)
    unsure = postproc.list_uncertainty(state["query"], state["gallery"], **settings)
    return float(np.corrcoef(rankdata(unsure[known]), rankdata(ap[known]))[0, 1])


def parsed(text: str) -> tuple[str, dict[str, Any]]:
    """``qb_norm:beta=0.5,k=3`` as a name and settings."""
    name, _, rest = text.partition(":")
    pairs = (part.partition("=") for part in rest.split(",") if part)
    return name, {setting: ast.literal_eval(value) for setting, _, value in pairs}


def state_of(whole: Whole, learns: bool) -> State:
    """Queries, gallery and, if somebody learns from it, the other half of the people."""
    people = np.random.default_rng(0).permutation(np.unique(whole.pid))
    of_train = np.isin(whole.pid, people[: len(people) // 2]) if learns else np.zeros(len(whole.pid), bool)
    test = whole.of(np.flatnonzero(~of_train))
    query, gallery = cut(test)
    joined = whole.joined()
    state: State = {"train": joined[of_train], "train_pid": whole.pid[of_train]} if learns else {}
    for side, rows in (("query", query), ("gallery", gallery)):
        state |= {side: joined[~of_train][rows], f"{side}_pid": test.pid[rows], f"{side}_cam": test.cam[rows]}
    return state


def precisions(far: np.ndarray, state: State) -> np.ndarray:
    labels = (state[f"{side}_{of}"] for of in ("pid", "cam") for side in ("query", "gallery"))
    return 100 * np.asarray(score(far, *labels).ap)


def gain(after: np.ndarray, before: np.ndarray) -> str:
    """``+1.20 (+0.40 .. +2.01)``, the paired interval."""
    change = (after - before)[~np.isnan(before)]
    random = np.random.default_rng(0)
    means = [change[random.integers(0, len(change), len(change))].mean() for _ in range(DRAWS)]
    least, most = np.percentile(means, [2.5, 97.5])
    return f"{change.mean():+7.2f} ({least:+6.2f} .. {most:+6.2f})"


if __name__ == "__main__":
    main()
