"""Build report.md, .html, .csv and .json from folders of runs; each file is written whole or not at all.

The same records give the same bytes: the date of a report is that of its latest record, not of the clock.
"""

from __future__ import annotations

import contextlib
import gc
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ptx.files import write_text
from ptx.report.decision.decide import Decision, decide
from ptx.report.formats.html import render_html
from ptx.report.formats.markdown import render_markdown
from ptx.report.formats.metrics_csv import render_csv
from ptx.report.formats.tables import decision_table, render_json, run_table
from ptx.report.formats.view import View
from ptx.report.gate import Gate
from ptx.report.page.data import fronts_data, page_data
from ptx.report.plots.choose import Picture, pictures_of, standalone
from ptx.report.table.frame import Frame, make_frame
from ptx.report.table.records import Record, load_records
from ptx.report.table.standing import places_of
from ptx.report.text.notes import Note, notes_of
from ptx.report.text.provenance import Provenance, provenance_of
from ptx.stats.pareto import Place

Sections = Callable[[list[Record], Path], Sequence[str]] | Sequence[str]


@dataclass(frozen=True)
class Report:
    """The files of a report, and the records that it was made from."""

    markdown: Path
    html: Path
    csv: Path
    records: list[Record]
    frame: Frame


def build(
    folders: Sequence[Path],
    out: Path,
    title: str | None = None,
    sections: Sections = (),
    against: str = "",
    gate: Gate | None = None,
) -> Report:
    """Write the report of the runs at or below ``folders`` into the folder ``out``.

    ``sections`` are additional HTML fragments, or a function of the records and ``out`` that returns them,
    such as the hook ``ptx_report``. They are trusted like the plugins that made them, but cannot run scripts
    of their own. ``against`` names the run that all others are compared with. ``gate`` is what a model must
    keep to ship; without it the usual one (:mod:`ptx.report.decision.usual`).

    Raises:
        ConfigError: a folder does not exist or holds no runs, or ``against`` names none of them.
    """
    with no_collection():
        return _build(folders, out, title, sections, against, gate)


@contextlib.contextmanager
def no_collection() -> Iterator[None]:
    """Leave the garbage collector off: records are trees, and looking for cycles in them took a fifth."""
    on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if on:
            gc.enable()


@dataclass(frozen=True)
class Findings:
    """What the records say, before it is written in one format or another."""

    view: View
    places: dict[int, Place]
    decision: Decision
    notes: list[Note]
    provenance: Provenance
    pictures: list[Picture]

    def page(self) -> dict[str, Any]:
        """The value that the page's script draws."""
        data = page_data(self.view, self.decision, self.places, self.notes, self.provenance)
        return data | {"fronts": fronts_data(self.view.frame, self.pictures)}


def findings_of(records: list[Record], against: str = "", gate: Gate | None = None) -> Findings:
    """Compare the runs, and decide which one ships.

    Raises:
        ConfigError: ``against`` names none of them.
    """
    frame = make_frame(records, against)
    view = View(frame)
    places = places_of(frame, frame.objectives) if frame.objectives else {}
    decision = decide(frame, view.comparisons, places, gate)
    notes, provenance = notes_of(frame, view.comparisons), provenance_of(records)
    return Findings(view, places, decision, notes, provenance, pictures_of(view))


def _build(
    folders: Sequence[Path], out: Path, title: str | None, sections: Sections, against: str, gate: Gate | None
) -> Report:
    records = load_records(folders)
    found = findings_of(records, against, gate)
    view, frame, decision = found.view, found.view.frame, found.decision
    out.mkdir(parents=True, exist_ok=True)
    fragments = list(sections(records, out) if callable(sections) else sections)
    heading = title or _title(records)
    for picture in found.pictures:
        write_text(out / picture.file, encodable(standalone(picture)))
    html = render_html(heading, view, decision.sentence, found.page(), found.provenance, fragments)
    markdown = render_markdown(heading, view, decision, found.notes, found.pictures, found.provenance)
    paths = {"report.html": html, "report.md": markdown, "report.csv": render_csv(frame)}
    paths["report.json"] = render_json(decision_table(decision), run_table(frame, found.places))
    places_here = local_paths(records)
    for name, text in paths.items():
        write_text(out / name, encodable(without_local_paths(text, places_here)))
    return Report(out / "report.md", out / "report.html", out / "report.csv", records, frame)


def encodable(text: str) -> str:
    """The text with ``?`` for what no file can hold: halves of a pair of surrogates, which JSON can spell."""
    return text.encode("utf-8", "replace").decode("utf-8")


def local_paths(records: list[Record]) -> dict[str, str]:
    """Absolute folders of this machine -> their short names: OUT, the installation, the user's own."""
    sweeps = {
        record.folder.parent: str(record.run.get("config", {}).get("out", "ptx-out")) for record in records
    }
    # OUT/runs/SWEEP/RUN; a sweep that lies nearer to the root has no OUT
    outs = {str([*folder.resolve().parents, Path("/"), Path("/")][1]): out for folder, out in sweeps.items()}
    return outs | {str(Path(__file__).resolve().parents[2]): "(installed)", str(Path.home()): "~"}


def without_local_paths(text: str, places: dict[str, str]) -> str:
    """A report's text without the absolute paths of this machine, because reports are shared."""
    for place, name in sorted(places.items(), key=lambda pair: -len(pair[0])):
        if len(place) > 1:
            text = text.replace(place + os.sep, name + os.sep)
    return text


def _title(records: list[Record]) -> str:
    sweeps = list(dict.fromkeys(record.sweep_name for record in records))
    return sweeps[0] if len(sweeps) == 1 else f"{len(sweeps)} sweeps, {len(records)} runs"
