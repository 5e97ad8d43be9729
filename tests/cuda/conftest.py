"""Where the tests of the CUDA back end run: on a GPU, in numba's simulator with pretend tensors, or not at all."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from unittest import mock

import numpy as np
import pytest
import torch
from numba import config as numba_config
from numba import cuda

from tests.cuda import pretend, quick, signatures

SIMULATED = bool(numba_config.ENABLE_CUDASIM)
GPU = not SIMULATED and torch.cuda.is_available() and cuda.is_available()


@dataclass(frozen=True)
class OnDevice:
    up: Callable[[np.ndarray], torch.Tensor]  # a copy on the device
    down: Callable[[torch.Tensor], np.ndarray]  # a copy on the host, of what must lie on the device


@pytest.fixture(scope="module")
def on_device() -> Iterator[OnDevice]:
    """The device of these tests; a whole module has it, so that hypothesis may draw within a test."""
    if GPU:
        yield OnDevice(lambda array: torch.from_numpy(np.array(array)).cuda(), _down)
    elif SIMULATED:
        from postproc.kernels.cuda import launch

        noted = mock.patch.object(launch, "_launch", signatures.noting(launch._launch))
        with mock.patch.object(launch, "memory", pretend.memory), noted, pretend.device(), quick.simulator():
            yield OnDevice(pretend.up, pretend.down)
    else:
        pytest.skip(
            "no GPU with numba-cuda; numba's simulator: NUMBA_ENABLE_CUDASIM=1 python -m pytest tests/cuda"
        )


def _down(tensor: torch.Tensor) -> np.ndarray:
    assert isinstance(tensor, torch.Tensor), f"wanted a tensor, got {type(tensor).__name__}"
    assert tensor.is_cuda, "wanted a tensor on the device, got one on the host"
    return tensor.cpu().numpy()


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Tests that launched no kernel have shown nothing."""
    signatures.write()
    if exitstatus or not (GPU or SIMULATED) or not _all_of_the_folder(session.config):
        return
    from postproc.kernels.cuda import launch
    from tests.cuda.kernels import kernels

    idle = sorted(set(kernels()) - set(launch.launched))
    if not launch.launched:
        problem = "no CUDA kernel was launched"
    elif idle:
        problem = f"CUDA kernels that no test launched: {', '.join(idle)}"
    else:
        return
    session.config.get_terminal_writer().line(f"\ntests/cuda: {problem}", red=True)
    session.exitstatus = pytest.ExitCode.TESTS_FAILED


def _all_of_the_folder(config: pytest.Config) -> bool:
    """Whether pytest was asked for this folder or one around it, and for every test of it."""
    folder = Path(__file__).parent
    asked = [Path(config.invocation_params.dir, argument.split("::")[0]).resolve() for argument in config.args]
    choices = ("keyword", "markexpr", "deselect", "lf", "stepwise", "collectonly")
    return any(folder.is_relative_to(path) for path in asked) and not any(
        config.getoption(choice, None) for choice in choices
    )
