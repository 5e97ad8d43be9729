"""What steps hold beside their input and their answer, to be put together in their declarations.

    @step(unit=JACCARD, memory=held.compared(held.lists("k1", more=1), unit=True))

Every name here is a function of the sizes and all settings that gives bytes, or makes one. Images that are copies
of others take less. Sparse rows have as many entries as features around identities give them, where nothing bounds
them.
"""

from dataclasses import replace

from postproc.base import machine, temporary
from postproc.base.sizes import BLOCK, DOUBLE, SINGLE, Sizes
from postproc.base.sizes import block as block
from postproc.base.step import Chosen, Memory
from postproc.pairs import long_lists
from postproc.pairs.forecast import FEWEST
from postproc.pairs.layout import STRIP, edge_of, tall_of
from postproc.pairs.pruned import CANDIDATES, HITS
from postproc.pairs.pruned import STRIP as FULL

LABEL = 64  # bytes an image of what is found out about copies: keys, classes, lengths
ENTRY = 8  # bytes of a neighbour or of a sparse entry: a number and a weight
EDGE, ROWS = 512, 2048  # of what a covariance is added up from


def together(*parts: Memory) -> Memory:
    """All of them at once."""
    return lambda sizes, chosen: sum(part(sizes, chosen) for part in parts)


def either(*phases: Memory) -> Memory:
    """One after the other: the largest."""
    return lambda sizes, chosen: max(phase(sizes, chosen) for phase in phases)


def times(factor: float, part: Memory) -> Memory:
    """Several of a kind."""
    return lambda sizes, chosen: int(factor * part(sizes, chosen))


def before(part: Memory) -> Memory:
    """What is gone when the matrix of distances or the lists of the answer are made."""

    def left(sizes: Sizes, chosen: Chosen) -> int:
        k = chosen.get("top_k")
        answer = sizes.matrix if k is None else 2 * SINGLE * sizes.nq * min(k, sizes.ng)
        return max(0, part(sizes, chosen) - answer)

    return left


def images(count: float) -> Memory:
    """So many bytes an image."""
    return lambda sizes, chosen: int(count * sizes.images)


def scratch(count: float) -> Memory:
    """So many bytes an image in every thread."""
    return lambda sizes, chosen: int(count * sizes.images * sizes.threads)


def of_gallery(part: Memory) -> Memory:
    """The same with the gallery in the place of the queries too."""
    return lambda sizes, chosen: part(replace(sizes, nq=sizes.ng), chosen)


def gallery_strips(sizes: Sizes, chosen: Chosen) -> int:
    """A walk over strips of the gallery against itself, whose images stand twice and are copied for that."""
    edge = edge_of(sizes.ng)
    tiles = SINGLE * (sizes.threads * edge * edge + min(edge, tall_of(sizes.ng)) * sizes.ng)
    return gallery(sizes, chosen) + tiles + 2 * LABEL * sizes.ng


def if_whole(part: Memory) -> Memory:
    """Where all distances come back."""
    return lambda sizes, chosen: part(sizes, chosen) if chosen.get("top_k") is None else 0


def if_one_set(part: Memory) -> Memory:
    """Where queries and gallery are the same images."""
    return lambda sizes, chosen: part(sizes, chosen) if sizes.one_set else 0


def features(sizes: Sizes, chosen: Chosen) -> int:
    """Features of queries and gallery once more, as of unit length."""
    return sizes.features


def queries(sizes: Sizes, chosen: Chosen) -> int:
    """Features of the queries once more."""
    return SINGLE * sizes.nq * sizes.width


def gallery(sizes: Sizes, chosen: Chosen) -> int:
    """Features of the gallery once more."""
    return SINGLE * sizes.ng * sizes.width


def train(sizes: Sizes, chosen: Chosen) -> int:
    """Features of the training set once more."""
    return SINGLE * sizes.train * sizes.width


def side_models(sizes: Sizes, chosen: Chosen) -> int:
    """Features of the side models once more."""
    return SINGLE * sizes.images * sizes.aux


def codes(sizes: Sizes, chosen: Chosen) -> int:
    """Binary codes of features, also their first parts: packed, and in the words in which they are counted."""
    return (sizes.images + sizes.train) * sizes.width // 2


def square(sizes: Sizes, chosen: Chosen) -> int:
    """A matrix of values by values, in float64."""
    return DOUBLE * sizes.width**2


def matrix(sizes: Sizes, chosen: Chosen) -> int:
    """All distances once more."""
    return sizes.matrix


def by_track(sizes: Sizes, chosen: Chosen) -> int:
    """Distances of all queries to all tracks."""
    return SINGLE * sizes.nq * sizes.tracks


def blocks(sizes: Sizes, chosen: Chosen) -> int:
    """The same in every thread, as lengths are taken."""
    most = max(sizes.nq, sizes.ng)
    return 2 * DOUBLE * min(sizes.threads * BLOCK, most) * (sizes.width or sizes.aux)


