"""The numba back end. Contract of every kernel: its docstring; nothing here checks its input."""

from postproc.kernels.cpu.cameras import reciprocal_pairs
from postproc.kernels.cpu.cas import meet_halves, product_of_rows, smooth_candidates, walk_halves
from postproc.kernels.cpu.codes import (
    coarse_to_fine_rows,
    count_differing_bits,
    differing_bits,
    pack_bits,
    words,
)
from postproc.kernels.cpu.constrained import constrain_pairs, constrain_tile
from postproc.kernels.cpu.constraints import (
    add_by_label,
    add_combinations,
    add_where_alike,
    add_where_near,
    scale_by_table,
    subtract_from,
)
from postproc.kernels.cpu.diffusion import (
    COLUMNS,
    conjugate_gradients,
    drop_repeats,
    reached_first,
    regularized_powers,
    sums_of_rows,
    truncated_solutions,
)
from postproc.kernels.cpu.exclusion import means_of_blocks, raise_excluded
from postproc.kernels.cpu.expansion import add_neighbours, similarities
from postproc.kernels.cpu.gallery import nearest_before
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
from postproc.kernels.cpu.propagation import products_within, propagate, weighted_sums
from postproc.kernels.cpu.ranking import order_rows
from postproc.kernels.cpu.reciprocal import (
    fill_known,
    finish_strip,
    mutual,
    reciprocal_sets,
    to_weights,
)
from postproc.kernels.cpu.rewriting import (
    move_other_tracks,
    move_other_tracks_in_lists,
    rewrite_distances,
    rewrite_lists,
)
from postproc.kernels.cpu.rows import differ, hash_rows, products_of_pairs, square_norms
from postproc.kernels.cpu.shortlists import blur, mix_with_means, write_to_copies
from postproc.kernels.cpu.sparse import add_products, invert, plus_transposed, squares_of_rows, sum_of_rows
from postproc.kernels.cpu.spatio_temporal import join_pairs, join_tile
from postproc.kernels.cpu.tiles import (
    add_outside_tracks,
    add_same_camera,
    keep_cameras,
    multiply,
    products_to_distances,
    scatter,
    zero_diagonal,
    zero_same_track,
)
from postproc.kernels.cpu.tracks import (
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
from postproc.runtime import over_rows, run

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
    "coarse_to_fine_rows",
    "conjugate_gradients",
    "constrain_pairs",
    "constrain_tile",
    "count_beyond",
    "count_differing_bits",
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
    "means_of_blocks",
    "means_of_tracks",
    "meet_halves",
    "mix_with_means",
    "moments",
    "move_other_tracks",
    "move_other_tracks_in_lists",
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
    "rewrite_lists",
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
