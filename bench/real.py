"""Real person features through the command line, with and without re-ranking.

    python bench/real.py DIR

DIR holds ``viper_feats.npz`` and ``cuhk01_feats.npz``: features of five CNNs, ``id`` and ``cam``. Every model is
written as a folder of its own, and all five as one; ``ensemble.evaluate`` scores the recipes ``baseline`` and
``kreciprocal`` there. VIPeR: camera against camera, one positive a query. CUHK01: the first published test split,
camera 1 against camera 2, two positives a query, too few for k1 = 20.
"""

import contextlib
import io
import json
import sys
import tempfile
from pathlib import Path

import numpy as np

if __package__ in (None, ""):
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from ensemble import evaluate

MODELS = ("osnet_x0_25", "omz0288", "omz0287", "omz0286", "omz0277")
RECIPES = {
    "cosine": ["--recipe", "baseline"],
    "re-ranked 20/6/0.3": ["--recipe", "kreciprocal"],
    "re-ranked 4/2/0.3": ["--recipe", "kreciprocal", "--set", "rerank.k1=4", "--set", "rerank.k2=2"],
}


def main(folder: Path) -> None:
    viper, cuhk = np.load(folder / "viper_feats.npz"), np.load(folder / "cuhk01_feats.npz")
    test = cuhk["CUHK01M1_test_index"][0]  # 0-based
    sets = {"VIPeR": (viper, np.arange(len(viper["id"]))), "CUHK01, split 1": (cuhk, test)}
    for name, (data, rows) in sets.items():
        cams = sorted(set(data["cam"][rows].tolist()))
        query, gallery = rows[data["cam"][rows] == cams[0]], rows[data["cam"][rows] == cams[1]]
        print(f"\n{name}: {len(query)} queries x {len(gallery)} images, rank-1 / mAP in per cent")
        print(f"{'':<14}" + "".join(f"{recipe:>22}" for recipe in RECIPES))
        for models in [*((model,) for model in MODELS), MODELS]:
            with tempfile.TemporaryDirectory() as place:
                for model in models:
                    write(Path(place) / f"{model}.npz", data, model, query, gallery)
                cells = [score(place, options) for options in RECIPES.values()]
            print(
                f"{models[0] if len(models) == 1 else 'all five':<14}" + "".join(f"{cell:>22}" for cell in cells)
            )


def write(path: Path, data: np.lib.npyio.NpzFile, model: str, query: np.ndarray, gallery: np.ndarray) -> None:
    content = {}
    for side, rows in (("query", query), ("gallery", gallery)):
        content |= {side: data[model][rows], f"{side}_pid": data["id"][rows], f"{side}_cam": data["cam"][rows]}
    np.savez(path, **content)


def score(folder: str, options: list[str]) -> str:
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(io.StringIO()):
        evaluate.main(["--features", folder, "--json", *options])
    found = json.loads(printed.getvalue())
    return f"{100 * found['rank1']:.2f} / {100 * found['mAP']:.2f}"


if __name__ == "__main__":
    main(Path(sys.argv[1]))
