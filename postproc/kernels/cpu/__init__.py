"""The numba back end. Contract of every kernel: its docstring; nothing here checks its input."""

from postproc.kernels.cpu.nearest import NOBODY, offer_both, offer_rows, sort_heaps, spread_lists
from postproc.kernels.cpu.reciprocal import (
    fill_known,
    finish_strip,
    invert,
    mean_of_rows,
    mutual,
    reciprocal_sets,
    to_weights,
)
from postproc.kernels.cpu.rows import differ, hash_rows, products_of_pairs, square_norms
from postproc.kernels.cpu.sparse import add_products
from postproc.kernels.cpu.tiles import (
    add_same_camera,
    keep_cameras,
    products_to_distances,
    scatter,
    zero_same_track,
)

__all__ = [
    "NOBODY",
    "add_products",
    "add_same_camera",
    "differ",
    "fill_known",
    "finish_strip",
    "hash_rows",
    "invert",
    "keep_cameras",
    "mean_of_rows",
    "mutual",
    "offer_both",
    "offer_rows",
    "products_of_pairs",
    "products_to_distances",
    "reciprocal_sets",
    "scatter",
    "sort_heaps",
    "spread_lists",
    "square_norms",
    "to_weights",
    "zero_same_track",
]
