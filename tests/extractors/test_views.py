"""Test-time augmentation against what NumPy and torch make of the same images, step by step."""

import math

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from ensemble.base.errors import InputError
from extractors import resample
from extractors.parts import Parts, join
from extractors.views import Views, features
from postproc import l2_normalize
from tests.support.each import each
from tests.support.pictures import Plain, picture


def batch(count=3, size=(16, 12), files=1):
    return np.stack([[picture(10 * n + f, size) for f in range(files)] for n in range(count)])


def tensors(images, model):
    """(n, 3, h, w) float32 as ToTensor and Normalize make it."""
    values = images.astype(np.float32) / np.float32(255)
    values = (values - np.float32(model.mean)) / np.float32(model.std)
    return values.transpose(0, 3, 1, 2)


def test_pixels_are_normalised_as_torch_does():
    torch = pytest.importorskip("torch")
    model, images = Plain(), batch()
    features(model, images, Views())
    expected = torch.from_numpy(images[:, 0]).permute(0, 3, 1, 2).to(torch.float32).div(255)
    mean, std = (torch.tensor(x).view(3, 1, 1) for x in (model.mean, model.std))
    assert_array_equal(model.seen[0], expected.sub(mean).div(std).numpy())
    assert model.seen[0].flags.c_contiguous


def test_mean_and_std_of_ones_own():
    model = Plain()
    features(model, batch(), Views(), mean=(0, 0, 0), std=(1, 1, 1))
    assert_array_equal(model.seen[0], (batch()[:, 0].astype(np.float32) / 255).transpose(0, 3, 1, 2))


def test_one_view_is_the_model():
    model, images = Plain(), batch()
    expected = Plain()(np.ascontiguousarray(tensors(images[:, 0], model)))[""]
    assert_array_equal(features(model, images, Views())[""], expected)


def test_flip_as_mean_is_not_made_unit_length():
    model, images = Plain(), batch()
    x = tensors(images[:, 0], model)
    one, two = (l2_normalize(Plain()(np.ascontiguousarray(view))[""]) for view in (x, x[..., ::-1]))
    found = features(model, images, Views(flip="mean", l2="each"))[""]
    assert_array_equal(found, (one + two) / 2)
    assert (np.linalg.norm(found, axis=1) < 0.9999).all()


def test_flip_as_sum_then_unit_length():
    model, images = Plain(), batch()
    x = tensors(images[:, 0], model)
    total = Plain()(np.ascontiguousarray(x))[""] + Plain()(np.ascontiguousarray(x[..., ::-1]))[""]
    assert_array_equal(features(model, images, Views(flip="sum"))[""], total)
    assert_allclose(
        features(model, images, Views(flip="sum", l2="end"))[""],
        total / np.linalg.norm(total, axis=1, keepdims=True),
        rtol=1e-6,
    )


def test_the_centre_is_cropped_and_mirrored_before_it():
    """310 x 414 to 288 x 384: 11 rows and 15 columns on each side; odd margins mirror before they cut."""
    model = Plain((288, 384))
    images = batch(1, (310, 414))
    features(model, images, Views(flip="mean"))
    x = tensors(images[:, 0], model)
    assert_array_equal(model.seen[0], x[:, :, 11:299, 15:399])
    assert_array_equal(model.seen[1], x[:, :, 11:299, 15:399][..., ::-1])
    model = Plain((16, 12))
    images = batch(1, (16, 15))  # 1.5 columns: torchvision rounds half to even, 2
    features(model, images, Views(flip="mean"))
    x = tensors(images[:, 0], model)
    assert_array_equal(model.seen[0], x[..., 2:14])
    assert_array_equal(model.seen[1], x[..., ::-1][..., 2:14])


def test_ten_crops_in_torchvisions_order():
    model, images = Plain((16, 12)), batch(2, (20, 18))
    found = features(model, images, Views(ten_crop=True))[""]
    crops = []
    for x in (tensors(images[:, 0], model), tensors(images[:, 0], model)[..., ::-1]):
        for top, left in ((0, 0), (0, 6), (4, 0), (4, 6), (2, 3)):
            crops.append(x[:, :, top : top + 16, left : left + 12])
    for seen, crop in zip(model.seen, crops, strict=True):
        assert_array_equal(seen, crop)
    each = [Plain((16, 12))(np.ascontiguousarray(crop))[""] for crop in crops]
    assert_allclose(found, np.mean(each, axis=0), rtol=1e-5, atol=1e-6)


def layumi(x, scales, torch):
    """The loop of test.py, with its resized tensor that replaces the input."""
    total = None
    for mirrored in (False, True):
        now = torch.flip(x, [3]) if mirrored else x
        for scale in (math.sqrt(area) for area in scales):
            if scale != 1:
                now = torch.nn.functional.interpolate(now, scale_factor=scale, mode="bicubic", align_corners=False)
            out = torch.from_numpy(Plain()(now.numpy())[""])
            total = out if total is None else total + out
    return total.div(torch.norm(total, p=2, dim=1, keepdim=True)).numpy()


@each("scales", [(1, 1.1, 1.2), (0.9, 1.0), (1.3,)])
def test_compounding_scales_are_layumis(scales):
    torch = pytest.importorskip("torch")
    model, images = Plain((32, 24)), batch(2, (32, 24))
    found = features(model, images, Views("sum", scales, compounding=True, l2="end"))[""]
    x = torch.from_numpy(np.ascontiguousarray(tensors(images[:, 0], model)))
    assert_allclose(found, layumi(x, scales, torch), atol=2e-6)


