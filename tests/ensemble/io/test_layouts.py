"""Every layout that people write features in, written as they do, gives what the project's own format gives."""

import gzip
import json
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import joblib
import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_array_equal

from ensemble import run
from ensemble.io import contents, read, scan
from tests.support.each import each

SIDES = ("query", "gallery")
RANDOM = np.random.default_rng(0)
ROWS = {
    side: RANDOM.normal(size=(count, 6)).astype(np.float32) for side, count in zip(SIDES, (7, 11), strict=True)
}
NAMES = {side: [f"{side[0]}{row:03d}.jpg" for row in range(len(rows))] for side, rows in ROWS.items()}
LABELS = {side: {"pid": np.arange(len(rows)) % 3, "cam": np.arange(len(rows)) % 2} for side, rows in ROWS.items()}

Half = Callable[[Path, str], object]


def columns(side: str, *keys: str) -> dict[str, Any]:
    """Features, names, identities and cameras under these keys."""
    return dict(zip(keys, (ROWS[side], NAMES[side], *LABELS[side].values()), strict=True))


def vectors(side: str) -> dict[str, np.ndarray]:
    return dict(zip(NAMES[side], ROWS[side], strict=True))


def pickled(path: Path, content: object) -> None:
    path.write_bytes(pickle.dumps(content))


def named(folder: Path) -> None:
    """The lists of names, for layouts that have none."""
    for side, file in (("query", "name_query.txt"), ("gallery", "name_test.txt")):
        (folder / file).write_text("\n".join(NAMES[side]) + "\n")


def objects(values: np.ndarray) -> np.ndarray:
    made = np.empty(len(values), object)
    made[:] = list(values)
    return made


def frame(side: str, prefix: str) -> pd.DataFrame:
    table = pd.DataFrame(ROWS[side], columns=[f"{prefix}{number}" for number in range(6)])
    return table.assign(image_path=NAMES[side], camid=LABELS[side]["cam"], identity=LABELS[side]["pid"])


def lists(side: str) -> pd.DataFrame:
    return pd.DataFrame({"filename": NAMES[side], "embedding": list(ROWS[side]), **LABELS[side]})


def hdf5(path: Path, entries: dict[str, Any], **settings: Any) -> None:
    with h5py.File(path, "w", **settings) as file:
        for key, value in entries.items():
            file[key] = value


def an_image(folder: Path, side: str, shape: tuple[int, ...] = (-1,), suffix: str = ".jpg.npy") -> None:
    folder.mkdir(parents=True)
    for name, row in vectors(side).items():
        np.save(folder / name.replace(".jpg", suffix), row.reshape(shape))


def saved_set(folder: Path, side: str) -> None:
    """As ``datasets.Dataset.save_to_disk`` lays it out, in two files."""
    pyarrow = pytest.importorskip("pyarrow")
    folder.mkdir(parents=True)
    table = pyarrow.table({"image_path": NAMES[side], "vec": list(ROWS[side]), **LABELS[side]})
    files = [f"data-0000{number}-of-00002.arrow" for number in range(2)]
    for file, part in zip(files, (table[:3], table[3:]), strict=True):
        with pyarrow.ipc.new_stream(str(folder / file), table.schema) as stream:
            stream.write_table(part, max_chunksize=2)
    state = {"_data_files": [{"filename": file} for file in files], "_fingerprint": "x", "_split": None}
    (folder / "state.json").write_text(json.dumps(state))
    (folder / "dataset_info.json").write_text("{}")


def splits(folder: Path) -> None:
    for side in SIDES:
        saved_set(folder / side, side)
    (folder / "dataset_dict.json").write_text(json.dumps({"splits": SIDES}))


def zipped(path: Path, write: Callable[[Any], object]) -> None:
    with gzip.open(path, "wb") as file:
        write(file)


def large(path: Path, side: str) -> None:
    """As Polars writes it, with a column of lists that are no features."""
    pyarrow, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    features = pyarrow.array(list(ROWS[side]), pyarrow.large_list(pyarrow.float32()))
    entries = {"path": pyarrow.array(NAMES[side], pyarrow.large_string()), "emb": features}
    parquet.write_table(pyarrow.table({**entries, "tags": [["a", "b"]] * len(features)}), path)


