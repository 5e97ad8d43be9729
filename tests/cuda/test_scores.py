"""Scores of a CUDA tensor of distances: those of the same NumPy array, bit for bit."""

from dataclasses import fields
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from ensemble.scores import Scores, cmc_all_shots, score, score_ranking
from ensemble.scores.protocol import Draw, Protocol
from postproc import rank
from tests.cuda.conftest import OnDevice
from tests.support.each import each

NQ, NG = 6, 40


def world(seed: int = 0) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    rng = np.random.default_rng(seed)
    distances = rng.integers(0, 20, (NQ, NG)).astype(np.float32) / 8
    distances[rng.random(distances.shape) < 0.1] = np.inf
    pids, cams = (
        (rng.integers(0, 5, NQ), rng.integers(-1, 5, NG)),
        (rng.integers(1, 5, NQ), rng.integers(1, 5, NG)),
    )
    sides = [
        {f"{side}_pid": pid, f"{side}_cam": cam, f"{side}_track": np.where(pid < 0, -1, pid * 8 + cam)}
        for side, pid, cam in zip(("query", "gallery"), pids, cams, strict=True)
    ]
    return distances, sides[0] | sides[1]


def assert_same(found: Scores, wanted: Scores) -> None:
    for field in fields(Scores):
        value, right = getattr(found, field.name), getattr(wanted, field.name)
        if field.name == "trials":
            for one, other in zip(value, right, strict=True):
                assert_same(one, other)
        else:
            assert_array_equal(value, right, err_msg=field.name)


@each(
    "protocol",
    [
        Protocol(),
        Protocol(denominator="all", junk="none", top_k=10, divide="cut"),
        Protocol(rows="tracks"),
        Protocol(rows="gallery_tracks", cmc="identities"),
        Protocol(draw=Draw("identity", trials=2)),
        Protocol(junk="cuhk03", draw=Draw("query", trials=2)),
    ],
    ids=lambda protocol: protocol.describe(),
)
def test_scores(on_device: OnDevice, protocol: Protocol) -> None:
    distances, labels = world()
    given: dict[str, Any] = labels if protocol.rows != "images" else _without_tracks(labels)
    found = score(on_device.up(distances), **given, protocol=protocol)
    assert_same(found, score(distances, **given, protocol=protocol))


def test_all_shots_and_lists(on_device: OnDevice) -> None:
    distances, labels = world()
    given = _without_tracks(labels)
    assert_array_equal(cmc_all_shots(on_device.up(distances), **given), cmc_all_shots(distances, **given))
    rows = rank(distances)
    assert_same(score_ranking(on_device.up(rows), **given), score_ranking(rows, **given))


def test_refuses_as_on_the_cpu(on_device: OnDevice) -> None:
    distances, labels = world()
    distances[2, 3] = np.nan
    with pytest.raises(ValueError, match=r"distances: wanted numbers or \+inf, found NaN or -inf first in row 2"):
        score(on_device.up(distances), **_without_tracks(labels))


def _without_tracks(labels: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    return {name: value for name, value in labels.items() if not name.endswith("track")}
