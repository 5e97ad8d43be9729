"""The protocols of the usual data sets and libraries by name.

Sources of the presets: :data:`SOURCES`.
"""

from ensemble.scores.protocol import Draw, Protocol

PERSON = Protocol("rectangle", "valid", "market")
VEHICLE = Protocol("rectangle", "valid", "bot")

_SYSU = (
    'Wu et al., "RGB-infrared cross-modality person re-identification", ICCV 2017, as wangguanan/JSIA-ReID scores '
    "it: cameras 3 and 6 search {}, of which {} an identity and camera are drawn"
)
_PERSON = "{}, as torchreid and fast-reid score it, like Market-1501"

_PRESETS = {
    "market1501": (
        PERSON,
        'Market-1501 (Zheng et al., "Scalable person re-identification", ICCV 2015) as torchreid and '
        "fast-reid report it, whose loaders drop pid -1 beforehand; the distractors, pid 0, stay",
    ),
    "market1501_official": (
        Protocol("trapezoid", "all", "market"),
        "Market-1501 by the data set's own MATLAB code; layumi/Person_reID_baseline_pytorch, evaluate_gpu.py; "
        "st-ReID, evaluate_st.py",
    ),
    "dukemtmc": (
        PERSON,
        _PERSON.format("DukeMTMC-reID (Zheng, Zheng and Yang, ICCV 2017)"),
    ),
    "msmt17": (
        PERSON,
        _PERSON.format('MSMT17 (Wei et al., "Person transfer GAN", CVPR 2018)'),
    ),
    "cuhk03np": (
        PERSON,
        _PERSON.format("CUHK03 with the new protocol (Zhong et al., CVPR 2017)"),
    ),
    "torchreid_cuhk03": (
        Protocol("rectangle", "valid", "bot", draw=Draw("query")),
        "torchreid's eval_cuhk03 (use_metric_cuhk03): ten repeats of one image an identity for the CMC; mAP is of "
        "the whole ranking",
    ),
    "cuhk03": (
        Protocol("rectangle", "valid", "cuhk03", draw=Draw("query")),
        'CUHK03 with the old protocol (Li et al., "DeepReID", CVPR 2014): open-reid, cmc with '
        "single_gallery_shot and separate_camera_set, ten repeats; torchreid_cuhk03 is torchreid's",
    ),
    "veri": (
        VEHICLE,
        "VeRi-776 image to image, as torchreid and fast-reid score it; it has no pid -1, and none is removed",
    ),
    "veri_track": (
        Protocol("rectangle", "valid", "bot", rows="gallery_tracks"),
        'VeRi-776 image to track (Liu et al., "PROVID", TMM 2018)',
    ),
    "veriwild": (
        VEHICLE,
        "VeRi-Wild (Lou et al., CVPR 2019) with the cameras that its authors confirm in "
        "PKU-IMRE/VERI-Wild, issue 7, and that their test code left out (junk none)",
    ),
    "vehicleid": (
        Protocol("rectangle", "valid", "self", draw=Draw("identity")),
        'VehicleID (Liu et al., "Deep relative distance learning", CVPR 2016): one image of each '
        "identity is the gallery, ten times. It is drawn from the gallery given; where that holds the queries, "
        "under the same names, a query that is drawn sits out that trial, which is the protocol on a list of "
        "images",
    ),
    "aicity": (
        Protocol("rectangle", "all", "none", top_k=100),
        "AI City Challenge track 2, 2019 to 2021, mAP of the first 100 places; images of the query's own "
        "camera count",
    ),
    "visda": (
        Protocol("rectangle", "all", "bot", top_k=100, divide="found", cut="before"),
        "VisDA-2020: junk as Simon4Yan/VisDA2020, devkit; its server looks at the 100 images sent and says "
        "more than all places would (issue 3), which is dividing by what is found",
    ),
    "naic": (
        Protocol("rectangle", "valid", "none", top_k=200, final="naic"),
        "NAIC person re-identification: half rank-1, half mAP of the first 200 places (100 in the first year)",
    ),
    "sysu_all_single": (
        Protocol(junk="sysu", draw=Draw("camera", shots=1), cmc="identities", identities="test_id"),
        _SYSU.format("1, 2, 4 and 5", "1 image"),
    ),
    "sysu_all_multi": (
        Protocol(junk="sysu", draw=Draw("camera", shots=10), cmc="identities", identities="test_id"),
        _SYSU.format("1, 2, 4 and 5", "10 images"),
    ),
    "sysu_indoor_single": (
        Protocol(junk="sysu_indoor", draw=Draw("camera", shots=1), cmc="identities", identities="test_id_indoor"),
        _SYSU.format("1 and 2", "1 image"),
    ),
    "sysu_indoor_multi": (
        Protocol(junk="sysu_indoor", draw=Draw("camera", shots=10), cmc="identities", identities="test_id_indoor"),
        _SYSU.format("1 and 2", "10 images"),
    ),
    "mars": (
        Protocol("rectangle", "valid", "market", rows="tracks"),
        "MARS (Zheng et al., ECCV 2016) and other tracklet sets, as torchreid scores them; rows are tracklets "
        "or, where there are tracks, pooled by them",
    ),
    "landmarks": (
        Protocol("rectangle", "valid", "none", top_k=100, divide="cut"),
        'Google Landmarks retrieval, mAP@100 (Weyand et al., "Google Landmarks Dataset v2", CVPR 2020)',
    ),
    "intra_camera": (
        Protocol("rectangle", "all", "intra"),
        "light-reid, mode intra-camera, with the query's own image told by its name, not by its place",
    ),
    "all_cameras": (
        Protocol("rectangle", "all", "all"),
        "light-reid, mode all, likewise",
    ),
    "ltcc": (
        Protocol("rectangle", "valid", "clothes"),
        'LTCC (Qian et al., "Long-term cloth-changing person re-identification", ACCV 2020), other clothes: '
        "guxinqian/Simple-CCReID, evaluate_with_clothes, mode CC; its standard setting has junk bot",
    ),
    "ltcc_same": (
        Protocol("rectangle", "valid", "same_clothes"),
        "LTCC and PRCC, the same clothes: guxinqian/Simple-CCReID, evaluate_with_clothes, mode SC",
    ),
    "prcc": (
        Protocol("rectangle", "valid", "clothes"),
        'PRCC (Yang et al., "Person re-identification by contour sketch under moderate clothing change", TPAMI '
        "2021), other clothes, all images of camera A as gallery, as guxinqian/Simple-CCReID has it",
    ),
    "atrw": (
        Protocol("rectangle", "all", "frames"),
        'Amur tigers (Li et al., "ATRW", ACM MM 2020): cvwc2019/ATRWEvalScript, plain.py, exclude; give its '
        "queries of one kind (sing, multi) at a time, and its camera of two numbers as one text",
    ),
    "soccernet": (
        Protocol("rectangle", "valid", "action"),
        "SoccerNet re-identification (Cioppa et al., CVSports 2022): SoccerNet.Evaluation.ReIdentification, which "
        "searches a query in the gallery of its own action",
    ),
    "jaguar": (
        Protocol("rectangle", "valid", "self", average="identities"),
        "Jaguar Re-ID (Kaggle 2026): identity-balanced mAP, every image against all others",
    ),
    "oml": (
        Protocol("rectangle", "all", "self", top_k=5, divide="found"),
        "OML-Team/open-metric-learning 4.0, calc_map: map@k (5, or --cut) is divided by what is found in "
        'the first k, 0 where nothing is; for its sequences, a junk rule with same = ["sequence"]',
    ),
    "torchmetrics": (
        Protocol("rectangle", "all", "none", divide="found"),
        "Lightning-AI/torchmetrics 1.9, RetrievalMAP: divided by what is found in the first top_k (--cut), in the "
        'whole ranking without one; empty_target_action "neg"; it asks for similarities above 0',
    ),
    "none": (
        Protocol("rectangle", "valid", "none"),
        "RegDB (mangye16/Cross-Modal-Re-ID-baseline, eval_regdb) and others, where nothing is removed",
    ),
}

PROTOCOLS = {name: protocol for name, (protocol, _) in _PRESETS.items()}
"""The usual protocols by name; where each comes from: :data:`SOURCES`."""

SOURCES = {name: source for name, (_, source) in _PRESETS.items()}
"""Where the rules of each protocol come from."""
