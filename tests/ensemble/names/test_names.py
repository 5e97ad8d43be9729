"""What names of images say: every data set's parser, lists and XML, a user's own pattern, the command line."""

import json
import string
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from ensemble import io
from ensemble.io import read_folder
from ensemble.io.lists import read_labels
from ensemble.names.__main__ import main
from ensemble.names.listings import read_listing
from ensemble.parsers import PARSERS, columns, custom, find, gives, guess, parse, version
from ensemble.parsers.parser import COLUMNS, LONGEST
from ensemble.parsers.sequences import LENGTHS, STREID
from postproc import cumulative_frames
from tests.support.each import each
from tests.support.folders import arrays, keyed, listed, names, pair, problems, rows


def said(name: str, parser: str) -> dict[str, int]:
    """What one name says."""
    parsed = parse([name], PARSERS[parser])
    assert not parsed.failed
    return {column: int(values[0]) for column, values in parsed.columns.items()}


def images(folder: Path, *paths: str) -> Path:
    for path in paths:
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(b"")
    return folder


def dry(capsys: pytest.CaptureFixture[str], *arguments: object) -> dict:
    main([*map(str, arguments), "--json"])
    return json.loads(capsys.readouterr().out)


# Names

NAMED = [
    ("market1501", "0002_c1s1_000451_03.jpg", {"pid": 2, "cam": 1, "frame": 451}),
    ("market1501", "-1_c3s2_000012_00.jpg", {"pid": -1, "cam": 3, "frame": 12}),
    ("market1501", "0000_c6s3_060341_02.jpg.jpg", {"pid": 0, "cam": 6, "frame": 60341}),  # as in gt_bbox
    ("market1501", "query/12_c3/0002_c1s1_000451_03.jpg", {"pid": 2, "cam": 1, "frame": 451}),  # not person 12
    ("market1501", r"query\0002_c1s1_000451_03.JPG", {"pid": 2, "cam": 1, "frame": 451}),
    ("market1501", "0002_c1s1_000451_03", {"pid": 2, "cam": 1, "frame": 451}),  # as keys of a feature file
    ("streid", "0002_c1_f0000451_03.jpg", {"pid": 2, "cam": 1, "frame": 451}),
    ("streid", "-1_c5_f0161546_00.jpg", {"pid": -1, "cam": 5, "frame": 161546}),
    ("dukemtmc", "0005_c2_f0046985.jpg", {"pid": 5, "cam": 2, "frame": 46985}),
    ("dukemtmc", "0002_c1_f0044158.jpg", {"pid": 2, "cam": 1, "frame": 44158}),
    ("naic_market", "4225_c1s0_200938271_00.png", {"pid": 4225, "cam": 1}),
    ("msmt17", "0000_002_01_0303morning_0016_2.jpg", {"pid": 0, "cam": 1}),
    ("msmt17", "0000/0000_013_15_0302noon_0016_2.jpg", {"pid": 0, "cam": 15}),  # a camera of two digits
    ("cuhk03np", "0001_c1_21.png", {"pid": 1, "cam": 1}),
    ("cuhk03", "1_001_1_01.png", {"pid": 10001, "cam": 1}),
    ("cuhk03", "2_001_2_06.png", {"pid": 20001, "cam": 2}),  # another person than the first
    ("cuhk01", "0001001.png", {"pid": 1, "cam": 1}),
    ("cuhk01", "0971002.png", {"pid": 971, "cam": 1}),
    ("cuhk01", "0001003.png", {"pid": 1, "cam": 2}),
    ("cuhk01", "0001004.png", {"pid": 1, "cam": 2}),
    ("veri776", "0001_c001_00016450_0.jpg", {"pid": 1, "cam": 1, "frame": 16450}),
    ("veri776", "0776_c020_00016450_0.jpg", {"pid": 776, "cam": 20, "frame": 16450}),
    ("veriwild", "00001/000001.jpg", {"pid": 1}),
    ("veriwild", "images/000001.jpg", {}),
    ("vehicleid", "0000001.jpg", {}),
    ("vric", "MVI_20011_016_img00105.jpg", {"track": 20011016, "frame": 105}),
    ("aicity", "000001.jpg", {}),
    ("visda2020", "0046_c5s1_004279_02.jpg", {"pid": 46, "cam": 5, "frame": 4279}),
    ("visda2020_test", "000000.jpg", {}),
    ("naic", "00000.png", {}),
    ("openreid", "00000283_001_000001.jpg", {"pid": 283, "cam": 1}),
    ("openreid", "00000283_02_0001.jpg", {"pid": 283, "cam": 2}),
    ("openreid", "00000283_012_3_1_0_1_1.jpg", {"pid": 283, "cam": 12}),  # attributes instead of an index
    ("sysumm01", "SYSU-MM01/cam3/0006/0001.jpg", {"pid": 6, "cam": 3}),
    ("regdb", "Visible/33/male_back_v_02841_33.bmp", {"pid": 33, "cam": 1}),
    ("regdb", "female_front_t_00753_73.bmp", {"pid": 73, "cam": 2}),
    ("mars", "0001C1T0001F001.jpg", {"pid": 1, "cam": 1, "track": 210001, "order": 1}),
    ("mars", "00-1C6T0012F034.jpg", {"pid": -1, "cam": 6, "track": 60012, "order": 34}),
    ("mars", "0000C2T0009F001.jpg", {"pid": 0, "cam": 2, "track": 120009, "order": 1}),
    ("dukevideo", "0001C6F0099X30823.jpg", {"pid": 1, "cam": 6, "order": 99, "frame": 30823}),
    ("dukevideo", "0001_C6_F0099_X30823.jpg", {"pid": 1, "cam": 6, "order": 99, "frame": 30823}),  # not "C"
    ("dukevideo", "gallery/0001/0003/0001C6F0099X30823.jpg",
     {"pid": 1, "cam": 6, "track": 260003, "order": 99, "frame": 30823}),
    ("ltcc", "LTCC_ReID/query/094_1_c9_015833.png", {"pid": 94, "cam": 9, "frame": 15833, "clothes": 9401}),
    ("ltcc", "095_1_c12_000001.png", {"pid": 95, "cam": 12, "frame": 1, "clothes": 9501}),  # not those of 94
    ("prcc", "prcc/rgb/test/A/001/cropped_rgb001.jpg", {"pid": 1, "cam": 1, "clothes": 101}),
    ("prcc", "rgb/test/B/001/cropped_rgb001.jpg", {"pid": 1, "cam": 2, "clothes": 101}),  # as camera A saw
    ("prcc", "rgb/test/C/327/cropped_rgb0420.jpg", {"pid": 327, "cam": 3, "clothes": 32702}),
    ("prcc", "rgb/train/005/C_cropped_rgb118.jpg", {"pid": 5, "cam": 3, "clothes": 502}),
    ("vcclothes", "gallery/0001-03-02-11.jpg", {"pid": 1, "cam": 3, "clothes": 102}),
    ("llcm", "test_nir/cam1/0001/0001_c01_s187535_f5136_nir.jpg", {"pid": 1, "cam": 1}),
    ("viper", "VIPeR/cam_a/000_45.bmp", {"pid": 0, "cam": 1}),
    ("viper", "cam_b/000_90.bmp", {"pid": 0, "cam": 2}),
    ("prid2011", "single_shot/cam_a/person_0001.png", {"pid": 1, "cam": 1}),
    ("prid2011", "cam_b/person_0200.png", {"pid": 200, "cam": 2}),
    ("prid2011", "cam_a/person_0201.png", {"pid": 201, "cam": 1}),
    ("prid2011", "cam_b/person_0201.png", {"pid": 1201, "cam": 2}),  # another person than that of camera a
    ("prid2011", "multi_shot/cam_b/person_0001/0007.png", {"pid": 1, "cam": 2, "track": 22, "order": 7}),
    ("grid", "0001_1_25004_107_32_106_221.jpeg", {"pid": 1, "cam": 1}),
    ("grid", "0000_5_26013_107_32_106_221.jpeg", {"pid": 0, "cam": 5}),
    ("ilidsvid", "cam1_person001_00317.png", {"pid": 1, "cam": 1, "track": 21, "frame": 317}),
    ("ilidsvid", "cam2_person319.png", {"pid": 319, "cam": 2}),
    ("occludedreid", "occluded_body_images/001/001_01.tif", {"pid": 1, "cam": 0}),
    ("occludedreid", "Partial_REID/whole_body_images/060_003.jpg", {"pid": 60, "cam": 1}),
    ("occludedreid", "060_003.jpg", {"pid": 60}),
    ("partialilids", "Probe/001.jpg", {"pid": 1, "cam": 0}),
    ("partialilids", "Gallery/119.jpg", {"pid": 119, "cam": 1}),
]  # fmt: skip


