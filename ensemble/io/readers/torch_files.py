"""Files of ``torch.save``, read without torch: a pickle for the structure, raw storages for the numbers.

Two layouts. Since torch 1.6 a zip archive: ``NAME/data.pkl``, one member ``NAME/data/KEY`` a storage,
``NAME/byteorder``. Before, one stream (:mod:`ensemble.io.torch_stream`).
"""

import io
import zipfile
from pathlib import Path

from ensemble.io.allowed import Refused, Storage
from ensemble.io.readers.pickles import BEGINNING, words
from ensemble.io.readers.reader import HEAD, Reader, mapped
from ensemble.io.torch_stream import load_stream, storage_id
from ensemble.io.unpickle import unpickle

SUFFIXES = (".pt", ".pth", ".pkl", ".pickle")
LEGACY_MAGIC = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."  # the pickle of torch's magic number


def data_member(archive: zipfile.ZipFile) -> str | None:
    """The name of the pickle inside a torch archive; ``None`` when it is another kind of archive."""
    found = [name for name in archive.namelist() if name.count("/") == 1 and name.endswith("/data.pkl")]
    return found[0] if found else None


def load_zip(path: Path) -> object:
    """What ``torch.save`` wrote into an archive, tensors as NumPy arrays (bfloat16 as float32)."""
    with zipfile.ZipFile(path) as archive:
        member = data_member(archive)
        if member is None:
            raise ValueError("an archive without data.pkl")
        folder = member.removesuffix("data.pkl")
        left = path.stat().st_size  # members may overlap, but not more than the file holds is handed out

        def read(name: str) -> bytes:
            nonlocal left
            info = archive.getinfo(folder + name)
            left -= info.file_size
            if info.compress_type != zipfile.ZIP_STORED or left < 0:
                raise Refused("an archive that unpacks to more than it holds")
            return archive.read(info)

        order = ">" if f"{folder}byteorder" in archive.namelist() and read("byteorder") == b"big" else "<"
        storages: dict[str, Storage] = {}

        def persistent(pid: object) -> Storage:
            kind, key, length = storage_id(pid)
            if key not in storages:
                raw = read(f"data/{key}")
                if len(raw) != length * kind.itemsize:
                    raise Refused(f"a torch storage of {length} values in {len(raw)} bytes")
                storages[key] = Storage(kind.values(raw, order))
            return storages[key]

        pickled = read("data.pkl")
        return unpickle(io.BytesIO(pickled), len(pickled), persistent)


def _is_archive(path: Path, head: bytes) -> bool:
    if not head.startswith(b"PK\x03\x04"):
        return False
    with zipfile.ZipFile(path) as archive:
        return data_member(archive) is not None


def _words_zip(path: Path) -> list[str]:
    with zipfile.ZipFile(path) as archive, archive.open(data_member(archive) or "data.pkl") as file:
        return words(file.read(BEGINNING))


def _words_legacy(path: Path) -> list[str]:
    with path.open("rb") as file:
        return words(file.read(BEGINNING))


TORCH_ZIP = Reader(
    "torch archive",
    lambda path, wanted: load_zip(path),
    SUFFIXES,
    recognises=_is_archive,
    words=_words_zip,
    raw=True,
    copies=0,
)
TORCH_LEGACY = Reader(
    "torch stream",
    lambda path, wanted: mapped(path, load_stream),
    SUFFIXES,
    recognises=lambda path, head: head.startswith(LEGACY_MAGIC[:HEAD]),
    words=_words_legacy,
    raw=True,
)
