"""A journal that is read while others write, cut, delete and renew it."""

from __future__ import annotations

import os

from ptx.cli.journal import Journal
from ptx.files import append_event


def test_each_call_gives_the_events_that_came_since_the_last_one(tmp_path):
    journal = Journal(tmp_path / "events.jsonl")
    assert journal.new() == []  # not begun
    append_event(journal.path, "run_started", run="a")
    assert [event["event"] for event in journal.new()] == ["run_started"]
    assert journal.new() == []
    append_event(journal.path, "message", text="b")
    append_event(journal.path, "message", text="c")
    assert [event["text"] for event in journal.new()] == ["b", "c"]


def test_a_line_is_read_when_it_is_whole_and_what_is_no_event_is_passed_over(tmp_path):
    journal = Journal(tmp_path / "events.jsonl")
    journal.path.write_bytes(b'{"event": "a"}\n{"event": "b')
    assert journal.new() == [{"event": "a"}]
    with journal.path.open("ab") as file:
        file.write(b'"}\n[1]\n{"cut\n\xff\xfe\n' + b"[" * 100_000 + b'\n{"event": "c"}\n')
    assert journal.new() == [{"event": "b"}, {"event": "c"}]


def test_a_record_that_is_begun_anew_is_read_from_its_start(tmp_path):
    journal = Journal(tmp_path / "events.jsonl")
    journal.path.write_text('{"event": "long", "text": "before"}\n')
    journal.new()
    journal.path.unlink()
    assert journal.new() == []
    journal.path.write_text('{"event": "new"}\n')
    assert journal.new() == [{"event": "new"}]


def test_a_pipe_in_place_of_the_file_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "events.jsonl")
    assert Journal(tmp_path / "events.jsonl").new() == []
