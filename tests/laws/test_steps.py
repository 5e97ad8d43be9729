"""The laws that every step keeps, whatever it computes; a new step is under them as soon as it is in STEPS."""

import inspect
import re
from itertools import combinations

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import postproc
from postproc import STEPS, using
from postproc.base import vocabulary as types
from tests.support import steps
from tests.support.steps import DATA, NG, NQ, axes, bits, call, inputs, pick, settings_of, together
from tests.support.worlds import world

TAKE_INFINITY = {  # a distance: never return
    postproc.rank,
    postproc.csls_distances,
    postproc.sinkhorn_distances,
    postproc.pool_distances,
    postproc.subtract_auxiliary,
    postproc.orientation_rule,
    postproc.part_penalty,
    postproc.camera_penalty,
    postproc.mask_same_camera,
    postproc.expected_camera_penalty,
    postproc.scene_gate,
    postproc.camera_topology,
    postproc.exclude,
    postproc.one_track_per_camera,
    postproc.assign_tracks,
    postproc.rewrite_tracks,
}
MASKS = {postproc.mask_same_camera}  # they say +inf of images that look like any other
LABELS = {"query_track", *(f"{side}_{cam}" for side in ("query", "gallery") for cam in ("cam", "cam_group"))}
TIES = {"clip"}  # settings that make most of these images, not of unit length, equally far
BY_PLACE = {"chunk"}  # settings by which copies count differently, because they stand at two places of a track


def named(step, *words):
    return pytest.param(step, *words, id="-".join([step.__name__, *(str(word) for word in words)]))


def alike(labels):
    """Which images have one label, and which have none."""
    return (labels[:, None] == labels) & (labels >= 0)


def orders(step):
    """Whether a step says which image is before which."""
    returned = [field for hint in steps.declared(step) for field in steps.fields(hint)]
    return bool({"distances", "ranking"} & set(returned))


CASES = list(steps.cases())
every_case = pytest.mark.parametrize(("step", "settings"), [named(*case) for case in CASES])
every_step = pytest.mark.parametrize("step", STEPS)
every_setting = pytest.mark.parametrize(
    ("step", "name"), [named(step, name) for step in STEPS for name in settings_of(step)]
)


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
            array = array.astype(np.float16)  # numbers that every dtype holds
            wanted[name], other = array.astype(np.float32), array.astype(dtype)
        else:
            wanted[name], other = array.astype(np.int64), array.astype(np.int16)
        if layout == "sliced":
            other = np.repeat(np.repeat(other, 2, axis=0), 3, axis=-1)
            other = other[::2, ::3] if other.ndim == 2 else other[::6]
        given[name] = np.asfortranarray(other) if layout == "F" else other
    assert bits(call(step, given, {})) == bits(call(step, wanted, {}))


@pytest.mark.parametrize(
    ("step", "settings", "axis"),
    [
        named(*case, axis)
        for case in CASES
        for axis in sorted({axis for name in inputs(case[0]) for axis in axes(name)} - {"d"})
        if not case[1].keys() & TIES
    ],
)
def test_2_the_result_shuffles_with_the_input(step, settings, axis):
    count = next(array.shape[axes(name).index(axis)] for name, array in DATA.items() if axis in axes(name))
    order = np.random.default_rng(1).permutation(count)
    before, after = call(step, DATA, settings), call(step, pick(DATA, **{axis: order}), settings)
    queries = order if axis == "nq" else np.arange(NQ)
    if "ranking" in before:  # rows get their old numbers back, and an image as near as another is as good
        whole = {name: value for name, value in settings.items() if name != "top_k"}
        far = (DATA if step is postproc.rank else call(step, DATA, whole))["distances"][queries]
        old = order if axis == "ng" else np.arange(NG)
        found, wanted = old[after["ranking"]], before["ranking"][queries]
        near = [np.take_along_axis(far, rows, axis=1) for rows in (found, wanted)]
        assert_allclose(*near, rtol=0, atol=1e-6 * max(1, abs(far).max()))
        tied = (near[0][:, :, None] == far[:, None, :]).sum(axis=2) > 1  # as the images of a track are
        assert ((found == wanted) | tied).mean() > 0.8
    for name in before.keys() - {"ranking"}:
        one = {name: before[name]}
        if name in LABELS and step is not postproc.complete_cameras:  # groups have no numbers of their own
            assert_array_equal(alike(after[name]), alike(pick(one, **{axis: order})[name]), err_msg=name)
            continue
        wanted = before[name][queries] if name == "nearest" else pick(one, **{axis: order})[name]
        rounding = 1e-6 * max(1, abs(wanted[np.isfinite(wanted)]).max(initial=0))
        assert_allclose(after[name], wanted, rtol=0, atol=rounding, err_msg=name)


