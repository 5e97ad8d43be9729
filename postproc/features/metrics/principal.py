"""The principal directions of the training images."""

import numpy as np

from postproc.features import linear

NONE = 1e-10  # of the largest variance: outside the span of the images


def principal_directions(train: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Variances (r,), largest first, and orthonormal directions (d, r) of the centred rows; those of no variance
    are left out. Of dimensions and images the fewer make the matrix whose eigenvectors are found.
    """
    count, width = train.shape
    centre = linear.mean(train)
    if width <= count:
        total = linear.outer_sum(lambda rows, columns: train[rows, columns] - centre[columns], count, width)
        values, vectors = np.linalg.eigh(total)
        inside = values > NONE * values[-1]
        values, vectors = values[inside][::-1], vectors[:, inside][:, ::-1]
    else:
        moved = train - centre
        products = linear.outer_sum(lambda rows, columns: moved.T[rows, columns], width, count)
        values, images = np.linalg.eigh(products)
        inside = values > NONE * values[-1]
        values, images = values[inside][::-1], images[:, inside][:, ::-1]
        vectors = moved.T @ (images / np.sqrt(values))
    return values / count, linear.with_fixed_signs(vectors)
