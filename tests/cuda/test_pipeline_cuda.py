"""Recipes on a device: the files that the CPU writes; what has no CUDA version gets its data on the host."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pandas as pd
import pytest
import torch
from numba import cuda
from numpy.testing import assert_allclose, assert_array_equal

import postproc
from ensemble import ablate, evaluate, io, run, thresholds
from ensemble.cli import planning
from ensemble.cli.walk import device_text
from ensemble.pipeline.devices import CPU, Device, problem
from ensemble.pipeline.run import Result, Run, Seen
from ensemble.pipeline.state import Memo
from ensemble.tune import __main__ as tune
from postproc.base import arrays
from postproc.base.step import Declaration
from tests.cuda.conftest import SIMULATED, OnDevice
from tests.support.each import each
from tests.support.folders import listed
from tests.support.folders import names as numbered

NQ, NG, D = 8, 40, 8
ON_CUDA = Device("cuda")


@pytest.fixture(scope="module", autouse=True)
def device(on_device: OnDevice) -> Iterator[OnDevice]:
    """A device that torch and numba have; in the simulator they say so."""
    if not SIMULATED:
        yield on_device
        return
    given: dict[str, Any] = {
        "is_available": lambda: True,
        "device_count": lambda: 1,
        "synchronize": lambda device: None,
        "mem_get_info": lambda device: (2**33, 2**33),
        "memory_reserved": lambda device: 2**20,
        "memory_allocated": lambda device: 2**20,
        "get_device_name": lambda device: "simulator",
    }
    with mock.patch.multiple(torch.cuda, **given), mock.patch.object(cuda, "is_available", return_value=True):
        yield on_device


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Models of labelled images with cameras and tracks: one that knows half of the gallery, one beside."""
    made = tmp_path_factory.mktemp("folder")
    rng = np.random.default_rng(0)
    pids = np.arange(NQ) % 5, rng.integers(0, 5, NG)
    tables: dict[str, Any] = {"gallery_track": pids[1]}
    for side, pid in zip(("query", "gallery"), pids, strict=True):
        tables[f"{side}_name"] = np.array([f"{side}{row:02d}.jpg" for row in range(len(pid))])
        tables |= {f"{side}_pid": pid, f"{side}_cam": rng.integers(0, 3, len(pid))}
    (made / "side").mkdir()
    for model in ("one", "two", "half", "side/camera"):
        centre = rng.normal(size=(5, D))
        content = tables | {
            side: (centre[pid] + rng.normal(size=(len(pid), D))).astype(np.float32)
            for side, pid in zip(("query", "gallery"), pids, strict=True)
        }
        if model == "half":
            content = {name: value[::2] if "gallery" in name else value for name, value in content.items()}
        np.savez(made / f"{model}.npz", **content)
    return made


RECIPES = {
    "chain": """
        [[branch]]
        models = ["one", "two"]
        each = [{ use = "l2_normalize" }]
        join = { use = "concat" }
        steps = [{ use = "rerank", k1 = 6, k2 = 3 }]
        """,
    "after": """
        [[branch]]
        models = ["one"]
        steps = [{ use = "rerank", k1 = 6, k2 = 3 }]
        [[branch]]
        models = ["two"]
        steps = [{ use = "distances" }]
        [join]
        use = "weighted_sum"
        scaling = "min-max"
        """,
    "across": """
        [[branch]]
        models = ["one", "two"]
        join = { use = "unsupervised_reliability", k = 5 }
        """,
    "beside": """
        auxiliary = { camera = ["camera"] }
        [[branch]]
        models = ["one"]
        steps = [{ use = "distances" }, { use = "subtract_auxiliary", aux = "camera" }]
        """,
    "half": """
        missing = "keep"
        [[branch]]
        models = ["one", "half"]
        join = { use = "concat" }
        steps = [{ use = "distances" }]
        """,
    "mean": """
        missing = "keep"
        [[branch]]
        models = ["one", "half"]
        each = [{ use = "distances" }]
        join = { use = "weighted_sum", missing = "mean" }
        """,
    "some": """
        missing = "keep"
        [[branch]]
        models = ["one"]
        steps = [{ use = "distances" }]
        [[branch]]
        models = ["two"]
        only = { cam = [0, 1, 2] }
        steps = [{ use = "rerank", k1 = 6, k2 = 3 }]
        [join]
        use = "reciprocal_rank_fusion"
        """,
}