@every_case
@pytest.mark.parametrize(("nq", "ng"), [(NQ, NG), (1, NG), (NQ, 1), (1, 1), (0, NG), (NQ, 0), (0, 0)])
def test_3_type_and_shape(step, settings, nq, ng):
    data = pick(DATA, nq=range(nq), ng=range(ng), features=range(ng))
    try:
        found = call(step, data, settings)
    except ValueError as refusal:
        name = str(refusal).split(": wanted at least one image")[0]
        if name in inputs(step) and not data[name].size:
            return
        raise
    k = min(settings.get("top_k", ng), ng)
    for name, array in found.items():
        if name == "ranking":
            assert (array.dtype, array.shape) == (np.int32, (nq, k))
            assert all(len(set(row)) == k and set(row) <= set(range(ng)) for row in array.tolist())
        else:
            wanted = (nq, k) if name == "nearest" else data[name].shape
            if name in LABELS:
                assert (array.dtype, array.shape) == (np.int64, wanted)
                continue
            if name not in ("distances", "nearest"):
                found_width = array.shape[1] if step is postproc.learned_metric else wanted[1]  # as it turns out
                wanted = (wanted[0], settings.get("components", found_width))
            assert (array.dtype, array.shape) == (np.float32, wanted)
            assert (np.isfinite(array) | (array == np.inf)).all()


@pytest.fixture(scope="module")
def several_blocks():
    return steps.known(world(nq=60, ng=500, people=60))


@every_case
def test_4_the_same_bits_with_any_threads_and_memory(step, settings, several_blocks):
    wanted = bits(call(step, several_blocks, settings))
    assert bits(call(step, several_blocks, settings)) == wanted
    for how in ({"threads": 1}, {"threads": 2}, {"threads": 5}, {"memory": 1}):
        with using(**how):
            assert bits(call(step, several_blocks, settings)) == wanted, how


def share_of_largest(power):
    """(nq, ng) distances to the ``power``, divided by the largest from the query to anybody."""
    across, within = DATA["distances"], DATA["query_distances"]
    return (across / np.maximum(across.max(axis=1), within.max(axis=1))[:, None]) ** power


