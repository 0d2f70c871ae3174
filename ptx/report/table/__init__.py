"""The table of a report: records → rows (seeds grouped) → a frame with names, baselines and paired
comparisons.
"""
