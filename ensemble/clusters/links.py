"""Lists of pairs that a person has said yes or no to: ``image,image,yes`` or ``no`` in every line."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ensemble.base.alike import alike
from ensemble.base.errors import examples, printable, refuse_if_any
from ensemble.io.lists import read_table
from postproc.base.vocabulary import Ints

YES = ("yes", "y", "1", "true", "same", "must")
NO = ("no", "n", "0", "false", "different", "cannot")
TITLES = ("image", "image", "answer")
WORDS = ("true", "same", "must", "false", "different", "cannot")  # answers that may be titles too


@dataclass(frozen=True)
class Links:
    """(m, 2) rows of pairs that are one, and of those that are not; the last answer to a pair counts."""

    must: Ints
    cannot: Ints


def read_links(path: Path, names: Sequence[str], notes: list[str]) -> Links:
    """Read answers about images of these names; ``notes`` takes what there is to say.

    Three columns: two images and yes or no. A first line of titles is understood by its third column, or, where
    that is a word for an answer too (``image,image,same``), by naming no image of the set. Raises InputError with
    everything that is wrong with the file.
    """
    header, rows, problems = read_table(path)
    answers = len(header) == 3 and header[2].casefold() in (*YES, *NO)
    if answers and rows and header[2].casefold() in WORDS:
        answers = bool(set(header[:2]) & set(names)) or alike(header[:2], names) is not None
    if answers and not rows:  # one line, and no titles; of others that are wrong it is said
        problems = [problem for problem in problems if "only the first line" not in problem]
    refuse_if_any(problems)
    if answers:
        rows = [header, *rows]
    elif len(header) != 3:
        problems.append(
            f"{path}: wanted three columns, {', '.join(TITLES)}, found {len(header)} ({examples(header)})"
        )
    refuse_if_any(problems)
    said = [row[2].strip().casefold() for row in rows]
    strange = [printable(answer) for answer in dict.fromkeys(said) if answer not in (*YES, *NO)]
    if strange:
        problems.append(f"{path}: wanted yes or no in the third column, found {examples(strange)}")
    asked = [cell for row in rows for cell in row[:2]]
    like = alike(list(dict.fromkeys(asked)), names)
    if like and like.renamed:
        notes.append(f"{path}: its names differ from those of the images {like}: joined without that")
        asked = [like.renamed.get(name, name) for name in asked]
    place = {name: row for row, name in enumerate(names)}
    missing = [name for name in dict.fromkeys(asked) if name not in place]
    if missing:
        problems.append(
            f"{path}: wanted names of the set, found {len(missing)} others ({examples(missing)})"
            + (like.hint() if like else "; remove these lines")
        )
    refuse_if_any(problems)
    ends = np.array([place[name] for name in asked], np.int64).reshape(-1, 2)
    alone = [asked[2 * at] for at in np.flatnonzero(ends[:, 0] == ends[:, 1]).tolist()]
    if alone:
        problems.append(f"{path}: wanted two images in a line, found one twice ({examples(alone)}); remove them")
    refuse_if_any(problems)
    last: dict[tuple[int, int], bool] = {}
    for (one, other), answer in zip(np.sort(ends, axis=1).tolist(), said, strict=True):
        pair = (one, other)
        if pair in last and last[pair] != (answer in YES):
            notes.append(f"{path}: {names[one]} and {names[other]} have two answers, and the last is taken")
        last[pair] = answer in YES
    must, cannot = ([pair for pair, yes in last.items() if yes is wanted] for wanted in (True, False))
    return Links(*(np.array(sorted(pairs), np.int64).reshape(-1, 2) for pairs in (must, cannot)))


def read_windows(path: Path, cameras: dict[str, int]) -> list[tuple[int, int, float, float]]:
    """Travel times, a row a way: from a camera, to a camera, least and most frames; ``cameras`` have numbers."""
    header, rows, problems = read_table(path)
    if len(header) != 4:
        problems.append(f"{path}: wanted four columns, from, to, least, most, found {len(header)}")
    refuse_if_any(problems)
    found = []
    for number, row in enumerate(rows, 2):
        try:
            least, most = float(row[2]), float(row[3])
        except ValueError:
            problems.append(f"{path}: wanted numbers of frames in line {number}, found {examples(row[2:])}")
            continue
        lacking = [cell for cell in row[:2] if cell.strip() not in cameras]
        if lacking:
            problems.append(f"{path}: wanted cameras of the set in line {number}, found {examples(lacking)}")
        elif not least <= most:
            problems.append(f"{path}: wanted least and most in line {number}, found {row[2]} and {row[3]}")
        else:
            found.append((cameras[row[0].strip()], cameras[row[1].strip()], least, most))
    refuse_if_any(problems)
    return found
