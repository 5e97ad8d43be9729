"""What there is to compute with: threads, BLAS, the processor, memory, CUDA."""

import os
import re
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from ensemble.doctor.finding import Finding, size
from postproc.base import machine
from postproc.base.extras import install

LITTLE = 2 << 30  # bytes of memory that a run of usual size may want
FEATURES = {  # llvm's names
    "avx2": "AVX2",
    "avx512f": "AVX-512",
    "avx512vnni": "AVX-512 VNNI",
    "amx-int8": "AMX",
    "neon": "NEON",
}


def found() -> Iterator[Finding]:
    """Threads, BLAS, the processor, memory, CUDA."""
    yield _threads()
    yield _blas()
    yield from _processor()
    yield _memory()
    yield from cuda()


def _threads() -> Finding:
    allowed, there = machine.processors(), os.cpu_count() or 1
    try:
        count = machine.threads()
    except machine.BadVariable as error:
        return Finding("threads", f"{allowed} processors", allowed, "wrong", str(error))
    fewer = f" of {there}" if allowed < there else ""
    return Finding("threads", f"{count}, on {allowed}{fewer} processors that this process may use", count)


def _blas() -> Finding:
    import numpy as np
    import threadpoolctl

    np.ones((2, 2)) @ np.ones((2, 2))  # so that it is loaded
    pools: list[dict[str, Any]] = [pool for pool in threadpoolctl.threadpool_info() if pool["user_api"] == "blas"]
    said = "; ".join(
        f"{pool['internal_api']} {pool['version']} for {pool.get('architecture') or 'any processor'}, "
        f"{pool['num_threads']} threads ({Path(pool['filepath']).name})"
        for pool in pools
    )
    if not pools:
        todo = "threads of BLAS cannot be held back, and may take processors from each other"
        return Finding("BLAS", "none that threadpoolctl knows", [], "note", todo)
    return Finding("BLAS", said, pools)


def _processor() -> Iterator[Finding]:
    from llvmlite import binding

    known = binding.get_host_cpu_features()
    there = [said for name, said in FEATURES.items() if known.get(name)]
    yield Finding(
        "processor", f"{binding.get_host_cpu_name()}; {', '.join(there) or 'nothing that counts'}", there
    )
    if machine.int8():
        how = f"whole numbers first, by {'AMX' if machine.amx() else 'AVX-512 VNNI'}, then exactly"
    elif os.environ.get(machine.NO_INT8, "").strip():
        how = f"exactly from the start, as {machine.NO_INT8} is set"
    else:
        how = "exactly from the start, for want of AVX-512 VNNI; the same ones, more slowly"
    yield Finding("neighbours of many", how, machine.int8())


def _memory() -> Finding:
    free = machine.free_memory()
    if free is None:
        return Finding("memory", "this system does not tell", None)
    whole = _whole()
    said = f"{size(free)} free{f' of {size(whole)}' if whole else ''}"
    if free < LITTLE:
        return Finding("memory", said, free, "note", "little; run --dry-run says what a run would need")
    return Finding("memory", said, free)


def _whole() -> int | None:
    try:
        told = re.search(r"^MemTotal:\s+(\d+) kB", Path("/proc/meminfo").read_text(), re.M)
    except OSError:
        return None
    return 1024 * int(told[1]) if told else None


def cuda() -> Iterator[Finding]:
    """CUDA devices, and why they cannot be used where that is so."""
    if find_spec("torch") is None:
        yield Finding("CUDA", "no torch, so every run is on the CPU", [])
        return
    import torch

    built = torch.version.cuda
    if built is None:
        yield Finding("CUDA", f"torch {torch.__version__} is built without it, so every run is on the CPU", [])
    elif not torch.cuda.is_available():
        said = f"torch {torch.__version__} is built for CUDA {built} and finds no device"
        yield Finding("CUDA", said, [], "note", "look at the driver (nvidia-smi), if there is a device")
    else:
        yield from map(_device, range(torch.cuda.device_count()))
        if find_spec("numba_cuda") is None and find_spec("numba.cuda") is None:
            yield Finding(
                "CUDA kernels",
                "no numba-cuda",
                None,
                "wrong",
                install("cuda12" if built.startswith("12.") else "cuda"),
            )


def _device(number: int) -> Finding:
    import torch

    about = torch.cuda.get_device_properties(number)
    free, whole = torch.cuda.mem_get_info(number)
    said = f"{about.name}, compute {about.major}.{about.minor}, {size(free)} free of {size(whole)}"
    return Finding(f"cuda:{number}", said, {"name": about.name, "free": free, "whole": whole})
