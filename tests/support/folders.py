"""Feature folders written by hand, for the tests of the readers."""

import json
import pickle
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest

from ensemble.base.errors import InputError

TORCH = Path(__file__).parents[1] / "data" / "torch"


def names(count: int) -> list[str]:
    return [f"{number:06d}.jpg" for number in range(1, count + 1)]


def rows(count: int, width: int = 2, start: int = 1) -> np.ndarray:
    """Row i is ``start + i`` everywhere, so that a row tells which image it is."""
    return np.repeat(np.arange(start, start + count, dtype=np.float32)[:, None], width, axis=1)


def keyed(keys: Sequence[str], values: np.ndarray) -> dict[str, np.ndarray]:
    return dict(zip(keys, values, strict=True))


def pickled(path: Path, content: object) -> None:
    path.write_bytes(pickle.dumps(content))


def pair(folder: Path, model: str, query: object, gallery: object) -> None:
    pickled(folder / f"query_{model}.pkl", query)
    pickled(folder / f"gallery_{model}.pkl", gallery)


def listed(path: Path, lines: Sequence[object]) -> Path:
    path.write_text("".join(f"{line}\n" for line in lines))
    return path


def safetensors(path: Path, **tensors: tuple[str, np.ndarray]) -> None:
    """The format by hand: length of the header, header, data."""
    header, data = {}, b""
    for name, (dtype, array) in tensors.items():
        offsets = [len(data), len(data) + array.nbytes]
        header[name] = {"dtype": dtype, "shape": array.shape, "data_offsets": offsets}
        data += array.tobytes()
    text = json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + data)


def problems(call: Callable, *arguments: object, **settings: object) -> list[str]:
    with pytest.raises(InputError) as caught:
        call(*arguments, **settings)
    return caught.value.problems


def arrays(folder: Path, model: str, query: np.ndarray, gallery: np.ndarray) -> None:
    np.save(folder / f"query_{model}.npy", query)
    np.save(folder / f"gallery_{model}.npy", gallery)
