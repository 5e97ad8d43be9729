"""Pictures, models and ONNX files made by hand, for the tests of the extractors."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from PIL import Image


def picture(seed: int, size: tuple[int, int] = (40, 30)) -> np.ndarray:
    """(height, width, 3) uint8: smooth enough that JPEG keeps it."""
    random = np.random.default_rng(seed)
    small = Image.fromarray(random.integers(0, 256, (5, 4, 3), dtype=np.uint8))
    return np.asarray(small.resize(size[::-1], Image.Resampling.BICUBIC))


def save(path: Path, pixels: np.ndarray) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)
    return path


def city(folder: Path, queries: int = 3, gallery: int = 5, size: tuple[int, int] = (40, 30)) -> Path:
    """Folders as the AI City challenge has them."""
    for name, count, first in (("image_query", queries, 0), ("image_test", gallery, 100)):
        for number in range(count):
            save(folder / name / f"{number + 1:06d}.png", picture(first + number, size))
    return folder


class Plain:
    """A model that anybody can check: means of 4 x 4 blocks of each channel, and what else is asked for."""

    name, digest = "plain", "0" * 64
    mean, std = (0.5, 0.4, 0.3), (0.2, 0.3, 0.4)

    def __init__(
        self, size: tuple[int, int] = (16, 12), more: Callable[[np.ndarray], dict[str, np.ndarray]] | None = None
    ) -> None:
        self.size, self.more = size, more
        self.seen: list[np.ndarray] = []

    def __call__(self, images: np.ndarray) -> dict[str, np.ndarray]:
        self.seen.append(images.copy())
        rows = np.array_split(images, 4, axis=2)
        blocks = [part.mean(axis=(2, 3)) for row in rows for part in np.array_split(row, 4, axis=3)]
        return {"": np.concatenate(blocks, axis=1), **(self.more(images) if self.more else {})}


def onnx(path: Path, sizes: Sequence[int | str] = ("n", 3, "h", "w")) -> Path:
    """A network of one layer as an ONNX file, written byte by byte: outputs ``mean`` and ``top`` (n, 3)."""
    nodes = []
    for kind, out in (("GlobalAveragePool", "mean"), ("GlobalMaxPool", "top")):
        nodes.append(_text(1, "images") + _text(2, f"{out}4") + _text(4, kind))
        nodes.append(_text(1, f"{out}4") + _text(2, out) + _text(4, "Flatten"))
    graph = b"".join(_bytes(1, node) for node in nodes) + _text(2, "graph")
    graph += _bytes(11, _value("images", sizes))
    graph += b"".join(
        _bytes(12, _value(out, ("n" if isinstance(sizes[0], str) else sizes[0], 3))) for out in ("mean", "top")
    )
    model = _number(1, 8) + _bytes(7, graph) + _bytes(8, _number(2, 13))
    path.write_bytes(model)
    return path


def _value(name: str, sizes: Sequence[int | str]) -> bytes:
    dims = b"".join(_bytes(1, _number(1, d) if isinstance(d, int) else _text(2, d)) for d in sizes)
    return _text(1, name) + _bytes(2, _bytes(1, _number(1, 1) + _bytes(2, dims)))


def _varint(value: int) -> bytes:
    out = b""
    while value > 127:
        out += bytes([value % 128 + 128])
        value //= 128
    return out + bytes([value])


def _number(field: int, value: int) -> bytes:
    return _varint(field * 8) + _varint(value)


def _bytes(field: int, content: bytes) -> bytes:
    return _varint(field * 8 + 2) + _varint(len(content)) + content


def _text(field: int, text: str) -> bytes:
    return _bytes(field, text.encode())
