"""The page of clusters: rows of pictures, what holds them together, and the pairs that a person should look at.

The answers to these come back as ``links.csv``, with those that were there before, for ``--links``.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ensemble import __version__, io
from ensemble.base.errors import printable
from ensemble.clusters.answers import Answers, Part
from ensemble.clusters.doubts import Pair, held_by, in_doubt
from ensemble.report.filling import digest, embedded, template
from ensemble.report.pictures import Album, Pictures, gather
from postproc.clusters.known_pairs import members

SIZE = 20_000_000  # bytes of a page, unless said otherwise
HOLDING = 8  # weakest pairs that are told of each cluster
SIDE = "gallery"
SCORES = ("ari", "ami", "nmi", "pair_precision", "pair_recall", "pair_f1", "bcubed_precision", "bcubed_recall",
          "bcubed_f1", "purity")  # fmt: skip


def album(folders: Sequence[Path]) -> Album | None:
    """The pictures below some folders; None without any."""
    return Album(folders) if folders else None


def write(
    path: Path,
    found: Answers,
    content: Mapping[str, Any],
    called: Sequence[str],
    *,
    album: Album | None = None,
    size: int = SIZE,
    data_folder: str = "",
) -> list[str]:
    """Write the page; returns what it leaves out to stay within ``size`` bytes.

    ``content`` is the record, ``called`` what the cluster of every image is called, ``data_folder`` where the data
    lay, for the top of the page.
    """
    content = {**content, "data_folder": printable(data_folder, 2000)}
    data = _data(found, called)
    base = len(_render(found, content, data, ()))
    chosen = gather(album, [(SIDE, name) for name in _in_order(found, data)], max(0, size - base - 8192))
    data |= _pictures(found, chosen)
    with io.beside(path, "wb") as stream:
        stream.write(_render(found, content, data, chosen.notes))
    return list(chosen.notes)


def _data(found: Answers, called: Sequence[str]) -> dict[str, Any]:
    """What the script of the page works with; images by their rows in the whole."""
    links: list[list[Any]] = []
    parts = []
    for part in found.parts:
        row = part.rows.tolist()
        weakest = held_by(part)
        groups = sorted(members(part.clusters), key=lambda rows: (-len(rows), int(rows[0])))
        for pairs, answer in ((part.images.must, "yes"), (part.images.cannot, "no")):
            links += [[row[one], row[other], answer] for one, other in pairs.tolist()]
        parts.append(
            {
                "name": printable(part.name, 80),
                "threshold": part.threshold.distance,
                "clusters": [
                    {
                        "called": called[int(part.rows[rows[0]])],
                        "images": [row[i] for i in rows.tolist()],
                        "holding": [_pair(pair, row) for pair in weakest[int(part.clusters[rows[0]])][:HOLDING]],
                    }
                    for rows in groups
                ],
                "alone": [row[i] for i in np.flatnonzero(part.clusters < 0).tolist()],
                "doubts": [_pair(pair, row) for pair in in_doubt(part)],
            }
        )
    return {"names": list(found.names), "parts": parts, "links": links, "pictures": [], "height": 0}


def _pair(pair: Pair, row: Sequence[int]) -> list[Any]:
    return [row[pair.one], row[pair.other], round(pair.distance, 6), int(pair.together)]


def _in_order(found: Answers, data: Mapping[str, Any]) -> list[str]:
    """The images by how much they are looked at: in doubt, in large clusters, alone."""
    rows: dict[int, None] = {}
    for part in data["parts"]:
        rows |= dict.fromkeys(row for pair in part["doubts"] for row in pair[:2])
    for part in data["parts"]:
        rows |= dict.fromkeys(row for cluster in part["clusters"] for row in cluster["images"])
    for part in data["parts"]:
        rows |= dict.fromkeys(part["alone"])
    return [found.names[row] for row in rows]


def _pictures(found: Answers, chosen: Pictures) -> dict[str, Any]:
    if not chosen.found:
        return {}
    return {
        "pictures": [chosen.found.get((SIDE, name), 0) for name in found.names],
        "height": chosen.height,
        "shape": round(chosen.shape, 3),
    }


def _render(found: Answers, content: Mapping[str, Any], data: Mapping[str, Any], notes: Sequence[str]) -> bytes:
    import jinja2

    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["number"] = lambda value: "–" if value is None else f"{value:.4g}"
    script = template("clusters.js")
    text = environment.from_string(template("clusters.html")).render(
        title=printable(content["recipe"]["name"], 80),
        method=found.how.text(),
        data_folder=content["data_folder"],
        images=len(found.names),
        sets=[_about(part, content["sets"][part.name]) for part in found.parts],
        scores=_scores(found, content),
        measures=SCORES,
        notes=[*content["notes"], *notes],
        version=__version__,
        style=template("report.css") + template("clusters.css"),
        data=embedded(data),
        script=script,
        digest=digest(script),
    )
    return text.encode("utf-8", "replace")


def _about(part: Part, said: Mapping[str, Any]) -> dict[str, Any]:
    return {**said, "name": printable(part.name, 80), "held_out": said.get("fit", {}).get("held_out")}


def _scores(found: Answers, content: Mapping[str, Any]) -> list[tuple[str, Mapping[str, Any]]]:
    """The scores of every data set that has any, and their mean."""
    judged = [
        (printable(name, 80) or "all", one["scores"]) for name, one in content["sets"].items() if one["scores"]
    ]
    return [*judged, ("mean", content["scores"])] if content["scores"] else judged
