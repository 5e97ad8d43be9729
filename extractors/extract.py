"""Run one model over the images of all sides, piece by piece, and join the pieces."""

import hashlib
import json
import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np

from ensemble.base.errors import InputError, examples, refuse_if_any
from ensemble.base.features import SIDES
from ensemble.io import beside
from extractors import shards, tracklets
from extractors.calling import OfClips, frames_of
from extractors.codes import Codes
from extractors.decode import Reading
from extractors.loader import Job, Loader
from extractors.model import Model
from extractors.views import Views, features

PIECE = 1024  # rows, about: a multiple of the batch
MOST_TOLD = 100  # broken images on a terminal
SUFFIXES = (".npz", ".pkl", ".pickle", ".npy", ".mat", ".pt", ".pth", ".safetensors")
PACKAGES = ("numpy", "pillow", "onnxruntime", "torch", "timm", "open_clip_torch", "scikit-image", "reid-ensemble")


@dataclass(frozen=True)
class Rows:
    """The rows of one side: names and files, and weights of parts (n, p) where there are any.

    An image has one file, or a second one with the detector's crop. A tracklet has its frames, and ``clips`` with
    the places among them.
    """

    names: list[str]
    jobs: list[Job]
    part_weights: np.ndarray | None = None
    clips: list[list[list[int]]] | None = None


@dataclass(frozen=True)
class How:
    """Everything that decides what the features are, beside the model and the images.

    batch: images at once; the same images in other batches may differ in the last bit.
    mean, std: instead of the model's.
    """

    reading: Reading
    views: Views = field(default_factory=Views)
    batch: int = 32
    mean: tuple[float, float, float] | None = None
    std: tuple[float, float, float] | None = None
    format: str = "npz"
    clips: tracklets.Clips | None = None
    model: dict[str, Any] = field(default_factory=dict)  # how the model was loaded: its options, its precision
    codes: Codes | None = None  # bits in the place of features


@dataclass(frozen=True)
class Done:
    """What came of it: files written, images left out by side, images, values, seconds, and whether it was new."""

    files: tuple[Path, ...]
    broken: dict[str, dict[str, str]]  # side -> name -> "PATH: reason"
    images: int
    width: int
    seconds: float
    new: bool
    empty: tuple[str, ...] = ()  # images whose features are zeros


def extract(
    model: Model, rows: dict[str, Rows], how: How, out: Path, loader: Loader, *, skip_broken: bool = False
) -> Done:
    """Write ``OUT/MODEL.npz`` (or a pair of pickles), ``OUT/side/HEAD_MODEL`` for every head, and ``MODEL.json``.

    What an earlier run finished is left alone, what it began is gone on with: both give the bytes of one run that
    was never disturbed.

    Raises: InputError with every broken image, unless they are skipped; for features that are not finite; for a
            file in the way that this command did not write.
    """
    key = _key(model, how)
    images = {side: _digest(list(_facts(of, 0, len(of.jobs)))) for side, of in rows.items()}
    record = out / f"{model.name}.json"
    earlier = _finished(record, key, images)
    if earlier is not None:
        _refuse_broken(out, earlier.broken, skip_broken)
        return earlier
    old = _refuse_foreign(out, model.name)
    began = time.monotonic()
    work = out / shards.WORK / f"{model.name}-{key[:16]}"
    spent = _spent(work)
    pieces, broken, empty, heads = _pieces(model, rows, how, work, loader, skip_broken, began, spent)
    kept = {side: [name for name in of.names if name not in broken.get(side, {})] for side, of in rows.items()}
    lacking = [side for side, names in kept.items() if not names]
    if lacking:
        raise InputError([f"{side}: wanted images, found only broken ones; see --skip-broken" for side in lacking])
    files, width = _join(model.name, how, out, pieces, kept, heads)
    seconds = round(time.monotonic() - began + spent, 3)
    content = {
        "model": model.name,
        "weights_sha256": model.digest,
        "key": key,
        "options": _told(how, model),
        "images": {side: len(names) for side, names in kept.items()},
        "images_sha256": images,
        "values": width,
        "left_out": broken,
        "zeros": empty,
        "files": [str(path.relative_to(out)) for path in files],
        "versions": dict(_versions()),
        "seconds": seconds,
    }
    with beside(record) as file:
        json.dump(content, file, indent=2, ensure_ascii=False)
        file.write("\n")
    for path in old - set(files):  # of other options
        path.unlink(missing_ok=True)
    shards.remove(work)
    return Done(files, broken, sum(map(len, kept.values())), width, seconds, True, tuple(empty))


