"""The blocks on docs/python.md, run one after the other as they stand there."""

import re
from pathlib import Path

import numpy as np
import pytest

from postproc.testing import world
from tests.support import pages

PAGE = Path(__file__).parent.parent / "docs" / "python.md"


def blocks():
    return re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), flags=re.DOTALL)


def test_the_page_runs(tmp_path, monkeypatch, capsys):
    torch = pytest.importorskip("torch")
    pytest.importorskip("matplotlib")
    pytest.importorskip("optuna")
    monkeypatch.chdir(tmp_path)
    given = world(nq=24, ng=90, people=12)
    (tmp_path / "features").mkdir()
    names = {side: [f"{side}{row:03}.png" for row in range(len(given[side]))] for side in ("query", "gallery")}
    for side in ("query", "gallery"):
        np.save(tmp_path / "features" / f"{side}_resnet.npy", given[side])
        pages.draw(tmp_path / "pictures", names[side][:3])
        given[f"{side}_vit"] = np.ascontiguousarray(given[side][:, ::2])
        given[f"{side}_names"] = names[side]
        of = [torch.from_numpy(np.asarray(given[part])) for part in (side, f"{side}_pid", f"{side}_cam")]
        starts = range(0, len(of[0]), 32)
        given[f"{side}_loader"] = [tuple(part[start : start + 32] for part in of) for start in starts]
    space = {**given, "model": lambda images: images}
    for block in blocks():
        exec(compile(block, str(PAGE), "exec"), space)
    assert (tmp_path / "report.html").stat().st_size > 10_000
    assert "similarity=True" in capsys.readouterr().out  # what the page refuses
    evaluator = space["Evaluator"](24)
    for side in ("query", "gallery"):
        for images, pids, cams in given[f"{side}_loader"]:
            evaluator.process({"targets": pids, "camids": cams}, images)
    assert evaluator.evaluate()["mAP"] == pytest.approx(100 * space["mAP"])
