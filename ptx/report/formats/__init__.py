"""The files of a report: Markdown, one self-contained HTML page, and a CSV of every metric."""
