"""What a page takes for granted: names of Python, files in the folder in which its blocks run.

Every page that says ``DIR`` has a drawn city of that name, smaller than ``reid-ensemble demo`` draws it elsewhere.
"""

import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import postproc
from ensemble.city import folder
from ensemble.pipeline import steps
from postproc.testing import world
from tests.support import cities, pages, pictures

USUAL = ("commands",)  # pages that show what is printed of a city of the usual size

Names = dict[str, Any]


def prepare(page: Path, where: Path, monkeypatch: pytest.MonkeyPatch, names: Names) -> None:
    """Make ``where`` the folder of the process, and put into it and into ``names`` what the page begins with."""
    monkeypatch.chdir(where)
    monkeypatch.setenv("HOME", str(where))
    if page.stem not in USUAL:
        small(monkeypatch, where)
    given = world(nq=24, ng=90, people=12)
    names.update(given, images=given["gallery"])
    text = page.read_text(encoding="utf-8")
    if "--features DIR" in text:
        folder.make(where / "DIR")
    if "PICTURES" in text:
        for side in folder.PICTURES.values():
            pages.draw(where / "PICTURES" / side, [f"{number:06}.jpg" for number in range(1, 9)])
    if "LISTS" in text or "track2.txt" in text:
        lists(where)
    OF_A_PAGE.get(page.stem, lambda *given: None)(where, names)


def small(monkeypatch: pytest.MonkeyPatch, where: Path) -> None:
    """From now on drawn cities are small; steps come from files in ``where``, and are forgotten afterwards."""
    monkeypatch.syspath_prepend(where)
    monkeypatch.setattr(steps, "_added", {})
    sys.modules.pop("my_steps", None)
    cities.shrink(monkeypatch)


def lists(where: Path) -> None:
    """Two old submissions of a city with its tables, in LISTS; its lists of names."""
    made = folder.make(where / "old", width=8)
    (where / "LISTS").mkdir()
    for model, (query, gallery) in list(made.features.items())[-2:]:
        rows = postproc.distances(query, gallery, top_k=100).rows
        lines = "".join(" ".join(map(str, row + 1)) + "\n" for row in rows)
        (where / "LISTS" / f"{model}.txt").write_text(lines)
    shutil.copy(where / "LISTS" / "mgn.txt", where / "track2.txt")
    for name in ("query.csv", "gallery.csv", "name_query.txt", "name_test.txt"):
        shutil.copy(where / "old" / name, where / "LISTS")
        shutil.copy(where / "old" / name, where)


def arrays(where: Path, names: Names) -> None:
    """A side model of the same images."""
    names.update(query_view=names["query"][:, :4], gallery_view=names["gallery"][:, :4])


def files(where: Path, names: Names) -> None:
    """One model, called net; matchers; names of Market-1501; something to hand in."""
    from tests.ensemble.commands import test_calibrated

    for path in [*(where / "DIR").glob("*_*.pkl"), *(where / "DIR" / "side").iterdir()]:
        if "densenet.pkl" in path.name:
            path.rename(path.with_name(path.name.replace("densenet", "net")))
        else:
            path.unlink()
    (where / "matchers").mkdir()
    test_calibrated.write(where / "matchers")
    given = world(nq=6, ng=20, people=4)
    (where / "features").mkdir()
    for side, place in (("query", "query"), ("gallery", "bounding_box_test"), ("train", "bounding_box_train")):
        pid, cam = given[f"{side}_pid"] + 1, given[f"{side}_cam"] + 1
        called = [f"{p:04}_c{c}s1_{n:06}_00.jpg" for n, (p, c) in enumerate(zip(pid, cam, strict=True))]
        there = where / "Market-1501-v15.09.15" / place
        there.mkdir(parents=True)
        for name in called:
            (there / name).touch()
        np.savez(where / "features" / f"{side}_resnet.npz", features=given[side], names=np.array(called))
    for path in (where / "LISTS").glob("*_*.txt"):
        path.unlink()
    for path in (where / "LISTS").glob("*.csv"):
        path.unlink()
    (where / "test.csv").write_text("row_id,query_image,gallery_image\n0,a,b\n1,a,c\n")
    (where / "submission.csv").write_text("row_id,similarity\n0,0.5\n1,0.25\n")


def identify(where: Path, names: Names) -> None:
    """Data sets of images, a sample submission, pairs to be judged."""
    for side in ("query", "gallery"):
        table = pd.read_csv(where / "DIR" / f"{side}.csv")
        data = np.where(table["pid"] % 2, "lynx", "turtle")
        table.assign(dataset=data).to_csv(where / "DIR" / f"{side}.csv", index=False)
        names[side] = table["name"]
    sample = pd.DataFrame({"image_id": names["query"], "identity": "new_individual"})
    sample.to_csv(where / "sample_submission.csv", index=False)
    pairs = {"row_id": range(9), "query_image": names["query"][:9], "gallery_image": names["gallery"][:9]}
    pd.DataFrame(pairs).to_csv(where / "test.csv", index=False)


