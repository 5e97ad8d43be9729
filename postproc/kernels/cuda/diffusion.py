"""Diffusion on a sparse graph, as in :mod:`postproc.kernels.cpu.diffusion`.

Neighbouring threads take neighbouring columns of (n, columns), so that a row is read along. Sums over all rows are
sums of sums over ROWS of them, and their order depends on the shape alone.
"""

from math import sqrt

import numpy as np
import torch
from numba import cuda

from postproc.base.vocabulary import Array
from postproc.kernels.cuda import block, launch

COLUMNS = {np.float64: launch.THREADS}  # that are solved side by side, a thread each
POWERS = launch.THREADS
ROWS = 16  # of one block
LOOKS = 5  # iterations between two looks at whether everything is done, each of which waits for the device
ROOM = 1 << 27  # links, of the graphs that are solved at a time: 8 bytes each
NOBODY = np.int32(2**31 - 1)  # behind every node


def sums_of_rows(offsets, values, start, stop, out):
    """A thread a row."""
    launch.rows(_sums_of_rows, stop - start, offsets, values, start, out)


@cuda.jit(cache=True)
def _sums_of_rows(count, offsets, values, start, out):
    thread = cuda.grid(1)
    if thread >= count:
        return
    i = start + thread
    total = np.float64(0)
    for at in range(offsets[i], offsets[i + 1]):
        total += values[at]
    out[i] = total


def order_of_nodes(offsets, members, weights):
    """As they are: a device has other things to do while it waits for memory."""
    return torch.arange(len(offsets) - 1, dtype=torch.int32, device=offsets.device)


@cuda.jit(device=True)
def _product(offsets, members, weights, x, i, b, zero):
    """Entry (i, b) of ``S x``, summed in the type of ``zero``."""
    total = zero
    for at in range(offsets[i], offsets[i + 1]):
        total += weights[at] * x[members[at], b]
    return total


@cuda.jit(device=True)
def _apart(offsets, members, weights, x, i, b):
    """What entry (i, b) is below its neighbours'."""
    total = np.float64(0)
    for at in range(offsets[i], offsets[i + 1]):
        total += weights[at] * (x[members[at], b] - x[i, b])
    return total


def room_of(n, like, parts=5):
    """None: torch lends memory again by itself."""


