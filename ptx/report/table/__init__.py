"""The table of a report: records, rows (seeds grouped), and a frame with labels, references, comparisons."""
