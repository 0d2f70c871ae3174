"""Records in, report out: one Markdown file, one self-contained HTML file, one CSV with every metric.

The stages: records, frame (rows of metrics, seeds grouped), comparisons (paired, corrected), summary and
pictures, files. Nothing here depends on a plugin: all metrics of the records appear. Only the records' files
are read, so a report of last year's sweep needs neither its models nor its libraries.
"""

from ptx.report.build import Report, build
from ptx.report.table.frame import Frame, make_frame
from ptx.report.table.records import Record, load_records
from ptx.report.table.row import Row

__all__ = ["Frame", "Record", "Report", "Row", "build", "load_records", "make_frame"]
