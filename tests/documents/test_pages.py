"""Every code block of README.md, CONTRIBUTING.md and docs runs, or says why it does not."""

import unittest
from contextlib import suppress
from pathlib import Path

import pytest
from sybil import Document

from tests.documents import blocks, given

NOT_RUN = 15  # blocks with a mark; a new one is a decision
OPTIONAL = (
    "torch",
    "matplotlib",
    "PIL",
    "optuna",
    "faiss",
    "usearch",
    "onnxruntime",
    "jinja2",
    "shtab",
    "dask",
    "hydra",
    "omegaconf",
)


@pytest.mark.parametrize("page", blocks.pages(), ids=lambda page: page.stem)
def test_the_page_runs(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    document = blocks.parsed(page)
    if not document.regions:
        pytest.skip("no code on this page")
    try:
        given.prepare(page, tmp_path, monkeypatch, document.namespace)
        run(document)
    except ModuleNotFoundError as missing:
        if (missing.name or "").partition(".")[0] not in OPTIONAL:
            raise
        pytest.skip(f"wants {missing.name}")
    given.AFTER_A_PAGE.get(page.stem, lambda *given: None)(tmp_path, document.namespace)


def run(document: Document) -> None:
    for example in document:
        with suppress(unittest.SkipTest):
            example.evaluate()


def test_what_is_not_run_says_why() -> None:
    marks = [mark for page in blocks.pages() for mark in blocks.marks(page)]
    listed = "\n".join(f"{mark.where}: {mark.why or 'NO REASON'}" for mark in marks)
    assert all(mark.why for mark in marks), listed
    assert len(marks) == NOT_RUN, f"{len(marks)} blocks are not run:\n{listed}"


def test_every_fence_says_what_it_is() -> None:
    assert not [fence for page in blocks.pages() for fence in blocks.unknown_fences(page)]
