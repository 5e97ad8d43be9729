"""How much of the machine a command may use: threads, memory, and which device."""

import argparse
import ctypes
import sys
from contextlib import AbstractContextManager, suppress

import postproc
from ensemble.cli.numbers import bytes_of
from ensemble.pipeline import devices
from postproc.base import machine as default
from postproc.base.progress import Progress
from postproc.base.sizes import LEAST

M_MMAP_THRESHOLD = -3  # of mallopt
LARGE = 4 << 20  # bytes


def add_threads(p: argparse.ArgumentParser) -> None:
    """``--threads`` and ``--quiet``."""
    p.add_argument(
        "--threads",
        type=int,
        metavar="N",
        help="threads (default: REID_NUM_THREADS, OMP_NUM_THREADS, or one a processor)",
    )
    p.add_argument("--quiet", action="store_true", help="do not show how far it is, and how long it still takes")


def add_options(p: argparse.ArgumentParser) -> None:
    """``--threads``, ``--quiet``, ``--memory`` and ``--device``."""
    add_threads(p)
    p.add_argument("--memory", metavar="SIZE", help="do not start what needs more, for example 4GB")
    p.add_argument("--device", default="cpu", metavar="NAME", help="cpu, cuda or cuda:N (default: %(default)s)")


def thread_problems(options: argparse.Namespace) -> list[str]:
    """What is wrong with the variable that counts where ``--threads`` is not given."""
    try:
        if options.threads is None:
            default.threads()
    except default.BadVariable as error:
        return [str(error)]
    return []


def device_problems(options: argparse.Namespace) -> list[str]:
    """What is wrong with ``--device``."""
    refused = devices.problem(options.device)
    return [f"--device: {refused}"] if refused else []


def device(options: argparse.Namespace) -> devices.Device:
    """``--device``, which :func:`device_problems` has looked at."""
    return devices.Device(options.device)


def memory(options: argparse.Namespace) -> int | None:
    """``--memory`` in bytes, None for no limit."""
    if options.memory is None:
        return None
    return bytes_of("--memory", options.memory, LEAST)


def give_back_at_once() -> None:
    """Let the system have every large array back as soon as it is freed, where the C library is glibc.

    By itself glibc keeps what arrays of up to 32 MB leave behind, in pieces: a quarter of what a run needs.
    """
    if sys.platform != "linux":
        return
    with suppress(AttributeError, OSError):
        ctypes.CDLL(None).mallopt(M_MMAP_THRESHOLD, LARGE)


def using(options: argparse.Namespace, progress: Progress | None = None) -> AbstractContextManager[object]:
    """The threads and the memory that were asked for, inside a ``with``, and progress unless ``--quiet``.

    progress: who shows it; None: anybody.
    """
    give_back_at_once()
    shows = not options.quiet and (progress or True)
    return postproc.using(threads=options.threads, memory=memory(options), progress=shows)
