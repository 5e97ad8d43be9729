"""Pictures of a made-up city's vehicles: what cameras at the road would have cropped, drawn with Pillow.

A vehicle is a few boxes in space, with glass, wheels, lights and markings on their faces; a camera has a
direction, a height, a light, colours and a sharpness of its own. What makes real pictures hard is planted:
vehicles of one make and colour that differ in markings alone, markings on one side only, sides that a camera
never sees, tinted light, backgrounds that say more of the camera than of the vehicle, other things in front,
blur, noise and JPEG.

All of it is drawn from numbers; there is no picture to license.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from PIL.Image import Image

FINE = 2  # drawn so much larger, for smooth edges
HEIGHT = 96  # of a usual picture, in pixels
AREA = 44_000  # the `quality` that gives this height
TWINS = 2  # vehicles of about one make and colour

Colour = tuple[float, float, float]
PAINTS: tuple[Colour, ...] = (
    (0.92, 0.92, 0.90), (0.10, 0.10, 0.12), (0.55, 0.57, 0.60), (0.70, 0.10, 0.10), (0.12, 0.22, 0.55),
    (0.85, 0.75, 0.20), (0.15, 0.42, 0.22), (0.80, 0.45, 0.15), (0.42, 0.30, 0.22), (0.75, 0.78, 0.80),
)  # fmt: skip
GLASS, RUBBER, LAMP, TAIL = (0.13, 0.16, 0.20), (0.07, 0.07, 0.08), (0.98, 0.95, 0.75), (0.75, 0.08, 0.08)


@dataclass(frozen=True)
class Block:
    """A box whose top may be smaller: x from the rear to the front, z up, ``w`` half the width; ``level`` what
    stands on what. ``glass``: faces with windows."""

    x0: float
    x1: float
    z0: float
    z1: float
    w: float
    front: float = 0.0
    rear: float = 0.0
    side: float = 0.0
    level: int = 0
    glass: str = ""
    cargo: bool = False


MAKES: dict[str, tuple[Block, ...]] = {
    "sedan": (
        Block(-2.2, 2.2, 0.35, 0.95, 0.88, 0.1, 0.05, 0.04),
        Block(-1.5, 1.0, 0.95, 1.45, 0.84, 0.7, 0.5, 0.16, 1, "frlr"),
    ),
    "hatchback": (
        Block(-1.8, 1.9, 0.35, 0.98, 0.86, 0.15, 0.05, 0.04),
        Block(-1.75, 0.9, 0.98, 1.55, 0.82, 0.7, 0.3, 0.14, 1, "frlr"),
    ),
    "suv": (
        Block(-2.2, 2.2, 0.45, 1.1, 0.95, 0.08, 0.03, 0.03),
        Block(-2.1, 1.1, 1.1, 1.8, 0.92, 0.55, 0.2, 0.12, 1, "frlr"),
    ),
    "van": (
        Block(-2.4, 2.3, 0.4, 1.05, 0.97, 0.1, 0.0, 0.02),
        Block(-2.4, 1.8, 1.05, 2.1, 0.96, 0.7, 0.05, 0.06, 1, "fl", True),
    ),
    "pickup": (
        Block(-2.6, 2.4, 0.5, 1.1, 0.95, 0.08, 0.0, 0.03),
        Block(-0.3, 1.3, 1.1, 1.75, 0.9, 0.5, 0.15, 0.12, 1, "frlr"),
        Block(-2.55, -0.4, 1.1, 1.25, 0.93, 0.0, 0.0, 0.0, 1),
    ),
    "truck": (
        Block(-3.2, 2.6, 0.5, 0.8, 0.95),
        Block(1.1, 2.6, 0.8, 2.2, 0.98, 0.25, 0.0, 0.04, 1, "fl"),
        Block(-3.2, 0.95, 0.8, 2.7, 1.05, 0.0, 0.0, 0.0, 1, "", True),
    ),
    "bus": (
        Block(-3.6, 3.6, 0.4, 1.2, 1.05, 0.05, 0.0, 0.0),
        Block(-3.6, 3.55, 1.2, 2.5, 1.05, 0.15, 0.05, 0.04, 1, "frll", True),
    ),
}


@dataclass(frozen=True)
class Marking:
    """A patch of colour on a face of a block: from ``u0, v0`` to ``u1, v1``, in shares of the face."""

    block: int
    face: str
    box: tuple[float, float, float, float]
    colour: Colour


@dataclass(frozen=True)
class Vehicle:
    make: str
    paint: Colour
    cargo: Colour
    rims: Colour
    tint: float
    markings: tuple[Marking, ...]
    stretch: float


@dataclass(frozen=True)
class Camera:
    """Where it looks from (radians), its light, and what it does to a picture."""

    azimuth: float
    elevation: float
    sun: tuple[float, float, float]
    gain: Colour
    gamma: float
    ambient: float
    road: Colour
    verge: Colour
    horizon: float
    stripes: float
    blur: float
    noise: float
    quality: int


def _random(*key: int) -> np.random.Generator:
    return np.random.Generator(np.random.PCG64(list(key)))


@lru_cache(4096)
def vehicle(seed: int, pid: int) -> Vehicle:
    """The vehicle of an identity; ``TWINS`` in a row are nearly alike."""
    family = _random(seed, 11, pid // TWINS)
    make = str(family.choice(list(MAKES)))
    paint = np.array(PAINTS[family.integers(len(PAINTS))]) + family.normal(0, 0.06, 3)
    cargo = np.array(PAINTS[family.integers(4)]) if make in ("truck", "bus") else paint
    own = _random(seed, 12, pid)
    shade = own.normal(0, 0.02, 3) + own.normal(0, 0.02)
    markings = []
    for _ in range(own.integers(2, 6)):
        block = int(own.integers(len(MAKES[make])))
        face = str(own.choice(["left", "right", "left", "right", "top", "front", "rear"]))
        u, v = own.uniform(0.05, 0.7), own.uniform(0.1, 0.6)
        size = own.uniform(0.12, 0.4), own.uniform(0.2, 0.5)
        if own.random() < 0.3:
            u, size = 0.0, (1.0, own.uniform(0.06, 0.16))
        box = (u, v, min(u + size[0], 1.0), min(v + size[1], 1.0))
        colour = _colour(own.uniform(0.05, 0.95, 3))
        sides = ("left", "right") if face in ("left", "right") and own.random() < 0.6 else (face,)
        markings += [Marking(block, one, box, colour) for one in sides]
    rims = _colour(np.full(3, own.uniform(0.15, 0.8)))
    paint, cargo = (np.clip(colour + shade, 0.02, 0.98) for colour in (paint, cargo))
    return Vehicle(
        make, _colour(paint), _colour(cargo), rims, own.uniform(0, 1), tuple(markings), own.uniform(0.93, 1.07)
    )


@lru_cache(256)
def camera(seed: int, cam: int) -> Camera:
    """What a camera of this number is like."""
    random = _random(seed, 13, cam)
    sun = random.normal(0, 1, 3)
    sun[2] = abs(sun[2]) + 1.0
    warm = random.normal(0, 0.04)
    gain = np.exp(random.normal(0, 0.08) + np.array([warm, random.normal(0, 0.02), -warm]))
    grey = random.uniform(0.35, 0.5)
    verge = np.array([[0.32, 0.42, 0.22], [0.55, 0.50, 0.42], [0.45, 0.45, 0.48], [0.62, 0.66, 0.72]])
    x, y, z = (sun / np.linalg.norm(sun)).tolist()
    return Camera(
        azimuth=0.6 * (1 if random.random() < 0.75 else -1) + random.normal(0, 0.2),
        elevation=random.uniform(0.18, 0.55),
        sun=(x, y, z),
        gain=_colour(gain),
        gamma=float(np.exp(random.normal(0, 0.1))),
        ambient=random.uniform(0.5, 0.7),
        road=_colour(np.clip(grey + random.normal(0, 0.02, 3), 0, 1)),
        verge=_colour(verge[random.integers(len(verge))] * random.uniform(0.7, 1.1)),
        horizon=random.uniform(0.15, 0.5),
        stripes=random.uniform(-0.6, 0.6),
        blur=random.uniform(0.2, 0.9),
        noise=random.uniform(2, 7),
        quality=int(random.integers(70, 92)),
    )


def draw(seed: int, row: int, pid: int, cam: int, moment: float, area: float) -> tuple["Image", int]:
    """One picture, and the quality that it should be saved with.

    row:    a number of its own, for what is chance.
    moment: 0 to 1 while the vehicle passes: it turns and comes nearer.
    area:   of the crop: the smaller, the fewer pixels and the more blurred.
    """
    from PIL import Image, ImageDraw, ImageFilter

    shown, eye, random = vehicle(seed, pid), camera(seed, cam), _random(seed, 14, row)
    passage = _random(seed, 15, pid, cam)
    away = math.pi if passage.random() < 0.15 else 0.0  # the other lane
    azimuth = eye.azimuth + away + passage.normal(0, 0.12) + (moment - 0.5) * passage.uniform(0.2, 0.9)
    elevation = max(eye.elevation + (moment - 0.5) * 0.12, 0.08)
    shapes = list(_shapes(shown, azimuth, elevation, eye))
    points = np.concatenate([corners for corners, _ in shapes])
    low, high = points.min(axis=0), points.max(axis=0)
    height = round(float(np.clip(HEIGHT * math.sqrt(area / AREA), 40, 160)))
    margin = random.uniform(0.0, 0.06, 4)  # a detector's box is never tight
    span = (high - low) * (1 + margin[:2] + margin[2:])
    width = round(float(np.clip(height * span[0] / span[1], 0.6 * height, 2.2 * height)))
    scale = np.array([width, height]) * FINE / span
    origin = low - (high - low) * margin[:2]
    picture = _background(eye, (width * FINE, height * FINE), random)
    pen = ImageDraw.Draw(picture)
    shadow = np.array([[low[0], high[1]], [high[0], high[1]], [high[0], high[1] - 0.25], [low[0], high[1] - 0.25]])
    for corners, colour in [(shadow, tuple(0.5 * part for part in eye.road)), *shapes]:
        pen.polygon([tuple(point) for point in ((corners - origin) * scale).tolist()], fill=_bytes(colour))
    if random.random() < 0.12:  # a post, a sign, another car's roof
        x, size = random.uniform(0, 0.9), random.uniform(0.05, 0.3)
        y = random.uniform(0.4, 0.9) if random.random() < 0.5 else 0.0
        place = [x * width * FINE, y * height * FINE, (x + size) * width * FINE, height * FINE]
        pen.rectangle(place, fill=_bytes(_colour(random.uniform(0.1, 0.6, 3))))
    picture = picture.resize((width, height), Image.Resampling.BOX)
    blur = eye.blur * height / HEIGHT * math.sqrt(AREA / area) ** 0.5 * float(np.exp(random.normal(0, 0.35)))
    picture = picture.filter(ImageFilter.GaussianBlur(blur))
    values = np.asarray(picture).astype(np.float64) / 255
    values = np.clip(values * np.array(eye.gain) * math.exp(random.normal(0, 0.06)), 0, 1) ** eye.gamma
    values = 255 * values + random.normal(0, eye.noise, (height, width, 1)) + random.normal(0, 1, values.shape)
    return Image.fromarray(np.clip(np.rint(values), 0, 255).astype(np.uint8)), eye.quality


def _background(eye: Camera, size: tuple[int, int], random: np.random.Generator) -> "Image":
    """Road below, verge above, a marking across, all a little different every time."""
    from PIL import Image, ImageDraw

    width, height = size
    picture = Image.new("RGB", size, _bytes(eye.road))
    pen = ImageDraw.Draw(picture)
    edge = height * (eye.horizon + random.normal(0, 0.06))
    tilt = height * eye.stripes * 0.3
    pen.polygon([(0, 0), (width, 0), (width, edge - tilt), (0, edge + tilt)], fill=_bytes(eye.verge))
    for _ in range(4):  # bushes, people, whatever stands there
        x, y, r = random.uniform(0, width), random.uniform(0, max(edge, 1)), random.uniform(0.05, 0.2) * height
        shade = tuple(part * random.uniform(0.5, 1.3) for part in eye.verge)
        pen.ellipse([x - r, y - r, x + r, y + r], fill=_bytes(shade))
    y = height * (0.6 + random.normal(0, 0.15))
    pen.line([(0, y + tilt), (width, y - tilt)], fill=_bytes((0.85, 0.85, 0.82)), width=max(height // 40, 1))
    return picture


def _shapes(shown: Vehicle, azimuth: float, elevation: float, eye: Camera) -> Iterator[tuple[np.ndarray, Colour]]:
    """Polygons (k, 2) on the picture with their colours, the far ones first; y runs down."""
    to_camera = np.array(
        [math.cos(azimuth) * math.cos(elevation), math.sin(azimuth) * math.cos(elevation), math.sin(elevation)]
    )
    right = np.array([-math.sin(azimuth), math.cos(azimuth), 0.0])
    up = np.cross(to_camera, right)
    plane = np.stack([right, -up], axis=1)
    blocks = MAKES[shown.make]
    stretch = np.array([shown.stretch, 1.0, 1.0])
    order = sorted(
        range(len(blocks)), key=lambda b: (blocks[b].level, (blocks[b].x0 + blocks[b].x1) * float(to_camera[0]))
    )
    for number in order:
        block = blocks[number]
        for face, corners in _faces(block).items():
            corners = corners * stretch
            normal = np.cross(corners[1] - corners[0], corners[3] - corners[0])
            normal /= np.linalg.norm(normal)
            if normal @ to_camera <= 0.02:
                continue
            light = eye.ambient + (1 - eye.ambient) * max(float(normal @ np.array(eye.sun)), 0.0)
            paint = shown.cargo if block.cargo else shown.paint
            yield corners @ plane, _lit(paint, light)
            for box, colour in _on(shown, number, block, face):
                yield _patch(corners, box) @ plane, _lit(colour, light)
        if block.level == 0:
            yield from _wheels(shown, block, stretch, to_camera, plane)


def _faces(block: Block) -> dict[str, np.ndarray]:
    """The five faces that can be seen, each (4, 3): from its lower left corner, seen from outside, and round."""
    low = [(block.x0, -block.w), (block.x1, -block.w), (block.x1, block.w), (block.x0, block.w)]
    w, x0, x1 = block.w - block.side, block.x0 + block.rear, block.x1 - block.front
    high = [(x0, -w), (x1, -w), (x1, w), (x0, w)]
    a, b, c, d = (np.array([x, y, block.z0]) for x, y in low)
    e, f, g, h = (np.array([x, y, block.z1]) for x, y in high)
    return {
        "right": np.stack([a, b, f, e]),
        "front": np.stack([b, c, g, f]),
        "left": np.stack([c, d, h, g]),
        "rear": np.stack([d, a, e, h]),
        "top": np.stack([e, f, g, h]),
    }


def _on(
    shown: Vehicle, number: int, block: Block, face: str
) -> Iterator[tuple[tuple[float, float, float, float], Colour]]:
    """What lies on a face: windows, lights, markings; boxes of u and v with colours."""
    glass = tuple(part * (0.6 + shown.tint) for part in GLASS)
    if block.glass and face == "front":
        yield (0.08, 0.15, 0.92, 0.9), _three(glass)
    if "r" in block.glass and face == "rear":
        yield (0.12, 0.25, 0.88, 0.85), _three(glass)
    if "l" in block.glass and face in ("left", "right"):
        spans = [(0.08, 0.3), (0.34, 0.6), (0.64, 0.9)] if len(block.glass) > 2 else [(0.72, 0.93)]
        for start, stop in spans:
            u0, u1 = (start, stop) if face == "right" else (1 - stop, 1 - start)  # u runs to the rear on the left
            yield (u0, 0.35, u1, 0.85), _three(glass)
    if block.level == 0 and face in ("front", "rear"):
        lamp = LAMP if face == "front" else TAIL
        yield (0.04, 0.5, 0.22, 0.8), lamp
        yield (0.78, 0.5, 0.96, 0.8), lamp
        yield (0.36, 0.15, 0.64, 0.35), (0.85, 0.85, 0.85)
    for marking in shown.markings:
        if marking.block == number and marking.face == face:
            yield marking.box, marking.colour


def _patch(corners: np.ndarray, box: tuple[float, float, float, float]) -> np.ndarray:
    """A box of a face in space: u along its lower edge, v up."""
    u0, v0, u1, v1 = box
    a, b, c, d = corners
    found = [
        (a * (1 - u) + b * u) * (1 - v) + (d * (1 - u) + c * u) * v
        for u, v in ((u0, v0), (u1, v0), (u1, v1), (u0, v1))
    ]
    return np.stack(found)


def _wheels(
    shown: Vehicle, block: Block, stretch: np.ndarray, to_camera: np.ndarray, plane: np.ndarray
) -> Iterator[tuple[np.ndarray, Colour]]:
    side = 1.0 if to_camera[1] > 0 else -1.0
    turn = np.linspace(0, 2 * math.pi, 16, endpoint=False)
    radius = block.z0
    for place in (0.2, 0.8):
        x = block.x0 + place * (block.x1 - block.x0)
        for size, colour in ((1.0, RUBBER), (0.55, shown.rims)):
            round_ = np.stack(
                [
                    x + size * radius * np.cos(turn),
                    np.full(16, side * block.w * 1.01),
                    radius + size * radius * np.sin(turn),
                ],
                axis=1,
            )
            yield (round_ * stretch) @ plane, colour


def _lit(colour: Colour, light: float) -> Colour:
    return _three(tuple(min(part * light * 1.15, 1.0) for part in colour))


def _three(values: tuple[float, ...]) -> Colour:
    return values[0], values[1], values[2]


def _colour(values: np.ndarray) -> Colour:
    return _three(tuple(values.tolist()))


def _bytes(colour: tuple[float, ...]) -> tuple[int, int, int]:
    red, green, blue = (round(255 * min(max(part, 0.0), 1.0)) for part in colour)
    return red, green, blue
