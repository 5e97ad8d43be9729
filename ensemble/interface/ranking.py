"""What ``ensemble.run`` does, on a folder or on arrays, and its answer as a value."""

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack

import numpy as np
from numpy.typing import NDArray

from ensemble import submissions
from ensemble.base import tabled
from ensemble.base.errors import InputError, examples, near
from ensemble.cli import machine, numbers, planning, program
from ensemble.interface import arguments
from ensemble.interface.arguments import Beside, Changes, Data, FilePath, Rules, in_python
from ensemble.interface.recipes import Recipe, RecipeGiven, recipe_of
from ensemble.pipeline import results
from ensemble.pipeline.images import Images
from ensemble.pipeline.plan import Plan
from ensemble.pipeline.run import Result, Run, Seen
from ensemble.scores import Scores
from postproc.base import runtime
from postproc.base.vocabulary import Floats, Nearest

if TYPE_CHECKING:
    import pandas as pd

    from ensemble.interface.figures import Plots
    from ensemble.interface.shown import Shown
    from ensemble.report.history import History


def rank(
    features: Data,
    recipe: RecipeGiven = None,
    *,
    query_names: Data = None,
    gallery_names: Data = None,
    query_pid: Data = None,
    gallery_pid: Data = None,
    query_cam: Data = None,
    gallery_cam: Data = None,
    query_track: Data = None,
    gallery_track: Data = None,
    query_frame: Data = None,
    gallery_frame: Data = None,
    query_clothes: Data = None,
    gallery_clothes: Data = None,
    set: "Changes | None" = None,
    top_k: int | None = None,
    protocol: "Rules | None" = None,
    device: str = "cpu",
    threads: int | None = None,
    memory: str | None = None,
    quiet: bool = True,
    **options: Unpack[Beside],
) -> "Ranking":
    """Rank the gallery for every query under a recipe.

    features: the path of a folder; ``(query, gallery)``; one array, which is one set, each image against all
              others; a dictionary with ``query``, ``gallery`` and perhaps ``train``, labels beside them as
              ``query_pid``; or such by the names of models. Arrays, tensors and tables of any package.
    recipe:   a name, a ``.toml`` file, a dictionary, steps or a :class:`Recipe`; None: ``default``.
    names and labels: (nq,) and (ng,) for all models, where they are in memory. Of one set, those of the gallery.
              For a folder ``query_names`` and ``gallery_names`` are files.
    set:      settings that are changed, ``{"rerank.k1": 30}``. top_k: images of every query that are returned.
    protocol: how it is scored where there are labels: a name, a file, a dictionary or a value.
    options:  the others of ``python -m ensemble.run``, with underscores (``ap``, ``junk``, ``cut``, ``names`` …).
    Returns:  the same numbers, to the bit, as the command for the same features in a folder.
    Raises:   InputError with every problem of data, recipe and options.
    """
    keywords = {
        **{"query_names": query_names, "gallery_names": gallery_names},
        **{"query_pid": query_pid, "gallery_pid": gallery_pid, "query_cam": query_cam, "gallery_cam": gallery_cam},
        **{"query_track": query_track, "gallery_track": gallery_track},
        **{"query_frame": query_frame, "gallery_frame": gallery_frame},
        **{"query_clothes": query_clothes, "gallery_clothes": gallery_clothes},
        **{"set": set, "protocol": protocol, "device": device, "threads": threads, "memory": memory},
        **{"quiet": quiet, **options},
    }
    with in_python():
        return ranked(arguments.asked(parser(), features, lambda: recipe_of(recipe), keywords, top_k=top_k))


def parser() -> argparse.ArgumentParser:
    """The options of ``ensemble.run`` that say what runs on what, without those of its files."""
    found = program.parser("ensemble.run")
    planning.add_options(found)
    return found


def ranked(options: argparse.Namespace) -> "Ranking":
    """Check and run what options ask for."""
    checked = planning.prepare(options)
    planning.refuse_without_room(options, checked)
    result, images = _run(options, checked)
    return Ranking(result, images, checked, options)


def _run(
    options: argparse.Namespace, checked: Plan, watch: Callable[[Seen], None] | None = None
) -> tuple[Result, Images]:
    read: list[Images] = []
    with arguments.using(options):
        result = Run(
            checked,
            lambda line: None,
            begun=read.append,
            protocol=planning.protocol(options, checked.recipe),
            memory=machine.memory(options),
            watch=watch,
            device=machine.device(options),
        )()
    return result, read[0]


