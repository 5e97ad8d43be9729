"""The data sets, one value each, in the order in which a guess prefers them.

Cameras keep the numbers of the names (1, 2, …). Where a set counts identities anew for every pair of cameras, or
has other people under one number in two cameras, the numbers are spread so that one number means one person. A
track has a number of its own in the whole set, made of identity, camera and the set's own count, so that query and
gallery may be read apart.

Source: the sets' own descriptions and the loaders of torchreid, fast-reid, light-reid, FGReID and st-ReID.
"""

import re
from collections.abc import Mapping
from types import MappingProxyType

from ensemble.parsers.parser import Numbers, Parser

JUNK_AND_DISTRACTORS = (
    "pid -1 is junk (protocol market1501 leaves it out), pid 0 a distractor (stays, matches nobody)"
)
_LETTERS = {"cam": {"a": 1, "b": 2}}
_ABC = {"A": 1, "B": 2, "C": 3}
_OUTFITS = 100  # more than anybody has


def _re(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern, re.ASCII)


def _cuhk01(found: Numbers) -> Numbers:
    return {"pid": found["pid"], "cam": (found["index"] + 1) // 2}  # two images a camera


def _cuhk03(found: Numbers) -> Numbers:
    return {"pid": 10000 * found["pair"] + found["person"], "cam": found["cam"]}


def _mars(found: Numbers) -> Numbers:
    track = _track(found, 10000, found["tracklet"])
    return {"pid": found["pid"], "cam": found["cam"], "track": track, "order": found["order"]}


def _duke_video(found: Numbers) -> Numbers:
    out = {name: found[name] for name in ("pid", "cam", "order", "frame")}
    if found.get("person") == found["pid"]:
        out["track"] = _track(found, 10000, found["tracklet"])
    return out


def _two_cameras(found: Numbers) -> Numbers:
    """One track an identity and camera, where there are several images of them."""
    several = "order" in found or "frame" in found
    return {**found, "track": _track(found, 1, 0)} if several else found


def _prid(found: Numbers) -> Numbers:
    out = _two_cameras(found)
    strangers = found["pid"] > 200 and found["cam"] == 2  # in both cameras are only the first 200
    return {**out, "pid": found["pid"] + 1000} if strangers else out


def _vric(found: Numbers) -> Numbers:
    return {"track": 1000 * found["recording"] + found["vehicle"], "frame": found["frame"]}


def _clothes(found: Numbers) -> Numbers:
    return {**found, "clothes": _OUTFITS * found["pid"] + found["clothes"]}


def _prcc(found: Numbers) -> Numbers:
    """Cameras a and b saw everybody in the same clothes, c in others."""
    pid, cam = found.get("pid", found.get("person", -1)), found.get("cam", found.get("letter", -1))
    return _clothes({"pid": pid, "cam": cam, "clothes": 2 if cam == 3 else 1})


def _track(found: Numbers, most: int, tracklet: int) -> int:
    return ((found["pid"] + 1) * 10 + found["cam"]) * most + tracklet


_SETS = (
    Parser(
        name="market1501",
        title="Market-1501",
        example="0002_c1s1_000451_03.jpg",
        pattern=_re(r"(?P<pid>-1|\d{4})_c(?P<cam>\d)s(?P<sequence>\d)_(?P<frame>\d{6})_\d{2}"),
        cameras=range(1, 7),
        distractors=frozenset({0}),
        note=f"{JUNK_AND_DISTRACTORS}; frames start anew in every sequence",
        source="Zheng et al., ICCV 2015",
    ),
    Parser(
        name="visda2020",
        title="PersonX and VisDA-2020",
        example="0046_c5s1_004279_02.jpg",
        pattern=_re(r"(?P<pid>\d{4})_c(?P<cam>\d)s(?P<sequence>\d)_(?P<frame>\d{6})_\d{2}"),
        cameras=range(1, 7),
        line=_re(r"(?P<name>\S+)\s+\d+"),
        split_test=True,
        note="the number in an index file is no identity; the order is that of the file",
        source="Sun and Zheng, CVPR 2019; VisDA-2020",
    ),
    Parser(
        name="dukemtmc",
        title="DukeMTMC-reID and Occluded-Duke",
        example="0005_c2_f0046985.jpg",
        pattern=_re(r"(?P<pid>\d{4})_c(?P<cam>\d)_f(?P<frame>\d{7})"),
        cameras=range(1, 9),
        source="Zheng et al., ICCV 2017; Miao et al., ICCV 2019",
    ),
    Parser(
        name="streid",
        title="Market-1501 as st-ReID renames it",
        example="0002_c1_f0000451_03.jpg",
        pattern=_re(r"(?P<pid>-1|\d{4})_c(?P<cam>\d)_f(?P<frame>\d{7})_.*"),
        cameras=range(1, 7),
        distractors=frozenset({0}),
        note=f"{JUNK_AND_DISTRACTORS}; frames are cumulative already",
        source="Wang et al., AAAI 2019",
    ),
    Parser(
        name="naic_market",
        title="the NAIC set in names like Market-1501's",
        example="4225_c1s0_200938271_00.png",
        pattern=_re(r"(?P<pid>\d+)_c(?P<cam>\d)s\d_\d{9}_\d{2}"),
        note="the third number names the image, it is no frame",
        source="IvyYZ/multi-model-fusion",
    ),
    Parser(
        name="msmt17",
        title="MSMT17",
        example="0000_002_01_0303morning_0016_2.jpg",
        pattern=_re(r"(?P<pid>\d{4})_\d{3}_(?P<cam>\d{2})_\d{4}[a-z]+_\d{4}_\d+(?:_ex)?"),
        cameras=range(1, 16),
        line=_re(r"(?P<name>\S+)\s+(?P<pid>\d+)"),
        split_test=True,
        note="identities start anew in the test part; query and gallery are told apart by list files only",
        source="Wei et al., CVPR 2018",
    ),
    Parser(
        name="cuhk03np",
        title="CUHK03-NP",
        example="0001_c1_21.png",
        pattern=_re(r"(?P<pid>\d{4})_c(?P<cam>[12])_\d{1,2}"),
        cameras=range(1, 3),
        note="the last number is the place of an image, not a frame",
        source="Zhong et al., CVPR 2017",
    ),
    Parser(
        name="cuhk03",
        title="CUHK03",
        example="1_001_1_01.png",
        pattern=_re(r"(?P<pair>[1-5])_(?P<person>\d{3})_(?P<cam>[12])_\d{2}"),
        finish=_cuhk03,
        cameras=range(1, 3),
        note="persons are counted anew for each of five camera pairs: pid is 10000 pair + person",
        source="Li et al., CVPR 2014; torchreid's names",
    ),
    Parser(
        name="cuhk01",
        title="CUHK01",
        example="0001001.png",
        pattern=_re(r"(?P<pid>(?!0000)\d{4})(?P<index>00[1-4])"),
        finish=_cuhk01,
        cameras=range(1, 3),
        note="images 1 and 2 are camera 1, images 3 and 4 camera 2",
        source="Li et al., ACCV 2012",
    ),
    Parser(
        name="veri776",
        title="VeRi-776",
        example="0001_c001_00016450_0.jpg",
        pattern=_re(r"(?P<pid>\d{4})_c(?P<cam>\d{3})_(?P<frame>\d{8})_\d+"),
        cameras=range(1, 21),
        note="also train_label.xml and test_label.xml",
        source="Liu et al., ECCV 2016",
    ),
    Parser(
        name="mars",
        title="MARS",
        example="0001C1T0001F001.jpg",
        pattern=_re(r"(?P<pid>00-1|\d{4})C(?P<cam>\d)T(?P<tracklet>\d{4})F(?P<order>\d{3,4})"),
        values={"pid": {"00-1": -1}},
        finish=_mars,
        cameras=range(1, 7),
        distractors=frozenset({0}),
        split_test=True,
        note=f"{JUNK_AND_DISTRACTORS}; which tracklets are queries is in query_IDX.mat",
        source="Zheng et al., ECCV 2016",
    ),
    Parser(
        name="dukevideo",
        title="DukeMTMC-VideoReID",
        example="0001C6F0099X30823.jpg",
        pattern=_re(
            r"(?:(?P<person>\d{4})/(?P<tracklet>\d{4})/|(?:[^/]*/){0,2})"
            r"(?P<pid>\d{4})_?C(?P<cam>\d)_?F(?P<order>\d{4})_?X(?P<frame>\d{5,7})"
        ),
        folders=2,
        finish=_duke_video,
        cameras=range(1, 9),
        note="old names have no _; the tracklet is a folder: pid/tracklet/image",
        source="Wu et al., CVPR 2018",
    ),
    Parser(
        name="ilidsvid",
        title="iLIDS-VID",
        example="cam1_person001_00317.png",
        pattern=_re(r"cam(?P<cam>[12])_person(?P<pid>\d{3})(?:_(?P<frame>\d{5}))?"),
        finish=_two_cameras,
        cameras=range(1, 3),
        source="Wang et al., ECCV 2014",
    ),
    Parser(
        name="prid2011",
        title="PRID-2011, single and multi shot",
        example="cam_a/person_0001.png",
        pattern=_re(r"(?:[^/]*/)??cam_(?P<cam>[ab])/person_(?P<pid>\d{4})(?:/(?P<order>\d{4}))?"),
        folders=2,
        values=_LETTERS,
        finish=_prid,
        cameras=range(1, 3),
        note="only persons 1 to 200 are in both cameras: later ones of camera b get pid + 1000",
        source="Hirzer et al., SCIA 2011",
    ),
    Parser(
        name="viper",
        title="VIPeR",
        example="cam_a/000_45.bmp",
        pattern=_re(r"cam_(?P<cam>[ab])/(?P<pid>\d{3})_\d{1,3}"),
        folders=1,
        values=_LETTERS,
        cameras=range(1, 3),
        source="Gray and Tao, ECCV 2008",
    ),
    Parser(
        name="grid",
        title="QMUL GRID",
        example="0001_1_25004_107_32_106_221.jpeg",
        pattern=_re(r"(?P<pid>\d{4})_(?P<cam>\d)_\d+(?:_\d+){4}"),
        cameras=range(1, 9),
        distractors=frozenset({0}),
        note="pid 0 of the gallery is 775 different people, nobody's match",
        source="Loy et al., CVPR 2009",
    ),
    Parser(
        name="ltcc",
        title="LTCC",
        example="094_1_c9_015833.png",
        pattern=_re(r"(?P<pid>\d{3})_(?P<clothes>\d{1,2})_c(?P<cam>\d{1,2})_(?P<frame>\d{6})"),
        finish=_clothes,
        cameras=range(1, 13),
        note="clothes count anew for every person: clothes is 100 pid + their number; protocols ltcc, ltcc_same",
        source="Qian et al., ACCV 2020",
    ),
    Parser(
        name="prcc",
        title="PRCC",
        example="A/001/cropped_rgb001.jpg",
        pattern=_re(
            r"(?:(?P<cam>[ABC])/(?P<pid>\d{3})/|(?:[^/]*/)?(?P<person>\d{3})/(?P<letter>[ABC])_)cropped_rgb\d{3,4}"
        ),
        folders=2,
        values={"cam": _ABC, "letter": _ABC},
        finish=_prcc,
        cameras=range(1, 4),
        split_test=True,
        note="cameras A, B, C are 1, 2, 3; A (the gallery) and B have the same clothes, C others; protocols prcc, "
        "ltcc_same",
        source="Yang et al., TPAMI 2021",
    ),
    Parser(
        name="vcclothes",
        title="VC-Clothes",
        example="0001-01-01-01.jpg",
        pattern=_re(r"(?P<pid>\d{4})-(?P<cam>\d{2})-(?P<clothes>\d{2})-\d{2,}"),
        finish=_clothes,
        cameras=range(1, 5),
        note="clothes count anew for every person: clothes is 100 pid + their number; protocols ltcc, ltcc_same",
        source="Wan et al., CVPR Workshops 2020; guxinqian/Simple-CCReID",
    ),
    Parser(
        name="llcm",
        title="LLCM",
        example="0001_c01_s187535_f5136_nir.jpg",
        pattern=_re(r"(?P<pid>\d{4})_c(?P<cam>\d{2})_s\d+_f\d+_(?:nir|vis|rgb)"),
        cameras=range(1, 10),
        split_test=True,
        note="a camera sees both infrared (nir) and visible light (vis); frames are those of parts of recordings",
        source="Zhang and Wang, CVPR 2023",
    ),
    Parser(
        name="sysumm01",
        title="SYSU-MM01",
        example="cam3/0006/0001.jpg",
        pattern=_re(r"cam(?P<cam>\d)/(?P<pid>\d{4})/\d{4}"),
        folders=2,
        cameras=range(1, 7),
        note="cameras 3 and 6 are infrared, the queries; 2 and 3 share a place: queries of 3 skip gallery of 2",
        source="Wu et al., ICCV 2017",
    ),
    Parser(
        name="regdb",
        title="RegDB",
        example="Visible/33/male_back_v_02841_33.bmp",
        pattern=_re(r"(?:fe)?male_(?:front|back)_(?P<cam>[vt])_\d+_(?P<pid>\d+)"),
        values={"cam": {"v": 1, "t": 2}},
        cameras=range(1, 3),
        line=_re(r"(?P<name>\S+)\s+\d+"),
        note="camera 1 is visible, 2 thermal; lists count identities anew in every split: the name's pid is taken",
        source="Nguyen et al., Sensors 2017",
    ),
    Parser(
        name="vric",
        title="VRIC",
        example="MVI_20011_016_img00105.jpg",
        pattern=_re(r"MVI_(?P<recording>\d{5})_(?P<vehicle>\d{3})_img(?P<frame>\d{5})"),
        finish=_vric,
        cameras=range(0, 121),
        line=_re(r"(?P<name>\S+)\s+(?P<pid>\d+)\s+(?P<cam>\d+)"),
        note="identity and camera are in vric_train.txt, vric_probe.txt, vric_gallery.txt",
        source="Kanaci et al., GCPR 2018",
    ),
    Parser(
        name="openreid",
        title="open-reid: pid_cam_index, and validate_list.txt of AI City",
        example="00000283_001_000001.jpg",
        pattern=_re(r"(?P<pid>\d{8})_(?P<cam>\d{2,4})(?:_\d+)+"),
        note="attributes may take the place of the index",
        source="Cysu/open-reid; gggcy/AIC2020_ReID",
    ),
    Parser(
        name="occludedreid",
        title="Occluded-REID and Partial-REID",
        example="occluded_body_images/001/001_01.tif",
        pattern=_re(
            r"(?:[^/]*/)??(?:(?P<cam>occluded|partial|whole)_body_images/)?(?:\d{3}/)?(?P<pid>\d{3})_\d{2,3}"
        ),
        folders=2,
        values={"cam": {"occluded": 0, "partial": 0, "whole": 1}},
        cameras=range(0, 2),
        note="there are no cameras: occluded or partial images count as camera 0, whole ones as camera 1",
        source="Zhuo et al., ICME 2018; Zheng et al., ICCV 2015; light-reid",
    ),
    Parser(
        name="partialilids",
        title="Partial-iLIDS",
        example="Probe/001.jpg",
        pattern=_re(r"(?P<cam>Probe|Gallery)/(?P<pid>\d{3})"),
        folders=1,
        values={"cam": {"Probe": 0, "Gallery": 1}},
        cameras=range(0, 2),
        note="there are no cameras: probes count as camera 0, the gallery as camera 1",
        source="Zheng et al., CVPR 2011; light-reid",
    ),
    Parser(
        name="aicity",
        title="AI City track 2 of 2019 to 2021 (CityFlow)",
        example="000001.jpg",
        pattern=_re(r"\d{6}"),
        cameras=range(1, 47),
        note="names say nothing: train_label.xml has the labels; the test of 2019 and 2020 has not even cameras",
        source="Tang et al., CVPR 2019",
    ),
    Parser(
        name="veriwild",
        title="VeRi-Wild",
        example="00001/000001.jpg",
        pattern=_re(r"(?:(?P<pid>\d{5})/|[^/]*/)?\d{6}"),
        folders=1,
        cameras=range(1, 175),
        line=_re(
            r"(?P<name>(?:\d+/)?\d+)(?:\.jpg)?(?:\s*;\s*(?P<cam>\d+)\s*(?:;\s*(?P<time>[^;]*?)\s*(?:;.*)?)?)?"
        ),
        suffix=".jpg",
        note="cameras are in vehicle_info.txt (give it as --labels): comparing without them flatters",
        source="Lou et al., CVPR 2019",
    ),
    Parser(
        name="vehicleid",
        title="VehicleID",
        example="0000001.jpg",
        pattern=_re(r"\d{7}"),
        line=_re(r"(?P<name>\d+)\s+(?P<pid>\d+)"),
        suffix=".jpg",
        split_test=True,
        note="no cameras; identities are in test_list_800.txt and its like; one random image each is the gallery",
        source="Liu et al., CVPR 2016",
    ),
    Parser(
        name="naic",
        title="NAIC",
        example="00000.png",
        pattern=_re(r"\d{5,8}"),
        line=_re(r"(?P<name>[^\s:]+)[\s:]+(?P<pid>\d+)"),
        note="no cameras; identities are in train_list.txt; sets a and b are scored apart",
        source="NAIC person re-identification; names as its entrants' loaders read them",
    ),
    Parser(
        name="visda2020_test",
        title="the test of VisDA-2020",
        example="000000.jpg",
        pattern=_re(r"\d{5,6}"),
        line=_re(r"(?P<name>\S+)\s+\d+"),
        split_test=True,
        note="identities and cameras are hidden; the number in an index file is no identity",
        source="VisDA-2020",
    ),
    Parser(
        name="list",
        title="any list of name, pid and perhaps cam",
        example="",
        pattern=_re(r".+"),
        line=_re(r"(?P<name>[^,;\s]+)[,;\s]+(?P<pid>-?\d+)(?:[,;\s]+(?P<cam>-?\d+))?"),
        note="names may be anything; the numbers are in the list, with blanks, commas or semicolons between",
        source="njust365 in light-reid, and many",
    ),
)
PARSERS: Mapping[str, Parser] = MappingProxyType({parser.name: parser for parser in _SETS})
