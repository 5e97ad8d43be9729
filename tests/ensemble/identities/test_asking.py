"""The database asked about itself."""

from pathlib import Path

import numpy as np
import pandas as pd

from ensemble import io
from ensemble.base.features import FeatureSet
from ensemble.identities.asking import Asker, How, against_itself, deep
from ensemble.pipeline import plan, recipe
from ensemble.scores.folds import columns
from postproc import by_identity, distances
from tests.support.worlds import herd


def database(world):
    tables = {
        side: pd.DataFrame({"name": [f"{side}{i}" for i in range(len(world[side]))], "pid": world[f"{side}_pid"]})
        for side in ("query", "gallery")
    }
    features = FeatureSet("m", world["query"], world["gallery"], tables["query"], tables["gallery"])
    folder = columns(io.Folder(Path(), {"m": ()}, frozenset(), ()), {"m": features}, of_train=False)
    return Asker(deep(plan.check(recipe.load("baseline"), folder), None)), {"m": features}


def test_every_image_is_asked_as_known_and_as_new():
    world = herd(people=30, strangers=4, most=40)
    ask, sets = database(world)
    pid = world["gallery_pid"]
    found, fold = against_itself(ask, sets, pid, How(depth=None), folds=3, seed=0)
    count = np.bincount(pid)
    assert int((~found.unknown).sum()) == int((count[pid] > 1).sum())  # singletons are nobody's match
    assert int(found.unknown.sum()) == len(pid)
    assert (found.right[found.unknown] == -1).all()  # those who are held out are in no list
    for who in np.unique(pid):
        assert len(set(fold[found.pid == who])) == 1  # an identity is in one fold
    far = distances(world["gallery"], metric="cosine")
    known = by_identity(far, pid)
    np.testing.assert_allclose(
        np.sort(found.limits[~found.unknown, 0]), np.sort(known.distances[count[pid] > 1, 0]), atol=1e-6
    )
    for number in range(3):  # an unknown one sees nobody of its own fold
        held = np.flatnonzero(np.isin(pid, found.pid[found.unknown & (fold == number)]))
        left = np.setdiff1d(np.arange(len(pid)), held)
        alone = by_identity(far[np.ix_(held, left)], pid[left])
        mine = found.limits[found.unknown & (fold == number)]
        np.testing.assert_allclose(mine[:, 0], alone.distances[:, 0], atol=1e-6)


def test_the_seed_deals_and_the_same_seed_deals_the_same():
    world = herd(people=30, strangers=4, most=20)
    ask, sets = database(world)
    one, two, other = (
        against_itself(ask, sets, world["gallery_pid"], How(depth=50), folds=2, seed=seed)[1] for seed in (0, 0, 1)
    )
    assert one.tolist() == two.tolist()
    assert one.tolist() != other.tolist()
