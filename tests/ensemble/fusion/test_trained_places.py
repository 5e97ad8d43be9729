"""Joins that learn what a place is worth: ranx's numbers, the formulas in loops, by hand, and what is refused."""

from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from ensemble import fusion
from ensemble.fusion import PlaceModel, hit_lists, join_lists, parts
from ensemble.submissions import from_matrix
from postproc import rank
from postproc.base import runtime
from tests.support.each import each

NAN, INF = np.nan, np.inf
FILE = Path(__file__).parents[2] / "data" / "ranx_trained.npz"  # by make_ranx_trained.py beside it
WAYS = [  # of ranx, ours, settings
    ("pos", "pos_fuse", {}),
    *((f"slide_{window}", "slide_fuse", {"window": window}) for window in (0, 1, 6)),
    *((f"prob_{segments}", "prob_fuse", {"segments": segments}) for segments in (1, 4, 25)),
    ("seg", "seg_fuse", {}),
    ("bayes", "bayes_fuse", {}),
]
JOINS = sorted({name for _, name, _ in WAYS})


def cut(scores: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """Lists of so many images as distances, NaN behind the last."""
    return np.where(fusion.places(-scores) < lengths[:, None], -scores, np.float32(NAN))


@pytest.fixture(scope="module")
def ranx() -> tuple[dict, list, list]:
    """What ranx gives, the lists to be joined, and the hit lists of the labelled ones."""
    found = dict(np.load(FILE))
    asked = [cut(*one) for one in zip(found["scores"], found["lengths"], strict=True)]
    learned = []
    for far in (cut(*one) for one in zip(found["train_scores"], found["train_lengths"], strict=True)):
        rows = rank(np.where(np.isnan(far), np.float32(INF), far))
        hits = np.take_along_axis(found["relevant"], np.maximum(rows, 0), axis=1)
        learned.append(np.where(rows < 0, -1, hits))
    return found, asked, learned


@each(("key", "name", "settings"), WAYS)
def test_the_numbers_of_ranx(ranx, key, name, settings):
    found, asked, learned = ranx
    wanted = found[key]
    known = ~np.isnan(wanted)
    mine = fusion.AFTER[name](asked, learned, **settings)
    assert_array_equal(known, ~np.isnan(asked).all(axis=0))
    assert_allclose(-mine[known], wanted[known], rtol=1e-6, atol=1e-6)


def test_mapfuse_is_reciprocal_ranks_by_map(ranx):
    found, asked, _ = ranx
    mine = fusion.reciprocal_rank_fusion(asked, k=0, weights=found["map_scores"].tolist())
    known = ~np.isnan(found["map"])
    assert_allclose(-mine[known], found["map"][known], rtol=1e-6)


def by_loops(name: str, far: list, hits: list, *, segments: int = 25, window: int = 6) -> np.ndarray:
    """The definitions, an image at a time; 0 for what no list names."""
    ends = {
        "bayes_fuse": [0, 5, 10, 15, 20, 30, 100, 200, 500, 1000],
        "seg_fuse": [0, *(10 * 2**k - 5 for k in range(10))],
    }
    total = np.zeros(far[0].shape)

    def odds(p: float) -> float:
        return np.log(max(p, 0.001) / max(1 - max(p, 0.001), 0.001))

    for part, lists in zip(far, hits, strict=True):
        lists = [[hit for hit in row if hit >= 0] for row in lists.tolist()]

        def at(place: int, lists: list = lists) -> float:
            reached = [row[place] for row in lists if len(row) > place]
            return sum(reached) / len(reached) if reached else 0.0

        def between(first: int, last: int, lists: list = lists) -> float:
            return sum(sum(row[first:last]) / (last - first) for row in lists) / len(lists)

        def share(k: int, lists: list = lists) -> float:
            cells = [row[k * -(-len(row) // segments) :][: -(-len(row) // segments)] for row in lists]
            return sum(sum(cell) / len(cell) if cell else 0 for cell in cells) / len(lists)

        for query, row in enumerate(part):
            listed = [column for column in np.argsort(row, kind="stable").tolist() if np.isfinite(row[column])]
            for column in range(len(row)):
                if name == "bayes_fuse" and column not in listed:
                    total[query, column] += odds(0)
            for place, column in enumerate(listed):
                if name == "pos_fuse":
                    score = at(place)
                elif name == "slide_fuse":
                    around = range(max(place - window, 0), min(place + window, len(listed) - 1) + 1)
                    score = sum(map(at, around)) / len(around)
                elif name == "prob_fuse":
                    k = place // -(-len(listed) // segments)
                    score = share(k) / (k + 1)
                else:
                    edges = ends[name]
                    k = int(np.searchsorted(edges, place, "right")) - 1
                    p = between(edges[k], edges[k + 1]) if k + 1 < len(edges) else 0.0
                    near = np.nanmax(row) - row[column], np.nanmax(row) - np.nanmin(row)
                    score = odds(p) if name == "bayes_fuse" else p * (1 + (near[0] / near[1] if near[1] else 1))
                total[query, column] += score
    return -total


def drawn(seed: int) -> tuple[list, list]:
    """Lists of 0 to 45 of 60 images with equal distances among them, and hit lists of 0 to 30 places."""
    rng = np.random.default_rng(seed)
    far = [rng.integers(0, 12, (5, 60)).astype(np.float32) for _ in range(3)]
    for part in far:
        part[rng.random(part.shape).argsort(axis=1) >= rng.integers(0, 46, 5)[:, None]] = NAN
    hits = [(rng.random((6, 30)) < 0.3).astype(np.int8) for _ in far]
    for lists in hits:
        lists[np.arange(30) >= rng.integers(0, 31, 6)[:, None]] = -1
    return far, hits


@each("name", JOINS)
@each("seed", [0, 1, 2])
def test_the_definitions(name, seed):
    far, hits = drawn(seed)
    settings = {"prob_fuse": {"segments": 7}, "slide_fuse": {"window": 3}}.get(name, {})
    known = ~np.isnan(far).all(axis=0)
    mine = fusion.AFTER[name](far, hits, **settings)
    assert_allclose(mine[known], by_loops(name, far, hits, **settings)[known], rtol=1e-5, atol=1e-6)


def test_by_hand_from_ranking_to_answer():
    # people 1 and 2 ask, of whom the gallery has rows 0, 3 and row 1; row 2 is of 5; 9 is nobody of the gallery
    ranking = np.array([[0, 2, 3, -1], [2, 1, 0, 3], [0, 1, 2, 3]])
    hits = hit_lists(ranking, np.array([1, 2, 9]), np.array([1, 2, 5, 1]))
    assert hits.tolist() == [[1, 0, 1, -1], [0, 1, 0, 0]]
    #                          P = 1/2, 1/2, 1/2, 0 of 1
    other = np.array([[1, 0], [1, 0]])  # P = 1, 0
    # places 1 2 3 4 of the first, 2 1 - - of the second
    far = [np.array([[1, 2, 3, 4]], np.float32), np.array([[8, 7, NAN, NAN]], np.float32)]
    assert fusion.pos_fuse(far, [hits, other]).tolist() == [[-0.5, -1.5, -0.5, -0]]
    # around 1 place: (1/2 + 1/2) / 2, 1/2, (1/2 + 1/2 + 0) / 3, 1/4; of two places all are around: 1/2
    assert_allclose(fusion.slide_fuse(far, [hits, other], window=1), [[-1, -1, -1 / 3, -1 / 4]])
    # halves: of the first 1 0 | 1 and 0 1 | 0 0, so that P = 1/2 and (1 + 0) / 2; of the second 1 | 0, P = 1, 0
    assert_allclose(fusion.prob_fuse(far, [hits, other], segments=2), [[-0.5, -1.5, -0.25, -0.25]])
    # 3 hits and 2 hits in 2 times 5 places; scores 1, 2/3, 1/3, 0 and 0, 1
    assert_allclose(
        fusion.seg_fuse(far, [hits, other]),
        [[-0.3 * 2 - 0.2, -0.3 * 5 / 3 - 0.4, -0.3 * 4 / 3, -0.3]],
        rtol=1e-6,
    )
    odds, least = np.log([0.3 / 0.7, 0.2 / 0.8]), np.log(0.001 / 0.999)
    assert_allclose(fusion.bayes_fuse(far, [hits, other]), [[-odds.sum()] * 2 + [-odds[0] - least] * 2], rtol=1e-6)


def test_hit_lists_leave_out_what_scores_leave_out():
    pid, cam = np.array([1, 2, -1]), np.array([0, 0, 0])
    gallery_pid, gallery_cam = np.array([1, 1, -1, 2, 7]), np.array([0, 1, 1, 0, 1])
    ranking = np.tile(np.arange(5), (3, 1))
    plain = hit_lists(ranking, pid, gallery_pid)
    assert plain.tolist() == [[1, 1, 0, 0, -1], [0, 0, 1, 0, -1]]  # -1 is nobody; who is nobody does not ask
    # image 0 is of 1 in its own camera; 2 has no image in another camera: no list
    assert hit_lists(ranking, pid, gallery_pid, cam, gallery_cam).tolist() == [[1, 0, 0, -1, -1]]
    # an unknown camera leaves nothing out
    unknown = hit_lists(ranking, pid, gallery_pid, np.array([-1, -1, 0]), gallery_cam)
    assert_array_equal(unknown, plain)
    # a list that names nothing says so; a match that is not named counts as there
    nothing = hit_lists(np.array([[-1, -1], [4, -1]]), pid[:2], gallery_pid)
    assert nothing.tolist() == [[-1, -1], [0, -1]]
    with pytest.raises(ValueError, match="gallery_cam: wanted cameras of both sides or of neither"):
        hit_lists(ranking, pid, gallery_pid, cam)
    with pytest.raises(ValueError, match="query_pid: wanted 3 identities, one a row of the ranking, got 2"):
        hit_lists(ranking, pid[:2], gallery_pid)


@each("name", JOINS)
def test_laws(name, monkeypatch):
    join, (far, hits) = fusion.AFTER[name], drawn(5)
    far[1][0, 3] = INF  # a rule, whatever others say
    before = [part.copy() for part in (*far, *hits)]
    with runtime.using(threads=1):
        wanted = join(far, hits)
    assert all(np.array_equal(a, b, equal_nan=True) for a, b in zip((*far, *hits), before, strict=True))
    assert wanted.dtype == np.float32
    assert np.isposinf(wanted).sum() == 1
    nobody = np.isnan(far).all(axis=0)
    farthest = np.where(nobody | np.isinf(wanted), -INF, wanted).max(axis=1, keepdims=True)
    assert (wanted > farthest)[nobody].all()
    with runtime.using(threads=2):
        monkeypatch.setattr(parts, "ENTRIES", 120)  # two rows at a time
        assert join(far, hits).tobytes() == wanted.tobytes()
    assert join([part[2:4] for part in far], hits).tobytes() == wanted[2:4].tobytes()
    unlike = [np.random.default_rng(m).random((3, 40)).astype(np.float32) for m in range(3)]
    order = np.random.default_rng(1).permutation(40)
    assert_allclose(join([part[:, order] for part in unlike], hits), join(unlike, hits)[:, order], rtol=1e-6)
    assert join([np.zeros((0, 4), np.float32)] * 3, hits).shape == (0, 4)
    assert np.isfinite(join([np.zeros((2, 1), np.float32)] * 3, hits)).all()
    with pytest.raises(ValueError, match=r"found that part 1 lacks \d+, "):
        join(far, hits, missing="refuse")


@each("name", JOINS)
def test_a_model_that_was_saved_joins_lists_as_the_join_joins_matrices(name, tmp_path):
    far, hits = drawn(7)
    rows = [rank(np.where(np.isnan(part), np.float32(INF), part)) for part in far]
    sorted_far = [np.take_along_axis(part, np.maximum(row, 0), 1) for part, row in zip(far, rows, strict=True)]
    queries, images = [f"q{i}" for i in range(5)], [f"g{i:02d}" for i in range(60)]
    lists = [from_matrix(row, queries, images, part) for row, part in zip(rows, sorted_far, strict=True)]
    model = PlaceModel.learn(name.removesuffix("_fuse"), dict(zip("abc", hits, strict=True)))
    model.save(tmp_path / "model.npz")
    loaded = PlaceModel.load(tmp_path / "model.npz")
    assert_array_equal(loaded.chances, model.chances)
    wanted = fusion.AFTER[name](far, hits)
    assert loaded.join(far).tobytes() == wanted.tobytes()
    found = join_lists(lists, loaded.join)
    assert_allclose(found.distances, wanted[found.query_of, found.rows], rtol=1e-6, atol=1e-6)
    assert len(found.rows) == (~np.isnan(far).all(axis=0)).sum()
    again = loaded.of("ca").join([far[2], far[0]])
    assert again.tobytes() == fusion.AFTER[name]([far[2], far[0]], [hits[2], hits[0]]).tobytes()


def test_what_is_refused(tmp_path):
    far, hits = drawn(0)
    for wrong, message in [
        ([hits[0], hits[1], hits[2] + 2], r"wanted lists of 1 for a hit, 0 for a miss .* for part 3"),
        ([hits[0], hits[1][0], hits[2]], r"got shape \(30,\) of int8 for part 2"),
        ([hits[0], hits[1], hits[2][:0]], r"got shape \(0, 30\)"),
        ([hits[0], np.array([[1, -1, 0]]), hits[2]], "found it inside for part 2"),
        (hits[:2], "train_hit_lists: wanted those of each of 3 parts, found none for part 3; give them"),
        (hits[:0], "train_hit_lists: wanted those of each of 3 parts, found none for part 1, 2, 3; give them"),
        ([*hits, hits[0]], "train_hit_lists: wanted those of each of 3 parts, found 4 for 3 parts; give them"),
    ]:
        with pytest.raises(ValueError, match=message):
            fusion.pos_fuse(far, wrong)
    with pytest.raises(ValueError, match="segments: wanted "):
        fusion.prob_fuse(far, hits, segments=0)
    with pytest.raises(ValueError, match="method: wanted one of bayes, pos, "):
        PlaceModel.learn("condorcet", hits)  # type: ignore[arg-type]
    model = PlaceModel.learn("pos", {"net": hits[0], "old": hits[1]})
    with pytest.raises(ValueError, match=r"\(net, old\), got 3: part 3 is of no model$"):
        model.join(far)
    with pytest.raises(ValueError, match=r"\(net, old\), got 1: none of old$"):
        model.join(far[:1])
    with pytest.raises(ValueError, match="names: wanted some of 0, 1, 2, got net"):
        PlaceModel.learn("pos", hits).of(["net"])
    np.savez(tmp_path / "other.npz", chances=np.zeros(3))
    with pytest.raises(
        ValueError, match=r"other.npz: wanted what PlaceModel.save has written, found another file"
    ):
        PlaceModel.load(tmp_path / "other.npz")
