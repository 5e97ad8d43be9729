"""The commands of a package, from what their files say of themselves; none of them is imported for that."""

import ast
import re
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from pkgutil import iter_modules
from typing import NamedTuple

PACKAGES = ("ensemble", "extractors")  # whose commands one program offers
TASKS = ("begin", "rank", "score", "tune", "people and clusters", "large data", "look")


class Command(NamedTuple):
    """A command, as its file tells it.

    module:  what ``python -m`` takes, ``ensemble.run`` say.
    about:   the first line of its docstring.
    task:    one of TASKS, what its file calls ``TASK``; "" where it says none.
    example: the first line of its docstring that calls it; "" where there is none.
    file:    where it begins.
    """

    module: str
    about: str
    task: str
    example: str
    file: Path

    @property
    def name(self) -> str:
        """What it is called behind the name of a program."""
        return self.module.rpartition(".")[2]

    @property
    def start(self) -> str:
        """The module whose ``main`` it is."""
        return f"{self.module}.__main__" if self.file.name == "__main__.py" else self.module


def show(package: str) -> None:
    """Print ``python -m PACKAGE.NAME``, and what it does, for every command of a package."""
    found = list(commands(package))
    wide = max(len(command.module) for command in found)
    for command in found:
        print(f"python -m {command.module:<{wide}}  {command.about}")


def commands(package: str) -> Iterator[Command]:
    """Every command of a package, by name; nothing is imported but the package itself, and none where it is not.

    A command is a file with ``if __name__ == "__main__"``, or a folder whose ``__main__.py`` has it.
    """
    for place in _places(package):
        for module in iter_modules([place]):
            found = None if module.name == "__main__" else _read(package, place, module.name)
            if found:
                yield found


def find(name: str) -> Command | None:
    """The command of this name, of the first package that has it; only its own file is read."""
    for package in PACKAGES if name.isidentifier() and name != "__main__" else ():
        for place in _places(package):
            if found := _read(package, place, name):
                return found
    return None


def _places(package: str) -> list[str]:
    spec = find_spec(package)
    return list(spec.submodule_search_locations or ()) if spec else []


def _read(package: str, place: str, name: str) -> Command | None:
    for file in (Path(place, name, "__main__.py"), Path(place, f"{name}.py")):
        if file.is_file():
            tree = ast.parse(file.read_text(encoding="utf-8"))
            if any(map(_is_start, tree.body)):
                return _told(f"{package}.{name}", tree, file)
    return None


def _told(module: str, tree: ast.Module, file: Path) -> Command:
    lines = (ast.get_docstring(tree) or "").splitlines() or [""]
    called = re.compile(rf" +(python -m {re.escape(module)}\b.*)")
    example = next((found[1] for line in lines if (found := called.match(line))), "")
    return Command(module, lines[0], _task(tree), re.split(r" {2,}", example)[0], file)


def _task(tree: ast.Module) -> str:
    """What ``TASK = "…"`` says."""
    for node in tree.body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "TASK":
            return str(ast.literal_eval(node.value))
    return ""


def _is_start(node: ast.stmt) -> bool:
    """Whether this is ``if __name__ == "__main__"``."""
    return isinstance(node, ast.If) and ast.unparse(node.test) == "__name__ == '__main__'"
