"""Joins against what the original implementations return."""

import re

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from ensemble import fusion
from ensemble.fusion import scaled, weighted_sum
from postproc import rank
from tests.support import golden


@pytest.fixture(scope="module")
def ranx(shared):
    """The outputs, and every model's list of its best ``top`` images as distances."""
    found = golden.load(shared, "ranx_fusion")
    listed = []
    for number in (1, 2, 3):
        d = -found[f"score{number}"]
        listed.append(np.where(fusion.places(d) < int(found["top"]), d, np.float32(np.nan)))
    return found, listed


def candidates(listed):
    """(nq, n) bool: in any list; and (nq, 1) how many."""
    known = ~np.isnan(listed).all(axis=0)
    return known, known.sum(axis=1, keepdims=True)


def weights_in(key):
    text = re.search(r"_w([\d.]+)_([\d.]+)_([\d.]+)$", key)
    return [float(x) for x in text.groups()] if text else None


NORMS = {"min-max": "min-max", "sum": "sum", "zmuv": "z-score", "rank": "rank"}


def score(key, d):
    """A key of the file -> our distances turned into the score it holds; None: not offered, see below."""
    weights = weights_in(key)
    method, _, norm = re.sub(r"_w[\d._]+$", "", key).partition("_")
    if key.startswith(("rrf", "rbc")):
        number = float(re.search(r"[\d.]+$", key)[0])
        if key.startswith("rrf"):
            return -fusion.reciprocal_rank_fusion(d, k=number)
        return -fusion.rank_biased_centroid(d, phi=number)
    if key in ("isr", "log_isr"):
        return -fusion.inverse_square_rank(d, hits="count" if key == "isr" else "log")
    borda = fusion.borda(d, weights=weights).astype(np.float64)
    count, whole = candidates(d)[1], sum(weights or [1] * len(d))
    if "bordafuse" in key:
        return whole * count - borda
    if key.startswith("comb_"):
        method, norm = key[5:].split("_", 1)
    if norm == "borda":  # Borda's points over the candidates; every one of them is a hit in every list
        return (whole - borda / count) * (len(d) if method == "mnz" else 1)
    if norm not in NORMS:
        return None
    scaling = NORMS[norm]
    if method == "mnz":
        return -fusion.comb_mnz(d, scaling=scaling)
    if method in ("max", "min", "med"):
        join = {"max": fusion.smallest, "min": fusion.largest, "med": fusion.median}[method]
        return 1.0 - join(d, scaling=scaling, missing="known")
    if method == "anz":
        return 1 - weighted_sum(d, scaling=scaling, missing="mean") / len(d)
    assert method in ("sum", "wsum")
    if scaling in ("sum", "z-score"):
        return -weighted_sum(d, weights=weights, scaling=scaling, missing="none")
    return whole - weighted_sum(d, weights=weights, scaling=scaling, missing="worst").astype(np.float64)


def test_every_way_of_ranx(ranx):
    found, listed = ranx
    known, _ = candidates(listed)
    seen = set()
    for key, wanted in found.items():
        if wanted.shape != known.shape or key.startswith(("score", "norm")):
            continue
        assert_array_equal(np.isnan(wanted), ~known)
        mine = score(key, listed)
        if mine is None:
            seen.add(key)
        else:
            assert_allclose(np.asarray(mine)[known], wanted[known], rtol=1e-6, atol=1e-6, err_msg=key)
    assert seen == {"comb_sum_none", "comb_sum_max", "comb_sum_min-max-inverted"}


def test_what_of_ranx_is_not_offered(ranx):
    found, listed = ranx
    known, _ = candidates(listed)
    #  Without a norm an image that a list lacks scores 0, better than all others here, whose scores are below 0.
    with pytest.raises(ValueError, match='missing: wanted "none" only with'):
        weighted_sum(listed, missing="none")
    zeros = -weighted_sum([np.nan_to_num(d) for d in listed])
    assert_allclose(zeros[known], found["comb_sum_none"][known], rtol=1e-6, atol=1e-6)
    once = np.isnan(listed).sum(axis=0) == 2
    assert found["comb_sum_none"][once].mean() > found["comb_sum_none"][known & ~once].mean()
    #  Inverted min-max is for scores of which small ones are good; on scores it rewards the far images.
    turned = weighted_sum([np.nan_to_num(scaled(d, "min-max")) for d in listed])
    assert_allclose(turned[known], found["comb_sum_min-max-inverted"][known], rtol=1e-6, atol=1e-6)
    #  Scores below 0 are divided by 1e-9 where the largest should be; distances by their largest stay in 0..1.
    assert np.nanmin(found["comb_sum_max"]) < -1e7
    assert_allclose(np.nanmax(scaled(listed[0], "row-max"), axis=1), 1)


def test_norms_of_ranx(ranx):
    found, (one, *_) = ranx
    turned = {"min-max": lambda d: 1 - d, "rank": lambda d: 1 - d, "min-max-inverted": lambda d: d}
    checked = 0
    for key, wanted in found.items():
        text = re.fullmatch(r"norm_(.+)_model1", key)
        if text and text[1] != "max":
            scaling = NORMS.get(text[1], "min-max")
            mine = turned.get(text[1], np.negative)(scaled(one, scaling))
            assert_array_equal(np.isnan(mine), np.isnan(wanted))
            assert_allclose(mine, wanted, rtol=1e-6, atol=1e-6, err_msg=key)
            checked += 1
    assert checked


def test_released_query_adaptive_fusion(shared):
    found = golden.load(shared, "s2_fusion")
    order = np.ix_(found["row_order_of_text"], found["col_order_of_text"])
    parts = [part[order] for part in (found["dist_rank"], -found["sim_mhn"], found["dist_mgn"])]
    (key,) = [key for key in found if key.startswith("weights_")]
    references, top = map(int, re.search(r"ref(\d+)_top(\d+)", key).groups())
    weights = fusion.released_weights(parts[1:], references=references, top=top, similarities=[True, False])
    assert_allclose(weights, found[key], rtol=0, atol=1e-6)
    (key,) = [key for key in found if key.startswith("fused_") and key.endswith("text_order")]
    main = float(key.split("_")[1])
    settings = {"main": main, "references": references, "top": top, "similarities": [False, True, False]}
    fused = fusion.released_query_adaptive(parts, **settings)
    assert_allclose(fused, found[key], rtol=0, atol=1e-6)
    rows = found["col_order_of_text"][rank(fused, top_k=200)]
    assert_array_equal(rows, found["fused_top200_gallery_row"])


def test_calibration_of_wildfusion(shared):
    found = golden.load(shared, "wildfusion_calibration")
    methods = {"isotonic": "isotonic", "isotonic_nointerp": "isotonic-steps", "logistic": "logistic"}
    joined = {"isotonic": [], "logistic": []}
    for m in (1, 2, 3):
        for name, method in methods.items():
            likely = fusion.calibration(found[f"cal_scores_m{m}"], found["cal_hits"], method=method)
            tolerance = 1e-4 if method == "logistic" else 1e-5
            for points in ("scores", "grid"):
                key = f"{name}_grid_m{m}" if points == "grid" else f"{name}_m{m}"
                if key in found:
                    mine = likely(found[f"{points}_m{m}"])
                    assert_allclose(mine, found[key], rtol=0, atol=tolerance, err_msg=key)
            if name in joined:
                joined[name].append(likely(found[f"scores_m{m}"]))
    for name, parts in joined.items():
        assert_allclose(
            np.mean(parts, axis=0), found[f"mean_of_3_{name}"], rtol=0, atol=1e-5 if name == "isotonic" else 1e-4
        )
