"""What a made-up folder says of itself."""

from collections.abc import Iterator, Mapping, Sequence

import pandas as pd

from ensemble.city.value import City

TITLE = "Synthetic city, made by ensemble.demo"
COLUMNS = {
    "pid": "who it is; other identities in train.csv",
    "cam": "the camera",
    "cam_predicted": "what a classifier says that the camera is, -1 unknown; some are wrong",
    "track": "images of one passage, from 0",
    "frame": "time in frames, comparable between cameras",
    "scene": "group of cameras; nobody moves from one to another",
    "quality": "area of the crop in pixels; the smaller, the more blurred",
    "type": "true type of the vehicle; brand and colour likewise",
}
MODELS_BESIDE = {
    "camera": "which camera it is, and nothing else; their errors are those of cam_predicted",
    "orientation": "from where the image is taken",
    "attributes": "probabilities of 7 types, 30 brands, 9 colours, side by side",
    "parts": "features of a part, zeros where it cannot be seen",
}


def of_features(made: City, kind: str, size: str, seed: int) -> str:
    """The text of a folder of features: what each file is, and that nothing of it is real."""
    columns = {*made.query, *made.gallery, *made.train}
    return "\n".join(
        [
            TITLE,
            "",
            "This is not real data: identities, cameras and features are random numbers",
            f"(kind {kind}, size {size}, seed {seed}), and there are no images. Scores on it show that a",
            "method works, not how well it works on the road.",
            "",
            counts(made),
            f"{len(made.train)} images of {made.train['pid'].nunique()} other identities for training",
            "",
            "query_MODEL.pkl, gallery_MODEL.pkl, train_MODEL.pkl",
            "    features of one model: image name -> float32 values, in any order",
            "name_query.txt, name_test.txt        the images of both sides, in the order of a submission",
            *_tracks(made),
            "query.csv, gallery.csv, train.csv    the answers: name and",
            *(f"    {column:<14} {means}" for column, means in COLUMNS.items() if column in columns),
            *_nobodies(made),
            *_beside(made),
            "",
        ]
    )


def of_images(made: City, kind: str, size: str, seed: int) -> str:
    """The text of a folder of pictures."""
    columns = {*made.query, *made.gallery}
    return "\n".join(
        [
            TITLE,
            "",
            "This is not real data: the vehicles are drawn, from random numbers",
            f"(kind {kind}, size {size}, seed {seed}). Scores on it show that a method works, not how well it",
            "works on the road.",
            "",
            counts(made),
            "",
            "image_query, image_test              the pictures of queries and gallery",
            "name_query.txt, name_test.txt        their names, in the order of a submission",
            *_tracks(made),
            "query.csv, gallery.csv               the answers: name and",
            *(f"    {column:<14} {means}" for column, means in COLUMNS.items() if column in columns),
            "",
        ]
    )


def of_tracks(counted: Mapping[str, int], models: Sequence[str], size: str, seed: int) -> str:
    """The text of a folder of tracks."""
    return "\n".join(
        [
            TITLE,
            "",
            "This is not real data: vehicles, cameras, boxes and features are random numbers",
            f"(size {size}, seed {seed}), and there are no images. Scores on it show that a method works, not how",
            "well it works on the road.",
            "",
            tracks_text(counted) + f", models {', '.join(models)}",
            "",
            "tracks/c001.txt, ...       what a tracker at each camera has found: frame,id,x,y,w,h,conf,xw,yw,0",
            "features/images_MODEL.pkl  features of boxes: cCAM_TRACK_FRAME.jpg -> float32 values, in any order",
            "cameras.csv                by how many seconds a camera's first frame is late, frames a second",
            "windows.csv, zones.csv     how long it takes from camera to camera; left and right of the pictures",
            "truth.txt                  the answers: cam id frame x y w h xw yw, ids are vehicles",
            "earlier.txt                the same of other vehicles, to learn travel times from",
            "",
            "python -m ensemble.track --features features --tracks tracks --cameras cameras.csv --truth truth.txt",
            "",
        ]
    )


def tracks_text(counted: Mapping[str, int]) -> str:
    """How many tracks, boxes, vehicles and cameras there are."""
    return (
        f"{counted['tracks']} tracks of {counted['boxes']} boxes, {counted['identities']} vehicles, "
        f"{counted['cameras']} cameras"
    )


def counts(made: City) -> str:
    """How many queries, images, identities, cameras and models there are."""
    pids = pd.concat([made.query["pid"], made.gallery["pid"]])
    who = "vehicles" if "track" in made.gallery else "people"
    found = [f"{len(made.query)} queries, {len(made.gallery)} gallery images"]
    found[0] += f" in {made.gallery['track'].nunique()} tracks" if "track" in made.gallery else ""
    found.append(f"{pids[pids > 0].nunique()} {who}")
    if "cam" in made.query:
        found.append(f"{pd.concat([made.query['cam'], made.gallery['cam']]).nunique()} cameras")
    for rows in list(made.train_features.values())[:1]:
        found.append(f"{len(made.features)} models x {rows.shape[1]}")
    return ", ".join(found)


def _nobodies(made: City) -> Iterator[str]:
    if (made.gallery["pid"] < 1).any():
        yield "    pid -1 is an image that a detector spoilt, pid 0 somebody whom no query shows"


def _tracks(made: City) -> Iterator[str]:
    if "track" in made.gallery:
        yield "test_track_id.txt                    one track a line: the numbers of its gallery images"


def _beside(made: City) -> Iterator[str]:
    if made.side:
        yield "side/                                models of something else, likewise"
    for start, means in MODELS_BESIDE.items():
        models = [model for model in made.side if model.startswith(start)]
        if models:
            yield f"    {', '.join(models)}: {means}"
    if made.confusions:
        yield "    confusion_ATTRIBUTE.csv: training images, true classes down, most probable ones across"
