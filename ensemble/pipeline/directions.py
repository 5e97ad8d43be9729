"""Rank lists that look turned round: whether what is near in one is far in the others."""

from collections.abc import Mapping, Sequence

import numpy as np

from ensemble.submissions import Candidates

QUERIES = 100  # the first ones tell enough
AGAINST = -5  # a correlation times the root of the number of pairs; below it, it is hardly chance
LEAST = 10  # pairs that two lists have in common, fewer tell nothing


def doubts(files: Mapping[str, str], found: Candidates, similarity: Sequence[str]) -> list[str]:
    """What is said of lists that go against the others.

    files:      the lists' names by their files, in the order of the candidates; those behind are never in doubt.
    similarity: the names of those that were turned round already.
    """
    queries = min(len(found.counts), QUERIES)
    query_of = np.repeat(np.arange(queries), found.counts[:queries])
    lists = [values[: len(query_of)] for values in found.distances]
    said = []
    for at, (file, name) in enumerate(files.items()):
        pairs = [correlation(lists[at], other, query_of) for place, other in enumerate(lists) if place != at]
        known = np.array([pair for pair in pairs if not np.isnan(pair[0])]).reshape(-1, 2)
        if len(known) and (known[:, 0] * np.sqrt(known[:, 1])).mean() < AGAINST:
            remedy = (
                f"if small numbers are near in it, declare similarities without {name} (--set similarity=[…])"
                if name in similarity
                else f"if its numbers are larger for nearer images, say --similarity {name}"
            )
            mean = known[:, 0].mean()
            said.append(f"{file}: what is near in it is far in the other lists (correlation {mean:.2f}); {remedy}")
    return said


def correlation(one: np.ndarray, other: np.ndarray, query_of: np.ndarray) -> tuple[float, int]:
    """How the numbers of two lists go together inside the queries, -1 to 1, NaN of too few; and how many pairs."""
    both = np.isfinite(one) & np.isfinite(other)
    pairs = int(both.sum())
    if pairs < LEAST:
        return np.nan, pairs
    of = query_of[both]
    count = np.maximum(np.bincount(of), 1)
    one, other = (each[both].astype(np.float64) for each in (one, other))
    one, other = (each - (np.bincount(of, each) / count)[of] for each in (one, other))
    spread = np.sqrt((one**2).sum() * (other**2).sum())
    return float((one * other).sum() / spread) if spread > 0 else np.nan, pairs
