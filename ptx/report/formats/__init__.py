"""The files of a report: Markdown, one self-contained HTML page, and a CSV with every metric."""
