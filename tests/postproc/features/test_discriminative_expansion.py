"""Normals of separating planes: by hand, against a support vector machine, against the released function."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.svm import SVC

from postproc import discriminative_expansion, l2_normalize
from postproc.kernels import reference
from tests.support.each import each
from tests.support.worlds import cubes, lattices, world


def definition(images, bank, k, negatives, among_themselves=False):
    """(n, d): a machine without errors between each image with its k nearest and the farthest of the bank."""
    images, bank = reference.basic.unit(images), reference.basic.unit(bank)
    far = reference.basic.sqeuclidean(images, bank)
    out = []
    for i, x in enumerate(images):
        order = [j for j in np.argsort(far[i], kind="stable") if not (among_themselves and j == i)]
        samples = np.vstack([x, bank[order[:k]], bank[order[-negatives:]]])
        machine = SVC(kernel="linear", C=1e6, tol=1e-7).fit(samples, np.arange(len(samples)) <= k)
        out.append(machine.coef_[0])
    return reference.basic.unit(np.stack(out))


def test_by_hand():
    query = np.array([[2, 0]], np.float32)
    gallery = np.array([[0.6, 0.8], [0.6, -0.8], [-0.6, 0.8], [-0.8, -0.6], [0, -1]], np.float32)
    # (1, 0), (0.6, 0.8), (0.6, -0.8) against (-0.8, -0.6), (-0.6, 0.8): the sides x = 0.6 and the one on the left
    # are nearest to each other at (0.6, 0.8) and (-0.6, 0.8), the height of both
    found, same = discriminative_expansion(query, gallery, k=2, negatives=2)
    assert_allclose(found, [[1, 0]], atol=1e-5)
    assert_array_equal(same, gallery)
    # of one image each: from the farthest to the query, (1, 0) - (-0.8, -0.6), is met first by (0.6, -0.8) now
    found, _ = discriminative_expansion(query, gallery[[1, 3]], k=1, negatives=1)
    # the segment from (1, 0) to (0.6, -0.8) is nearest to (-0.8, -0.6) at its end: (1.4, -0.2) over its length
    assert_allclose(found, [np.array([1.4, -0.2]) / np.sqrt(2)], atol=1e-5)


@each(("k", "negatives"), [(1, 1), (3, 10), (8, 20), (1, 40)])
def test_equals_the_definition(k, negatives):
    data = world(ng=60, d=48)
    query, gallery = data["query"], np.delete(data["gallery"], [0, 5, 17], axis=0)
    found, _ = discriminative_expansion(query, gallery, k=k, negatives=negatives)
    assert_allclose(found, definition(query, gallery, k, negatives), atol=2e-5)
    _, found = discriminative_expansion(query, gallery, k=k, negatives=negatives, expand="gallery")
    assert_allclose(found, definition(gallery, gallery, k, negatives, among_themselves=True), atol=2e-5)


@settings(max_examples=30)
@given(
    query=cubes(st.integers(1, 4), (1.0, 2.0)),
    gallery=lattices(st.integers(1, 15), 4).map(lambda x: x + np.float32(0.5)),
    k=st.integers(1, 6),
    negatives=st.integers(0, 20),
)
def test_separates_what_can_be_separated(query, gallery, k, negatives):
    """Ties and copies abound. Where the farthest are farther than the nearest, the plane is between them."""
    for expand in ("query", "gallery"):
        sides = discriminative_expansion(query, gallery, k=k, negatives=negatives, expand=expand)
        found, images = (sides[0], query) if expand == "query" else (sides[1], gallery)
        assert np.isfinite(found).all()
        unit, bank = l2_normalize(images), l2_normalize(gallery)
        d = reference.basic.sqeuclidean(unit, bank)
        for i, normal in enumerate(found):
            others = [j for j in np.argsort(d[i], kind="stable") if not (expand == "gallery" and j == i)]
            near, far = others[:k], others[k:][-negatives:] if negatives else []
            if far and d[i, near].max() < d[i, far].min() - 1e-3:
                assert min(bank[near] @ normal) > max(bank[far] @ normal) - 1e-6
                assert unit[i] @ normal > max(bank[far] @ normal) - 1e-6
            elif not far:
                assert_array_equal(normal, images[i])


def test_what_cannot_be_separated_stays():
    copies = np.tile(np.array([[3, 4]], np.float32), (6, 1))
    query, gallery = discriminative_expansion(copies, copies, k=2, negatives=3)
    assert_allclose(query, np.tile([0.6, 0.8], (6, 1)), rtol=1e-6)
    query, gallery = discriminative_expansion(copies, copies, k=2, negatives=3, expand="gallery")
    assert_allclose(gallery, np.tile([0.6, 0.8], (6, 1)), rtol=1e-6)


@each(("k", "negatives"), [(3, 10), (8, 20)])
def test_released(shared, k, negatives):
    golden = np.load(shared / "golden" / "qe_zoo.npz")
    query, _ = discriminative_expansion(golden["q"], golden["g"], k=k, negatives=negatives)
    wanted = golden[f"sim__dqe__kqe={k}_neg={negatives}"]
    assert_allclose(query @ golden["g"].T, wanted, rtol=0, atol=1e-5)


def test_released_both_sides(shared):
    """Theirs counts the image itself in the gallery, and expands the queries from the gallery as it was."""
    golden = np.load(shared / "golden" / "qe_zoo.npz")
    query, gallery = discriminative_expansion(golden["q"], golden["g"], k=2, negatives=4)
    _, gallery = discriminative_expansion(query, gallery, k=3, negatives=4, expand="gallery")
    wanted = golden["sim__dqe__kqe=2_neg=4_DBA=True_kdba=4_dbneg=4"]
    assert_allclose(query @ gallery.T, wanted, rtol=0, atol=1e-5)