def ran(folder: Path, recipe: Path, device: Device, **settings: Any) -> tuple[Run, Result]:
    options = run.parser().parse_args(["--features", str(folder), "--recipe", str(recipe)])
    walk = Run(planning.prepare(options), lambda line: None, device=device, **settings)
    return walk, walk()


@pytest.fixture
def chain(tmp_path: Path) -> Path:
    path = tmp_path / "chain.toml"
    path.write_text(RECIPES["chain"])
    return path


@each("name", RECIPES)
def test_the_result_of_the_cpu(folder: Path, tmp_path: Path, name: str) -> None:
    recipe = tmp_path / f"{name}.toml"
    recipe.write_text(RECIPES[name])
    (_, wanted), (_, found) = (ran(folder, recipe, device) for device in (CPU, ON_CUDA))
    assert_array_equal(found.ranking, wanted.ranking)
    assert_allclose(found.distances, wanted.distances, rtol=1e-5, atol=1e-6)
    assert found.scores is not None
    assert wanted.scores is not None
    assert found.scores.mAP == pytest.approx(wanted.scores.mAP)
    assert [line.shape for line in found.lines] == [line.shape for line in wanted.lines]
    assert [line.mAP for line in found.lines] == pytest.approx([line.mAP for line in wanted.lines])


def test_what_has_no_cuda_version_runs_on_the_host(
    folder: Path, chain: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postproc.l2_normalize, "__step__", Declaration(host_only=True))
    (_, wanted), (walk, found) = (ran(folder, chain, device) for device in (CPU, ON_CUDA))
    assert_array_equal(found.ranking, wanted.ranking)
    where = {line.step: line.device for line in found.lines}
    assert where == {"read": "cpu", "model": "cuda", "l2_normalize": "cpu", "concat": "cuda", "rerank": "cuda"}
    assert device_text(ON_CUDA, walk.plan.recipe).endswith("on the CPU, for want of a CUDA version: l2_normalize")


