"""A run on features that are left on disk: memory of no file, beside what is predicted for it.

    python -m bench.disk 100000 --width 256 --kind float16
    python -m bench.disk 100000 --recipe baseline --shuffled --queries 2000

One set, or queries and a gallery, in ``.npy`` with lists of names, and one model. ``ensemble.run`` runs in a
process of its own. Measured is its anonymous memory (RssAnon) at its highest, after every line too, and, beside
it, the pages of libraries that are left at the end (RssFile): features that are mapped are in neither.
``--shuffled``: a table puts the images into another order than the file has.
"""

import argparse
import contextlib
import io
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np

from bench import anonymous
from bench.scale import write
from ensemble import run
from ensemble.cli import planning
from ensemble.pipeline import lines


def main() -> None:
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("images", type=int)
    p.add_argument("--width", type=int, default=256)
    p.add_argument("--kind", choices=("float16", "float32"), default="float16")
    p.add_argument("--queries", type=int, default=0, help="0: one set")
    p.add_argument("--recipe", default="kreciprocal")
    p.add_argument("--shuffled", action="store_true")
    p.add_argument("--folder", type=Path, help="for the features and the answer; else a temporary one")
    p.add_argument("--child", help=argparse.SUPPRESS)
    options = p.parse_args()
    if options.child:
        print(json.dumps(measured(json.loads(options.child))))
        return
    with tempfile.TemporaryDirectory(dir=options.folder) as place:
        small, large = Path(place) / "small", Path(place) / "large"
        for folder, count, queries in ((small, 300, 30), (large, options.images, options.queries)):
            folder.mkdir()
            make(folder, count, options.queries and queries, options)
        started(small, place, options)  # kernels are compiled
        found = started(large, place, options)
    measured_mb, predicted = (found["anonymous"] + found["libraries"]) / 2**20, found["predicted"] / 2**20
    print(
        f"{options.recipe}, {options.queries or 'one set'} x {options.images:,} x {options.width} {options.kind}"
        f"{', shuffled' * options.shuffled}: {found['seconds']:.1f} s ({found['cpu']:.1f} s of CPU), "
        f"{found['anonymous'] / 2**20:,.0f} MB of no file at most, {found['before'] / 2**20:,.0f} MB before; "
        f"with libraries {measured_mb:,.0f} MB, predicted {predicted:,.0f} MB, ratio {measured_mb / predicted:.2f}"
    )
    reached = [*found["told"], ("", found["anonymous"]), ("", found["anonymous"])]
    for (name, expected), (_, most) in zip(found["stages"], reached, strict=False):
        print(f"  {name:<24} predicted {expected / 2**20:6.0f} MB, of no file up to here {most / 2**20:6.0f} MB")


def make(folder: Path, count: int, queries: int, options: argparse.Namespace) -> None:
    sides = {"query": queries, "gallery": count} if queries else {"images": count}
    for side, images in sides.items():
        write(folder / f"{side}_m.npy", images, options.width, options.kind)
        names = [f"{side}_{row:07d}.jpg" for row in range(images)]
        (folder / f"{side}_m.txt").write_text("".join(f"{name}\n" for name in names))
        if options.shuffled:
            order = np.random.default_rng(3).permutation(images)
            names = [names[row] for row in order]
        (folder / f"{side}.csv").write_text("name\n" + "".join(f"{name}\n" for name in names))


def started(folder: Path, place: str, options: argparse.Namespace) -> dict[str, Any]:
    arguments = ["--features", str(folder), "--recipe", options.recipe, "--out", str(Path(place) / "out")]
    command = [sys.executable, "-m", "bench.disk", "0", "--child", json.dumps(arguments)]
    found: dict[str, Any] = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
    return found


def measured(arguments: list[str]) -> dict[str, Any]:
    """Predict and run, in this process."""
    options = run.parser().parse_args(arguments)
    quiet = contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO())
    with quiet[0], quiet[1]:
        expected = planning.forecast_of(options, planning.prepare(options), always=True)
        assert expected is not None
        before, started, spent = anonymous.now(), time.perf_counter(), time.process_time()
        line_of, told = lines.text, list[tuple[str, int]]()

        def noted(line: lines.Line) -> str:
            told.append((line.step, most[0]))
            return line_of(line)

        with anonymous.watched() as most, patch.object(lines, "text", noted):
            run.main(arguments)
    return {
        "stages": [(stage.step, stage.bytes) for stage in expected.prediction.stages],
        "told": told,
        "predicted": expected.most,
        "before": before,
        "anonymous": most[0],
        "libraries": anonymous.now("RssFile"),
        "seconds": time.perf_counter() - started,
        "cpu": time.process_time() - spent,
    }


if __name__ == "__main__":
    main()