def conjugate_gradients(
    offsets, members, weights, masses, alpha, nodes, values, iterations, tolerance, smooth, room=None
):  # fmt: skip
    """Three kernels an iteration: the matrix, the step, the new direction."""
    n, columns = len(offsets) - 1, len(nodes)
    blocks = -(-n // ROWS)
    x, best, residual = values.new_zeros((3, n, columns))
    residual[nodes.long(), torch.arange(columns, device=nodes.device)[:, None]] = values
    direction, image = residual.clone(), torch.empty_like(residual)
    parts = values.new_empty((blocks, columns))
    launch.blocks(_squares, blocks, masses, residual, parts)
    square = parts.sum(dim=0)
    smallest, limit = square.clone(), tolerance * tolerance * square
    next_square, next_smallest = torch.empty_like(square), torch.empty_like(square)
    for at in range(iterations):
        if at % LOOKS == 0 and not bool((smallest > limit).any()):
            break
        launch.blocks(_apply, blocks, offsets, members, weights, masses, alpha, direction, image, parts)
        across = parts.sum(dim=0)
        launch.blocks(
            _advance, blocks, masses, square, across, smallest, limit, direction, image, x, residual, parts
        )  # fmt: skip
        after = parts.sum(dim=0)
        launch.blocks(
            _turn, blocks, square, across, smallest, limit, after, smooth, x, residual, best, direction,
            next_square, next_smallest,
        )  # fmt: skip
        square, next_square = next_square, square
        smallest, next_smallest = next_smallest, smallest
    return best


@cuda.jit(cache=True)
def _squares(masses, y, parts):
    first = cuda.blockIdx.x * ROWS
    for b in range(cuda.threadIdx.x, y.shape[1], cuda.blockDim.x):
        total = np.float64(0)
        for i in range(first, min(first + ROWS, y.shape[0])):
            total += masses[i] * (y[i, b] * y[i, b])
        parts[cuda.blockIdx.x, b] = total


@cuda.jit(cache=True)
def _apply(offsets, members, weights, masses, alpha, direction, image, parts):
    """The matrix times the directions, and the products of both."""
    first = cuda.blockIdx.x * ROWS
    for b in range(cuda.threadIdx.x, direction.shape[1], cuda.blockDim.x):
        across = np.float64(0)
        for i in range(first, min(first + ROWS, direction.shape[0])):
            own = 1 - alpha if offsets[i] < offsets[i + 1] else np.float64(1)
            value = own * direction[i, b] - alpha * _apart(offsets, members, weights, direction, i, b)
            image[i, b] = value
            across += masses[i] * (direction[i, b] * value)
        parts[cuda.blockIdx.x, b] = across


@cuda.jit(device=True)
def _step(square, across, smallest, limit):
    """How far to go; 0 for a column that is done."""
    return square / across if smallest > limit and across > 0 else np.float64(0)


@cuda.jit(cache=True)
def _advance(masses, square, across, smallest, limit, direction, image, x, residual, parts):
    """A step, and the squares of what remains."""
    first = cuda.blockIdx.x * ROWS
    for b in range(cuda.threadIdx.x, x.shape[1], cuda.blockDim.x):
        step = _step(square[b], across[b], smallest[b], limit[b])
        after = np.float64(0)
        for i in range(first, min(first + ROWS, x.shape[0])):
            x[i, b] += step * direction[i, b]
            left = residual[i, b] - step * image[i, b]
            residual[i, b] = left
            after += masses[i] * (left * left)
        parts[cuda.blockIdx.x, b] = after


@cuda.jit(cache=True)
def _turn(
    square, across, smallest, limit, after, smooth, x, residual, best, direction, next_square, next_smallest
):
    """The best iterate so far and the next direction; the first block notes how long the residuals are."""
    first = cuda.blockIdx.x * ROWS
    for b in range(cuda.threadIdx.x, x.shape[1], cuda.blockDim.x):
        step = _step(square[b], across[b], smallest[b], limit[b])
        turn = after[b] / square[b] if square[b] > 0 else np.float64(0)
        share = np.float64(0)
        least = smallest[b]
        if step > 0 and smooth:
            share = least / (least + after[b])
            least = least * (after[b] / (least + after[b]))
        elif step > 0 and after[b] <= least:
            share = np.float64(1)
            least = after[b]
        if cuda.blockIdx.x == 0:
            next_square[b] = after[b]
            next_smallest[b] = least
        for i in range(first, min(first + ROWS, x.shape[0])):
            best[i, b] += share * (x[i, b] - best[i, b])
            direction[i, b] = residual[i, b] + turn * direction[i, b]


def regularized_powers(offsets, members, weights, alpha, nodes, scales, iterations, room=None):
    """Two kernels an iteration, each a product with S."""
    start = scales.new_zeros((len(offsets) - 1, len(nodes)))
    start[nodes.long(), torch.arange(len(nodes), device=nodes.device)] = scales
    v, once = start.clone(), torch.empty_like(start)
    for _ in range(iterations):
        launch.blocks(_multiply_single, len(v), offsets, members, weights, v, once)
        launch.blocks(_multiply_and_mix, len(v), offsets, members, weights, once, alpha, start, v)
    return v


@cuda.jit(cache=True)
def _multiply_single(offsets, members, weights, x, out):
    i = cuda.blockIdx.x
    for b in range(cuda.threadIdx.x, out.shape[1], cuda.blockDim.x):
        out[i, b] = _product(offsets, members, weights, x, i, b, np.float32(0))


@cuda.jit(cache=True)
def _multiply_and_mix(offsets, members, weights, x, alpha, start, out):
    i = cuda.blockIdx.x
    rest = np.float32(1) - np.float32(alpha)
    for b in range(cuda.threadIdx.x, out.shape[1], cuda.blockDim.x):
        there = _product(offsets, members, weights, x, i, b, np.float32(0))
        out[i, b] = np.float32(alpha) * there + rest * start[i, b]


def truncated_solutions(lists, offsets, members, weights, alpha, iterations, tolerance, unit, start, stop):
    """A block an image. Nodes ascend, and so do a row's members; their links are those of node beside node."""
    deepest = max(1, int(torch.diff(offsets).max()))
    step = max(1, ROOM // (lists.shape[1] * deepest))
    pieces = []
    for first in range(start, stop, step):
        nodes = _nodes(lists[first : min(first + step, stop)], first)
        shape = (len(nodes), deepest, nodes.shape[1])
        kept, ends = torch.empty_like(nodes), nodes.new_empty(shape)
        links = weights.new_empty(shape)
        launch.entries(_find_links, tuple(nodes.shape), nodes, offsets, members, weights, kept, ends, links)
        x, residual, direction, image = torch.empty((4, *nodes.shape), dtype=torch.float64, device=nodes.device)
        launch.blocks(
            _solve, len(nodes), nodes, first, kept, ends, links, alpha, iterations, tolerance * tolerance, unit,
            x, residual, direction, image,
        )  # fmt: skip
        there = x != 0
        pieces.append((there.sum(dim=1), nodes[there], x[there].to(torch.float32)))
    return tuple(torch.cat(part) for part in zip(*pieces, strict=True))


def _nodes(lists: Array, first: int) -> Array:
    """(rows, k) int32: the images ``first ...`` with what of their lists has room, ascending; then NOBODY."""
    own = torch.arange(first, first + len(lists), dtype=torch.int32, device=lists.device)[:, None]
    others = lists.masked_fill((lists < 0) | (lists == own), int(NOBODY))
    full = (others < int(NOBODY)).all(dim=1)  # no place is left for the image itself
    others[:, -1].masked_fill_(full, int(NOBODY))
    return torch.cat([own, others], dim=1).sort(dim=1, stable=True).values[:, :-1].contiguous()


@cuda.jit(device=True)
def _place(nodes, r, wanted):
    """Where ``wanted`` stands in row r, or -1."""
    low = 0
    high = nodes.shape[1]
    while low < high:
        middle = (low + high) // 2
        if nodes[r, middle] < wanted:
            low = middle + 1
        else:
            high = middle
    return low if low < nodes.shape[1] and nodes[r, low] == wanted else -1


@cuda.jit(cache=True)
def _find_links(nodes, offsets, members, weights, kept, ends, links):
    """The links inside the graph of row r, those of node a in ``ends[r, :kept[r, a], a]``."""
    r = cuda.blockIdx.x
    a = cuda.blockIdx.y * cuda.blockDim.x + cuda.threadIdx.x
    if a >= nodes.shape[1]:
        return
    count = 0
    if nodes[r, a] != NOBODY:
        for at in range(offsets[nodes[r, a]], offsets[nodes[r, a] + 1]):
            place = _place(nodes, r, members[at])
            if place >= 0:
                ends[r, count, a] = place
                links[r, count, a] = weights[at]
                count += 1
    kept[r, a] = count


@cuda.jit(cache=True)
def _solve(
    nodes, first, kept, ends, links, alpha, iterations, limit, unit, x, residual, direction, image
):  # fmt: skip
    """Conjugate gradients for ``(I - alpha S) x = e`` on the graph of one row, by all threads of a block."""
    r = cuda.blockIdx.x
    thread = cuda.threadIdx.x
    step = cuda.blockDim.x
    width = nodes.shape[1]
    for a in range(thread, width, step):
        begin = np.float64(1) if nodes[r, a] == first + r else np.float64(0)
        x[r, a] = 0
        residual[r, a] = begin
        direction[r, a] = begin
    cuda.syncthreads()
    square = np.float64(1)
    for _ in range(iterations):
        if square <= limit:
            break
        own = np.float64(0)
        for a in range(thread, width, step):
            there = np.float64(0)
            for t in range(kept[r, a]):
                there += np.float64(links[r, t, a]) * direction[r, ends[r, t, a]]
            value = direction[r, a] - alpha * there
            image[r, a] = value
            own += direction[r, a] * value
        across = block.total(own)
        if not across > 0:
            break
        gain = square / across
        own = np.float64(0)
        for a in range(thread, width, step):
            x[r, a] += gain * direction[r, a]
            left = residual[r, a] - gain * image[r, a]
            residual[r, a] = left
            own += left * left
        after = block.total(own)
        for a in range(thread, width, step):
            direction[r, a] = residual[r, a] + after / square * direction[r, a]
        square = after
        cuda.syncthreads()
    own = np.float64(0)
    for a in range(thread, width, step):
        own += x[r, a] * x[r, a]
    length = block.total(own)
    if unit and length > 0:
        for a in range(thread, width, step):
            x[r, a] /= sqrt(length)


def reached_first(scores, classes, scales, start, strip):
    """A thread an entry of the strip."""
    rows = min(scores.shape[1], len(strip) - start)
    launch.entries(_reached_first, (rows, len(classes)), scores, classes, scales, start, strip)


@cuda.jit(cache=True)
def _reached_first(scores, classes, scales, start, strip):
    b = cuda.blockIdx.x
    j = cuda.blockIdx.y * cuda.blockDim.x + cuda.threadIdx.x
    if j >= classes.size:
        return
    c = classes[j]
    score = np.float32(scores[c, b] * scales[c])
    if score > 0:
        strip[start + b, j] = -score
    elif strip[start + b, j] < 0:
        strip[start + b, j] = np.float32(0)


def drop_repeats(rows, classes, start, stop):
    """A thread an entry, which looks at those before it: the first of a class, which decides, never changes."""
    launch.entries(_drop_repeats, (stop - start, rows.shape[1]), rows, start)


@cuda.jit(cache=True)
def _drop_repeats(rows, start):
    i = start + cuda.blockIdx.x
    s = cuda.blockIdx.y * cuda.blockDim.x + cuda.threadIdx.x
    if s >= rows.shape[1]:
        return
    name = rows[i, s]
    for before in range(s):
        if rows[i, before] == name:
            rows[i, s] = np.int32(-1)
            break