@each(("parser", "name", "wanted"), NAMED)
def test_names_of_the_data_sets(parser: str, name: str, wanted: dict[str, int]) -> None:
    assert said(name, parser) == wanted


@each("parser", [parser for parser in PARSERS.values() if parser.example], ids=lambda p: p.name)
def test_every_parser_reads_its_example_and_describes_itself(parser) -> None:
    assert not parse([parser.example], parser).failed
    assert gives(parser) == tuple(columns([parser.example], parser))
    assert parser.title
    assert parser.source


@each(
    ("parser", "name", "reason"),
    [
        ("market1501", "Thumbs.db", "no image"),
        ("market1501", "0002_c1s1_0451_03.jpg", "not like 0002_c1s1_000451_03.jpg"),
        ("market1501", "12_c3/portrait.jpg", "only its folder looks like identity and camera"),
        ("market1501", "-2_c1s1_000451_03.jpg", "not like"),
        ("market1501", "٠٠٠٢_c1s1_000451_03.jpg", "not like"),  # digits of another script
        ("market1501", "0002_c1s1_000451_03\n.jpg", "control characters"),
        ("market1501", "0" * 300, f"longer than {LONGEST} characters"),
        ("dukemtmc", "0002_c1s1_000451_03.jpg", "not like 0005_c2_f0046985.jpg"),
        ("cuhk01", "0001005.png", "not like"),  # there are four images of everybody
        ("sysumm01", "0001.jpg", "its folders are missing, wanted like cam3/0006/0001.jpg"),
        ("viper", "000_45.bmp", "its folders are missing"),
        ("prcc", "cropped_rgb001.jpg", "its folders are missing"),
        ("prcc", "A/C_cropped_rgb001.jpg", "its folders are missing"),
        ("mars", "0001_C1.jpg", "not like"),
    ],
)
def test_names_that_do_not_fit_fail_with_a_reason(parser: str, name: str, reason: str) -> None:
    assert reason in parse([name], PARSERS[parser]).failed[0]


def test_columns_refuses_what_does_not_fit() -> None:
    found = problems(columns, ["0002_c1s1_000451_03.jpg", "a.jpg"], PARSERS["market1501"])
    assert len(found) == 1
    assert "found 1 of 2 that are not: a.jpg: not like" in found[0]


