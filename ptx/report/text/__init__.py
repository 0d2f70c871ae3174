"""The texts of a report: the summary, cautions, forgetting, provenance, and details."""
