"""Versions: Python, this package, what it needs, and what some of its parts need."""

import platform
import re
import sys
from collections.abc import Iterator
from importlib import metadata

from ensemble import __version__
from ensemble.doctor.finding import Finding
from postproc.base import extras

FOR = {  # extra -> what it is for; all of those in pyproject.toml
    "metric": "learned_metric by metric-learn's algorithms",
    "tune": "tune (Optuna)",
    "parquet": "tables and features in Parquet and Feather, folders of Hugging Face datasets",
    "report": "--report, report, components, heatmap",
    "tensorboard": "report --tensorboard",
    "tracking": "IDF1 and HOTA by the usual packages, to compare track's own with",
    "completion": "completion: commands and options by the Tab key",
    "dask": "--workers and --scheduler",
    "faiss": "neighbours --approximate",
    "images": "reading pictures: dump, rank, heatmap, demo --images",
    "onnx": "dump: ONNX models",
    "torch": "dump: torch models and checkpoints; --device cuda",
    "cnn": "dump: a small CNN that needs no download",
    "extract": "dump: all of images, onnx and torch",
    "timm": "dump: timm's models",
    "clip": "dump: CLIP's models",
    "cuda": "--device cuda, for a torch built for CUDA 13",
    "cuda12": "--device cuda, for a torch built for CUDA 12",
    "docs": "docs/build.sh: the documents as a site",
    "test": "the tests of this project",
    "all": "everything but timm, clip and docs",
}
SUMS = ("all", "test", "extract")  # of other extras


def found() -> Iterator[Finding]:
    """Python, the package and what it needs, then every extra."""
    version = platform.python_version()
    yield Finding("Python", f"{version}, {platform.platform()}, {sys.executable}", version)
    yield Finding("reid-ensemble", __version__, __version__)
    for requirement in extras.core():
        yield _needed(requirement)
    yield from map(_extra, (name for name in FOR if name not in SUMS))


def _needed(requirement: str) -> Finding:
    """A package without which nothing works."""
    name = extras.name_of(requirement)
    version = _version(name)
    if version is None:
        return Finding(name, "not installed", None, "wrong", f"wanted {requirement}; install it")
    if not fits(version, requirement):
        return Finding(name, version, version, "wrong", f"wanted {requirement}; install such a one")
    return Finding(name, version, version)


def _extra(name: str) -> Finding:
    """An extra: the versions of what it asks for, or what of it lacks, and what it is for."""
    needs = extras.requirements(name)
    versions = {extras.name_of(need): _version(extras.name_of(need)) for need in needs}
    lacking = [package for package, version in versions.items() if version is None]
    other = [need for need in needs if (v := versions[extras.name_of(need)]) and not fits(v, need)]
    there = ", ".join(f"{package} {version}" for package, version in versions.items() if version)
    value = {"for": FOR[name], "packages": versions}
    if lacking or not needs:
        absent = f"not installed: {', '.join(lacking) or name}"
        return Finding(f"[{name}]", f"{'; '.join(filter(None, [absent, there]))} ({FOR[name]})", value)
    if other:
        return Finding(f"[{name}]", f"{there} ({FOR[name]})", value, "note", f"wanted {', '.join(other)}")
    return Finding(f"[{name}]", f"{there} ({FOR[name]})", value)


def fits(version: str, requirement: str) -> bool:
    """Whether a version is in the range that a requirement asks for.

    >>> [fits(version, "scikit-learn>=1.5,<1.8") for version in ("1.4.2", "1.5.0", "1.7.2rc1", "1.8", "1.10")]
    [False, True, True, False, False]
    """
    least, most = (re.search(rf"{sign}\s*([\d.]+)", requirement) for sign in (">=", "<"))
    found = _numbers(version)
    return not (least and found < _numbers(least[1])) and not (most and found >= _numbers(most[1]))


def _numbers(version: str) -> list[int]:
    """``1.10.0`` -> [1, 10]: zeros at the end say nothing."""
    release = re.match(r"[\d.]*", version)
    numbers = [int(part) for part in (release[0] if release else "").split(".") if part]
    while numbers and not numbers[-1]:
        numbers.pop()
    return numbers


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None
