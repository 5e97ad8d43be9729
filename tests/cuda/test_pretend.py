"""Pretend tensors behave like tensors on a GPU, above all where these refuse."""

import array_api_compat
import numpy as np
import pytest
import torch
from numpy.testing import assert_array_equal

from tests.cuda import pretend
from tests.cuda.pretend import down, up
from tests.support.each import each

MIXED = r"^Expected all tensors to be on the same device"


@pytest.fixture(autouse=True)
def on_the_device():
    with pretend.device():
        yield


@pytest.fixture
def x() -> torch.Tensor:
    return up(np.arange(6, dtype=np.float32).reshape(2, 3))


def test_says_where_it_lies(x):
    assert isinstance(x, torch.Tensor)
    assert (x.device, x.is_cuda, x.is_cpu) == (torch.device("cuda:0"), True, False)
    assert (x.shape, x.stride(), x.dtype, len(x), x.T.is_contiguous()) == ((2, 3), (3, 1), torch.float32, 2, False)


@each(
    "call",
    [
        lambda x: x @ x.T,
        lambda x: x[1],
        lambda x: x[:, np.array([2, 0])],
        lambda x: x[torch.tensor([True, False])],
        lambda x: next(iter(x)),
        lambda x: torch.sort(x, dim=1, stable=True).indices,
        lambda x: torch.unique(x, return_inverse=True)[1],
        lambda x: torch.where(x > 1, x, torch.inf),
        lambda x: x.max(dim=1)[0],
        lambda x: x.new_zeros((2, 2), dtype=torch.int32),
        lambda x: torch.zeros_like(x),
        lambda x: torch.arange(3, device="cuda"),
        lambda x: torch.tensor([1, 2], device=x.device),
        lambda x: torch.as_tensor(np.ones(2), device="cuda:0"),
        lambda x: torch.from_numpy(np.ones(2)).to(x.device, non_blocking=True),
        lambda x: torch.ones(2).cuda(),
        lambda x: torch.ones(2).to(x),
        lambda x: x.to(torch.float64),
        lambda x: torch.tensor(2.0) + x.sum(),
    ],
)
def test_what_comes_of_it_lies_there_too(x, call):
    assert call(x).is_cuda


def test_comes_back_as_a_copy(x):
    for back in (x.cpu(), x.to("cpu"), x.to("cpu", torch.float32), x.detach().cpu()):
        assert not back.is_cuda
        back.numpy()[:] = -1
    assert_array_equal(down(x), [[0, 1, 2], [3, 4, 5]])


def test_numbers_are_fetched(x):
    assert (float(x.sum()), int(x[1, 0]), bool(x.any()), x[1].tolist()) == (15, 3, True, [3, 4, 5])
    assert x[: x[0, 1].long()].shape == (1, 3)


def test_memory_is_shared_with_views(x):
    x[0] = 7
    x[:, 1].mul_(2)
    x[x > 13] = 0
    x[1:, :2] += up(np.array([1, 2], np.float32))
    assert_array_equal(down(x), [[7, 0, 7], [4, 10, 5]])
    pretend.memory(x.T)[0] = 1
    assert_array_equal(down(x), [[1, 0, 7], [1, 10, 5]])


def test_outputs_are_filled(x):
    out, rows = x.new_empty((2, 2)), x.new_empty((2, 2), dtype=torch.int64)
    assert torch.matmul(x, x.T, out=out) is out
    assert_array_equal(down(out), [[5, 14], [14, 50]])
    torch.topk(x, 2, out=(out, rows))
    assert_array_equal(down(rows), [[2, 1], [2, 1]])
    assert x.mul_(2) is x


@each("call", [lambda x: x.numpy(), np.asarray, np.sqrt, lambda x: x + np.ones(3)])
def test_does_not_become_numpy(x, call):
    with pytest.raises(TypeError, match=r"^can't convert cuda:0 device type tensor to numpy"):
        call(x)


@each(
    "call",
    [
        lambda x, host: x + host,
        lambda x, host: host * x.sum(),
        lambda x, host: host.add_(x[0]),
        lambda x, host: torch.cat([x[0], host]),
        lambda x, host: torch.where(x > 1, x, host),
        lambda x, host: torch.add(x[0], x[0], out=host),
        lambda x, host: x.index_select(0, torch.tensor([1])),
        lambda x, host: x.__setitem__(torch.tensor([0]), host),
        lambda x, host: host.__setitem__(torch.tensor([0]), x[0, :1]),
    ],
)
def test_does_not_mix_with_the_host(x, call):
    with pytest.raises(RuntimeError, match=MIXED):
        call(x, torch.ones(3))


def test_the_host_takes_no_indices_from_the_device(x):
    with pytest.raises(RuntimeError, match=r"^indices should be either on cpu or on the same device"):
        torch.ones(9)[x[0].long()]


@each(
    "call",
    [
        lambda x: x.cumsum(dim=1),
        lambda x: torch.bincount(x[0].long(), weights=x[0]),
        lambda x: x.scatter_add_(1, x.long() % 3, x.clone()),
        lambda x: x.index_add(0, x[0, :2].long(), x),
    ],
)
def test_refuses_sums_without_an_order(x, call):
    with pytest.raises(RuntimeError, match=r"floats are added up in no certain order"):
        call(x)
    assert x.long().cumsum(dim=1).is_cuda  # whole numbers do not mind


def test_moves_where_torch_moves(x):
    host = torch.ones(3)
    x[0] = host
    x[1].copy_(2 * host)
    host[:] = x[1]
    x[torch.tensor([0]), np.array([2])] = torch.tensor(9.0)
    assert_array_equal(down(x), [[1, 1, 9], [2, 2, 2]])
    assert_array_equal(host.numpy(), [2, 2, 2])


def test_the_array_api(x):
    xp = array_api_compat.array_namespace(x)
    assert array_api_compat.device(x) == x.device
    assert_array_equal(down(xp.argsort(-x, axis=1, stable=True)), [[2, 1, 0], [2, 1, 0]])
    assert_array_equal(down(xp.concat([xp.zeros(1, device=x.device), xp.sum(x, axis=1)])), [0, 3, 12])
    assert_array_equal(down(xp.take_along_axis(x, xp.asarray([[1], [2]], device=x.device), axis=1)), [[1], [5]])
    assert_array_equal(down(xp.where(x > 2, xp.astype(x, xp.float64), 0.0)), [[0, 0, 0], [3, 4, 5]])


def test_down_wants_the_device():
    with pytest.raises(AssertionError, match=r"^wanted a tensor on the device, got Tensor$"):
        down(torch.ones(3))
