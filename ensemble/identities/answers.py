"""Who is it, for every query, data set by data set, with a threshold of its own for each."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np

from ensemble.base.collecting import collecting
from ensemble.base.distances import ModelSet
from ensemble.base.errors import InputError, examples, refuse_if_any
from ensemble.base.features import FeatureSet
from ensemble.base.kinds import Ints
from ensemble.identities.asking import LISTS, Asker, How, Sets, against_itself, not_itself, of_train
from ensemble.identities.people import People, groups, labels_of_column, people
from ensemble.identities.thresholds import Threshold, Wanted, new_ones, of_database, of_queries
from ensemble.pipeline.images import Images, read
from ensemble.pipeline.lines import Line
from ensemble.pipeline.operating_points import learns
from ensemble.pipeline.rankings import Rankings
from ensemble.scores.protocol import Protocol
from ensemble.scores.values import Scores
from postproc import Nearest
from postproc.identities.by_identity import NONE, Identities
from postproc.identities.with_unknown import with_unknown


@dataclass(frozen=True)
class Fit:
    """How a threshold is fitted: folds of identities, and who deals them.

    expected: the share of queries that are unknown; None: as :func:`ensemble.identities.thresholds.new_ones` says.
    on:       whose images ask each other, those of the gallery or of train.
    apart:    a column of their table: images of the same value, as of one encounter, do not answer each other.
    """

    folds: int = 5
    seed: int = 0
    expected: float | None = None
    on: str = "gallery"
    apart: str | None = None


FIT = Fit()
SIDES = ("gallery", "train")


@dataclass(frozen=True, eq=False)
class Answers:
    """What is answered to every query (nq,), in the order of the queries.

    told:        (nq, k) identities by number, -1 the unknown, -2 none.
    identities:  how far each identity is, without the unknown.
    sets:        the data set of each query; None: there is but one.
    thresholds:  by data set. rankings: the scores of the images' rankings, by data set, where there are labels.
    """

    names: list[str]
    people: People
    told: np.ndarray
    identities: Identities
    sets: list[str] | None
    thresholds: dict[str, Threshold]
    rankings: dict[str, Scores] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    one_set: bool = False

    @property
    def there(self) -> Ints:
        """(ng,) the identities that may be right, -1 elsewhere: of one set, those with another image."""
        pid = self.people.gallery
        if not self.one_set:
            return pid
        _, number, count = np.unique(pid, return_inverse=True, return_counts=True)
        return np.where(count[number.reshape(-1)] > 1, pid, -1)

    @property
    def limits(self) -> np.ndarray:
        """(nq,) the threshold of each query."""
        if self.sets is None:
            return np.full(len(self.names), self.thresholds[""].distance)
        return np.array([self.thresholds[name].distance for name in self.sets])


@dataclass(frozen=True, eq=False)
class Question:
    """Whose answers are wanted: what :class:`Answers` come from, read once."""

    ask: Asker
    images: Images
    sets: Sets | None
    query_table: object
    gallery_table: object
    people: People
    notes: tuple[str, ...]


def question(ask: Asker, protocol: Protocol = LISTS) -> Question:
    """Read what a plan is about, under a protocol, which may be about some identities alone.

    Raises: InputError where the gallery has no identities.
    """
    images, sets = read(ask.plan, protocol)
    lists = images.lists
    found: ModelSet | Rankings = lists if lists is not None else next(iter(sets.values()))
    notes: list[str] = []
    who = people(ask.plan.folder, found.query_table, found.gallery_table, notes)
    told = (*images.notes, *notes)
    return Question(
        ask, images, None if lists is not None else sets, found.query_table, found.gallery_table, who, told
    )


def answers(
    asked: Question,
    how: How,
    unknown: Wanted,
    *,
    by: str | None = None,
    fit: Fit = FIT,
    protocol: Protocol,
    show: Callable[[Line], None] = lambda line: None,
) -> Answers:
    """Answer every query.

    by: a column; images of another value are another data set, which is asked by itself and has a threshold of its
        own. protocol: how the ranking of the images is scored, where there are labels.
    Raises: InputError for columns that lack, and for a threshold that wants what is not there.
    """
    if unknown.fitted and asked.sets is None:
        raise InputError([not_itself("--rankings")])
    if unknown.fitted and asked.sets is not None and fit.on == "gallery":
        refuse_if_any(
            [not_itself(name) for name, found in asked.sets.items() if not (found.one_set or _has_features(found))]
        )
    found = groups((asked.query_table, asked.gallery_table), by)
    nq = len(asked.images.query_names)
    out = Identities(np.full((nq, how.places), NONE), np.full((nq, how.places), np.inf), np.zeros(nq, bool))
    told = np.full((nq, how.places), NONE)
    names = np.full(nq, "", object)
    thresholds: dict[str, Threshold] = {}
    rankings: dict[str, Scores] = {}
    problems: list[str] = []
    notes = list(asked.notes)
    for name, (queries, gallery) in found:
        if not len(queries):
            continue
        names[queries] = name
        where = f"{name}: " if name else ""
        with collecting(problems, where):
            part = _part(asked, queries, gallery, how, unknown, fit, protocol, show)
            thresholds[name] = part.threshold
            for mine, whole in zip(part.identities, out, strict=True):
                whole[queries] = mine
            told[queries] = with_unknown(part.identities, part.threshold.distance, top_k=how.places) if (
                unknown.name != "none"
            ) else part.identities.pids  # fmt: skip
            if part.scores is not None:
                rankings[name] = part.scores
            notes += [where + note for note in part.notes]
    refuse_if_any(problems)
    if out.short.any():
        short = [asked.images.query_names[row] for row in np.flatnonzero(out.short)]
        notes.append(
            f"the lists of {len(short)} queries ({examples(short)}) end too early to be sure of their first "
            f"{how.places} identities; look at more images (--depth)"
        )
    notes += _strangers(asked.people)
    return Answers(
        asked.images.query_names,
        asked.people,
        told,
        out,
        None if by is None else names.tolist(),
        thresholds,
        rankings,
        tuple(notes),
        asked.images.one_set,
    )


def _strangers(people: People) -> list[str]:
    """That no labelled query is of anybody in the gallery, as where one says 7 and the other p7."""
    asked = np.empty(0, np.int64) if people.query is None else people.query[people.query >= 0]
    if not len(asked) or np.isin(asked, people.gallery).any():
        return []
    return [
        f"none of the {len(asked)} labelled queries is of anybody in the gallery: are identities called alike on "
        "both sides?"
    ]


@dataclass(frozen=True, eq=False)
class _Part:
    """The answers of one data set."""

    identities: Identities
    threshold: Threshold
    scores: Scores | None = None
    notes: tuple[str, ...] = ()


def _part(
    asked: Question,
    queries: Ints,
    gallery: Ints,
    how: How,
    unknown: Wanted,
    fit: Fit,
    protocol: Protocol,
    show: Callable[[Line], None],
) -> _Part:
    """Some queries and some of the gallery, by themselves."""
    pid = asked.people.gallery[gallery]
    if not (pid >= 0).any():
        k = how.places
        nobody = Identities(
            np.full((len(queries), k), NONE), np.full((len(queries), k), np.inf), np.zeros(len(queries), bool)
        )
        note = f"the gallery has nobody of it: all {len(queries)} queries are unknown"
        return _Part(nobody, Threshold(float("inf"), "nobody is in the gallery"), notes=(note,))
    sets = asked.sets
    if sets is None:
        lists, result = asked.ask(None, protocol, show)
        lists = _within(lists, queries, gallery, len(asked.people.gallery))
    else:
        sets = {model: _taken(features, queries, gallery) for model, features in sets.items()}
        lists, result = asked.ask(sets, protocol, show)
    own = np.arange(len(queries)) if asked.images.one_set else None
    identities = how.of(lists, pid, own)
    if how.rule == "sum" and how.edge is None:  # one edge for queries and database
        far = lists.distances[np.isfinite(lists.distances)]
        how = replace(how, edge=float(far.max()) if far.size else 0.0)
    if not unknown.fitted:
        return _Part(identities, of_queries(unknown, identities.distances[:, 0]), result.scores)
    assert sets is not None
    if fit.on == "train":
        sets, pid = of_train(sets)
    expected = new_ones(pid) if fit.expected is None else fit.expected
    apart = labels_of_column(next(iter(sets.values())).gallery_table, fit.apart, fit.on)
    samples, fold = against_itself(asked.ask, sets, pid, how, folds=fit.folds, seed=fit.seed, apart=apart)
    notes = []
    if fit.on == "train" and learns(asked.ask.plan):
        notes.append(
            "the recipe learns from the training images that tell the threshold: they are nearer to each other "
            "than images that it has not seen, and the threshold may be too strict"
        )
    if unknown.name in ("map", "chance") and fit.expected is None:
        notes.append(
            f"{expected:.2%} of the queries are expected to be unknown, as many as images of the {fit.on} are the "
            "only one of their identity; --expected says another share"
        )
    threshold = of_database(unknown, samples, fold, expected, of=fit.on)
    return _Part(identities, threshold, result.scores, tuple(notes))


def _has_features(found: ModelSet) -> bool:
    return isinstance(found, FeatureSet)


def _taken(features: ModelSet, queries: Ints, gallery: Ints) -> ModelSet:
    """Some of the images; all of them as they are."""
    if len(queries) == len(features.query_table) and len(gallery) == len(features.gallery_table):
        return features
    return features.take(query=queries, gallery=gallery)


def _within(lists: Nearest, queries: Ints, gallery: Ints, count: int) -> Nearest:
    """The lists of some queries with images of some of the gallery alone, by their places in it."""
    place = np.full(count + 1, -1, np.int32)
    place[gallery] = np.arange(len(gallery))
    rows = place[lists.rows[queries]]
    order = np.argsort(rows < 0, axis=1, kind="stable")
    rows = np.take_along_axis(rows, order, 1)
    far = np.take_along_axis(lists.distances[queries], order, 1)
    return Nearest(np.where(rows >= 0, far, np.float32(np.inf)), rows)
