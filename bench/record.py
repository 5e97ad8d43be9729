"""A table of all steps, kept as JSON and held against the table kept before it.

    python -m bench.record                       sizes S and M
    python -m bench.record S --only rerank cas
    python -m bench.record S --against TREE      in turns with an earlier checkout: what is slower is named

A process a step, as in ``bench/techniques.py``: seconds, CPU seconds, peak megabytes. Where somebody else has the
same step and is installed, their CPU seconds and how many times ours that is, both measured in a process of their
own after a look at whether they say the same (``bench/peers.py``). The table goes to
``bench/results/record-DATE-MACHINE.json``, unless told ``--no-write``. CPU seconds are what to compare: they mind
others on the machine less than the clock does. Of an unpaired comparison only a hint is printed, since the machine
may have been another. A table of the same day is added to, so sizes and steps can be measured in parts. With
``--against`` both run one after the other, ``--repeat`` times, and the smallest count.
"""

import argparse
import json
import os
import platform
import re
import subprocess
import sys
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path

from bench import peers, techniques
from bench.worlds import SIZES

Row = dict[str, float]  # seconds, processor, megabytes; peer: somebody else's CPU seconds, ratio: over ours there
HERE = Path(__file__).parents[1]
RESULTS = HERE / "bench" / "results"
SLOWER = 1.2  # times the CPU seconds of before, and more than NOISE of them, is named
NOISE = 0.05
PACKAGES = ("numpy", "scipy", "numba", "scikit-learn", "POT", "faiss-cpu", "scikit-hubness")


def main() -> None:
    p = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    p.add_argument("sizes", nargs="*", metavar="SIZE", help=f"of {', '.join(SIZES)}; S and M if none is named")
    p.add_argument("--only", nargs="+", choices=techniques.techniques(), default=techniques.techniques())
    p.add_argument(
        "--against", type=Path, metavar="TREE", help="an earlier checkout that takes turns with this one"
    )
    p.add_argument("--repeat", type=int, default=1)
    p.add_argument("--limit", type=int, default=techniques.LONGEST, help="seconds until a step is given up")
    p.add_argument("--no-write", action="store_true")
    options = p.parse_args()
    sizes = options.sizes or ["S", "M"]
    if unknown := set(sizes) - set(SIZES):
        p.error(f"wanted sizes of {', '.join(SIZES)}, found {', '.join(sorted(unknown))}")
    if options.against and not (options.against / "bench" / "techniques.py").is_file():
        p.error(f"--against: wanted a checkout with bench/techniques.py, found {options.against}")
    last, table = kept(), begun()
    writes = not options.no_write and not options.against
    if not options.against and (lacking := peers.lacking(options.only)):
        print(f"not installed, so nothing is held against them: {', '.join(lacking)}")
    for size in sizes:
        print(f"{size}: " + " x ".join(map(str, SIZES[size][:3])))
        print(f"{'':26}{'seconds':>10}{'CPU s':>10}{'peak MB':>10}{'peer CPU s':>12}{'ratio':>8}{'before':>10}")
        for name in options.only:
            trees = [HERE, options.against.resolve()] if options.against else [HERE]
            runs = [[one(tree, size, name, options.limit) for tree in trees] for _ in range(options.repeat)]
            now, before = (least([run[at] for run in runs if at < len(run)]) for at in (0, 1))
            if now is not None and not options.against:
                now |= beside(size, name, options.limit)
            if not options.against and last is not None:
                before = last["rows"].get(size, {}).get(name)
            table["rows"].setdefault(size, {})[name] = now
            print(line(name, now, before, paired=options.against is not None), flush=True)
            if writes:  # after every row: hours of measuring are not lost to an end in the middle
                path_of(table).write_text(json.dumps(table, indent=1) + "\n", encoding="utf-8")
    if writes:
        print(path_of(table).relative_to(HERE))


def one(tree: Path, size: str, name: str, limit: int) -> Row | None:
    """One call in a process of its own, of the packages of a checkout; None where it fails or takes too long."""
    done = child(tree, [str(tree / "bench" / "techniques.py"), "one", size, name], limit)
    return json.loads(done.stdout) if done is not None and done.returncode == 0 else None