def _pieces(
    model: Model,
    rows: dict[str, Rows],
    how: How,
    work: Path,
    loader: Loader,
    skip_broken: bool,
    began: float,
    spent: float,
) -> tuple[dict[str, list[Path]], dict[str, dict[str, str]], list[str], list[str]]:
    """Make every piece that is not there: paths by side, broken images by side, images of zeros, heads."""
    from tqdm import tqdm

    size = max(PIECE // how.batch, 1) * how.batch if how.clips is None else PIECE // 8
    paths: dict[str, list[Path]] = {side: [] for side in rows}
    broken: dict[str, dict[str, str]] = {}
    empty: list[str] = []
    heads: dict[str, None] = {}
    total = sum(len(of.names) for of in rows.values())
    with tqdm(total=total, desc=model.name, unit=" images", disable=None, leave=False) as bar:
        for side, of in rows.items():
            for start in range(0, len(of.names), size):
                stop = min(start + size, len(of.names))
                path = work / f"{side}-{start:09d}.npz"
                digest = _digest(list(_facts(of, start, stop)))
                piece = shards.load(path, digest)
                if piece is None:
                    stopped = bool(broken) and not skip_broken  # nothing can come of it: look for more of them
                    piece = _piece(model, of, (start, stop), how, loader, bar, stopped, skip_broken)
                    if not stopped and (not len(piece.bad) or skip_broken):
                        shards.save(path, digest, piece)
                        _write_spent(work, spent + time.monotonic() - began)
                else:
                    bar.update(stop - start)
                paths[side].append(path)
                names = of.names[start:stop]
                if len(piece.bad):
                    found = {names[row]: why for row, why in zip(piece.bad, piece.broken, strict=True)}
                    broken.setdefault(side, {}).update(found)
                if "" in piece.arrays and how.codes is None:
                    zero = piece.kept[~piece.arrays[""].any(axis=1)]
                    empty += [f"{side} {names[row]}" for row in zero]
                heads.update(dict.fromkeys(name for name in piece.arrays if name))
    _refuse_broken(work.parents[1], broken, skip_broken)
    return paths, broken, empty, list(heads)


def _piece(
    model: Model,
    of: Rows,
    span: tuple[int, int],
    how: How,
    loader: Loader,
    bar: Any,
    stopped: bool,
    skip_broken: bool,
) -> shards.Piece:
    """Read and run the rows of one piece, batch by batch; broken rows leave their batch smaller."""
    start, stop = span
    kept: list[int] = []
    bad: list[int] = []
    reasons: list[str] = []
    found: list[dict[str, np.ndarray]] = []
    batch: list[np.ndarray] = []
    for row, decoded in enumerate(loader.rows(of.jobs[start:stop], how.reading)):
        if isinstance(decoded, str):
            bad.append(row)
            reasons.append(decoded)
        else:
            batch.append(decoded)
            kept.append(row)
        if (row + 1) % how.batch == 0 or row + 1 == stop - start:
            run = batch and not stopped and (skip_broken or not bad)
            if run:
                found.append(_run(model, batch, of, [start + place for place in kept[-len(batch) :]], how))
            batch = []
            bar.update(row % how.batch + 1)
    keys = list(found[0]) if found else []
    arrays = {key: np.concatenate([one[key] for one in found]) for key in keys}
    return shards.Piece(np.array(kept, np.int64), arrays, reasons, np.array(bad, np.int64))


def _run(model: Model, batch: list[np.ndarray], of: Rows, rows: list[int], how: How) -> dict[str, np.ndarray]:
    """Features of some rows, as wide as the model makes them, checked."""
    settings: dict[str, Any] = {"mean": how.mean, "std": how.std}
    if of.clips is None:
        weights = None if of.part_weights is None else of.part_weights[rows]
        found = features(model, np.stack(batch), how.views, **settings, part_weights=weights)
    else:
        each = [
            _tracklet(model, frames, of.clips[row], how, settings) for frames, row in zip(batch, rows, strict=True)
        ]
        found = {key: np.stack([one[key] for one in each]) for key in each[0]}
    for head, values in found.items():
        what = head or "features"
        if values.shape[:1] != (len(rows),) or values.ndim != 2:
            raise InputError([f"{model.name}: wanted {what} ({len(rows)}, values), found {values.shape}"])
        finite = np.isfinite(values).all(axis=1)
        if not finite.all():
            which = [of.names[row] for row, good in zip(rows, finite, strict=True) if not good]
            raise InputError(
                [
                    f"{model.name}: wanted finite {what}, found NaN or infinity for {examples(which)}; "
                    "use --precision float32, or look at the model"
                ]
            )
    if how.codes is not None and "" in found:
        found[""] = how.codes.bits(found[""])
    return found


def _tracklet(
    model: Model, frames: np.ndarray, clips: list[list[int]], how: How, settings: dict[str, Any]
) -> dict[str, np.ndarray]:
    """Features of one tracklet: its frames in batches, joined clip by clip; heads as the mean of the frames."""
    if frames_of(model) is not None:
        return _whole_clips(model, frames, clips, how, settings)
    unit = how.views.l2 == "end"
    views = replace(how.views, l2="none") if unit else how.views
    parts = [
        features(model, frames[start : start + how.batch, None], views, **settings)
        for start in range(0, len(frames), how.batch)
    ]
    joined = {key: np.concatenate([part[key] for part in parts]) for key in parts[0]}
    return {key: tracklets.join(rows, clips, unit and not key) for key, rows in joined.items()}


def _whole_clips(
    model: Model, frames: np.ndarray, clips: list[list[int]], how: How, settings: dict[str, Any]
) -> dict[str, np.ndarray]:
    """Features of one tracklet by a model that takes clips: of every clip, and then their mean."""
    unit = how.views.l2 == "end"
    views = replace(how.views, l2="none") if unit else how.views
    length = len(clips[0])
    of_clips, at_once = OfClips(model, length), max(how.batch // length, 1)
    parts = [
        features(of_clips, frames[np.ravel(clips[start : start + at_once])][:, None], views, **settings)
        for start in range(0, len(clips), at_once)
    ]
    joined = {key: np.concatenate([part[key] for part in parts]) for key in parts[0]}
    return {key: tracklets.mean(rows, unit and not key) for key, rows in joined.items()}


def _join(
    name: str, how: How, out: Path, pieces: dict[str, list[Path]], kept: dict[str, list[str]], heads: list[str]
) -> tuple[tuple[Path, ...], int]:
    width = shards.width(next(iter(pieces.values())), "")
    codes = how.codes.of(width) if how.codes else ()
    sides = {side: (pieces[side], kept[side]) for side in pieces}
    files: list[Path] = []
    for head in ["", *heads]:
        folder, called = (out, name) if not head else (out / "side", f"{head}_{name}")
        if how.format == "npz":
            shards.write_npz(folder / f"{called}.npz", head, sides, () if head else codes)
            files.append(folder / f"{called}.npz")
        else:
            pair = {side: folder / f"{side}_{called}.pkl" for side in sides}
            shards.write_pickles(pair, head, sides)
            files += pair.values()
    return tuple(files), width


def _key(model: Model, how: How) -> str:
    return _digest([model.digest, json.dumps(_told(how, model), sort_keys=True)])


def _told(how: How, model: Model) -> dict[str, Any]:
    told = asdict(how)
    told["mean"] = list(how.mean or model.mean)
    told["std"] = list(how.std or model.std)
    told["size"] = list(model.size)
    if how.codes is None:
        del told["codes"]
    plain: dict[str, Any] = json.loads(json.dumps(told))
    return plain


def _facts(of: Rows, start: int, stop: int) -> Iterator[str]:
    """What says that images are the same as before: their names and what is in their files."""
    for name, job in zip(of.names[start:stop], of.jobs[start:stop], strict=True):
        yield name
        for path in job:
            try:
                there = os.stat(path)
                yield _content(path, there.st_size, there.st_mtime_ns)
            except OSError:
                yield "-"
    if of.part_weights is not None:
        yield hashlib.sha256(of.part_weights[start:stop].tobytes()).hexdigest()


@cache
def _content(path: Path, size: int, date: int) -> str:
    """The digest of a file; one that is asked for again with its size and date is read once."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _digest(texts: Sequence[str]) -> str:
    return hashlib.sha256(json.dumps(texts).encode()).hexdigest()


def _finished(record: Path, key: str, images: dict[str, str]) -> Done | None:
    """What an earlier run wrote, if it is all there."""
    try:
        content = json.loads(record.read_text("utf-8"))
        files = tuple(record.parent / name for name in content["files"])
        if content["key"] != key or content["images_sha256"] != images or not all(map(Path.is_file, files)):
            return None
        images_left = sum(content["images"].values())
        left_out, empty = content["left_out"], tuple(content["zeros"])
        return Done(files, left_out, images_left, content["values"], content["seconds"], False, empty)
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _refuse_foreign(out: Path, name: str) -> set[Path]:
    """Features of that name that another program wrote are not replaced, nor joined by a second file.

    Returns the files of an earlier run of this one.
    """
    try:
        own = {out / file for file in json.loads((out / f"{name}.json").read_text("utf-8"))["files"]}
    except (OSError, ValueError, KeyError, TypeError):
        own = set()
    stems = (name, *(f"{side}_{name}" for side in SIDES))
    found = [path for stem in stems for suffix in SUFFIXES if (path := out / f"{stem}{suffix}").exists()]
    others = [path.name for path in found if path not in own]
    if others:
        raise InputError([f"{out}: wanted no other features called {name}, found {examples(others)}; add name=…"])
    return own


def _refuse_broken(out: Path, broken: dict[str, dict[str, str]], skip: bool) -> None:
    """One problem for every broken image, unless they are skipped; very many of them go to a file."""
    found = [] if skip else [why for of_side in broken.values() for why in of_side.values()]
    problems = [f"{why}; mend the file, or leave it out with --skip-broken" for why in found]
    if len(problems) > MOST_TOLD:
        path = out / "broken.txt"
        with beside(path) as file:
            file.writelines(f"{why}\n" for why in found)
        problems[MOST_TOLD:] = [
            f"{path}: wanted images that can be read, found {len(found)} others; they are here"
        ]
    refuse_if_any(problems)


def _spent(work: Path) -> float:
    """Seconds that earlier runs gave to the pieces that are there."""
    try:
        return float((work / "seconds").read_text("ascii"))
    except (OSError, ValueError):
        return 0.0


def _write_spent(work: Path, seconds: float) -> None:
    with beside(work / "seconds") as file:
        file.write(f"{seconds:.3f}\n")


def _versions() -> Iterator[tuple[str, str]]:
    for package in PACKAGES:
        try:
            yield package, version(package)
        except PackageNotFoundError:
            continue
