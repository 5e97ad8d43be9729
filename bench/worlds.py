"""Features of the sizes that are measured: identities around centres, unit length, from a seed."""

import numpy as np

SIZES = {  # queries, gallery, dimensions, identities
    "S": (500, 3000, 512, 200),
    "M": (1052, 18290, 2048, 333),
    "L": (3368, 15913, 2048, 750),
    "XL": (11659, 82161, 512, 3060),
}


def features(size: str, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Query and gallery features of a size, made block by block so that nothing larger exists meanwhile."""
    nq, ng, d, people = SIZES[size]
    rng = np.random.default_rng(seed)
    centre = rng.standard_normal((people, d), dtype=np.float32)

    def side(count: int) -> np.ndarray:
        rows = np.empty((count, d), np.float32)
        for start in range(0, count, 1024):
            block = rows[start : start + 1024]
            block[:] = centre[rng.integers(0, people, len(block))]
            block += 2 * rng.standard_normal(block.shape, dtype=np.float32)
            block /= np.linalg.norm(block, axis=1, keepdims=True)
        return rows

    return side(nq), side(ng)
