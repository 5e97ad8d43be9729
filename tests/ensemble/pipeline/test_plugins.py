"""Steps, joins, readers and submission formats of others: installed, named on the command line, handed over."""

from pathlib import Path

import numpy as np
import pytest

from ensemble.base.errors import InputError
from ensemble.pipeline import plugins, steps
from postproc.base.step import step
from postproc.base.vocabulary import Distances, Features
from tests.support import forked
from tests.support.forked import command

ROOT = Path(__file__).parents[3]
EXAMPLE = ROOT / "tests" / "example_plugin"
NAMES = {"query": ["q0.jpg", "q1.jpg"], "gallery": ["g0.jpg", "g1.jpg", "g2.jpg"]}
RECIPE = """
submission = "semicolons"

[[branch]]
models = ["a", "b"]
each = [{ use = "soft_threshold", strength = 0.05 }, { use = "distances" }]
join = { use = "harmonic_mean" }
steps = [{ use = "own_camera_last", share = 0.5 }]
"""


def write_folder(folder: Path) -> Path:
    """Two models in the reader's own format, cameras in tables."""
    random = np.random.default_rng(0)
    folder.mkdir()
    for model in ("a", "b"):
        for side, names in NAMES.items():
            rows = random.normal(size=(len(names), 4))
            lines = [" ".join([name, *map(repr, row.tolist())]) for name, row in zip(names, rows, strict=True)]
            (folder / f"{side}_{model}.vec").write_text("\n".join(lines) + "\n")
    for side, names in NAMES.items():
        table = [f"{name},{number % 2}" for number, name in enumerate(names)]
        (folder / f"{side}.csv").write_text("\n".join(["name,cam", *table]) + "\n")
    return folder


def installed(folder: Path) -> Path:
    """The example as an installer leaves it: the package, and what it says of itself."""
    import tomllib

    project = tomllib.loads((EXAMPLE / "pyproject.toml").read_text())["project"]
    info = folder / "reid_example-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: 1.0\n")
    groups = [
        f"[{group}]\n" + "".join(f"{name} = {value}\n" for name, value in entries.items())
        for group, entries in project["entry-points"].items()
    ]
    (info / "entry_points.txt").write_text("\n".join(groups))
    (folder / "reid_example").symlink_to(EXAMPLE / "reid_example")
    return folder


def test_an_installed_package_brings_one_of_each(tmp_path: Path) -> None:
    site, folder = installed(tmp_path / "site"), write_folder(tmp_path / "features")
    recipe = tmp_path / "mine.toml"
    recipe.write_text(RECIPE)
    out = tmp_path / "out"
    done = forked.anew("run", "--features", str(folder), "--recipe", str(recipe), "--out", str(out), path=site)
    assert (done.returncode, done.stderr) == (0, "")
    lines = (out / "ranking.scsv").read_text().splitlines()
    assert [line.split(";")[0] for line in lines] == NAMES["query"]
    assert [sorted(line.split(";")[1:]) for line in lines] == [NAMES["gallery"]] * 2
    listed = command("run", "--list-steps", path=site).stdout
    assert "soft_threshold: Move every value towards 0" in listed
    assert "strength = 0.1    (weight, 0 to 1e+06)" in listed
    assert "harmonic_mean: Take the harmonic mean" in listed
    lists = []
    for side, names in NAMES.items():
        (tmp_path / f"{side}.txt").write_text("\n".join(names) + "\n")
        lists += [f"--{side}-names", str(tmp_path / f"{side}.txt")]
    checked = command("validate", str(out / "ranking.scsv"), *lists, path=site)
    assert (checked.returncode, checked.stderr) == (0, "")
    bare = command("run", "--features", str(folder), "--recipe", str(recipe))
    assert bare.returncode == 2
    assert "semicolons" in bare.stderr


def test_a_module_beside_the_user_is_loaded_and_never_by_a_recipe(tmp_path: Path) -> None:
    folder = tmp_path / "features"
    folder.mkdir()
    for side, names in NAMES.items():
        rows = np.random.default_rng(1).normal(size=(len(names), 4)).astype(np.float32)
        np.save(folder / f"{side}_a.npy", rows)
        (folder / f"{side}_a.txt").write_text("\n".join(names) + "\n")
    (tmp_path / "mine.py").write_text((EXAMPLE / "reid_example" / "steps.py").read_text())
    recipe = tmp_path / "mine.toml"
    recipe.write_text('[[branch]]\nsteps = [{ use = "soft_threshold" }, { use = "distances" }]\n')
    call = ("run", "--features", str(folder), "--recipe", str(recipe), "--dry-run")
    refused = command(*call, cwd=tmp_path)
    assert refused.returncode == 2
    assert "load what is not ours with --steps MODULE" in refused.stderr
    assert command(*call, "--steps", "mine", cwd=tmp_path).returncode == 0
    out_of_range = command(*call, "--steps", "mine", "--set", "soft_threshold.strength=-1", cwd=tmp_path)
    assert out_of_range.returncode == 2
    assert "strength: wanted 0 to 1000000.0, got -1" in out_of_range.stderr
    for module, found in (("no_such_module", "ModuleNotFoundError"), ("json", "found none")):
        wrong = command(*call, "--steps", module, cwd=tmp_path)
        assert wrong.returncode == 2
        assert found in wrong.stderr
        assert "Traceback" not in wrong.stderr


def test_a_package_that_cannot_be_loaded_is_named(tmp_path: Path) -> None:
    info = tmp_path / "broken-2.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: broken\nVersion: 2\n")
    (info / "entry_points.txt").write_text("[reid_ensemble.steps]\ngone = broken_package:gone\n")
    done = command("run", "--list-recipes", path=tmp_path)
    assert done.returncode == 2
    assert "plug-in gone of the package broken: wanted to load broken_package:gone" in done.stderr


@step
def rerank(features: Features) -> Features:
    """A name that is taken."""
    return features


@step
def concat(features: Features) -> Features:
    """The name of a join is taken too."""
    return features


@step
def nowhere(features: Features) -> None:
    """It gives nothing."""


@step
def peeking(distances: Distances, gallery_pid: np.ndarray) -> Distances:
    """It looks at the labels that scores are computed from."""
    return distances


@step
def mine(features: Features) -> Features:
    """As it should be."""
    return features


def test_what_is_none_or_taken_is_refused_and_all_at_once() -> None:
    with pytest.raises(InputError) as refused:
        plugins.add(steps=[rerank, concat, nowhere, peeking, len], joins=[mine], readers=[3], submissions=["csv"])
    assert [problem.partition(": ")[2].partition(",")[0] for problem in refused.value.problems] == [
        "wanted a name of its own",
        "wanted a name of its own",
        "wanted a return annotation of features or distances",
        "wanted data of postproc.base.vocabulary",
        "wanted a function with @step",
        "wanted a function with @join",
        "wanted a Reader",
        "wanted a Format",
    ]
    assert not {"nowhere", "peeking"} & steps.catalogue().keys()


def test_the_same_step_twice_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(steps, "_added", {})
    plugins.add(steps=[mine])
    plugins.add(steps=[mine])
    assert steps.catalogue()["mine"].function is mine
