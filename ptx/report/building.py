"""Build report.md, .html, .csv, .json and .parquet from folders of runs; each is written whole or not at all.

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

from ptx.files import write_bytes, write_text
from ptx.guard.secrets import masked
from ptx.report.decision.decide import Decision, decide
from ptx.report.definition import Definition
from ptx.report.formats.html import render_html
from ptx.report.formats.markdown import render_markdown
from ptx.report.formats.metrics_csv import render_csv
from ptx.report.formats.parquet import render_parquet
from ptx.report.formats.tables import columns_of, decision_table, render_json, run_table
from ptx.report.formats.view import View
from ptx.report.gate import Gate
from ptx.report.page.data import fronts_data, page_data
from ptx.report.plots.choose import Picture, pictures_of, standalone
from ptx.report.table.frame import Frame, make_frame
from ptx.report.table.records import Record, load_records
from ptx.report.table.standing import places_of
from ptx.report.text.notes import Note, not_measured, notes_of
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
    found: Findings

    @property
    def frame(self) -> Frame:
        """The rows of the report."""
        return self.found.view.frame


def build(
    folders: Sequence[Path],
    out: Path,
    title: str | None = None,
    sections: Sections = (),
    against: str = "",
    gate: Gate | None = None,
    definition: Definition | None = None,
) -> Report:
    """Write the report of the runs at or below ``folders`` into the folder ``out``.

    ``sections`` are additional HTML fragments, or a function of the records and ``out`` that returns them,
    such as the hook ``ptx_report``. They are trusted like the plugins that made them, but cannot run scripts
    of their own. ``against`` names the run that all others are compared with. ``gate`` is what a model must
    keep to ship; without it the definition's, else the usual one (:mod:`ptx.report.decision.usual`).
    ``definition`` says what the report shows (:mod:`ptx.report.definition`).

    Raises:
        ConfigError: a folder does not exist or holds no runs, ``against`` names none of them, or the
            definition names a metric that they do not have.
    """
    with no_collection():
        records, shown = load_records(folders), definition or Definition()
        found = findings_of(records, against, gate, shown)
        out.mkdir(parents=True, exist_ok=True)
        fragments = list(sections(records, out) if callable(sections) else sections)
        return _write(found, records, out, title or shown.title or _title(records), fragments)


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
    parts: Sequence[str] = ()  # of the page; all if empty

    def page(self) -> dict[str, Any]:
        """The value that the page's script draws."""
        data = page_data(self.view, self.decision, self.places, self.notes, self.provenance)
        return data | {"fronts": fronts_data(self.view.frame, self.pictures)}


def findings_of(
    records: list[Record], against: str = "", gate: Gate | None = None, definition: Definition | None = None
) -> Findings:
    """Compare the runs, and decide which one ships.

    Raises:
        ConfigError: ``against`` names none of them, or the definition a metric that they do not have.
    """
    frame, shown = make_frame(records, against), definition or Definition()
    missing = shown.apply(frame)
    view = View(frame)
    places = places_of(frame, frame.objectives) if frame.objectives else {}
    decision = decide(frame, view.comparisons, places, gate or shown.gate)
    notes = [*notes_of(frame, view.comparisons), *not_measured(missing)]
    return Findings(view, places, decision, notes, provenance_of(records), pictures_of(view), shown.sections)


def _write(
    found: Findings, records: list[Record], out: Path, heading: str, fragments: Sequence[str]
) -> Report:
    view, frame, decision = found.view, found.view.frame, found.decision
    for picture in found.pictures:
        write_text(out / picture.file, encodable(standalone(picture)))
    html = render_html(
        heading, view, decision.sentence, found.page(), found.provenance, fragments, found.parts
    )
    markdown = render_markdown(heading, view, decision, found.notes, found.pictures, found.provenance)
    paths = {"report.html": html, "report.md": markdown, "report.csv": render_csv(frame)}
    lines = run_table(frame, found.places)
    paths["report.json"] = render_json(decision_table(decision), lines)
    places_here = local_paths(records)
    for name, text in paths.items():
        write_text(out / name, encodable(without_local_paths(text, places_here)))
    table = render_parquet(
        columns_of(lines), lambda text: masked(encodable(without_local_paths(text, places_here)))
    )
    write_bytes(out / "report.parquet", table)
    return Report(out / "report.md", out / "report.html", out / "report.csv", records, found)


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
