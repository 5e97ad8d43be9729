"""What the extractors add to the loop that anybody would write by hand, measured in pairs on CPU.

    python -m bench.extract MODEL.onnx [--images 512] [--pairs 5]

Bare: open with Pillow, resize, normalise, run in batches of 32, one process. Wrapper: ``extractors.extract``
with the same model, batch and views, reading in the same process, its pieces and files written as always. Each
pair runs both ways in turn; told is the median of the ratios, in seconds of the processor, which other programs
disturb less than the clock, and by the clock; and what reading in worker processes changes by the clock.
"""

import argparse
import tempfile
import time
from pathlib import Path
from statistics import median

import numpy as np

from extractors.decode import Reading
from extractors.extract import How, Rows, extract
from extractors.loader import loader
from extractors.models import load
from extractors.views import Views

BATCH = 32


def bare(model, files, flip: bool) -> np.ndarray:  # type: ignore[no-untyped-def]
    from PIL import Image

    mean, std = (np.array(values, np.float32)[:, None, None] for values in (model.mean, model.std))
    out = []
    for start in range(0, len(files), BATCH):
        batch = []
        for file in files[start : start + BATCH]:
            image = Image.open(file).convert("RGB").resize(model.size[::-1], Image.Resampling.BILINEAR)
            pixels = np.asarray(image).astype(np.float32).transpose(2, 0, 1) / np.float32(255)
            batch.append((pixels - mean) / std)
        x = np.stack(batch)
        feature = model(x)[""]
        if flip:
            feature = (feature + model(np.ascontiguousarray(x[..., ::-1]))[""]) / 2
        out.append(feature)
    return np.concatenate(out)


def wrapped(model, files, flip: bool, workers: int) -> tuple[np.ndarray, np.ndarray]:  # type: ignore[no-untyped-def]
    rows = {"gallery": Rows([file.name for file in files], [(file,) for file in files])}
    views = Views("mean") if flip else Views()
    with tempfile.TemporaryDirectory() as out, loader(workers) as pool:
        if workers:  # started before the clock: they outlive many models
            list(pool.rows([(file,) for file in files[: 32 * workers]], Reading(model.size)))
        began = now()
        extract(model, rows, How(Reading(model.size), views, BATCH), Path(out), pool)
        seconds = now() - began
        with np.load(Path(out) / f"{model.name}.npz") as file:
            return file["gallery"], seconds


def now() -> np.ndarray:
    """Seconds by the clock and of the processor."""
    return np.array([time.perf_counter(), time.process_time()])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("model")
    parser.add_argument("--images", type=int, default=512)
    parser.add_argument("--pairs", type=int, default=5)
    given = parser.parse_args()
    from ensemble.city.drawing import draw

    model = load(given.model, device="cpu")
    with tempfile.TemporaryDirectory() as folder:
        files = []
        for row in range(given.images):
            files.append(Path(folder) / f"{row:06d}.jpg")
            draw(0, row, row % 40, row % 12, 0.5, 44_000)[0].save(files[-1], quality=90)
        for flip in (False, True):
            bare(model, files[:64], flip)
            alone, with_wrapper, with_workers = [], [], []
            for _ in range(given.pairs):
                began = now()
                expected = bare(model, files, flip)
                alone.append(now() - began)
                found, seconds = wrapped(model, files, flip, 0)
                with_wrapper.append(seconds)
                with_workers.append(wrapped(model, files, flip, 2)[1])
                np.testing.assert_array_equal(found, expected)
            ratios = np.array(with_wrapper) / np.array(alone)
            faster = np.array(with_workers) / np.array(alone)
            clock, processor = (100 * (median(ratios[:, column]) - 1) for column in (0, 1))
            rate = given.images / median(seconds[0] for seconds in alone)
            name = f"{model.name}{' with flip' if flip else ''}"
            pairs = ", ".join(f"{ratio:.3f}" for ratio in ratios[:, 1])
            print(
                f"{name}: bare {rate:.0f} images/s; wrapper {processor:+.1f} % "
                f"of the processor (pairs {pairs}), {clock:+.1f} % by the clock; "
                f"with 2 workers {100 * (median(faster[:, 0]) - 1):+.1f} % by the clock"
            )


if __name__ == "__main__":
    main()
