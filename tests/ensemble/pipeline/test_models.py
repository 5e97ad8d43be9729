"""A model is there as often as it is needed, and not longer."""

import numpy as np
import pandas as pd
import pytest

from ensemble.base.features import FeatureSet
from ensemble.pipeline.devices import CPU
from ensemble.pipeline.models import Models
from ensemble.pipeline.recipe import Use
from ensemble.pipeline.tree import Node


def features(model):
    sides = {"query": 2, "gallery": 3}
    tables = {
        f"{side}_table": pd.DataFrame({"name": [f"{side}{i}" for i in range(n)]}) for side, n in sides.items()
    }
    return FeatureSet(model, *(np.ones((n, 4), np.float32) for n in sides.values()), **tables)


def test_a_model_goes_after_its_last_time():
    leaves = [Node(name, name) for name in ("a", "a", "b")]
    root = Node("", use=Use("concat", {}, ""), inputs=tuple(leaves))
    models = Models({name: features(name) for name in "ab"}, root, CPU)
    first, second = models.take("a"), models.take("a")
    assert list(first.arrays) == ["query", "gallery"]
    assert first.arrays["query"] is second.arrays["query"]  # brought there once
    first.arrays.clear()
    assert list(second.arrays) == ["query", "gallery"]  # what one branch does is nothing to the other
    with pytest.raises(KeyError):
        models.take("a")
    assert models.take("b").read.model == "b"
