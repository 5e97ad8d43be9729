"""Pairs of labelled images as a matcher sees them, read beside what it says of queries and gallery."""

from collections.abc import Collection, Mapping
from pathlib import Path

import numpy as np

from ensemble.base import labels
from ensemble.base.alike import alike
from ensemble.base.distances import LabelledPairs
from ensemble.base.errors import InputError, examples
from ensemble.fusion import labelled_lists
from ensemble.io import Folder
from ensemble.io import matrices as files
from ensemble.io.lists import read_labels
from ensemble.io.matrix_names import Order, named
from ensemble.pipeline import turned
from ensemble.submissions import formats


def read(
    folder: Folder,
    model: str,
    *,
    similar: bool,
    queries: Collection[str],
    notes: list[str],
    measured: bool = False,
) -> LabelledPairs | None:
    """What ``train_MODEL`` says of pairs whose images both have an identity in ``train.csv``; None without it.

    Pairs of an image with itself, and those at no or infinite distance, are left out.
    similar: larger numbers are nearer, where the file does not say it itself.
    queries: names of images that are asked about; where some are labelled, ``notes`` says it.
    measured: somebody wants to know how far they are, so that an order alone is refused.
    Raises:  InputError for names without a label, files without numbers or names, pairs of one kind only, and
             where pairs of one identity are farther than others.
    """
    of = folder.labelled.get(model)
    if of is None:
        return None
    table = read_labels(of.labels, (), folder.keys)
    known: dict[str, np.ndarray] = {name: table.columns[name] for name in ("pid", "cam") if name in table.columns}
    numbered = labels.numbered(known)
    pid, cam = numbered["pid"], numbered.get("cam")
    place = {name: row for row, name in enumerate(table.names)}
    if files.is_matrix(of.pairs):
        left, right, told = _of_matrix(of.pairs, of.lists, Order(str(of.labels), table.names), similar, notes)
        far: np.ndarray | None = told
    else:
        left, right, far, told = _of_table(of.pairs, similar, measured)
    codes, at = np.unique(np.concatenate([left, right]), return_inverse=True)
    listed = codes.tolist()
    like = alike(listed, table.names)
    if like is not None and like.renamed:
        notes.append(f"{of.pairs}: its names differ from those of {of.labels} {like}: joined without that")
        listed = [like.renamed.get(name, name) for name in listed]
    strange = [name for name in listed if name not in place]
    if strange:
        raise InputError(
            [
                f"{of.pairs}: wanted images of {of.labels}, found {len(strange)} others ({examples(strange)}); "
                f"label them there, or leave them out{like.hint() if like else ''}"
            ]
        )
    rows = np.array([place[name] for name in listed], np.int64)[at.reshape(2, -1)]
    good = np.isfinite(told) & (rows[0] != rows[1]) & (pid[rows] >= 0).all(axis=0)
    told, rows = told[good].astype(np.float32), rows[:, good]
    same = pid[rows[0]] == pid[rows[1]]
    lists = labelled_lists.of_pairs(rows[0], rows[1], told, pid, cam)
    found = LabelledPairs(None if far is None else far[good].astype(np.float32), same, lists)
    _refuse(str(of.pairs), model, told, same)
    asked = [table.names[row] for row in np.unique(rows).tolist() if table.names[row] in queries]
    if asked:
        notes.append(
            f"{of.pairs}: {len(asked)} of its labelled images are asked about too ({examples(asked)}): what is "
            "learned has seen who they are, and scores on them are too good"
        )
    notes.append(
        f"{of.pairs}: {len(told)} labelled pairs, {int(same.sum())} of them of one identity ({of.labels.name})"
        + _skipped(len(np.unique(rows[0])) - len(lists))
    )
    return found


def _skipped(unmatched: int) -> str:
    """What is said of labelled queries without a match: like scores, no list is learned from them."""
    return f"; {unmatched} of its queries match nothing there and say nothing of places" if unmatched else ""


def _of_table(
    path: Path, similar: bool, measured: bool
) -> tuple[np.ndarray, np.ndarray, np.ndarray | None, np.ndarray]:
    """Names on both sides, how far they are, None where nobody says it, and numbers that tell the order."""
    ranking = formats.read(path, similarity=similar)
    far = ranking.distances
    if (measured and far is None) or ranking.query_names is None or ranking.by != "name":
        found = "an order alone" if far is None and measured else "numbers in the place of names"
        raise InputError([f"{path}: wanted scores or distances of named pairs, found {found}; write them"])
    left, right = np.array(ranking.query_names, np.str_), np.array(ranking.gallery_names, np.str_)
    told = far if ranking.partial and far is not None else ranking.telling(ties=True)
    return left[ranking.query_of], right[ranking.rows], far, told


def _of_matrix(
    path: Path, lists: Mapping[str, Path], order: Order, similar: bool, notes: list[str]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Names on both sides, and how far they are."""
    matrix, said = named(files.read(path, lists), dict.fromkeys(files.SIDES, order))
    if said:
        notes.append(f"{path.name}: {said}")
    left, right = (np.array(matrix.names[side], np.str_) for side in files.SIDES)
    values = turned.round_if(matrix.values, similar or matrix.similar)
    return np.repeat(left, len(right)), np.tile(right, len(left)), values.ravel()


def _refuse(where: str, model: str, far: np.ndarray, hits: np.ndarray) -> None:
    """Nothing is learned from pairs of one kind, and something is wrong where those of one identity are far."""
    same, other = far[hits], np.sort(far[~hits])
    if not len(same) or not len(other):
        raise InputError(
            [
                f"{where}: wanted pairs of one identity and of two, found {len(same)} and {len(other)}; "
                "add the others"
            ]
        )
    nearer = np.searchsorted(other, same, "left") + np.searchsorted(other, same, "right")
    share = 1 - nearer.mean() / (2 * len(other))
    if share < 0.5:
        raise InputError(
            [
                f"{where}: wanted pairs of one identity nearer than others, found them farther (a pair of "
                f"one identity is nearer than one of two in {share:.0%}); if its numbers are larger for nearer "
                f"images, say --similarity {model}, and else leave the model out"
            ]
        )