USUAL = ("features", "names", "pids", "camids")
HALVES: dict[str, Half] = {
    "h5 of columns": lambda f, s: hdf5(f / f"{s}_m.h5", columns(s, "embeddings", "img_paths", "pid", "camid")),
    "h5 behind a block": lambda f, s: hdf5(f / f"{s}_m.hdf5", columns(s, *USUAL), userblock_size=512),
    "h5 of bytes": lambda f, s: hdf5(f / f"{s}_m.h5", {"X": ROWS[s], "image_id": np.array(NAMES[s], "S")}),
    "h5 a name a vector": lambda f, s: hdf5(f / f"{s}_m.h5", {f"a/{n}": row for n, row in vectors(s).items()}),
    "npz of columns": lambda f, s: np.savez(f / f"{s}_m.npz", **columns(s, *USUAL)),
    "npz of objects": lambda f, s: np.savez(f / f"{s}_m.npz", feat=ROWS[s], paths=np.array(NAMES[s], object)),
    "npz without a key": lambda f, s: (np.savez(f / f"{s}_m.npz", ROWS[s]), named(f)),
    "npy of a dictionary": lambda f, s: np.save(f / f"{s}_m.npy", vectors(s)),  # type: ignore[arg-type]
    "npy of columns": lambda f, s: np.save(f / f"{s}_m.npy", columns(s, *USUAL)),  # type: ignore[arg-type]
    "npy of vectors": lambda f, s: (np.save(f / f"{s}_m.npy", objects(ROWS[s])), named(f)),
    "npy (n, d, 1, 1)": lambda f, s: (np.save(f / f"{s}_m.npy", ROWS[s][:, :, None, None]), named(f)),
    "npy (n, 1, d)": lambda f, s: (np.save(f / f"{s}_m.npy", ROWS[s][:, None]), named(f)),
    "npy (n, d, 1)": lambda f, s: (np.save(f / f"{s}_m.npy", ROWS[s][:, :, None]), named(f)),
    "npy by columns, big end": lambda f, s: (np.save(f / f"{s}.npy", np.asfortranarray(ROWS[s], ">f8")), named(f)),
    "pairs": lambda f, s: pickled(f / f"{s}_m.pkl", list(vectors(s).items())),
    "names and rows": lambda f, s: pickled(f / f"{s}_m.pkl", (NAMES[s], ROWS[s])),
    "batches": lambda f, s: (pickled(f / f"{s}_m.pkl", [ROWS[s][:4, :, None], ROWS[s][4:, :, None]]), named(f)),
    "batches with names": lambda f, s: pickled(
        f / f"{s}_m.pkl", [(NAMES[s][:4], ROWS[s][:4]), (NAMES[s][4:], ROWS[s][4:])]
    ),
    "records": lambda f, s: pickled(
        f / f"{s}_m.pkl", [{"id": name, "feature": row} for name, row in vectors(s).items()]
    ),
    "columns": lambda f, s: pickled(f / f"{s}_m.pkl", columns(s, "descriptors", "img_names", "label", "cam_id")),
    "paths as keys": lambda f, s: pickled(f / f"{s}_m.pkl", {Path(name): row for name, row in vectors(s).items()}),
    "pkl.gz": lambda f, s: zipped(f / f"{s}_m.pkl.gz", lambda file: pickle.dump(vectors(s), file)),
    "npy.gz": lambda f, s: (zipped(f / f"{s}_m.npy.gz", lambda file: np.save(file, ROWS[s])), named(f)),
    "csv f0": lambda f, s: frame(s, "f").to_csv(f / f"{s}_m.csv", index=False),
    "csv feat_0": lambda f, s: frame(s, "feat_").to_csv(f / f"{s}_m.csv", index=False, sep=";"),
    "csv without names": lambda f, s: pd.DataFrame(ROWS[s], NAMES[s]).to_csv(f / f"{s}_m.csv"),
    "csv with decimal commas": lambda f, s: frame(s, "f").to_csv(
        f / f"{s}_m.csv", index=False, sep=";", decimal=","
    ),
    "csv of labels too": lambda f, s: frame(s, "f").to_csv(f / f"{s}.csv", index=False),
    "csv without titles": lambda f, s: pd.DataFrame(ROWS[s], NAMES[s]).to_csv(f / f"{s}_m.csv", header=False),
    "csv of lists": lambda f, s: pd.DataFrame({"path": NAMES[s], "vector": ROWS[s].tolist()}).to_csv(
        f / f"{s}_m.csv"
    ),
    "savetxt": lambda f, s: (np.savetxt(f / f"{s}_m.csv", ROWS[s], delimiter=","), named(f)),
    "parquet 0": lambda f, s: frame(s, "").to_parquet(f / f"{s}_m.parquet"),
    "parquet of an index": lambda f, s: (
        frame(s, "x").drop(columns="image_path").set_axis(NAMES[s]).to_parquet(f / f"{s}_m.pq")
    ),
    "parquet of lists": lambda f, s: lists(s).to_parquet(f / f"{s}_m.parquet"),
    "parquet of labels too": lambda f, s: lists(s).to_parquet(f / f"{s}.parquet"),
    "parquet of large types": lambda f, s: large(f / f"{s}_m.parquet", s),
    "feather": lambda f, s: frame(s, "f").to_feather(f / f"{s}_m.feather"),
    "feather, packed": lambda f, s: lists(s).to_feather(f / f"{s}_m.feather", compression="zstd"),
    "json": lambda f, s: (f / f"{s}_m.json").write_text(
        json.dumps({name: row.tolist() for name, row in vectors(s).items()})
    ),
    "jsonl": lambda f, s: (f / f"{s}_m.jsonl").write_text(
        "\n".join(json.dumps({"id": name, "embedding": row.tolist()}) for name, row in vectors(s).items())
    ),
    "npy an image": lambda f, s: an_image(f / s, s),
    "npy an image, by model": lambda f, s: an_image(f / "m" / s, s, (-1, 1, 1)),
    "npy an image, stems": lambda f, s: (an_image(f / f"{s}_m", s, (1, -1), ".npy"), named(f)),
    "datasets": lambda f, s: saved_set(f / f"{s}_m", s),
    "joblib": lambda f, s: joblib.dump(columns(s, *USUAL), f / f"{s}_m.joblib"),
    "joblib in a pkl": lambda f, s: joblib.dump(vectors(s), f / f"{s}_m.pkl", protocol=2),
    "joblib z": lambda f, s: joblib.dump(vectors(s), f / f"{s}_m.z"),
    "joblib of objects": lambda f, s: joblib.dump(
        {"features": np.asfortranarray(ROWS[s], ">f8"), "names": np.array(NAMES[s], object)}, f / f"{s}_m.joblib"
    ),
    **{
        f"joblib {kind}": lambda f, s, kind=kind: joblib.dump(
            columns(s, *USUAL), f / f"{s}_m.joblib", compress=(kind, 3)
        )
        for kind in ("zlib", "gzip", "bz2", "lzma", "xz")
    },
    "records by name": lambda f, s: pickled(
        f / f"{s}_m.pkl",
        {
            name: {"feat": row, "pid": int(pid), "camid": int(cam)}
            for (name, row), pid, cam in zip(vectors(s).items(), LABELS[s]["pid"], LABELS[s]["cam"], strict=True)
        },
    ),
}


