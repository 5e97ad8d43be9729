"""Whatever is done to the bytes of a file that we read, a command ends in a sentence or in an answer."""

import json
import pickle
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from ensemble import io
from ensemble.base.errors import InputError
from ensemble.io.blocks import read_blocks
from ensemble.pipeline import plan, recipe
from ensemble.report import history
from ensemble.report.history import History, Step
from tests.support.each import each
from tests.support.folders import TORCH, arrays, rows, safetensors

TIMES = 30  # mutations of every file


def mutated(content: bytes, random: np.random.Generator) -> bytes:
    """A few bytes changed, cut out, doubled or moved; or the end missing."""
    found = bytearray(content)
    for _ in range(int(random.integers(1, 4))):
        place, length = int(random.integers(len(found) or 1)), int(random.integers(1, 9))
        match int(random.integers(5)):
            case 0:
                found[place : place + length] = random.bytes(length)
            case 1:
                del found[place : place + length]
            case 2:
                found[place:place] = found[place : place + length] * int(random.integers(1, 9))
            case 3:
                found[place : place + length] = b"\xff" * length
            case _:
                del found[len(found) - int(random.integers(1, len(found) + 1)) // 4 :]
    return bytes(found)


def feature_files(folder: Path) -> Iterator[Path]:
    """A small file of every kind that is read."""
    few = {
        "query": rows(2, 3),
        "gallery": rows(3, 3),
        "query_pid": np.arange(2),
        "query_name": np.array(["a", "b"]),
    }
    np.savez(folder / "plain.npz", **few)
    np.savez_compressed(folder / "packed.npz", **few)
    arrays(folder, "array", few["query"], few["gallery"])
    safetensors(folder / "a.safetensors", query=("F32", rows(2, 3)), gallery=("F32", rows(3, 3)))
    for protocol in (0, 2, 5):
        content = {"a.jpg": rows(1, 3)[0], "b.jpg": rows(1, 3)[0], "n": [1, 2.5, ("x", None)]}
        (folder / f"query_p{protocol}.pkl").write_bytes(pickle.dumps(content, protocol))
    scipy = pytest.importorskip("scipy.io")
    for packed in (True, False):
        scipy.savemat(folder / f"five{packed}.mat", {"query_f": rows(2, 3), "gallery_f": rows(3, 3)},
                      do_compression=packed)  # fmt: skip
    h5py = pytest.importorskip("h5py")
    with h5py.File(folder / "seven.mat", "w") as file:
        file["query_f"], file["gallery_f"] = rows(3, 2), rows(3, 3)
    with h5py.File(folder / "query_h.h5", "w") as file:
        file["features"], file["names"] = rows(2, 3), ["a", "b"]
        file["more/ids"] = np.arange(2)
    for path in sorted(TORCH.glob("*.pt"))[:4]:
        (folder / f"query_{path.name}").write_bytes(path.read_bytes())
    columns = {"features": rows(2, 3), "names": np.array(["a", "b"], object), "pids": [1, 2]}
    np.save(folder / "query_o.npy", columns)  # type: ignore[arg-type]
    joblib = pytest.importorskip("joblib")
    joblib.dump(columns, folder / "query_j.joblib")
    for kind in ("zlib", "gzip", "bz2", "lzma"):
        joblib.dump(columns, folder / f"query_{kind}.joblib", compress=(kind, 3))
    table = pd.DataFrame({"name": ["a", "b"], "pid": [1, None], **{f"f{n}": [n + 0.5] * 2 for n in range(3)}})
    lists = pd.DataFrame({"name": ["a", "b"], "feature": list(rows(2, 3)), "split": ["query", "gallery"]})
    table.to_csv(folder / "query_t.csv", index=False)
    (folder / "query_t.json").write_text(table.to_json(orient="records"))
    pytest.importorskip("pyarrow")
    table.to_parquet(folder / "query_t.parquet")
    lists.to_parquet(folder / "l.parquet")
    table.to_feather(folder / "query_t.feather")
    lists.to_feather(folder / "l.feather", compression="zstd")
    yield from sorted(folder.iterdir())


def test_feature_files(tmp_path: Path) -> None:
    (tmp_path / "sound").mkdir()
    random = np.random.default_rng(0)
    for sound in feature_files(tmp_path / "sound"):
        content, path = sound.read_bytes(), tmp_path / sound.name
        for _ in range(TIMES):
            path.write_bytes(mutated(content, random))
            read_blocks([path], [])
            ends(lambda path=path: io.contents(path))
            ends(lambda: io.scan(tmp_path))
        path.unlink()


def test_folders(tmp_path: Path) -> None:
    """Of a saved datasets folder and of one with a file an image, each file in turn."""
    pyarrow = pytest.importorskip("pyarrow")
    random = np.random.default_rng(0)
    saved, images = tmp_path / "query_s", tmp_path / "query_i"
    saved.mkdir(), images.mkdir()
    table = pyarrow.table({"name": ["a", "b"], "vec": list(rows(2, 3))})
    with pyarrow.ipc.new_stream(str(saved / "data.arrow"), table.schema) as stream:
        stream.write_table(table)
    (saved / "state.json").write_text('{"_data_files": [{"filename": "data.arrow"}]}')
    (saved / "dataset_info.json").write_text("{}")
    np.save(images / "a.npy", rows(1, 3)[0])
    for path in (saved / "data.arrow", saved / "state.json", images / "a.npy"):
        content = path.read_bytes()
        for _ in range(TIMES):
            path.write_bytes(mutated(content, random))
            read_blocks([path.parent], [])
            ends(lambda path=path: io.contents(path.parent))
            ends(lambda: io.scan(tmp_path))
        path.write_bytes(content)
    assert read_blocks([saved], [])


def ends(call: Callable[[], object]) -> bool:
    """Whether there was an answer; anything but a sentence in its place fails the test."""
    try:
        call()
    except InputError:
        return False
    return True


def test_recipes(tmp_path: Path) -> None:
    np.savez(tmp_path / "one.npz", query=rows(2, 3), gallery=rows(3, 3))
    folder, random = io.scan(tmp_path), np.random.default_rng(0)
    path = tmp_path / "mine.toml"
    for name in ("best", "aicity2020_1st_baidu_uts", "lists"):
        content = recipe.available()[name].read_bytes()
        for _ in range(TIMES):
            path.write_bytes(mutated(content, random))
            ends(lambda: plan.check(recipe.load(str(path)), folder))


@each(
    "text",
    [
        "about = " + "[" * 100_000,
        "top_k = " + "9" * 5000,
        "top_k = 1" + "0" * 400 + "\n[[branch]]\nsteps = [{ use = 'rerank', lambda_value = 1" + "0" * 400 + "}]",
        "top_k = nan\n[[branch]]\nsteps = [{ use = 'rerank', k1 = inf }]",
        "top_k = 2020-01-01\n[[branch]]\nsteps = [{ use = 'rerank', k1 = 07:32:00 }]",
        "\x00",
    ],
    ids=lambda text: text[:20],
)
def test_recipes_that_ask_for_trouble(tmp_path, text):
    np.savez(tmp_path / "one.npz", query=rows(2, 3), gallery=rows(3, 3))
    (tmp_path / "mine.toml").write_text(text)
    assert not ends(lambda: plan.check(recipe.load(str(tmp_path / "mine.toml")), io.scan(tmp_path)))


def kept(path: Path) -> None:
    """What a run of two queries and three images keeps."""
    scores = {"mAP": 0.5, "rank1": 0.5, "cmc": [0.5, 1.0]}
    step = Step("one", "what", "model", "features", -1, 0.1, np.array([[0, 1], [2, 0]], np.int32), rows(2),
                np.ones((2, 2), np.int8), scores, np.array([0.5, 0.5]), None, np.array([0, 1]),
                {"hits": np.arange(3.0)})  # fmt: skip
    names = {"query": ["q", "r"], "gallery": ["a", "b", "c"]}
    history.write(path, History("title", {"name": names["query"], "pid": np.arange(2)}, {"name": names["gallery"]},
                                (step,), {"recipe": {"name": "title"}, "scores": scores}))  # fmt: skip


def test_kept_runs(tmp_path: Path) -> None:
    path, random = tmp_path / history.FILE, np.random.default_rng(0)
    kept(path)
    assert history.read(path).title == "title"
    content = path.read_bytes()
    for _ in range(TIMES):
        path.write_bytes(mutated(content, random))
        ends(lambda: history.read(path))


ODD = (None, 3, -1.5, "text", [], [1], {"a": 1}, 10**400)


def test_kept_runs_with_fields_of_other_kinds(tmp_path: Path) -> None:
    """Every field of the text, and every array, in turn something else."""
    path = tmp_path / history.FILE
    kept(path)
    with np.load(path) as file:
        sound = dict(file)
    text = json.loads(sound["json"].tobytes())

    def changed(text: dict, arrays: dict) -> None:
        content = np.frombuffer(json.dumps(text).encode(), np.uint8)
        np.savez(path, **{**arrays, "json": content})
        ends(lambda: shown(history.read(path)))

    for odd in ODD:
        for field in text:
            changed({**text, field: odd}, sound)
        for field in text["steps"][0]:
            changed({**text, "steps": [{**text["steps"][0], field: odd}]}, sound)
        for field in text["record"]:
            changed({**text, "record": {**text["record"], field: odd}}, sound)
    for name, array in sound.items():
        for other in (array.astype("U8"), array.astype(complex), array[:0], array.reshape(-1)[0], array[None]):
            changed(text, {**sound, name: other})
    for name in sound:
        content = {key: value for key, value in sound.items() if key != name}
        np.savez(path, **content)
        ends(lambda: shown(history.read(path)))


def shown(found: History) -> None:
    """What every view of a run asks it for."""
    assert isinstance(found.final.label, str)
    assert isinstance(found.protocol, dict)
    assert found.before is None or isinstance(found.before, Step)


def test_archives_in_archives(tmp_path: Path) -> None:
    """A zip whose members lie about their sizes."""
    path = tmp_path / "a.npz"
    np.savez(path, query=rows(2), gallery=rows(2))
    content = bytearray(path.read_bytes())
    with zipfile.ZipFile(path) as archive:
        start = archive.start_dir
    for place in range(start, len(content)):
        path.write_bytes(content[:place] + bytes([content[place] ^ 0xFF]) + content[place + 1 :])
        read_blocks([path], [])


def test_studies(tmp_path: Path) -> None:
    pytest.importorskip("optuna")
    from ensemble.tune import study

    path = tmp_path / "study.db"
    with study._quiet(), study._opened(path, {"objective": "mAP"}):
        pass
    content, random = path.read_bytes(), np.random.default_rng(0)

    def opened() -> None:
        with study._quiet(), study._opened(path, {"objective": "mAP"}) as file, study._readable(path):
            file.get_trials(deepcopy=False)

    for number in range(4):
        changed = bytearray(content)
        for _ in range(200):
            changed[int(random.integers(0 if number < 2 else 100, len(changed)))] = int(random.integers(256))
        path.write_bytes(changed)
        ends(opened)
    path.write_bytes(content[: len(content) // 2])
    assert not ends(opened)
