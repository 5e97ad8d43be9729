"""How a command ends, and what it says."""

import sys

import pytest

from ensemble.base.errors import InputError
from ensemble.cli import program
from tests.support.each import each

ANOTHER = "wanted an option of python -m ensemble.x, found another"
ONE_OF = "wanted one of market1501, veri"


def ended(error: BaseException | None, capsys: pytest.CaptureFixture[str], status: int = 0) -> tuple[object, str]:
    """Exit status and stderr of a command that raises ``error``, or returns ``status``."""

    def command(arguments: object) -> int:
        assert arguments is None
        if error is not None:
            raise error
        return status

    with pytest.raises(SystemExit) as caught:
        program.main(command)
    return caught.value.code, capsys.readouterr().err


def test_what_it_returns_is_the_exit_status(capsys: pytest.CaptureFixture[str]) -> None:
    assert ended(None, capsys) == (program.FINE, "") == (0, "")
    assert ended(None, capsys, program.FAULTY) == (1, "")


def test_every_problem_is_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert ended(InputError(["one"]), capsys) == (2, "error: 1 problem\n  one\n")
    assert ended(InputError(["one", "two"]), capsys) == (2, "error: 2 problems\n  one\n  two\n")


def test_the_system_is_no_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    gone = FileNotFoundError(2, "No such file or directory", "a.pkl")
    wanted = "a.pkl: wanted to read or write it, found: No such file or directory; check the path"
    assert ended(gone, capsys) == (2, f"error: 1 problem\n  {wanted}\n")
    assert "file: wanted to read or write it, found: odd" in ended(OSError("odd"), capsys)[1]
    assert "memory: wanted more than there is (1 TB)" in ended(MemoryError("1 TB"), capsys)[1]
    assert ended(KeyboardInterrupt(), capsys) == (130, "")


def test_whatever_is_wrong_in_the_code_is_a_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ZeroDivisionError):
        program.main(lambda arguments: 1 // 0)


def test_a_docstring_is_shown_as_it_is_written(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    found = program.parser("ensemble.x", "What.\n\n    as  it is", epilog="one word after another " * 3)
    text = found.format_help()
    assert text.startswith("usage: python -m ensemble.x")
    assert "\nWhat.\n\n    as  it is\n" in text
    assert text.endswith("one word after another one word after\nanother one word after another\n")


@each(
    ("words", "said"),
    {
        "--protocl veri": f"--protocl: {ANOTHER}; did you mean '--protocol'?",
        "--protocol=Market-1501": f"--protocol: {ONE_OF}, found 'Market-1501'; did you mean 'market1501'?",
        "--protocol zoo": f"--protocol: {ONE_OF}, found 'zoo'; see --help",
        "--n many": "--n: wanted a whole number, found 'many'; see --help",
        "--x much": "--x: wanted a number, found 'much'; see --help",
        "--protocol": "--protocol: wanted a value, found none; see --help",
        "more words": "more, words: wanted options, found more; see --help",
        "": "--out: wanted, found nothing; see --help",
    }.items(),
)
def test_what_no_parser_takes_reads_like_all_that_is_refused(words: str, said: str) -> None:
    parser = program.parser("ensemble.x", "What.")
    parser.add_argument("--protocol", choices=("market1501", "veri"))
    parser.add_argument("--n", type=int)
    parser.add_argument("--x", type=float)
    parser.add_argument("--out", required=not words)
    with pytest.raises(InputError) as caught:
        parser.parse_args(words.split())
    assert caught.value.problems == [said]


def test_standard_streams_may_be_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    """As where a job is started with >&- or by a service: nobody reads, and the command does its work."""

    def command(arguments: object) -> int:
        print("something")
        print("more", file=sys.stderr, flush=True)
        return program.FAULTY

    monkeypatch.setattr(sys, "stdout", None)
    monkeypatch.setattr(sys, "stderr", None)
    with pytest.raises(SystemExit) as caught:
        program.main(command)
    assert caught.value.code == program.FAULTY
