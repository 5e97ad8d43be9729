"""The laws that every step keeps, whatever it computes; a new step is under them as soon as it is in STEPS."""

import inspect
import re
from itertools import combinations

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import postproc
from postproc import STEPS, Nearest, query_expansion, rank, rerank, rerank_distances, track_mean, types, using
from tests.steps import (
    DATA,
    NG,
    NQ,
    TOGETHER,
    axes,
    bad_values,
    bits,
    call,
    cases,
    declared,
    fields,
    names,
    other_values,
    pick,
    settings_of,
)
from tests.worlds import world

every_step = pytest.mark.parametrize("step", STEPS)
every_case = pytest.mark.parametrize(("step", "settings"), list(cases()))
every_setting = pytest.mark.parametrize(
    ("step", "name"),
    [pytest.param(step, name, id=f"{step.__name__}-{name}") for step in STEPS for name in settings_of(step)],
)
every_input = pytest.mark.parametrize(
    ("step", "name"),
    [
        pytest.param(step, name, id=f"{step.__name__}-{name}")
        for step in STEPS
        for name in names(step)
        if inspect.signature(step).parameters[name].default is inspect.Parameter.empty or name == "gallery"
    ],
)

BY_PLACE = {("track_mean", "chunk")}  # copies stand at two places of a track, and a chunk may end between them
NOTHING_IS_NEUTRAL = {"l2_normalize", "distances"}  # they have no setting of that kind


def share_of_largest(data, power):
    """(nq, ng) distances to the ``power``, divided by the largest from the query to anybody."""
    largest = np.maximum(data["distances"].max(axis=1), data["query_distances"].max(axis=1))
    return {"distances": (data["distances"] / largest[:, None]) ** power}


NEUTRAL = [  # what changes nothing, and what then comes out
    (track_mean, {"chunk": 1}, lambda data: pick_fields(data, "gallery")),
    (query_expansion, {"k": 0}, lambda data: pick_fields(data, "query", "gallery")),
    (query_expansion, {"rounds": 0}, lambda data: pick_fields(data, "query", "gallery")),
    (rerank, {"camera_penalty": 0}, lambda data: {"distances": rerank(data["query"], data["gallery"])}),
    (rerank, {"lambda_value": 1}, lambda data: share_of_largest(data, 1)),
    (rerank_distances, {"lambda_value": 1, "power": 1}, lambda data: share_of_largest(data, 1)),
    (rerank_distances, {"lambda_value": 1}, lambda data: share_of_largest(data, 2)),
    (rank, {"top_k": 10**6}, lambda data: {"ranking": rank(data["distances"])}),
]


def pick_fields(data, *fields):
    return {field: data[field] for field in fields}


@every_case
def test_1_inputs_are_untouched_and_may_be_read_only(step, settings):
    data = {name: array.copy() for name, array in DATA.items()}
    found = bits(call(step, data, settings))
    assert bits(data) == bits(DATA)
    for array in data.values():
        array.flags.writeable = False
    assert bits(call(step, data, settings)) == found


@every_step
@pytest.mark.parametrize("dtype", [np.float64, np.float16])
@pytest.mark.parametrize("layout", ["C", "F", "sliced"])
def test_1_any_kind_of_array_gives_the_same(step, dtype, layout):
    given, wanted = {}, {}
    for name, array in DATA.items():
        if array.dtype == np.float32:
            array = array.astype(np.float16)  # every dtype holds these numbers
        other = array.astype(dtype if array.dtype == np.float16 else np.int16)
        wanted[name] = array.astype(np.float32 if array.dtype == np.float16 else np.int64)
        if layout == "sliced":
            other = np.repeat(np.repeat(other, 2, axis=0), 3, axis=-1)[(slice(None, None, 2),) * (other.ndim - 1) + (slice(None, None, 3 if other.ndim > 1 else 6),)]
        given[name] = np.asfortranarray(other) if layout == "F" else other
    assert bits(call(step, given, {})) == bits(call(step, wanted, {}))


