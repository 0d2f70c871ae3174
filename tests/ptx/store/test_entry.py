"""One entry: its key, its record, and every way in which it can be damaged."""

from __future__ import annotations

import errno
import os
import subprocess
from pathlib import Path

import pytest

from ptx.store.entry import Entry, Identity, chain_of, fault_of, read_record, seal, step_that_made
from ptx.store.store import Store

IDENTITY = Identity("steps", {"choice": "toy", "seed": 0})


def build(staging):
    (staging.payload / "a.txt").write_text("hello")
    return {"answer": 42}


@pytest.fixture
def entry(tmp_path: Path) -> Entry:
    """An entry with one file, sealed."""
    folder = tmp_path / IDENTITY.kind / IDENTITY.key
    (folder / "payload").mkdir(parents=True)
    (folder / "payload" / "a.txt").write_text("hello")
    record = {"key": IDENTITY.key, "ingredients": IDENTITY.ingredients, "meta": {"answer": 42}}
    seal(folder, record)
    return Entry(folder, read_record(folder))


def test_the_key_depends_on_the_ingredients_and_not_on_their_order():
    assert Identity("steps", {"seed": 0, "choice": "toy"}).key == IDENTITY.key
    assert Identity("steps", {"seed": 1, "choice": "toy"}).key != IDENTITY.key


def test_a_sealed_entry_has_no_fault_and_says_what_it_holds(entry):
    assert fault_of(entry.folder, digests=True) == ""
    assert (entry.kind, entry.key, entry.meta) == ("steps", IDENTITY.key, {"answer": 42})
    assert entry.ingredients == IDENTITY.ingredients
    assert entry.bytes == sum(path.stat().st_size for path in entry.folder.rglob("*") if path.is_file())
    assert entry.created == pytest.approx(entry.used, abs=5)


def test_the_sizes_of_checked_files_are_reported(entry):
    sizes = []
    fault_of(entry.folder, seen=sizes.append)
    assert sizes == [5]


def test_a_record_that_lacks_a_part_counts_as_none(entry):
    (entry.folder / "entry.json").write_text('{"files": {}}')
    assert read_record(entry.folder) == {}
    (entry.folder / "entry.json").unlink()
    assert fault_of(entry.folder) == "entry.json is missing or cannot be read"


@pytest.mark.parametrize(
    "content",
    [
        "[]",
        "3",
        '{"files": {"a.txt": 5}, "meta": {}}',
        '{"files": {"a.txt": ["5", "x"]}, "meta": {}}',
        '{"files": {"a.txt": [5]}, "meta": {}}',
        '{"files": {}, "meta": {}, "ingredients": [1]}',
        '{"files": {}, "meta": {}, "created": "yesterday"}',
    ],
)
def test_a_record_with_a_part_of_another_type_counts_as_none(entry, content):
    (entry.folder / "entry.json").write_text(content)
    assert read_record(entry.folder) == {}


def made_a_pipe(file: Path) -> None:
    file.unlink()
    os.mkfifo(file)


def made_a_folder(file: Path) -> None:
    file.unlink()
    file.mkdir()


def made_endless(file: Path) -> None:
    file.unlink()
    file.symlink_to("/dev/zero")


@pytest.mark.parametrize("do", [Path.unlink, made_a_pipe, made_a_folder, made_endless])
@pytest.mark.parametrize("name", ["entry.json", "entry.sha256", "payload/a.txt"])
def test_a_file_that_is_no_file_any_more_is_missing_and_is_not_waited_for(entry, name, do):
    do(entry.folder / name)
    fault = fault_of(entry.folder, digests=True)
    assert fault.startswith(f"{Path(name).name} is missing")


@pytest.mark.parametrize("name", ["read_json", "read_bytes"])
def test_an_entry_that_this_user_may_not_read_is_not_called_damaged(entry, monkeypatch, name):
    def refuse(path, *_):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))

    monkeypatch.setattr(f"ptx.store.entry.{name}", refuse)
    with pytest.raises(PermissionError):
        fault_of(entry.folder)
    with pytest.raises(PermissionError):
        Store(entry.folder.parents[1]).find(IDENTITY)


def test_the_content_of_small_files_is_compared_where_an_entry_is_used(entry, monkeypatch):
    (entry.payload / "a.txt").write_text("hallo")
    assert fault_of(entry.folder) == ""
    assert fault_of(entry.folder, used=True) == "a.txt has changed since it was written"
    monkeypatch.setattr("ptx.store.entry.READ_AT_USE", 4)
    assert fault_of(entry.folder, used=True) == ""


def test_the_chain_of_a_result_goes_back_as_far_as_it_is_known():
    known = {"b": {"input": {"step": "a"}}, "a": {"input": {"model": "digest"}}}
    assert chain_of({"input": {"step": "b"}}, known) == ["b", "a"]
    assert chain_of({"input": {"step": "b"}}, {}) == ["b"]
    assert chain_of({"input": {"model": "digest"}}, known) == []


def test_the_digests_are_those_of_sha256sum(tmp_path):
    entry, _ = Store(tmp_path).fetch(IDENTITY, build)
    done = subprocess.run(
        ["sha256sum", "-c", "entry.sha256"], cwd=entry.folder, capture_output=True, text=True
    )
    assert done.stdout == "entry.json: OK\n"


def test_looking_finds_what_is_broken_and_changes_nothing(tmp_path):
    store = Store(tmp_path)
    entry, _ = store.fetch(IDENTITY, build)
    (entry.payload / "a.txt").write_text("hallo")
    assert store.fault(entry.folder) == ""
    assert store.fault(entry.folder, digests=True) == "a.txt has changed since it was written"
    (entry.payload / "a.txt").write_text("hall")
    assert store.fault(entry.folder) == "a.txt has 4 bytes, 5 were written"
    assert store.find(IDENTITY) is None
    assert entry.folder.is_dir()


def test_a_file_put_into_an_entry_later_is_found_on_demand(tmp_path):
    store = Store(tmp_path)
    entry, _ = store.fetch(IDENTITY, build)
    (entry.payload / "z.txt").touch()
    assert store.fault(entry.folder, digests=True) == "z.txt was added later"


def test_a_model_in_the_store_is_known_as_the_step_that_made_it_until_it_changes(tmp_path):
    folder = tmp_path / "steps" / IDENTITY.key
    (folder / "payload" / "model").mkdir(parents=True)
    (folder / "payload" / "model" / "weights").write_text("hello")
    meta = {"model": "model", "digest": "abc"}
    seal(folder, {"key": IDENTITY.key, "ingredients": IDENTITY.ingredients, "meta": meta})
    link = tmp_path / "run"
    link.symlink_to(folder / "payload" / "model")
    assert step_that_made(folder / "payload" / "model", "abc") == IDENTITY.key
    assert step_that_made(link, "abc") == IDENTITY.key
    assert step_that_made(link, "another") == ""
    assert step_that_made(folder / "payload", "abc") == ""
    assert step_that_made(tmp_path, "abc") == ""
    folder.rename(tmp_path / "steps" / "moved")
    assert step_that_made(tmp_path / "steps" / "moved" / "payload" / "model", "abc") == ""
