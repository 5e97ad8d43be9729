"""Docstrings and measured gains become pages."""

import inspect
from pathlib import Path

import pytest

import postproc
from docs.site import check, docstrings, gains, gather, pages
from docs.site.docstrings import Links
from ensemble.pipeline.steps import describe
from ensemble.scores import PROTOCOLS

ROOT = Path(__file__).parents[2]
DOC = """Add ``k`` to x_.

``out = x / sum_j w_ij x_j + 1 * 2``, where :func:`other` is `|x|`.

Takes:   x (n,), with
         two lines.
method:  one of
         "a"     the first,
                 and more;
         "b"     the second.
         "c", "d": others.
Raises:  nothing*.

>>> 1 + 1
2
"""


def rendered(text: str = DOC) -> str:
    found = list(docstrings.blocks(text, ["method", "k"]))
    return "\n".join(docstrings.rendered(found, Links({"other": "postproc.other"}, ["k", "method"])))


def test_a_docstring_keeps_its_parts() -> None:
    found = rendered()
    assert ".. math::\n\n   \\mathrm{out} = \\frac{x}{\\sum_{j} w_{ij} x_{j}}" in found
    assert "Add ``k`` to x\\_." in found
    assert ":py:obj:`other <postproc.other>`" in found
    assert "Takes\n   x (n,), with two lines." in found
    assert '* ``"a"``: the first, and more;' in found
    assert '* ``"c", "d"``: others.' in found
    assert "nothing\\*." in found
    assert ".. code-block:: pycon\n\n   >>> 1 + 1\n   2" in found


def test_a_long_formula_has_a_line_of_its_own_and_one_that_cannot_be_read_stays_code() -> None:
    long = "out = 1 - ((1 - share) * A_q . A_g + share * s)"
    assert ".. math::" in rendered(f"First this. ``{long}``, then that.")
    assert ".. math::" not in rendered(f"* in a list: ``{long}``")
    assert rendered("``x = ( y / sum_{, and so on and so on``").strip().startswith("``x = (")


def test_an_unknown_name_is_no_link() -> None:
    assert rendered("See :func:`postproc.nothing`.").strip() == "See ``nothing``."


@pytest.mark.parametrize("name", ["rerank", "csls", "camera_penalty", "linkage"])
def test_the_page_of_a_step_says_what_the_step_declares(name: str) -> None:
    step = describe(getattr(postproc, name))
    measured = gains.of(gains.read(), name)
    page = "\n".join(pages.technique(step, {}, measured))
    for heading in (
        "What it computes",
        "In and out",
        "Settings",
        "What it costs",
        "What it gains and loses",
        "Example",
    ):
        assert f"\n{heading}\n---" in page
    for setting in step.settings.values():
        assert f"   * - ``{setting.name}``\n     - ``{pages._shown(setting.default)}``" in page
    assert (inspect.getmodule(step.function).__doc__ or "").split()[-1] in page


def row(least: str, most: str, made_up: str = "0") -> gains.Row:
    return {"set": "VIPeR", "made_up": made_up, "queries": "3", "gallery": "4", "step": "csls", "before": "50.00",
            "after": "51.50", "least": least, "most": most, "why": ""}  # fmt: skip


def test_a_gain_is_one_beyond_the_interval() -> None:
    assert [gains.sign(row(*ends)) for ends in (("0.1", "2"), ("-2", "-0.1"), ("-1", "4"))] == [1, -1, 0]
    assert gains.change(row("0.1", "2.0"), interval=True) == ":gain:`+1.5 (+0.1 to +2.0)`"
    assert "gains on 1 and loses on 0" in "\n".join(gains.section([row("0.1", "2.0")]))
    assert "made-up sets alone" in "\n".join(gains.section([row("0.1", "2.0", made_up="1")]))


def test_what_was_not_measured_says_why() -> None:
    missing = row("", "") | {"after": "", "why": "no cam, track"}
    assert "Not measured on VIPeR: the set has no cameras and no tracks." in "\n".join(gains.section([missing]))


def test_the_table_of_gains_names_steps_that_exist() -> None:
    known = {step.__name__ for step in postproc.STEPS}
    rows = gains.read()
    assert {found["step"] for found in rows} <= known
    assert all(bool(found["after"]) != bool(found["why"]) for found in rows)


def test_every_document_is_in_the_navigation() -> None:
    text = (ROOT / "docs" / "site" / "index.rst").read_text(encoding="utf-8")
    listed = {line.strip() for line in text.splitlines()}
    assert {f"docs/{page.stem}" for page in (ROOT / "docs").glob("*.md")} <= listed


def test_every_protocol_has_its_line() -> None:
    text = (ROOT / "docs" / "numbers.md").read_text(encoding="utf-8")
    assert [name for name in PROTOCOLS if f"`{name}`" not in text] == []


def test_tutorials_are_listed_where_there_are_some(tmp_path: Path) -> None:
    first = "A\n\n.. tutorials\n\nB\n"
    assert gather.navigation(first, tmp_path) == "A\n\n\nB\n"
    (tmp_path / "docs" / "tutorials").mkdir(parents=True)
    (tmp_path / "docs" / "tutorials" / "one.md").touch()
    assert "   docs/tutorials/one\n" in gather.navigation(first, tmp_path)


def test_what_is_linked_comes_along_and_folders_become_words(tmp_path: Path) -> None:
    page = tmp_path / "README.md"
    page.write_text("[licence](LICENSE), [all of it](docs), [a page](https://example.org)", encoding="utf-8")
    gather.copy_linked(page, tmp_path)
    assert (tmp_path / "LICENSE").read_bytes() == (ROOT / "LICENSE").read_bytes()
    assert page.read_text(encoding="utf-8").startswith("[licence](LICENSE), all of it, [a page](https")


def test_the_check_finds_what_leads_nowhere_and_what_comes_from_elsewhere(tmp_path: Path) -> None:
    assert list(check.problems(tmp_path)) == [f"{tmp_path}: no pages"]
    (tmp_path / "a.html").write_text('<a href="b.html#here">', encoding="utf-8")
    (tmp_path / "b.html").write_text('<p id="here"><a href="https://example.org">', encoding="utf-8")
    assert not list(check.problems(tmp_path))
    (tmp_path / "a.html").write_text(
        '<a href="b.html#there"><a href="c.html"><script src="https://example.org/x.js"></script>',
        encoding="utf-8",
    )
    assert list(check.problems(tmp_path)) == [
        "a.html: loads https://example.org/x.js",
        "a.html: leads nowhere: b.html#there",
        "a.html: leads nowhere: c.html",
    ]