def beside(size: str, name: str, limit: int) -> Row:
    """What somebody else takes for the step, and over what ours takes beside it; empty if nothing can be said."""
    peer = peers.PEERS.get(name)
    if peer is None or size not in peer.sizes or not peers.installed(peer.package):
        return {}
    done = child(HERE, ["-m", "bench.peers", size, name], limit, **peers.SMALL_PAGES)
    if done is not None and done.returncode == 0:
        return json.loads(done.stdout)
    why = done.stderr.strip().splitlines()[-1:] if done is not None else []
    print(*(why or [f"{name}: {peer.package} takes more than {limit} s"]))
    return {}


def child(
    tree: Path, command: list[str], limit: int, **environment: str
) -> subprocess.CompletedProcess[str] | None:
    """Python with these arguments and the packages of a checkout; None where it takes too long."""
    paths = os.pathsep.join([str(tree), *filter(None, [os.environ.get("PYTHONPATH")])])
    try:
        return subprocess.run(
            [sys.executable, *command],
            cwd=tree,
            env={**os.environ, **environment, "PYTHONPATH": paths},
            capture_output=True,
            text=True,
            timeout=limit,
        )
    except subprocess.TimeoutExpired:
        return None


def least(runs: list[Row | None]) -> Row | None:
    """The run of the least CPU seconds."""
    return min((run for run in runs if run is not None), key=lambda run: run["processor"], default=None)


def line(name: str, now: Row | None, before: Row | None, *, paired: bool) -> str:
    """A row of the table.

    >>> line("cas", {"seconds": 1, "processor": 2, "megabytes": 30}, {"processor": 1.5}, paired=True)
    'cas                             1.00      2.00        30           -       -      1.50  slower: 1.33 times'
    >>> now = {"seconds": 1, "processor": 2, "megabytes": 30, "peer": 8, "ratio": 4}
    >>> line("sinkhorn", now, None, paired=False)
    'sinkhorn                        1.00      2.00        30        8.00    4.00         -  of POT'
    """
    if now is None:
        return f"{name:26}{'failed, or too long':>30}"
    text = f"{name:26}{now['seconds']:>10.2f}{now['processor']:>10.2f}{now['megabytes']:>10.0f}"
    text += f"{now['peer']:>12.2f}{now['ratio']:>8.2f}" if "ratio" in now else f"{'-':>12}{'-':>8}"
    text += f"{before['processor']:>10.2f}" if before else f"{'-':>10}"
    if "ratio" in now:
        text += f"  of {peers.PEERS[name].package}"
    if before is None or not slower(now, before):
        return text
    how = "slower" if paired else "slower than what was kept, not in one run"
    return f"{text}  {how}: {now['processor'] / before['processor']:.2f} times"


def slower(now: Row, before: Row) -> bool:
    """Whether a step takes so much more of the processor that it is worth a look."""
    return now["processor"] > SLOWER * before["processor"] and now["processor"] - before["processor"] > NOISE


def begun() -> dict:
    """The table of today, with the rows that were measured on this machine today: a table can be made in parts."""
    table = {"date": datetime.now(UTC).isoformat(timespec="minutes"), "machine": machine(), "rows": {}}
    if path_of(table).is_file():
        table["rows"] = json.loads(path_of(table).read_text(encoding="utf-8"))["rows"]
    return table


def path_of(table: dict) -> Path:
    """Where a table is kept: a file a day and machine."""
    RESULTS.mkdir(exist_ok=True)
    name = re.sub(r"[^\w]+", "-", table["machine"]["processor"]).strip("-").lower()
    return RESULTS / f"record-{table['date'][:10]}-{name}.json"


def kept() -> dict | None:
    """The table that was kept last, of a machine of the same name."""
    tables = [json.loads(path.read_text(encoding="utf-8")) for path in RESULTS.glob("record-*.json")]
    own = [each for each in tables if each["machine"]["processor"] == machine()["processor"]]
    return max(own, key=lambda each: each["date"], default=None)


def machine() -> dict:
    """What the figures hold for, and how busy it was."""
    try:
        found = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text(encoding="utf-8"))
    except OSError:
        found = None
    versions = {}
    for name in PACKAGES:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return {
        "processor": found[1] if found else platform.processor() or platform.machine(),
        "processors": os.cpu_count(),
        "load": os.getloadavg()[0] if hasattr(os, "getloadavg") else None,
        "python": platform.python_version(),
        "versions": versions,
    }


if __name__ == "__main__":
    main()
