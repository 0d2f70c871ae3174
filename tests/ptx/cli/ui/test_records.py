"""Records that others write, renew and delete while they are read."""

from __future__ import annotations

import os
import shutil

import pytest

from ptx.cli.ui.records import Records
from ptx.files import read_json, write_json
from tests.ptx.cli.ui.conftest import NAMES, begin, fail


@pytest.fixture
def records(root):
    made = Records(root / "runs" / "first")
    assert made.look() == set(NAMES)
    return made


def status(records):
    return {name: one.status for name, one in records.runs.items()}


def test_runs_are_read_in_the_order_of_their_sweep_and_again_only_when_they_change(records):
    assert list(status(records).items()) == list(
        zip(NAMES, ("done", "done", "unfinished", "planned"), strict=True)
    )
    assert records.look() == set()
    fail(records.folder / "dpo")
    assert records.look() == {"dpo"}
    assert status(records)["dpo"] == "failed"
    begin(records.folder / "kto")
    assert records.look() == {"kto"}


def test_a_file_that_is_half_written_is_read_again_when_it_is_whole(records):
    path = records.folder / "dpo" / "result.json"
    path.write_text('{"status": "do')
    records.look()
    assert status(records)["dpo"] == "unreadable"
    path.write_text('{"status": "done"}')
    records.look()
    assert status(records)["dpo"] == "done"
    sweep = records.folder / "sweep.json"
    whole = sweep.read_text()
    sweep.write_text(whole[: len(whole) // 2])
    assert records.look() == set()  # what the sweep plans is what was read last
    write_json(sweep, {"name": "s", "runs": ["sft", "new"]})
    assert records.look() == {"base", "dpo", "kto", "new"}


def test_folders_that_are_deleted_while_they_are_read_are_no_crash(records):
    shutil.rmtree(records.folder / "sft")
    assert records.look() == {"sft"}
    assert status(records)["sft"] == "planned"
    shutil.rmtree(records.folder)
    assert records.look() == set(NAMES)
    assert records.gone
    begin(records.folder / "sft")
    assert records.look() == {"sft"}
    assert not records.gone


def test_names_that_lead_out_of_the_sweep_are_no_runs(records):
    given = ["../../secret", "/etc", "sft", "sft", 3, None, "", "a\0b"]
    write_json(records.folder / "sweep.json", {"runs": given})
    records.look()
    assert list(records.runs) == ["sft", "3", "None"]


@pytest.mark.parametrize("text", ["[]", "null", "3", '{"runs": 5}', '{"runs": {"a": 1}}', "\xff", "[" * 9999])
def test_a_sweep_file_of_any_content_is_no_crash(records, text):
    (records.folder / "sweep.json").write_text(text)
    records.look()
    for name in ("run.json", "result.json"):
        (records.folder / "dpo" / name).write_text(text)
    records.look()


def test_a_thousand_runs_that_have_not_changed_are_not_opened(records, monkeypatch):
    monkeypatch.setattr("ptx.cli.ui.records.read_run", lambda *_: pytest.fail("it was read again"))
    for _ in range(3):
        assert records.look() == set()
    os.utime(records.folder / "sweep.json")
    assert read_json(records.folder / "sweep.json")["runs"] == list(NAMES)
    assert records.look() == set()
