"""What a run needs of memory, beside what is predicted: recipes by sizes, every run a process of its own.

``python bench/memory.py [--sizes 500x5000x256 …] [--only NAME …] [--threads N …] [--whole] [--stages]``

Features of unit length around identities of 20 images that are hardly to be told apart, which makes sparse graphs
fullest; 15 cameras, tracks. Without labels only the nearest 100 come back; with ``--whole`` there are labels: all
distances are there, and every step is scored. Measured is what a process holds that does all that
``python -m ensemble.run`` does: of no file at most (RssAnon), and libraries at the end (RssFile); features that
are mapped are in neither. Printed are megabytes and measured over predicted, which should lie between 0.85 and
1.05. ``--stages`` prints every stage of a run: what is predicted for it, for all up to it, and what the process
has reached.
"""

import argparse
import contextlib
import io
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

if __package__ in (None, ""):
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bench import anonymous
from ensemble import run
from ensemble.cli import planning
from ensemble.pipeline import lines
from postproc.testing.worlds import around

SIZES = ("500x5000x256", "2000x10000x512", "1000x20000x2048", "5000x30000x128")
MODELS = 6
TRAIN = 1000
LOW, HIGH = 0.85, 1.05
DISTANCES = '{ use = "distances", metric = "cosine" }'
STEPS = {
    "cas": '{ use = "cas" }',
    "gnn_rerank": '{ use = "gnn_rerank" }',
    "diffusion": '{ use = "diffusion" }',
    "offline_diffusion": '{ use = "offline_diffusion", truncate = 200 }',
    "kwf": '{ use = "kwf" }',
    "ecn": '{ use = "ecn" }',
    "rdp": '{ use = "rdp" }',
    "ca_jaccard": '{ use = "ca_jaccard" }',
    "csls": '{ use = "csls" }',
    "sinkhorn": '{ use = "sinkhorn" }',
    "rerank_tracks": '{ use = "rerank_tracks" }',
    "rerank_constrained": DISTANCES + ', { use = "rerank_constrained", camera = 0.1 }',
    "gcr": '{ use = "gcr" }, ' + DISTANCES,
    "merge_set_features": '{ use = "merge_set_features" }, ' + DISTANCES,
    "query_expansion": '{ use = "query_expansion" }, ' + DISTANCES,
    "whiten": '{ use = "whiten" }, ' + DISTANCES,
    "learned_metric": '{ use = "learned_metric" }, ' + DISTANCES,
}
JOINS = {
    "weighted_sum": DISTANCES,
    "reciprocal_rank_fusion": DISTANCES,
    "concat": "",
    "graph_fusion": "",
}
RECIPES = ("baseline", "default", "kreciprocal", "best", "structure", "aicity2020_3rd_dmt")
Found = dict[str, Any]


def main() -> None:
    p = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    p.add_argument("--sizes", nargs="+", default=SIZES, metavar="QxGxD")
    p.add_argument("--only", nargs="+", default=cases(), choices=cases())
    p.add_argument("--threads", nargs="+", type=int, default=[2])
    p.add_argument("--whole", action="store_true")
    p.add_argument("--noise", type=float, default=8, help="of an image; 1 sets identities far apart")
    p.add_argument("--stages", action="store_true")
    p.add_argument("--one", nargs="+", help=argparse.SUPPRESS)
    options = p.parse_args()
    if options.one:
        print(json.dumps(measure(options.one)))
        return
    outside = 0
    print(f"{'recipe':<28}{'size':<18}{'threads':>8}{'measured':>10}{'predicted':>10}{'ratio':>7}")
    for size in options.sizes:
        with tempfile.TemporaryDirectory() as place:
            for models in (1, MODELS):
                folder = Path(place) / str(models)
                make(folder, *map(int, size.split("x")), models=models, labels=options.whole, noise=options.noise)
            for name in options.only:
                for threads in options.threads:
                    found = started(Path(place), name, threads)
                    outside += show(f"{name:<28}{size:<18}{threads:>8}", found, stages=options.stages)
    print(f"{outside} outside {LOW} to {HIGH}")


def show(head: str, found: Found | None, *, stages: bool) -> bool:
    """Print a line for a run; whether its prediction was outside."""
    if found is None:
        print(f"{head}   failed", flush=True)
        return True
    ratio = found["measured"] / found["predicted"]
    wrong = not LOW <= ratio <= HIGH
    print(f"{head}{found['measured']:>10.0f}{found['predicted']:>10.0f}{ratio:>7.2f}{' *' * wrong}", flush=True)
    for line in found["stages"] if stages else ():
        print("    " + line, flush=True)
    return wrong


