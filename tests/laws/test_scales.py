"""Features of whatever scale give one ranking, where the formula has no scale of its own."""

import numpy as np
import pytest

from postproc import STEPS
from postproc.testing import small
from postproc.testing.subject import LABELS, Subject
from tests.laws.ours import BESIDE, VALUES

DATA = small()
SIDES = ("features", "query", "gallery", "train")
SCALES = [2.0**power for power in (-20, -13, 13, 20)]  # about 1e-6, 1e-4, 1e4 and 1e6, without rounding
NEAR = 1e-5  # of the largest distance

# What is measured in the unit of the features, as its docstring says: a step, or some of its choices.
OWN_UNIT = {
    "camera_whitening": "ridge is measured against unit length",
    "cluster_gallery_soft": "1 is added to a squared distance",
    "rerank_constrained": "similarities of unit vectors, and penalties added to these",
    "track_augmentation": "epsilon is a squared distance",
    "weighted_track_mean": "epsilon is a squared distance",
}
CHOICES = {
    "rerank": {"normalize": [False]},  # distances as they are beside Jaccard distances
    "rerank_tracks": {"pool": ["weighted"]},  # epsilon is a squared distance
    "learned_metric": {"method": ["xqda", "itml", "mmc", "scml"]},  # its ridge; what they draw
}
CHOICES["learned_distances"] = CHOICES["learned_metric"]
DEFAULTS = {"learned_metric": {"method": "kissme"}, "learned_distances": {"method": "kissme"}}
SCALED = [step for step in STEPS if {*SIDES} & {*Subject(step, DATA, {}, {}, False).inputs}]


def tried(subject, name):
    """The defaults, and every choice and switch of a step that has no unit."""
    usual = DEFAULTS.get(name, {})
    yield usual
    for setting, declared in subject.settings.items():
        if declared.kind in ("choice", "switch"):
            for value in subject.others(setting):
                if value not in CHOICES.get(name, {}).get(setting, ()):
                    yield {**usual, **subject.beside.get(setting, {}), setting: value}


def distances(subject, found):
    """What ranks the gallery: the distances found, or those of the directions of the features found."""
    if "distances" in found:
        return found["distances"].astype(np.float64)
    if labels := LABELS & found.keys():  # who is of one group is as near
        group = found[labels.pop()]
        return (group[:, None] != group).astype(np.float64)
    sides = [{**subject.data, **found}[name] for name in SIDES[:3] if name in found or name in subject.data]
    unit = [rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-30) for rows in sides]
    return 1 - unit[0].astype(np.float64) @ unit[-1].T.astype(np.float64)


@pytest.mark.parametrize("step", [s for s in SCALED if s.__name__ not in OWN_UNIT], ids=lambda s: s.__name__)
def test_no_scale_changes_a_ranking(step):
    name = step.__name__
    subject = Subject(step, DATA, VALUES.get(name, {}), BESIDE.get(name, {}), any_width=True)
    for settings in tried(subject, name):
        try:
            wanted = distances(subject, subject(settings))
        except ValueError:  # settings that do not go together
            continue
        for scale in SCALES:
            data = {key: rows * np.float32(scale) if key in SIDES else rows for key, rows in subject.data.items()}
            found = distances(subject, subject(settings, data))
            along = np.take_along_axis(wanted, np.argsort(found, axis=1, kind="stable"), axis=1)
            fall = np.maximum.accumulate(along, axis=1) - along
            assert fall.max() <= NEAR * np.abs(wanted).max(), f"{name} {settings} at {scale:g}"


def test_what_has_a_unit_is_a_step():
    assert {*OWN_UNIT, *CHOICES} <= {step.__name__ for step in SCALED}
