"""Odd image files, and where images and their labels come from."""

import io
import subprocess
import sys
from pathlib import Path

import numpy as np
from numpy.testing import assert_array_equal
from PIL import Image

from ensemble.parsers import PARSERS, custom
from extractors import listing
from extractors.decode import Reading, read
from extractors.loader import loader
from tests.support.each import each
from tests.support.folders import problems
from tests.support.pictures import city, picture, save

PIXELS = picture(1, (8, 6))
PLAIN = Reading((8, 6))


def saved(tmp_path, image, name="a.png", **options):
    image.save(tmp_path / name, **options)
    return tmp_path / name


def test_a_plain_image_is_what_it_is(tmp_path):
    assert_array_equal(read(save(tmp_path / "a.png", PIXELS), PLAIN), PIXELS)


@each("kernel", ["bilinear", "bicubic"])
def test_resizing_is_pillows(tmp_path, kernel):
    path = save(tmp_path / "a.png", picture(1, (40, 30)))
    resampling = Image.Resampling[kernel.upper()]
    assert_array_equal(
        read(path, Reading((16, 12), kernel)), np.asarray(Image.open(path).resize((12, 16), resampling))
    )


def test_a_mirrored_image_is_resized_to_the_mirror_image(tmp_path):
    """So that flipping after reading is flipping before it, as the scripts of 2020 do."""
    pixels = np.random.default_rng(0).integers(0, 256, (333, 257, 3), dtype=np.uint8)
    one, two = save(tmp_path / "1.png", pixels), save(tmp_path / "2.png", pixels[:, ::-1])
    for kernel in ("bilinear", "bicubic"):
        how = Reading((310, 414), kernel)
        assert_array_equal(read(one, how)[:, ::-1], read(two, how))


def test_grey_palette_transparency(tmp_path):
    grey = Image.fromarray(PIXELS[..., 0])
    expected = np.repeat(PIXELS[..., :1], 3, axis=2)
    assert_array_equal(read(saved(tmp_path, grey), PLAIN), expected)
    assert_array_equal(read(saved(tmp_path, grey.convert("LA")), PLAIN), expected)
    palette = Image.fromarray(PIXELS).quantize(16)
    assert_array_equal(read(saved(tmp_path, palette), PLAIN), np.asarray(palette.convert("RGB")))
    clear = np.dstack([PIXELS, np.full((8, 6), 7, np.uint8)])
    assert_array_equal(read(saved(tmp_path, Image.fromarray(clear)), PLAIN), PIXELS)
    black = Image.fromarray(PIXELS[..., 0] > 127)
    assert_array_equal(np.unique(read(saved(tmp_path, black), PLAIN)), [0, 255])


def test_cmyk(tmp_path):
    image = Image.fromarray(PIXELS).convert("CMYK")
    assert_array_equal(read(saved(tmp_path, image, "a.tif"), PLAIN), np.asarray(image.convert("RGB")))


@each("name", ["a.png", "a.tif"])
def test_sixteen_bits_are_not_clipped_to_white(tmp_path, name):
    values = np.array([[0, 257, 65535], [128, 129, 32768]], np.uint16)
    found = read(saved(tmp_path, Image.fromarray(values), name), Reading((2, 3)))
    assert_array_equal(
        found[..., 0], [[0, 1, 255], [0, 1, 128]]
    )  # 128 / 257 and 129 / 257 are either side of a half


def test_values_without_a_range_are_refused(tmp_path):
    assert "range" in read(saved(tmp_path, Image.fromarray(np.ones((2, 2), np.float32)), "a.tif"), PLAIN)
    many = Image.fromarray(np.full((2, 2), 70000, np.int32))
    assert "range" in read(saved(tmp_path, many, "b.tif"), PLAIN)


@each("orientation", range(1, 9))
def test_exif_turns_upright(tmp_path, orientation):
    from PIL import ImageOps

    exif = Image.Exif()
    exif[0x0112] = orientation
    path = saved(tmp_path, Image.fromarray(PIXELS), exif=exif)
    upright = ImageOps.exif_transpose(Image.open(path))
    height, width = upright.size[::-1]
    assert_array_equal(read(path, Reading((height, width))), np.asarray(upright))
    assert_array_equal(read(path, Reading((8, 6), upright=False)), PIXELS)


