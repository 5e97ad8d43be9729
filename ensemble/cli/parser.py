"""A parser whose refusals read like all others: where, what was wanted, what was found, what was meant perhaps."""

import argparse
import re
from collections.abc import Sequence
from typing import Any, NoReturn

from ensemble.base.errors import InputError, examples, near, printable

OURS = {  # what argparse says, and how we say it
    r"argument (.+?): invalid int value: (.+)": r"\1: wanted a whole number, found \2",
    r"argument (.+?): invalid float value: (.+)": r"\1: wanted a number, found \2",
    r"argument (.+?): expected one argument": r"\1: wanted a value, found none",
    r"argument (.+?): expected at least one argument": r"\1: wanted a value, found none",
    r"argument (.+?): (.+)": r"\1: \2",
    r"the following arguments are required: (.+)": r"\1: wanted, found nothing",
    r"ambiguous option: (.+?) could match (.+)": r"\1: wanted one option, found the beginning of \2",
}


class Parser(argparse.ArgumentParser):
    """As its base, but what it refuses is an InputError, with the nearest name of an option or a choice."""

    def parse_args(self, args: Any = None, namespace: Any = None) -> Any:
        """All arguments, or an InputError with every one that nobody knows."""
        found, left = self.parse_known_args(args, namespace)
        if left:
            options = [name for name in self._option_string_actions if name.startswith("--")]
            unknown = [word for word in left if word.startswith("-")]
            problems = [
                f"{printable(word)}: wanted an option of {self.prog}, found another{self._meant(word, options)}"
                for word in (word.partition("=")[0] for word in unknown)
            ]
            raise InputError(problems or [f"{examples(left)}: wanted options, found more; see --help"])
        return found

    def error(self, message: str) -> NoReturn:
        """What argparse refuses, in our words."""
        for pattern, said in OURS.items():
            if re.fullmatch(pattern, message, re.DOTALL):
                message = re.sub(pattern, said, message, flags=re.DOTALL)
                break
        raise InputError([message if message.endswith("?") else f"{message}; see --help"])

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        if action.choices is not None and value not in action.choices:
            choices = [str(choice) for choice in action.choices]
            raise argparse.ArgumentError(
                action, f"wanted one of {', '.join(choices)}, found {value!r}{near(value, choices)}"
            )

    @staticmethod
    def _meant(word: str, options: Sequence[str]) -> str:
        return near(word, options) or "; see --help"
