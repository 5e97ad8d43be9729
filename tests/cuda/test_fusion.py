"""Joins of CUDA tensors: the same as of NumPy arrays, on the device, or refused in a sentence."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from ensemble import fusion
from ensemble.pipeline import joins
from tests.cuda.conftest import OnDevice
from tests.support.each import each

NQ, N = 5, 40


def matrices(kind: str, seed: int = 0) -> list[np.ndarray]:
    """Three models: with ties, with pairs that some do not know, with images never to be returned."""
    rng = np.random.default_rng(seed)
    found = []
    for scale in (1, 2, 5):
        part = (scale * np.round(rng.random((NQ, N)) * 30) / 30).astype(np.float32)
        if kind != "known":
            part[rng.random(part.shape) < 0.2] = np.nan
            part[rng.random(part.shape) < 0.1] = np.inf
            part[3] = np.nan
        part[1] = 1
        found.append(part)
    return found


def same(on_device: OnDevice, join: Callable[..., Any], given: Sequence[np.ndarray], **settings: Any) -> None:
    found = on_device.down(join([on_device.up(part) for part in given], **settings))
    assert found.dtype == np.float32
    assert_allclose(found, join(list(given), **settings), rtol=1e-6, atol=1e-7)


@each("scaling", fusion.SCALINGS)
@each("kind", ["known", "gaps"])
def test_scaling(on_device: OnDevice, scaling: str, kind: str) -> None:
    given = matrices(kind)[0]
    found = on_device.down(fusion.scaled(on_device.up(given), scaling))
    assert_allclose(found, fusion.scaled(given, scaling), rtol=1e-6, atol=1e-7)


def test_places(on_device: OnDevice) -> None:
    given = matrices("gaps")[0]
    given[0, :4] = 0, -0.0, 0, -0.0
    assert_array_equal(on_device.down(fusion.places(on_device.up(given))), fusion.places(given))


@each("scaling", ["none", "min-max", "z-score-whole", "rank"])
@each("missing", ["mean", "worst"])
def test_weighted_sum(on_device: OnDevice, scaling: str, missing: str) -> None:
    same(on_device, fusion.weighted_sum, matrices("known"), scaling=scaling, weights=[1, 0.5, 2], average=True)
    same(on_device, fusion.weighted_sum, matrices("gaps"), scaling=scaling, missing=missing, weights=[1, 0, 2])
    same(on_device, fusion.weighted_sum, matrices("gaps"), scaling=scaling, missing="worst", weights=[1, -1, 2])


@each("missing", ["mean", "worst"])
def test_product(on_device: OnDevice, missing: str) -> None:
    same(on_device, fusion.product, matrices("known"), floor=0.1)
    same(on_device, fusion.product, matrices("gaps"), missing=missing, weights=[1, 0.5, 2], scaling="none")


@each("join", [fusion.median, fusion.smallest, fusion.largest])
def test_order_statistics(on_device: OnDevice, join: Callable[..., Any]) -> None:
    same(on_device, join, matrices("known"))
    same(on_device, join, matrices("gaps")[:2], missing="known", scaling="min-max")


@each(
    ("join", "settings"),
    [
        (fusion.comb_mnz, {"scaling": "z-score"}),
        (fusion.reciprocal_rank_fusion, {"missing": "none", "weights": [1, 2, 0.5]}),
        (fusion.reciprocal_rank_fusion, {"missing": "worst"}),
        (fusion.reciprocal_rank_fusion, {"missing": "mean"}),
        (fusion.inverse_square_rank, {"hits": "log"}),
        (fusion.inverse_square_rank, {"hits": "count"}),
        (fusion.rank_biased_centroid, {}),
        (fusion.borda, {"weights": [1, 0, 2]}),
    ],
)
def test_ranks(on_device: OnDevice, join: Callable[..., Any], settings: dict[str, Any]) -> None:
    same(on_device, join, matrices("known"), **settings)
    same(on_device, join, matrices("gaps"), **settings)


def test_concat(on_device: OnDevice) -> None:
    rng = np.random.default_rng(0)
    given = [rng.normal(size=(6, d)).astype(np.float32) for d in (3, 5)]
    same(on_device, fusion.concat, given, weights=[1, 0.25])
    same(on_device, fusion.concat, given, normalize=True)


def test_nothing_and_wrong_values(on_device: OnDevice) -> None:
    empty = on_device.up(np.zeros((2, 0), np.float32))
    assert on_device.down(fusion.weighted_sum([empty], scaling="min-max-whole")).shape == (2, 0)
    given = matrices("known")
    with pytest.raises(ValueError, match=r"wanted every pair known to all 3 parts, found that part 1 lacks"):
        fusion.weighted_sum([on_device.up(part) for part in matrices("gaps")])
    with pytest.raises(ValueError, match=r"found -inf in part 2"):
        fusion.median([on_device.up(given[0]), on_device.up(np.full_like(given[0], -np.inf))])
    with pytest.raises(TypeError, match=r"wanted NumPy arrays or CUDA tensors, got some of both"):
        fusion.product([on_device.up(given[0]), given[1]])


@each("name", [name for name in joins.names() if joins.function(name) not in fusion.ON_CUDA])
def test_others_refuse(on_device: OnDevice, name: str) -> None:
    features = on_device.up(np.eye(4, dtype=np.float32))
    part = dict.fromkeys(("query", "gallery", "train", "distances"), features) | {"train_pid": np.arange(4)}
    part |= {"train_distances": np.arange(4, dtype=np.float32), "train_hits": np.arange(4) % 2}
    part |= {"train_hit_lists": np.eye(4, dtype=np.int8)}
    with pytest.raises(TypeError, match=r"this function runs on the CPU only"):
        joins.apply(name, [part, part], {})
