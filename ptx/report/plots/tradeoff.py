"""The trade-off picture as SVG: quality against a cost, with error bars, the front, and its labels.

The colours come from the page's CSS, for dark mode and print; the shapes carry the same information. Points
on the front are filled, points within noise of the front are rings, dominated points are small and grey, and
the baseline is a square. The front is a step line.

A picture is read by its front, so only the front and the baseline are labelled, at most :data:`LABELLED`
points. Of a crowd the dominated points are one cloud, in which points of the same pixel are one: the picture
of ten thousand rows is as large as that of three hundred.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from ptx.records import Metric
from ptx.report.plots.axis import Axis, make_axis
from ptx.report.plots.placement import Box, Label, place
from ptx.report.table.units import Scale, metric_text
from ptx.stats.pareto import Standing

LETTER, LINE, LONGEST = 6.1, 13.0, 30
RADIUS: dict[Standing, float] = {"front": 5.0, "near": 4.5, "dominated": 3.5, "missing": 0.0}
ORDER: list[Standing] = ["front", "near", "dominated"]
LABELLED = 12  # points with a label
CROWD = 60  # from this many points on, those off the front are a cloud


@dataclass(frozen=True)
class Dot:
    """One row in the picture."""

    number: int
    label: str
    baseline: bool
    x: Metric
    y: Metric
    standing: Standing = "dominated"
    by: str = ""  # the label of the row that dominates it


@dataclass(frozen=True)
class Title:
    """What an axis shows and how its numbers are written."""

    text: str
    scale: Scale


@dataclass(frozen=True)
class Size:
    """The size of a picture in pixels; if ``numbered``, the labels are the rows' numbers (narrow screens)."""

    width: float
    height: float
    numbered: bool = False

    @property
    def plot(self) -> Box:
        """The area of the points."""
        return Box(46 if self.numbered else 58, 14, self.width - 14, self.height - 46)


WIDE, NARROW = Size(760, 440), Size(350, 340, numbered=True)


def draw(dots: Sequence[Dot], x_title: Title, y_title: Title, size: Size, ident: str) -> str:
    """The picture as an ``<svg>`` element; ``ident`` makes its ids unique on the page."""
    plot = size.plot
    x = make_axis(
        [dot.x for dot in dots], plot.left, plot.right, may_log=True, wanted=4 if size.numbered else 7
    )
    y = make_axis([dot.y for dot in dots], plot.bottom, plot.top, may_log=False, wanted=5)
    drawn, cloud = _parted(dots)
    back_first = sorted(drawn, key=lambda dot: -ORDER.index(dot.standing))
    shown = (
        f'class="picture {"narrow" if size.numbered else "wide"}" viewBox="0 0 {size.width:g}'
        f' {size.height:g}" role="img"'
    )
    parts = [
        (
            f'<svg {shown} aria-label="{escape(y_title.text)} against {escape(x_title.text)}"'
            ' xmlns="http://www.w3.org/2000/svg">'
        ),
        (
            f'<clipPath id="{ident}"><rect x="{plot.left}" y="{plot.top}" width="{plot.right - plot.left}"'
            f' height="{plot.bottom - plot.top}"/></clipPath>'
        ),
        *_grid(x, y, plot, x_title, y_title, size),
        f'<g clip-path="url(#{ident})">',
        _cloud(cloud, x, y),
        _front(drawn, x, y),
        *(_bars(dot, x, y) for dot in back_first),
        "</g>",
        *_labels(drawn, x, y, plot, size),
        *(_mark(dot, x, y, x_title, y_title) for dot in back_first),
        "</svg>",
    ]
    return "\n".join(part for part in parts if part)


def _parted(dots: Sequence[Dot]) -> tuple[list[Dot], list[Dot]]:
    """(Points with a mark and bars of their own, the cloud)."""
    if len(dots) <= CROWD:
        return list(dots), []
    own = [dot for dot in dots if dot.standing == "front" or dot.baseline]
    apart = {dot.number for dot in own[:CROWD]}
    return own[:CROWD], [dot for dot in dots if dot.number not in apart]


