"""Clusters at any threshold are those of the steps, and thresholds are found honestly."""

import numpy as np
import pytest

import postproc
from ensemble.base.errors import InputError
from ensemble.clusters import fitting
from ensemble.clusters.answers import Fit, answers
from ensemble.clusters.doubts import held_by, in_doubt
from ensemble.clusters.finder import Finder, count
from ensemble.clusters.fitting import Rule, fitted, half
from ensemble.clusters.how import METHODS, How
from ensemble.clusters.one_set import OneSet, nearest_of
from ensemble.scores.clusters import score
from postproc.clusters.known_pairs import given
from tests.support.each import each
from tests.support.herds import cosine, herd, passers, same

HERD = herd(noise=0.45)
FAR = cosine(HERD["features"])


@pytest.fixture(autouse=True)
def fewer_candidates(monkeypatch):
    """Fewer thresholds, which a herd this small does not need, are tried sooner."""
    monkeypatch.setattr(fitting, "CANDIDATES", 50)


def one_set(far, pid, columns=None, **links):
    names = [f"{row:04d}.png" for row in range(len(pid))]
    return OneSet(names, given("d", far), np.asarray(pid), columns or {}, **links)


SET = one_set(FAR, HERD["pid"])
LISTS = one_set(nearest_of(FAR, 20), HERD["pid"])


def how(method, **settings):
    return How(METHODS[method].name, {**METHODS[method].settings, **settings})


@each(
    ("method", "settings"),
    [
        ("average", {}), ("complete", {}), ("single", {}), ("union", {}), ("components", {"k": 3}),
        ("dbscan", {"min_samples": 3}),
    ],
)  # fmt: skip
def test_as_the_step_gives_them(method, settings):
    chosen = how(method, **settings)
    step = getattr(postproc, chosen.step)
    for images, value in ((SET, FAR), (LISTS, nearest_of(FAR, 20))):
        finder = Finder(images, chosen)
        for threshold in (0.05, 0.2, 0.4):
            wanted = step(value, **{**chosen.settings, chosen.threshold: threshold}, symmetric="mean")
            if images is LISTS and method in (
                "average",
                "complete",
            ):  # what is missing counts as far as the farthest
                wanted = step(
                    value, **chosen.settings, threshold=threshold, far=_farthest(value), symmetric="mean"
                )
            assert (finder.at(threshold) == wanted).all(), (method, threshold)


def _farthest(lists):
    return float(lists.distances.max())


def test_some_images_are_a_set_of_their_own():
    rows = np.random.default_rng(0).permutation(len(FAR))[:70]
    for images in (SET, LISTS):
        part = images.take(rows)
        assert part.images == 70
        assert (part.pid == HERD["pid"][rows]).all()
    alone = one_set(FAR[np.ix_(rows, rows)], HERD["pid"][rows])
    assert (Finder(SET.take(rows), how("average")).at(0.3) == Finder(alone, how("average")).at(0.3)).all()


@each("method", ["average", "complete", "single", "union", "dbscan", "components"])
def test_about_so_many_clusters(method):
    for wanted in (5, 40, 90):
        found, threshold = Finder(SET, how(method)).number(wanted)
        if method != "dbscan":
            assert abs(count(found) - wanted) <= 1
            assert (Finder(SET, how(method)).at(threshold) == found).all()
        else:
            assert count(found) <= wanted or threshold >= 0


@each("measure", ["ami", "ari", "pairs", "bcubed"])
def test_a_fitted_threshold_finds_the_herd(measure):
    found = fitted(SET, how("average"), measure, folds=2, seed=0, where="here")
    clusters = Finder(SET, how("average")).at(found.distance)
    assert score(HERD["pid"], clusters).values["ami"] > 0.9
    assert 0.8 < found.held_out <= 1.0
    assert "60 identities in here" in found.about


