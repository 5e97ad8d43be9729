"""What a call will hold, against the memory that is free: who cannot run says so before the work begins.

A step declares what it holds beside data and answer. The answer follows from the sizes, and so does a copy of
features that are not float32 yet. ``REID_MEMORY_CHECK=0`` lets every call begin.
"""

import os
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from postproc.base import arrays, machine, runtime
from postproc.base.sizes import SINGLE, Sizes
from postproc.base.stored import Stored
from postproc.base.vocabulary import VOCABULARY

VARIABLE = "REID_MEMORY_CHECK"
LEAST = 256 << 20  # bytes that nobody counts
AROUND = 2048  # bytes an image that lists and sparse rows may take


def refuse(
    name: str,
    memory: Callable[[Sizes, Mapping[str, Any]], int],
    given: Mapping[str, Any],
    chosen: Mapping[str, Any],
    returned: tuple[str, ...],
) -> None:
    """Raise MemoryError where a call wants more than is free.

    memory: what the step declares; given: all data and settings; chosen: all settings; returned: what comes back.
    """
    sizes = sizes_of(given)
    if sizes is None or not _is_large(sizes) or not is_wanted():
        return
    free = machine.free_memory()
    if free is None:
        return
    top_k = chosen.get("top_k")
    held = memory(sizes, chosen) + _converted(given)
    wanted = held + _answer(sizes, top_k, returned)
    if wanted <= free:
        return
    what = f"{sizes.nq:,} x {sizes.ng:,} distances and " if "distances" in returned and top_k is None else ""
    remedies = ["take fewer images or a larger machine"]
    if top_k is None and "top_k" in chosen:
        remedies.insert(0, "set top_k, so that no matrix of all distances exists")
    raise MemoryError(
        f"{name}: wanted {wanted / 1e9:.2f} GB beside the data, for {what}what it holds meanwhile, found "
        f"{free / 1e9:.2f} GB free; {', '.join(remedies)}, or set {VARIABLE}=0 to try it all the same"
    )


def is_wanted() -> bool:
    """Whether what has no room is to be refused, which the environment may say."""
    return os.environ.get(VARIABLE, "").strip() != "0"


def sizes_of(given: Mapping[str, Any]) -> Sizes | None:
    """The sizes of what a step was handed; None where that is no array on the host."""
    shapes = {}
    for name, value in given.items():
        shape = getattr(value, "shape", None)
        if name not in VOCABULARY or shape is None or len(shape) != len(VOCABULARY[name].axes):
            continue
        if arrays.on_cuda(value):
            return None
        shapes[name] = tuple(map(int, shape))
    counts: dict[str, int] = {}
    for name, shape in shapes.items():
        counts |= dict(zip(VOCABULARY[name].axes, shape, strict=True))
    if not counts:
        return None
    on_disk = frozenset(name for name in ("query", "gallery") if isinstance(given.get(name), Stored))
    one_set = "query" in shapes and "gallery" in given and given["gallery"] is None
    wide = next((shapes[name] for name in ("query", "gallery", "features", "train") if name in shapes), (0, 0))
    ng = counts["nq"] if one_set else counts.get("ng", counts.get("features", 0))
    return Sizes(
        nq=counts.get("nq", 0), ng=ng, train=counts.get("train", 0), width=wide[1], aux=counts.get("a", 0),
        tracks=ng, threads=runtime.current().threads, given=frozenset(shapes), one_set=one_set,
        on_disk=on_disk,
    )  # fmt: skip


def _is_large(sizes: Sizes) -> bool:
    features = SINGLE * (sizes.images + sizes.train) * (sizes.width + sizes.aux)
    return sizes.ng > 0 and sizes.matrix + features + AROUND * (sizes.images + sizes.train) > LEAST


def _answer(sizes: Sizes, top_k: int | None, returned: tuple[str, ...]) -> int:
    """Bytes of what comes back."""
    if "distances" in returned:
        return sizes.matrix if top_k is None else 2 * SINGLE * sizes.nq * min(top_k, sizes.ng)
    counts = {"query": sizes.nq, "gallery": sizes.ng, "features": sizes.ng, "train": sizes.train}
    return sum(SINGLE * counts.get(name, 0) * sizes.width for name in returned)


def _converted(given: Mapping[str, Any]) -> int:
    """Bytes of float32 copies of matrices that are something else."""
    found = 0
    for name, value in given.items():
        is_matrix = isinstance(value, np.ndarray) and name in VOCABULARY and VOCABULARY[name].kind == "float32"
        if is_matrix and value.ndim == 2:
            found += 0 if value.dtype == np.float32 and value.flags.c_contiguous else SINGLE * value.size
    return found