def _cloud(dots: Sequence[Dot], x: Axis, y: Axis) -> str:
    """The points as one path per standing; a point is a line of no length with round ends."""
    paths = []
    for standing in ("dominated", "near"):
        pixels = {
            (round(x.at(dot.x.value)), round(y.at(dot.y.value)))
            for dot in dots
            if (dot.standing == "near") == (standing == "near")
        }
        marks = "".join(f"M{px} {py}h0" for px, py in sorted(pixels))
        paths += [f'<path class="cloud {standing}" d="{marks}"/>'] if marks else []
    return "\n".join(paths)


def _grid(x: Axis, y: Axis, plot: Box, x_title: Title, y_title: Title, size: Size) -> list[str]:
    lines = []
    for tick in x.ticks:
        px = f"{x.at(tick):.1f}"
        lines.append(f'<line class="grid" x1="{px}" x2="{px}" y1="{plot.top}" y2="{plot.bottom}"/>')
        lines.append(
            f'<text class="tick" x="{px}" y="{plot.bottom + 16}"'
            f' text-anchor="middle">{_tick(tick, x_title.scale)}</text>'
        )
    for tick in y.ticks:
        at = y.at(tick)
        lines.append(f'<line class="grid" x1="{plot.left}" x2="{plot.right}" y1="{at:.1f}" y2="{at:.1f}"/>')
        lines.append(
            f'<text class="tick" x="{plot.left - 7}" y="{at + 3.5:.1f}"'
            f' text-anchor="end">{_tick(tick, y_title.scale)}</text>'
        )
    middle, unit = (plot.left + plot.right) / 2, f", {x_title.scale.suffix}" if x_title.scale.suffix else ""
    shown = f"{x_title.text}{unit}{' (log)' if x.log else ''}"
    lines.append(
        f'<text class="axis" x="{middle:g}" y="{size.height - 8:g}"'
        f' text-anchor="middle">{escape(shown)}</text>'
    )
    height = (plot.top + plot.bottom) / 2
    lines.append(
        f'<text class="axis" transform="translate(12 {height:g}) rotate(-90)"'
        f' text-anchor="middle">{escape(y_title.text)}</text>'
    )
    return lines


def _tick(value: float, scale: Scale) -> str:
    return f"{round(value * scale.factor, 9):,.6g}".replace("-", "\N{MINUS SIGN}")


def _front(dots: Sequence[Dot], x: Axis, y: Axis) -> str:
    """A step line through the front; points beyond it are dominated."""
    corners = _corners(dots, x, y)
    return (
        f'<path class="front-line" d="M{" L".join(f"{px:.1f} {py:.1f}" for px, py in corners)}"/>'
        if corners
        else ""
    )


def _corners(dots: Sequence[Dot], x: Axis, y: Axis) -> list[tuple[float, float]]:
    best = [dot for dot in dots if dot.standing == "front"]
    if not best:
        return []
    cheap_first = sorted(best, key=lambda dot: dot.x.value, reverse=best[0].x.better == "higher")
    corners = [(x.at(cheap_first[0].x.value), y.start if best[0].y.better == "higher" else y.end)]
    for dot in cheap_first:
        corners += [(x.at(dot.x.value), corners[-1][1]), (x.at(dot.x.value), y.at(dot.y.value))]
    return [*corners, (x.end if best[0].x.better == "lower" else x.start, corners[-1][1])]


def _line_boxes(corners: Sequence[tuple[float, float]]) -> list[Box]:
    return [
        Box(min(a, c) - 4, min(b, d) - 4, max(a, c) + 4, max(b, d) + 4)
        for (a, b), (c, d) in itertools.pairwise(corners)
    ]


def _bars(dot: Dot, x: Axis, y: Axis) -> str:
    """Error bars; an infinite end is drawn to the edge of the plot without a cap."""
    at_x, at_y = x.at(dot.x.value), y.at(dot.y.value)
    parts = []
    if dot.x.low < dot.x.high:
        parts.append(f"M{x.at(dot.x.low):.1f} {at_y:.1f}H{x.at(dot.x.high):.1f}")
        parts += [
            f"M{x.at(end):.1f} {at_y - 3:.1f}v6" for end in (dot.x.low, dot.x.high) if math.isfinite(end)
        ]
    if dot.y.low < dot.y.high:
        parts.append(f"M{at_x:.1f} {y.at(dot.y.low):.1f}V{y.at(dot.y.high):.1f}")
        parts += [
            f"M{at_x - 3:.1f} {y.at(end):.1f}h6" for end in (dot.y.low, dot.y.high) if math.isfinite(end)
        ]
    return f'<path class="bar {dot.standing}" d="{"".join(parts)}"/>' if parts else ""


