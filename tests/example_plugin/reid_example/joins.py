"""A join of distances."""

import numpy as np

from ensemble.fusion.join import Parts, join
from postproc.base.step import KEPT
from postproc.base.vocabulary import Floats


@join(unit=KEPT, host_only=True)
def harmonic_mean(distances: Parts, *, floor: float = 1e-6) -> Floats:
    """Take the harmonic mean of what the parts say: ``n / sum_m 1 / max(D_m, floor)``.

    Takes:   distances, one (nq, n) float32 a part, all in one unit.
    Returns: (nq, n) float32, same unit. One part that is near outweighs the others.
    floor:   above 0; smaller distances count as this.
    """
    inverse = sum(1 / np.maximum(np.asarray(part, np.float64), floor) for part in distances)
    return (len(distances) / inverse).astype(np.float32)
