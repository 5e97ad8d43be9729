"""The function on docs/one-set.md, run as it stands there."""

import re
from pathlib import Path

import numpy as np
from numpy.testing import assert_array_equal

from postproc import rerank
from postproc.testing import world

PAGE = Path(__file__).parent.parent / "docs" / "one-set.md"


def from_page():
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), flags=re.DOTALL)
    (block,) = (block for block in blocks if "def pseudo_labels(" in block)
    names: dict = {}
    exec(compile(block, str(PAGE), "exec"), names)
    return names["pseudo_labels"]


def test_pseudo_labels_are_those_of_the_whole_matrix():
    from sklearn.cluster import DBSCAN

    images = world(ng=300, people=40)["gallery"]
    images /= np.linalg.norm(images, axis=1, keepdims=True)
    setting = {"k1": 10, "k2": 3}
    whole = rerank(images, count_self=True, normalize=False, lambda_value=0.0, **setting)
    for eps in (0.4, 0.6, 0.95):  # at the last, more than 64 are near
        wanted = DBSCAN(eps=eps, min_samples=4, metric="precomputed").fit_predict(whole)
        found = from_page()(images, eps=eps, **setting)
        assert_array_equal(found, wanted)
        assert len(np.unique(found)) > 1
