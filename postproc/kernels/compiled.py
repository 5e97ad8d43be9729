"""How a kernel of the CPU is compiled: without the interpreter lock, once, and kept on disk for later processes.

What is kept is numba's, where numba keeps it (``NUMBA_CACHE_DIR``, else ``__pycache__``, else the user's cache
folder); how it is kept is ours, since numba trusts what it finds: a truncated file is a traceback, a damaged one
is run, and of two processes that compile at a time each can give its name to the other's code. Here every file is
one kernel for one signature and begins with the digest of what follows and of the sources; what does not fit is
compiled anew and replaced. Where nothing can be kept, kernels work as well, and one warning names the reason.
"""

import gc
import hashlib
import os
import pickle
import uuid
import warnings
from collections.abc import Callable
from functools import cache
from numbers import Number
from pathlib import Path
from types import FunctionType
from typing import Any

import numba
from numba.core.caching import FunctionCache, NullCache
from numba.core.codegen import JITCodeLibrary
from numba.core.compiler import Compiler
from numba.core.compiler_lock import global_compiler_lock
from numba.core.compiler_machinery import PassManager
from numba.core.runtime import rtsys
from numba.core.serialize import dumps
from numba.core.typed_passes import NativeLowering, NoPythonBackend, NopythonTypeInference, PreLowerStripPhis
from numba.core.untyped_passes import FixupArgs, GenericRewrites, IRProcessing, ReconstructSSA, TranslateByteCode

from postproc.base import forks
from postproc.base.machine import MachineWarning

DIGEST = hashlib.sha256().digest_size
MEMORY = b"NRT_"  # how the functions of numba's memory are called
STEPS = (
    TranslateByteCode, FixupArgs, IRProcessing, GenericRewrites, ReconstructSSA, NopythonTypeInference,
    PreLowerStripPhis, NativeLowering, NoPythonBackend,
)  # fmt: skip
forks.waits_for(global_compiler_lock)  # a child could never compile


def compiled(function: Callable[..., Any]) -> Any:
    """The function as a kernel: compiled when it is first called with arguments of a kind."""
    return _kernel(function, _Compiler, no_cfunc_wrapper=True)  # nobody calls it from C, and it takes time to make


def part(function: Callable[..., Any]) -> Any:
    """The same for what is called by kernels alone: without a wrapper, most of the work where tuples come in."""
    return _kernel(function, _Compiler, no_cfunc_wrapper=True, no_cpython_wrapper=True)


def lean(function: Callable[..., Any]) -> Any:
    """The same for what makes no array and returns none: without numba's memory, which takes its time.

    Nor may there be a closure, a comprehension or arithmetic of whole arrays.
    """
    return _kernel(function, _Lean, no_cfunc_wrapper=True, _nrt=False)


def inner(function: Callable[..., Any]) -> Any:
    """As :func:`lean` for what is called by kernels alone, which takes half as long to compile."""
    return _kernel(function, _Lean, no_cfunc_wrapper=True, _nrt=False, no_cpython_wrapper=True)


def _kernel(function: Callable[..., Any], compiler: type[Compiler], **settings: Any) -> Any:
    kernel: Any = numba.njit(nogil=True, pipeline_class=compiler, **settings)(function)
    if hasattr(kernel, "py_func"):  # not so under NUMBA_DISABLE_JIT
        kernel._cache = _cache_of(function)
    return kernel


class _Compiler(Compiler):
    """numba's, without garbage collection meanwhile, which would look again and again at all that there is."""

    def compile_extra(self, func: Callable[..., Any]) -> Any:
        wanted = gc.isenabled()
        gc.disable()
        try:
            return super().compile_extra(func)
        finally:
            if wanted:
                gc.enable()


class _Lean(_Compiler):
    """The same in the steps alone that loops over numbers need: no arrays to free, no closures to look for."""

    def compile_extra(self, func: Callable[..., Any]) -> Any:
        self.state.library = _OnceOptimised(self.state.targetctx.codegen(), func.__qualname__)
        self.state.library.enable_object_caching()
        return super().compile_extra(func)

    def define_pipelines(self) -> list[PassManager]:
        manager = PassManager("lean")
        for step in STEPS:
            manager.add_pass(step)
        manager.finalize()
        return [manager]


class _OnceOptimised(JITCodeLibrary):
    """Code on which LLVM works once. numba lets it begin twice before, to see more of the references to arrays
    that cancel each other; where there are none, these two rounds change nothing."""

    def _optimize_functions(self, ll_module: Any) -> None:
        ll_module.data_layout = self._codegen._data_layout

    def _optimize_final_module(self) -> None:
        passes, builder = self._codegen._module_pass_manager()
        passes.run(self._final_module, builder)


