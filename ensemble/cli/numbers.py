"""Numbers and sizes as people write them."""

import argparse

from ensemble.base.errors import InputError
from postproc.base import sizes


def too_small(options: argparse.Namespace, **least: int) -> list[str]:
    """A problem for every option below its least value, as ``too_small(options, threads=1, seed=0)``.

    An option that was not given (None) is no problem.

    >>> too_small(argparse.Namespace(draw_seed=-1, cut=None), draw_seed=0, cut=1)
    ['--draw-seed: wanted 0 or more, found -1']
    """
    return [
        f"--{name.replace('_', '-')}: wanted {wanted} or more, found {value}"
        for name, wanted in least.items()
        if (value := getattr(options, name)) is not None and value < wanted
    ]


def bytes_of(option: str, given: str, least: int = 1) -> int:
    """A size as people write it, in bytes; InputError where it is none, has no unit, or is below ``least``.

    >>> bytes_of("--memory", "4GB"), bytes_of("--memory", "1.5 k"), bytes_of("--memory", "512 MiB")
    (4000000000, 1500, 536870912)
    """
    try:
        return sizes.bytes_of(option, given, least)
    except ValueError as error:
        raise InputError([str(error)]) from error
