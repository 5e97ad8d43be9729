"""What is said at a step, and what is refused before it runs."""

import inspect
import re

import numpy as np
import pytest

import postproc
from postproc import csls, distances, rerank
from postproc.base.settings import settings_of
from postproc.base.vocabulary import VOCABULARY
from postproc.testing import small
from postproc.testing.subject import Subject

DATA = small()
Q, G = DATA["query"], DATA["gallery"]


def test_settings_by_place_are_refused():
    cases = [
        (rerank, (Q, G, 50, 15, 0.5), "query_cam: wanted an array (camera, -1 unknown), got 50; "
         "settings are named: rerank(…, k1=50, k2=15, lambda_value=0.5)"),
        (rerank, (Q, G, None, None, np.int64(7)), "query_track: wanted an array (tracklet, -1 none), got "),
        (csls, (Q, G, 7), "neighbours: wanted an array (the nearest of every image, found already), got 7; "
             "settings are named: csls(…, k=7)"),
        (distances, (Q, G, "euclidean"), "distances: wanted query, gallery by place, got 3 values; settings are "
         "named: distances(…, metric='euclidean')"),
    ]  # fmt: skip
    for step, given, message in cases:
        with pytest.raises(TypeError, match=f"^{re.escape(message)}"):
            step(*given)


def test_no_step_takes_a_setting_by_place():
    for step in postproc.STEPS:
        of = Subject(step, DATA, {}, {}, any_width=False)
        data = [DATA[name] for name in of.inputs]
        for at, name in enumerate(of.inputs):
            with pytest.raises(
                TypeError, match=re.escape(f"{name}: wanted an array ({VOCABULARY[name].meaning})")
            ):
                step(*data[:at], 3, *data[at + 1 :])
        with pytest.raises(TypeError, match="by place, got") as refusal:
            step(*data, *[None] * ("neighbours" in inspect.signature(step).parameters), 0.5)
        first = next(iter(settings_of(step)), None)
        assert first is None or f"{first}=0.5" in str(refusal.value)
