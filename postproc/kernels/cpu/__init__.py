"""The numba back end. Contract of every kernel: its docstring; nothing here checks its input."""

from postproc.kernels.cpu.cameras import reciprocal_pairs
from postproc.kernels.cpu.cas import meet_halves, product_of_rows, smooth_candidates, walk_halves
from postproc.kernels.cpu.diffusion import (
    conjugate_gradients,
    drop_repeats,
    reached_first,
    regularized_powers,
    truncated_solutions,
)
from postproc.kernels.cpu.expansion import add_neighbours
from postproc.kernels.cpu.geodesic import blend_geodesics, divergences, needed_edges
from postproc.kernels.cpu.nearest import NOBODY, offer_both, offer_rows, sort_heaps, spread_lists
from postproc.kernels.cpu.normalise import (
    KERNEL,
    RATIO,
    ROOT,
    add_to_columns,
    count_beyond,
    log_sums_of_rows,
    moments,
    mutual_normal,
    rescale,
    shift,
)
from postproc.kernels.cpu.reciprocal import (
    fill_known,
    finish_strip,
    mutual,
    reciprocal_sets,
    to_weights,
)
from postproc.kernels.cpu.rows import differ, hash_rows, products_of_pairs, square_norms
from postproc.kernels.cpu.shortlists import blur, mix_with_means, write_to_copies
from postproc.kernels.cpu.sparse import add_products, invert, sum_of_rows
from postproc.kernels.cpu.tiles import (
    add_same_camera,
    keep_cameras,
    products_to_distances,
    scatter,
    zero_same_track,
)

__all__ = [
    "KERNEL",
    "NOBODY",
    "RATIO",
    "ROOT",
    "add_neighbours",
    "add_products",
    "add_same_camera",
    "add_to_columns",
    "blend_geodesics",
    "blur",
    "conjugate_gradients",
    "count_beyond",
    "differ",
    "divergences",
    "drop_repeats",
    "fill_known",
    "finish_strip",
    "hash_rows",
    "invert",
    "keep_cameras",
    "log_sums_of_rows",
    "meet_halves",
    "mix_with_means",
    "moments",
    "mutual",
    "mutual_normal",
    "needed_edges",
    "offer_both",
    "offer_rows",
    "product_of_rows",
    "products_of_pairs",
    "products_to_distances",
    "reached_first",
    "reciprocal_pairs",
    "reciprocal_sets",
    "regularized_powers",
    "rescale",
    "scatter",
    "shift",
    "smooth_candidates",
    "sort_heaps",
    "spread_lists",
    "square_norms",
    "sum_of_rows",
    "to_weights",
    "truncated_solutions",
    "walk_halves",
    "write_to_copies",
    "zero_same_track",
]
