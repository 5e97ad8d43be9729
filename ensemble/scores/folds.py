"""Identities in parts: what is chosen on some is judged on others.

Every identity, with all its queries and gallery images, is in exactly one fold; identities of the gallery that no
query asks for (distractors) are dealt out like the others. Gallery images without an identity (pid below 0, and 0
where no query has it, as in the numbering of Market-1501) are in every fold: they are nobody's answer. Queries
without an identity are in none.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from ensemble.base.distances import ModelSet
from ensemble.base.errors import InputError, examples
from ensemble.base.features import FeatureSet
from ensemble.base.kinds import Ints
from ensemble.io import Folder
from ensemble.scores.labels import apart

FEWEST = 2  # identities with a query, a fold


@dataclass(frozen=True, eq=False)
class Fold:
    """Rows of the queries and gallery images of one part, in ascending order, and its identities."""

    query: Ints
    gallery: Ints
    pids: Ints


def split(query_pid: Ints, gallery_pid: Ints, *, folds: int, seed: int) -> list[Fold]:
    """Deal identities out to ``folds`` parts with about as many images each.

    The largest identity goes to the smallest fold, and so on, first those with queries; ``seed`` decides among
    equals. Raises InputError where there are fewer than two identities with query and gallery images a fold.
    """
    common = np.intersect1d(query_pid, gallery_pid)
    asked = np.setdiff1d(query_pid[query_pid >= 0], [])
    nobody = (gallery_pid < 0) | ((gallery_pid == 0) & (0 not in asked))
    found = int((common >= 0).sum())
    if found < FEWEST * folds:
        raise InputError(
            [
                f"--folds: wanted {FEWEST * folds} identities with a query and a gallery image for {folds} folds, "
                f"found {found}; " + ("ask for fewer folds" if found >= 2 * FEWEST else "label more images")
            ]
        )
    random = np.random.Generator(np.random.PCG64(seed))
    place: dict[int, int] = {}
    loads = np.zeros(folds)
    others = np.setdiff1d(gallery_pid[~nobody], asked)
    for group in (common[common >= 0], np.setdiff1d(asked, common), others):
        mixed = random.permutation(group)
        sizes = np.array([np.count_nonzero(query_pid == p) + np.count_nonzero(gallery_pid == p) for p in mixed])
        for at in np.argsort(-sizes, kind="stable") if len(mixed) else ():
            fold = int(np.argmin(loads))
            place[int(mixed[at])] = fold
            loads[fold] += sizes[at]
    of_query = np.array([place.get(int(p), -1) for p in query_pid], np.int64)
    of_gallery = np.array([place.get(int(p), -1) for p in gallery_pid], np.int64)
    pids, owners = np.array(list(place)), np.array(list(place.values()))
    return [
        Fold(
            np.flatnonzero(of_query == fold),
            np.flatnonzero((of_gallery == fold) | nobody),
            np.sort(pids[owners == fold]),
        )
        for fold in range(folds)
    ]


def draw_queries(pid: Ints, cam: Ints | None, *, seed: int) -> tuple[Ints, Ints]:
    """Queries out of labelled images, one an identity and camera, and the rest, which is the gallery.

    An identity gives queries if it has images of two cameras or more (of unknown cameras: two images), and only as
    many as leave each of its queries an image of another camera in the gallery. ``seed`` draws.
    """
    random = np.random.Generator(np.random.PCG64(seed))
    chosen: list[int] = []
    camera = apart(np.full(len(pid), -1) if cam is None else cam)
    order = random.permutation(len(pid))
    mine: dict[int, list[int]] = {}
    for row in order:
        if pid[row] >= 0:
            mine.setdefault(int(pid[row]), []).append(int(row))
    for rows in mine.values():
        left: dict[int, int] = {}
        for row in rows:
            left[int(camera[row])] = left.get(int(camera[row]), 0) + 1
        asked: list[int] = []
        for row in rows:
            own = int(camera[row])
            unknown = own < 0 and any(other < 0 for other in asked)  # one query at most of all unknown cameras
            if own in asked or unknown:
                continue
            after = {**left, own: left[own] - 1}
            total = sum(after.values())
            if all(total - after[other] > 0 for other in (*asked, own)):
                asked.append(own)
                chosen.append(row)
                left = after
    query = np.sort(np.array(chosen, np.int64))
    return query, np.setdiff1d(np.arange(len(pid)), query)


def from_train(sets: Mapping[str, ModelSet], *, learn: bool, seed: int) -> dict[str, ModelSet]:
    """Training images as queries and gallery, where queries and gallery themselves have no labels.

    ``learn``: the recipe has steps that learn from ``train``: half of the identities stay with them, so that no
    fold is judged by what was learned from it. Otherwise nothing is left of ``train``.
    """
    features = {name: found for name, found in sets.items() if isinstance(found, FeatureSet)}
    given = [name for name in sets if name not in features]
    if given:
        raise InputError(
            [
                f"{examples(given)}: wanted features of train, whose labels are looked at, found distances of "
                "query and gallery alone; choose on those (tune: --on test), or leave them out"
            ]
        )
    without = [name for name, found in features.items() if found.train is None]
    if without:
        raise InputError(
            [f"{examples(without)}: wanted train features, because only train has labels, found none; add them"]
        )
    data = next(iter(sets.values())).data()
    pid, cam = data["train_pid"], data.get("train_cam")
    kept = np.ones(len(pid), bool)
    if learn:
        people = np.unique(pid[pid >= 0])
        mixed = np.random.Generator(np.random.PCG64(seed)).permutation(people)
        kept = ~np.isin(pid, mixed[: len(people) // 2])
    rows, learned = np.flatnonzero(kept), np.flatnonzero(~kept)
    query, gallery = draw_queries(pid[rows], None if cam is None else cam[rows], seed=seed)
    if not len(query):
        raise InputError(
            ["train: wanted identities with images of two cameras, found none; label query and gallery images"]
        )
    return {name: _moved(found, rows[query], rows[gallery], learned) for name, found in features.items()}


def columns(folder: Folder, sets: Mapping[str, ModelSet], *, of_train: bool) -> Folder:
    """The folder with the columns and training sets that ``sets`` have.

    ``of_train``: training images ask and are found. Travel times that a file has are learned from all of them, and
    cannot be judged by them: they are left out.
    """
    names: set[str] = set()
    for found in sets.values():
        names |= set(found.data())
    learns = frozenset(name for name, found in sets.items() if found.train is not None)
    times = None if of_train else folder.times
    return replace(folder, columns=frozenset(names), learns=learns, times=times)


def _moved(found: FeatureSet, query: Ints, gallery: Ints, learned: Ints) -> FeatureSet:
    assert found.train is not None
    assert found.train_table is not None

    def part(rows: Ints) -> tuple:
        assert found.train is not None
        assert found.train_table is not None
        return found.train[rows], found.train_table.iloc[rows].reset_index(drop=True)

    if found.one_set:  # then it is one set of training images, too
        query = gallery = np.union1d(query, gallery)
    (q, q_table), (g, g_table), (t, t_table) = map(part, (query, gallery, learned))
    return replace(
        found,
        query=q,
        query_table=q_table,
        gallery=g,
        gallery_table=g_table,
        train=t if len(learned) else None,
        train_table=t_table if len(learned) else None,
    )
