"""-1 is nobody: what is unknown equals nothing, who is unknown is not scored, under every protocol."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from ensemble import compare
from ensemble.base.features import FeatureSet
from ensemble.pipeline.multi_query import pooled
from ensemble.scores import PROTOCOLS, Labels, Protocol, cmc_all_shots, score, score_ranking
from ensemble.scores.draws import galleries
from ensemble.scores.folds import draw_queries
from ensemble.scores.protocol import Draw
from ensemble.scores.rules import JUNK
from ensemble.scores.statistics import difference, unscored
from ensemble.submissions import trec
from postproc import multi_query
from tests.support.each import each

COLUMNS = {name: (np.arange(12) % 3, np.arange(40) % 3) for name in ("clothes", "frame", "action")}
NUMBERS = ("mAP", "mINP", "rank1", "rank5", "rank10", "mrr", "recall", "precision")


def world(seed: int) -> tuple[np.ndarray, ...]:
    """12 x 40 images of 6 people, 6 cameras, some of each unknown."""
    random = np.random.default_rng(seed)
    far = random.random((12, 40), dtype=np.float32)
    pid, cam = (random.integers(low, high, 52) for low, high in ((-1, 6), (1, 7)))
    cam[::7] = -1
    return far, pid[:12], pid[12:], cam[:12], cam[12:]


def test_two_strangers_are_no_match() -> None:
    """The set of the report: one unlabelled query, one unlabelled image. There is nothing to score."""
    far = np.zeros((1, 1), np.float32)
    columns = dict.fromkeys(("clothes", "frame", "action"), ([1], [1]))
    for protocol in PROTOCOLS.values():
        with pytest.raises(ValueError, match=r"found none among 1: 1 are of unknown identity \(-1\)"):
            score(far, [-1], [-1], [1], [2], columns=columns, protocol=protocol)


@each("name", PROTOCOLS)
def test_unknown_images_are_so_many_strangers(name: str) -> None:
    """Giving every unknown identity and camera of the gallery a number of its own changes no score."""
    far, pid, others, cam, cams = world(len(name))
    protocol = replace(PROTOCOLS[name], draw=None)
    strangers = np.where(others == -1, 100 + np.arange(40), others)
    wanted = others if protocol.removes.unknown else strangers  # -1 is junk there
    labels = {"columns": COLUMNS, "protocol": protocol}
    found = score(far, pid, others, cam, cams, **labels)
    same = score(far, pid, wanted, cam, np.where(cams == -1, 100 + np.arange(40), cams), **labels)
    assert_allclose([getattr(found, n) for n in NUMBERS], [getattr(same, n) for n in NUMBERS], rtol=1e-12)


@each("name", PROTOCOLS)
def test_unknown_queries_are_in_no_mean(name: str) -> None:
    """With or without them: every number is the same, and they are counted apart."""
    far, pid, others, cam, cams = world(len(name))
    protocol = PROTOCOLS[name]
    if protocol.draw is not None and protocol.draw.each == "query":
        protocol = replace(protocol, draw=None)  # whose draws go by the row of the query
    known = pid != -1
    found = score(far, pid, others, cam, cams, columns=COLUMNS, protocol=protocol)
    columns = {name: (query[known], gallery) for name, (query, gallery) in COLUMNS.items()}
    alone = score(far[known], pid[known], others, cam[known], cams, columns=columns, protocol=protocol)
    assert_allclose([getattr(found, n) for n in NUMBERS], [getattr(alone, n) for n in NUMBERS], rtol=1e-12)
    assert_array_equal(found.unknown, np.flatnonzero(~known))
    assert np.isnan(found.ap[~known]).all()
    assert not set(found.unknown) & set(found.without_match)
    assert found.as_json()["queries_of_unknown_identity"] == (~known).sum()


def test_denominator_all_by_hand() -> None:
    far = np.float32([[0.1, 0.2], [0.1, 0.2], [0.1, 0.2]])
    found = score(far, [7, 9, -1], [8, 7], protocol=Protocol(junk="none", denominator="all"))
    assert found.mAP == (1 / 2 + 0) / 2  # 9 has no match and counts as 0; -1 is not asked
    assert (found.unknown.tolist(), found.without_match.tolist()) == ([2], [1])
    listed = score_ranking(np.int32([[0, 1]] * 3), [7, 9, -1], [8, 7], protocol=found.protocol)
    assert listed.mAP == found.mAP


def test_two_unknown_cameras_are_not_the_same() -> None:
    """Query 7 of no known camera; images 7 of no known camera, and of camera 1. Removed for the camera: none."""
    far, labels = np.float32([[0.1, 0.2]]), ([7], [7, 7], [-1], [-1, 1])
    for junk, good in (("market", 2), ("bot", 2), ("cuhk03", 2)):
        assert score(far, *labels, protocol=Protocol(junk=junk)).mAP == 1, junk
        assert cmc_all_shots(far, *labels, junk=junk, length=good)[0] == 1
    with pytest.raises(ValueError, match="found none"):  # other cameras are removed, and every camera is another
        score(far, *labels, protocol=Protocol(junk="intra"))
    alike = {name for name, junk in JUNK.items() if any({*rule.same} >= {"cam"} for rule in junk.rules)}
    assert alike == {"market", "bot", "cuhk03", "clothes", "same_clothes", "frames"}


def test_strangers_are_counted_each_for_himself() -> None:
    """Two unknown images stand before 7: two wrong identities, and two images of a draw of one an identity."""
    far, labels = np.float32([[1, 2, 3]]), ([7], [-1, -1, 7], [1], [2, 2, 2])
    of_identities = score(far, *labels, protocol=Protocol(junk="bot", cmc="identities"))
    assert (of_identities.first_hit.tolist(), of_identities.cmc.tolist()) == ([2], [0, 0, 1])
    drawn = score(far, *labels, protocol=PROTOCOLS["cuhk03"])
    assert (drawn.first_hit.tolist(), drawn.cmc.tolist()) == ([2], [0, 0, 1])


def test_strangers_are_drawn_each_for_himself() -> None:
    labels = Labels.checked((1, 6), [7], [7, 7, -1, -1, 8, 8], [1], [1, 1, 1, 1, -1, -1])
    of_identity = list(galleries(Draw("identity", trials=3), labels, None))
    assert [kept.sum() for kept in of_identity] == [1 + 1 + 1 + 1] * 3  # 7, two strangers, 8
    of_camera = list(galleries(Draw("camera", trials=3), labels, None))
    assert [kept.sum() for kept in of_camera] == [1 + 1 + 1 + 2] * 3  # 8 in two cameras that nobody knows


def test_queries_of_validation_come_of_known_people() -> None:
    query, gallery = draw_queries(np.array([-1, -1, 3, 3, 3]), np.array([1, 2, -1, -1, -1]), seed=0)
    assert (len(query), set(query) & {0, 1}) == (1, set())  # 3, once, since its cameras are unknown
    assert sorted([*query, *gallery]) == [0, 1, 2, 3, 4]


def test_pooled_queries_are_known_ones() -> None:
    rows = np.float32([[1], [3], [5], [7], [9], [11]])
    table = pd.DataFrame({"name": list("abcdef"), "pid": [4, 4, -1, -1, 5, 5], "cam": [1, 1, 1, 1, -1, -1]})
    features = FeatureSet("m", rows, rows, table, table)
    assert pooled({"m": features})["m"].query.ravel().tolist() == [(1 + 3) / 2, 5, 7, 9, 11]
    labels = table["pid"].to_numpy(), table["cam"].to_numpy()
    assert multi_query(rows, *labels, rows, *labels).ravel().tolist() == [2, 2, 5, 7, 9, 11]


def test_statistics_leave_out_who_was_not_scored() -> None:
    first, second, pid = [0.5, np.nan, np.nan], [1.0, np.nan, np.nan], [7, 8, -1]
    found = difference(first, second, pid, denominator="all")
    assert (found.queries, found.difference) == (2, (0.5 + 0) / 2)
    assert unscored([first, second], pid).tolist() == [False, False, True]
    assert difference(first, second, None, denominator="all").queries == 3  # then nobody knows


def test_compare_says_how_many(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    for run, ap in (("a", "0.5"), ("b", "1.0")):
        (tmp_path / f"{run}.csv").write_text(f"query,pid,ap\nx,7,{ap}\ny,-1,\nz,-1,\n")
    assert compare.main([str(tmp_path / "a.csv"), str(tmp_path / "b.csv"), "--independent"]) == 0
    assert "2 queries of unknown identity (pid -1) are not scored" in capsys.readouterr().out


def test_judgements_name_no_strangers(tmp_path: Path) -> None:
    names, labels = (["q", "s"], ["x", "y", "z"]), (np.array([7, -1]), np.array([7, 7, -1]))
    cameras = np.array([-1, 1]), np.array([-1, 2, 1])
    trec.write_qrels(tmp_path / "qrels", *names, *labels, *cameras)
    assert (tmp_path / "qrels").read_text() == "q 0 x 1\nq 0 y 1\n"
