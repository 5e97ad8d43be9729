"""Everybody's way over the cameras: a row an identity, a bar a track, time to the right; one page for all.

Colours tell cameras, and so do the numbers on the bars; a pointer on a bar shows the rest.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from itertools import pairwise

from ensemble.base.errors import printable

NAME = "timelines.html"
MOST = 400  # identities that are drawn
WIDTH, LEFT, ROW, BAR, TOP = 1120, 84, 22, 14, 34  # pixels
LETTER = 6.6  # of a number on a bar
HUES = (205, 24, 160, 320, 265, 48, 0, 95, 185, 285, 130, 345)  # as far apart as their neighbours allow
STEPS = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 43200, 86400)
PANEL = '<div class="panel" role="region" aria-label="Ways over the cameras" tabindex="0">'
STYLE = """
:root { color-scheme: light dark;
  --page: #f6f7f9; --panel: #fff; --ink: #1d2229; --soft: #575e69; --line: #dde1e7; --shade: #0003; }
@media (prefers-color-scheme: dark) {
  :root { --page: #121418; --panel: #1a1d23; --ink: #e7eaef; --soft: #a4acb8; --line: #333943; --shade: #000a; }
}
body { margin: 0; background: var(--page); color: var(--ink); font: 15px/1.5 system-ui, "Segoe UI", sans-serif; }
main { max-width: 1180px; margin: 0 auto; padding: 24px 20px; overflow-wrap: break-word; }
h1 { font-size: 24px; margin: 0 0 4px; } p { margin: 4px 0; } .soft { color: var(--soft); }
.panel { border: 1px solid var(--line); border-radius: 8px; padding: 10px;
  margin-top: 14px; overflow-x: auto; background:
  linear-gradient(90deg, var(--panel) 35%, transparent) left / 40px 100% no-repeat local,
  linear-gradient(270deg, var(--panel) 35%, transparent) right / 40px 100% no-repeat local,
  linear-gradient(90deg, var(--shade), transparent) left / 16px 100% no-repeat scroll,
  linear-gradient(270deg, var(--shade), transparent) right / 16px 100% no-repeat scroll, var(--panel); }
svg { display: block; font: 11px system-ui, "Segoe UI", sans-serif; }
svg text { fill: var(--ink); } svg .axis { fill: var(--soft); } svg line { stroke: var(--line); }
svg .link { stroke: var(--soft); stroke-dasharray: 2 3; } svg .on { fill: #fff; font-weight: 600; }
.key { display: flex; flex-wrap: wrap; gap: 4px 14px; list-style: none; margin: 10px 0 0; padding: 0;
  font-size: 13px; }
.key i { display: inline-block; width: 12px; height: 12px; border-radius: 3px; margin-right: 5px;
  vertical-align: -1px; }
"""


@dataclass(frozen=True)
class Bar:
    """A track: whose, in which camera, from when to when in seconds, and what else to say of it."""

    who: int
    cam: int
    start: float
    end: float
    said: str = ""


def page(title: str, about: str, bars: Sequence[Bar], said: Sequence[str] = ()) -> str:
    """The page as HTML. Identities in most cameras come first; of very many, the first of that order."""
    ways: dict[int, list[Bar]] = {}
    for bar in bars:
        ways.setdefault(bar.who, []).append(bar)
    order = sorted(
        ways, key=lambda who: (-len({bar.cam for bar in ways[who]}), min(b.start for b in ways[who]), who)
    )
    shown = order[:MOST]
    lines = [*said, *([f"{MOST} of {len(order)} identities are drawn"] if len(order) > MOST else [])]
    cameras = sorted({bar.cam for bar in bars})
    colour = {cam: _colour(place) for place, cam in enumerate(cameras)}
    key = "".join(f'<li><i style="background:{colour[cam]}"></i>camera {cam}</li>' for cam in cameras)
    parts = [
        "<!doctype html>",
        '<html lang="en"><head><meta charset="utf-8">',
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">",
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>{_text(title)}</title><style>{STYLE}</style></head><body><main>",
        f'<h1>{_text(title)}</h1><p class="soft">{_text(about)}</p>',
        *(f"<p>{_text(line)}</p>" for line in lines),
        f'<ul class="key" aria-label="Cameras">{key}</ul>',
        f"{PANEL}{drawing([ways[who] for who in shown], colour)}</div>" if shown else "",
        "</main></body></html>",
    ]
    return "\n".join(part for part in parts if part) + "\n"


def drawing(ways: Sequence[Sequence[Bar]], colour: dict[int, str]) -> str:
    """A picture (SVG) with a row for every identity's tracks."""
    low = min(bar.start for way in ways for bar in way)
    high = max(bar.end for way in ways for bar in way)
    scale = (WIDTH - LEFT - 16) / max(high - low, 1e-9)
    height = TOP + ROW * len(ways) + 8
    marks = []
    for second in _ticks(low, high):
        x = LEFT + (second - low) * scale
        marks.append(f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{TOP - 8}" y2="{height - 4}"/>')
        marks.append(f'<text class="axis" x="{x:.1f}" y="{TOP - 14}" text-anchor="middle">{_clock(second)}</text>')
    for row, way in enumerate(ways):
        marks += _row(way, TOP + ROW * row, low, scale, colour)
    head = f'<svg xmlns="http://www.w3.org/2000/svg" role="img" width="{WIDTH}" height="{height}" '
    head += f'viewBox="0 0 {WIDTH} {height}"><title>Identities over cameras and time</title>'
    return head + "".join(marks) + "</svg>"


def _row(way: Sequence[Bar], top: float, low: float, scale: float, colour: dict[int, str]) -> list[str]:
    ordered = sorted(way, key=lambda bar: (bar.start, bar.end, bar.cam))
    middle, cameras = top + ROW / 2, len({bar.cam for bar in way})
    name = f"{ordered[0].who} · {cameras} cam" + ("s" if cameras > 1 else "")
    marks = [f'<text x="{LEFT - 10}" y="{middle + 4:.1f}" text-anchor="end">{name}</text>']
    for one, other in pairwise(ordered):
        left, right = (LEFT + (second - low) * scale for second in (one.end, other.start))
        if right > left:
            marks.append(
                f'<line class="link" x1="{left:.1f}" x2="{right:.1f}" y1="{middle:.1f}" y2="{middle:.1f}"/>'
            )
    for bar in ordered:
        x, wide = LEFT + (bar.start - low) * scale, max((bar.end - bar.start) * scale, 4.0)
        tip = f"identity {bar.who}, camera {bar.cam}, {_clock(bar.start)} to {_clock(bar.end)}"
        tip += f", {bar.said}" if bar.said else ""
        box = f'<rect x="{x:.1f}" y="{middle - BAR / 2:.1f}" width="{wide:.1f}" height="{BAR}" rx="3" '
        marks.append(f'{box}fill="{colour[bar.cam]}"><title>{_text(tip)}</title></rect>')
        if wide >= LETTER * len(str(bar.cam)) + 6:
            text = f'x="{x + wide / 2:.1f}" y="{middle + 4:.1f}" text-anchor="middle" pointer-events="none"'
            marks.append(f'<text class="on" {text}>{bar.cam}</text>')
    return marks


def _ticks(low: float, high: float) -> list[float]:
    step = next((step for step in STEPS if (high - low) / step <= 12), STEPS[-1])
    first = -(-low // step) * step
    return [first + step * place for place in range(int((high - first) // step) + 1)]


def _clock(seconds: float) -> str:
    """Minutes and seconds, with hours where there are any.

    >>> _clock(75), _clock(3725.4), _clock(-5)
    ('1:15', '1:02:05', '-0:05')
    """
    sign, whole = "-" if seconds <= -0.5 else "", round(abs(seconds))
    minutes, second = divmod(whole, 60)
    hours, minute = divmod(minutes, 60)
    return f"{sign}{hours}:{minute:02}:{second:02}" if hours else f"{sign}{minute}:{second:02}"


def _colour(place: int) -> str:
    """One of many: hues first, then lighter and darker ones."""
    light = (42, 33, 52)[place // len(HUES) % 3]
    return f"hsl({HUES[place % len(HUES)]} 62% {light}%)"


def _text(text: str) -> str:
    return escape(printable(text, 4000))
