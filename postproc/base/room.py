"""Where a CUDA device has no room, a sentence says what to do."""

from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def room(what: str) -> Iterator[None]:
    """Turn torch's error into a MemoryError that says what needed the room, and the remedy."""
    import torch

    try:
        yield
    except torch.OutOfMemoryError as error:
        free, whole = (size / 2**30 for size in torch.cuda.mem_get_info())
        raise MemoryError(
            f"{what}: the CUDA device has no room ({free:.1f} of {whole:.1f} GiB are free); set top_k, so that no "
            "matrix of all distances exists, and hand the gallery as a NumPy array, which comes here in blocks"
        ) from error
