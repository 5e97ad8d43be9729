"""The commands of a package, one line each, from what their files say of themselves."""

import ast
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from pkgutil import iter_modules


def show(package: str) -> None:
    """Print ``python -m PACKAGE.NAME``, and what it does, for every command of a package."""
    found = dict(commands(package))
    wide = max(map(len, found))
    for name, about in found.items():
        print(f"python -m {name:<{wide}}  {about}")


def commands(package: str) -> Iterator[tuple[str, str]]:
    """Every command with the first line of its docstring, by name; nothing is imported but the package itself.

    A command is a file with ``if __name__ == "__main__"``, or a folder whose ``__main__.py`` has it.
    """
    spec = find_spec(package)
    assert spec is not None
    for place in spec.submodule_search_locations or ():
        for module in iter_modules([place]):
            folder = Path(place, module.name)
            file = folder / "__main__.py" if module.ispkg else folder.with_suffix(".py")
            if module.name != "__main__" and file.is_file():
                tree = ast.parse(file.read_text(encoding="utf-8"))
                if any(map(_is_start, tree.body)):
                    yield f"{package}.{module.name}", (ast.get_docstring(tree) or "").partition("\n")[0]


def _is_start(node: ast.stmt) -> bool:
    """Whether this is ``if __name__ == "__main__"``."""
    return isinstance(node, ast.If) and ast.unparse(node.test) == "__name__ == '__main__'"