FEATURES = {"query": DATA["query"], "gallery": DATA["gallery"]}
WITHIN = abs(2 - 2 * DATA["query"] @ DATA["query"].T).max(axis=1)
CONSTRAINED = (2 * DATA["distances"] / np.maximum(2 * DATA["distances"].max(axis=1), WITHIN)[:, None]) ** 2
UNIT_DISTANCES = {"distances": postproc.distances(*map(postproc.l2_normalize, FEATURES.values()))}
COSINE = 2 * postproc.distances(*FEATURES.values(), metric="cosine")  # 2 - 2 cosine
TRACK_MEANS = postproc.track_mean(DATA["gallery"], DATA["gallery_track"])
NEUTRAL = [  # what changes nothing, and what then comes out
    (postproc.track_mean, {"chunk": 1}, {"gallery": DATA["gallery"]}),
    (postproc.quality_track_mean, {"add": 0, "renormalize": False}, {"gallery": DATA["gallery"]}),
    (postproc.weighted_track_mean, {"epsilon": 1e9}, {"gallery": TRACK_MEANS}),
    (postproc.track_augmentation, {"epsilon": 1e-9, "renormalize": False}, {"gallery": DATA["gallery"]}),
    (postproc.signed_power, {"exponent": 1}, {"features": DATA["features"]}),
    (
        postproc.camera_whitening,
        {"center": False, "whiten": False},
        {side: postproc.l2_normalize(DATA[side]) for side in FEATURES},
    ),
    (postproc.query_expansion, {"k": 0}, FEATURES),
    (postproc.query_expansion, {"rounds": 0}, FEATURES),
    (
        postproc.query_mean,
        {"group": "clusters", "eps": 0, "renormalize": False},
        {"query": DATA["query"]},
    ),
    (postproc.cluster_gallery_soft, {"k": 0}, {"gallery": DATA["gallery"]}),
    (postproc.cluster_gallery_soft, {"rate": 0}, {"gallery": DATA["gallery"]}),
    (postproc.cluster_gallery_soft, {"rounds": 0}, {"gallery": DATA["gallery"]}),
    (postproc.nfc, {"k1": 0}, {"features": DATA["features"]}),
    (postproc.nfc, {"k2": 0}, {"features": DATA["features"]}),
    (postproc.subtract_negatives, {"k": 0}, FEATURES),
    (postproc.subtract_negatives, {"beta": 0}, FEATURES),
    (postproc.subtract_negatives, {"rounds": 0}, FEATURES),
    (postproc.discriminative_expansion, {"negatives": 0}, FEATURES),
    (postproc.merge_set_features, {"step": 0}, FEATURES),
    (postproc.merge_set_features, {"rounds": 0}, FEATURES),
    (postproc.rerank, {"camera_penalty": 0}, {"distances": postproc.rerank(DATA["query"], DATA["gallery"])}),
    (postproc.rerank, {"lambda_value": 1}, {"distances": share_of_largest(1)}),
    (
        postproc.rerank_tracks,
        {"lambda_value": 1, "order": "row"},
        {"distances": postproc.rerank(DATA["query"], TRACK_MEANS, lambda_value=1)},
    ),
    (postproc.rerank_distances, {"lambda_value": 1, "power": 1}, {"distances": share_of_largest(1)}),
    (postproc.rerank_distances, {"lambda_value": 1}, {"distances": share_of_largest(2)}),
    (postproc.rerank_constrained, {"lambda_value": 1}, {"distances": CONSTRAINED}),
    (
        postproc.rerank_attributes,
        {"weight": 0},
        {"distances": postproc.rerank(*FEATURES.values(), k1=4, k2=4, lambda_value=0.5)},
    ),
    (
        postproc.ca_jaccard,
        {"lambda_value": 1, "normalize": True},
        {"distances": postproc.rerank(*map(postproc.l2_normalize, FEATURES.values()), lambda_value=1)},
    ),
    (
        postproc.gnn_rerank,
        {"lambda_value": 1},
        {"distances": postproc.distances(DATA["query"], DATA["gallery"], metric="cosine")},
    ),
    (postproc.diffusion, {"iterations": 0}, UNIT_DISTANCES),
    (postproc.offline_diffusion, {"iterations": 0}, UNIT_DISTANCES),
    (postproc.rdp, {"iterations": 0}, {"distances": postproc.distances(DATA["query"], DATA["gallery"])}),
    (postproc.cas, {"lambda_value": 1}, {"distances": share_of_largest(1)}),
    (postproc.gcr, {"rounds": 0}, FEATURES),
    (postproc.kwf, {"own": 1, "mean": 0}, {"distances": COSINE}),
    (postproc.lbr, {"k": 1}, {"distances": COSINE}),
    (postproc.sinkhorn, {"half_rounds": 0}, {"distances": COSINE / 2}),
    (postproc.sinkhorn_distances, {"half_rounds": 0}, {"distances": DATA["distances"]}),
    (postproc.nnn, {"alpha": 0}, {"distances": COSINE / 2}),
    (postproc.subtract_auxiliary, {"weight": 0}, {"distances": DATA["distances"]}),
    (postproc.part_penalty, {"weight": 0}, {"distances": DATA["distances"]}),
    (postproc.orientation_rule, {"penalty": 0}, {"distances": DATA["distances"]}),
    (postproc.orientation_rule, {"near": 0}, {"distances": DATA["distances"]}),
    (postproc.camera_penalty, {"penalty": 0}, {"distances": DATA["distances"]}),
    (postproc.expected_camera_penalty, {"penalty": 0}, {"distances": DATA["distances"]}),
    (postproc.scene_gate, {"penalty": 0}, {"distances": DATA["distances"]}),
    (postproc.camera_topology, {"weight": 0}, {"distances": DATA["distances"]}),
    (postproc.exclude, {"beta": 0}, {"distances": DATA["distances"]}),
    (postproc.exclude, {"depth": 0}, {"distances": DATA["distances"]}),
    (postproc.assign_tracks, {"bonus": 0, "malus": 0, "threshold": 20.0}, {"distances": DATA["distances"]}),
    (postproc.spatio_temporal, {"gamma_time": 0}, {"distances": 1 - 1 / (1 + np.exp(5 * COSINE / 2 - 5))}),
    (
        postproc.rerank_spatio_temporal,
        {"lambda_value": 1, "gamma_similarity": 0, "gamma_time": 0},
        {"distances": np.zeros((NQ, NG))},
    ),
    (postproc.rank, {"top_k": 10**6}, {"ranking": postproc.rank(DATA["distances"])}),
]
NOTHING_IS_NEUTRAL = {  # they have no setting of that kind
    "cluster_queries",
    "coarse_to_fine",
    "complete_cameras",
    "csls",
    "csls_distances",
    "dis_sim",
    "distances",
    "ecn",
    "hamming",
    "l2_normalize",
    "learned_distances",
    "learned_metric",
    "learned_whitening",
    "local_scaling",
    "mask_same_camera",
    "mutual_proximity",
    "one_track_per_camera",
    "pool_distances",
    "predict_camera_groups",
    "predict_cameras",
    "quantile_transform",
    "rewrite_tracks",
    "superglobal",
    "track_distances",
    "whiten",
}


