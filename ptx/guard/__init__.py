"""What stands between ptx and input that it did not write: files, names, templates and secrets."""
