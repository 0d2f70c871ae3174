"""Makers that let a model write: their common settings, its answers, work in chunks that survive a kill."""