@each(
    ("parser", "name", "column"),
    [
        (PARSERS["veriwild"], "000001.jpg", "pid"),
        (PARSERS["occludedreid"], "060_003.jpg", "cam"),
        (custom("(?P<pid>[0-9]+)(?:_f(?P<frame>[0-9]+))?"), "7.jpg", "frame"),
    ],
)
def test_columns_refuses_names_that_lack_what_the_parser_gives(parser, name: str, column: str) -> None:
    (found,) = problems(columns, [name], parser)
    assert f"wanted {column} in" in found


def test_a_number_is_unknown_where_only_other_names_have_it() -> None:
    found = columns(["cam1_person001.png", "cam1_person001_00317.png"], PARSERS["ilidsvid"])
    assert_array_equal(found["frame"], [-1, 317])
    assert_array_equal(found["track"], [-1, 21])


@each("parser", ["mars", "ilidsvid", "prid2011"])
def test_tracks_have_one_number_in_the_whole_set(parser: str) -> None:
    formats = {
        "mars": "{pid:04d}C{cam}T{track:04d}F001.jpg",
        "ilidsvid": "cam{cam}_person{pid:03d}_00001.png",
        "prid2011": "cam_{letter}/person_{pid:04d}/0001.png",
    }
    tracklets = range(1, 4) if parser == "mars" else [1]
    keys = [(pid, cam, track) for pid in (1, 2, 9, 10, 11, 199, 200) for cam in (1, 2) for track in tracklets]
    made = [formats[parser].format(pid=p, cam=c, track=t, letter=" ab"[c]) for p, c, t in keys]
    assert len(set(columns(made, PARSERS[parser])["track"].tolist())) == len(keys)


PIDS, CAMS, FRAMES = st.integers(-1, 9999), st.integers(0, 9), st.integers(0, 999_999)


@given(rows=st.lists(st.tuples(PIDS, CAMS, st.integers(0, 9), FRAMES), min_size=1, max_size=8))
def test_market_names_round_trip(rows: list[tuple[int, int, int, int]]) -> None:
    made = [f"{'-1' if p < 0 else f'{p:04d}'}_c{c}s{s}_{f:06d}_00.jpg" for p, c, s, f in rows]
    parsed = parse(made, PARSERS["market1501"])
    found = [parsed.columns["pid"], parsed.columns["cam"], parsed.sequence, parsed.columns["frame"]]
    assert_array_equal(np.stack(found, axis=1), rows)


@given(
    pid=st.integers(0, 9999), cam=st.integers(1, 9), frame=st.integers(0, 9_999_999), order=st.integers(0, 9999)
)
def test_other_names_round_trip(pid: int, cam: int, frame: int, order: int) -> None:
    assert said(f"{pid:04d}_c{cam}_f{frame:07d}.jpg", "dukemtmc") == {"pid": pid, "cam": cam, "frame": frame}
    assert said(f"{pid:04d}_c{cam:03d}_{frame:08d}_0.jpg", "veri776") == {"pid": pid, "cam": cam, "frame": frame}
    assert said(f"{pid:04d}_{order % 1000:03d}_{cam:02d}_0303morning_0016_2.jpg", "msmt17") == {
        "pid": pid,
        "cam": cam,
    }
    assert said(f"cam{cam}/{pid:04d}/{order:04d}.jpg", "sysumm01") == {"pid": pid, "cam": cam}
    assert said(f"{pid:08d}_{cam:03d}_{order:06d}.jpg", "openreid") == {"pid": pid, "cam": cam}
    for name in (
        f"{pid:04d}C{cam}F{order:04d}X{frame:05d}.jpg",
        f"{pid:04d}_C{cam}_F{order:04d}_X{frame:05d}.jpg",
    ):
        assert said(name, "dukevideo") == {"pid": pid, "cam": cam, "order": order, "frame": frame}


@given(st.text(max_size=300))
@example("")
@example("/")
@example("..\\x")
def test_any_text_fits_or_fails(name: str) -> None:
    for parser in PARSERS.values():
        parsed = parse([name], parser)
        assert all(len(values) == 1 and values[0] >= -1 for values in parsed.columns.values())
        assert set(parsed.columns) <= set(COLUMNS)


def test_real_names(shared: Path) -> None:
    data = np.load(shared / "visda2020_val.npz")
    for side, count in (("query", 377), ("gallery", 3600)):
        found = columns(data[f"{side}_name"].tolist(), PARSERS["visda2020"])
        assert len(found["pid"]) == count
        assert_array_equal(found["pid"], data[f"{side}_id"])
        assert_array_equal(found["cam"], data[f"{side}_cam"])


# Guesses and versions


@each(("parser", "name", "wanted"), NAMED)
def test_guess_finds_the_set_of_every_name(parser: str, name: str, wanted: dict[str, int]) -> None:
    assert parser in [found.name for found, fit in guess([name]) if fit == 1]


@each("parser", [parser for parser in PARSERS.values() if parser.example], ids=lambda p: p.name)
def test_guess_puts_the_set_of_an_example_first(parser) -> None:
    best = guess([parser.example])[0][0].name
    alike = {"visda2020": "market1501", "visda2020_test": "aicity"}
    assert best == alike.get(parser.name, parser.name)


def test_guess_prefers_more_names_and_known_cameras() -> None:
    made = ["0001_c9s1_000001_00.jpg", "0001_c8_f0000001.jpg", "0002_c2_f0000009.jpg"]
    assert [(parser.name, fit) for parser, fit in guess(made)][:2] == [("dukemtmc", 2), ("market1501", 1)]
    assert guess(["0001_c8_f0000001_x.jpg"])[0][0].name == "streid"
    assert guess(["portrait.jpg"]) == []


