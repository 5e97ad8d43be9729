"""Sums of ``(a - b)(a - b)ᵀ`` over pairs of images, by groups: no pair is ever formed.

Over the pairs of images in different parts (cameras) of one whole (identity), with n images of mean m in all and
n_v of mean m_v in part v, that sum is ``sum_v (n - n_v) S_v + n sum_v n_v (m_v - m)(m_v - m)ᵀ``, where S_v is the
sum of ``(x - m_v)(x - m_v)ᵀ``. Where every image is a part of its own those are all pairs.
"""

import numpy as np

from postproc.features import linear


def of_pairs(train: np.ndarray, pid: np.ndarray, cam: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean of ``(a - b)(a - b)ᵀ`` over pairs of one identity and over pairs of two, both of different cameras.

    train (n, d); pid, cam (n,) of 0 or more, and cam -1 for an image that shares its camera with none.
    """
    part = _apart(cam)
    same, same_pairs = _sum(train, pid, part)
    every, pairs = _sum(train, np.zeros_like(pid), part)
    every -= same
    return same / same_pairs, every / (pairs - same_pairs)


def of_chosen_pairs(train: np.ndarray, first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """The same mean over chosen pairs: training rows ``first[i]`` and ``second[i]``."""

    def load(rows: slice, columns: slice) -> np.ndarray:
        return train[first[rows], columns].astype(np.float64) - train[second[rows], columns]

    return linear.outer_sum(load, len(first), train.shape[1]) / len(first)


def count_pairs(pid: np.ndarray, cam: np.ndarray) -> tuple[int, int, int]:
    """Pairs of one identity and of two, both of different cameras; and how many independent differences the
    former have, which bounds the rank of what is learned from them.
    """
    part = _apart(cam)
    if not len(pid):
        return 0, 0, 0
    group = _groups(pid, part)
    same = int(np.sum(np.bincount(pid) ** 2) - np.sum(np.bincount(group) ** 2)) // 2
    every = (len(pid) ** 2 - int(np.sum(np.unique(part, return_counts=True)[1] ** 2))) // 2
    groups_of = np.bincount(pid[np.unique(group, return_index=True)[1]], minlength=pid.max() + 1)
    paired = groups_of > 1
    return same, every - same, int(np.bincount(pid)[paired].sum() - paired.sum())


def _apart(cam: np.ndarray) -> np.ndarray:
    """(n,) the camera of each image; a number that nobody else has where it is unknown."""
    return np.where(cam < 0, max(len(cam), cam.max(initial=-1) + 1) + np.arange(len(cam)), cam)


def _sum(train: np.ndarray, whole: np.ndarray, part: np.ndarray) -> tuple[np.ndarray, int]:
    """The sum above over all wholes, and the number of its pairs."""
    group = _groups(whole, part)
    members, sizes = np.bincount(group), np.bincount(whole)
    of_group = whole[np.unique(group, return_index=True)[1]]
    means, centres = class_means(train, group), class_means(train, whole)
    within = np.sqrt((sizes[of_group] - members).astype(np.float64))
    between = np.sqrt((sizes[of_group] * members).astype(np.float64))

    def images(rows: slice, columns: slice) -> np.ndarray:
        here = group[rows]
        return (train[rows, columns] - means[here, columns]) * within[here, None]

    def groups(rows: slice, columns: slice) -> np.ndarray:
        return (means[rows, columns] - centres[of_group[rows], columns]) * between[rows, None]

    width = train.shape[1]
    total = linear.outer_sum(images, len(train), width) + linear.outer_sum(groups, len(means), width)
    return total, int((sizes**2).sum() - (members**2).sum()) // 2


def class_means(rows: np.ndarray, label: np.ndarray) -> np.ndarray:
    """(classes, d) float64 means of the rows of each label 0, 1, ..."""
    order = np.argsort(label, kind="stable")
    starts = np.searchsorted(label[order], np.arange(label.max() + 1))
    sums = np.add.reduceat(rows[order], starts, axis=0, dtype=np.float64)
    return sums / np.bincount(label)[:, None]


def _groups(whole: np.ndarray, part: np.ndarray) -> np.ndarray:
    """(n,) the number of the pair (whole, part) of every image."""
    _, group = np.unique(np.stack([whole, part]), axis=1, return_inverse=True)
    return group.ravel()