def folder_of(kernel: Any) -> Path | None:
    """Where a kernel is kept; None where nothing can be."""
    place = getattr(getattr(kernel, "_cache", None), "cache_path", None)
    return Path(place) if place else None


def _cache_of(function: Callable[..., Any]) -> Any:
    try:
        return _Kept(function)
    except (RuntimeError, OSError):  # numba finds no folder that can be written, or the source is no file
        return _NotKept()


class _NotKept(NullCache):
    def save_overload(self, sig: Any, cres: Any) -> None:
        _say("a folder for them that can be written, but found none")


class _Kept(FunctionCache):
    """numba's cache of one function, with files of our own."""

    def __init__(self, function: Callable[..., Any]) -> None:
        super().__init__(function)
        self._cache_file: Any = Files(Path(self.cache_path), self._impl.filename_base, _stamp(function))

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        # numba would load all that kernels are compiled with, SciPy's BLAS among it
        with self._guard_against_spurious_io_errors():
            data = self._cache_file.load(self._index_key(sig, target_context.codegen()))
        if data is None:
            return None
        (_, _, (code, _)), *_ = data
        if MEMORY in code:
            rtsys.initialize(target_context)
        return self._impl.rebuild(target_context, data)

    def save_overload(self, sig: Any, data: Any) -> None:
        try:
            super().save_overload(sig, data)
        except OSError as error:
            _say(f"to write into {self.cache_path}, but {error.strerror or error}")


class Files:
    """Compiled code by key, a file each; ``stamp`` are DIGEST bytes that tell from what it was compiled."""

    def __init__(self, folder: Path, stem: str, stamp: bytes) -> None:
        self.folder, self.stem, self.stamp = folder, stem, stamp

    def path(self, key: Any) -> Path:
        """The file of a key: the signature and the processor name it; what the code was is in the stamp."""
        return self.folder / f"{self.stem}.{hashlib.sha256(repr(key[:2]).encode()).hexdigest()[:32]}.kernel"

    def load(self, key: Any) -> Any:
        """What was saved for this key from these sources, or None."""
        try:
            content = self.path(key).read_bytes()
        except OSError:
            return None
        digest, stamp, rest = content[:DIGEST], content[DIGEST : 2 * DIGEST], content[2 * DIGEST :]
        if stamp != self.stamp or digest != hashlib.sha256(stamp + rest).digest():
            return None
        try:
            found, data = pickle.loads(rest)
        except Exception:  # whole, but from a process that has other modules
            return None
        return data if found == key else None

    def save(self, key: Any, data: Any) -> None:
        """Keep it; the file is whole or not there. Raises OSError where the disk refuses."""
        rest = dumps((key, data))
        path = self.path(key)
        temporary = path.with_name(f"{path.name}.{uuid.uuid4().hex[:16]}")
        try:
            temporary.write_bytes(hashlib.sha256(self.stamp + rest).digest() + self.stamp + rest)
            os.replace(temporary, path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise

    def flush(self) -> None:
        """Forget everything of this function."""
        for path in self.folder.glob(f"{self.stem}.*.kernel"):
            path.unlink(missing_ok=True)


def _stamp(function: Callable[..., Any]) -> bytes:
    """What a kernel was compiled from: its file, those of what it can call, their numbers, rules, numba."""
    modules = _modules(function)
    whole = hashlib.sha256(f"{numba.__version__} 1".encode())  # 1: the form of the files
    for path in sorted({Path(__file__).with_name("rules.py"), *modules}):
        whole.update(_digest(path))
        numbers = {name: value for name, value in modules.get(path, {}).items() if isinstance(value, Number)}
        whole.update(repr(sorted(numbers.items())).encode())  # they may come from any file
    return whole.digest()


def _modules(function: Callable[..., Any]) -> dict[Path, dict[str, Any]]:
    """The file of a function, and those of kernels and intrinsics that its module has imported, and what they
    name."""
    found, open_ = {Path(function.__code__.co_filename): function.__globals__}, [function]
    while open_:
        for value in open_.pop().__globals__.values():
            called = getattr(value, "py_func", None) or getattr(value, "__wrapped__", None)
            if isinstance(called, FunctionType) and Path(called.__code__.co_filename) not in found:
                found[Path(called.__code__.co_filename)] = called.__globals__
                open_.append(called)
    return found


@cache
def _digest(path: Path) -> bytes:
    return hashlib.sha256(path.read_bytes()).digest()


@cache  # once a process
def _say(wanted: str) -> None:
    warnings.warn(
        f"compiled kernels: wanted {wanted}; they are compiled again in every process until NUMBA_CACHE_DIR names "
        "a folder with room",
        MachineWarning,
        stacklevel=2,
    )
