"""Evaluation by counting on the device: the same places as on the CPU, and the same bits of the precision."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from ensemble.scores import averages
from ensemble.scores.counting import cpu as counting
from ensemble.scores.counting.cpu import Answer
from ensemble.scores.labels import Labels
from ensemble.scores.matching import matches
from ensemble.scores.protocol import AP_RULES, DIVISORS, Protocol
from ensemble.scores.rules import JUNK, Junk, Rule
from tests.cuda.conftest import OnDevice
from tests.support.each import each

NQ, NG = 7, 45
KINDS = (np.int64, np.int64, np.float64, np.float64, np.int64, np.int64)


def world(seed: int = 0) -> tuple[np.ndarray, Labels]:
    """Distances with ties, both zeros and +inf; a query without a match, and one that is in the gallery."""
    rng = np.random.default_rng(seed)
    distances = rng.integers(-1, 12, (NQ, NG)).astype(np.float32) / 4
    distances[rng.random(distances.shape) < 0.1] = np.inf
    distances[rng.random(distances.shape) < 0.1] = -0.0
    distances[3] = np.inf
    query_pid = np.array([0, 1, 2, 1, 99, -1, 0])
    cams = rng.integers(1, 7, NQ), rng.integers(1, 7, NG)
    own = np.where(np.arange(NQ) % 2, np.arange(NQ), -1)
    known = Labels(query_pid, rng.integers(-1, 4, NG), *cams, None, None, own)
    columns = {name: (rng.integers(-1, 5, NQ), rng.integers(-1, 5, NG)) for name in ("clothes", "frame", "action")}
    return distances, replace(known, beside=columns)


def scored(counting_of: Any, distances: Any, known: Labels, protocol: Protocol, kept: Any = None) -> Answer:
    answer = Answer(*(np.zeros(NQ, dtype) for dtype in KINDS))
    rules = averages.rules(protocol, NG)
    for start, stop in ((0, 3), (3, NQ)):
        counting_of.score_rows(start, stop, distances, matches(protocol.removes, known, kept), rules, answer)
    return answer


PROTOCOLS = [
    *(Protocol(junk=junk) for junk in JUNK),
    *(Protocol(ap=ap, divide=divide, top_k=9) for ap in AP_RULES for divide in DIVISORS),
    Protocol(junk="cuhk03", cut="before", top_k=12),
    Protocol(junk="all", cut="before", top_k=12, divide="found", cmc="identities"),
    Protocol(junk="sysu", cmc="identities"),
    Protocol(ap="sklearn", junk="none"),
    Protocol(junk=Junk((Rule(same=("action",), within={"frame": 1}), Rule(same=("pid",), own=True)))),
]


@each("protocol", PROTOCOLS, ids=lambda protocol: protocol.describe())
def test_places_and_precision(on_device: OnDevice, protocol: Protocol) -> None:
    from ensemble.scores.counting import cuda as on_cuda

    distances, known = world()
    found = scored(on_cuda, on_device.up(distances), known, protocol)
    for name, value, wanted in zip(
        Answer._fields, found, scored(counting, distances, known, protocol), strict=True
    ):
        assert_array_equal(value, wanted, err_msg=name)


def test_a_drawn_gallery_in_small_pieces(on_device: OnDevice, monkeypatch: pytest.MonkeyPatch) -> None:
    from ensemble.scores.counting import cuda as on_cuda

    monkeypatch.setattr(on_cuda, "PAIRS", 10)
    distances, known = world(1)
    kept = np.random.default_rng(2).random(NG) < 0.6
    protocol = Protocol(junk="bot", cmc="identities")
    found = scored(on_cuda, on_device.up(distances), known, protocol, kept)
    for value, wanted in zip(found, scored(counting, distances, known, protocol, kept), strict=True):
        assert_array_equal(value, wanted)


def test_all_shots(on_device: OnDevice) -> None:
    from ensemble.scores.counting import cuda as on_cuda

    distances, known = world()
    protocol = Protocol(junk="bot")
    ready, rules = matches(protocol.removes, known), averages.rules(protocol, NG)
    found, wanted = ((np.zeros(NQ, np.int64), np.zeros((NQ, 20))) for _ in range(2))
    on_cuda.all_shots_rows(0, NQ, on_device.up(distances), ready, rules, *found)
    counting.all_shots_rows(0, NQ, distances, ready, rules, *wanted)
    for value, right in zip(found, wanted, strict=True):
        assert_array_equal(value, right)


def test_nobody_has_a_match(on_device: OnDevice) -> None:
    from ensemble.scores.counting import cuda as on_cuda

    distances, known = world()
    known = Labels(np.full(NQ, 50), known.gallery_pid)
    found = scored(on_cuda, on_device.up(distances), known, Protocol())
    assert not found.positives.any()
    assert np.isnan(found.ap).all()
    assert (found.first_hit == -1).all()