@dataclass(frozen=True, eq=False, repr=False)
class Ranking:
    """The nearest images of every query: what :func:`ensemble.rank` returns.

    rows:      (nq, k) int32 gallery rows, nearest first, -1 where there are no more. distances: (nq, k) float32.
    names:     the same as names, a list a query.
    scores:    where queries and gallery have labels; else None, and ``unscored`` says why.
    notes:     what to know of data and recipe, in sentences. weights: what joins found by agreement.
    """

    result: Result
    images: Images
    plan: Plan
    options: argparse.Namespace = field(repr=False)

    @property
    def rows(self) -> NDArray[np.int32]:
        """(nq, k) gallery rows, nearest first, -1: none."""
        return self.result.ranking

    @property
    def distances(self) -> Floats:
        """(nq, k) float32, how far these images are."""
        return self.result.distances

    @property
    def nearest(self) -> Nearest:
        """Both, as steps of ``postproc`` return them."""
        return Nearest(self.distances, self.rows)

    @property
    def query_names(self) -> list[str]:
        """What the queries are called."""
        return self.result.query_names

    @property
    def gallery_names(self) -> list[str]:
        """What the gallery images are called."""
        return self.result.gallery_names

    @property
    def labels(self) -> dict[str, list[Any]]:
        """Identities and cameras of queries and gallery as they were given, by ``query_pid`` and its like."""
        known = {} if self.images.labels is None else self.images.labels.columns()
        found: dict[str, list[Any]] = {}
        for name in ("query_pid", "gallery_pid", "query_cam", "gallery_cam"):
            if name in known:
                called = self.images.called.get(name.partition("_")[2], {})
                found[name] = [called.get(number, number) for number in known[name].tolist()]
        return found

    @property
    def names(self) -> list[list[str]]:
        """The images of every query by name, nearest first."""
        called = self.gallery_names
        return [[called[row] for row in listed if row >= 0] for listed in self.rows.tolist()]

    @property
    def scores(self) -> Scores | None:
        """mAP, CMC and the rest; None without labels."""
        return self.result.scores

    @property
    def unscored(self) -> str:
        """Why there are no scores; empty where there are."""
        return self.result.unscored if self.scores is None else ""

    @property
    def recipe(self) -> Recipe:
        """The recipe as it ran: models by their names, without steps that were left out."""
        return Recipe(self.plan.recipe)

    @property
    def notes(self) -> list[str]:
        """What to know of the data, the recipe and the scores."""
        return [arguments.spoken(note) for note in results.notes(self.plan, self.result)]

    @property
    def weights(self) -> dict[str, dict[str, float]]:
        """Weights that were found without labels (``weights = "agreement"``): by join, then by part; else none."""
        found: dict[str, dict[str, float]] = {}
        for line in self.result.lines:
            if line.weights:
                found.setdefault(line.step, {}).update(line.weights)
        return found

    def to_frame(self) -> "pd.DataFrame":
        """A row an answer: query, rank (from 1), gallery, distance; with labels whether it is right."""
        import pandas as pd

        from ensemble.interface.shown import SAID

        query, place = np.nonzero(self.rows >= 0)
        row = self.rows[query, place]
        columns: dict[str, Any] = {
            "query": np.array(self.query_names, object)[query],
            "rank": place + 1,
            "gallery": np.array(self.gallery_names, object)[row],
            "distance": self.distances[query, place],
        }
        if self.images.labels is not None:
            kinds = self._relations(range(len(self.query_names)))[query, place]
            columns["relation"] = [SAID[kind] for kind in kinds.tolist()]
        return pd.DataFrame(columns)

    def to_submission(self, format: str, path: FilePath) -> Path:
        """Write the answer as a competition wants it: ``track2``, ``visda``, ``naic``, ``trec``, ``csv``, ….

        Raises: InputError where the images' names do not allow that format; nothing is written then.
        """
        with in_python():
            if format == results.FEATURES:
                raise InputError(
                    [f"format: wanted one with lists, found {format}, six files with features; .write"]
                )
            lists, filled = results.lists_of(self.result, submissions.named(format))
            submissions.write(Path(path), lists, format, top_k=self.plan.recipe.top_k)
            if filled:
                import warnings

                warnings.warn(filled, stacklevel=2)
        return Path(path)

    def write(self, folder: FilePath) -> list[Path]:
        """Write what ``ensemble.run --out`` leaves behind: submission, recipe, queries, record; the paths."""
        threads = self.options.threads or runtime.current().threads
        with in_python():
            return results.write(
                Path(folder), self.plan, self.result, threads=threads, device=machine.device(self.options)
            )

    def show(
        self,
        query: "int | str | Sequence[int | str]" = 0,
        k: int = 10,
        images: "FilePath | Sequence[FilePath]" = (),
    ) -> "Shown":
        """The first ``k`` images of a query, or of several, by row or name; in a notebook with pictures.

        images: folders with the pictures, which are found below by their names; a name that is the path of a
                picture needs none.
        """
        from ensemble.interface.shown import Answer, Shown

        with in_python():
            rows = self._rows_of(query)
            album = _album(images)
        kinds = self._relations(rows)
        found = []
        for at, row in enumerate(rows):
            listed = self.rows[row, :k]
            there = np.flatnonzero(listed >= 0)
            found.append(
                Answer(
                    self.query_names[row],
                    [self.gallery_names[image] for image in listed[there].tolist()],
                    self.distances[row, :k][there].tolist(),
                    kinds[at, :k][there].tolist(),
                )
            )
        return Shown(found, album)

    @property
    def plot(self) -> "Plots":
        """The figures of the report, as ``plot.cmc()``; for the first of them the run is watched once more."""
        from ensemble.interface.figures import Plots

        return Plots(self._history)

    def report(
        self, path: FilePath, images: "FilePath | Sequence[FilePath]" = (), report_size: str = "20MB"
    ) -> Path:
        """Write the report, one page of HTML that needs nothing else; the run is watched once more.

        images: folders with pictures. report_size: the page at most that large.
        """
        from ensemble.report import page, refuse_without_packages

        with in_python():
            refuse_without_packages()
            size = numbers.bytes_of("--report-size", report_size)
            page.write(Path(path), [self._history], album=_album(images), size=size)
        return Path(path)

    @cached_property
    def _history(self) -> "History":
        """What a report shows: the same run, watched."""
        from ensemble.report import runs
        from ensemble.report.recorder import Recorder

        with in_python():
            recorder = Recorder()
            result, _ = _run(self.options, self.plan, recorder)
            device = machine.device(self.options)
            threads = self.options.threads or runtime.current().threads
            record = results.record(self.plan, result, Path(""), threads=threads, device=device)
            return runs.with_contributions(
                recorder.history(result, record),
                self.plan,
                result,
                planning.protocol(self.options, self.plan.recipe),
                bounded=self.options.memory is not None,
                device=device,
            )

    def _rows_of(self, query: "int | str | Sequence[int | str]") -> list[int]:
        asked = [query] if isinstance(query, (int, str, np.integer)) else list(query)
        names = self.query_names
        problems, rows = [], []
        for one in asked:
            if isinstance(one, str):
                if one in names:
                    rows.append(names.index(one))
                else:
                    problems.append(f"query: wanted one of {examples(names)}, found {one!r}{near(one, names)}")
            elif 0 <= one < len(names):
                rows.append(int(one))
            else:
                problems.append(f"query: wanted 0 to {len(names) - 1}, or a name, found {one}")
        if problems:
            raise InputError(problems)
        return rows

    def _relations(self, rows: Sequence[int]) -> NDArray[np.int8]:
        """(rows, k) what the images are to some queries."""
        from ensemble.report.history import UNKNOWN
        from ensemble.report.judge import Judge, relations

        found = np.full((len(rows), self.rows.shape[1]), UNKNOWN, np.int8)
        if self.images.labels is not None:
            judge = Judge.under(planning.protocol(self.options, self.plan.recipe), self.images.labels)
            for at, row in enumerate(rows):
                found[at] = relations(self.rows[row], *judge.of(row))
        return found

    def __len__(self) -> int:
        return len(self.rows)

    def __repr__(self) -> str:
        scores = results.score_text(self.result)
        queries, k = self.rows.shape
        sizes = f"{queries} queries, {len(self.gallery_names)} images, the nearest {k}"
        head = f"Ranking: {sizes}, by {self.plan.recipe.name}"
        count = len([note for note in self.notes if note not in scores])
        return "\n".join([head, scores, *([f"notes on data and recipe: {count}, in .notes"] if count else [])])

    def _repr_html_(self) -> str:
        queries, k = self.rows.shape
        rows: list[tuple[str, object]] = [
            ("recipe", self.recipe),
            ("images", f"{queries} queries, {len(self.gallery_names)} in the gallery; the nearest {k} of each"),
            ("scores", self.scores.text() if self.scores else f"none: {self.unscored}"),
            *([("rules", self.scores.describe())] if self.scores else []),
        ]
        return tabled.page("Ranking", rows, self.notes)


def _album(images: "FilePath | Sequence[FilePath]") -> Any:
    """The pictures below some folders; None without any."""
    from ensemble.report.pictures import Album

    folders = [images] if isinstance(images, (str, Path)) else list(images)  # type: ignore[arg-type]
    return Album([Path(folder) for folder in folders]) if folders else None
