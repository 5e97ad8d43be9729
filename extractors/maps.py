"""What a layer of a model sees where: its channels added up over the image.

Source: the overlays of FGReID (``visualize_attention_heads.py``: ReLU, resized, min-max, JET added to the image)
and layumi's ``visual_heatmap.py`` (the sum of the channels beside the image). Differs: any layer of any model.
"""

import math
from typing import Any

import numpy as np

from ensemble.base.errors import InputError, examples, near
from extractors.calling import called
from extractors.model import Model

Grid = tuple[int, int]
NEAR = 0.3  # how much the sides of a grid may differ from those of the images, as a logarithm


def layer_of(model: Model, images: np.ndarray, wanted: str | None) -> str:
    """The layer whose map is drawn: the one that is asked for, else the last that puts out a map.

    images: a batch to try it on, as the model takes it.
    Raises: InputError for a model that has no layers to look into, or none of that name that puts out maps.
    """
    found = [name for name, shape in _outputs(model, images).items() if grid_of(shape, images.shape)]
    if not found:
        raise InputError([f"{model.name}: wanted a layer that puts out maps (n, c, h, w), found none"])
    if wanted is None:
        return found[-1]
    if wanted not in found:
        last = examples(found[::-1], 8)
        told = f"wanted one of {model.name} that puts out maps ({last}), found {wanted}{near(wanted, found)}"
        raise InputError([f"--layer: {told}"])
    return wanted


def channel_sums(model: Model, images: np.ndarray, layer: str) -> np.ndarray:
    """The map of a layer added up over its channels, (n, h, w) float32; of a transformer that of its patches."""
    kept: list[Any] = []
    hook = _module(model).get_submodule(layer).register_forward_hook(lambda *given: kept.append(given[2]))
    try:
        called(model, images)
    finally:
        hook.remove()
    out = kept[-1].detach().float()
    rows, columns = grid_of(tuple(out.shape), images.shape) or (0, 0)
    sums = out.sum(1) if out.ndim == 4 else out.sum(2)[:, -rows * columns :]  # the class token comes first
    found: np.ndarray = sums.reshape(-1, rows, columns).cpu().numpy()
    return found


def grid_of(shape: tuple[int, ...], images: tuple[int, ...]) -> Grid | None:
    """Rows and columns of a layer's output (n, c, rows, columns) or (n, tokens, c); None where it is no map.

    Tokens, with a class token before them or not, are those of the grid that is most like the images in its shape.

    >>> grid_of((2, 129, 768), (2, 3, 256, 128)), grid_of((2, 512, 1, 1), (2, 3, 256, 128))
    ((16, 8), None)
    """
    if not shape or shape[0] != images[0]:
        return None
    if len(shape) == 4:
        return (shape[2], shape[3]) if shape[2] * shape[3] > 1 else None
    if len(shape) != 3:
        return None
    ratio = images[2] / images[3]
    grids = [
        (rows, tokens // rows)
        for tokens in (shape[1] - 1, shape[1])
        for rows in range(2, tokens // 2 + 1)
        if tokens % rows == 0 and abs(math.log(rows / (tokens // rows) / ratio)) < NEAR
    ]
    return min(grids, key=lambda grid: abs(math.log(grid[0] / grid[1] / ratio)), default=None)


def heat(sums: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Sums (h, w) as heat over an image (height, width): what is below 0 is 0, enlarged, from 0 to 1."""
    from PIL import Image

    positive = Image.fromarray(np.maximum(sums, 0).astype(np.float32))
    large = np.asarray(positive.resize(size[::-1], Image.Resampling.BILINEAR))
    spread = float(large.max() - large.min())
    return (large - large.min()) / np.float32(spread) if spread > 0 else np.zeros(size, np.float32)


def overlay(pixels: np.ndarray, hot: np.ndarray) -> np.ndarray:
    """The image (h, w, 3) uint8 with its heat in the colours of JET added, divided by the largest value."""
    from matplotlib import colormaps

    both = colormaps["jet"](hot)[:, :, :3] + pixels / 255
    return np.round(255 * both / both.max()).astype(np.uint8)


def _module(model: Model) -> Any:
    import sys

    torch = sys.modules.get("torch")
    module = getattr(model, "module", None)
    if torch is None or not isinstance(module, torch.nn.Module) or isinstance(module, torch.jit.ScriptModule):
        raise InputError(
            [
                f"{model.name}: wanted a model with layers to look into (a checkpoint, timm:, module:), found a "
                "program or a descriptor; give its checkpoint"
            ]
        )
    return module


def _outputs(model: Model, images: np.ndarray) -> dict[str, tuple[int, ...]]:
    """The shape of what every layer puts out, in the order in which they do."""
    found: dict[str, tuple[int, ...]] = {}

    def remember(name: str) -> Any:
        def hook(layer: Any, given: Any, out: Any) -> None:
            if hasattr(out, "shape"):
                found.pop(name, None)
                found[name] = tuple(out.shape)

        return hook

    hooks = [layer.register_forward_hook(remember(name)) for name, layer in _module(model).named_modules() if name]
    try:
        called(model, images)
    finally:
        for hook in hooks:
            hook.remove()
    return found