@each(
    ("parser", "where", "listed", "wanted"),
    [
        ("market1501", "/data/Market-1501-v15.09.15/query", ["0002_c1s1_000451_03.jpg"], "15.09.15"),
        ("market1501", "/data/query", ["0002_c1s1_000451_03.jpg"], None),
        ("msmt17", "/data/MSMT17", ["mask_train_v2/0000/0000_002_01_0303morning_0016_2.jpg"], "V2 (faces masked)"),
        ("msmt17", "/data/MSMT17_V1", ["train/0000/0000_002_01_0303morning_0016_2.jpg"], "V1"),
        ("msmt17", "/data/list_train.txt", ["0000/0000_002_01_0303morning_0016_2.jpg"], None),
        ("cuhk03np", "/data/cuhk03-np/detected/query", ["0001_c1_21.png"], "detected"),
        ("vehicleid", "/data/test_list_800.txt", ["0000001.jpg"], "test of 800 identities"),
        ("veriwild", "/data/test_3000_query.txt", ["00001/000001.jpg"], "test of 3000 identities"),
        ("dukevideo", "/data", ["0001C6F0099X30823.jpg"], "old names (0001C6F…)"),
        ("dukevideo", "/data", ["0001_C6_F0099_X30823.jpg"], "new names (0001_C6_F…)"),
        ("aicity", "/data", names(1052), "2019 or 2020 (the same images)"),
        ("aicity", "/data", names(1103), "2021"),
        ("aicity", "/data", names(7), None),
    ],
)
def test_version(parser: str, where: str, listed: list[str], wanted: str | None) -> None:
    assert version(PARSERS[parser], where, listed) == wanted


def test_find_says_what_is_near() -> None:
    assert problems(find, "market")[0].endswith("did you mean 'market1501'?")
    assert problems(find, "xyz")[0].endswith("--list-parsers has them")


# A user's pattern


def test_a_pattern_of_ones_own() -> None:
    parser = custom(r"(?P<pid>-?[0-9]+)-(?P<cam>[0-9]+)(?:-f(?P<frame>[0-9]+))?")
    found = columns(["17-3-f44.jpg", "folder/-1-12.png"], parser)
    assert {name: values.tolist() for name, values in found.items()} == {
        "pid": [17, -1], "cam": [3, 12], "frame": [44, -1],
    }  # fmt: skip
    assert gives(parser) == ("pid", "cam", "frame")
    assert columns(["a/cam2/x/7.jpg"], custom("cam(?P<cam>.)/.*/(?P<pid>[0-9]+)", folders=2))["pid"].tolist() == [
        7
    ]


def test_a_pattern_sees_the_base_name_only() -> None:
    parser = custom(r"(?P<pid>[-0-9]+)_c(?P<cam>[0-9])")
    assert columns(["12_c3/0002_c1s1_000451_03.jpg"], parser)["pid"].tolist() == [2]
    assert "only its folder looks like" in parse(["12_c3/x.jpg"], parser).failed[0]


@each(
    ("pattern", "wanted"),
    [
        (r"([-\d]+)_c(\d)", "wanted (?P<pid>…) or (?P<cam>…), found 2 groups without a name"),
        ("x", "found no groups"),
        ("(?P<frame>[0-9]+)", "wanted (?P<pid>…) or (?P<cam>…), found frame"),
        ("(?P<pids>[0-9]+)", "found pids; did you mean 'pid'?"),
        ("(?P<PID>[0-9]+)", "found PID; did you mean 'pid'?"),
        ("(?P<pid>[0-9]+)_(?P<colour>.)", "found colour; write (?:…) for a group that is no column"),
        ("(?P<pid>[0-9]+", "a fault (missing ), unterminated subpattern"),
        ("(?P<pid>x{99999999999})", "a fault"),
    ],
)
def test_a_pattern_with_faults_is_explained(pattern: str, wanted: str) -> None:
    (found,) = problems(custom, pattern)
    assert wanted in found


@each(
    ("pattern", "name", "wanted"),
    [
        (r"(?P<pid>\w+)_(?P<frame>\w+)\.", "alice_c1.jpg", "frame is 'c1', wanted a whole number"),
        ("(?P<pid>x)(?P<frame>[0-9]+)", f"x{'9' * 30}", "wanted a whole number of at most 18 digits"),
        ("(?P<pid>-?[0-9]+)", "-7.jpg", "pid is -7, wanted -1 (unknown) or more"),
        (r"(?P<pid>.)(?P<frame>\d+)", "x٣.jpg", "wanted a whole number"),
        ("(?P<pid>[0-9]+)", "x7.jpg", "not like"),  # from the beginning
    ],
)
def test_what_a_pattern_finds_must_be_numbers(pattern: str, name: str, wanted: str) -> None:
    assert wanted in parse([name], custom(pattern)).failed[0]


@each(
    ("pattern", "name", "cut"),
    [
        ("(?P<pid>[0-9]+)_c(?P<cam>[0-9])", "0001_c12.jpg", True),  # camera 1?
        ("(?P<pid>[0-9]+)_c(?P<cam>[0-9]+)", "0001_c12.jpg", False),
        (".?(?P<pid>[0-9]+)_c(?P<cam>[0-9])", "-1_c3.jpg", True),  # junk read as person 1
        ("p-(?P<pid>[0-9]+)", "p-12.jpg", False),
    ],
)
def test_numbers_cut_in_two_are_noticed(pattern: str, name: str, cut: bool) -> None:
    assert bool(parse([name], custom(pattern)).cut) == cut
    notes: list[str] = []
    columns([name], custom(pattern), notes=notes)
    assert [f"in 1 names a group takes only a part of a number ({name})" in note for note in notes] == [True] * cut


