"""``completion``: bash completes commands, options and what they take."""

import shutil
import subprocess
from pathlib import Path

import pytest

from ensemble import completion
from ensemble.base.errors import InputError

TYPED = """
source {script}
function=$(complete -p reid-ensemble | sed 's/.*-F \\([^ ]*\\) .*/\\1/')
typed() {{
    COMP_WORDS=(reid-ensemble "$@") COMP_CWORD=$# COMPREPLY=()
    $function reid-ensemble "${{COMP_WORDS[$#]}}" "${{COMP_WORDS[$# - 1]}}"
    echo "${{COMPREPLY[*]}}"
}}
cd {folder}
"""
WANTED = {
    "'eva'": "evaluate",
    "''": "*",
    "run --rec": "--recipe",
    "run --recipe market_s": "market_streid",
    "track --recipe aicity2024": "aicity2024_2nd",
    "evaluate --features x --protocol msmt": "msmt17",
    "evaluate --ap tra": "trapezoid",
    "names --parser dukem": "dukemtmc",
    "run --features fea": "features",
    "compare tab": "table.csv",
    "completion f": "fish",
    "dump --prec": "--precision",
}


def test_bash_completes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("shtab")
    if shutil.which("bash") is None:
        pytest.skip("there is no bash")
    assert completion.main(["bash"]) == 0
    script = tmp_path / "script"
    script.write_text(capsys.readouterr().out, encoding="utf-8")
    (tmp_path / "features").mkdir()
    (tmp_path / "table.csv").write_text("")
    lines = [f"typed {words}" for words in WANTED]
    text = TYPED.format(script=script, folder=tmp_path) + "\n".join(lines)
    done = subprocess.run(["bash", "-c", text], capture_output=True, text=True, timeout=100)
    assert (done.returncode, done.stderr) == (0, "")
    found = dict(zip(WANTED, done.stdout.splitlines(), strict=True))
    everything = found["''"].split()
    assert {"run", "doctor", "rank", "pseudo_labels"} <= set(everything)
    assert len(everything) == len(set(everything))
    assert found == WANTED | {"''": found["''"]}


def test_scripts_for_other_shells_name_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("shtab")
    for shell in ("zsh", "fish"):
        assert completion.main([shell]) == 0
        out = capsys.readouterr().out
        for word in ("evaluate", "recipe", "market_streid", "msmt17"):
            assert word in out, shell


def test_without_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(completion, "find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"completion: wanted the package shtab, found none; .*shtab"):
        completion.main(["bash"])
