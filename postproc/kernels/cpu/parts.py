"""Distances of images of which some parts are seen."""

import numpy as np

from postproc.kernels.compiled import compiled


@compiled
def over_common_parts(strip, query, gallery, query_length, gallery_length, far, start, stop):
    """Rows ``start:stop`` of a strip, in place: squared distances of weighted parts -> 2 - 2 (mean cosine).

    ``query`` (rows, p) and ``gallery`` (p, columns) are the roots of what each image shows of each part, and
    ``*_length`` the squared lengths of its weighted parts, all float64. Without a common part it is ``far``.
    """
    common = np.empty(gallery.shape[1])
    for i in range(start, stop):
        common[:] = 0
        for part in range(gallery.shape[0]):
            seen, row = query[i, part], gallery[part]
            if seen > 0:
                for j in range(common.size):
                    common[j] += seen * row[j]
        for j in range(common.size):
            product = (query_length[i] + gallery_length[j] - strip[i, j]) / 2
            strip[i, j] = min(max(2 - 2 * product / common[j], 0.0), 4.0) if common[j] > 0 else far
