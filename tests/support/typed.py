"""Scripts of users under ``mypy --strict``, with the packages as they stand.

One cache is for all of them, that of the packages' own check: without it mypy reads for a minute what they import.
"""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
STRICT = """\
# mypy: disallow-any-generics, disallow-subclassing-any, disallow-untyped-calls, disallow-untyped-defs
# mypy: disallow-incomplete-defs, check-untyped-defs, disallow-untyped-decorators, warn-redundant-casts
# mypy: warn-unused-ignores, warn-return-any, no-implicit-reexport, strict-equality, extra-checks
"""  # what --strict means, for one file alone, so that the cache holds for it


def checked(text: str, folder: Path) -> tuple[set[int], str]:
    """The lines of a script, from 1, of which mypy complains, and all that it has said."""
    pytest.importorskip("mypy")
    script = folder / "script_of_a_user.py"
    script.write_text(STRICT + text, encoding="utf-8")
    command = [sys.executable, "-m", "mypy", str(script)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=1200)
    assert done.returncode in (0, 1), done.stdout + done.stderr
    errors = [line.split(":") for line in done.stdout.splitlines() if ": error:" in line]
    elsewhere = [error for error in errors if Path(error[0]).name != script.name]
    assert not elsewhere, done.stdout
    return {int(error[1]) - STRICT.count("\n") for error in errors}, done.stdout
