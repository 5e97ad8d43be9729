"""Predicted time and memory against measured: recipes by sizes, every run a process of its own.

``python bench/prediction.py [--sizes 500x5000x256 …] [--only NAME …] [--threads N …] [--whole] [--shared]``

The folders, recipes and names of ``bench/memory.py``. Predicted is what ``--dry-run`` says, from the rates of this
machine. Measured are the seconds of the command without the start of Python, the processor time of the process
over its threads, and its memory (``bench.memory``). Ratios are measured over predicted: time by the clock, by
processor time, memory.
Beyond a factor of 1.5 for time by the clock, or 15 % for memory, a line has a star; with ``--shared`` by processor
time over threads, which says more where others are at work on the machine. ``?`` is a step of which nobody has
said how much work it is. ``--stages`` prints predicted and measured seconds of every stage. Every recipe runs once
before on a small folder, so that no kernel is compiled while the clock runs.
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

if __package__ in (None, ""):
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bench import memory
from ensemble import run
from ensemble.cli import planning
from ensemble.pipeline import lines

SIZES = ("200x2000x128", "500x5000x512", "1000x10000x256", "2000x20000x256", "500x30000x1024")
SMALL = "40x400x64"
STEPS = ("csls", "gnn_rerank", "query_expansion", "whiten", "ca_jaccard", "sinkhorn")
CASES = ("baseline", "default", "kreciprocal", "best", *STEPS, "six_concat", "six_weighted_sum")
TIME, MEMORY = 1.5, 1.15
BELOW = 0.5  # seconds, which nobody waits for: no star
Found = dict[str, Any]


def main() -> None:
    p = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    p.add_argument("--sizes", nargs="+", default=SIZES, metavar="QxGxD")
    p.add_argument("--only", nargs="+", default=CASES, choices=[*memory.cases()])
    p.add_argument("--threads", nargs="+", type=int, default=[2])
    p.add_argument(
        "--whole", action="store_true", help="with labels: all distances are there, every step is scored"
    )
    p.add_argument("--stages", action="store_true")
    p.add_argument("--shared", action="store_true", help="judge by processor time")
    p.add_argument("--one", help=argparse.SUPPRESS)
    options = p.parse_args()
    if options.one:
        print(json.dumps(measured(json.loads(options.one))))
        return
    print(
        f"{'recipe':<18}{'size':<18}{'threads':>8}{'predicted s':>12}{'clock s':>9}{'ratio':>6}{'cpu s':>7}"
        f"{'ratio':>6}{'MB':>7}{'measured':>9}{'ratio':>6}"
    )
    outside = count = 0
    for size in (SMALL, *options.sizes):
        with tempfile.TemporaryDirectory() as place:
            for models in (1, memory.MODELS):
                if models == 1 or any(name.startswith("six_") for name in options.only):
                    folder = Path(place) / str(models)
                    numbers = map(int, size.split("x"))
                    memory.make(folder, *numbers, models=models, labels=options.whole, noise=8)
            for name in options.only:
                for threads in options.threads if size != SMALL else options.threads[:1]:
                    found = started(Path(place), name, threads)
                    if size != SMALL:
                        count += 1
                        outside += shown(f"{name:<18}{size:<18}{threads:>8}", found, options)
    print(f"{outside} of {count} outside a factor of {TIME} for time or {MEMORY:.0%} for memory")


def started(place: Path, name: str, threads: int) -> Found | None:
    """What a process of its own found; None where it failed."""
    folder, out = place / (str(memory.MODELS) if name.startswith("six_") else "1"), str(place / "out")
    recipe = name
    if name not in memory.RECIPES:
        recipe = str(place / f"{name}.toml")
        Path(recipe).write_text(memory.text(name))
    arguments = ["--features", str(folder), "--recipe", recipe, "--threads", str(threads), "--out", out]
    command = [sys.executable, __file__, "--one", json.dumps(arguments)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        print(done.stderr[-600:], file=sys.stderr)
        return None
    found: Found = json.loads(done.stdout.splitlines()[-1])
    return found


def measured(arguments: list[str]) -> Found:
    """Predict, and run, in this process."""
    options = run.parser().parse_args(arguments)
    told: list[tuple[str, float]] = []
    line_of = lines.text

    def noted(line: lines.Line) -> str:
        told.append((line.step, line.seconds))
        return line_of(line)

    lines.text = noted  # type: ignore[assignment]
    started = time.perf_counter(), time.process_time()
    quiet = contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO())
    with quiet[0], quiet[1], memory.peak() as peak:
        run.main(arguments)
    clock, spent = time.perf_counter() - started[0], time.process_time() - started[1]
    with contextlib.redirect_stderr(io.StringIO()):
        expected = planning.forecast_of(options, planning.prepare(options), always=True)
    assert expected is not None
    return {
        "predicted": expected.seconds,
        "unknown": expected.unknown,
        "clock": clock,
        "cpu": spent,
        "threads": options.threads,
        "MB": expected.most / 2**20,
        "peak": peak[0],
        "stages": [(stage.step, expected.of(stage)) for stage in expected.prediction.stages],
        "told": told,
    }


def shown(head: str, found: Found | None, options: argparse.Namespace) -> bool:
    """Print a line for a run; whether its prediction was outside."""
    if found is None:
        print(f"{head}   failed", flush=True)
        return True
    cpu = found["cpu"] / found["threads"]
    ratios = [seconds / found["predicted"] for seconds in (found["clock"], cpu)]
    room = found["peak"] / found["MB"]
    judged = ratios[options.shared]
    wrong = (found["clock"] > BELOW and not 1 / TIME <= judged <= TIME) or not 1 / MEMORY <= room <= MEMORY
    print(
        f"{head}{found['predicted']:>12.2f}{found['clock']:>9.2f}{ratios[0]:>6.2f}{cpu:>7.2f}{ratios[1]:>6.2f}"
        f"{found['MB']:>7.0f}{found['peak']:>9.0f}{room:>6.2f}{' *' * wrong}{' ?' * bool(found['unknown'])}",
        flush=True,
    )
    if options.stages:
        seen = iter(found["told"])
        for step, seconds in found["stages"]:
            real = next(seen, ("", float("nan")))[1]
            print(f"    {step:<24}{'?' if seconds is None else f'{seconds:.2f}':>8}{real:>8.2f}", flush=True)
    return wrong


if __name__ == "__main__":
    main()
