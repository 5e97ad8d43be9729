"""The memory that a run is said to take: stage by stage what the run holds, and what is refused for it."""

import tracemalloc
from unittest.mock import patch

import numpy as np
import pandas as pd
import pytest

from ensemble import io
from ensemble.pipeline import memory, plan, recipe
from ensemble.pipeline.rooms import Meter, Part, Room
from ensemble.pipeline.run import Run
from ensemble.scores.protocols import PROTOCOLS
from postproc.base import temporary
from postproc.base.runtime import using
from postproc.testing.worlds import around
from tests.support.each import each

NQ, NG, WIDTH, MODELS = 120, 1500, 96, 3
PROTOCOL = PROTOCOLS["market1501"]
RECIPES = {
    "beside": 'each = [{ use = "l2_normalize" }]\njoin = { use = "concat" }\nsteps = [{ use = "distances" }]',
    "re-ranked": 'join = { use = "concat" }\nsteps = [{ use = "rerank" }]',
    "summed": 'each = [{ use = "distances" }]\njoin = { use = "weighted_sum" }',
    "expanded": 'models = ["m0"]\nsteps = [{ use = "query_expansion" }, { use = "distances" }]',
    "whole tracks": 'models = ["m1"]\nsteps = [{ use = "rerank_tracks" }, { use = "rewrite_tracks" }]',
    "some scenes": 'models = ["m1"]\nonly = { scene = [1, 2] }\nsteps = [{ use = "distances" }]',
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Three models of some hundred images, with labels."""
    place, rng = tmp_path_factory.mktemp("memory"), np.random.default_rng(0)
    centre = rng.standard_normal((80, WIDTH), dtype=np.float32)
    for side, count, names in (("query", NQ, "name_query.txt"), ("gallery", NG, "name_test.txt")):
        who = rng.integers(0, 80, count)
        listed = [f"{side}_{row}.jpg" for row in range(count)]
        (place / names).write_text("".join(f"{name}\n" for name in listed))
        scene = np.arange(count) % 4 if side == "gallery" else np.arange(count) % 2 + 1
        columns = {"name": listed, "pid": who, "cam": rng.integers(0, 4, count), "track": who, "scene": scene}
        pd.DataFrame(columns).to_csv(place / f"{side}.csv", index=False)
        for model in range(MODELS):
            np.save(place / f"{side}_m{model}.npy", around(rng, centre, who, 1.0, unit=True))
    return place


def checked(folder, tmp_path, branch):
    path = tmp_path / "mine.toml"
    path.write_text(f'about = "one"\nprotocol = "market1501"\ntop_k = 20\n[[branch]]\n{branch}\n')
    return plan.check(recipe.load(str(path)), io.scan(folder))


def predicted(ready, **more):
    return memory.predict(ready, io.sizes(ready.folder, ready.all_models), protocol=PROTOCOL, **more)


@each("branch", RECIPES.values())
def test_stages_are_those_of_the_run(folder, tmp_path, branch):
    ready, lines = checked(folder, tmp_path, branch), []
    stages = predicted(ready).stages
    Run(ready, lines.append, protocol=PROTOCOL)()
    assert [(stage.step, stage.what) for stage in stages[:-2]] == [(line.step, line.what) for line in lines]
    assert [stage.step for stage in stages[-2:]] == ["answer", "write"]


@each("branch", RECIPES.values())
def test_a_run_stays_under_what_is_predicted(folder, tmp_path, branch):
    needed, peak = predicted_and_measured(checked(folder, tmp_path, branch))
    assert peak <= 1.05 * needed + (1 << 20)
    assert needed <= 2 * peak


WHITENED = 'steps = [{ use = "camera_whitening", whiten = false, min_images = 5 }, { use = "distances" }]'


@each("steps", ['steps = [{ use = "distances" }]', WHITENED])
def test_what_stays_on_disk_is_not_counted(folder, tmp_path, steps):
    """Three models of 1,620 x 96 float32, each alone and all side by side, are 1.9 MB twice."""
    ready = checked(folder, tmp_path, RECIPES["beside"].partition("steps")[0] + steps)
    in_memory = predicted(ready, scored=False).stages
    with patch.object(temporary, "LARGE", 0):
        on_disk = predicted(ready, scored=False).stages
        assert memory.of_sets({one.model: one for one in io.read(ready.folder)}) == io.sizes(
            ready.folder, ready.all_models
        )
        needed, peak = predicted_and_measured(ready)
    assert peak <= 1.05 * needed + (1 << 20)
    by_step = [{stage.step: stage.bytes for stage in stages} for stages in (in_memory, on_disk)]
    features = MODELS * 4 * WIDTH * (NQ + NG)
    for step, times in {"read": 1, "concat": 2, "camera_whitening": 2, "distances": 1}.items():
        if step in by_step[0]:
            assert by_step[0][step] - by_step[1][step] == times * features, step


def predicted_and_measured(ready):
    """Bytes beside the program."""
    with using(threads=1):
        needed = predicted(ready).largest.bytes - memory.PROGRAM
        sets = {features.model: features for features in io.read(ready.folder, list(ready.all_models))}
        Run(ready, lambda line: None, protocol=PROTOCOL, sets=sets)()  # loads what it needs
        del sets
        tracemalloc.start()
        try:
            Run(ready, lambda line: None, protocol=PROTOCOL)()
            return needed, tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()


def test_what_was_read_is_predicted_as_from_headers(folder, tmp_path):
    ready = checked(folder, tmp_path, RECIPES["beside"])
    sets = {features.model: features for features in io.read(ready.folder, list(ready.all_models))}
    from_sets = memory.predict(ready, memory.of_sets(sets), protocol=PROTOCOL)
    assert from_sets.stages == predicted(ready).stages


def test_models_go_when_nobody_needs_them(folder, tmp_path):
    """Three models are there twice while they are put side by side, and gone at the end."""
    features = 4 * WIDTH * (NQ + NG)
    stages = predicted(checked(folder, tmp_path, RECIPES["beside"]), scored=False).stages
    by_step = {stage.step: stage.bytes for stage in stages}
    assert by_step["concat"] - by_step["read"] >= MODELS * features
    assert by_step["write"] < by_step["read"]


def test_room_counts_until_it_is_let_go():
    meter = Meter(10)
    whole = Room(meter, (4, 5))
    part = Part(whole, 2)
    assert (meter.now, len(part), part.shape) == (90, 2, (2, 5))
    del whole
    assert meter.now == 90  # a view holds all of it
    del part
    assert (meter.now, meter.most) == (10, 90)


def test_the_stage_that_breaks_the_limit_is_named(folder, tmp_path):
    ready = checked(folder, tmp_path, RECIPES["summed"])
    needed = predicted(ready)
    assert memory.problems(needed, needed.largest.bytes, whole=True) == []
    (problem,) = memory.problems(needed, needed.largest.bytes - 1, whole=True)
    assert problem.startswith("--memory: wanted at most ")
    assert "or score only the first 100" in problem
    assert f"found that {needed.largest.said} needs about " in problem
    (problem,) = memory.problems(needed, 1 << 20, whole=False)
    assert "found that read (3 models) needs about " in problem
    assert f"and {needed.largest.said} " in problem
