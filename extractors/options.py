"""What is written after a model's path: ``PATH,size=256x128,mean=0.5/0.5/0.5``."""

import re
from collections.abc import Collection, Mapping, Sequence

from ensemble.base.errors import near

COMMON = ("size", "mean", "std", "channels_last", "clips", "fold", "compile")  # options that every torch model has
_SIZE = re.compile(r"([1-9][0-9]{0,4})x([1-9][0-9]{0,4})")
_OPTION = re.compile(r",(?=[a-z_]+=)")


def split(text: str) -> tuple[str, dict[str, str]]:
    """A model and its options; commas that no ``name=`` follows belong to the value before them.

    >>> split("osnet.onnx,size=256x128,name=osnet")
    ('osnet.onnx', {'size': '256x128', 'name': 'osnet'})
    """
    spec, *pairs = _OPTION.split(text)
    return spec, {pair.partition("=")[0]: pair.partition("=")[2] for pair in pairs}


def refuse_unknown(spec: str, options: Mapping[str, str], known: Collection[str]) -> list[str]:
    """A problem for every option that the family does not have."""
    return [
        f"{spec}: wanted options {', '.join(known)}, found {option}{near(option, known) or '; leave it out'}"
        for option in options
        if option not in known
    ]


def size_of(where: str, text: str | None, problems: list[str]) -> tuple[int, int] | None:
    """``256x128`` as height and width; None without a text or with a bad one, which becomes a problem."""
    if text is None:
        return None
    match = _SIZE.fullmatch(text)
    if match is None:
        problems.append(f"{where}: wanted HEIGHTxWIDTH as 256x128, found {text!r}")
        return None
    return int(match[1]), int(match[2])


def floats(
    where: str, key: str, text: str | None, otherwise: Sequence[float], problems: list[str]
) -> tuple[float, float, float]:
    """``0.5/0.5/0.5`` as three numbers, one for each of red, green and blue; a bad text becomes a problem."""
    found = list(otherwise)
    if text is not None:
        try:
            found = [float(part) for part in text.split("/")]
        except ValueError:
            found = []
        bad = key == "std" and any(value <= 0 for value in found)
        if len(found) != 3 or not all(abs(value) < 1e6 for value in found) or bad:
            problems.append(f"{where}: wanted {key}=R/G/B as 0.485/0.456/0.406, found {text!r}")
            found = list(otherwise)
    return found[0], found[1], found[2]
