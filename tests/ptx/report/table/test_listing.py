"""What a list of runs shows, kept while the files of the records are the same."""

import json
import os
import shutil

import pytest

from ptx.report.table import listing
from ptx.report.table.listing import list_records
from ptx.report.table.records import load_records


@pytest.fixture
def runs(tmp_path, monkeypatch):
    """A folder of 120 runs in two sweeps, written long ago; every fourth has no result."""
    monkeypatch.setenv("PTX_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(listing, "SECONDS_UNSURE", -1.0)
    for number in range(120):
        folder = tmp_path / "runs" / f"sweep{number % 2}" / f"run{number}"
        folder.mkdir(parents=True)
        (folder / "run.json").write_text(
            json.dumps({"id": folder.name, "label": f"seed={number}", "seed": number})
        )
        if number % 4:
            (folder / "result.json").write_text(json.dumps({"status": "done", "seconds": number / 10}))
    return tmp_path / "runs"


@pytest.fixture
def reads(monkeypatch):
    """The folders whose records are read."""
    seen = []
    real = listing.read_run
    monkeypatch.setattr(
        listing, "read_run", lambda folder, sweep: seen.append(folder.name) or real(folder, sweep)
    )
    return seen


def shown(records):
    return [
        (one.sweep_name, one.id, one.status, one.result.get("seconds"), one.run.get("label"))
        for one in records
    ]


def test_the_second_list_reads_no_record_and_shows_the_same(runs, reads):
    first = shown(list_records(runs))
    assert sorted(reads) == sorted(set(reads))  # each was opened once
    assert len(reads) == 120
    reads.clear()
    assert shown(list_records(runs)) == first == shown(load_records([runs]))
    assert reads == []


def test_a_run_that_ended_was_edited_in_place_or_is_new_is_read_again(runs, reads):
    list_records(runs)
    reads.clear()
    (runs / "sweep0" / "run0" / "result.json").write_text('{"status": "failed"}')
    edited = runs / "sweep1" / "run1" / "run.json"
    before = edited.stat()
    edited.write_text(edited.read_text().replace("seed=1", "seed=9"))  # as long as before
    os.utime(edited, ns=(before.st_atime_ns, before.st_mtime_ns))  # and as old
    shutil.copytree(runs / "sweep1" / "run3", runs / "sweep1" / "copy")
    shutil.rmtree(runs / "sweep0" / "run2")
    assert shown(list_records(runs)) == shown(load_records([runs]))
    assert sorted(reads) == ["copy", "run0", "run1"]


def test_files_of_this_moment_are_read_again(runs, reads, monkeypatch):
    monkeypatch.setattr(listing, "SECONDS_UNSURE", 3600.0)
    list_records(runs)
    reads.clear()
    list_records(runs)
    assert len(reads) == 120


@pytest.mark.parametrize("damage", ["", "{", "[]", '{"x": 1}', '{"run1": {"stamp": [1], "run": 3}}', "half"])
def test_a_damaged_list_is_made_again(runs, reads, damage, tmp_path):
    want = shown(list_records(runs))
    (kept,) = (tmp_path / "cache" / "listings").iterdir()
    whole = kept.read_text()
    kept.write_text(whole[: len(whole) // 2] if damage == "half" else damage)
    assert shown(list_records(runs)) == want
    assert kept.read_text() == whole


def test_values_of_another_type_are_not_believed(runs, tmp_path):
    want = shown(list_records(runs))
    (kept,) = (tmp_path / "cache" / "listings").iterdir()
    kept.write_text(
        kept.read_text().replace('"status":"done"', '"status":3').replace('"seconds":0.1', '"seconds":"x"')
    )
    assert shown(list_records(runs)) == want


def test_a_cache_that_cannot_be_written_costs_only_time(runs, tmp_path):
    (tmp_path / "cache").write_text("a file")
    assert shown(list_records(runs)) == shown(load_records([runs]))


def test_few_runs_leave_no_file(runs, tmp_path):
    list_records(runs / "sweep0")
    assert not (tmp_path / "cache").exists()
