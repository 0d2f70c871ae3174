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


@pytest.mark.parametrize(
    ("names", "taken"),
    [
        (
            ["data-00000-of-00002.arrow", "data-00001-of-00002.arrow", "dataset_info.json", "state.json"],
            [0, 1],
        ),
        (["dataset_dict.json", "train/data-00000-of-00001.arrow", "test/data-00000-of-00001.arrow"], [1]),
        (
            [
                "README.md",
                "default/train/0000.parquet",
                "default/train/0001.parquet",
                "default/test/0000.parquet",
            ],
            [1, 2],
        ),
        (["data/train-00000-of-00001.parquet", "data/test-00000-of-00001.parquet"], [0]),
        (["train.jsonl", "test.jsonl"], [0]),
        (["notes-2024.jsonl"], [0]),
    ],
)
def test_a_download_stands_for_what_one_trains_on(tmp_path, names, taken):
    for name in names:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    assert find_files(tmp_path, ())[""] == [tmp_path / names[number] for number in taken]


@pytest.mark.parametrize(
    "names", [["a-2023.jsonl", "a-2024.jsonl"], ["a.jsonl", "b.jsonl"], ["s-1000.jsonl", "s-2000.jsonl"]]
)
def test_several_files_that_are_no_shards_are_not_put_together(tmp_path, names):
    for name in names:
        (tmp_path / name).touch()
    with pytest.raises(ConfigError, match="several data files and none called train"):
        find_files(tmp_path, ())


def test_a_download_that_was_cut_short_is_not_taken_for_the_whole(tmp_path):
    for number in (0, 2):
        (tmp_path / f"train-{number:05}-of-00006.parquet").touch()
    with pytest.raises(ConfigError) as raised:
        find_files(tmp_path, ())
    said = str(raised.value)
    assert "holds 2 of 6 shards; missing: train-00001-of-00006, train-00003-of-00006" in said
    assert f"data={tmp_path}/train-00000-of-00006.parquet" in said


def test_a_link_that_leads_nowhere_is_told_as_such(tmp_path):
    link = tmp_path / "mine.jsonl"
    link.symlink_to("gone.jsonl")
    with pytest.raises(ConfigError, match=r"mine\.jsonl \(a link to gone\.jsonl\)"):
        find_files(link, ["pairs"])
