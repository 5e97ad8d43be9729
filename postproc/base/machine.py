"""What the machine gives a process: memory, and how many threads are started where nobody says how many.

Threads, in this order: ``REID_NUM_THREADS``, ``OMP_NUM_THREADS``, the processors that the process may use, which
are those of its affinity, or fewer where its control group (a container's) has a quota.
"""

import ctypes
import math
import os
import re
import sys
import warnings
from collections.abc import Iterator
from functools import cache
from pathlib import Path

OWN, COMMON = "REID_NUM_THREADS", "OMP_NUM_THREADS"
NO_INT8, NO_AMX = "REID_NO_INT8", "REID_NO_AMX"
_ARCH_PRCTL, _REQUEST, _SQUARES = 158, 0x1023, 18  # of Linux on x86-64: may this process use these registers?


class MachineWarning(RuntimeWarning):
    """Something of the machine or of its settings cannot be used; the answer is the same without it."""


class BadVariable(ValueError):
    """A variable of the environment that is ours says something that cannot be done."""


def threads() -> int:
    """The threads to start where no :func:`~postproc.base.runtime.using` says how many.

    Raises BadVariable where REID_NUM_THREADS is no number. OMP_NUM_THREADS is others' too: there it is a warning.
    """
    own = os.environ.get(OWN, "").strip()
    if own:
        if not _is_count(own):
            raise BadVariable(f"{OWN}: wanted a whole number, 1 or more, found {own!r}; mend it or unset it")
        return int(own)
    common = os.environ.get(COMMON, "").partition(",")[0].strip()  # "4,2": the second is for nested regions
    if common and not _is_count(common):
        _ignored(common)
    return int(common) if _is_count(common) else processors()


def processors() -> int:
    """How many processors this process may use."""
    found = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(found, _quota() or found)


def int8() -> bool:
    """Whether kernels may multiply in int8: the processor can (AVX-512 VNNI), and ``REID_NO_INT8`` is not set.

    Answers are the same without, up to the rounding of float32.
    """
    return not os.environ.get(NO_INT8, "").strip() and _has_vnni()


def amx() -> bool:
    """Whether they may do so by AMX, in half of the time or less, and the same whole numbers; not where
    ``REID_NO_AMX`` is set. It pays for more features than AVX-512 VNNI, so that lists may differ by rounding."""
    return int8() and not os.environ.get(NO_AMX, "").strip() and _has_amx()


@cache
def _has_vnni() -> bool:
    """Whether numba compiles for a processor that has the instruction, which is this one where nobody says
    another."""
    from numba.core import config

    if any(getattr(config, name) for name in ("DISABLE_JIT", "CPU_NAME", "CPU_FEATURES")):
        return False
    return _has("avx512vnni")


@cache
def _has_amx() -> bool:
    """Whether the processor has it and the system lets this process, and all its threads, use it."""
    if not (sys.platform == "linux" and _has("amx-tile", "amx-int8")):
        return False
    return ctypes.CDLL(None).syscall(_ARCH_PRCTL, _REQUEST, _SQUARES) == 0


def _has(*features: str) -> bool:
    from llvmlite import binding

    there = binding.get_host_cpu_features()
    return binding.get_process_triple().startswith("x86_64") and all(there.get(name) for name in features)


def _is_count(text: str) -> bool:
    return text.isascii() and text.isdecimal() and int(text[:9]) > 0


@cache  # once for a value
def _ignored(found: str) -> None:
    warnings.warn(
        f"{COMMON}: wanted a whole number, 1 or more, found {found!r}; not heeded", MachineWarning, stacklevel=2
    )


@cache
def _quota() -> int | None:
    try:
        return quota(Path("/proc/self/cgroup").read_text(), Path("/sys/fs/cgroup"))
    except OSError:
        return None


def quota(membership: str, root: Path) -> int | None:
    """The processors that control groups allow, rounded up; None where none limits them.

    membership: the text of ``/proc/self/cgroup``. A group's limit holds for those below it. Where a container sees
    a path of the host that is not there, ``root`` itself is its group.
    """
    return min((limit for group in _groups(membership, root, "cpu") for limit in _limits(group)), default=None)


def free_memory() -> int | None:
    """Bytes that this process may still have: what the system can spare, or less where its control group has a
    limit. None where the system does not tell."""
    try:
        meminfo = Path("/proc/meminfo").read_text()
    except OSError:
        return None
    try:
        membership = Path("/proc/self/cgroup").read_text()
    except OSError:
        membership = ""
    found = [*_available(meminfo), *_left(membership, Path("/sys/fs/cgroup"))]
    return min(found, default=None)


def _available(meminfo: str) -> Iterator[int]:
    for line in meminfo.splitlines():
        name, _, value = line.partition(":")
        if name == "MemAvailable" and value.split()[0].isdecimal():
            yield 1024 * int(value.split()[0])


def _left(membership: str, root: Path) -> Iterator[int]:
    """What is left of the limit of every group; files that the system has kept in memory make room when asked."""
    for group in _groups(membership, root, "memory"):
        for most, used in (
            ("memory.max", "memory.current"),
            ("memory.limit_in_bytes", "memory.usage_in_bytes"),
        ):
            try:
                limit, now = (int((group / name).read_text()) for name in (most, used))
                stat = (group / "memory.stat").read_text()
                kept = re.search(r"^total_inactive_file (\d+)$", stat, re.M) or re.search(
                    r"^inactive_file (\d+)$", stat, re.M
                )
            except (OSError, ValueError):  # not there, or "max"
                continue
            yield max(0, limit - now + (int(kept[1]) if kept else 0))


def _groups(membership: str, root: Path, kind: str) -> Iterator[Path]:
    """The folders of a process's groups of a kind, in both versions of control groups, each below its parents."""
    for line in membership.splitlines():
        _, kinds, path = [*line.split(":", 2), "", ""][:3]
        if not kinds:
            places = [root, root / "unified"]
        elif kind in kinds.split(","):
            places = [root / kinds]
        else:
            continue
        parts = [part for part in path.split("/") if part not in ("", "..")]
        for place in places:
            for depth in range(len(parts) + 1):
                yield place.joinpath(*parts[:depth])


def _limits(group: Path) -> Iterator[int]:
    """What one group says, as version 2 and as version 1 of control groups have it."""
    for names in (["cpu.max"], ["cpu.cfs_quota_us", "cpu.cfs_period_us"]):
        try:
            most, period = (int(word) for name in names for word in (group / name).read_text().split())
        except (OSError, ValueError):  # not there, or "max"
            continue
        if most > 0 and period > 0:
            yield math.ceil(most / period)
