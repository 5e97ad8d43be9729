"""The tutorials of docs/tutorials: notebooks with outputs, and pages of them, made from the scripts in ``source``.

    python -m tests.support.notebooks                              # all of them, on drawn cities
    python -m tests.support.notebooks --data ../shared/data NAME   # on real sets where a tutorial takes some

A script is a notebook in jupytext's percent form. Its cells run in this process, one after the other, without a
kernel; the outputs are those that IPython's formatters make of the last value of a cell. The cell with the tag
``parameters`` says which folder of data is looked for; ``--data`` is put in its place and leaves no trace.
"""

import argparse
import ast
import io
import os
import shutil
import sys
import tempfile
import warnings
from base64 import b64decode, b64encode
from collections.abc import Iterator, Mapping, Sequence
from contextlib import chdir, redirect_stdout
from pathlib import Path
from typing import Any

import jupytext
import nbformat
from nbformat import NotebookNode, v4

TUTORIALS = Path(__file__).parents[2] / "docs" / "tutorials"
SOURCE = TUTORIALS / "source"
DPI = 80
LARGEST = 300_000  # bytes of a picture


def sources() -> list[Path]:
    """The scripts."""
    return sorted(SOURCE.glob("*.py"))


def read(source: Path) -> NotebookNode:
    """A script as a notebook without outputs, the same for the same text."""
    found = jupytext.read(source, fmt="py:percent")
    found.metadata = {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }
    for number, cell in enumerate(found.cells, 1):
        cell.id = f"cell-{number}"
    return found


def run(notebook: NotebookNode, given: Mapping[str, Any]) -> Iterator[tuple[NotebookNode, str, Any]]:
    """Run the cells in the folder of the process; each cell of code, what it printed, its last value or None.

    given: names that take the place of those in the cell of parameters. A warning is an error.
    """
    names: dict[str, Any] = {"__name__": "__main__"}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for cell in notebook.cells:
            if cell.cell_type != "code":
                continue
            said = io.StringIO()
            with redirect_stdout(said):
                value = _run(cell.source, cell.id, names)
            if "parameters" in cell.metadata.get("tags", ()):
                names.update(given)
            yield cell, said.getvalue(), value


def _run(text: str, where: str, names: dict[str, Any]) -> Any:
    """Run one cell; the value of its last line, if that is an expression."""
    parsed = ast.parse(text)
    last = parsed.body.pop() if parsed.body and isinstance(parsed.body[-1], ast.Expr) else None
    exec(compile(parsed, where, "exec"), names)
    return eval(compile(ast.Expression(last.value), where, "eval"), names) if isinstance(last, ast.Expr) else None


def write(source: Path, data: Path | None) -> None:
    """Make NAME.ipynb, NAME.md and the pictures of NAME.md from one script."""
    notebook = read(source)
    given = {} if data is None else {"data": data}
    with tempfile.TemporaryDirectory() as work, chdir(work):
        sys.path.insert(0, work)  # where a notebook finds modules beside it
        for count, (cell, said, value) in enumerate(run(notebook, given), 1):
            cell.execution_count = count
            cell.outputs = [*outputs(said, value, count)]
    nbformat.write(notebook, TUTORIALS / f"{source.stem}.ipynb")
    pictures: dict[str, bytes] = {}
    text = "\n\n".join(part for cell in notebook.cells for part in shown(cell, source.stem, pictures))
    (TUTORIALS / f"{source.stem}.md").write_text(text + "\n", encoding="utf-8")
    shutil.rmtree(TUTORIALS / f"{source.stem}_files", ignore_errors=True)
    for name, content in pictures.items():
        assert len(content) < LARGEST, f"{name}: wanted less than {LARGEST:,} bytes, found {len(content):,}"
        (TUTORIALS / name).parent.mkdir(exist_ok=True)
        (TUTORIALS / name).write_bytes(content)


def shown(cell: NotebookNode, name: str, pictures: dict[str, bytes]) -> Iterator[str]:
    """The parts of a page that a cell makes; its pictures are added to ``pictures``, by the path in the page."""
    if cell.cell_type == "markdown":
        yield cell.source
        return
    yield f"```python\n{cell.source}\n```"
    for output in cell.outputs:
        if png := output.get("data", {}).get("image/png"):
            path = f"{name}_files/{len(pictures) + 1}.png"
            pictures[path] = b64decode(png)
            yield f"![What the lines above draw]({path})"
        else:
            text = output.get("text") or output.data["text/plain"]
            yield f"```text\n{text.rstrip()}\n```"


def outputs(said: str, value: Any, count: int) -> Iterator[NotebookNode]:
    """What stands below a cell."""
    if said:
        yield v4.new_output("stream", name="stdout", text=said)
    if value is not None:
        found, about = formatter().format(value)
        found.pop("text/html", None) if "image/png" in found else None
        yield v4.new_output("execute_result", data=found, metadata=about, execution_count=count)


def formatter() -> Any:
    """IPython's formatters, and figures of matplotlib as PNG."""
    from IPython.core.formatters import DisplayFormatter
    from matplotlib.figure import Figure

    def png(figure: Figure) -> str:
        stream = io.BytesIO()
        figure.savefig(stream, format="png", dpi=DPI, bbox_inches="tight", metadata={"Software": None})
        return b64encode(stream.getvalue()).decode()

    found = DisplayFormatter()
    found.formatters["image/png"].for_type(Figure, png)
    found.formatters["text/plain"].for_type(Figure, lambda figure, *ignored: ignored[0].text("A figure."))
    return found


def main(arguments: Sequence[str] | None = None) -> None:
    """Make the tutorials that are named, or all."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME")
    parser.add_argument("--data", type=Path, help="a folder with real sets")
    given = parser.parse_args(arguments)
    os.environ["MPLBACKEND"] = "agg"
    for source in sources():
        if not given.names or source.stem in given.names:
            write(source, given.data and given.data.resolve())
            print(source.stem)


if __name__ == "__main__":
    main()
