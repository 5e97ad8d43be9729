"""Scores, curves and distributions of a run as a log for TensorBoard."""

import time
from collections.abc import Sequence
from importlib import import_module
from importlib.util import find_spec
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np

from ensemble import io
from ensemble.base.errors import InputError
from ensemble.report.history import History
from ensemble.scores.hardest import EDGES
from postproc.base.extras import install

PACKAGE = "tensorboardX"
PREFIX = "reid-ensemble"
BINS = np.linspace(0, 1, 51)  # of the AP


def write(folder: Path, histories: Sequence[History]) -> list[Path]:
    """Write one log a run below ``folder``: mAP, rank-1 and the queries' AP by step, the CMC by place, the
    hardest pairs by batch.

    Needs tensorboardX; raises InputError without it.
    """
    if find_spec(PACKAGE) is None:
        command = install("tensorboard")
        raise InputError([f"--tensorboard: wanted the package {PACKAGE}, found none; {command}"])
    written = []
    for number, history in enumerate(histories, 1):
        where = folder / f"{number:02d}"
        name, content = _log(history)
        with io.beside(where / name, "wb") as stream:
            stream.write(content)
        written.append(where)
    return written


class _Memory:
    """A disk to tensorboardX, under a prefix of ours, that has room for one file."""

    def open(self, path: str) -> "_Memory":
        self.name, self.content = path.partition(":")[2], BytesIO()
        return self

    def write(self, part: bytes) -> None:
        self.content.write(part)

    def flush(self) -> None:
        pass

    def close(self) -> None:
        pass


def _log(history: History) -> tuple[str, bytes]:
    """The name and the content of a run's log.

    The package writes to the disk in a thread, which ends with the first write that fails; then it waits for it.
    """
    module = {
        name: import_module(f"{PACKAGE}.{name}") for name in ("event_file_writer", "record_writer", "summary")
    }
    summary, event = module["summary"], import_module(f"{PACKAGE}.proto.event_pb2").Event
    disk = _Memory()
    module["record_writer"].register_writer_factory(PREFIX, disk)
    events = module["event_file_writer"].EventsWriter(f"{PREFIX}:events")

    def add(what: Any, place: int) -> None:
        events.write_event(event(summary=what, step=place, wall_time=time.time()))

    add(summary.text("run", history.title), 0)
    for place, step in enumerate(history.steps):
        if not step.scores:
            continue
        add(summary.scalar("steps/mAP", step.scores["mAP"]), place)
        add(summary.scalar("steps/rank-1", step.scores["rank1"]), place)
        known = np.empty(0) if step.ap is None else step.ap[~np.isnan(step.ap)]
        if known.size:
            add(summary.histogram("steps/AP of the queries", known, BINS), place)
    for number, model in enumerate(history.extras.get("hardest_models", ())):
        for kind in ("positive", "negative"):
            for place, counts in enumerate(history.extras[f"hardest_{kind}"][number]):
                values = np.repeat((EDGES[1:] + EDGES[:-1]) / 2, counts)
                add(summary.histogram(f"hardest {kind}s/{model}", values, EDGES), place)
    for place, share in enumerate((history.final.scores or {}).get("cmc", [])[:50], 1):
        add(summary.scalar("result/CMC", share), place)
    return disk.name, disk.content.getvalue()