@pytest.mark.parametrize(("step", "settings", "wanted"), [pytest.param(*row, id=str(row[1])) for row in NEUTRAL])
def test_5_the_neutral_setting_changes_nothing(step, settings, wanted):
    found = call(step, DATA, settings)
    assert found.keys() == wanted.keys()
    for name, array in wanted.items():
        assert_allclose(found[name], array, rtol=0, atol=1e-6, err_msg=name)


def test_5_every_step_says_what_is_neutral():
    assert {step.__name__ for step in STEPS} == {row[0].__name__ for row in NEUTRAL} | NOTHING_IS_NEUTRAL


@pytest.mark.parametrize(("step", "settings"), [named(*case) for case in CASES if not BY_PLACE & case[1].keys()])
def test_6_copies_stay_together(step, settings):
    group = [7, NG, NG + 2]  # gallery image 7 and two copies of it; query 3 has one copy
    rows = [*range(NG), 7, 30, 7]
    found = call(step, pick(DATA, ng=rows, features=rows, nq=[*range(NQ), 3]), settings)
    for name, array in found.items():
        if name in ("gallery", "features") or (name in LABELS and name.startswith("gallery")):
            assert_array_equal(array[group], array[[7, 7, 7]])
        else:
            assert_array_equal(array[NQ], array[3], err_msg=name)
        if name == "distances":
            assert_array_equal(array[:, group], array[:, [7, 7, 7]])
    if "distances" in found:
        alone = [not np.isin(np.delete(row, group), row[7]).any() for row in found["distances"]]
        found["ranking"] = postproc.rank(found["distances"])[alone]  # others as near may stand between copies
    if orders(step):
        for row in found["ranking"]:
            assert (np.diff(np.flatnonzero(np.isin(row, group))) == 1).all()


