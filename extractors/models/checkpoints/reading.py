"""Checkpoint files as tensors by key, without running anything that is in them."""

import pickle
import warnings
from collections.abc import Mapping
from pathlib import Path

import torch

from ensemble.base.errors import InputError, examples, printable

WRAPPERS = ("state_dict", "model", "net", "model_state_dict", "network", "model_state", "ema")
PREFIXES = ("module.", "model.", "net.", "network.", "state_dict.", "_orig_mod.", "1.")  # 1.: apex's half models
BESIDE = ("n_averaged",)  # of averaged models


def read_state(path: Path) -> dict[str, torch.Tensor]:
    """The tensors of a checkpoint, wrappers (``state_dict``, ``model``, …) and prefixes of all keys taken off.

    Files of Python 2 and of torch before 1.6 too; ``.safetensors`` as well.
    Raises: InputError for what is no checkpoint, or needs more than tensors to load.
    """
    content = _load(path)
    wrapped: list[str] = []
    while isinstance(content, Mapping) and not any(isinstance(value, torch.Tensor) for value in content.values()):
        inside = [key for key in WRAPPERS if isinstance(content.get(key), Mapping)]
        if not inside:
            break
        wrapped.append(inside[0])
        content = content[inside[0]]
    if not isinstance(content, Mapping) or not any(isinstance(value, torch.Tensor) for value in content.values()):
        raise InputError(
            [f"{path}: wanted a state dict, found {_kind(content)}; save model.state_dict() in its place"]
        )
    others = [str(key) for key, value in content.items() if not isinstance(value, torch.Tensor)]
    if others:
        raise InputError(
            [
                f"{path}: wanted tensors only{_inside(wrapped)}, found {examples(others, 5)}; "
                f"wrappers that are known: {', '.join(WRAPPERS)}"
            ]
        )
    return unprefixed({str(key): value for key, value in content.items() if key not in BESIDE})


def unprefixed(state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """The same without the prefixes that every key has."""
    while True:
        shared = [prefix for prefix in PREFIXES if all(key.startswith(prefix) for key in state)]
        if not state or not shared:
            return state
        state = {key.removeprefix(shared[0]): value for key, value in state.items()}


def _load(path: Path) -> object:
    if not path.is_file():
        raise InputError([f"{path}: wanted a checkpoint, found no file; check the path"])
    try:
        if path.suffix == ".safetensors":
            from safetensors.torch import load_file

            return load_file(path)
        with warnings.catch_warnings():
            # the encoding is that of Python 2's strings, and does work with weights_only
            warnings.filterwarnings("ignore", "pickle_load_args only works", UserWarning)
            return torch.load(path, map_location="cpu", weights_only=True, encoding="latin1")
    except pickle.UnpicklingError as error:
        raise InputError([_refused(path, str(error))]) from None
    except Exception as error:  # RuntimeError, EOFError, KeyError, SafetensorError, …: as the file is broken
        reason = printable((str(error).strip() or type(error).__name__).splitlines()[0])
        raise InputError([f"{path}: wanted a checkpoint, found what torch cannot read ({reason})"]) from None


def _refused(path: Path, message: str) -> str:
    """What else the file wants to run, and how to get at its tensors."""
    marks = ("GLOBAL ", "global ", "function ", "class ")
    line = next((line for line in message.splitlines() if any(mark in line for mark in marks)), message.strip())
    reason = printable(line.split(" was not an allowed")[0].strip(), 160) or "its pickle"
    return (
        f"{path}: wanted tensors only, found a file that makes Python build more ({reason}); if you trust it, "
        f"load it once where it was made, and torch.save(model.state_dict(), ...)"
    )


def _kind(content: object) -> str:
    if isinstance(content, Mapping):
        return f"the keys {examples(list(content), 5)}" if content else "nothing"
    return type(content).__name__


def _inside(wrapped: list[str]) -> str:
    return f" inside {'.'.join(wrapped)}" if wrapped else ""
