"""Features of several models side by side.

Source: gggcy/AIC2020_ReID ``concat_feature_val.py`` (no weights, nothing normalised).
"""

from collections.abc import Sequence
from typing import Annotated

import numpy as np

from ensemble.fusion import kinds, parts
from ensemble.fusion.join import Parts, join
from postproc import l2_normalize
from postproc.base import arrays
from postproc.base.sizes import SINGLE
from postproc.base.vocabulary import Floats
from postproc.base.work import Work

COPIED = 4  # bytes of work for a byte that is put beside others


@join(by_row=True, work=lambda sizes, chosen: Work(bytes=COPIED * SINGLE * sizes.parts * sizes.ng * sizes.width))
def concat(
    features: Parts,
    *,
    weights: Annotated[Sequence[float] | None, kinds.weights(0, all_zero=True)] = None,
    normalize: bool = False,
) -> Floats:
    """Put the features of several models side by side: ``[sqrt(w_1) x_1 | sqrt(w_2) x_2 | …]``.

    So the squared distance of the whole is the sum of the models' squared distances, times their weights.

    Takes:   features, one (n, d_m) float32 a model, the rows the same images in the same order.
    Returns: (n, d_1 + d_2 + …) float32.
    weights: one number of 0 or more a model; None: 1 each.
    normalize: bring every model's rows to unit length first. If not, a model with longer rows counts more.
    Raises:  ValueError for weights of another count, below 0 or not finite.
    Cost:    one copy.

    >>> concat([np.array([[1.0]], np.float32), np.array([[2.0]], np.float32)], weights=[4, 1])
    array([[2., 2.]], dtype=float32)
    """
    scale = np.sqrt(parts.weights(weights, len(features)))
    blocks = [l2_normalize(block) if normalize else block for block in features]
    return arrays.namespace(blocks[0]).concat(
        [block if w == 1 else block * np.float32(w) for block, w in zip(blocks, scale, strict=True)], axis=1
    )
