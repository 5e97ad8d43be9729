"""The CUDA back end: the functions of :mod:`postproc.kernels.cpu` for tensors on a device, nothing to compile.

torch multiplies, sorts and adds up; numba.cuda compiles the rest at first use, on the tensors' own memory. Each
entry of an answer has one owner and its sums one order, so two runs agree bit for bit.
"""

try:
    import array_api_compat  # noqa: F401
    import torch

    if torch.cuda.is_available():  # without a GPU, the simulator is numba's own
        import numba_cuda  # noqa: F401
except ImportError as error:
    raise ImportError(
        f"CUDA tensors need torch, numba-cuda and array-api-compat, and {error.name or error} is missing: "
        "pip install 'reid-ensemble[cuda]'",
        name=error.name,
    ) from error

from postproc.kernels.cuda.cameras import reciprocal_pairs
from postproc.kernels.cuda.cas import (
    meet_halves,
    product_of_rows,
    smooth_candidates,
    walk_halves,
)
from postproc.kernels.cuda.codes import differing_bits, pack_bits, words
from postproc.kernels.cuda.constrained import constrain_pairs, constrain_tile
from postproc.kernels.cuda.constraints import (
    add_by_label,
    add_combinations,
    add_where_alike,
    add_where_near,
    scale_by_table,
    subtract_from,
)
from postproc.kernels.cuda.diffusion import (
    COLUMNS,
    conjugate_gradients,
    drop_repeats,
    reached_first,
    regularized_powers,
    sums_of_rows,
    truncated_solutions,
)
from postproc.kernels.cuda.exclusion import raise_excluded
from postproc.kernels.cuda.expansion import add_neighbours, similarities
from postproc.kernels.cuda.gallery import nearest_before
from postproc.kernels.cuda.geodesic import (
    blend_geodesics,
    divergences,
    needed_edges,
)
from postproc.kernels.cuda.nearest import NOBODY, offer_both, offer_rows, sort_heaps, spread_lists
from postproc.kernels.cuda.normalise import (
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
from postproc.kernels.cuda.propagation import (
    products_within,
    propagate,
    weighted_sums,
)
from postproc.kernels.cuda.ranking import order_rows
from postproc.kernels.cuda.reciprocal import fill_known, finish_strip, mutual, reciprocal_sets, to_weights
from postproc.kernels.cuda.rewriting import move_other_tracks, rewrite_distances
from postproc.kernels.cuda.rows import differ, hash_rows, products_of_pairs, square_norms
from postproc.kernels.cuda.shortlists import blur, mix_with_means, write_to_copies
from postproc.kernels.cuda.sparse import add_products, invert, plus_transposed, squares_of_rows, sum_of_rows
from postproc.kernels.cuda.spatio_temporal import join_pairs, join_tile
from postproc.kernels.cuda.tiles import (
    add_outside_tracks,
    add_same_camera,
    keep_cameras,
    multiply,
    products_to_distances,
    scatter,
    zero_diagonal,
    zero_same_track,
)
from postproc.kernels.cuda.tracks import (
    GREATEST,
    LEAST,
    MEAN,
    augment_in_tracks,
    give_nearest_first,
    means_of_tracks,
    reduce_tracks,
    spread_tracks,
    weigh_by_queries,
)
from postproc.kernels.cuda.walk import over_rows, run

__all__ = [
    "COLUMNS",
    "GREATEST",
    "KERNEL",
    "LEAST",
    "MEAN",
    "NOBODY",
    "RATIO",
    "ROOT",
    "add_by_label",
    "add_combinations",
    "add_neighbours",
    "add_outside_tracks",
    "add_products",
    "add_same_camera",
    "add_to_columns",
    "add_where_alike",
    "add_where_near",
    "augment_in_tracks",
    "blend_geodesics",
    "blur",
    "conjugate_gradients",
    "constrain_pairs",
    "constrain_tile",
    "count_beyond",
    "differ",
    "differing_bits",
    "divergences",
    "drop_repeats",
    "fill_known",
    "finish_strip",
    "give_nearest_first",
    "hash_rows",
    "invert",
    "join_pairs",
    "join_tile",
    "keep_cameras",
    "log_sums_of_rows",
    "means_of_tracks",
    "meet_halves",
    "mix_with_means",
    "moments",
    "move_other_tracks",
    "multiply",
    "mutual",
    "mutual_normal",
    "nearest_before",
    "needed_edges",
    "offer_both",
    "offer_rows",
    "order_rows",
    "over_rows",
    "pack_bits",
    "plus_transposed",
    "product_of_rows",
    "products_of_pairs",
    "products_to_distances",
    "products_within",
    "propagate",
    "raise_excluded",
    "reached_first",
    "reciprocal_pairs",
    "reciprocal_sets",
    "reduce_tracks",
    "regularized_powers",
    "rescale",
    "rewrite_distances",
    "run",
    "scale_by_table",
    "scatter",
    "shift",
    "similarities",
    "smooth_candidates",
    "sort_heaps",
    "spread_lists",
    "spread_tracks",
    "square_norms",
    "squares_of_rows",
    "subtract_from",
    "sum_of_rows",
    "sums_of_rows",
    "to_weights",
    "truncated_solutions",
    "walk_halves",
    "weigh_by_queries",
    "weighted_sums",
    "words",
    "write_to_copies",
    "zero_diagonal",
    "zero_same_track",
]
