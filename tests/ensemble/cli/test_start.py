"""One program for all commands: its help, how it starts, what it says of what is no command."""

import importlib
import io
import re
import resource
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

import ensemble
from ensemble.cli import listing, start
from tests.support import tables
from tests.support.each import each

ROOT = Path(ensemble.__file__).parents[1]
KNOWN = {command.name: command for command in start.everything()}


def ended(
    capsys: pytest.CaptureFixture[str], *words: str, program: str = "reid-ensemble"
) -> tuple[object, str, str]:
    """Exit status, stdout and stderr of the program in this process."""
    status: object = 0
    try:
        start.start(program, words)
    except SystemExit as done:
        status = done.code
    said = capsys.readouterr()
    return status, said.out, said.err


def test_every_command_stands_under_a_task_with_an_example() -> None:
    modules = [command for package in listing.PACKAGES for command in listing.commands(package)]
    assert len(modules) == len(KNOWN), "two commands have one name"
    text = "\n".join(start.text("reid-ensemble", 200))
    for command in modules:
        assert command.task in listing.TASKS, command
        assert re.search(rf"^  {command.name} +{re.escape(command.about)}$", text, re.M), command
        assert f"$ reid-ensemble {command.name}" in text, command
    assert text.index("\nbegin\n") < text.index("\nrank\n") < text.index("\nlook\n")
    assert max(map(len, start.text("reid-ensemble", 80))) < 140  # examples are for copying, and stay on a line


@each("command", KNOWN.values(), ids=lambda value: getattr(value, "name", None))
def test_the_example_is_one_that_the_command_takes(command: listing.Command) -> None:
    parser = importlib.import_module(command.start).parser()
    words = shlex.split(command.example.partition(" > ")[0])[3:]
    if command.name == "rank":
        parser.parse_known_args(words)  # it hands options on
    else:
        parser.parse_args(words)


def test_help_is_there_at_once() -> None:
    code = (
        "import sys; from ensemble.cli.start import start; start('reid-ensemble', ['--help']); "
        "sys.exit(bool({'numpy', 'argparse', 'postproc'} & set(sys.modules)))"
    )
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=100)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("usage: reid-ensemble COMMAND")
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < 0.3


@each("words", [(), ("-h",), ("--help",)])
def test_help_is_what_is_said_without_a_command(
    words: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    status, out, err = ended(capsys, *words, program="python -m ensemble")
    assert (status, err) == (0, "")
    assert "$ python -m ensemble run --features DIR" in out


def test_who_reads_a_line_of_help_may_stop(monkeypatch: pytest.MonkeyPatch) -> None:
    class Closed(io.StringIO):
        def write(self, text: str) -> int:
            raise BrokenPipeError

    monkeypatch.setattr(sys, "stdout", Closed())
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    start.start("reid-ensemble", ["--help"])
    assert sys.stderr.closed  # so that Python does not complain at its end


def test_the_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert ended(capsys, "--version") == (0, f"reid-ensemble {ensemble.__version__}\n", "")
    assert re.search(r'^version = "(.+)"$', (ROOT / "pyproject.toml").read_text(), re.M)[1] == ensemble.__version__  # type: ignore[index]


@each(
    ("program", "usage"),
    [("reid-ensemble", "reid-ensemble pseudo_labels"), ("python -m ensemble", "python -m ensemble pseudo_labels")],
)
def test_a_command_is_called_as_it_was_typed(program: str, usage: str, capsys: pytest.CaptureFixture[str]) -> None:
    for typed in ("pseudo_labels", "pseudo-labels"):
        status, out, err = ended(capsys, typed, "--help", program=program)
        assert (status, err) == (0, "")
        assert out.startswith(f"usage: {usage} [")
        assert f"    {usage} --features DIR --out DIR2" in out
        assert "python -m ensemble." not in out
    status, _, err = ended(capsys, "names", "x", "--parser", "zoo", program=program)
    assert (status, err.splitlines()[0]) == (2, "error: 1 problem")
    assert f"{program} names --list-parsers has them" in err


@each(
    ("words", "problem"),
    [
        (["evalute"], "evalute: wanted a command of reid-ensemble, found another; did you mean 'evaluate'?"),
        (["zebra"], "zebra: wanted a command of reid-ensemble, found another; see reid-ensemble --help"),
        (["io"], "io: wanted a command of reid-ensemble, found another; see reid-ensemble --help"),
        (["__main__"], "__main__: wanted a command of reid-ensemble, found another; see reid-ensemble --help"),
        (["../run"], "../run: wanted a command of reid-ensemble, found another; did you mean 'run'?"),
        (["--features", "x"], "--features: wanted a command before it, found none; see reid-ensemble --help"),
        (["run", "--features"], "--features: wanted a value, found none; see --help"),
        (["run", "--zoo"], "--zoo: wanted an option of reid-ensemble run, found another; see --help"),
    ],
)
def test_what_is_refused(words: list[str], problem: str, capsys: pytest.CaptureFixture[str]) -> None:
    status, out, err = ended(capsys, *words)
    assert (status, out, err) == (2, "", f"error: 1 problem\n  {problem}\n")


def test_ctrl_c_while_a_command_is_loaded(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(module: str) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(start, "import_module", interrupted)
    assert ended(capsys, "protocols", "none") == (130, "", "")


def test_it_is_installed_as_a_program(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert 'reid-ensemble = "ensemble.cli.start:main"' in (ROOT / "pyproject.toml").read_text()
    monkeypatch.setattr(sys, "argv", ["reid-ensemble", "protocols", "none"])
    with pytest.raises(SystemExit, match="0"):
        start.main()
    assert capsys.readouterr().out.startswith("none: AP ")


def test_the_page_of_commands_is_what_their_files_say() -> None:
    text = tables.COMMANDS.read_text(encoding="utf-8")
    assert text == tables.commands(text), "write it anew: python -m tests.support.tables"
