"""Tracklets: sampling, clips, MARS's lists, and the way from folders of frames to features."""

import numpy as np
from numpy.testing import assert_allclose, assert_array_equal
from PIL import Image

from ensemble import io
from extractors import dump, tracklets
from extractors.models import classical
from extractors.tracklets import Clips, clips, join
from tests.support.each import each
from tests.support.folders import problems
from tests.support.pictures import picture, save


def test_uniform_by_hand():
    """100 frames, 32 wanted: 28 of the first 84, 4 of the last 16; clips of 5, the last filled by its own."""
    found = clips("a", 100, Clips("uniform", 5, 32))
    assert len(found) == 7
    frames = [place for clip in found for place in clip][:32]
    assert frames == sorted(set(frames))
    assert sum(place < 84 for place in frames) == 28
    a, b = frames[30:]
    assert found[6] == [a, b, a, b, a]


def test_short_tracklets_keep_all_frames():
    assert clips("a", 6, Clips("uniform", 4, 40)) == [[0, 1, 2, 3], [4, 5, 4, 5]]
    assert clips("a", 1, Clips("uniform", 3, 40)) == [[0, 0, 0]]
    assert clips("a", 40, Clips("uniform", 40, 40)) == [list(range(40))]


def test_every_tracklet_has_a_seed_of_its_own():
    how = Clips("uniform", 4, 8)
    one = clips("a", 50, how)
    clips("b", 99, how)
    assert clips("a", 50, how) == one
    assert clips("b", 50, how) != one
    assert clips("a", 50, Clips("uniform", 4, 8, seed=1)) != one


def fgreid_dense(count, length, most):
    """What the loop of the released sampler gives."""
    frames, found, start = list(range(count)), [], 0
    while count - start > length:
        found.append(frames[start : start + length])
        start += length
    last = frames[start:]
    for place in last:
        if len(last) >= length:
            break
        last.append(place)
    return [*found, last][: most + 1]


@each("count", [1, 4, 5, 8, 9, 23, 100])
def test_dense_is_fgreids(count):
    assert clips("a", count, Clips("dense", 4, 5)) == fgreid_dense(count, 4, 5)


def test_all_frames():
    assert len(clips("a", 1000, Clips("all", 4, 5))) == 250


def test_clips_are_joined_by_hand():
    frames = np.array([[2, 0], [0, 2], [3, 4]], np.float32)
    of = [[0, 1], [2, 2]]
    assert_allclose(join(frames, of, False), [2, 2.5])  # (1, 1) and (3, 4)
    unit = 1 / np.sqrt(2)
    assert_allclose(join(frames, of, True), [(unit + 0.6) / 2, (unit + 0.8) / 2], rtol=1e-6)


def recording(folder, queries=2, gallery=3):
    for side, count in (("query", queries), ("gallery", gallery)):
        for track in range(count):
            for frame in range(5 + track):
                name = f"{track + 1:04d}C{1 + (side == 'gallery')}T0001F{frame + 1:03d}.png"
                save(folder / side / f"{track + 1:04d}" / name, picture(100 * track + frame, (12, 10)))
    return folder


def test_folders_of_frames_become_rows(tmp_path):
    images, out = recording(tmp_path / "rec"), tmp_path / "features"
    options = ["--model", "pixels,size=6x4", "--tracklets", "folders", "--parser", "mars", "--clip", "2"]
    dump.main(["--images", str(images), *options, "--flip", "sum", "--l2", "end", "--out", str(out)])
    found = io.read_folder(out)[0]
    assert found.query_table["name"].tolist() == ["0001", "0002"]
    assert found.gallery_table["pid"].tolist() == [1, 2, 3]
    assert found.gallery_table["cam"].tolist() == [2, 2, 2]
    model = classical.load("pixels", size="6x4")
    frames = []
    for frame in range(5):
        small = Image.fromarray(picture(frame, (12, 10))).resize((4, 6), Image.Resampling.BILINEAR)
        x = (np.asarray(small).astype(np.float32) / np.float32(255)).transpose(2, 0, 1)[None]
        frames.append(model(x)[""][0] + model(np.ascontiguousarray(x[..., ::-1]))[""][0])
    each = [np.mean([frames[a], frames[b]], axis=0) for a, b in ((0, 1), (2, 3), (4, 4))]
    expected = np.mean([clip / np.linalg.norm(clip) for clip in each], axis=0)
    assert_allclose(found.query[0], expected, rtol=1e-5, atol=1e-7)
    assert np.linalg.norm(found.query[0]) < 1  # the mean is left as it is


def test_a_pattern_that_has_to_see_the_folders_of_tracklets(tmp_path):
    images, out = recording(tmp_path / "rec"), tmp_path / "features"
    options = ["--images", str(images), "--model", "pixels,size=6x4", "--tracklets", "folders", "--out", str(out)]
    found = problems(dump.main, [*options, "--pattern", "(?P<pid>[0-9]+)/"])
    assert found[0] == (
        "query: wanted names that begin with (?P<pid>[0-9]+)/, found 11 others (0001C1T0001F001.png, "
        "0001C1T0001F002.png, 0001C1T0001F003.png and 8 more); add --folders 1: so many folders before the base "
        "name the pattern has to see"
    )
    assert "mend --pattern" in problems(dump.main, [*options, "--pattern", "x(?P<pid>[0-9]+)/"])[0]
    assert dump.main([*options, "--pattern", "(?P<pid>[0-9]+)/", "--folders", "1"]) == 0
    assert io.read_folder(out)[0].gallery_table["pid"].tolist() == [1, 2, 3]


def test_lists_of_mars(tmp_path):
    from scipy.io import savemat

    names = [f"000{p}C{c}T0001F{f:03d}.jpg" for p, c in ((1, 1), (1, 2), (2, 1)) for f in (1, 2)]
    names += ["00-1C3T0001F001.jpg"]
    info = tmp_path / "info"
    info.mkdir()
    (info / "test_name.txt").write_text("".join(f"{name}\n" for name in names))
    tracks = np.array([[1, 2, 1, 1], [3, 4, 1, 2], [5, 6, 2, 1], [7, 7, -1, 3]], float)
    savemat(info / "tracks_test_info.mat", {"track_test_info": tracks})
    savemat(info / "query_IDX.mat", {"query_IDX": np.array([[1, 3]], float)})
    found = tracklets.mars(tmp_path)
    assert found["query"].names == ["0001C1T0001", "0002C1T0001"]
    assert found["gallery"].names == ["0001C2T0001", "00-1C3T0001"]
    assert found["gallery"].columns["pid"].tolist() == [1, -1]
    assert found["gallery"].frames[0][1] == tmp_path / "bbox_test" / "0001" / names[3]
    for number, name in enumerate(names):
        save(tmp_path / "bbox_test" / name[:4] / name, picture(number))
    out = tmp_path / "features"
    dump.main(["--images", str(tmp_path), "--tracklets", "mars", "--model", "pixels", "--out", str(out)])
    assert_array_equal(io.read_folder(out)[0].gallery_table["cam"], [2, 3])
    savemat(info / "query_IDX.mat", {"query_IDX": np.array([[9]], float)})
    assert "other numbers" in problems(tracklets.mars, tmp_path)[0]
    (info / "query_IDX.mat").unlink()
    assert "query_IDX.mat" in problems(tracklets.mars, tmp_path)[0]
