"""The files that a path stands for."""

import os

import pytest

from ptx.data.files import find_files, stem_of, suffix_of
from ptx.errors import ConfigError


@pytest.mark.parametrize(
    ("name", "suffix", "stem"),
    [
        ("train.jsonl", ".jsonl", "train"),
        ("train.JSONL.GZ", ".jsonl", "train"),
        ("train-00000-of-00002.parquet", ".parquet", "train-00000-of-00002"),
        ("my.data.csv.zst", ".csv", "my.data"),
        ("notes.gz", "", "notes"),
    ],
)
def test_the_ending_of_a_compression_is_not_that_of_the_format(tmp_path, name, suffix, stem):
    assert (suffix_of(tmp_path / name), stem_of(tmp_path / name)) == (suffix, stem)


def test_a_family_may_be_compressed_in_part(tmp_path):
    for name in ("pairs.jsonl.gz", "messages.jsonl", "notes.md"):
        (tmp_path / name).write_text("")
    found = find_files(tmp_path, ["pairs", "messages"])
    assert {shape: [file.name for file in files] for shape, files in found.items()} == {
        "messages": ["messages.jsonl"],
        "pairs": ["pairs.jsonl.gz"],
    }


def test_what_is_neither_file_nor_folder_is_refused_without_opening_it(tmp_path):
    os.mkfifo(tmp_path / "my.jsonl")
    with pytest.raises(ConfigError, match="is neither a file nor a folder"):
        find_files(tmp_path / "my.jsonl", [])


def test_an_unknown_ending_is_answered_with_those_that_are_known(tmp_path):
    (tmp_path / "my.xlsx").write_text("")
    with pytest.raises(ConfigError, match=r"\.jsonl, \.ndjson, \.json, \.csv, \.tsv.*\.gz, \.bz2"):
        find_files(tmp_path / "my.xlsx", [])
