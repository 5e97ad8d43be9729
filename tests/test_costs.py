"""What an addition costs: its file, one line where its kind is collected, and nothing else.

Each is made in a copy of the packages, and found in use by the commands.
"""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parents[1]
EXAMPLE = ROOT / "tests" / "example_plugin" / "reid_example"
NAMES = {"query": ["q0.jpg", "q1.jpg"], "gallery": ["g0.jpg", "g1.jpg", "g2.jpg"]}
RECIPE = """
submission = "semicolons"

[[branch]]
models = ["a", "b"]
each = [{ use = "soft_threshold", strength = 0.05 }, { use = "distances" }]
join = { use = "harmonic_mean" }
"""
PROTOCOL = """_PRESETS = {
    "only_five": (Protocol(top_k=5, denominator="all"), "nobody's"),
"""

COMMAND = '''"""Count to one.

    python -m ensemble.count

Ones are counted.
"""

TASK = "look"


def main(arguments):
    print(1)
    return 0


if __name__ == "__main__":
    main(None)
'''


SEVERAL = """
import io, json, sys
from contextlib import redirect_stdout, suppress
from ensemble.cli import start

said = []
for words in json.loads(sys.argv[1]):
    with redirect_stdout(io.StringIO()) as out, suppress(SystemExit):
        start.start("python -m ensemble", words)
    said.append(out.getvalue())
print(json.dumps(said))
"""


class Packages:
    """A copy of postproc and ensemble that may be changed; ``changes`` are its files that were."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.changes = folder, set[str]()
        for package in ("postproc", "ensemble"):
            shutil.copytree(ROOT / package, folder / package)

    def write(self, file: str, text: str) -> None:
        assert not (self.folder / file).exists()
        (self.folder / file).write_text(text, encoding="utf-8")
        self.changes.add(file)

    def change(self, file: str, old: str, new: str) -> None:
        text = (self.folder / file).read_text(encoding="utf-8")
        assert text.count(old) == 1, f"{file}: wanted {old!r} once"
        (self.folder / file).write_text(text.replace(old, new), encoding="utf-8")
        self.changes.add(file)

    def command(self, *arguments: str) -> str:
        env = {**os.environ, "PYTHONPATH": str(self.folder)}
        done = subprocess.run(
            [sys.executable, "-m", *arguments],
            capture_output=True,
            text=True,
            env=env,
            cwd=self.folder,
            timeout=200,
        )
        assert (done.returncode, done.stderr) == (0, ""), done.stderr
        return done.stdout

    def several(self, *words: list[str]) -> list[str]:
        """What commands print, all of one process: they import the same."""
        (self.folder / "several.py").write_text(SEVERAL)
        return list(json.loads(self.command("several", json.dumps(words))))


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> Packages:
    """One technique, join, format, reader, protocol and command more; every line that this takes is here."""
    copy = Packages(tmp_path_factory.mktemp("packages"))
    copy.write("postproc/features/soft_threshold.py", (EXAMPLE / "steps.py").read_text())
    first = "from postproc.features.whiten import whiten\n"
    more = "from postproc.features.soft_threshold import soft_threshold\n"
    copy.change("postproc/__init__.py", first, more + first)

    copy.write("ensemble/fusion/after/harmonic_mean.py", (EXAMPLE / "joins.py").read_text())
    first = "from ensemble.fusion.after.product import product\n"
    more = "from ensemble.fusion.after.harmonic_mean import harmonic_mean\n"
    copy.change("ensemble/fusion/__init__.py", first, first + more)

    copy.write("ensemble/io/readers/lines.py", (EXAMPLE / "readers.py").read_text())
    copy.change(
        "ensemble/io/containers.py",
        "import NPY, NPZ\n",
        "import NPY, NPZ\nfrom ensemble.io.readers.lines import LINES\n",
    )
    copy.change("ensemble/io/containers.py", "READERS = (", "READERS = (LINES, ")

    copy.write("ensemble/submissions/semicolons.py", (EXAMPLE / "submissions.py").read_text())
    copy.change("ensemble/submissions/formats.py", "    arrays,\n", "    arrays,\n    semicolons,\n")
    copy.change(
        "ensemble/submissions/formats.py",
        "    arrays.FORMAT,\n",
        "    arrays.FORMAT,\n    semicolons.SEMICOLONS,\n",
    )

    copy.change("ensemble/scores/protocols.py", "_PRESETS = {\n", PROTOCOL)
    copy.write("ensemble/count.py", COMMAND)
    return copy


def test_each_takes_its_file_and_one_more(packages: Packages) -> None:
    assert packages.changes == {
        *("postproc/features/soft_threshold.py", "postproc/__init__.py"),
        *("ensemble/fusion/after/harmonic_mean.py", "ensemble/fusion/__init__.py"),
        *("ensemble/io/readers/lines.py", "ensemble/io/containers.py"),
        *("ensemble/submissions/semicolons.py", "ensemble/submissions/formats.py"),
        "ensemble/scores/protocols.py",
        "ensemble/count.py",
    }


def test_all_of_them_are_in_use(packages: Packages, tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    features, recipe, out = tmp_path / "features", tmp_path / "mine.toml", tmp_path / "out"
    features.mkdir()
    recipe.write_text(RECIPE)
    for model in ("a", "b"):
        for side, names in NAMES.items():
            rows = random.normal(size=(len(names), 4))
            lines = [" ".join([name, *map(repr, row.tolist())]) for name, row in zip(names, rows, strict=True)]
            (features / f"{side}_{model}.vec").write_text("\n".join(lines) + "\n")
    for side, names in NAMES.items():
        (features / f"{side}.csv").write_text("\n".join(["name,pid", *(f"{name},1" for name in names)]) + "\n")
    options = ["--features", str(features), "--recipe", str(recipe), "--protocol", "only_five"]
    told, listed = packages.several(["run", *options, "--out", str(out)], ["run", "--list-steps"])
    assert "soft_threshold" in told
    assert "harmonic_mean" in told
    assert "mAP 1.0000" in told
    assert (out / "ranking.scsv").read_text().startswith("q0.jpg;")
    assert "    strength = 0.1    (weight, 0 to 1e+06)" in listed
    assert "$ python -m ensemble count\n" in packages.command("ensemble").partition("\nlook\n")[2]
    assert packages.command("ensemble", "count") == packages.command("ensemble.count") == "1\n"


def test_the_tuner_and_the_laws_know_the_technique(packages: Packages) -> None:
    code = (
        "import postproc; from postproc.testing import check_step; from ensemble.pipeline import steps; "
        "check_step(postproc.soft_threshold); "
        "print(steps.catalogue()['soft_threshold'].settings['strength'].search)"
    )
    (packages.folder / "asked.py").write_text(code)
    assert packages.command("asked") == "around\n"
