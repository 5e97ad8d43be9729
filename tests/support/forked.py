"""Commands in processes of their own that need not import everything again: forks of this one.

What a command loads, registers or changes stays there. Where a system does not fork, a new process does the same.
For commands that compute little: OpenMP, which some libraries start, does not outlive a fork.
"""

import multiprocessing
import os
import signal
import subprocess
import sys
import traceback
import warnings
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO

from ensemble.cli import start

ROOT = Path(__file__).parents[2]
FORKS = "fork" in multiprocessing.get_all_start_methods()
LONGEST = 200  # seconds
Done = subprocess.CompletedProcess[str]


def anew(*words: str, path: Path | None = None, cwd: Path = ROOT) -> Done:
    """``python -m ensemble WORDS`` in ``cwd``; ``path``: where more packages are installed."""
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, filter(None, (path, ROOT))))}
    command = [sys.executable, "-m", "ensemble", *words]
    return subprocess.run(command, capture_output=True, text=True, env=env, cwd=cwd, timeout=LONGEST)


def command(*words: str, path: Path | None = None, cwd: Path = ROOT) -> Done:
    """The same, of a process that has imported what this one has."""
    if not FORKS:
        return anew(*words, path=path, cwd=cwd)
    with TemporaryFile("w+") as out, TemporaryFile("w+") as err:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # of threads, which ours have an answer to
            child = os.fork()
        if child == 0:
            _be(words, [str(each) for each in (cwd, path) if each], cwd, out, err)
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        said = [(file.seek(0), file.read())[1] for file in (out, err)]
    return subprocess.CompletedProcess(words, status, *said)


def _be(words: tuple[str, ...], path: list[str], cwd: Path, out: IO[str], err: IO[str]) -> None:
    """Be that command, in the child; it does not come back."""
    status = 1
    try:
        signal.alarm(LONGEST)
        sys.stdout, sys.stderr = out, err
        os.dup2(out.fileno(), 1)
        os.dup2(err.fileno(), 2)
        os.chdir(cwd)
        sys.path[:0] = path
        start.start("python -m ensemble", words)
    except SystemExit as end:
        status = int(end.code or 0)
    except BaseException:
        traceback.print_exc()
    finally:
        out.flush()
        err.flush()
        os._exit(status)