def test_a_run_says_that_numbers_are_cut_in_two(tmp_path: Path) -> None:
    for side in ("query", "gallery"):
        called = [f"{side[0]}1_c{cam}.jpg" for cam in (11, 12)]
        np.savez(tmp_path / f"{side}_m.npz", features=np.eye(2) + 1, names=called)
    looked = io.scan(tmp_path, parser=custom(r".(?P<pid>[0-9]+)_c(?P<cam>[0-9])"))
    (found,) = io.read(looked)
    assert found.gallery_table["cam"].tolist() == [1, 1]
    assert len([note for note in found.notes if "a part of a number" in note]) == 2  # of each side


def test_a_pattern_that_takes_for_ever_is_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ensemble.parsers.parser.SECONDS", 0.3)
    begin = time.perf_counter()
    (found,) = problems(parse, ["1" * LONGEST], custom("(?P<pid>([0-9]+)+)x"))
    assert "take for ever" in found
    assert time.perf_counter() - begin < 5


# Lists


def write(path: Path, text: str | bytes) -> Path:
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


@each(
    ("parser", "text", "listed", "labels"),
    [
        ("msmt17", "0000/0000_002_01_0303noon_0016_2.jpg 0\n", "0000/0000_002_01_0303noon_0016_2.jpg", {"pid": 0}),
        ("vehicleid", "0000001 42\r\n", "0000001.jpg", {"pid": 42}),
        ("vric", "MVI_20011_016_img00105.jpg 15 1\n", "MVI_20011_016_img00105.jpg", {"pid": 15, "cam": 1}),
        ("veriwild", "00001/000001\n", "00001/000001.jpg", {}),
        ("veriwild", "000001;111\n", "000001.jpg", {"cam": 111}),
        ("veriwild", "00001/000001;111;2018-03-11 09:42:41;Audi;SUV;white\n", "00001/000001.jpg",
         {"cam": 111, "frame": 1520761361}),
        ("regdb", "Visible/33/male_back_v_02841_33.bmp 0\n", "Visible/33/male_back_v_02841_33.bmp", {}),
        ("visda2020", "0046_c5s1_004279_02.jpg 0012\n", "0046_c5s1_004279_02.jpg", {}),  # an index, no identity
        ("naic", "train/00000.png 7\n", "train/00000.png", {"pid": 7}),
        ("naic", "00000.png:7\n", "00000.png", {"pid": 7}),
        ("list", "a/b.jpg,7,2\n", "a/b.jpg", {"pid": 7, "cam": 2}),
        ("list", "b.jpg -1\n", "b.jpg", {"pid": -1}),
        ("aicity", "000001.jpg\n", "000001.jpg", {}),
    ],
)  # fmt: skip
def test_list_files(tmp_path: Path, parser: str, text: str, listed: str, labels: dict[str, int]) -> None:
    found = read_listing(write(tmp_path / "list.txt", text), PARSERS[parser])
    assert (found.names, found.labels) == ([listed], [labels])


def test_the_first_line_of_vehicle_info_is_a_heading(tmp_path: Path) -> None:
    text = "id/image;Camera ID;Time;Model;Type;Color\n00001/000001;111;2018-03-11 09:42:41;Audi;SUV;white\n"
    assert read_listing(write(tmp_path / "vehicle_info.txt", text), PARSERS["veriwild"]).labels[0]["cam"] == 111


@each(
    ("parser", "text", "wanted"),
    [
        ("vehicleid", "", "found an empty file"),
        ("vehicleid", "1 2\n\n3 4\n", "wanted no empty lines, found 2"),
        ("vehicleid", "a b c\n", "wanted lines as VehicleID has them, found 1 others ('a b c')"),
        (
            "vehicleid",
            "0000001 2\n0000002\n",
            "wanted labels in every line or in none, found 1 without (0000002.jpg)",
        ),
        ("vehicleid", "0000001 99999999999999999999\n", "found 1 others"),
        ("veriwild", "00001/000001;111;yesterday\n", "found 1 others"),
        ("list", "a.jpg -7\n", "found 1 others"),
        ("aicity", b"\xff\xfe0\n", "wanted UTF-8 text"),
    ],
)
def test_broken_lists_are_refused(tmp_path: Path, parser: str, text: str, wanted: str) -> None:
    found = problems(read_listing, write(tmp_path / "list.txt", text), PARSERS[parser])
    assert wanted in found[0]


ITEM = '<Item imageName="000001.jpg" vehicleID="0007" cameraID="c042" colorID="6"/>'


@each("encoding", ["gb2312", "utf-8", "GBK", "us-ascii"])
def test_xml_lists_whatever_encoding_they_declare(tmp_path: Path, encoding: str) -> None:
    text = f'<?xml version="1.0" encoding="{encoding}"?>\n<T Version="1.0"><Items number="1">{ITEM}</Items></T>'
    found = read_listing(write(tmp_path / "train_label.xml", text), PARSERS["veri776"])
    assert (found.names, found.labels) == (["000001.jpg"], [{"pid": 7, "cam": 42}])


