"""Pickles, arrays and tables compressed as a whole, as ``.pkl.gz`` and ``joblib.dump(…, compress=3)`` are."""

import bz2
import io
import lzma
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from ensemble.base.broken import BROKEN
from ensemble.io import bounds
from ensemble.io.readers import csv_files
from ensemble.io.readers.arrow_files import needs_pyarrow
from ensemble.io.readers.numpy_files import MAGIC, load_array
from ensemble.io.readers.pickles import BEGINNING, words
from ensemble.io.readers.reader import HEAD, Reader, Unknown, Wanted
from ensemble.io.readers.torch_files import LEGACY_MAGIC
from ensemble.io.torch_stream import load_stream, storage_in
from ensemble.io.unpickle import unpickle

SUFFIXES = (".gz", ".bz2", ".xz", ".lzma", ".z", ".lz4", ".zst")
INNER = (".pkl", ".pickle", ".joblib", ".npy", ".pt", ".pth")
TEXTS = (".txt", ".json", ".jsonl", ".trec")
PART = 1 << 20  # bytes unpacked at a time
MEMORY = 256 << 20  # that LZMA may ask for
_SIGNS: tuple[tuple[bytes, str], ...] = (
    (b"\x1f\x8b", "gzip"), (b"BZh", "bz2"), (b"\xfd7zXZ\x00", "lzma"), (b"]\x00\x00", "lzma"),
    (b"\x04\x22\x4d\x18", "lz4"), (b"\x28\xb5\x2f\xfd", "zstd"),
    (b"x\x01", "zlib"), (b"x\x5e", "zlib"), (b"x\x9c", "zlib"), (b"x\xda", "zlib"),
)  # fmt: skip


def _kind(head: bytes) -> str | None:
    return next((kind for sign, kind in _SIGNS if head.startswith(sign)), None)


def _parts(path: Path) -> Iterator[bytes]:
    """What is inside, a little at a time, so that it can be counted."""
    with path.open("rb") as file:
        kind = _kind(file.read(HEAD))
    if kind in ("lz4", "zstd"):
        pyarrow = needs_pyarrow(path)
        with pyarrow.OSFile(str(path)) as raw, pyarrow.CompressedInputStream(raw, kind) as stream:
            while part := stream.read(PART):
                yield part
        return
    machines: dict[str | None, Callable[[], Any]] = {
        "gzip": lambda: zlib.decompressobj(31),
        "zlib": zlib.decompressobj,
        "bz2": bz2.BZ2Decompressor,
        "lzma": lambda: lzma.LZMADecompressor(memlimit=MEMORY),
    }
    try:
        yield from _inflated(path, machines[kind])
    except lzma.LZMAError as error:
        raise ValueError(str(error)) from None


def _inflated(path: Path, make: Callable[[], Any]) -> Iterator[bytes]:
    """Streams one behind the other, as gzip and bz2 may have them."""
    machine, rest = make(), b""
    with path.open("rb") as file:
        while True:
            if machine.eof:
                rest = machine.unused_data or file.read(PART)
                if not rest.strip(b"\x00"):
                    return
                machine = make()
            elif not rest and not (rest := file.read(PART)):
                raise EOFError("compressed data that ends early")
            part = machine.decompress(rest, PART)
            rest = getattr(machine, "unconsumed_tail", b"")
            if part:
                yield part
            while not machine.eof and not rest and not getattr(machine, "needs_input", True):
                more = machine.decompress(b"", PART)
                if more:
                    yield more


def _load(path: Path, wanted: Wanted) -> Any:
    budget = bounds.Budget(path.stat().st_size)
    content = io.BytesIO()
    for part in _parts(path):
        budget.spend(len(part), "compressed data")
        content.write(part)
    size = content.tell()
    content.seek(0)
    head = content.read(HEAD)
    content.seek(0)
    if head.startswith(MAGIC):
        return load_array(content, size)
    if head.startswith(LEGACY_MAGIC[:HEAD]):
        return load_stream(content, size)
    if Path(path.stem).suffix.lower() in (".csv", ".tsv"):
        return csv_files.parse(path, content.getvalue())
    if Path(path.stem).suffix.lower() in TEXTS:
        raise Unknown("compressed text; unpack it")
    if head.startswith((b"PK\x03\x04", b"\x89HDF", b"PAR1", b"MATLAB")) or _kind(head):
        raise Unknown("a compressed file of a format that is compressed itself or looked up in; unpack it")
    return unpickle(content, size, storage=storage_in)


def _words(path: Path) -> list[str]:
    beginning = b""
    try:
        for part in _parts(path):
            beginning += part
            if len(beginning) >= BEGINNING:
                break
    except BROKEN:
        return []
    if Path(path.stem).suffix.lower() in (".csv", ".tsv"):
        return (
            beginning.split(b"\n", 1)[0].decode("utf-8", "replace").replace(";", ",").replace("\t", ",").split(",")
        )
    return words(beginning[:BEGINNING])


def _is_compressed(path: Path, head: bytes) -> bool:
    return _kind(head) is not None


COMPRESSED = Reader(
    "compressed pickle or array",
    _load,
    tuple(f"{inner}{outer}" for inner in INNER for outer in SUFFIXES),
    recognises=_is_compressed,
    words=_words,
)
COMPRESSED_SIDE = Reader(
    "compressed file of one side",
    _load,
    (*SUFFIXES, *(f"{inner}{outer}" for inner in (".csv", ".tsv") for outer in SUFFIXES)),
    recognises=_is_compressed,
    words=_words,
    holds="side",
)
