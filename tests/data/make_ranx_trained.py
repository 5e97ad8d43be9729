"""Write ranx_trained.npz: what ranx learns from labelled lists and makes of others. Wants ranx (0.3.21 here).

python tests/data/make_ranx_trained.py
"""

from pathlib import Path

import numpy as np
from ranx import Qrels, Run
from ranx.fusion import (
    bayesfuse,
    bayesfuse_train,
    mapfuse,
    mapfuse_train,
    posfuse,
    posfuse_train,
    probfuse,
    probfuse_train,
    segfuse,
    segfuse_train,
    slidefuse,
    slidefuse_train,
)
from ranx.normalization import min_max_norm

SYSTEMS, DOCUMENTS, LEARN, ASK = 3, 60, 14, 7
RNG = np.random.default_rng(11)


def drawn(queries: int) -> tuple[np.ndarray, list[np.ndarray], list[np.ndarray]]:
    """Who is relevant, the scores of three systems, and how long their lists are: 6 to 50 of 60."""
    relevant = RNG.random((queries, DOCUMENTS)) < 0.1
    relevant[:, 0] = True  # every query has a match
    scores = [(relevant * 1.5 + s * RNG.normal(size=relevant.shape)).astype(np.float32) for s in (0.8, 1.2, 2.0)]
    return relevant, scores, [RNG.integers(6, 51, queries) for _ in scores]


def runs(scores: list[np.ndarray], lengths: list[np.ndarray]) -> list[Run]:
    return [
        Run({
            f"q{i:02d}": {f"d{j:02d}": float(x[i, j]) for j in np.argsort(-x[i], kind="stable")[: n[i]]}
            for i in range(len(x))
        })
        for x, n in zip(scores, lengths, strict=True)
    ]  # fmt: skip


def table(run: Run) -> np.ndarray:
    """(queries, documents) scores, NaN for what is in no list."""
    out = np.full((ASK, DOCUMENTS), np.nan)
    for query, documents in run.to_dict().items():
        for document, score in documents.items():
            out[int(query[1:]), int(document[1:])] = score
    return out


relevant, *learn = drawn(LEARN)
_, *ask = drawn(ASK)
qrels = Qrels({f"q{i:02d}": {f"d{j:02d}": 1 for j in np.flatnonzero(row)} for i, row in enumerate(relevant)})
train, test = runs(*learn), runs(*ask)
found = {"relevant": relevant, "train_scores": np.array(learn[0]), "train_lengths": np.array(learn[1])}
found |= {"scores": np.array(ask[0]), "lengths": np.array(ask[1])}
found["pos"] = table(posfuse(test, posfuse_train(qrels, train)))
for window in (0, 1, 6):
    found[f"slide_{window}"] = table(slidefuse(test, slidefuse_train(qrels, train), window))
for segments in (1, 4, 25):
    found[f"prob_{segments}"] = table(probfuse(test, probfuse_train(qrels, train, segments)))
found["seg"] = table(segfuse([min_max_norm(run) for run in test], segfuse_train(qrels, train)))
found["bayes"] = table(bayesfuse(test, bayesfuse_train(qrels, train)))
found["map_scores"] = np.array(mapfuse_train(qrels, train))
found["map"] = table(mapfuse(test, mapfuse_train(qrels, train)))
np.savez_compressed(Path(__file__).with_name("ranx_trained.npz"), **found)
