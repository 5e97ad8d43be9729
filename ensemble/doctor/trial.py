"""Does it compute: a tiny re-ranking against its definition, a tiny run from files to a submission."""

import contextlib
import io as text
import tempfile
import time
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

import postproc
from ensemble import io, submissions
from ensemble.base.features import FeatureSet
from ensemble.doctor.finding import Finding
from ensemble.pipeline import plan, recipe, results
from ensemble.pipeline.run import Run
from postproc.kernels import reference

NEAR = 1e-4  # of distances from 0 to 1
SETTINGS: dict[str, Any] = {"k1": 8, "k2": 3, "lambda_value": 0.3}
PEOPLE, IMAGES, WIDTH = 12, 5, 16  # of the run: its identities are far apart, so that every score is 1


def found() -> Iterator[Finding]:
    """Every trial, with the seconds that it took; what goes wrong is told, not raised."""
    yield _tried("re-ranking", _reranked)
    if _has_cuda():
        yield _tried("re-ranking on cuda", _reranked_on_cuda)
    yield _tried("a run", _ran)


def _tried(name: str, trial: Callable[[], str]) -> Finding:
    started = time.perf_counter()
    try:
        said = trial()
    except Exception as error:  # whatever it is, somebody wants to know it
        why = f"{type(error).__name__}: {error}"
        return Finding(
            name, why, None, "wrong", "it works elsewhere: something above, or an installation, is broken"
        )
    seconds = time.perf_counter() - started
    return Finding(name, f"{said}, in {seconds:.1f} s", round(seconds, 3))


def _features() -> tuple[np.ndarray, np.ndarray]:
    images = np.random.default_rng(0).normal(size=(100, WIDTH)).astype(np.float32)
    return images[:20], images[20:]


def _reranked() -> str:
    query, gallery = _features()
    return _alike(postproc.rerank(query, gallery, **SETTINGS), _expected(query, gallery))


def _reranked_on_cuda() -> str:
    import torch

    query, gallery = _features()
    on_cuda: Any = [torch.as_tensor(side, device="cuda") for side in (query, gallery)]
    found: Any = postproc.rerank(*on_cuda, **SETTINGS)
    return _alike(found.cpu().numpy(), _expected(query, gallery))


def _expected(query: np.ndarray, gallery: np.ndarray) -> np.ndarray:
    found: np.ndarray = reference.reciprocal.rerank(query, gallery, **SETTINGS)
    return found


def _alike(found: np.ndarray, expected: np.ndarray) -> str:
    far = float(np.abs(found - expected).max())
    if not far <= NEAR:
        raise ValueError(f"distances differ from their definition by {far:.2g}, wanted {NEAR:g} or less")
    return f"as defined, to {far:.0e}"


def _has_cuda() -> bool:
    if find_spec("torch") is None:
        return False
    import torch

    return bool(torch.cuda.is_available())


def _ran() -> str:
    with tempfile.TemporaryDirectory(prefix="reid-doctor-") as place:
        folder, out = Path(place, "features"), Path(place, "out")
        folder.mkdir()
        for number, model in enumerate(("a", "b")):
            io.write_npz(folder / f"{model}.npz", _model(model, number))
        checked = plan.check(recipe.load("default"), io.scan(folder))
        with contextlib.redirect_stdout(text.StringIO()):
            result = Run(checked, lambda line: None)()
            written = results.write(out, checked, result, threads=1)
        names = result.query_names, result.gallery_names
        wrong = submissions.faults(written[0], checked.recipe.submission, *names, top_k=checked.recipe.top_k)
    if wrong:
        raise ValueError("; ".join(wrong))
    scores = result.scores
    if scores is None or not scores.mAP > 0.999:
        raise ValueError(f"wanted mAP 1, since identities are far apart, found {scores and scores.mAP}")
    return f"two models, {PEOPLE} queries: mAP {scores.mAP:.4f}, {written[0].name} without fault"


def _model(name: str, seed: int) -> FeatureSet:
    """Identities far apart; of each a query, and images by another camera."""
    import pandas as pd

    random = np.random.default_rng(seed)
    centres = random.normal(size=(PEOPLE, WIDTH))
    sides: dict[str, Any] = {}
    for side, count, cam in (("query", 1, 1), ("gallery", IMAGES, 2)):
        pid = np.repeat(np.arange(PEOPLE), count)
        features = centres[pid] + 0.01 * random.normal(size=(len(pid), WIDTH))
        names = [f"{side}{row:03d}.jpg" for row in range(len(pid))]
        sides[side] = features.astype(np.float32)
        sides[f"{side}_table"] = pd.DataFrame({"name": names, "pid": pid, "cam": cam})
    return FeatureSet(name, **sides)
