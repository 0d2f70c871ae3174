"""The pictures of a report: the headline quality against latency and against size."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from ptx.report.formats.view import View
from ptx.report.plots.tradeoff import NARROW, WIDE, Dot, Title, draw
from ptx.report.table.frame import SIZE
from ptx.report.table.metric_names import short_name
from ptx.report.table.row import Row
from ptx.report.table.standing import places_of
from ptx.stats.pareto import Place

STYLE = (
    "<style>\n"
    "svg{font:11px system-ui,sans-serif;background:#fff}\n"
    ".grid{stroke:#e4e6ea}.tick,.axis{fill:#5b6470}"
    ".label{fill:#1b2028;paint-order:stroke;stroke:#fff;stroke-width:3px}"
    ".label.dominated{fill:#68717d}\n"
    ".front-line{fill:none;stroke:#1f5fbf;stroke-width:1.5;opacity:.55}"
    ".bar{fill:none;stroke:#1f5fbf;stroke-width:1.2;opacity:.6}\n"
    ".bar.dominated{stroke:#8a929d;opacity:.45}.leader{stroke:#a5abb4;stroke-width:.8}\n"
    ".dot circle,.dot rect{fill:#1f5fbf;stroke:#fff;stroke-width:1}"
    ".dot.near circle,.dot.near rect{fill:#fff;stroke:#1f5fbf;stroke-width:2}\n"
    ".cloud{fill:none;stroke:#8a929d;stroke-width:3.4;stroke-linecap:round;opacity:.45}"
    ".cloud.near{stroke:#1f5fbf;opacity:.55}\n"
    ".dot.dominated circle,.dot.dominated rect{fill:#8a929d}"
    ".dot.base rect{stroke:#1b2028;stroke-width:1.5}.label.base{font-weight:650;fill:#1b2028}\n"
    "@media(prefers-color-scheme:dark){svg{background:#14171c}.grid{stroke:#2a2f37}"
    ".tick,.axis{fill:#9aa4b1}\n"
    ".label{fill:#e8ebef;stroke:#14171c}.label.dominated{fill:#98a1ad}"
    ".front-line,.bar{stroke:#74a7f5}.dot circle,.dot rect{fill:#74a7f5;stroke:#14171c}\n"
    ".dot.near circle,.dot.near rect{fill:#14171c;stroke:#74a7f5}.dot.base rect{stroke:#e8ebef}"
    ".label.base{fill:#e8ebef}}\n"
    "</style>"
)


@dataclass(frozen=True)
class Picture:
    """One trade-off, for wide and for narrow screens."""

    title: str
    file: str
    wide: str
    narrow: str
    front: list[str]
    near: list[str]
    missing: list[str]
    cost: str = ""  # the metric across
    places: dict[int, Place] = field(default_factory=dict)  # row number -> its place in this picture


def pictures_of(view: View) -> list[Picture]:
    """The pictures for the measured costs; none without a quality metric."""
    costs = view.frame.axes
    made = [_picture(view, name, len(costs)) for name in costs] if view.frame.headline else []
    return [picture for picture in made if picture]


def _picture(view: View, cost: str, families: int) -> Picture | None:
    quality = view.frame.headline
    assert quality is not None
    places = places_of(view.frame, [cost, quality], families)
    labels_of = {row.number: row.label for row in view.frame.rows}
    dots = [dot for row in view.frame.rows if (dot := _dot(row, cost, quality, places, labels_of))]
    if not dots:
        return None
    arrow = {"higher": "higher is better", "lower": "lower is better"}
    x = Title(f"{short_name(cost)} ({arrow[dots[0].x.better]})", view.scales[cost])
    y = Title(f"{short_name(quality)} ({arrow[dots[0].y.better]})", view.scales[quality])
    shown = {dot.number for dot in dots}
    kind = "size" if cost == SIZE else "latency" if cost == view.frame.cost else _file_name(cost)
    labels = {
        standing: [dot.label for dot in dots if dot.standing == standing] for standing in ("front", "near")
    }
    return Picture(
        f"{short_name(quality)} against {short_name(cost)}",
        f"quality-{kind}.svg",
        draw(dots, x, y, WIDE, f"{kind}-wide"),
        draw(dots, x, y, NARROW, f"{kind}-narrow"),
        labels["front"],
        labels["near"],
        [row.label for row in view.frame.rows if row.number not in shown],
        cost,
        places,
    )


def _file_name(metric: str) -> str:
    """A metric as a part of a file's name."""
    return re.sub(r"[^a-z0-9]+", "-", metric.lower()).strip("-")[:60] or "other"


def _dot(row: Row, cost: str, quality: str, places: dict[int, Place], labels: dict[int, str]) -> Dot | None:
    """The dot of a row; None if a value is missing or not finite.

    Such a row is named under the picture, never drawn at zero.
    """
    x, y, place = row.metric(cost), row.metric(quality), places.get(row.number)
    if x is None or y is None or place is None or place.standing == "missing":
        return None
    by = labels[place.by] if place.by is not None else ""
    return Dot(row.number, row.label, row.baseline, x, y, place.standing, by)


def standalone(picture: Picture) -> str:
    """The wide picture as a file of its own, for Markdown."""
    head, _, rest = picture.wide.partition(">")
    return f"{head}>{STYLE}{rest}\n"
