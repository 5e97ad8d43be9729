"""Formulas as MathML, made when the site is built: readers need neither a script nor a network."""

from typing import Any

from latex2mathml.converter import convert

NAME = "mathml"


def setup(app: Any) -> dict[str, bool]:
    """What Sphinx calls."""
    app.add_html_math_renderer(NAME, (_inline, None), (_block, None))
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def _inline(writer: Any, node: Any) -> None:
    writer.body.append(f'<span class="formula-in-line">{convert(node.astext(), display="inline")}</span>')
    _done()


def _block(writer: Any, node: Any) -> None:
    writer.body.append(f'<div class="formula">{convert(node.astext(), display="block")}</div>\n')
    _done()


def _done() -> None:
    from docutils.nodes import SkipNode

    raise SkipNode