def test_damaged_exif_says_nothing(tmp_path):
    path = saved(
        tmp_path, Image.fromarray(PIXELS), "a.jpg", exif=b"Exif\x00\x00II*\x00\xff\xff\xff\xff", quality=95
    )
    assert read(path, PLAIN).shape == (8, 6, 3)


def test_broken_files_give_reasons(tmp_path):
    whole = io.BytesIO()
    Image.fromarray(picture(1, (200, 200))).save(whole, "JPEG")
    for name, content, reason in (
        ("empty.jpg", b"", "no image"),
        ("text.jpg", b"hello", "no image"),
        ("cut.jpg", whole.getvalue()[: len(whole.getvalue()) // 2], "truncated"),
    ):
        (tmp_path / name).write_bytes(content)
        found = read(tmp_path / name, PLAIN)
        assert isinstance(found, str)
        assert reason in found
    assert read(tmp_path / "none.jpg", PLAIN) == "no such file"


def test_a_huge_image_is_refused_by_its_header(tmp_path):
    path = save(tmp_path / "a.png", np.zeros((100, 100, 3), np.uint8))
    assert "100 x 100 pixels, more than 9999" in read(path, Reading((8, 6), most_pixels=9999))
    assert read(path, Reading((8, 6), most_pixels=10000)).shape == (8, 6, 3)


def test_a_program_is_no_image(tmp_path):
    (tmp_path / "a.jpg").write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\nshowpage\n")
    assert read(tmp_path / "a.jpg", PLAIN) == "no image"


def test_a_wrong_suffix_changes_nothing(tmp_path):
    save(tmp_path / "a.png", PIXELS).rename(tmp_path / "a.jpg")
    assert_array_equal(read(tmp_path / "a.jpg", PLAIN), PIXELS)


def test_workers_give_the_same_in_order(tmp_path):
    jobs = [(save(tmp_path / f"{n}.png", picture(n, (8, 6))),) for n in range(40)]
    jobs[17] = (tmp_path / "none.png",)
    with loader(0) as plain, loader(2) as pool:
        one, two = list(plain.rows(jobs, PLAIN)), list(pool.rows(jobs, PLAIN))
    assert one[17] == two[17] == f"{tmp_path / 'none.png'}: no such file"
    for row in {*range(40)} - {17}:
        assert_array_equal(one[row][0], picture(row, (8, 6)))
        assert_array_equal(two[row], one[row])


def test_workers_load_nothing_heavy():
    code = "import sys, extractors.dump, extractors.loader; print('pandas' in sys.modules, 'torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]


def sides(*places, **given):
    return listing.find(list(places), given)[0]


def test_folders_of_aicity(tmp_path):
    found = sides(city(tmp_path))
    assert list(found) == ["query", "gallery"]
    assert found["query"].names == ["000001.png", "000002.png", "000003.png"]
    assert found["gallery"].files[4] == tmp_path / "image_test" / "000005.png"
    assert found["gallery"].files[4].is_file()


def test_hidden_files_are_no_images(tmp_path):
    for name in ("query/a.png", "gallery/b/c.png"):
        save(tmp_path / name, PIXELS)
    for name in ("query/._a.png", "query/.DS_Store", "gallery/b/._c.png", "gallery/.cache/c.png", "._net.npz"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"\0\5\x16\7")
    sides, remarks = listing.find([tmp_path], {})
    assert {side: found.names for side, found in sides.items()} == {"query": ["a.png"], "gallery": ["b/c.png"]}
    assert remarks == []


def test_folders_inside_keep_their_names(tmp_path):
    for name in ("query/0001/a b.PNG", "query/0002/é.png", "bounding_box_test/0001/a b.PNG"):
        save(tmp_path / name, PIXELS)
    found = sides(tmp_path)
    assert found["query"].names == ["0001/a b.PNG", "0002/é.png"]
    assert found["gallery"].names == ["0001/a b.PNG"]
    assert all(file.is_file() for of in found.values() for file in of.files)


def test_explicit_folders_and_lists(tmp_path):
    city(tmp_path)
    (tmp_path / "mine.txt").write_text("000002.png\n000001.png\n")
    found = sides(query=[tmp_path / "mine.txt", tmp_path / "image_query"], gallery=[tmp_path / "image_test"])
    assert found["query"].names == ["000002.png", "000001.png"]
    assert [file.name for file in found["query"].files] == found["query"].names
    assert all(file.is_file() for file in found["query"].files)


def test_a_relative_folder(tmp_path, monkeypatch):
    city(tmp_path)
    monkeypatch.chdir(tmp_path / "image_query")
    found = sides(gallery=[tmp_path / "image_test"], query=[Path(".")])
    assert all(file.is_file() for file in found["query"].files)


def test_name_lists_give_the_order(tmp_path):
    city(tmp_path)
    (tmp_path / "name_query.txt").write_text("000003.png\n000001.png\n000002.png\n")
    assert sides(tmp_path)["query"].names == ["000003.png", "000001.png", "000002.png"]
    (tmp_path / "name_query.txt").write_text("000003.png\n000009.png\n")
    found = problems(listing.find, [tmp_path], {})
    assert any("000009.png" in line for line in found)
    assert any("000001.png, 000002.png" in line for line in found)


def test_what_is_missing_is_said(tmp_path):
    save(tmp_path / "mine" / "images" / "a.png", PIXELS)
    save(tmp_path / "mine" / "gallery" / "a.png", PIXELS)
    found = problems(listing.find, [tmp_path / "mine"], {})
    assert any("wanted query images" in line and "nothing tells their side" in line for line in found)
    assert any("found none" in line for line in problems(listing.find, [tmp_path / "none"], {}))


def test_where_nothing_tells_a_side_there_is_one_set(tmp_path):
    save(tmp_path / "mine" / "b.png", PIXELS)
    save(tmp_path / "mine" / "more" / "a.png", PIXELS)
    (tmp_path / "images.csv").write_text("name,pid\nb.png,lion\nmore/a.png,tiger\n")
    found, remarks = listing.find([tmp_path / "mine"], {})
    assert list(found) == ["gallery"]
    assert found["gallery"].names == ["b.png", "more/a.png"]
    assert remarks == [listing.ONE_SET]
    assert listing.with_labels(found)["gallery"]["pid"].tolist() == ["lion", "tiger"]
    named, remarks = listing.find([], {"gallery": [tmp_path / "mine"]})
    assert named["gallery"].names == found["gallery"].names
    assert remarks == []


def test_labels_from_names_tables_and_tracks(tmp_path):
    city(tmp_path)
    (tmp_path / "gallery.csv").write_text("name,pid\n" + "".join(f"00000{n}.png,{n * 7}\n" for n in range(1, 7)))
    (tmp_path / "test_track_id.txt").write_text("2 1 \n5 4 3 \n")
    found = sides(tmp_path)
    columns = listing.with_labels(found, custom(r"0*(?P<cam>\d+)"))
    assert columns["gallery"]["pid"].tolist() == [7, 14, 21, 28, 35]
    assert columns["gallery"]["track"].tolist() == [0, 0, 1, 1, 1]
    assert columns["gallery"]["order"].tolist() == [1, 0, 2, 1, 0]
    assert columns["query"]["cam"].tolist() == [1, 2, 3]
    assert "pid" not in columns["query"]


def test_labels_of_a_list_of_the_set(tmp_path):
    city(tmp_path)
    items = "".join(f'<Item imageName="00000{n}.png" vehicleID="{n}" cameraID="c00{n}"/>' for n in range(1, 6))
    (tmp_path / "labels.xml").write_text(f"<a><Items>{items}</Items></a>")
    columns = listing.with_labels(sides(tmp_path), PARSERS["aicity"], [tmp_path / "labels.xml"])
    assert columns["gallery"]["cam"].tolist() == [1, 2, 3, 4, 5]
    assert columns["query"]["pid"].tolist() == [1, 2, 3]


def test_names_that_do_not_fit(tmp_path):
    found = problems(listing.with_labels, sides(city(tmp_path)), PARSERS["market1501"])
    assert len(found) == 2
    assert "--guess" in found[0]