def covariance(sizes: Sizes, chosen: Chosen) -> int:
    """Matrices of values by values in float64, and what adds them up (:mod:`postproc.features.linear`)."""
    pieces = -(-sizes.width // EDGE)
    tasks = min(sizes.threads, pieces * (pieces + 1) // 2)
    rows = min(ROWS, max(sizes.images, sizes.train))
    return 3 * square(sizes, chosen) + 12 * tasks * rows * min(EDGE, sizes.width)


def tiles(sizes: Sizes, chosen: Chosen) -> int:
    """A tile of distances a thread, and what tells images from their copies."""
    edge = edge_of(sizes.images)
    widest = max(_piece(sizes.nq, edge), _piece(sizes.ng, edge))
    return max(sizes.threads * SINGLE * widest * widest, pruned(sizes)) + LABEL * sizes.images


def pruned(sizes: Sizes) -> int:
    """What stands in the place of tiles where neighbours are found by whole numbers
    (:mod:`postproc.pairs.pruned`).

    A byte a value, candidates, and hits a thread; after them some rows a thread against all. Or nothing, where
    that is not done.
    """
    if sizes.images < FEWEST or not machine.int8():
        return 0
    numbers = sizes.images * (sizes.width + CANDIDATES) + sizes.threads * 12 * HITS
    return max(numbers, sizes.threads * SINGLE * FULL * sizes.images)


def walk(sizes: Sizes, chosen: Chosen) -> int:
    """Tiles, and before them the lengths of features."""
    return max(blocks(sizes, chosen), tiles(sizes, chosen))


def lists(*names: str, factor: int = 1, more: int = 0, side: str = "images") -> Memory:
    """Neighbours of all images (or those of a ``side``): as many as the largest of these settings and ``more``;
    or once, with what waits beside them while they are looked for."""

    def needed(sizes: Sizes, chosen: Chosen) -> int:
        longest = max((int(chosen[name] or 0) for name in names), default=0)
        once = min(longest + more, sizes.images)
        waiting = 0 if side == "nq" else long_lists.waiting_beside(once)
        each = max(min(factor * longest + more, sizes.images), once + waiting)
        return ENTRY * each * int(getattr(sizes, side))

    return needed


def strip(sizes: Sizes, chosen: Chosen) -> int:
    """:func:`strips` where only the nearest come back."""
    return 0 if chosen.get("top_k") is None else strips(sizes, chosen)


def strips(sizes: Sizes, chosen: Chosen) -> int:
    """Some queries' distances to the gallery, a block of images at a time."""
    tall = _piece(sizes.nq, min(edge_of(sizes.images), tall_of(sizes.ng)))
    return SINGLE * tall * sizes.ng


def slab(sizes: Sizes, chosen: Chosen) -> int:
    """The same where no block of images has to be kept to: as many queries as a strip may hold."""
    return 0 if chosen.get("top_k") is None else some_rows(sizes, chosen)


def some_rows(sizes: Sizes, chosen: Chosen) -> int:
    """A strip of a matrix."""
    return min(sizes.matrix, max(STRIP, 512 * sizes.ng))


def compared(*parts: Memory, unit: bool = False, copy: Memory | None = None) -> Memory:
    """A step on distances of features, and ``parts``.

    unit: of features that it brings to unit length first; copy: what else it copies first.
    """
    copied = copy or (features if unit else images(0))
    return either(before(together(copied, blocks)), together(copied, tiles, strip, *parts))


def by_metric(sizes: Sizes, chosen: Chosen) -> int:
    """Features of unit length where ``metric`` is cosine."""
    return sizes.features if chosen["metric"] == "cosine" else 0


def measured(sizes: Sizes, chosen: Chosen) -> int:
    """Distances by ``metric``. Features of unit length, where it is cosine, are a copy; those on disk stay there:
    lengths, and the rows that a thread has in work, which are divided in float64."""
    if not sizes.on_disk or chosen["metric"] != "cosine":
        return compared(copy=by_metric)(sizes, chosen)
    in_memory = {} if sizes.one_set else {side: n for side, n in sizes.sides.items() if side not in sizes.on_disk}
    copied = SINGLE * sum(in_memory.values()) * sizes.width
    edge = edge_of(sizes.images)
    tall, wide = _piece(sizes.nq, edge), _piece(sizes.ng, edge)
    in_work = SINGLE * tall * wide + sizes.width * (SINGLE * tall + (DOUBLE + 2 * SINGLE) * wide)
    looked_at = before(times(1.5, blocks))(sizes, chosen)  # as float32, divided, and their squares
    found = max(looked_at, sizes.threads * in_work + strip(sizes, chosen))
    return copied + found + (LABEL + DOUBLE) * sizes.images


def reciprocal(sizes: Sizes, chosen: Chosen) -> int:
    """Lists of ``k1`` neighbours, the sparse weights that k-reciprocal encoding makes of them, and what stands in
    the place of a second look at all pairs."""
    k1, k2 = int(chosen.get("k1", 1)), int(chosen.get("k2", 1))
    top_k = chosen.get("top_k")
    of = sizes.nq, sizes.ng, sizes.width, top_k
    wide = long_lists.length(*of, one_set=sizes.one_set)
    if wide is None or top_k is None:
        return encoded(sizes, chosen)
    long = long_lists.beside(*of, one_set=sizes.one_set)
    short = sizes.images * (
        ENTRY * (k1 + 1) + ENTRY * int((k1 + 1) * (1.5 + 0.75 * k2))
    )  # averages once, inverted
    if sizes.on_disk and sizes.one_set and temporary.is_large(sizes.images, wide):
        return max(
            long, short - ENTRY * sizes.nq * min(top_k, sizes.ng)
        )  # the answer is in a file before averages
    return long + short


def encoded(sizes: Sizes, chosen: Chosen) -> int:
    """The same where distances are not those of features alone; few distances are kept, all of them."""
    k1, k2 = int(chosen.get("k1", 1)), int(chosen.get("k2", 1))
    kept = sizes.matrix if long_lists.keeps_matrix(sizes.nq, sizes.ng, chosen.get("top_k")) else 0
    return kept + sizes.images * (ENTRY * max(k1 + 1, k2) + 3 * ENTRY * (k1 + 1) * (1 + k2 // 2))


def _piece(count: int, edge: int) -> int:
    """The longest of nearly equal pieces."""
    return -(-count // max(1, -(-count // max(1, edge))))
