"""Packages that only some techniques, formats or models need: the one place that knows how they are installed."""

import importlib.util
import re
import shutil
import sys
from functools import cache
from pathlib import Path
from typing import Any

PROJECT = "reid-ensemble"
CHECKOUT = Path(__file__).parents[2] / "pyproject.toml"
_NAME = re.compile(r"[A-Za-z0-9._-]+")


def install(extra: str, *packages: str) -> str:
    """The command that installs, for the Python that runs, what an extra of ours asks for, or some of it.

    Takes:   the extra, as in ``[project.optional-dependencies]``; the names of packages in it, or none for all.
    Returns: a command line: packages with the ranges that were tested, so that it works in a checkout too.

    >>> install("parquet").partition(" -m ")[2]
    'pip install "pyarrow>=16"'
    """
    wanted = requirements(extra)
    chosen = [one for one in wanted if not packages or name_of(one) in map(_plain, packages)] or [*packages]
    if not chosen:
        chosen = [f"{PROJECT}[{extra}]"]
    python = _quoted(sys.executable or "python")
    if importlib.util.find_spec("pip") is None and shutil.which("uv"):
        return f"uv pip install --python {python} {' '.join(map(_quoted, chosen))}"
    return f"{python} -m pip install {' '.join(map(_quoted, chosen))}"


def lacking(*extras: str) -> list[str]:
    """What extras of ours ask for and is not installed, in any version."""
    found = dict.fromkeys(need for extra in extras for need in requirements(extra))
    return [need for need in found if not installed(name_of(need))]


@cache
def core() -> tuple[str, ...]:
    """What the package itself asks for, with ranges. () where nobody knows."""
    project = _checkout()
    if project is not None:
        return tuple(project["dependencies"])
    return tuple(line.strip() for line in _installed_needs() if "extra ==" not in line)


@cache
def requirements(extra: str) -> tuple[str, ...]:
    """What an extra asks for, with ranges; those that it names in turn in their places. () where nobody knows."""
    found: list[str] = []
    for one in _optional().get(extra, ()):
        others = re.fullmatch(rf"{PROJECT}\[(.+)\]", one)
        found += [need for other in others[1].split(",") for need in requirements(other)] if others else [one]
    return tuple(dict.fromkeys(found))


@cache
def _optional() -> dict[str, list[str]]:
    """Extra -> requirements, of the checkout that this is, or else of what is installed."""
    project = _checkout()
    if project is not None:
        return dict(project["optional-dependencies"])
    found: dict[str, list[str]] = {}
    for line in _installed_needs():
        need, _, marker = line.partition(";")
        if named := re.search(r"extra == ['\"](.+?)['\"]", marker):
            found.setdefault(named[1], []).append(need.strip())
    return found


def _checkout() -> dict[str, Any] | None:
    """The project as its checkout describes it; None where this is none."""
    import tomllib

    try:
        project = tomllib.loads(CHECKOUT.read_text("utf-8"))["project"]
        known = project["name"] == PROJECT and {"dependencies", "optional-dependencies"} <= set(project)
    except (OSError, ValueError, KeyError):
        return None
    return project if known else None


def _installed_needs() -> list[str]:
    """The requirements of the package as it is installed, a line each."""
    from importlib import metadata

    try:
        return metadata.requires(PROJECT) or []
    except metadata.PackageNotFoundError:
        return []


def installed(package: str) -> bool:
    """Whether there is such a distribution."""
    from importlib import metadata

    try:
        metadata.version(package)
    except metadata.PackageNotFoundError:
        return False
    return True


def name_of(requirement: str) -> str:
    """The package of a requirement: ``scikit-learn<1.8`` -> scikit-learn."""
    match = _NAME.match(requirement)
    return _plain(match[0]) if match else ""


def _plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _quoted(word: str) -> str:
    """A word as sh, cmd and PowerShell take it."""
    return word if re.fullmatch(r"[\w./:\\+-]+", word) else f'"{word}"'


if __name__ == "__main__":  # for environment.sh
    sys.stdout.write(" ".join(lacking(*sys.argv[1].split(","))))