def _mark(dot: Dot, x: Axis, y: Axis, x_title: Title, y_title: Title) -> str:
    at_x, at_y, r = (
        x.at(dot.x.value),
        y.at(dot.y.value),
        max(RADIUS[dot.standing], 4.5 if dot.baseline else 0),
    )
    shape = (
        f'<rect x="{at_x - r:.1f}" y="{at_y - r:.1f}" width="{2 * r:g}" height="{2 * r:g}"/>'
        if dot.baseline
        else f'<circle cx="{at_x:.1f}" cy="{at_y:.1f}" r="{r:g}"/>'
    )
    standing = {
        "front": "on the front",
        "near": "within noise of the front",
        "dominated": f"dominated by {dot.by}" if dot.by else "dominated",
        "missing": "",
    }[dot.standing]
    values = [
        f"{title.text}: {metric_text(metric, title.scale)}"
        for title, metric in ((y_title, dot.y), (x_title, dot.x))
    ]
    title = escape("\n".join([f"{dot.number}. {dot.label} ({standing})", *values]))
    return f'<g class="dot {_classes(dot)}" tabindex="0"><title>{title}</title>{shape}</g>'


def _labels(dots: Sequence[Dot], x: Axis, y: Axis, plot: Box, size: Size) -> list[str]:
    wanted_dots = [dot for dot in dots if dot.standing == "front" or dot.baseline or len(dots) <= LABELLED]
    important = sorted(
        wanted_dots, key=lambda dot: (ORDER.index(dot.standing), not dot.baseline, dot.number)
    )[:LABELLED]
    texts = [str(dot.number) if size.numbered else _shortened(dot.label) for dot in important]
    centres = [(x.at(dot.x.value), y.at(dot.y.value)) for dot in important]
    wanted = [
        Label(cx, cy, len(text) * LETTER + 4, LINE) for (cx, cy), text in zip(centres, texts, strict=True)
    ]
    solid = [Box(cx - 6, cy - 6, cx + 6, cy + 6) for cx, cy in centres]
    light = [bar for dot in dots for bar in _bar_boxes(dot, x, y)] + _line_boxes(_corners(dots, x, y))
    boxes = place(wanted, solid, light, plot)
    return [_label(*one) for one in zip(important, texts, centres, boxes, strict=True)]


def _bar_boxes(dot: Dot, x: Axis, y: Axis) -> list[Box]:
    at_x, at_y = x.at(dot.x.value), y.at(dot.y.value)
    across = Box(x.at(dot.x.low), at_y - 2, x.at(dot.x.high), at_y + 2)
    return [across, Box(at_x - 2, y.at(dot.y.high), at_x + 2, y.at(dot.y.low))]


def _label(dot: Dot, text: str, centre: tuple[float, float], box: Box) -> str:
    near_x, near_y = min(max(centre[0], box.left), box.right), min(max(centre[1], box.top), box.bottom)
    far = math.hypot(near_x - centre[0], near_y - centre[1]) > 16
    line = (
        f'<line class="leader" x1="{centre[0]:.1f}" y1="{centre[1]:.1f}" x2="{near_x:.1f}"'
        f' y2="{near_y:.1f}"/>'
        if far
        else ""
    )
    middle = (box.left + box.right) / 2
    return (
        f'{line}<text class="label {_classes(dot)}" x="{middle:.1f}" y="{box.bottom - 3.2:.1f}"'
        f' text-anchor="middle">{escape(text)}</text>'
    )


def _classes(dot: Dot) -> str:
    return f"{dot.standing} base" if dot.baseline else dot.standing


def _shortened(text: str) -> str:
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"
