"""The weights of an ONNX file by the names of torchreid's layers, read without the onnx package.

An ONNX file is a protobuf message: fields of a number and a wire type (0 varint, 1 and 5 fixed, 2 bytes).
"""

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np

GRAPH, NODE, INITIALIZER = 7, 1, 5
TYPES = {1: np.float32, 7: np.int64}


def varint(data: bytes, place: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[place]
        value |= (byte & 127) << shift
        place, shift = place + 1, shift + 7
        if byte < 128:
            return value, place


def fields(data: bytes) -> Iterator[tuple[int, int | bytes]]:
    place = 0
    while place < len(data):
        tag, place = varint(data, place)
        kind = tag & 7
        if kind == 0:
            value, place = varint(data, place)
            yield tag >> 3, value
            continue
        length, place = varint(data, place) if kind == 2 else (8 if kind == 1 else 4, place)
        yield tag >> 3, data[place : place + length]
        place += length


def osnet_state(path: Path) -> dict[str, np.ndarray]:
    """torchreid's keys. Batch normalizations that the export folded into convolutions come back as their bias."""
    graph = next(value for field, value in fields(path.read_bytes()) if field == GRAPH)
    assert isinstance(graph, bytes)
    weights = {}
    convolutions = []
    for field, value in fields(graph):
        assert isinstance(value, bytes)
        if field == INITIALIZER:
            found = list(fields(value))
            shape = [size for number, size in found if number == 1]
            kind = next(size for number, size in found if number == 2)
            name = next(text for number, text in found if number == 8).decode()
            raw = next((raw for number, raw in found if number == 9), b"")
            if kind in TYPES and raw:
                weights[name] = np.frombuffer(raw, TYPES[kind]).reshape(shape)
        elif field == NODE:
            found = list(fields(value))
            if (4, b"Conv") in found:
                inputs = [text.decode() for number, text in found if number == 1]
                title = next(text for number, text in found if number == 3).decode()
                convolutions.append((title, inputs))
    state = {name: value for name, value in weights.items() if name.startswith("fc.")}
    for title, (_, weight, *bias) in convolutions:
        layer = layer_of(title)
        state[f"{layer}.weight"] = weights[weight]
        if bias and weight.startswith("onnx::"):  # a folded normalization
            folded = weights[bias[0]]
            norm = f"{layer.rpartition('.')[0]}.bn"
            state[f"{norm}.weight"], state[f"{norm}.bias"] = np.ones_like(folded), folded
            state[f"{norm}.running_mean"] = np.zeros_like(folded)
            state[f"{norm}.running_var"] = np.full_like(folded, 1 - 1e-5)  # 1 with epsilon
        elif bias:
            state[f"{layer}.bias"] = weights[bias[0]]
    return state


def layer_of(title: str) -> str:
    """``/conv2/conv2.0/conv2b/conv2b.1/conv1/Conv`` is conv2.0.conv2b.1.conv1; shared layers end in ``_1``."""
    path: list[str] = []
    for part in title.strip("/").split("/")[:-1]:
        if path and part.startswith(f"{path[-1]}."):
            path.pop()
        path.append(part)
    return re.sub(r"_\d+$", "", ".".join(path))