def test_scales_apply_to_the_image():
    torch = pytest.importorskip("torch")
    model, images = Plain((100, 50)), batch(1, (100, 50))
    features(model, images, Views(scales=(0.81, 1.21, 1.0)))
    assert [seen.shape[2:] for seen in model.seen] == [(90, 45), (110, 55), (100, 50)]
    x = torch.from_numpy(np.ascontiguousarray(tensors(images[:, 0], model)))
    expected = torch.nn.functional.interpolate(x, scale_factor=1.1, mode="bicubic", align_corners=False)
    assert_allclose(model.seen[1], expected.numpy(), atol=5e-6)


@each("cubic", [False, True])
@each("size", [(7, 31), (40, 30), (64, 20)])
def test_resizing_without_antialiasing_is_torchs(cubic, size):
    torch = pytest.importorskip("torch")
    image = np.random.default_rng(0).integers(0, 256, (40, 30, 3), dtype=np.uint8)
    x = torch.from_numpy(image).permute(2, 0, 1)[None].float()
    mode = "bicubic" if cubic else "bilinear"
    expected = torch.nn.functional.interpolate(x, size=size, mode=mode, align_corners=False)
    exact = expected.clamp(0, 255)[0].permute(1, 2, 0).numpy()
    found = resample.to_size(image, size, cubic).astype(np.float64)
    assert np.abs(found - exact).max() < 0.5 + 1e-3  # the nearest whole number


def test_weights_by_hand():
    # 4 values to 2: centres 0.5 and 2.5, half of either neighbour
    assert_array_equal(resample.weights(4, 2, False), [[0.5, 0.5, 0, 0], [0, 0, 0.5, 0.5]])
    # 2 to 4: centres -0.25 (the edge), 0.25, 0.75, 1.25 (the edge)
    assert_array_equal(resample.weights(2, 4, False), [[1, 0], [0.75, 0.25], [0.25, 0.75], [0, 1]])


def test_the_detectors_crop_is_added():
    model, images = Plain(), batch(files=2)
    one, two = (Plain()(np.ascontiguousarray(tensors(images[:, f], model)))[""] for f in (0, 1))
    assert_array_equal(features(model, images, Views())[""], (one + two) / 2)
    assert_array_equal(features(model, images, Views(flip="none", l2="each"))[""].shape, one.shape)


def test_heads_are_of_the_first_view():
    model = Plain(more=lambda x: {"camera": x.mean(axis=(2, 3)), "side": x[:, 0, :, 0]})
    images = batch()
    found = features(model, images, Views(flip="sum", l2="end"))
    x = tensors(images[:, 0], model)
    assert_array_equal(found["side"], x[:, 0, :, 0])
    assert_allclose(found["camera"], x.mean(axis=(2, 3)), atol=1e-6)
    assert set(found) == {"", "camera", "side"}


def parts(x):
    """(n, 2, 3): upper and lower half of every channel."""
    return {"parts": np.stack([half.mean(axis=(2, 3)) for half in np.array_split(x, 2, axis=2)], axis=1)}


def test_parts_as_pcb():
    """Each part over its length and sqrt(2), then channel by channel: c0p0 c0p1 c1p0 c1p1 …"""
    pieces = np.array([[[3, 4], [0, 2]]], np.float32)
    expected = np.array([[0.6, 0, 0.8, 1]]) / np.sqrt(2)
    assert_allclose(join({"parts": pieces}, Parts("pcb"), None, "m"), expected, rtol=1e-6)
    assert_allclose(join({"parts": pieces}, Parts("streid"), None, "m"), [[0.6, 0, 0.8, 1]], rtol=1e-6)


def test_parts_of_all_views_are_added_before_their_norm():
    torch = pytest.importorskip("torch")
    model, images = Plain(more=parts), batch()
    x = np.ascontiguousarray(tensors(images[:, 0], model))
    total = parts(x)["parts"] + parts(x[..., ::-1])["parts"]
    ff = torch.from_numpy(total).permute(0, 2, 1)  # layumi: (n, channels, parts)
    expected = ff.div(torch.norm(ff, p=2, dim=1, keepdim=True) * np.sqrt(2)).reshape(len(ff), -1)
    found = features(model, images, Views(flip="sum", parts=Parts("pcb")))[""]
    assert_allclose(found, expected.numpy(), rtol=1e-5)
    assert_allclose(np.linalg.norm(found, axis=1), 1, rtol=1e-5)


def test_parts_weighted_by_a_pose():
    pieces = np.array([[[3, -1], [2, 2]]], np.float32)
    whole = np.array([[1, 3]], np.float32)
    weights = np.array([[1, 3]], np.float32)  # 0.25 and 0.75
    one, two = np.sqrt(0.25) * np.array([0.75, -0.25]), np.sqrt(0.75) * np.array([0.5, 0.5])
    beside = 4 * np.array([0.25, 0.75])
    for kind, expected in (
        ("sum", one + two),
        ("max", np.maximum(one, two)),
        ("concat", np.concatenate([one, two])),
    ):
        found = join({"": whole, "parts": pieces}, Parts(kind), weights, "m")
        assert_allclose(found, [np.concatenate([expected, beside])], rtol=1e-6)
    with pytest.raises(InputError, match="2 weights an image, found 3"):
        join({"parts": pieces}, Parts("sum"), np.ones((1, 3), np.float32), "m")
    with pytest.raises(InputError, match="only whole images"):
        join({"": whole}, Parts("pcb"), None, "m")


def test_a_descriptor_of_fixed_length_is_refused_at_other_scales():
    class Flat(Plain):
        def __call__(self, images):
            return {"": images.reshape(len(images), -1)}

    with pytest.raises(InputError, match="leave out --scales"):
        features(Flat(), batch(), Views(scales=(1, 2)))
