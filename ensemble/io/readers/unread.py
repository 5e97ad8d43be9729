"""Files that are no features, or none that are read: what they are, and what to do with them."""

from pathlib import Path

from ensemble.base.errors import printable
from ensemble.base.features import SIDES

KNOWN = "features in a format that is read (see docs/files.md)"
_SIGNS = (
    (b"version https://", "a pointer of git lfs in the place of the file; fetch it: git lfs pull"),
    (b"<!DOCTYPE", "a web page; download the file again"),
    (b"<html", "a web page; download the file again"),
    (b"PK\x03\x04", "an archive of something else; unpack it"),
    (b"7z\xbc\xaf", "an archive; unpack it"),
    (b"Rar!", "an archive; unpack it"),
    (b"\x1f\x8b", "a compressed file; unpack it: gunzip"),
    (b"FEA1", "Feather of version 1; write it again with pyarrow or pandas, which write version 2"),
    (b"IxF", "a FAISS index; write its vectors: numpy.save(…, index.reconstruct_n(0, index.ntotal))"),
    (b"\x89PNG", "a picture; python -m extractors makes features of pictures"),
    (b"\xff\xd8\xff", "a picture; python -m extractors makes features of pictures"),
    (b"%PDF", "a PDF file; give the features"),
    (b"CDF\x01", "netCDF; write its arrays with numpy.savez"),
)
_FOREIGN = tuple(sign for sign, _ in _SIGNS if sign[:2] not in (b"PK", b"\x1f\x8b"))
_RAW = (
    "numbers without their shape; write them with it: numpy.save('{stem}.npy', numpy.memmap('{name}', "
    "numpy.float32, 'r').reshape(-1, WIDTH))"
)
_OTHERS = {
    **dict.fromkeys((".dat", ".bin", ".raw", ".memmap", ".mmap", ".f32", ".fvecs"), _RAW),
    **dict.fromkeys((".xlsx", ".xls", ".ods"), "a spreadsheet; save it as CSV, {stem}.csv"),
    **dict.fromkeys((".faiss", ".index", ".ann"), _SIGNS[8][1]),
    **dict.fromkeys((".rds", ".rdata", ".rda"), "R's own format; write it with arrow::write_parquet"),
    **dict.fromkeys((".tfrecord", ".tfrecords", ".lmdb", ".mdb", ".npk", ".msgpack", ".db", ".sqlite"),
                    "a format that is not read; write {stem}.npz with numpy.savez, keys features and names"),
}  # fmt: skip


def is_foreign(head: bytes) -> bool:
    """Whether a file is none of a format whose files have no mark of their own, whatever its name says."""
    return head.startswith(_FOREIGN)


def what(path: Path, head: bytes) -> str:
    """What a file is that nobody reads, by its first bytes, else by its name."""
    found = next((text for sign, text in _SIGNS if head.startswith(sign)), None)
    if found is None and path.suffix.lower() in _OTHERS:
        found = reason(path)
    return found or f"another, which begins with {head[:8]!r}; write numpy.savez with keys features and names"


def reason(path: Path) -> str:
    """Why a file is no part of a model."""
    said = _OTHERS.get(path.suffix.lower(), "not a feature file")
    if path.suffix.lower() == ".txt" and path.stem.startswith(tuple(f"{side}_" for side in SIDES)):
        said = "a list of names without its features, {stem}.npy; features in text are read as {stem}.csv"
    return said.format(stem=printable(path.stem), name=printable(path.name))


_INSTEAD = (
    ("pandas.", "it holds a pandas table: write it with to_parquet, to_feather or to_csv"),
    ("torch.nn", "it holds a model: write its features, as x.cpu().numpy()"),
    ("joblib.numpy_pickle.", "an old joblib wrote it: load it there and numpy.savez its arrays"),
    ("scipy.sparse", "it holds a sparse matrix: write x.toarray()"),
    ("faiss.", "it holds an index: write index.reconstruct_n(0, index.ntotal)"),
    ("jax", "it holds arrays of JAX: write numpy.asarray(x)"),
    ("tensorflow", "it holds tensors of TensorFlow: write x.numpy()"),
)


def instead_of(refused: str) -> str:
    """What to write in the place of what a pickle asked for."""
    return next((text for start, text in _INSTEAD if refused.startswith(start)), "write it again with arrays only")
