"""An index in a folder: whole or not there."""

import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from postproc import GalleryIndex
from postproc.online.estimators import Normalize, Whiten
from tests.support.each import each
from tests.support.worlds import world


def same_answers(index, other, queries):
    found, wanted = index.rerank(queries), other.rerank(queries)
    assert found.distances.tobytes() == wanted.distances.tobytes()
    assert found.rows.tobytes() == wanted.rows.tobytes()


@each("in_memory", [False, True])
def test_comes_back_as_it_was(tmp_path, in_memory):
    drawn = world()
    index = GalleryIndex(drawn["gallery"], k1=7, lambda_value=0.5, ids=np.arange(90) + 100)
    index.save(tmp_path / "a")
    loaded = GalleryIndex.load(tmp_path / "a", in_memory=in_memory)
    same_answers(loaded, index, drawn["query"])
    assert repr(loaded) == repr(index)
    np.testing.assert_array_equal(loaded.ids, index.ids)
    for one in (index, loaded):
        one.add(drawn["query"])
        one.remove([100, 150])
    same_answers(loaded, index, drawn["query"])
    loaded.save(tmp_path / "a")
    same_answers(GalleryIndex.load(tmp_path / "a"), index, drawn["query"])


def test_far_from_the_origin_and_without_scikit_learn(tmp_path):
    drawn = world()
    gallery, query = drawn["gallery"] + 100, drawn["query"] + 100
    chain = [Whiten(components=8).fit(gallery), Normalize().fit(np.eye(8))]
    index = GalleryIndex(gallery, transform=chain)
    index.save(tmp_path / "a")
    code = f"""
import sys, numpy as np
from postproc import GalleryIndex
index = GalleryIndex.load({str(tmp_path / "a")!r})
np.save({str(tmp_path / "b.npy")!r}, index.rerank(np.load({str(tmp_path / "q.npy")!r})).distances)
assert "sklearn" not in sys.modules
"""
    np.save(tmp_path / "q.npy", query)
    subprocess.run([sys.executable, "-c", code], check=True, timeout=100)
    np.testing.assert_array_equal(np.load(tmp_path / "b.npy"), index.rerank(query).distances)
    centred = GalleryIndex(gallery)
    centred.save(tmp_path / "c")
    same_answers(GalleryIndex.load(tmp_path / "c"), centred, query)


class Elsewhere:
    """Somebody's step, which cannot be kept."""

    def transform(self, X):
        return X


def test_nothing_is_pickled(tmp_path):
    index = GalleryIndex(world()["gallery"], transform=Elsewhere())
    with pytest.raises(TypeError, match=r"transform: wanted fitted steps .* got Elsewhere; give features"):
        index.save(tmp_path / "a")
    assert not list(tmp_path.iterdir())


def damage_description(folder):
    (folder / "gallery_index.json").write_text("{")


def lose_a_setting(folder):
    path = folder / "gallery_index.json"
    said = json.loads(path.read_text())
    del said["settings"]
    path.write_text(json.dumps(said))


def shorten(folder):
    path = folder / "features.npy"
    path.write_bytes(path.read_bytes()[:-40])


def change_a_byte(folder):
    path = folder / "members.npy"
    content = bytearray(path.read_bytes())
    content[-5] ^= 1
    path.write_bytes(content)


def lose_an_array(folder):
    (folder / "rows.npy").unlink()


@each(
    ("hurt", "message"),
    [
        (damage_description, "wanted what was saved as gallery_index, found another or a damaged file"),
        (lose_a_setting, "wanted a saved GalleryIndex, found a description that lacks something"),
        (shorten, "wanted a whole .npy file, found a damaged one"),
        (change_a_byte, "wanted the array that belongs to the others here, found a damaged one"),
        (lose_an_array, "wanted the array that belongs to the others here, found none"),
    ],
)
def test_damage_is_one_sentence(tmp_path, hurt, message):
    GalleryIndex(world()["gallery"]).save(tmp_path / "a")
    hurt(tmp_path / "a")
    with pytest.raises(ValueError, match=f"^{tmp_path / 'a'}.*{message}"):
        GalleryIndex.load(tmp_path / "a")


def test_where_there_is_none(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"wanted a folder with gallery_index\.json, found none"):
        GalleryIndex.load(tmp_path / "a")


WRITER = """
import sys, numpy as np
from postproc import GalleryIndex
gallery = np.random.default_rng(0).normal(size=(2000, 64)).astype(np.float32)
index = GalleryIndex(gallery)
while True:
    index.save(sys.argv[1])
    index.remove(index.ids[:1])
"""


def test_a_process_that_is_killed_leaves_a_whole_index(tmp_path):
    folder = tmp_path / "a"
    writer = subprocess.Popen([sys.executable, "-c", WRITER, str(folder)])
    while not (folder / "gallery_index.json").exists():
        time.sleep(0.02)
    time.sleep(0.3)
    os.kill(writer.pid, signal.SIGKILL)
    writer.wait()
    index = GalleryIndex.load(folder)
    gallery = np.random.default_rng(0).normal(size=(2000, 64)).astype(np.float32)
    kept = gallery[2000 - len(index) :]
    same = index._state.features
    np.testing.assert_array_equal(same, kept)
    index.save(folder)
    assert len(GalleryIndex.load(folder)) == len(kept)