def test_a_long_tail_of_animals_that_are_seen_once():
    """One to 200 images an identity, and most have one or two."""
    wild = herd(seed=5, people=120, largest=200, noise=0.4)
    sizes = np.bincount(wild["pid"])
    assert (sizes.max(), np.median(sizes), (sizes == 1).sum()) == (200, 2, 55)
    images = one_set(cosine(wild["features"]), wild["pid"])
    found = fitted(images, how("average"), "ami", folds=2, seed=0, where="here")
    assert score(wild["pid"], Finder(images, how("average")).at(found.distance)).values["ami"] > 0.9


def test_what_is_held_out_is_not_fitted_on():
    """Labels that are drawn: the best threshold has something to show for it, and nothing on others."""
    drawn = one_set(FAR, np.random.default_rng(0).integers(0, 60, len(FAR)))
    found = fitted(drawn, how("average"), "ami", folds=2, seed=0, where="here")
    assert found.best > found.held_out
    assert abs(found.held_out) < 0.05


def test_images_of_unknown_identity_are_clustered_and_not_fitted_on():
    pid = HERD["pid"].copy()
    pid[::3] = -1
    part = one_set(FAR, pid)
    found = answers(
        part, how("average"), {"": Rule("ami")}, parts={"": np.arange(part.images)}, fit=Fit(), drawn={}
    )
    assert len(found.parts[0].clusters) == len(pid)
    assert found.parts[0].scores.unknown == len(pid[::3])
    assert score(HERD["pid"], found.parts[0].clusters).values["ami"] > 0.9


def test_a_chance_of_one_half():
    threshold = half(SET)
    pairs = SET.known.pairs()
    near = np.abs(pairs.distances - threshold) < 0.05
    right = HERD["pid"][pairs.left[near]] == HERD["pid"][pairs.right[near]]
    assert 0.05 < threshold < 0.6
    assert score(HERD["pid"], Finder(SET, how("average")).at(threshold)).values["ami"] > 0.8
    assert len(right)


def test_too_few_identities():
    few = SET.take(np.flatnonzero(HERD["pid"] < 3))
    with pytest.raises(InputError, match="--fit: wanted 4 identities or more in here for 2 folds, found 3"):
        fitted(few, how("average"), "ami", folds=2, seed=0, where="here")


def test_sets_have_thresholds_of_their_own():
    far = FAR.copy()
    rows = {"near": np.arange(0, len(far), 2), "wide": np.arange(1, len(far), 2)}
    far[np.ix_(rows["wide"], rows["wide"])] *= 3
    whole = one_set(far, HERD["pid"])
    found = answers(whole, how("average"), {"": Rule("ami")}, parts=rows, fit=Fit(), drawn={})
    near, wide = (part.threshold.distance for part in found.parts)
    assert 2 < wide / near < 4
    assert found.mean.values["ami"] == pytest.approx(np.mean([part.scores.values["ami"] for part in found.parts]))
    fixed = answers(
        whole, how("average"), {"near": Rule("given", 0.3), "wide": Rule("number", 20)}, parts=rows, fit=Fit()
    )
    assert fixed.parts[0].threshold.distance == 0.3
    assert fixed.parts[1].count == 20


@each(
    ("rules", "message"),
    [
        ({"naer": Rule("given", 0.3), "": Rule("ami")}, "found 'naer'; did you mean 'near'"),
        ({"near": Rule("given", 0.3)}, "wanted one for every data set, found none for wide"),
    ],
)
def test_rules_for_other_sets(rules, message):
    rows = {"near": np.arange(0, 20), "wide": np.arange(20, 40)}
    with pytest.raises(InputError) as caught:
        answers(SET, how("average"), rules, parts=rows, fit=Fit())
    assert message in "\n".join(caught.value.problems).replace(" (did you mean 'near'?)", "; did you mean 'near'")


WORLD = passers()
TIMES = {name: WORLD[name] for name in ("cam", "track", "frame")}


