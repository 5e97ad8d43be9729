"""Scores, curves and distributions of a run as a log for TensorBoard."""

from collections.abc import Sequence
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from ensemble.base.errors import InputError
from ensemble.report.history import History

PACKAGE = "tensorboardX"


def write(folder: Path, histories: Sequence[History]) -> list[Path]:
    """Write one log a run below ``folder``: mAP, rank-1 and the queries' AP by step, the CMC by place.

    Needs tensorboardX; raises InputError without it.
    """
    if find_spec(PACKAGE) is None:
        raise InputError([f"--tensorboard: wanted the package {PACKAGE}, found none; pip install {PACKAGE}"])
    writer = import_module(PACKAGE).SummaryWriter

    written = []
    for number, history in enumerate(histories, 1):
        where = folder / f"{number:02d}"
        with writer(logdir=str(where)) as log:
            log.add_text("run", history.title, 0)
            for place, step in enumerate(history.steps):
                if not step.scores:
                    continue
                log.add_scalar("steps/mAP", step.scores["mAP"], place)
                log.add_scalar("steps/rank-1", step.scores["rank1"], place)
                if step.ap is not None:
                    log.add_histogram("steps/AP of the queries", step.ap[~np.isnan(step.ap)], place)
            for place, share in enumerate((history.final.scores or {}).get("cmc", [])[:50], 1):
                log.add_scalar("result/CMC", share, place)
        written.append(where)
    return written