@every_case
@pytest.mark.parametrize("axis", ["nq", "ng", "features", "train"])
def test_2_the_result_shuffles_with_the_input(step, settings, axis):
    taken = [name for name in names(step) if axis in axes(name)]
    if not taken:
        pytest.skip(f"takes nothing along {axis}")
    order = np.random.default_rng(1).permutation(DATA[taken[0]].shape[axes(taken[0]).index(axis)])
    before, after = call(step, DATA, settings), call(step, pick(DATA, **{axis: order}), settings)
    rows = order if axis == "nq" else slice(None)
    if "ranking" in before:  # gallery rows: back to the old numbers, and a copy of an image is as good as the image
        _, first, copy_of = np.unique(DATA["gallery"], axis=0, return_index=True, return_inverse=True)
        same, old = first[copy_of.ravel()], order if axis == "ng" else np.arange(NG)
        assert_array_equal(same[old[after["ranking"]]], same[before["ranking"][rows]])
    for name in before.keys() - {"ranking"}:
        wanted = before[name][rows] if name == "nearest" else pick({name: before[name]}, **{axis: order})[name]
        assert_allclose(after[name], wanted, rtol=0, atol=1e-6 * max(1, abs(wanted).max()), err_msg=name)


@every_case
@pytest.mark.parametrize(("nq", "ng"), [(NQ, NG), (1, NG), (NQ, 1), (1, 1), (0, NG), (NQ, 0), (0, 0)])
def test_3_type_and_shape(step, settings, nq, ng):
    data = pick(DATA, nq=range(nq), ng=range(ng), features=range(ng))
    try:
        found = call(step, data, settings)
    except ValueError as refusal:
        assert 0 in (nq, ng)
        assert re.match(r"(\w+): wanted at least one", str(refusal))[1] in names(step)
        return
    k = min(settings.get("top_k", ng), ng)
    shapes = {"ranking": (nq, k), "nearest": (nq, k), "distances": (nq, ng)}
    for name, array in found.items():
        assert array.dtype == (np.int32 if name == "ranking" else np.float32)
        assert array.shape == (shapes.get(name) or DATA[name][: nq if name == "query" else ng].shape)
        if name == "ranking":
            assert_array_equal(np.sort(array)[:, :1] >= 0, True)
            assert all(len(set(row)) == k for row in array.tolist())
        else:
            assert (np.isfinite(array) | (array == np.inf)).all()


@pytest.fixture(scope="module")
def several_blocks():
    data = world(nq=60, ng=500, people=60)
    return {name: array for name, array in data.items() if name in types.VOCABULARY}


@every_case
def test_4_the_same_bits_with_any_number_of_threads(step, settings, several_blocks):
    wanted = bits(call(step, several_blocks, settings))
    assert bits(call(step, several_blocks, settings)) == wanted
    for threads in (1, 2, 5):
        with using(threads=threads):
            assert bits(call(step, several_blocks, settings)) == wanted, f"{threads} threads"


@pytest.mark.parametrize(
    ("step", "settings", "wanted"), [pytest.param(*row, id=f"{row[0].__name__}-{row[1]}") for row in NEUTRAL]
)
def test_5_the_neutral_setting_changes_nothing(step, settings, wanted):
    found, wanted = call(step, DATA, settings), wanted(DATA)
    assert found.keys() == wanted.keys()
    for name, array in wanted.items():
        assert_allclose(found[name], array, rtol=0, atol=1e-6, err_msg=name)


def test_5_every_step_says_what_is_neutral():
    assert {step.__name__ for step in STEPS} == {row[0].__name__ for row in NEUTRAL} | NOTHING_IS_NEUTRAL


