"""What ``--help`` says is what a command does."""

import argparse
import importlib
from collections.abc import Iterator

import pytest

from ensemble.base.errors import InputError
from ensemble.cli import listing
from tests.support.each import each

COMMANDS = [command.module for package in listing.PACKAGES for command in listing.commands(package)]
NO_DEFAULT = (None, False, [], argparse.SUPPRESS)


def parser_of(command: str) -> argparse.ArgumentParser:
    """The parser of a command, which is a file or a folder with ``__main__``."""
    module = importlib.import_module(command)
    if not hasattr(module, "parser"):
        module = importlib.import_module(f"{command}.__main__")
    found = module.parser()
    assert isinstance(found, argparse.ArgumentParser)
    return found


def untold(parser: argparse.ArgumentParser) -> Iterator[str]:
    """Options without a word of help, and those whose default is not among the words."""
    for action in parser._actions:
        if action.help is None:
            yield f"{action.dest}: no help"
        elif action.help is not argparse.SUPPRESS and action.default not in NO_DEFAULT:
            default = action.default
            said = " ".join(map(str, default)) if isinstance(default, list) else f"{default}"
            shown = action.help % {"default": action.default}
            if said not in shown:
                yield f"{action.dest}: {said} is not in {shown!r}"


def test_what_is_not_told_is_found() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--a", default=3, type=int, help="a number")
    parser.add_argument("--b")
    assert [word.partition(":")[0] for word in untold(parser)] == ["a", "b"]


@each("command", COMMANDS)
def test_every_option_says_its_default(command: str) -> None:
    assert list(untold(parser_of(command))) == []


@each("command", COMMANDS)
def test_the_recipe_without_recipe(command: str) -> None:
    parser = parser_of(command)
    recipes = [action.help for action in parser._actions if action.dest == "recipe"]
    if recipes:
        assert f"default: {parser.get_default('otherwise')}" in str(recipes[0])
        assert ("--rankings" in parser.format_help()) == ("of --rankings: lists" in str(recipes[0]))
    else:
        assert parser.get_default("otherwise") is None


@each("command", COMMANDS)
def test_help_is_printed(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        parser_of(command).parse_args(["--help"])
    assert caught.value.code == 0
    assert capsys.readouterr().out.startswith(f"usage: python -m {command}")


def test_thresholds_offer_no_rule_of_rankings() -> None:
    with pytest.raises(InputError, match=r"^--cut: wanted an option of python -m ensemble\.thresholds"):
        parser_of("ensemble.thresholds").parse_args(["--features", "x", "--cut", "5"])
    assert parser_of("ensemble.evaluate").parse_args(["--features", "x", "--cut", "5"]).cut == 5
