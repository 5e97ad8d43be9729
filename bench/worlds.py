"""Features of the sizes that are measured: identities around centres, unit length, from a seed."""

import numpy as np

from postproc.testing.worlds import around

SIZES = {  # queries, gallery, dimensions, identities
    "S": (500, 3000, 512, 200),
    "M": (1052, 18290, 2048, 333),
    "L": (3368, 15913, 2048, 750),
    "T": (3000, 27000, 512, 1000),  # a third of XL
    "XL": (11659, 82161, 512, 3060),
}


def features(size: str, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Query and gallery features of a size, made block by block so that nothing larger exists meanwhile."""
    nq, ng, d, people = SIZES[size]
    rng = np.random.default_rng(seed)
    centre = rng.standard_normal((people, d), dtype=np.float32)

    def side(count: int) -> np.ndarray:
        return around(rng, centre, rng.integers(0, people, count), 2, unit=True)

    return side(nq), side(ng)
