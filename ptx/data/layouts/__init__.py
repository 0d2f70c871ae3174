"""Layouts of files that published data has, each read into ordinary rows: one module for each."""
