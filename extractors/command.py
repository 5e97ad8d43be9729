"""The options of ``extractors.dump``, which ``extractors.rank`` hands on."""

import argparse
from pathlib import Path
from typing import Any

from ensemble.cli import program

LIKE: dict[str, dict[str, Any]] = {  # how published systems prepared images; all of them resized with Pillow
    "aicity2020_5th": {"filter": "bilinear", "resize": "310x414", "flip": "mean", "l2": "each"},
    "naic2019_ivyyz": {"filter": "bilinear", "l2": "end"},
    "streid": {"filter": "bicubic", "flip": "sum", "l2": "end"},
    "streid_pcb": {"filter": "bicubic", "flip": "sum", "parts": "streid", "l2": "end"},
    "fgreid": {"filter": "bicubic", "flip": "sum", "l2": "end"},
    "layumi": {"filter": "bicubic", "flip": "sum", "l2": "end"},
    "layumi_pcb": {"filter": "bicubic", "flip": "sum", "parts": "pcb"},
    "lightreid": {"filter": "bicubic"},
}
SIDES = ("query", "gallery", "train")
DEFAULTS: dict[str, Any] = {"filter": "bilinear", "resize": None, "flip": "none", "l2": "none", "parts": "none"}


def parser(description: str | None = None) -> argparse.ArgumentParser:
    """All options of the command."""
    from ensemble.cli import outputs

    p = program.parser(
        "extractors.dump",
        description,
        epilog="Models: PATH.onnx; PATH.pt, .pt2 (torch programs); PATH.pth, .pth.tar (checkpoints); timm:NAME; "
        "open_clip:NAME; module:PACKAGE.MODULE:FACTORY; hog:CELL, colour:BINS, pixels. Options follow a comma: "
        "name=NAME, precision=…, size=HEIGHTxWIDTH, mean=R/G/B, std=R/G/B, codes=yes|CUT (binary codes), "
        "clips=yes, fold=yes, compile=yes (torch), optimize=… (ONNX) and those of the family.",
    )
    _add_images(p.add_argument_group("images"))
    _add_models(p.add_argument_group("models"))
    _add_views(p.add_argument_group("test-time augmentation"))
    _add_tracklets(p.add_argument_group("tracklets"))
    outputs.add_out(p, "the features folder", required=True)
    p.add_argument("--format", choices=("npz", "pickle"), default="npz", help="default: %(default)s")
    return p


def _add_images(group: argparse._ArgumentGroup) -> None:
    from ensemble.cli import files

    add = group.add_argument
    add(
        "--images", nargs="+", default=[], type=Path, metavar="DIR|LIST", help="folders or lists, named like sides"
    )
    for side in SIDES:
        what = f"folder of {side} images, or a list [and folder]"
        add(f"--{side}", nargs="+", type=Path, metavar="PATH", help=what)
    add("--root", type=Path, metavar="DIR", help="where the images of lists are (default: beside the list)")
    add("--sides", nargs="+", choices=SIDES, default=["query", "gallery"],
        help="of --images (default: query gallery)")  # fmt: skip
    files.add_meaning(group, "--parser")
    files.add_labels(group)
    add("--skip-broken", action="store_true", help="leave broken images out and list them, instead of stopping")
    add("--ignore-exif", action="store_true", help="do not turn images upright")
    add("--most-pixels", type=int, default=89_478_485, metavar="N",
        help="an image with more is broken (default: %(default)s)")  # fmt: skip


def _add_models(group: argparse._ArgumentGroup) -> None:
    add = group.add_argument
    add("--model", action="append", default=[], metavar="SPEC[,OPTION=VALUE…]", help="see below; may be repeated")
    add("--device", choices=("auto", "cpu", "cuda"), default="auto", help="default: %(default)s")
    add("--precision", choices=("float32", "float16", "bfloat16"), default="float32", help="default: %(default)s")
    add("--batch", type=int, default=32, metavar="N", help="images at once (default: %(default)s)")
    add(
        "--workers",
        type=int,
        metavar="N",
        help="processes that read images; 0: none (default: one a processor, at most 8)",
    )


def _add_views(group: argparse._ArgumentGroup) -> None:
    from extractors.views import FLIPS, NORMS

    add = group.add_argument
    add("--like", choices=LIKE, help="resizing, flip and norm of a published system")
    add("--resize", metavar="HEIGHTxWIDTH", help="resize to this and crop the centre to the model's size")
    add("--filter", choices=("bilinear", "bicubic"), help="of the resizing (default: bilinear)")
    add("--no-antialias", action="store_true", help="resize as frameworks do tensors, not as Pillow")
    add("--mean", metavar="R/G/B", help="instead of the model's, of values 0..1")
    add("--std", metavar="R/G/B", help="likewise")
    add("--flip", choices=FLIPS, help="add the mirror image: by mean, or by sum (default: none)")
    add("--scales", metavar="A,B,…", help="factors of the area, as 1,1.1,1.2")
    add("--compounding", action="store_true", help="each scale applies to the result of the one before (layumi)")
    add("--ten-crop", action="store_true", help="mean over corners and centre of --resize, and mirrored")
    add("--detected", type=Path, metavar="DIR", help="detector's crops with the same names, added to the images")
    add("--l2", choices=NORMS, help="length 1 for each view, or at the end (default: none)")
    add("--parts", choices=("none", "pcb", "streid", "sum", "max", "concat"),
        help="how parts are joined (default: none, the own feature of the model)")  # fmt: skip
    add("--part-weights", type=Path, metavar="FILE.npz", help="weights of the parts: SIDE (n, parts), SIDE_name")


def _add_tracklets(group: argparse._ArgumentGroup) -> None:
    add = group.add_argument
    add("--tracklets", choices=("folders", "mars"), help="one row a tracklet: every folder, or MARS's lists")
    add("--sampling", choices=("uniform", "dense", "all"), default="uniform", help="default: %(default)s")
    add("--clip", type=int, default=4, metavar="N", help="frames a clip (default: %(default)s)")
    add("--most-frames", type=int, default=40, metavar="N", help="uniform: frames; dense: clips less one (40)")
    add("--seed", type=int, default=0, metavar="N", help="of uniform sampling (default: %(default)s)")
