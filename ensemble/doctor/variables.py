"""Variables of the environment: ours, and those of others that change how we work."""

import os
from collections.abc import Iterator

from ensemble.doctor.finding import Finding
from postproc.base import machine, temporary
from postproc.base.nearby import near

PREFIX = "REID_"
OURS = {
    "REID_NUM_THREADS": "threads, where --threads says nothing",
    "REID_MEMORY_CHECK": "0 lets a run begin that wants more memory than is free",
    "REID_ON_DISK_FROM": "from which size on what is made of mapped features is left on disk, as 500MB",
    "REID_NO_INT8": "1 finds neighbours without whole numbers, on processors with AVX-512 VNNI",
    "REID_NO_AMX": "1 multiplies whole numbers by AVX-512 VNNI where there is AMX",
}
OTHERS = {
    "OMP_NUM_THREADS": "threads, where neither --threads nor REID_NUM_THREADS says how many",
    "CUDA_VISIBLE_DEVICES": "which CUDA devices torch sees",
    "NUMBA_CACHE_DIR": "where compiled kernels are kept",
    "NUMBA_CPU_NAME": "for which processor kernels are compiled",
    "NUMBA_DISABLE_JIT": "1 compiles no kernel: everything takes for ever",
    "NUMBA_ENABLE_CUDASIM": "1 runs CUDA kernels in Python, for tests",
    "TMPDIR": "where temporary files are",
    "XDG_CACHE_HOME": "where the rates of this machine are kept",
}


def found() -> Iterator[Finding]:
    """Every variable that is set, ours and others; one of ours that nobody reads is a note."""
    set_ = [name for name in (*OURS, *OTHERS) if os.environ.get(name)]
    for name in set_:
        yield _read(name)
    for name in sorted(os.environ):
        if name.startswith(PREFIX) and name not in OURS:
            known = [one.removeprefix(PREFIX) for one in OURS]  # what all begin with makes nothing alike
            value, meant = os.environ[name], near(name.removeprefix(PREFIX), known).replace("'", f"'{PREFIX}", 1)
            yield Finding(
                name, f"{value!r}, which nobody reads", value, "note", meant.removeprefix("; ") or "unset it"
            )
    if not set_:
        yield Finding("environment", "nothing is set that counts", None)


def _read(name: str) -> Finding:
    value = os.environ[name]
    said = f"{value!r}: {(OURS | OTHERS)[name]}"
    checks = {"REID_NUM_THREADS": machine.threads, "REID_ON_DISK_FROM": lambda: temporary.is_large(1)}
    try:
        checks.get(name, lambda: None)()
    except machine.BadVariable as error:
        return Finding(name, said, value, "wrong", str(error))
    return Finding(name, said, value)
