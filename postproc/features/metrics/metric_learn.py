"""The methods of the package metric-learn 0.7, which is imported when one of them is asked for.

What is chosen for them here: images scaled so that their variance is 1 a dimension in the mean; whole identities
as chunks (RCA); as many drawn pairs of one identity, and of two, as there are training images (ITML, LSML, MMC);
up to three target neighbours, and steps that suit the number of images (LMNN). MLKR is a regression: it learns
to predict where the mean of an image's identity lies on the line along which these means vary most.
"""

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from types import ModuleType
from typing import Any

import numpy as np

from postproc.base.extras import install
from postproc.features.metrics.covariance import class_means
from postproc.features.metrics.metric import Metric, Unfit
from postproc.features.metrics.silence import silence

ROUNDS = {"itml": 20, "lmnn": 20, "lsml": 50, "mlkr": 25, "mmc": 10, "nca": 25, "scml": 1000}
PAIRS = 2000  # drawn of each kind, at most
ADVICE = "set a smaller pca, or take another method"


@dataclass(frozen=True)
class Task:
    """What a method is given: scaled images, identities from 0, dimensions to keep, rounds, random numbers."""

    train: np.ndarray
    pid: np.ndarray
    components: int
    rounds: int
    random: np.random.RandomState

    @property
    def paired(self) -> tuple[np.ndarray, np.ndarray]:
        """The images that are not the only one of their identity: these have no neighbour to learn from."""
        paired = np.bincount(self.pid)[self.pid] > 1
        return self.train[paired], self.pid[paired]

    @property
    def pairs(self) -> dict[str, Any]:
        return {"n_constraints": min(len(self.pid), PAIRS), "max_iter": self.rounds, "random_state": self.random}

    @property
    def reduced(self) -> dict[str, Any]:
        return {"n_components": self.components, "max_iter": self.rounds, "random_state": self.random}


def fit(
    train: np.ndarray, pid: np.ndarray, *, method: str, components: int | None, rounds: int | None, seed: int
) -> Metric:
    """What the method finds; :class:`Unfit` with the reason if it finds nothing."""
    package = _package(method)
    scale = np.sqrt(train.var(axis=0, dtype=np.float64).mean())
    width = train.shape[1]
    task = Task(
        (train - train.mean(axis=0, dtype=np.float64)) / scale,
        pid,
        min(components or width, width),
        rounds or ROUNDS.get(method, 1),
        np.random.RandomState(np.random.PCG64(seed)),
    )
    with silence():
        try:
            rows = METHODS[method](package, task).components_ / scale
        except MemoryError:
            raise
        except Exception as error:  # whatever a foreign package trips over, these images led it there
            raise Unfit(f"{type(error).__name__}: {error}; {ADVICE}") from error
    if np.iscomplexobj(rows) or not np.isfinite(rows).all():
        raise Unfit(f"some of its weights are no finite real numbers; {ADVICE}")
    return Metric.of_matrix(rows.T @ rows, np.eye(width), components)


def _covariance(package: ModuleType, task: Task) -> Any:
    return package.Covariance().fit(task.train)


def _rca(package: ModuleType, task: Task) -> Any:
    return package.RCA(n_components=task.components).fit(task.train, task.pid)


def _itml(package: ModuleType, task: Task) -> Any:
    return package.ITML_Supervised(**task.pairs).fit(task.train, task.pid)


def _lsml(package: ModuleType, task: Task) -> Any:
    return package.LSML_Supervised(**task.pairs).fit(task.train, task.pid)


def _mmc(package: ModuleType, task: Task) -> Any:
    return package.MMC_Supervised(**task.pairs).fit(task.train, task.pid)


def _lmnn(package: ModuleType, task: Task) -> Any:
    train, pid = task.paired
    neighbours = int(min(3, np.unique(pid, return_counts=True)[1].min() - 1))
    method = package.LMNN(n_neighbors=neighbours, learn_rate=0.05 / len(pid), **task.reduced)
    return method.fit(train, pid)


def _nca(package: ModuleType, task: Task) -> Any:
    return package.NCA(**task.reduced).fit(task.train, task.pid)


def _mlkr(package: ModuleType, task: Task) -> Any:
    means = class_means(task.train, task.pid)
    left, sizes, _ = np.linalg.svd(means - means.mean(axis=0), full_matrices=False)
    return package.MLKR(**task.reduced).fit(task.train, (left[:, 0] * sizes[0])[task.pid])


def _scml(package: ModuleType, task: Task) -> Any:
    method = package.SCML_Supervised(
        max_iter=task.rounds, output_iter=min(task.rounds, 500), random_state=task.random
    )
    return method.fit(*task.paired)


METHODS: dict[str, Callable[[ModuleType, Task], Any]] = {
    "covariance": _covariance,
    "rca": _rca,
    "itml": _itml,
    "lsml": _lsml,
    "mmc": _mmc,
    "lmnn": _lmnn,
    "nca": _nca,
    "mlkr": _mlkr,
    "scml": _scml,
}


def objection(method: str) -> str | None:
    """Why a method cannot be had here, or None."""
    return _missing(method) if method in METHODS and find_spec("metric_learn") is None else None


def _missing(method: str) -> str:
    return (
        f"method: {method!r} needs the package metric-learn, which is not installed; use another method, or "
        f"{install('metric')}"
    )


def _package(method: str) -> ModuleType:
    try:
        with silence():
            return importlib.import_module("metric_learn")
    except ImportError as error:
        raise ValueError(_missing(method)) from error