@every_case
def test_6_copies_stay_together(step, settings):
    if any((step.__name__, name) in BY_PLACE for name in settings):
        pytest.skip("depends on the place in the track")
    group = [7, NG, NG + 2]  # image 7 and its two copies behind the gallery; query 3 has one, too
    rows = [*range(NG), 7, 30, 7]
    found = call(step, pick(DATA, ng=rows, features=rows, nq=[*range(NQ), 3]), settings)
    for name, array in found.items():
        across, down = array, array.T
        if name in ("query", "distances", "nearest", "ranking"):
            assert_array_equal(across[NQ], across[3], err_msg=name)
        if name in ("gallery", "features"):
            assert_array_equal(across[group], across[[7, 7, 7]], err_msg=name)
        if name == "distances":
            assert_array_equal(down[group], down[[7, 7, 7]])
            array = rank(array)
        if name in ("distances", "ranking"):
            for row in array:
                assert (np.diff(np.flatnonzero(np.isin(row, group))) == 1).all()


@every_case
@pytest.mark.parametrize("zero", [[2], [0, 1, 2], slice(None)])
def test_6_zero_rows_give_no_nan(step, settings, zero):
    data = {name: array.copy() for name, array in DATA.items()}
    for array in data.values():
        if array.dtype == np.float32:
            array[zero] = 0
    for name, array in call(step, data, settings).items():
        assert np.isfinite(array).all(), name


@every_setting
def test_7_a_bad_setting_is_refused(step, name):
    for value in bad_values(settings_of(step)[name]):
        with pytest.raises(ValueError, match=rf"^{name}: wanted .*got {re.escape(repr(value))}$"):
            call(step, DATA, {name: value})


@every_setting
def test_7_a_number_of_numpy_is_a_number(step, name):
    value = other_values(step, name)[0]
    assert bits(call(step, DATA, {name: np.array([value])[0]})) == bits(call(step, DATA, {name: value}))


@every_input
def test_7_bad_data_are_refused(step, name):
    good = DATA[name]
    if good.dtype == np.float32:
        bad = [np.where(good == good[1, 0], np.nan, good), np.where(good == good[1, 0], -np.inf, good), good[0], good[None]]
        if "distances" not in name:
            bad += [np.where(good == good[1, 0], np.inf, good), good.astype(np.float64) * 1e300]
        strange = ["features.npy", None, good.astype(str), good + 1j]
    else:
        bad, strange = [good[:-1], good[:, None]], [good.astype(np.float32), good.astype(str)]
    for value in bad:
        with pytest.raises(ValueError, match=rf"^{name}: wanted "):
            call(step, DATA | {name: value}, {})
    for value in strange:
        with pytest.raises(TypeError, match=rf"^{name}: wanted "):
            call(step, DATA | {name: value}, {})


@every_setting
def test_8_every_setting_matters(step, name):
    beside = TOGETHER.get((step.__name__, name), {})
    values = [settings_of(step)[name].default, *other_values(step, name)]
    found = [bits(call(step, DATA, {name: value, **beside})) for value in values]
    for (one, first), (other, second) in combinations(zip(values, found, strict=True), 2):
        assert first != second, f"{name}: {one} and {other} give the same"


@every_case
def test_9_ties_are_broken_by_gallery_row(step, settings):
    found = call(step, pick(DATA, ng=[4] * NG), settings)
    if "distances" in found:
        found["ranking"] = rank(found["distances"])
    if "ranking" not in found:
        pytest.skip("orders nothing")
    assert_array_equal(found["ranking"], np.tile(np.arange(found["ranking"].shape[1]), (NQ, 1)))


@every_step
def test_10_the_signature_says_what_the_pipeline_needs(step):
    parameters = inspect.signature(step).parameters.values()
    assert all(p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY) for p in parameters)
    assert set(names(step)) <= types.VOCABULARY.keys()
    assert not set(names(step)) & {"query_pid", "gallery_pid"}
    for name, parameter in settings_of(step).items():
        assert parameter.default is not inspect.Parameter.empty, name
        assert bad_values(parameter), name
    returned = [field for hint in declared(step) for field in fields(hint)]
    assert set(returned) <= {"features", "query", "gallery", "distances", "ranking", "nearest"}
    assert step.__name__ in postproc.__all__
    assert inspect.getmodule(step).__name__.startswith("postproc.")


def test_10_labels_for_scoring_are_not_in_the_vocabulary():
    assert not {"query_pid", "gallery_pid"} & types.VOCABULARY.keys()