def identities(where: Path, names: Names) -> None:
    """Data sets of the images of one set, a sample submission, answers of people."""
    identify(where, names)
    sample = pd.DataFrame({"image_id": names["gallery"], "cluster": ""})
    sample.to_csv(where / "sample_submission.csv", index=False)
    first, second, third = names["gallery"][:3]
    (where / "links.csv").write_text(f"{first},{second},yes\n{second},{third},no\n")


def images(where: Path, names: Names) -> None:
    """Pictures of both sides, and two small models."""
    pages.draw(where / "DIR" / "query", [f"{n}.png" for n in range(3)], (32, 64))
    pages.draw(where / "DIR" / "gallery", [f"{n}.png" for n in range(9, 14)], (32, 64))
    pages.draw(where / "pictures", ["a.png", "b.png"], (32, 64))
    pictures.onnx(where / "osnet.onnx", ("n", 3, 64, 32))
    checkpoint(where / "best.pth")


def checkpoint(path: Path) -> None:
    """A small OSNet of random weights, as torchreid keeps one."""
    from extractors.models.checkpoints import osnet
    from tests.extractors import test_torch_models as torches

    torches.saved(path, torches.drawn(torches.made(osnet.OSNetFeature, osnet.Plan((16, 64, 96, 128)))))


def larger(where: Path, names: Names) -> None:
    """Features on disk."""
    np.save(where / "features.npy", names["images"])


def python(where: Path, names: Names) -> None:
    """Features of two models, in memory and in a folder, and loaders of batches, as evaluation loops have them."""
    import torch

    (where / "features").mkdir()
    for side in ("query", "gallery"):
        called = [f"{side}{row:03}.png" for row in range(len(names[side]))]
        np.save(where / "features" / f"{side}_resnet.npy", names[side])
        pages.draw(where / "pictures", called[:3])
        names[f"{side}_vit"] = np.ascontiguousarray(names[side][:, ::2])
        names[f"{side}_names"] = called
        of = [torch.from_numpy(np.asarray(names[part])) for part in (side, f"{side}_pid", f"{side}_cam")]
        starts = range(0, len(of[0]), 32)
        names[f"{side}_loader"] = [tuple(part[start : start + 32] for part in of) for start in starts]
    names["model"] = lambda images: images


class Labelled:
    """A data set as open-metric-learning has them: every sixth image asks."""

    def __init__(self, pid: np.ndarray) -> None:
        self.asks, self.pid = np.arange(len(pid)) % 6 == 0, pid

    def get_query_ids(self) -> np.ndarray:
        return np.flatnonzero(self.asks)

    def get_gallery_ids(self) -> np.ndarray:
        return np.flatnonzero(~self.asks)

    def get_labels(self) -> np.ndarray:
        return self.pid


def integrations(where: Path, names: Names) -> None:
    """Embeddings of one data set."""
    names.update(embeddings=names["gallery"], dataset=Labelled(names["gallery_pid"]))


def evaluated(where: Path, names: Names) -> None:
    """The evaluator that the page defines has the numbers of the loop before it; the report is there."""
    assert (where / "report.html").stat().st_size > 10_000
    evaluator = names["Evaluator"](24)
    for side in ("query", "gallery"):
        for features, pids, cams in names[f"{side}_loader"]:
            evaluator.process({"targets": pids, "camids": cams}, features)
    assert evaluator.evaluate()["mAP"] == pytest.approx(100 * names["mAP"])


def report(where: Path, names: Names) -> None:
    """Two models: what each is worth is computed for every page."""
    for model in ("densenet_ALL", "senet152"):
        for path in (where / "DIR").glob(f"*_{model}.pkl"):
            path.unlink()


def matrices(where: Path, names: Names) -> None:
    """One matrix of distances, of the images of DIR."""
    made = folder.make(where / "DIR")
    far = postproc.distances(*made.features["mgn"])
    called = {side: getattr(made, side)["name"].to_numpy(str) for side in ("query", "gallery")}
    (where / "MATRICES").mkdir()
    np.savez(
        where / "MATRICES" / "old.npz", distances=far, query_name=called["query"], gallery_name=called["gallery"],
        **{f"{short}_pids": getattr(made, side)["pid"] for short, side in (("q", "query"), ("g", "gallery"))},
    )  # fmt: skip


OF_A_PAGE: dict[str, Callable[[Path, Names], None]] = {
    "arrays": arrays, "files": files, "identify": identify, "identities": identities, "images": images,
    "integrations": integrations, "larger-than-memory": larger, "python": python, "recipes": matrices,
    "report": report,
}  # fmt: skip
AFTER_A_PAGE: dict[str, Callable[[Path, Names], None]] = {"python": evaluated}
