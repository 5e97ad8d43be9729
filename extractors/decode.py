"""One image file to an array of red, green and blue: what is decided about odd images is decided here.

    grey, black and white      the same value three times
    palette, transparency      the colours; transparency is left out
    CMYK, YCbCr                converted (CMYK without colour profiles)
    16 bits a value            divided by 257 and rounded; nothing is clipped to white
    32 bits, floating point    refused, unless whole numbers of 16 bits lie in 32
    EXIF orientation           turned upright, as phones mean it; ``upright=False`` leaves it as it lies
    several frames             the first
    truncated, damaged, empty  broken, with the reason
    huge                       broken above ``most_pixels``, told from the header before a pixel is read

Only formats that hold pixels are opened, whatever a file is called: nothing that is a program (PostScript) runs.
"""

import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from extractors.extras import need

if TYPE_CHECKING:
    from PIL.Image import Image

FORMATS = ("JPEG", "PNG", "BMP", "TIFF", "WEBP", "PPM", "GIF")
MOST_PIXELS = 89_478_485  # what Pillow warns of: 256 MiB of red, green and blue
_ORIENTATION = 0x0112


@dataclass(frozen=True)
class Reading:
    """How a file becomes an array.

    size:        height and width to resize to.
    resize:      ``bilinear`` or ``bicubic``.
    antialias:   True: as Pillow resizes; False: as frameworks resize tensors (``extractors.resample``).
    upright:     whether EXIF orientation counts.
    most_pixels: an image with more is broken.
    """

    size: tuple[int, int]
    resize: str = "bilinear"
    antialias: bool = True
    upright: bool = True
    most_pixels: int = MOST_PIXELS


def read(path: Path, reading: Reading) -> np.ndarray | str:
    """Decode and resize one file: (height, width, 3) uint8, or the reason why it is broken."""
    images: Any = need("PIL.Image", "pillow", "images")
    images.MAX_IMAGE_PIXELS = None  # its limit warns or fails at another number than ours
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # damaged EXIF, say: what counts is whether the pixels can be read
            with images.open(path, formats=FORMATS) as image:
                return _pixels(image, reading)
    except MemoryError:
        raise
    except FileNotFoundError:
        return "no such file"
    except Exception as error:  # decoders of damaged files fail in every way there is
        text = str(error).replace(str(path), path.name)
        return "no image" if "cannot identify" in text else text or type(error).__name__


def _pixels(image: "Image", reading: Reading) -> np.ndarray | str:
    width, height = image.size
    if width * height > reading.most_pixels:
        return f"{width} x {height} pixels, more than {reading.most_pixels}"
    image.load()
    colours = _colours(image)
    if isinstance(colours, str):
        return colours
    if reading.upright:
        colours = _turned(colours, _orientation(image))
    if not reading.antialias:
        from extractors.resample import to_size

        return to_size(np.asarray(colours), reading.size, reading.resize == "bicubic")
    from PIL.Image import Resampling

    kernel = Resampling.BICUBIC if reading.resize == "bicubic" else Resampling.BILINEAR
    return np.asarray(colours.resize(reading.size[::-1], kernel))


def _colours(image: "Image") -> "Image | str":
    if image.mode == "F":
        return "floating-point values, whose range nobody knows"
    if image.mode.startswith("I"):
        from PIL.Image import fromarray

        values = np.asarray(image)
        if values.min() < 0 or values.max() > 65535:
            return "values of 32 bits, whose range nobody knows"
        image = fromarray(np.rint(values / 257).astype(np.uint8))
    return image.convert("RGB")


def _orientation(image: "Image") -> int:
    try:
        found = image.getexif().get(_ORIENTATION, 1)
    except Exception:  # damaged EXIF says nothing
        return 1
    return found if isinstance(found, int) else 1


def _turned(image: "Image", orientation: int) -> "Image":
    from PIL.Image import Transpose

    turns = {
        2: Transpose.FLIP_LEFT_RIGHT,
        3: Transpose.ROTATE_180,
        4: Transpose.FLIP_TOP_BOTTOM,
        5: Transpose.TRANSPOSE,
        6: Transpose.ROTATE_270,
        7: Transpose.TRANSVERSE,
        8: Transpose.ROTATE_90,
    }
    return image.transpose(turns[orientation]) if orientation in turns else image
