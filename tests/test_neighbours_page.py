"""The lines on docs/neighbours.md, run as they stand there, and its table."""

import re

import numpy as np
import pytest

from postproc import STEPS, l2_normalize, neighbours, rerank, with_recall
from postproc.base.lists import takes_lists, takes_lists_alone
from postproc.testing import world
from tests.support import tables
from tests.support.each import each

IMAGES = l2_normalize(world(ng=300, people=40)["gallery"])


def blocks():
    text = tables.NEIGHBOURS.read_text(encoding="utf-8")
    return re.findall(r"```python\n(.*?)```", text, flags=re.DOTALL)


def run(blocks, **names):
    for block in blocks:
        exec(compile(block, str(tables.NEIGHBOURS), "exec"), names)
    return names


def of(word):
    (block,) = [block for block in blocks() if word in block]
    return block


def names():
    from postproc import NeighbourLists

    return {"images": IMAGES, "NeighbourLists": NeighbourLists, "np": np}


def test_found_once_and_used_often(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    found = run([of("lists.save")])
    query, gallery = found["query"], found["gallery"]
    np.testing.assert_array_equal(found["far"], rerank(query, gallery, k1=20))
    assert isinstance(found["lists"].rows, np.memmap)
    assert sorted(path.name for path in (tmp_path / "lists").iterdir()) == [
        "distances.npy",
        "largest.npy",
        "neighbours.json",
        "rows.npy",
    ]
    wanted = rerank(neighbours(query, gallery, k=50))
    np.testing.assert_array_equal(rerank(found["lists"]), wanted)


@each("package", ["faiss", "usearch", "sklearn"])
def test_from_elsewhere(package):
    pytest.importorskip(package, reason=f"wants {package}")
    wanted = neighbours(IMAGES, k=20)
    known = names()
    for part in re.split(r"\n\n(?=index = |graph = )", of(package)):
        known = run([part], **known)
        lists = known.pop("lists", None)
        if lists is None:  # an import
            continue
        assert (lists.k, lists.one_set, lists.unit_length, lists.exact) == (20, True, True, package != "usearch")
        if lists.exact:
            np.testing.assert_allclose(lists.distances, wanted.distances, atol=2e-6)
        else:  # a graph that threads build is never the same twice, and misses somebody now and then
            same = lists.rows == wanted.rows
            np.testing.assert_allclose(lists.distances[same], wanted.distances[same], atol=2e-6)
        assert with_recall(lists, IMAGES).recall > (0.999 if lists.exact else 0.9)


def test_recall():
    found = run([of("with_recall")], lists=neighbours(IMAGES), images=IMAGES)
    assert found["lists"].recall == 1


def test_the_table_says_what_the_steps_declare():
    text = tables.NEIGHBOURS.read_text(encoding="utf-8")
    assert text == tables.neighbours(text), "write it anew: python -m tests.support.tables"


def test_every_step_that_takes_lists_says_which():
    for step in STEPS:
        if takes_lists(step):
            assert "    neighbours: " in step.__doc__, step.__name__
    assert {step.__name__ for step in STEPS if takes_lists_alone(step) and not takes_lists(step)} == {
        "connected_components", "constrained_union", "dbscan", "hdbscan", "linkage", "refine_clusters",
    }  # fmt: skip


def test_the_steps_left_out_take_none():
    text = tables.NEIGHBOURS.read_text(encoding="utf-8")
    out = re.findall(r"`(\w+)`", text.partition("<!-- end -->")[2].partition("## From elsewhere")[0])
    named = {step.__name__: step for step in STEPS}
    left = [named[name] for name in out if name in named and name != "rerank"]
    assert len(left) > 8
    assert not any(takes_lists(step) or takes_lists_alone(step) for step in left)