def test_xml_lists_may_lack_labels(tmp_path: Path) -> None:
    text = '<T><Item imageName="1.jpg" cameraID="c001"/><Item imageName="2.jpg" vehicleID="-1"/><Other/></T>'
    found = read_listing(write(tmp_path / "query_label.xml", text), PARSERS["aicity"])
    assert found.labels == [{"cam": 1}, {"pid": -1}]


BOMB = "".join(f'<!ENTITY e{i} "{f"&e{i - 1};" * 10}">' for i in range(1, 10))


@each(
    ("text", "wanted"),
    [
        (f'<!DOCTYPE T [<!ENTITY e0 "ha">{BOMB}]><T><Item imageName="&e9;"/></T>', "refused a document type"),
        ('<!DOCTYPE T [<!ENTITY x SYSTEM "file:///etc/passwd">]><T>&x;</T>', "refused a document type"),
        ('<!DOCTYPE T SYSTEM "http://localhost/x.dtd"><T/>', "refused a document type"),
        ('<!DOCTYPE T [<!ATTLIST Item vehicleID CDATA "1">]><T/>', "refused a document type"),
        ('<T><Item imageName="&x;"/></T>', "wanted XML in UTF-8"),
        ("<T><Item></T>", "wanted XML in UTF-8"),
        ("", "wanted XML in UTF-8"),
        ('<?xml version="1.0" encoding="gb2312"?><T a="\u7ea2"/>'.encode("gb2312"), "save it again as UTF-8"),
        ("<T/>", "found none"),
        ('<T><Item vehicleID="1"/></T>', "item 1 has no imageName"),
        ('<T><Item imageName="1.jpg" vehicleID="seven"/></T>', "vehicleID 'seven'"),
    ],
    ids=range(11),
)
def test_hostile_and_broken_xml_is_refused(tmp_path: Path, text: str | bytes, wanted: str) -> None:
    (found,) = problems(read_listing, write(tmp_path / "train_label.xml", text), PARSERS["aicity"])
    assert wanted in found


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(tmp_path_factory: pytest.TempPathFactory, raw: bytes) -> None:
    folder = tmp_path_factory.mktemp("lists")
    for name in ("x.xml", "x.txt"):
        for parser in ("veri776", "list", "veriwild"):
            try:
                found = read_listing(write(folder / name, raw), PARSERS[parser])
            except ValueError:
                continue
            assert len(found.names) == len(found.labels)


def test_one_name_with_two_labels_is_refused(tmp_path: Path) -> None:
    listing = read_listing(
        write(tmp_path / "l.txt", "a/1.jpg 1\nb/1.jpg 2\nc.jpg 1\nd/c.jpg 1\n"), PARSERS["list"]
    )
    assert "wanted one label a name, found others for b/1.jpg" in problems(listing.look_up, ["1.jpg"])[0]


# The command line

MARKET = [
    "query/0001_c1s1_000451_00.jpg",
    "query/0002_c2s1_000100_00.jpg",
    "bounding_box_test/0001_c2s2_000007_01.jpg",
    "bounding_box_test/0000_c3s1_000009_01.jpg",
    "bounding_box_test/-1_c3s1_000010_01.jpg",
    "bounding_box_test/Thumbs.db",
    "bounding_box_train/0001_c6s1_000020_01.jpg",
    "bounding_box_train/0001_c4s4_000030_01.jpg",
    "gt_bbox/0001_c1s1_000451_00.jpg.jpg",
]


