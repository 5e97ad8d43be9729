"""How people call the columns of a table: usual spellings are taken, others are listed with the nearest name.

Capitals, spaces, dashes and underscores make no difference: ``Cam``, ``cam_id`` and ``camid`` are one spelling.
"""

import re
from collections.abc import Container, Mapping, Sequence
from difflib import get_close_matches
from types import MappingProxyType

from ensemble.base.errors import examples, printable

SPELLINGS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "name": (
            "name", "names", "path", "paths", "file", "files", "filename", "filepath", "image", "images",
            "imagename", "imagepath", "imagefile", "img", "imgs", "imgname", "imgpath", "imgfile",
            "filenames", "filepaths", "imagenames", "imagepaths", "imagefiles", "imgnames", "imgpaths", "imgfiles",
            "imageid", "imageids", "imgid", "imgids", "fname",
            "fnames", "imagefilename", "imagefilenames",
        ),
        "pid": (
            "pid", "pids", "label", "labels", "identity", "identities", "identityid", "person", "personid",
            "personids", "vehicle", "vehicleid", "vehicleids", "vid", "vids", "individual", "individualid",
            "animalid", "objectid", "subjectid",
        ),
        "cam": ("cam", "cams", "camid", "camids", "camera", "cameras", "cameraid", "cameraids", "camname"),
        "cam_predicted": ("campredicted", "predictedcam", "predictedcamera", "campred", "predcam"),
        "track": ("track", "tracks", "trackid", "trackids", "tracklet", "tracklets", "trackletid", "trackletids"),
        "order": ("order", "orders"),
        "frame": ("frame", "frames", "frameid", "frameids", "frameno", "framenumber", "timestamp"),
        "scene": ("scene", "scenes", "sceneid"),
        "quality": ("quality", "qualities"),
        "clothes": (
            "clothes", "cloth", "clothesid", "clothesids", "clothid", "clothids", "clothing", "clothingid",
            "outfit",
        ),
    }
)  # fmt: skip
OTHERS: Mapping[str, tuple[str, ...]] = MappingProxyType(  # columns that only a protocol looks at
    {
        "action": ("action", "actions", "actionid", "actionidx"),
    }
)
IDS = frozenset({"imageid", "imageids", "imgid", "imgids"})  # of images: they go before their paths
_MEANS = {spelling: column for column, spellings in SPELLINGS.items() for spelling in spellings}
_OTHERS = {spelling: column for column, spellings in OTHERS.items() for spelling in spellings}


def meant(title: str) -> str | None:
    """The column that a title is a usual spelling of.

    >>> meant("Camera ID"), meant("weather")
    ('cam', None)
    """
    return _MEANS.get(_plain(title))


def canonical(name: str) -> str:
    """The column that somebody names: a usual spelling is the column, any other name is itself.

    >>> canonical("Camera ID"), canonical("cloth_id"), canonical("weather")
    ('cam', 'clothes', 'weather')
    """
    return meant(name) or _OTHERS.get(_plain(name)) or name


def best(column: str, titles: Sequence[str]) -> list[str]:
    """Of titles that all mean a column those that go first: its own name, then ids of images, then all alike.

    >>> best("name", ["path", "image_id"]), best("name", ["image_id", "name"]), best("pid", ["label", "identity"])
    (['image_id'], ['name'], ['label', 'identity'])
    """
    own = [title for title in titles if title == column]
    ids = [title for title in titles if column == "name" and _plain(title) in IDS]
    return own or ids or list(titles)


def columns(
    titles: Sequence[str], wanted: Sequence[str] = (), taken: Sequence[str] = ()
) -> tuple[dict[str, int], list[str], list[str]]:
    """Where each column stands, what is not used with the nearest name, and what is wrong.

    :func:`best` says which of several spellings goes first. ``wanted``: columns that are used
    beside those that we know. ``taken``: titles of another use.

    >>> columns(["Path", "identity", "camra", "weather"])
    ({'name': 0, 'pid': 1}, ["camra (did you mean 'cam'?)", 'weather'], [])
    """
    places: dict[str, list[int]] = {}
    others = {_plain(canonical(name)): name for name in wanted}
    for place, title in enumerate(titles):
        column = meant(title) or others.get(_plain(canonical(title)))
        if column is not None and (title not in taken or column == "name" or column in wanted):
            places.setdefault(column, []).append(place)
    chosen, problems = {}, []
    for column, found in places.items():
        own = best(column, [titles[place] for place in found])
        if len(own) > 1:
            problems.append(
                f"wanted one column for {column}, found {examples(own)}; leave one, or call it {column}"
            )
        chosen[column] = next(place for place in found if titles[place] == own[0])
    used = {*taken, *(titles[place] for place in chosen.values()), ""}
    return chosen, [unused(title, nearest(title, chosen)) for title in titles if title not in used], problems


def nearest(title: str, chosen: Container[str]) -> str | None:
    """Which column that is not ``chosen`` a title may have been meant for."""
    missing = {spelling: column for spelling, column in _MEANS.items() if column not in chosen}
    near = get_close_matches(_plain(title), missing, 1, cutoff=0.75)
    return missing[near[0]] if near else None


def unused(title: str, column: str | None) -> str:
    """A title that is not used, with the column it may have been meant for."""
    shown = printable(title, 40)
    return f"{shown} (did you mean {column!r}?)" if column else shown


def _plain(title: str) -> str:
    return re.sub(r"[\W_]", "", title.casefold())