@each("method", ["average", "complete", "union"])
def test_links_hold(method):
    """One vehicle in two cameras said to be two, and two vehicles that never meet said to be one."""
    far = cosine(WORLD["features"])
    first = {(pid, cam): int(np.flatnonzero((WORLD["pid"] == pid) & (WORLD["cam"] == cam))[0])
             for pid in (0, 9) for cam in (0, 1)}  # fmt: skip
    must, cannot = np.array([[first[0, 0], first[9, 1]]]), np.array([[first[0, 0], first[0, 1]]])
    clusters = Finder(one_set(far, WORLD["pid"], TIMES, must=must, cannot=cannot), how(method)).at(0.2)
    assert clusters[first[0, 0]] == clusters[first[9, 1]] >= 0
    assert clusters[first[0, 0]] != clusters[first[0, 1]]
    track = WORLD["track"] == WORLD["track"][first[0, 0]]
    assert len(set(clusters[track].tolist())) == 1


def test_links_that_go_against_times_are_named():
    images = one_set(np.full((2, 2), 0.1), [-1, -1], {
        "cam": np.zeros(2, int), "track": np.arange(2), "frame": np.zeros(2, int),
    }, must=np.array([[0, 1]]))  # fmt: skip
    with pytest.raises(InputError, match=r"0000.png and 0001.png; take one of them back"):
        Finder(images, how("union")).at(0.5)


def test_times_tell_apart_in_linkage_too():
    images = one_set(cosine(WORLD["features"]), WORLD["pid"], TIMES)
    assert same(Finder(images, how("average")).at(0.2), WORLD["pid"])


def test_what_holds_and_what_is_in_doubt():
    at = np.array([0.0, 0.1, 0.3, 1.0, 1.1, 5.0])
    images = one_set(np.abs(at[:, None] - at), [-1] * 6)
    found = answers(images, how("single"), {"": Rule("given", 0.2)}, parts={"": np.arange(6)}, fit=Fit())
    part = found.parts[0]
    assert part.clusters.tolist() == [0, 0, 0, 1, 1, -1]
    held = held_by(part)
    assert [(pair.one, pair.other, round(pair.distance, 2)) for pair in held[0]] == [(1, 2, 0.2), (0, 1, 0.1)]
    doubt = [(pair.one, pair.other, pair.together) for pair in in_doubt(part)]
    assert doubt == [(1, 2, True), (2, 3, False), (3, 4, True), (4, 5, False), (2, 5, False)]
    answered = one_set(np.abs(at[:, None] - at), [-1] * 6, must=np.array([[1, 2]]), cannot=np.array([[2, 3]]))
    found = answers(answered, how("single"), {"": Rule("given", 0.2)}, parts={"": np.arange(6)}, fit=Fit())
    again = [(pair.one, pair.other) for pair in in_doubt(found.parts[0])]
    assert not {(1, 2), (2, 3)} & set(again)


def test_nobody_is_judged_by_a_threshold_that_was_fitted_on_them(monkeypatch):
    fitted_on, judged = [], []
    best, value = fitting.best, fitting.value

    def noted_best(images, how, measure):
        fitted_on.append(set(images.pid.tolist()))
        return best(images, how, measure)

    def noted_value(measure, pid, clusters):
        judged.append(set(pid.tolist()))
        return value(measure, pid, clusters)

    monkeypatch.setattr(fitting, "best", noted_best)
    fitted(SET, how("average"), "ami", folds=3, seed=0, where="here")
    whole, *others = fitted_on
    monkeypatch.setattr(fitting, "value", noted_value)
    monkeypatch.setattr(fitting, "best", lambda images, how, measure: (0.3, 1.0))
    fitted(SET, how("average"), "ami", folds=3, seed=0, where="here")
    assert whole == set(HERD["pid"].tolist()) == set().union(*judged)
    assert len(others) == len(judged) == 3
    for mine, theirs in zip(others, judged, strict=True):
        assert not mine & theirs