def test_dry_run_of_a_folder_of_images(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = images(tmp_path / "Market-1501-v15.09.15", *MARKET)
    found = dry(capsys, root, "--parser", "market1501")
    assert (found["kind"], found["version"], found["failed"]) == ("folder of images", "15.09.15", [])
    assert list(found["sides"]) == ["query", "gallery", "train", "unknown"]
    assert found["sides"]["gallery"] == {
        "names": 3, "failed": 0, "identities": 1, "junk": 1, "distractors": 1,
        "cameras": {"2": 1, "3": 2}, "camera_unknown": 0, "frames": [7, 10],
    }  # fmt: skip
    assert found["suspicious"] == [
        "1 files are no images and were left out: bounding_box_test/Thumbs.db",
        f"1 names belong to no side, so no table: {root}/gt_bbox",
        "query and gallery and the rest: 1 of 2 identities are seen by one camera only: 2",
    ]


def test_writes_tables_that_a_run_reads(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = images(tmp_path / "market", *MARKET)
    out = tmp_path / "features"
    assert main([str(root), "--parser", "market1501", "--out", str(out)]) == 0
    assert (out / "gallery.csv").read_text() == (
        "name,pid,cam,frame\n-1_c3s1_000010_01.jpg,-1,3,10\n"
        "0000_c3s1_000009_01.jpg,0,3,9\n0001_c2s2_000007_01.jpg,1,2,7\n"
    )
    assert sorted(path.name for path in out.iterdir()) == ["gallery.csv", "query.csv", "train.csv"]
    for side in ("query", "gallery"):
        listed = read_labels(out / f"{side}.csv").names
        np.save(out / f"{side}_net.npy", rows(len(listed)))
        (out / f"{side}_net.txt").write_text("".join(f"{name}\n" for name in listed))
    (features,) = read_folder(out)
    assert features.gallery_table["pid"].tolist() == [-1, 0, 1]
    assert "gallery.csv: 3 images" in capsys.readouterr().out


def test_images_beside_other_files_of_the_set(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = images(tmp_path / "market", "market_attribute.mat", *MARKET)
    found = dry(capsys, root, "--parser", "market1501")
    assert found["kind"] == "folder of images"
    assert "market_attribute.mat" in found["suspicious"][0]


def test_a_dry_run_writes_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = images(tmp_path / "query", "0001_c1s1_000451_00.jpg")
    out = tmp_path / "out"
    assert main([str(root), "--parser", "market1501", "--out", str(out), "--dry-run"]) == 0
    assert "query.csv: 1 images, not written" in capsys.readouterr().out
    assert not out.exists()


def test_names_that_fail_are_shown_and_not_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = listed(tmp_path / "name_query.txt", ["0001_c1s1_000451_00.jpg", *(f"{c}.jpg" for c in "abcdefg")])
    out = tmp_path / "query.csv"
    assert main([str(path), "--parser", "market1501", "--out", str(out)]) == 1
    text = capsys.readouterr().out
    assert "query: 8 names, 1 parsed, 7 failed" in text
    assert "a.jpg: not like 0002_c1s1_000451_03.jpg" in text
    assert "and 2 more" in text
    assert "nothing was written" in text
    assert not out.exists()
    assert main([str(path), "--parser", "market1501", "--out", str(out), "--unknown"]) == 0
    assert read_labels(out).columns["pid"].tolist() == [1, *[-1] * 7]


@each("form", ["pair", "folder", "npz", "list"])
def test_names_of_features(tmp_path: Path, capsys: pytest.CaptureFixture[str], form: str) -> None:
    made = ["0001_c1s1_000451_00.jpg", "0002_c2s1_000100_00.jpg"]
    pair(tmp_path, "net", keyed(made[:1], rows(1)), keyed(made, rows(2)))
    path = {"pair": tmp_path / "gallery_net.pkl", "list": tmp_path / "name_test.txt"}.get(form, tmp_path)
    if form == "list":
        listed(path, made)
    if form == "npz":
        path = tmp_path / "whole.npz"
        np.savez(path, query=rows(1), query_name=np.array(made[:1]), gallery=rows(2), gallery_name=np.array(made))
    found = dry(capsys, path, "--parser", "market1501")
    assert found["sides"]["gallery"]["identities"] == 2
    assert ("query" in found["sides"]) == (form in ("folder", "npz"))


def test_features_without_names_are_refused(tmp_path: Path) -> None:
    arrays(tmp_path, "net", rows(2), rows(3))
    for path in (tmp_path, tmp_path / "query_net.npy"):
        assert "found rows without" in problems(main, [str(path), "--parser", "market1501"])[0]


def test_labels_from_lists(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = images(tmp_path / "city", "image_train/000001.jpg", "image_query/000001.jpg", "image_test/000009.jpg")
    labels = write(tmp_path / "train_label.xml", f'<?xml version="1.0" encoding="gb2312"?><T>{ITEM}</T>')
    out = tmp_path / "out"
    assert main([str(root), "--parser", "aicity", "--labels", str(labels), "--out", str(out)]) == 0
    assert (out / "train.csv").read_text() == "name,pid,cam\n000001.jpg,7,42\n"
    assert (out / "query.csv").read_text() == "name\n000001.jpg\n"  # not the vehicle of the training image 000001
    assert "the names say nothing about identity or camera" in capsys.readouterr().out
    only = images(tmp_path / "image_query", "000001.jpg")
    assert (
        "wanted labels of the same side"
        in problems(main, [str(only), "--parser", "aicity", "--labels", str(labels)])[0]
    )


def test_labels_that_lack_images_or_contradict_names(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = images(tmp_path / "image_test", "0001_c001_00016450_0.jpg", "0002_c001_00016450_0.jpg")
    text = '<T><Item imageName="0001_c001_00016450_0.jpg" vehicleID="0009" cameraID="c001"/></T>'
    labels = write(tmp_path / "test_label.xml", text)
    found = dry(capsys, root, "--parser", "veri776", "--labels", labels)
    assert [failure["reason"] for failure in found["failed"]] == ["not in the list of labels"]
    assert any("1 names say otherwise than the list of labels" in fact for fact in found["suspicious"])


def test_a_list_with_its_own_labels_and_another(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    info = write(tmp_path / "vehicle_info.txt", "id/image;Camera ID;Time\n00001/000001;5;2018-03-11 09:42:41\n")
    query = listed(tmp_path / "test_3000_query.txt", ["00001/000001"])
    assert main([str(query), "--parser", "veriwild", "--labels", str(info), "--out", str(tmp_path)]) == 0
    assert (tmp_path / "query.csv").read_text() == "name,pid,cam,frame\n00001/000001.jpg,1,5,1520761361\n"
    assert "version: test of 3000 identities" in capsys.readouterr().out
    vehicles = listed(tmp_path / "test_list_800.txt", ["0000001 7", "0000002 7"])
    assert (
        "wanted query, gallery or train"
        in problems(main, [str(vehicles), "--parser", "vehicleid", "--out", str(tmp_path)])[0]
    )
    assert main([str(vehicles), "--parser", "vehicleid", "--side", "gallery", "--out", str(tmp_path)]) == 0
    assert (tmp_path / "gallery.csv").read_text() == "name,pid\n0000001.jpg,7\n0000002.jpg,7\n"


def test_lists_of_the_ai_city_challenge(shared: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for file, side, count in (("name_query.txt", "query", 1052), ("name_test.txt", "gallery", 18290)):
        found = dry(capsys, shared / "aicity2020" / file, "--parser", "aicity")
        assert found["sides"] == {side: {"names": count, "failed": 0}}
        assert found["version"] == "2019 or 2020 (the same images)"


def test_cumulative_frames(tmp_path: Path) -> None:
    root = images(tmp_path / "market", *MARKET)
    for table, wanted in (("streid", 72107 + 72373 + 74810 + 30), ("fgreid", 72707 + 72473 + 74810 + 30)):
        out = tmp_path / table
        assert main([str(root), "--parser", "market1501", "--cumulative-frames", table, "--out", str(out)]) == 0
        train = read_labels(out / "train.csv")
        assert train.columns["frame"].tolist() == [wanted, 20]
    # Seen over all sides: the largest frame of camera 2, sequence 1 is the query's 100.
    assert main([str(root), "--parser", "market1501", "--cumulative-frames", "seen", "--out", str(tmp_path)]) == 0
    assert read_labels(tmp_path / "gallery.csv").columns["frame"].tolist() == [10, 9, 107]
    assert cumulative_frames([1], [5], [1], lengths=LENGTHS["fgreid"])[0] == (
        cumulative_frames([1], [5], [1], lengths=STREID)[0] + 100
    )
    found = problems(main, [str(root), "--parser", "dukemtmc", "--cumulative-frames"])
    assert "wanted names with sequences (market1501, visda2020), found dukemtmc" in found[0]


def test_suspicious_facts(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = images(tmp_path / "x", *(f"{folder}/0002_c9s1_000451_00.jpg" for folder in ("12_c3", "a", "b")))
    facts = "\n".join(dry(capsys, root, "--parser", "market1501")["suspicious"])
    assert "1 folders look like identity and camera" in facts
    assert "1 base names are there more than once: 0002_c9s1_000451_00.jpg" in facts
    assert "cameras 9 are none of Market-1501 (1 to 6)" in facts
    assert "all names have the same identity, 2" in facts
    assert "all names have the same camera, 9" in facts
    path = listed(tmp_path / "n.txt", ["1_c12_t5.jpg", "2_c13_t5.jpg"])
    facts = "\n".join(dry(capsys, path, "--pattern", "(?P<pid>.)_c(?P<cam>.)._t(?P<track>.)")["suspicious"])
    assert "in 2 names a group takes only a part of a number" in facts
    assert "1 tracks have more than one identity: 5" in facts


def test_pattern_on_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = images(tmp_path / "mine", "cam2/7/a.png", "cam3/7/a.png")
    arguments = [
        str(root),
        "--pattern",
        "cam(?P<cam>[0-9]+)/(?P<pid>[0-9]+)/",
        "--folders",
        "2",
        "--side",
        "gallery",
    ]
    assert main([*arguments, "--out", str(tmp_path)]) == 0
    assert (tmp_path / "gallery.csv").read_text() == "name,pid,cam\ncam2/7/a.png,7,2\ncam3/7/a.png,7,3\n"
    found = problems(main, [*arguments, "--base-names", "--out", str(tmp_path)])
    assert "wanted every name once, found again a.png; leave out --base-names" in found[0]
    capsys.readouterr()


def test_guess_on_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = listed(tmp_path / "train.txt", ["MVI_20011_016_img00105.jpg 15 1"])
    assert main([str(path), "--guess"]) == 0
    assert "vric: all names (VRIC, MVI_20011_016_img00105.jpg)" in capsys.readouterr().out
    assert main([str(images(tmp_path / "i", "portrait.jpg")), "--guess"]) == 1
    assert "no parser fits" in capsys.readouterr().out
    found = dry(capsys, images(tmp_path / "m", *MARKET), "--guess")
    assert found["fit"][0] == {"parser": "market1501", "data_set": "Market-1501", "names": 8}


def test_paths_are_shown_as_they_were_given(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    root = images(tmp_path / "sets" / "mine", "query/12_c3/x.jpg", "query/.DS_Store", "query/._x.jpg")
    for here, named, shown in (
        (tmp_path, "sets/mine", "sets/mine/query/12_c3/x.jpg"),
        (root, ".", "query/12_c3/x.jpg"),
        (root, "../mine/query", "../mine/query/12_c3/x.jpg"),
        (root, str(root), f"{root}/query/12_c3/x.jpg"),
    ):
        monkeypatch.chdir(here)
        found = dry(capsys, named, "--parser", "market1501")
        assert [failure["name"] for failure in found["failed"]] == [shown]
        assert [fact for fact in found["suspicious"] if "images" in fact] == []  # hidden files are not spoken of
        assert f"({shown.rpartition('/')[0]})" in found["suspicious"][0]  # the folder that looks like 12, camera 3
        assert main([named, "--guess"]) == 1
        assert f"no parser fits ({shown})" in capsys.readouterr().out


def test_every_fault_of_a_command_is_told(tmp_path: Path) -> None:
    path = images(tmp_path / "q", "1.jpg")
    assert "found neither" in problems(main, [str(path)])[0]
    assert "found both" in problems(main, [str(path), "--parser", "naic", "--pattern", "(?P<pid>.)"])[0]
    assert len(problems(main, [str(path), "--parser", "nacl", "--folders", "1"])) == 2
    assert "wanted a folder" in problems(main, [])[0]
    assert "found none" in problems(main, [str(tmp_path / "none"), "--parser", "naic"])[0]
    assert "wanted images" in problems(main, [str(images(tmp_path / "e", "a.log")), "--parser", "naic"])[0]
    root = images(tmp_path / "m", *MARKET)
    assert (
        "wanted a folder for several sides"
        in problems(main, [str(root), "--parser", "market1501", "--out", str(tmp_path / "x.csv")])[0]
    )


def test_list_of_parsers(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--list-parsers"]) == 0
    text = capsys.readouterr().out
    assert all(parser in text for parser in PARSERS)
    assert set(text) <= set(string.printable) | {"…"}
