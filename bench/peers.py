"""What others take for the same step, where they have it and are installed: parity first, then CPU seconds.

    python -m bench.peers S csls

prints the CPU seconds of ours and of theirs in one process, on one thread each, since threads that wait for each
other count as CPU seconds too; both give the whole answer (a matrix, no lists of 100), after a call of each on a
corner. The least of up to five turns. Nothing is quoted unless all numbers but one in a thousand are within 0.0001
of the range of ours: neighbours that are tied but for rounding come in another order. ``bench/record.py`` asks so
for every row of its table.

No peer: what calls the package itself (``hdbscan``, ``connected_components``, the methods of metric-learn, whose
LFDA takes local scales along another axis, and whose SDML no scikit-learn of today runs); what nobody else has.
Joins of rank lists are no steps: ``bench/lists.py`` has them beside ranx.
"""

import argparse
import inspect
import json
import sys
import time
import warnings
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import numpy as np
from threadpoolctl import threadpool_limits

import postproc
from bench import packages, plain, techniques
from bench.worlds import SIZES
from postproc import using
from postproc.base.extras import installed

CLOSE = 1e-4  # of the range of our answer
APART = 1e-3  # of all numbers may be farther from each other
ENOUGH, TURNS = 12.0, 5  # CPU seconds, after which there is no other turn
SMALL_PAGES = {"NUMPY_MADVISE_HUGEPAGE": "0"}  # of both: large ones may take a virtual machine more than the work

Answer = np.ndarray | tuple[np.ndarray, ...]


class Peer(NamedTuple):
    """A function of the step's data by their names; who has it; where it fits into 20 GB and some minutes.

    ``settings``: of ours, where the others' defaults are others.
    """

    call: Callable[..., Answer]
    package: str
    sizes: tuple[str, ...] = tuple(SIZES)
    settings: dict[str, Any] = {}  # noqa: RUF012  (never written)


PEERS = {
    "dbscan": Peer(packages.dbscan, "scikit-learn"),
    "linkage": Peer(packages.linkage, "scipy"),
    "hamming": Peer(plain.hamming, "numpy"),
    "diffusion": Peer(packages.diffusion, "faiss-cpu", ("S",)),
    "ecn": Peer(plain.ecn, "numpy", ("S", "M")),
    "gnn_rerank": Peer(plain.gnn_rerank, "numpy", ("S", "M")),
    "lbr": Peer(plain.lbr, "numpy"),
    "offline_diffusion": Peer(packages.offline_diffusion, "faiss-cpu", ("S",)),
    "rerank": Peer(plain.rerank, "numpy", ("S",)),
    "superglobal": Peer(plain.superglobal, "numpy", ("S", "M", "L", "T")),
    "quantile_transform": Peer(packages.quantile_transform, "scikit-learn"),
    "query_expansion": Peer(packages.query_expansion, "faiss-cpu"),
    "whiten": Peer(packages.whiten, "scikit-learn"),
    "csls": Peer(packages.csls, "faiss-cpu"),
    "dis_sim": Peer(packages.dis_sim, "faiss-cpu"),
    "local_scaling": Peer(packages.local_scaling, "scikit-hubness", ("S", "M", "L", "T"), {"query_k": 6}),
    "mutual_proximity": Peer(packages.mutual_proximity, "scikit-hubness", ("S", "M", "L")),
    "nnn": Peer(packages.nnn, "faiss-cpu"),
    "qb_norm": Peer(plain.qb_norm, "numpy"),
    "sinkhorn": Peer(packages.sinkhorn, "POT", ("S", "M", "L", "T")),
}


def main() -> None:
    p = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    p.add_argument("size", choices=SIZES)
    p.add_argument("name", choices=PEERS)
    options = p.parse_args()
    try:
        print(json.dumps(beside(options.size, options.name)))
    except ValueError as error:
        sys.exit(str(error))


def beside(size: str, name: str) -> dict[str, float]:
    """CPU seconds of the peer of a step, and how many times ours that is; ValueError where they do not agree."""
    corner, whole, _ = techniques.world(size, name)
    return compared(name, corner, whole)


def compared(name: str, corner: dict[str, Any], whole: dict[str, Any]) -> dict[str, float]:
    """The same of data that are there, by their names; the corner is what both are warmed on."""
    peer = PEERS[name]
    wanted = inspect.signature(peer.call).parameters.keys() & whole.keys()
    calls = (lambda **data: getattr(postproc, name)(**data, **peer.settings)), peer.call
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for call in calls:  # packages are loaded so, and their threads can be limited
            call(**{key: corner[key] for key in wanted})
        spent: tuple[list[float], list[float]] = ([], [])
        with threadpool_limits(1), using(threads=1):
            while not spent[0] or (sum(map(sum, spent)) < ENOUGH and len(spent[0]) < TURNS):
                answers = []
                for call, times in zip(calls, spent, strict=True):
                    started = time.process_time()
                    answers.append(call(**{key: whole[key] for key in wanted}))
                    times.append(time.process_time() - started)
                if len(spent[0]) == 1 and (apart := differing(*answers)) > APART:
                    raise ValueError(
                        f"{name}: {100 * apart:.2g} % of ours and of {peer.package}'s differ; nothing is compared"
                    )
                del answers  # large
    ours, theirs = map(min, spent)
    return {"peer": theirs, "ratio": theirs / ours}


def differing(ours: Answer, theirs: Answer) -> float:
    """The share of numbers that are farther from each other than CLOSE.

    >>> differing(np.array([0.0, 1.0, 2.0, 3.0]), np.array([0.0, 1.0, 2.0, 3.1]))
    0.25
    """
    apart = count = 0
    for one, other in zip(_arrays(ours), _arrays(theirs), strict=True):
        if one.shape != other.shape:
            return 1.0
        reach = CLOSE * float(one.max() - one.min())
        for start in range(0, len(one), 256):
            part = slice(start, start + 256)
            apart += int(np.count_nonzero(~(np.abs(one[part] - other[part]) <= reach)))
        count += one.size
    return apart / count


def _arrays(answer: Answer) -> tuple[np.ndarray, ...]:
    return answer if isinstance(answer, tuple) else (answer,)


def lacking(names: Iterable[str]) -> list[str]:
    """The packages that these steps would be held against, if they were installed."""
    wanted = {PEERS[name].package for name in names if name in PEERS}
    return sorted(package for package in wanted if not installed(package))


if __name__ == "__main__":
    main()
