"""Records in, report out: one Markdown file, one self-contained HTML file, one CSV with every metric.

The stages: records, frame (rows of metrics, seeds grouped), comparisons (paired, corrected), summary and
pictures, files. Nothing here depends on a plugin: all metrics of the records appear. Only the records' files
are read, so a report of last year's sweep needs neither its models nor its libraries.
"""

import sys
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ptx.report.building import Report, build
    from ptx.report.table.frame import Frame, make_frame
    from ptx.report.table.records import Record, load_records
    from ptx.report.table.row import Row

__all__ = ["Frame", "Record", "Report", "Row", "build", "load_records", "make_frame"]


class _Callable(ModuleType):
    """This package as a function of the Python API, which has its name."""

    def __call__(
        self,
        *sweeps: Any,
        to: Path | str | None = None,
        out: Path | str = "ptx-out",
        against: str = "",
        title: str | None = None,
        gate: Any = None,
        definition: Any = None,
    ) -> Any:
        """Write the report of sweeps or runs, given as results, by folder, or by name below OUT/runs.

        ``gate`` and ``definition`` are choices of conf/gate and conf/report, YAML files, or mappings.

        Returns:
            A :class:`ptx.cli.results.ReportResult`, with the paths of its files.
        """
        api = import_module("ptx.cli.api")
        return api.report_of(
            sweeps, to=to, out=Path(out), against=against, title=title, gate=gate, definition=definition
        )


#: where each name comes from: a command that prints one size imports no report
LATER = {
    "Frame": "ptx.report.table.frame",
    "Record": "ptx.report.table.records",
    "Report": "ptx.report.building",
    "Row": "ptx.report.table.row",
    "build": "ptx.report.building",
    "load_records": "ptx.report.table.records",
    "make_frame": "ptx.report.table.frame",
}


def __getattr__(name: str) -> Any:
    """What is imported when it is used."""
    if name in LATER:
        return getattr(import_module(LATER[name]), name)
    raise AttributeError(f"module 'ptx.report' has no attribute {name!r}")


sys.modules[__name__].__class__ = _Callable
