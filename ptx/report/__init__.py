"""Records in, report out: one Markdown file, one self-contained HTML file, one CSV with every metric.

read → frame (rows of metrics, seeds grouped) → compare (paired, corrected) → story, pictures → Markdown and
HTML. Nothing here knows a plugin: whatever metrics the records hold appear. Only files of the records are
read, so that a report of last year's sweep needs neither its models nor its libraries.
"""

from ptx.report.build import Report, build
from ptx.report.table.frame import Frame, make_frame
from ptx.report.table.records import Record, load_records
from ptx.report.table.row import Row

__all__ = ["Frame", "Record", "Report", "Row", "build", "load_records", "make_frame"]
