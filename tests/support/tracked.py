"""Galleries with tracks, drawn so that every mean over a track is an exact number."""

import hypothesis.strategies as st
import numpy as np

from tests.support.worlds import lattices


@st.composite
def tracked(draw, most: int = 8):
    """(gallery, track): up to ``most`` tracks of 1, 2 or 4 images on a lattice, rows in any order, -1 none."""
    sizes = draw(st.lists(st.sampled_from([1, 2, 4]), min_size=1, max_size=most))
    alone = draw(st.lists(st.booleans(), min_size=len(sizes), max_size=len(sizes)))
    names = [
        -1 if lonely and size == 1 else 3 * i for i, (size, lonely) in enumerate(zip(sizes, alone, strict=True))
    ]
    track = np.array(draw(st.permutations(np.repeat(names, sizes).tolist())), np.int64)
    return draw(lattices(st.just(len(track)))), track


def labels(count: int) -> st.SearchStrategy[np.ndarray]:
    """(count,) tracks of any size, -1 none."""
    return st.lists(st.integers(-1, 4), min_size=count, max_size=count).map(lambda x: np.array(x, np.int64))
