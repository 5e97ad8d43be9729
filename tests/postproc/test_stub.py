"""What a typed caller of postproc sees."""

import subprocess
import sys

import pytest

from tests.support import stub

CALLER = """
import numpy as np
from numpy.typing import NDArray
from postproc import Nearest, hamming, rerank, sqeuclidean

x: NDArray[np.float32] = np.eye(3, dtype=np.float32)
all_distances: NDArray[np.float32] = rerank(x, x, k1=2)
nearest: Nearest = rerank(sqeuclidean(x, x), top_k=2)
rows: NDArray[np.int32] = hamming(x, x, top_k=1).rows


def either(top_k: int | None) -> NDArray[np.float32] | Nearest:
    return rerank(x, x, top_k=top_k)


rerank(x, x).rows  # wrong
rerank(x, x, top_k=2).mean()  # wrong
rerank(x, x, k1="many")  # wrong
"""


def test_the_stub_is_that_of_the_functions():
    assert stub.FILE.read_text() == stub.stub(), f"write it anew: {stub.COMMAND}"


def test_a_typed_caller_needs_no_assert_and_is_told_what_is_wrong(tmp_path):
    pytest.importorskip("mypy")
    caller = tmp_path / "caller.py"
    caller.write_text(CALLER)
    options = ["--strict", "--follow-imports=silent", f"--cache-dir={tmp_path}"]
    command = [sys.executable, "-m", "mypy", *options, str(caller)]
    done = subprocess.run(command, cwd=stub.FILE.parents[1], capture_output=True, text=True, timeout=500)
    found = {int(line.split(":")[1]) for line in done.stdout.splitlines() if ": error:" in line}
    assert found == {at for at, line in enumerate(CALLER.splitlines(), 1) if "# wrong" in line}, done.stdout
