"""The laws of steps on a device: the answer of the CPU, twice the same bits, or a refusal in a sentence."""

import inspect

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import postproc
from postproc import CPU_ONLY, ON_CUDA, Nearest
from postproc.testing.worlds import known, world
from tests.support.each import each
from tests.support.worlds import of_unit_length

DATA = known(world(nq=5, ng=27, d=8, people=6, cameras=3))
LARGE = {name for name, array in DATA.items() if array.dtype == np.float32 and array.ndim == 2}


def data_of(step):
    return of_unit_length(DATA) if step is postproc.rerank_constrained else DATA


def inputs(step):
    """The arrays that a step takes, in order."""
    names = [name for name, p in inspect.signature(step).parameters.items() if p.kind is not p.KEYWORD_ONLY]
    return [name for name in names if name != "neighbours"]


def given(step, on_device, where=LARGE):
    data = data_of(step)
    return {name: on_device.up(data[name]) if name in where else data[name] for name in inputs(step)}


def down(found, on_device):
    """Host arrays of a result, which must lie on the device but for labels."""
    parts = found if isinstance(found, tuple) else (found,)
    return [on_device.down(part) if hasattr(part, "is_cuda") else part for part in parts]


def same(step, found, wanted):
    """Equal to rounding."""
    wanted = wanted if isinstance(wanted, tuple) else (wanted,)
    assert len(found) == len(wanted)
    for one, other in zip(found, wanted, strict=True):
        assert (one.shape, one.dtype) == (other.shape, other.dtype)
        if np.issubdtype(other.dtype, np.integer):
            assert_array_equal(one, other)
        else:
            scale = max(1, abs(other[np.isfinite(other)]).max(initial=0))
            assert_allclose(one, other, rtol=0, atol=2e-6 * scale, err_msg=step.__name__)


@each("step", ON_CUDA, ids=lambda step: step.__name__)
def test_the_answer_of_the_cpu(step, on_device):
    wanted = step(**{name: data_of(step)[name] for name in inputs(step)})
    found = [down(step(**given(step, on_device)), on_device) for _ in range(2)]
    same(step, found[0], wanted)
    for once, twice in zip(*found, strict=True):
        assert once.tobytes() == twice.tobytes()


@each(
    "step",
    [step for step in ON_CUDA if "top_k" in inspect.signature(step).parameters],
    ids=lambda step: step.__name__,
)
def test_only_the_nearest(step, on_device):
    found = step(**given(step, on_device), top_k=5)
    wanted = step(**{name: data_of(step)[name] for name in inputs(step)}, top_k=5)
    assert isinstance(found, Nearest) == isinstance(wanted, Nearest)
    if not isinstance(wanted, Nearest):
        same(step, down(found, on_device), wanted)
        return
    near, rows = down(found, on_device)
    same(step, [near], wanted.distances)
    whole = step(
        **{name: data_of(step)[name] for name in inputs(step)}
    )  # another image only where both are equally near
    there = rows >= 0
    assert_array_equal(there, wanted.rows >= 0)
    same(step, [np.take_along_axis(whole, np.where(there, rows, 0), axis=1)[there]], near[there])


@each("step", CPU_ONLY, ids=lambda step: step.__name__)
def test_or_a_refusal(step, on_device):
    with pytest.raises(TypeError, match="runs on the CPU only"):
        step(**given(step, on_device))
