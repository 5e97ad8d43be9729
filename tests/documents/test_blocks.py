"""What runs the pages notices what is wrong with one."""

from pathlib import Path

import pytest
from sybil.example import SybilFailure

from tests.documents import blocks, shell, tables


def page(folder: Path, text: str) -> Path:
    path = folder / "page.md"
    path.write_text(text.replace("'''", "```"), encoding="utf-8")
    return path


def run(path: Path) -> None:
    for example in blocks.parsed(path):
        example.evaluate()


def test_blocks_share_names_and_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    file, use = "'''python\n# mine_too.py\nx = 3\n'''", "'''python\nfrom mine_too import x\nprint(x + 1)\n'''"
    run(page(tmp_path, f"{file}\n{use}\n'''output\n4\n'''\n"))


def test_another_output_is_an_error(tmp_path: Path) -> None:
    text = "'''python\nprint('mAP 0.52 in', 3, 'seconds')\n'''\n'''output\n{}\n'''\n"
    run(page(tmp_path, text.format("mAP 0.52 in … seconds")))
    with pytest.raises(SybilFailure, match=r"wanted to be printed:\nmAP 0.53"):
        run(page(tmp_path, text.format("mAP 0.53 in … seconds")))


def test_marks_are_told_with_their_reasons(tmp_path: Path) -> None:
    text = (
        "<!-- skip: next \"needs a GPU\" -->\n'''python\n1 / 0\n'''\n<!-- skip: next -->\n'''python\n1 / 0\n'''\n"
    )
    assert [mark.why for mark in blocks.marks(page(tmp_path, text))] == ["needs a GPU", ""]


def test_fences_of_no_language_are_named(tmp_path: Path) -> None:
    found = blocks.unknown_fences(page(tmp_path, "'''\nx\n'''\n'''python\nx\n'''\n'''console\n$ x\n'''\n"))
    assert [name.partition(": ")[2] for name in found] == ["```", "```console"]


def test_commands_fail_loudly(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(shell.Failed, match="ended with 2"):
        shell.run("reid-ensemble inspect nowhere.npz")
    with pytest.raises(shell.Failed, match="wanted a command of the project"):
        shell.run("curl example.org")
    assert "market1501" in shell.run("reid-ensemble protocols \\\n    market1501  # its rules\n")


@pytest.mark.parametrize(
    "wrong", ['steps = [{ use = "rerunk" }]', "[[branch]]\nmodells = 1", 'associate = { use = "x" }']
)
def test_recipes_that_are_wrong_are_refused(wrong: str) -> None:
    with pytest.raises(Exception, match="wanted"):
        tables.check_toml(wrong, whole=True)


def test_tables_of_unequal_lines_are_refused() -> None:
    tables.check_csv("a,b\n1,2\n")
    with pytest.raises(AssertionError, match="cells"):
        tables.check_csv("a,b\n1,2,3\n")
