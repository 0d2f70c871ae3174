"""Files that are complete or absent, and digests that depend on content alone."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from ptx import files
from ptx.files import (
    append_event,
    cache_folder,
    digest_of,
    file_digest,
    files_of,
    folder_digest,
    read_json,
    read_rows,
    write_json,
    write_rows,
)
from ptx.records import Metric


def test_json_is_read_back_as_it_was_written(tmp_path):
    write_json(tmp_path / "a.json", {"path": tmp_path, "text": "ä"})
    assert read_json(tmp_path / "a.json") == {"path": str(tmp_path), "text": "ä"}


def test_dataclasses_and_numpy_numbers_are_written_as_plain_values(tmp_path):
    numpy = pytest.importorskip("numpy")
    metric = Metric("a", 1.0, "s", "lower", 0.5, 1.5, 3)
    write_json(tmp_path / "a.json", {"metric": metric, "loss": numpy.float32(0.5)})
    found = read_json(tmp_path / "a.json")
    assert found["metric"]["unit"] == "s"
    assert found["loss"] == 0.5


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path):
    write_json(tmp_path / "a.json", 1)
    with pytest.raises(TypeError, match="cannot write object as JSON"):
        write_json(tmp_path / "a.json", object())
    assert read_json(tmp_path / "a.json") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["a.json"]


def test_json_and_its_folder_are_on_the_disk_before_write_json_returns(tmp_path, monkeypatch):
    synced = []
    monkeypatch.setattr(
        os, "fsync", lambda handle: synced.append(Path(f"/proc/self/fd/{handle}").readlink().name)
    )
    write_json(tmp_path / "a.json", 1)
    assert synced == [f".a.json.{os.getpid()}.tmp", tmp_path.name]


def test_a_last_line_that_a_crash_cut_is_left_out(tmp_path):
    rows = tmp_path / "rows.jsonl"
    write_rows(rows, [{"a": 1}, {"a": 2}])
    assert list(read_rows(rows)) == [{"a": 1}, {"a": 2}]
    with rows.open("a") as file:
        file.write('{"a": ')
    assert list(read_rows(rows)) == [{"a": 1}, {"a": 2}]
    assert list(read_rows(tmp_path / "missing.jsonl")) == []


def test_events_are_appended_with_their_time(tmp_path):
    log = tmp_path / "events.jsonl"
    append_event(log, "log", step=1)
    append_event(log, "log", step=2)
    first, second = read_rows(log)
    assert (first["event"], first["step"], second["step"]) == ("log", 1, 2)
    assert first["time"] <= second["time"]


def test_a_full_disk_leaves_no_half_line_in_an_event_log(tmp_path, monkeypatch):
    log = tmp_path / "events.jsonl"
    append_event(log, "whole")
    plain_open = Path.open

    class Full:
        """A file that takes five bytes more."""

        def __init__(self, file):
            self.file = file

        def __enter__(self):
            return self

        def __exit__(self, *_):
            self.file.close()

        def write(self, text):
            return self.file.write(text[:5])

        def __getattr__(self, name):
            return getattr(self.file, name)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "open", lambda self, *given, **more: Full(plain_open(self, *given, **more)))
        with pytest.raises(OSError, match="No space left") as caught:
            append_event(log, "cut")
    assert caught.value.errno == errno.ENOSPC
    assert [row["event"] for row in read_rows(log)] == ["whole"]
    append_event(log, "next")
    assert [row["event"] for row in read_rows(log)] == ["whole", "next"]


def test_the_digest_of_a_value_does_not_depend_on_the_order_of_its_keys():
    assert digest_of({"a": 1, "b": [2]}) == digest_of({"b": [2], "a": 1})
    assert digest_of({"a": 1}) != digest_of({"a": 2})


def test_the_digest_of_a_folder_depends_on_names_and_contents_and_not_on_its_place(tmp_path):
    for name in ("one", "two"):
        (tmp_path / name / "deep").mkdir(parents=True)
        (tmp_path / name / "deep" / "a").write_text("x")
    assert folder_digest(tmp_path / "one") == folder_digest(tmp_path / "two")
    (tmp_path / "two" / "deep" / "a").rename(tmp_path / "two" / "deep" / "b")
    assert folder_digest(tmp_path / "one") != folder_digest(tmp_path / "two")
    assert [path.name for path in files_of(tmp_path)] == ["a", "b"]


def test_the_digest_of_a_file_is_its_sha256(tmp_path):
    (tmp_path / "empty").touch()
    expected = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    assert file_digest(tmp_path / "empty") == expected


def test_the_cache_lies_where_the_environment_says(monkeypatch, tmp_path):
    monkeypatch.setenv("PTX_CACHE", str(tmp_path / "mine"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert cache_folder() == tmp_path / "mine"
    monkeypatch.delenv("PTX_CACHE")
    assert cache_folder() == tmp_path / "xdg" / "ptx"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setattr(files.Path, "home", lambda: tmp_path)
    assert cache_folder() == tmp_path / ".cache" / "ptx"
