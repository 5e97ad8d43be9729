"""A checkpoint's tensors into a network: every key in its place, or all that are not listed and nothing loaded."""

from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn

from ensemble.base.errors import refuse_if_any

UNUSED = "num_batches_tracked"  # of batch normalizations; old files lack it, and testing needs it not


def fill(
    network: nn.Module,
    state: Mapping[str, Tensor],
    where: str,
    *,
    original: Callable[[str], str] = lambda key: key,
    hint: str = "",
) -> None:
    """Give ``network`` (perhaps on torch's meta device) the tensors of ``state``, as float32.

    original: the checkpoint's name of one of ``state``'s keys, for the message.
    hint:     what to do, at the end of the message's first line.
    Raises:   InputError with a line for every key that is missing, not wanted, or of another shape.
    """
    wanted = {key: tuple(value.shape) for key, value in network.state_dict().items() if not _unused(key)}
    found = {key: tuple(value.shape) for key, value in state.items() if not _unused(key)}
    problems = [
        f"{where}: {key}: wanted {shape}, found {found.get(key, 'no such key')}"
        for key, shape in wanted.items()
        if found.get(key) != shape
    ]
    problems += [
        f"{where}: {original(key)}: wanted no such key, found {shape}"
        for key, shape in found.items()
        if key not in wanted
    ]
    if problems:
        kind = type(network).__name__
        head = f"{where}: wanted the {len(wanted)} keys of a {kind}, found {len(problems)} that differ"
        refuse_if_any([f"{head}{hint}", *problems])
    ready = {key: state[key].to(torch.float32) for key in wanted}
    for key in network.state_dict():
        if _unused(key):
            ready[key] = torch.zeros((), dtype=torch.int64)
    network.load_state_dict(ready, assign=True)


def _unused(key: str) -> bool:
    return key.rpartition(".")[2] == UNUSED
