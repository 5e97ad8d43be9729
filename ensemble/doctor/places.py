"""Where files are kept: compiled kernels, the rates of this machine, temporary files."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules

from ensemble.doctor.finding import Finding, size
from ensemble.pipeline import rates

LITTLE = 1 << 30  # bytes of temporary files that features on disk may want


def found() -> Iterator[Finding]:
    """The three of them."""
    yield kernels()
    yield _rates()
    yield temporary()


def kernels() -> Finding:
    """What is kept of compiled kernels, and where."""
    folders = _folders()
    if not folders:
        todo = "every process compiles anew; name a folder that can be written in NUMBA_CACHE_DIR"
        return Finding("compiled kernels", "kept nowhere", None, "note", todo)
    files = [file for folder in folders if folder.is_dir() for file in folder.glob("*.kernel")]
    bytes_of = sum(file.stat().st_size for file in files)
    top = Path(os.path.commonpath(folders))
    said = f"{len(files)} of {size(bytes_of)} in {_where(folders, top)}"
    value = {"folders": [str(folder) for folder in folders], "files": len(files), "bytes": bytes_of}
    closed = [folder for folder in folders if not is_writable(folder)]
    if closed:
        todo = (
            f"{closed[0]} cannot be written, so what is not kept yet is compiled in every process; NUMBA_CACHE_DIR"
        )
        return Finding("compiled kernels", said, value, "note", f"{todo} names another place")
    return Finding("compiled kernels", f"{said}, writable", value)


def _folders() -> list[Path]:
    """Where the kernels of the CPU are kept; none is compiled for that."""
    from postproc.kernels import compiled, cpu

    modules = [import_module(f"{cpu.__name__}.{module.name}") for module in iter_modules(cpu.__path__)]
    kernels = [value for module in modules for value in vars(module).values() if hasattr(value, "py_func")]
    return sorted({folder for kernel in kernels if (folder := compiled.folder_of(kernel))})


def are_new() -> bool:
    """Whether no kernel is kept yet."""
    return not any(file for folder in _folders() for file in folder.glob("*.kernel"))


def _where(folders: list[Path], top: Path) -> str:
    """One place, or several below one."""
    return str(top) if len(folders) == 1 else f"{len(folders)} folders below {top}"


def _rates() -> Finding:
    path = rates.file()
    if path.is_file():
        return Finding("rates of this machine", f"measured, in {path}", str(path))
    if not is_writable(path.parent):
        todo = "measured in every run that is long; XDG_CACHE_HOME names another place"
        return Finding("rates of this machine", f"{path} cannot be written", str(path), "note", todo)
    return Finding("rates of this machine", f"not measured yet; they will be in {path}", str(path))


def temporary() -> Finding:
    """The folder of temporary files, and whether a file can be made there."""
    try:
        folder = Path(tempfile.gettempdir())
        with tempfile.TemporaryFile(dir=folder) as stream:
            stream.write(b"0")
        free = shutil.disk_usage(folder).free
    except OSError as error:
        said = f"wanted a folder to write into, found: {error.strerror or error}"
        return Finding("temporary files", said, None, "wrong", "name one in TMPDIR")
    value, said = {"folder": str(folder), "free": free}, f"{folder}, {size(free)} free"
    if free < LITTLE:
        return Finding("temporary files", said, value, "note", "little; TMPDIR names a larger place")
    return Finding("temporary files", said, value)


def is_writable(folder: Path) -> bool:
    """Whether files can be made in a folder, or it itself in the first above it that is there."""
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    return folder.is_dir() and os.access(folder, os.W_OK | os.X_OK)
