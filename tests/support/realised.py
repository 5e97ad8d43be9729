"""Tables that released data came with, as features of side models that say the same."""

import numpy as np


def views_of(table, query_class, gallery_class, alike=0.25):
    """Features (nq, n), (ng, n) of which two different images have a cosine of ``alike`` or more exactly where the
    table of their classes has; how far they are from it is of no account.
    """
    classes = np.concatenate([query_class, gallery_class])
    signs = np.where(table[classes][:, classes] >= alike, 1.0, -1.0)
    np.fill_diagonal(signs, 0)
    signs *= 0.9 * (1 - alike) / max(np.abs(np.linalg.eigvalsh(signs)).max(), 1e-9)
    products = alike + signs
    np.fill_diagonal(products, 1)
    values, vectors = np.linalg.eigh(products)
    rows = (vectors * np.sqrt(np.maximum(values, 0))).astype(np.float32)
    return rows[: len(query_class)], rows[len(query_class) :]


def masked_parts(query, gallery, mask):
    """A part that is only compared where ``mask`` (nq, ng) says so, as one part for each query, side by side."""
    mine = [query * (np.arange(len(query)) == i)[:, None] for i in range(len(query))]
    theirs = [gallery * row[:, None] for row in mask > 0]
    return np.concatenate(mine, axis=1), np.concatenate(theirs, axis=1)


def baidu_parts(released):
    """Widths, then features of queries and gallery: back, front, left and right (masked), and all mirrored."""
    sides = [
        (released[f"q_{name}"], released[f"g_{name}"]) for name in ("back", "front", "back_flip", "front_flip")
    ]
    masks = [
        masked_parts(released[f"q_{name}"], released[f"g_{name}"], released["skip_mask_left_right"])
        for name in ("left_right", "left_right_flip")
    ]
    widths = [query.shape[1] for query, _ in sides]
    for name in ("left_right", "left_right_flip"):
        widths += [released[f"q_{name}"].shape[1]] * len(released["q"])
    query, gallery = (np.concatenate(each, axis=1) for each in zip(*sides, *masks, strict=True))
    return widths, query, gallery
