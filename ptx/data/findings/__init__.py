"""Mistakes in rows that can be read: what is looked for in one row, in all of them, and in two files."""