def test_a_gallery_larger_than_the_room_stays_on_the_host(
    folder: Path, chain: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = {}

    def watch(node: Seen) -> None:
        data = node.state.data
        seen.update(
            {name: arrays.on_cuda(data[name]) for name in ("query", "gallery", "distances") if name in data}
        )

    monkeypatch.setattr(Device, "free", lambda self: 1100)  # twice 8 x 16 and a little, but not 40 x 8 numbers
    (_, wanted), (_, found) = (ran(folder, chain, device, watch=watch) for device in (CPU, ON_CUDA))
    assert seen == {"query": True, "gallery": False, "distances": True}
    assert_array_equal(found.ranking, wanted.ranking)
    assert_allclose(found.distances, wanted.distances, rtol=1e-5, atol=1e-6)


def test_lists(tmp_path: Path) -> None:
    lists = tmp_path / "lists"
    lists.mkdir()
    listed(lists / "name_query.txt", numbered(3))
    listed(lists / "name_test.txt", numbered(6))
    listed(lists / "test_track_id.txt", ["1 4", "2 5", "3", "6"])
    listed(lists / "a.txt", ["1 2 3", "2 1 6", "3 1 2"])
    listed(lists / "b.txt", ["2 3 4", "6 2 5", "1 3 5"])
    for name in ("cpu", "cuda"):
        options = ["--rankings", str(lists), "--device", name, "--out", str(tmp_path / name), "--set", "top_k=4"]
        assert run.main(options) == 0
    assert (tmp_path / "cuda" / "track2.txt").read_bytes() == (tmp_path / "cpu" / "track2.txt").read_bytes()


def test_features_go_up_once(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "twice.toml"
    path.write_text(RECIPES["after"].replace('"two"', '"one"'))
    moved, up = [], Device.up

    def noted(self: Device, value: Any) -> Any:
        moved.append(isinstance(value, np.ndarray) and value.ndim == 2)
        return up(self, value)

    monkeypatch.setattr(Device, "up", noted)
    ran(folder, path, ON_CUDA)
    assert sum(moved) == 2  # sides of the one model that both branches take


def test_memory_of_the_device_counts_what_is_kept(folder: Path, chain: Path) -> None:
    memo = Memo()
    sets = {features.model: features for features in io.read(io.scan(folder), ["one", "two"])}
    first, again = (ran(folder, chain, ON_CUDA, sets=sets, memo=memo)[1] for _ in range(2))
    assert memo.bytes > 2 * (NQ + NG) * D * 4
    assert_array_equal(first.ranking, again.ranking)


def test_the_command_writes_the_same_files(folder: Path, chain: Path, tmp_path: Path, capsys: Any) -> None:
    for name in ("cpu", "cuda"):
        options = ["--features", str(folder), "--recipe", str(chain), "--device", name, "--report"]
        assert run.main([*options, "--out", str(tmp_path / name)]) == 0
    assert "on cuda (" in capsys.readouterr().out
    assert (tmp_path / "cuda" / "recipe.toml").read_bytes() == (tmp_path / "cpu" / "recipe.toml").read_bytes()
    for file in ("ranking.csv", "queries.csv"):
        wanted = pd.read_csv(tmp_path / "cpu" / file)
        pd.testing.assert_frame_equal(pd.read_csv(tmp_path / "cuda" / file), wanted, rtol=1e-5)
    on_cpu, on_cuda = (json.loads((tmp_path / name / "run.json").read_text()) for name in ("cpu", "cuda"))
    assert on_cpu["device"] == "cpu"
    assert on_cuda["device"].startswith("cuda (")
    assert {step["device"] for step in on_cpu["steps"]} == {"cpu"}
    assert on_cuda["versions"]["torch"]
    assert (tmp_path / "cuda" / "report.html").exists()


def test_other_commands(folder: Path, chain: Path, tmp_path: Path, capsys: Any) -> None:
    found = {}
    for name in ("cpu", "cuda"):
        options = ["--features", str(folder), "--recipe", str(chain), "--device", name, "--json"]
        printed = []
        for command, more in ((evaluate, []), (ablate, ["--resamples", "100"]), (thresholds, ["--folds", "2"])):
            assert command.main([*options, *more]) == 0
            printed.append(json.loads(capsys.readouterr().out))
        found[name] = printed
    assert found["cuda"][0]["mAP"] == pytest.approx(found["cpu"][0]["mAP"])
    assert [row["mAP"] for row in found["cuda"][1]["rows"]] == pytest.approx(
        [row["mAP"] for row in found["cpu"][1]["rows"]]
    )
    assert found["cuda"][2]["thresholds"][0]["threshold"] == pytest.approx(
        found["cpu"][2]["thresholds"][0]["threshold"], rel=1e-5
    )


def test_tuning(folder: Path, chain: Path, tmp_path: Path) -> None:
    rows = {}
    for name in ("cpu", "cuda"):
        options = ["--features", str(folder), "--recipe", str(chain), "--trials", "3", "--folds", "2"]
        options += ["--on", "test", "--search"]
        assert tune.main([*options, "rerank.k1=3..9", "--device", name, "--out", str(tmp_path / name)]) == 0
        rows[name] = json.loads((tmp_path / name / "tuning.json").read_text())["held_out"]["mean"]
    assert rows["cuda"] == pytest.approx(rows["cpu"])


def test_no_room_on_the_device(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda *given: (1 << 30, 8 << 30))
    with (
        pytest.raises(
            MemoryError, match=r"^step 1: .*has no room \(1.0 of 8.0 GiB are free\).*; or take --device cpu"
        ),
        ON_CUDA.room("step 1"),
    ):
        raise torch.OutOfMemoryError
    with pytest.raises(MemoryError, match=r"^on the host$"), ON_CUDA.room("step 1"):
        raise MemoryError("on the host")


def test_the_name_of_the_device() -> None:
    assert problem("cuda") is None
    assert problem("cuda:0") is None
    count = torch.cuda.device_count()
    assert problem(f"cuda:{count}") == f"wanted cuda:0 to cuda:{count - 1}, found 'cuda:{count}'"
