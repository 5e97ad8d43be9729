"""Numbers and sizes as people write them."""

import argparse

from ensemble.base.errors import InputError

UNITS = {"KB": 10**3, "MB": 10**6, "GB": 10**9, "KIB": 2**10, "MIB": 2**20, "GIB": 2**30, "": 1}


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


def bytes_of(option: str, given: str) -> int:
    """A size as people write it, in bytes; InputError where it is none.

    >>> bytes_of("--memory", "4GB"), bytes_of("--memory", "1.5 k"), bytes_of("--memory", "512 MiB")
    (4000000000, 1500, 536870912)
    """
    text = given.strip().upper()
    digits = text.rstrip("KMGIB")
    unit = text[len(digits) :].strip()
    unit = unit if unit in UNITS or unit + "B" not in UNITS else unit + "B"
    try:
        size = float(digits) * UNITS[unit]
    except (ValueError, KeyError):
        size = 0
    if not 0 < size < float("inf"):
        raise InputError([f"{option}: wanted a size such as 4GB, found {given!r}"])
    return max(1, int(size))
