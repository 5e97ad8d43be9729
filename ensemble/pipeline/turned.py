"""Matrices that are similarities: turned round where that is said, noticed where it is not."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

import postproc
from ensemble.base.errors import InputError
from ensemble.base.features import FeatureSet, columns
from ensemble.pipeline import directions
from ensemble.pipeline.directions import AGAINST, QUERIES
from ensemble.submissions import Candidates

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = 2000  # of the gallery, spread over it, tell enough


def round_if(values: np.ndarray, similar: bool) -> np.ndarray:
    """The matrix, or its negatives where it holds similarities: +inf is never returned in both."""
    return -values if similar else values


def refuse_far_copies(path: Path, model: str, values: np.ndarray, images: Mapping[str, Sequence[str]]) -> None:
    """Raise InputError where an image is as far as can be from the image of its own name, in most queries."""
    at = {name: row for row, name in enumerate(images["gallery"])}
    own = np.array([at.get(name, -1) for name in images["query"]])
    rows = np.flatnonzero(own >= 0)[:QUERIES]
    block, copies = values[rows], values[rows, own[rows]]
    known = np.isfinite(copies)
    if not known.any() or block.shape[1] < 2:
        return
    finite = np.isfinite(block)
    others = finite & (np.arange(block.shape[1]) != own[rows][:, None])
    nearer = (np.where(others, block, np.inf) < copies[:, None]).sum(axis=1)
    far = nearer > 0.9 * others.sum(axis=1)
    if far[known].mean() > 0.5:
        remedy = f"if its numbers are larger for nearer images, say --similarity {model}"
        raise InputError(
            [
                f"{path}: wanted every image nearest to that of its own name, found most of {int(known.sum())} of "
                f"them farthest from it; {remedy}, and else leave --similarity out"
            ]
        )


def doubts(
    files: Mapping[str, str],
    found: Mapping[str, np.ndarray],
    features: Sequence[FeatureSet],
    tables: "Mapping[str, pd.DataFrame]",
    similarity: Sequence[str],
) -> list[str]:
    """What is said of models that go against the others, or, where there are none, against the labels.

    files: what each is called on the disk, by model.
    """
    nq, ng = next(iter(found.values())).shape
    queries = np.arange(min(nq, QUERIES))
    images = np.unique(np.linspace(0, ng - 1, min(ng, COLUMNS)).astype(np.int64))
    blocks = {model: values[: len(queries)][:, images] for model, values in found.items()}
    others = [
        postproc.distances(postproc.l2_normalize(one.query[queries]), postproc.l2_normalize(one.gallery[images]))
        for one in features
        if not one.partial and not one.auxiliary and not one.codes
    ]
    if len(blocks) + len(others) < 2:
        return _against_labels(files, blocks, tables, queries, images, similarity)
    starts = np.arange(len(queries) + 1) * len(images)
    lists = tuple(block.ravel() for block in (*blocks.values(), *others))
    candidates = Candidates(starts, np.tile(images.astype(np.int32), len(queries)), lists, ng)
    return directions.doubts({files[model]: model for model in blocks}, candidates, similarity)


def _against_labels(
    files: Mapping[str, str],
    blocks: Mapping[str, np.ndarray],
    tables: "Mapping[str, pd.DataFrame]",
    queries: np.ndarray,
    images: np.ndarray,
    similarity: Sequence[str],
) -> list[str]:
    """What is said of a model in which the images of other identities are nearer than those of the query's own."""
    data = columns(tables)
    if not {"query_pid", "gallery_pid"} <= data.keys():
        return []
    asked, there = data["query_pid"][queries], data["gallery_pid"][images]
    said = []
    for model, block in blocks.items():
        share = against_labels(block, asked, there)
        if share is not None:
            remedy = (
                f"if small numbers are near in it, leave --similarity {model} out"
                if model in similarity
                else f"if its numbers are larger for nearer images, say --similarity {model}"
            )
            said.append(
                f"{files[model]}: of other images, {100 * share:.0f} of 100 are nearer than one of the query's "
                f"own identity; {remedy}"
            )
    return said


def against_labels(distances: np.ndarray, query_pid: np.ndarray, gallery_pid: np.ndarray) -> float | None:
    """The share of the other images that are nearer than one of the query's own identity, averaged over the first
    queries; None unless it is more than chance makes it.
    """
    shares = []
    for row, pid in zip(distances[:QUERIES], query_pid[:QUERIES].tolist(), strict=True):
        known = np.isfinite(row)
        mine, others = row[known & (gallery_pid == pid)], row[known & (gallery_pid != pid)]
        if pid >= 0 and len(mine) and len(others):
            nearer = np.searchsorted(np.sort(others), mine) / len(others)
            shares.append(nearer.mean() - 0.5)
    count = len(shares)
    spread = float(np.std(shares)) / np.sqrt(count) if count else 0.0
    mean = float(np.mean(shares)) if count else 0.0
    return mean + 0.5 if count >= 10 and mean > 0 and mean > -AGAINST * spread else None