@every_case
@pytest.mark.parametrize("zero", [[2], [0, 1, 2], slice(None)])
def test_6_zero_rows_give_no_nan(step, settings, zero):
    data = {name: array.copy() for name, array in DATA.items()}
    for array in data.values():
        if array.dtype == np.float32:
            array[zero] = 0
    for name, array in call(step, data, settings).items():
        assert (np.isfinite(array) | ((array == np.inf) & (step in MASKS))).all(), name


@every_setting
def test_7_a_bad_setting_is_refused(step, name):
    for value in steps.bad_values(settings_of(step)[name]):
        with pytest.raises(ValueError, match=rf"^{name}: wanted .*got {re.escape(repr(value))}$"):
            call(step, DATA, {name: value})


@every_setting
def test_7_a_number_of_numpy_is_a_number(step, name):
    value = steps.other_values(step, name)[0]
    assert bits(call(step, DATA, {name: np.array([value])[0]})) == bits(call(step, DATA, {name: value}))


@pytest.mark.parametrize(
    ("step", "settings", "name"), [named(*case, name) for case in CASES for name in inputs(case[0])]
)
def test_7_bad_data_are_refused(step, settings, name):
    good = DATA[name]
    if good.dtype == np.float32:
        spoilt = [
            np.where(good == good.flat[-1], value, good.astype(np.float64))
            for value in (np.nan, -np.inf, np.inf, 1e300)
        ]
        bad = [*(spoilt[:2] if step in TAKE_INFINITY else spoilt), good[0], good[None]]
        strange = ["features.npy", good.astype(str), good + 1j]
    else:
        bad, strange = [good[:-1], good[:, None]], [good.astype(np.float32), good.astype(str)]
    for error, values in ((ValueError, bad), (TypeError, strange)):
        for value in values:
            with pytest.raises(error, match=rf"^{name}: wanted "):
                call(step, DATA | {name: value}, settings | together(step, name))


@every_setting
def test_8_every_setting_matters(step, name):
    values = [settings_of(step)[name].default, *steps.other_values(step, name)]
    found = [bits(call(step, DATA, {name: value, **together(step, name)})) for value in values]
    for (one, first), (other, second) in combinations(zip(values, found, strict=True), 2):
        assert first != second, f"{name}: {one} and {other} give the same"


@pytest.mark.parametrize(("step", "name"), [named(step, name) for step in STEPS for name in inputs(step)])
def test_8_every_input_matters(step, name):
    other = DATA | {name: np.roll(DATA[name], 1, axis=-1)}  # columns, because a set has no order of rows
    if other[name].ndim == 2:  # nor may it matter how all of a set are turned
        other[name] = other[name] * np.linspace(0.5, 1, other[name].shape[1], dtype=np.float32)
    assert bits(call(step, other, together(step, name))) != bits(call(step, DATA, together(step, name)))


@pytest.mark.parametrize(("step", "settings"), [named(*case) for case in CASES if orders(case[0])])
def test_9_ties_are_broken_by_gallery_row(step, settings):
    found = call(step, pick(DATA, ng=[4] * NG), settings)
    ranking = postproc.rank(found["distances"]) if "distances" in found else found["ranking"]
    wanted = np.tile(np.arange(ranking.shape[1]), (NQ, 1))
    if step in MASKS:
        wanted[np.isinf(found["distances"])] = -1
    assert_array_equal(ranking, wanted)


@every_step
def test_10_the_signature_says_what_the_pipeline_needs(step):
    parameters = inspect.signature(step).parameters.values()
    assert all(p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY) for p in parameters)
    assert set(inputs(step)) <= types.VOCABULARY.keys() - {"query_pid", "gallery_pid"}  # labels are for scoring
    for name, parameter in settings_of(step).items():
        assert parameter.default is not inspect.Parameter.empty, name
    returned = [field for hint in steps.declared(step) for field in steps.fields(hint)]
    assert set(returned) <= {"features", "query", "gallery", "distances", "ranking", "nearest", *LABELS}
    assert step.__name__ in postproc.__all__
