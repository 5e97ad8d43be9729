"""Names of steps in the text of a page lead to the step's own page."""

from typing import Any

import postproc

STEPS = {step.__name__ for step in postproc.STEPS} - {
    "distances",
    "rank",
    "exclude",
}  # which mean other things too
MADE = ("techniques/", "reference/")  # whose links are made with them, and whose settings have names of steps


def setup(app: Any) -> dict[str, bool]:
    """What Sphinx calls."""
    app.connect("doctree-read", link)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def link(app: Any, doctree: Any) -> None:
    """Put a reference around every literal that is the name of a step, but in headings and links."""
    from docutils import nodes
    from sphinx import addnodes

    here = app.env.docname
    if here.startswith(MADE):
        return
    for literal in list(doctree.findall(nodes.literal)):
        name = literal.astext()
        if name not in STEPS:
            continue
        parent = literal.parent
        if isinstance(parent, (nodes.title, nodes.reference, addnodes.pending_xref)):
            continue
        target = f"postproc.{name}"
        reference = addnodes.pending_xref(
            "", refdomain="py", reftype="obj", reftarget=target, refexplicit=True, refwarn=True, refdoc=here
        )
        literal.replace_self(reference)
        reference += literal
