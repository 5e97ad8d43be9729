"""VisDA-2020 person re-identification: ``result.txt`` inside a flat ``result.zip``.

One line a query, in the order of the query index file; on it the places of the nearest gallery images in the
gallery index file, from 0, filled up with zeros to 4 digits (5 for more than 10000 images), best first, single
spaces, LF. Source: the challenge's instructions and its sample submissions.
"""

import io
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path

from ensemble.base.errors import examples
from ensemble.io import beside
from ensemble.submissions import numbers
from ensemble.submissions.format import Format, Head
from ensemble.submissions.numbers import Numbering, Rule, Text
from ensemble.submissions.ranklist import RankList, from_lines
from postproc.base.checks import whole

FILE, INNER = "result.zip", "result.txt"
TOP_K = 100
LARGEST = 2**30  # bytes of text; a thousand times what a submission takes
PADDING = Rule("numbers filled up with zeros", "write {example}")


def write(path: Path, ranking: RankList, *, top_k: int | None = TOP_K) -> None:
    """Write the ``top_k`` best of every query into a zip file; the same bytes for the same lists."""
    best = ranking.first(top_k)
    digits = digits_of(len(best.gallery_names))
    lines = [" ".join([f"{row:0{digits}d}" for row in rows.tolist()]) + "\n" for rows in best.lines()]
    entry = zipfile.ZipInfo(INNER, date_time=(1980, 1, 1, 0, 0, 0))
    entry.external_attr, entry.create_system = 0o644 << 16, 3
    with beside(path, "wb") as stream, zipfile.ZipFile(stream, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr(entry, "".join(lines))


def parse(path: Path, similarity: bool = False) -> tuple[RankList, list[str]]:
    """The numbers of every line, whatever file of the archive they are in, and what is no number."""
    file, problems = _open(path)
    lines, wrong = numbers.integers(str(path), file) if file else ([], [])
    return from_lines(lines, by="place"), ([] if file else problems) + wrong


def faults(
    path: Path, query_names: Sequence[str], gallery_names: Sequence[str], *, top_k: int | None = TOP_K
) -> list[str]:
    """Everything that is wrong with the archive and the lines in it, one line for each kind."""
    top_k = TOP_K if top_k is None else top_k
    whole("top_k", top_k, 1)
    file, problems = _open(path)
    if file is None:
        return problems
    digits = digits_of(len(gallery_names))
    known = [f"{place:0{digits}d}" for place in range(len(gallery_names))]
    wanted = Rule(f"numbers of {digits} digits", f"write {known[min(12, len(known) - 1)]}: fill up with zeros")
    numbering = Numbering(
        known,
        digits,
        wanted,
        example="the image's place in the gallery's index file, from 0",
        unknown="the image's place in the gallery's index file, from 0",
    )
    return problems + numbers.faults(path.name, file, len(query_names), numbering, top_k=top_k)


def doubts(path: Path, query_names: Sequence[str], gallery_names: Sequence[str]) -> list[str]:
    """What is probably a mistake: another file name, the text without its archive, numbers counted from 1."""
    problems = []
    if not _is_zip(path):
        problems.append(f"{path.name}: wanted {FILE} with {INNER} inside, found the text alone; pack it")
    elif path.name != FILE:
        problems.append(f"{path.name}: wanted the name {FILE}; rename the file")
    file, _ = _open(path)
    words = {word for line in (file.lines if file else []) for word in line.split()}
    used = {int(word) for word in words if numbers.DIGITS.fullmatch(word) and len(word) <= numbers.MOST_DIGITS}
    count = len(gallery_names)
    if count in used or (0 not in used and 1 in used and len(used) > 0.9 * count):
        found = str(count) if count in used else "nearly every number but 0"
        problems.append(
            f"{path.name}: wanted numbers from 0 to {count - 1}, found {found}; were they counted from 1?"
        )
    return problems


def digits_of(gallery: int) -> int:
    """How many digits an image of so large a gallery is written with."""
    return max(4, len(str(gallery - 1)))


def _is_zip(path: Path) -> bool:
    return numbers.read_bytes(path)[:2] == b"PK"


def _open(path: Path) -> tuple[Text | None, list[str]]:
    """The lines, None where there are none to read, and what is wrong with the archive."""
    content = numbers.read_bytes(path)
    if content[:2] != b"PK":
        return numbers.parse(content), []
    problems = []
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            entries = [entry for entry in archive.infolist() if not entry.is_dir()]
            found = [entry.filename for entry in entries]
            texts = [
                entry for entry in entries if entry.filename.endswith(".txt") and "__MACOSX" not in entry.filename
            ]
            if found != [INNER] or len(archive.infolist()) > 1:
                what = examples([entry.filename for entry in archive.infolist()]) or "nothing"
                problems.append(f"{path.name}: wanted {INNER} alone, in no folder, found {what}; pack it again")
            chosen = [entry for entry in texts if entry.filename == INNER] or texts
            if len(chosen) != 1:
                return None, problems or [f"{path.name}: wanted one {INNER}, found {len(chosen)}; pack it again"]
            if chosen[0].file_size > LARGEST:
                found_size = f"{chosen[0].file_size} bytes"
                return None, [
                    *problems,
                    f"{path.name}: wanted a submission, found {found_size} in it; write it again",
                ]
            with archive.open(chosen[0]) as stream:
                text = stream.read(LARGEST + 1)
    except (
        OSError,
        EOFError,
        ValueError,
        RuntimeError,
        NotImplementedError,
        zlib.error,
        zipfile.BadZipFile,
    ) as error:
        return None, [*problems, f"{path.name}: wanted a zip file, found a damaged one ({error}); write it again"]
    return numbers.parse(text), problems


def recognises(head: Head) -> bool:
    """An archive, or lines of numbers that are filled up with zeros or called like the file in the archive."""
    if head.is_archive:
        return head.suffix != ".npz"
    name = head.path.name.lower()
    padded = {len(word) for word in head.words} in ({4}, {5}) and any(word[0] == "0" for word in head.words)
    called = name.startswith("result") or (len(head.words) > 1 and padded and not name.startswith("track2"))
    return head.is_numbers and called


FORMAT = Format(
    "visda", FILE, parse, write, TOP_K, suffixes=(".zip",), recognises=recognises, faults=faults, doubts=doubts
)