def both(write: Half) -> Callable[[Path], object]:
    return lambda folder: [write(folder, side) for side in SIDES]


def dumped(*short: str) -> dict[str, Any]:
    """As torchreid's and fast-reid's dumps call them."""
    return {f"{s[0]}{end}": value for s in SIDES for end, value in columns(s, "f", *short).items()}


def of_matlab(folder: Path) -> None:
    entries = {
        f"{s}_{key}": value for s in SIDES for key, value in (("f", ROWS[s]), ("label", LABELS[s]["pid"][None]))
    }
    hdf5(folder / "m.h5", {key: value.T for key, value in entries.items()})
    with h5py.File(folder / "m.h5", "r+") as file:
        for key in entries:
            file[key].attrs["MATLAB_class"] = np.bytes_("single")
    named(folder)


WHOLE: dict[str, Callable[[Path], object]] = {
    "h5": lambda f: hdf5(f / "m.h5", {f"{s}_{k}": v for s in SIDES for k, v in columns(s, *USUAL).items()}),
    "h5 of groups": lambda f: hdf5(
        f / "m.h5", {f"{s}/{k}": v for s in SIDES for k, v in columns(s, *USUAL).items()}
    ),
    "h5 of MATLAB": of_matlab,
    "a dictionary a side": lambda f: pickled(f / "m.pkl", {s: columns(s, *USUAL) for s in SIDES}),
    "vectors a side": lambda f: pickled(f / "m.pkl", {s: vectors(s) for s in SIDES}),
    "npy": lambda f: np.save(f / "m.npy", {s: vectors(s) for s in SIDES}),  # type: ignore[arg-type]
    "qf in a pickle": lambda f: pickled(f / "m.pkl", dumped("_names", "_pids", "_camids")),
    "qf in npz": lambda f: np.savez(f / "m.npz", **dumped("_paths", "_pids", "_camids")),
    "qf in files": lambda f: [np.save(f / f"{k}.npy", v) for k, v in dumped("_names", "_pids", "_camids").items()],
    "split": lambda f: (
        pd.concat([lists(s).assign(split=s) for s in SIDES])
        .sample(frac=1, random_state=0)
        .to_parquet(f / "m.parquet")
    ),
    "datasets": lambda f: splits(f / "m"),
    "files in a folder": lambda f: [
        ((f / "m").mkdir(exist_ok=True), np.savez(f / "m" / f"{s}.npz", **columns(s, *USUAL))) for s in SIDES
    ],
    "datasets itself": splits,
    **{f"{name}": both(write) for name, write in HALVES.items()},
    "split, as wildlife-datasets has it": lambda f: pd.concat(
        [lists(s).assign(split=s.replace("gallery", "database")) for s in SIDES]
    ).to_parquet(f / "m.parquet"),
    "sides behind": lambda f: np.savez(
        f / "m.npz",
        **{f"{k}_{s}": v for s in SIDES for k, v in columns(s, "feats", "paths", "vids", "cams").items()},
    ),
    "sides in capitals": lambda f: np.savez(
        f / "m.npz", **{k.upper(): v for k, v in dumped("_names", "_pids", "_camids").items()}
    ),
    "sides behind, in files": lambda f: [
        np.save(f / f"{k}_{s}.npy", v)
        for s in SIDES
        for k, v in columns(s, "feat", "names", "pids", "cams").items()
    ],
}


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The ranking of the own format."""
    folder = tmp_path_factory.mktemp("own")
    np.savez(
        folder / "m.npz",
        **{f"{s}{k}": v for s in SIDES for k, v in columns(s, "", "_name", "_pid", "_cam").items()},
    )
    return ranking(folder, folder / "out")


def ranking(folder: Path, out: Path) -> Path:
    assert run.main(["--features", str(folder), "--recipe", "baseline", "--out", str(out)]) == 0
    return out / "ranking.csv"


@each("name", WHOLE)
def test_a_layout(tmp_path: Path, own: Path, name: str) -> None:
    folder = tmp_path / "features"
    folder.mkdir()
    WHOLE[name](folder)
    found = scan(folder)
    (feature_set,) = read(found)
    assert set(feature_set.data()) == found.columns
    for side in SIDES:
        table = getattr(feature_set, f"{side}_table")
        short = [Path(text).name for text in table["name"]]
        order = [short.index(text) for text in NAMES[side]]
        assert_array_equal(getattr(feature_set, side)[order], ROWS[side])
        for column in set(table.columns) - {"name"}:
            assert_array_equal(table[column].to_numpy()[order], LABELS[side][column])
    for path in found.inputs:
        assert contents(path).entries
    if list(WHOLE).index(name) % 6 == 0:  # the rest follows, and a run takes its time
        assert ranking(folder, tmp_path / "out").read_bytes() == own.read_bytes()
