"""Seconds until ``from postproc import rerank`` is there, until it first answers, and until a command does.

    python bench/startup.py

The import is timed as whole processes; the first call with an empty kernel cache and with a warm one, by the clock
and by CPU seconds, since others may use the machine too. Commands by CPU seconds of whole processes, with their
modules compiled to bytecode before; a run by the clock until its first line.
"""

import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

CALL = """
import time, numpy as np
from postproc import rerank
x = np.random.default_rng(0).standard_normal((300, 64)).astype(np.float32)
for top_k in (None, 10):
    started, spent = time.perf_counter(), time.process_time()
    rerank(x[:40], x[40:], top_k=top_k)
    print(time.perf_counter() - started, time.process_time() - spent)
"""
HEAVY = (
    "import sys; from postproc import rerank; print([m for m in ('torch','sklearn','pandas') if m in sys.modules])"
)
CALLS = (
    ["-c", "pass"],
    ["-c", "import numpy"],
    ["-c", "from postproc import rerank"],
    ["-m", "ensemble.run", "--help"],
    ["-m", "ensemble.run", "--list-steps"],
    ["-m", "ensemble.tune", "--help"],
)
ROOT = Path(__file__).resolve().parents[1]


def python(code: str, **environment: str) -> tuple[float, list[str]]:
    started = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", code],
        check=True,
        capture_output=True,
        text=True,
        cwd=ROOT,
        env=os.environ | environment,
    )
    return time.perf_counter() - started, done.stdout.split()


def processor(words: list[str]) -> float:
    """CPU seconds of a process, of Python and the system."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, *words], check=True, capture_output=True, cwd=ROOT)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def first_line(words: list[str]) -> float:
    """Seconds until a command has written a line."""
    started = time.perf_counter()
    with subprocess.Popen([sys.executable, "-u", *words], stdout=subprocess.PIPE, cwd=ROOT) as command:
        assert command.stdout is not None
        command.stdout.readline()
        seconds = time.perf_counter() - started
        command.kill()
    return seconds


def main() -> None:
    python("from postproc import rerank")
    bare = statistics.median(python("pass")[0] for _ in range(7))
    whole = statistics.median(python("from postproc import rerank")[0] for _ in range(7))
    print(f"python -c 'from postproc import rerank': {whole:.2f} s, of which Python itself {bare:.2f} s")
    print(f"torch, scikit-learn or pandas loaded by it: {' '.join(python(HEAVY)[1])}")
    for words in CALLS:
        processor(words)
        spent = statistics.median(processor(words) for _ in range(5))
        print(f"python {' '.join(words)}: {spent:.2f} CPU s")
    with tempfile.TemporaryDirectory() as city:
        processor(["-m", "ensemble.demo", city])
        words = ["-m", "ensemble.run", "--features", city, "--out", str(Path(city) / "out")]
        seconds = statistics.median(first_line(words) for _ in range(5))
        print(f"python -m ensemble.run --features …: first line after {seconds:.2f} s")
    with tempfile.TemporaryDirectory() as cache:
        for name in ("empty", "warm"):
            full, spent, head, more = map(float, python(CALL, NUMBA_CACHE_DIR=cache)[1])
            print(
                f"first call, {name} kernel cache: {full:.2f} s, {spent:.2f} CPU s; "
                f"then with top_k: {head:.2f} s, {more:.2f} CPU s"
            )


if __name__ == "__main__":
    main()