def cases() -> list[str]:
    """The names of everything that is measured."""
    return [*RECIPES, *STEPS, *(f"six_{name}" for name in JOINS)]


def text(name: str) -> str:
    """A recipe of ours as it is written down."""
    lines_of = ['about = "One of the grid."', "top_k = 100", "[[branch]]"]
    if name in STEPS:
        return "\n".join([*lines_of, f'each = [{{ use = "l2_normalize" }}]\nsteps = [{STEPS[name]}]'])
    join = name.removeprefix("six_")
    each = ", ".join(filter(None, ['{ use = "l2_normalize" }', JOINS[join]]))
    after = f"steps = [{DISTANCES}]" if join == "concat" else ""
    return "\n".join([*lines_of, f'each = [{each}]\njoin = {{ use = "{join}" }}\n{after}'])


def started(place: Path, name: str, threads: int) -> Found | None:
    """What a process of its own found; None where it failed."""
    folder = place / (str(MODELS) if name.startswith("six_") else "1")
    recipe = name
    if name not in RECIPES:
        recipe = str(place / f"{name}.toml")
        Path(recipe).write_text(text(name))
    arguments = ["--features", str(folder), "--recipe", recipe, "--threads", str(threads)]
    command = [sys.executable, __file__, "--one=" + json.dumps([*arguments, "--out", str(place / "out")])]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        print(done.stderr[-600:], file=sys.stderr)
        return None
    found: Found = json.loads(done.stdout.splitlines()[-1])
    return found


def measure(given: list[str]) -> Found:
    """Run, and predict afterwards, in this process."""
    arguments = json.loads(given[0])
    real: list[tuple[str, float]] = []
    line_of = lines.text

    def noted(line: lines.Line) -> str:
        real.append((line.step, (line.peak_bytes or 0) / 2**20))
        return line_of(line)

    lines.text = noted  # type: ignore[assignment]
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()), peak() as most:
        run.main(arguments)
    measured = most[0]
    options = run.parser().parse_args(arguments)
    needed = planning.memory_of(options, planning.prepare(options))
    assert needed is not None
    return {
        "measured": measured,
        "predicted": needed.largest.bytes / 2**20,
        "stages": list(beside(needed.stages, real, measured)),
    }


def beside(stages: Any, real: list[tuple[str, float]], measured: float) -> Iterator[str]:
    """A line a stage: what was predicted, the most so far, and what the process had reached."""
    most, seen = 0.0, iter([*real, ("answer", measured), ("write", measured)])
    for stage in stages:
        most = max(most, stage.bytes / 2**20)
        yield f"{stage.step:<24}{stage.bytes / 2**20:>8.0f}{most:>8.0f}{next(seen)[1]:>8.0f}"


@contextlib.contextmanager
def peak() -> Iterator[list[float]]:
    """A list that has the most megabytes that this process held inside, at the end."""
    found: list[float] = []
    with anonymous.watched() as most:
        yield found
    found.append((most[0] + anonymous.now("RssFile")) / 2**20)


def make(folder: Path, nq: int, ng: int, d: int, *, models: int, labels: bool, noise: float) -> None:
    """A folder of so many models, whose features differ by noise."""
    folder.mkdir(parents=True)
    rng = np.random.default_rng(0)
    people = max(8, ng // 20)
    counts = {"query": nq, "gallery": ng, "train": TRAIN}
    who = {side: rng.integers(0, people, count) for side, count in counts.items()}
    for model in range(models):
        centre = rng.standard_normal((people, d), dtype=np.float32)
        for side in ("query", "gallery", *(["train"] if models == 1 else [])):
            np.save(folder / f"{side}_m{model}.npy", around(rng, centre, who[side], noise, unit=True))
    lists = {"query": "name_query.txt", "gallery": "name_test.txt", "train": "train_m0.txt"}
    for side in counts if models == 1 else ("query", "gallery"):
        count = counts[side]
        names = [f"{side}_{row:06d}.jpg" for row in range(count)]
        table = pd.DataFrame({"name": names, "cam": rng.integers(0, 15, count)})
        if labels or side == "train":
            table["pid"] = who[side]
        if side == "gallery":
            table["track"] = who[side]
        table.to_csv(folder / f"{side}.csv", index=False)
        (folder / lists[side]).write_text("".join(f"{name}\n" for name in names))


if __name__ == "__main__":
    main()
