"""What a run is said to take before it starts, in words and figures; by rates that are made up."""

from dataclasses import replace

import pytest

from ensemble import io
from ensemble.fusion.join import declared_by
from ensemble.pipeline import forecast, memory
from ensemble.pipeline.forecast import Forecast
from ensemble.pipeline.joins import all_joins
from ensemble.pipeline.memory import Prediction
from ensemble.pipeline.rates import Rates
from ensemble.pipeline.rooms import Stage
from postproc.base.sizes import Sizes
from postproc.base.work import NO_WORK, Work
from postproc.pairs import spent
from tests.ensemble.pipeline.test_memory import NG, NQ, PROTOCOL, RECIPES, WIDTH, checked, folder, predicted
from tests.support.each import each

__all__ = ["folder"]
RATES = Rates(products=100, bytes=10, entries=1, sparse=1, objects=1)
UNKNOWN = {
    "calibrated", "calibrated_distances", "graph_fusion", "trained_query_adaptive", "unsupervised_reliability",
    "local_evidence", "stacked",
}  # fmt: skip
STAGES = (
    Stage("read", "2 models", 100 << 20, Work(bytes=50)),
    Stage("rerank", "k1 20", 4 << 30, Work(products=500, entries=60)),
    Stage("write", "csv", 50 << 20, Work(objects=2)),
)
FREE = 3_000_000_000


def test_seconds_are_work_over_rates():
    found = Forecast(Prediction(STAGES), RATES, None)
    assert [found.of(stage) for stage in STAGES] == [5, 5 + 60, 2]
    assert found.seconds == 72
    assert found.line() == "predicted: about 1.2 min; at most 4.29 GB of memory"
    assert found.fits  # nobody knows better


def test_what_nobody_has_said_takes_unknown_time_not_none():
    stages = (STAGES[0], replace(STAGES[1], unknown=("mine",)), STAGES[2])
    found = Forecast(Prediction(stages), RATES, 10**12)
    assert (found.of(stages[1]), found.unknown, found.seconds) == (None, ("mine",), 7)
    assert "about 7 s, and as long as mine may take, which nobody has said" in found.line()
    assert next(line for line in found.text() if line.startswith("rerank")).split()[3] == "?"


def test_on_a_device_time_is_unknown():
    found = Forecast(Prediction(STAGES), None, None)
    assert found.line().startswith("predicted: time unknown on a device; at most 4.29 GB")
    assert [stage.seconds for stage in found.stages] == [None] * 3


def test_what_does_not_fit_says_what_to_set():
    remedies = (("--threads 1", 2_500_000_000), ("fewer models", None))
    found = Forecast(Prediction(STAGES), RATES, FREE, remedies)
    lines = list(found.text())
    assert lines[2].endswith("4096  <- the most")
    assert lines[-2].endswith("at most 4.29 GB of memory, 3.00 GB are free")
    assert lines[-1] == (
        "memory: wanted at most the 3.00 GB that are free, found that rerank (k1 20) needs about 4.29 GB; "
        "set --threads 1: 2.50 GB, or fewer models, or REID_MEMORY_CHECK=0 to try it all the same"
    )


@each("branch", RECIPES.values())
def test_all_that_runs_here_has_a_time(folder, tmp_path, branch):
    found = Forecast(predicted(checked(folder, tmp_path, branch)), RATES, None)
    assert not found.unknown
    assert all(found.of(stage) >= 0 for stage in found.prediction.stages)
    assert found.of(found.prediction.stages[0]) > 0


def test_scores_take_time(folder, tmp_path):
    ready = checked(folder, tmp_path, RECIPES["beside"])
    one, other = (Forecast(predicted(ready, scored=scored), RATES, None).seconds for scored in (True, False))
    assert one > other


def test_a_small_run_needs_no_rates(folder, tmp_path):
    assert forecast.is_quick(predicted(checked(folder, tmp_path, RECIPES["beside"])))
    assert not forecast.is_quick(Prediction((Stage("rerank", "", 1, Work(products=1e13)),)))


def test_remedies_are_tried_before_they_are_named(folder, tmp_path):
    ready = checked(folder, tmp_path, RECIPES["summed"])
    sizes = io.sizes(ready.folder, ready.all_models)
    needed = predicted(ready, threads=64)
    found = forecast.remedies(ready, sizes, needed, protocol=PROTOCOL, scored=True, threads=64)
    known = {words: most for words, most in found if most is not None}
    alone = memory.predict(ready, sizes, protocol=PROTOCOL, threads=1).largest.bytes
    if alone < forecast.SAVES * needed.largest.bytes:
        assert known["--threads 1"] == alone
    assert all(most < needed.largest.bytes for most in known.values())
    assert ("fewer models", None) in found


def test_every_join_says_its_work_or_is_known_not_to():
    joins = all_joins()
    assert {name for name, join in joins.items() if declared_by(join).work is None} >= UNKNOWN
    ours = {name for name, join in joins.items() if join.__module__.startswith("ensemble.")}
    assert {name for name in ours if declared_by(joins[name]).work is None} == UNKNOWN


def test_joins_by_hand():
    """3 models of 10 x 100: 9 looks a pair and .3 a model; 8 more a model where they are scaled."""
    work = declared_by(all_joins()["weighted_sum"]).work
    sizes = Sizes(nq=10, ng=100, parts=3)
    assert work(sizes, {"scaling": "none"}).entries == pytest.approx(1000 * (9 + 3 * 0.3))
    assert work(sizes, {"scaling": "min-max"}).entries == pytest.approx(1000 * (9 + 3 * 8.3))


LISTED = {
    "one step takes them": ('steps = [{ use = "rerank" }]', True),
    "two could, and nobody knows yet which": ('steps = [{ use = "query_expansion" }, { use = "rerank" }]', False),
    "none does": ('steps = [{ use = "distances" }]', False),
}


@each("branch", LISTED.values())
def test_lists_that_are_there_are_not_looked_for_again(folder, tmp_path, branch):
    steps, fewer = branch
    ready = checked(folder, tmp_path, f'models = ["m0"]\n{steps}')
    found, listed = (
        sum((s.work for s in predicted(ready, lists=lists).stages), NO_WORK) for lists in (False, True)
    )
    if fewer:
        assert NQ * NG * WIDTH <= listed.products < found.products
        assert listed.entries < found.entries
    else:
        assert listed == found


def test_lists_are_those_of_the_first_round():
    work = spent.for_setting("rounds", spent.gallery_pairs())
    sizes, products = Sizes(ng=10, width=3), 10 * 11 / 2 * 3
    for rounds in (0, 1, 3):
        assert work(sizes, {"rounds": rounds}).products == rounds * products
        given = replace(sizes, given=frozenset({"neighbours"}))
        assert work(given, {"rounds": rounds}).products == max(rounds - 1, 0) * products
