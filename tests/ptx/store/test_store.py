"""The store: atomic or absent, built once, and nothing broken goes unnoticed."""

from __future__ import annotations

import errno
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ptx.errors import PtxError
from ptx.files import file_digest, read_json
from ptx.store.store import GENERATIONS, Identity, Store

IDENTITY = Identity("steps", {"choice": "toy", "seed": 0})

#: builds ``count`` results, each noted in calls.txt; "slow" takes its time in the first, and says so
BUILDER = """
import os, sys, time
from pathlib import Path
from ptx.store.store import Identity, Store
root, count, seconds = Path(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])
silence = float(sys.argv[4]) if len(sys.argv) > 4 else 60.0

def build(staging):
    with (root / "calls.txt").open("a") as calls:
        calls.write(f"{number} {os.getpid()}\\n")
    (staging.payload / "a.txt").write_text(str(number))
    print("building", flush=True)
    time.sleep(seconds)
    (staging.payload / "b.txt").write_text(str(os.getpid()))
    return {"answer": number}

for number in range(count):
    said = []
    store, identity = Store(root, silence), Identity("steps", {"number": number})
    entry, shared = store.fetch(identity, build, said.append, said.append)
    assert entry.meta == {"answer": number}
    assert (entry.payload / "b.txt").exists()
    print(shared, *said, sep=" | ", flush=True)
"""


def build(staging):
    (staging.payload / "a.txt").write_text("hello")
    return {"answer": 42}


def start(root, count=1, seconds=0.0, silence=60.0):
    words = [sys.executable, "-c", BUILDER, str(root), str(count), str(seconds), str(silence)]
    return subprocess.Popen(words, stdout=subprocess.PIPE, text=True)


def calls(root):
    return (root / "calls.txt").read_text().split("\n")[:-1]


def nothing_is_left(root):
    return not any((root / name).exists() and list((root / name).iterdir()) for name in ("staging", "locks"))


def test_a_result_is_built_once_and_found_afterwards(tmp_path):
    store = Store(tmp_path)
    entry, shared = store.fetch(IDENTITY, build)
    again, shared_again = store.fetch(IDENTITY, lambda _: pytest.fail("built twice"))
    assert (shared, shared_again) == (False, True)
    assert again.meta == {"answer": 42}
    assert (entry.payload / "a.txt").read_text() == "hello"
    assert nothing_is_left(tmp_path)


def test_a_builder_that_fails_leaves_nothing(tmp_path):
    store = Store(tmp_path)

    def fail(staging):
        build(staging)
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        store.fetch(IDENTITY, fail)
    assert store.find(IDENTITY) is None
    assert nothing_is_left(tmp_path)


def test_checkpoints_of_a_failed_builder_are_kept_for_the_next(tmp_path):
    store = Store(tmp_path)

    def fail(staging):
        (staging.checkpoints / "half").touch()
        raise OSError("killed")

    with pytest.raises(OSError, match="killed"):
        store.fetch(IDENTITY, fail)
    seen = []

    def resume(staging):
        seen.extend(path.name for path in staging.checkpoints.iterdir())
        return build(staging)

    store.fetch(IDENTITY, resume)
    assert seen == ["half"]
    assert nothing_is_left(tmp_path)


def test_every_file_and_folder_is_on_the_disk_before_the_rename(tmp_path, monkeypatch):
    synced, real = [], os.fsync
    monkeypatch.setattr(
        os, "fsync", lambda handle: (synced.append(Path(f"/proc/self/fd/{handle}").readlink()), real(handle))
    )

    def nested(staging):
        (staging.payload / "model" / "deep").mkdir(parents=True)
        (staging.payload / "model" / "deep" / "w").write_text("1")
        return {}

    renamed, rename = [], Path.rename
    monkeypatch.setattr(Path, "rename", lambda self, to: (renamed.append(len(synced)), rename(self, to))[1])
    entry, _ = Store(tmp_path).fetch(IDENTITY, nested)
    before = synced[: renamed[-1]]
    for name in (
        "entry",
        "entry/entry.json",
        "entry/entry.sha256",
        "entry/payload",
        "entry/payload/model/deep",
        "entry/payload/model/deep/w",
    ):
        assert any(str(path).endswith(f"/{name}") for path in before), name
    assert synced[renamed[-1] :] == [entry.folder.parent, tmp_path]


def edit_record(entry):
    path = entry.folder / "entry.json"
    path.write_text(path.read_text().replace("42", "43"))


def cut_record(entry):
    path = entry.folder / "entry.json"
    path.write_bytes(path.read_bytes()[:40])


def swap_key(entry):
    path = entry.folder / "entry.json"
    path.write_text(path.read_text().replace(IDENTITY.key, "f" * 64))
    (entry.folder / "entry.sha256").write_text(f"{file_digest(path)}  entry.json")


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (edit_record, "entry.json has changed since it was written"),
        (cut_record, "entry.json is missing or cannot be read"),
        (swap_key, "entry.json belongs to another key"),
        (lambda entry: (entry.payload / "a.txt").unlink(), "a.txt is missing"),
        (lambda entry: (entry.payload / "a.txt").write_text(""), "a.txt has 0 bytes, 5 were written"),
        (lambda entry: shutil.rmtree(entry.payload), "a.txt is missing"),
    ],
    ids=["record-edited", "record-cut", "key-swapped", "file-gone", "file-cut", "payload-gone"],
)
def test_a_damaged_entry_is_kept_aside_reported_and_built_again(tmp_path, damage, said):
    store = Store(tmp_path)
    entry, _ = store.fetch(IDENTITY, build)
    damage(entry)
    noticed = []
    again, shared = store.fetch(IDENTITY, build, noticed=noticed.append)
    assert not shared
    assert again.meta == {"answer": 42}
    assert len(noticed) == 1
    assert said in noticed[0]
    aside = tmp_path / "quarantine" / IDENTITY.key / "0"
    assert str(aside) in noticed[0]
    assert said in read_json(aside / "fault.json")["fault"]
    assert store.fault(again.folder, digests=True) == ""


@pytest.mark.parametrize(
    "do",
    [
        lambda place: place.write_text("x"),
        os.mkfifo,
        lambda place: place.symlink_to("/nowhere/x"),
        lambda place: place.symlink_to(place),
    ],
    ids=["file", "pipe", "link to nowhere", "circle"],
)
def test_what_stands_in_the_place_of_an_entry_is_put_aside_before_the_entry_is_built(tmp_path, do):
    store, said = Store(tmp_path), []
    place = store.folder_of(IDENTITY)
    place.parent.mkdir()
    do(place)
    assert [(entry.key, store.fault(entry.folder)) for entry in store.entries()] == [
        (IDENTITY.key, "it is no folder")
    ]
    entry, shared = store.fetch(IDENTITY, build, noticed=said.append)
    assert (shared, entry.meta, len(said)) == (False, {"answer": 42}, 1)
    assert os.path.lexists(tmp_path / "quarantine" / IDENTITY.key / "0")
    shutil.rmtree(entry.folder)
    do(place)
    (found,) = store.entries()
    assert store.remove(found)
    assert not os.path.lexists(place)


def test_a_flipped_byte_of_a_small_file_is_found_where_the_entry_is_used(tmp_path):
    store, said = Store(tmp_path), []
    entry, _ = store.fetch(IDENTITY, build)
    (entry.payload / "a.txt").write_text("hellp")
    assert store.find(IDENTITY) is not None  # a plan looks at sizes only
    again, shared = store.fetch(IDENTITY, build, noticed=said.append)
    assert (shared, (again.payload / "a.txt").read_text()) == (False, "hello")
    assert "a.txt has changed since it was written" in said[0]


def test_quarantine_keeps_several_generations_but_not_all(tmp_path):
    store = Store(tmp_path)
    for generation in range(GENERATIONS + 2):
        entry, _ = store.fetch(IDENTITY, build)
        (entry.payload / "a.txt").write_text("x" * generation)
    store.fetch(IDENTITY, build)
    kept = sorted(int(path.name) for path in (tmp_path / "quarantine" / IDENTITY.key).iterdir())
    assert kept == [2, 3, 4]


def test_the_time_of_last_use_is_kept_and_looking_is_no_use(tmp_path):
    store = Store(tmp_path)
    entry, _ = store.fetch(IDENTITY, build)
    os.utime(entry.folder / "entry.sha256", (1000, 1000))
    assert store.find(IDENTITY).used == 1000
    store.fetch(IDENTITY, build)
    assert store.find(IDENTITY).used > 1000


def test_of_six_processes_each_of_eight_results_is_built_by_exactly_one(tmp_path):
    running = [start(tmp_path, count=8, seconds=0.02) for _ in range(6)]
    outputs = [process.communicate(timeout=300)[0] for process in running]
    assert [process.returncode for process in running] == [0] * 6
    assert sorted(line.split()[0] for line in calls(tmp_path)) == [str(number) for number in range(8)]
    assert sum(text.count("False") for text in outputs) == 8
    assert len(Store(tmp_path).entries()) == 8
    assert nothing_is_left(tmp_path)


def test_when_the_builder_is_killed_one_of_those_who_wait_takes_over(tmp_path):
    first = start(tmp_path, seconds=60)
    assert first.stdout.readline() == "building\n"
    others = [start(tmp_path, seconds=0.1) for _ in range(3)]
    time.sleep(0.7)
    first.kill()
    first.communicate()
    outputs = [process.communicate(timeout=300)[0] for process in others]
    assert [process.returncode for process in others] == [0] * 3
    assert len(calls(tmp_path)) == 2
    builders = [text for text in outputs if "False" in text]
    assert len(builders) == 1
    assert f"took over from process {first.pid}" in builders[0]
    assert nothing_is_left(tmp_path)


def test_a_builder_that_was_suspended_and_lost_its_lock_uses_the_result_of_the_other(tmp_path):
    first = start(tmp_path, seconds=0.5, silence=0.4)
    assert first.stdout.readline() == "building\n"
    first.send_signal(signal.SIGSTOP)
    second = start(tmp_path, silence=0.4)
    assert "False" in second.communicate(timeout=300)[0]
    first.send_signal(signal.SIGCONT)
    output = first.communicate(timeout=300)[0]
    assert first.returncode == 0
    assert output.startswith("True | ")
    assert "another one took over its work" in output
    entry = Store(tmp_path).entries()[0]
    assert (entry.payload / "b.txt").read_text() == str(second.pid)
    assert Store(tmp_path).fault(entry.folder, digests=True) == ""
    assert nothing_is_left(tmp_path)


def test_whoever_loses_its_lock_while_it_builds_does_not_publish(tmp_path):
    store = Store(tmp_path)
    attempts = []

    def overtaken(staging):
        attempts.append(staging.payload)
        if len(attempts) == 1:
            folder = tmp_path / "locks" / IDENTITY.key
            next_one = folder / f"after-{json.loads((folder / 'owner').read_text())['token']}"
            next_one.write_text(
                json.dumps({"host": "there", "place": "another boot", "pid": 1, "started": "1", "token": "t"})
            )
            os.utime(next_one, (1, 1))  # it has gone silent in its turn
        return build(staging)

    noticed = []
    _, shared = store.fetch(IDENTITY, overtaken, noticed=noticed.append)
    assert not shared
    assert attempts[0] != attempts[1]
    assert "another one took over its work" in noticed[0]
    assert "took over from process 1 on there" in noticed[1]


def test_of_two_that_publish_the_same_entry_the_first_wins_and_the_other_uses_it(tmp_path):
    store = Store(tmp_path)

    def overtaken(staging):
        shutil.copytree(made, store.folder_of(IDENTITY))
        (staging.payload / "a.txt").write_text("later")
        return {}

    made, _ = Store(tmp_path / "other").fetch(IDENTITY, build)
    made = made.folder
    entry, shared = store.fetch(IDENTITY, overtaken)
    assert shared
    assert (entry.payload / "a.txt").read_text() == "hello"


@pytest.fixture
def mounted(tmp_path):
    """Mount a small tmpfs on a folder; needs root."""
    mounts = []

    def mount(folder, size="2m"):
        folder.mkdir(parents=True, exist_ok=True)
        done = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)],
            capture_output=True,
            text=True,
        )
        if done.returncode:
            pytest.skip(f"this system does not let root mount a tmpfs: {done.stderr.strip()}")
        mounts.append(folder)
        return folder

    if os.geteuid() != 0 or not shutil.which("mount"):
        pytest.skip("mounting a small tmpfs needs root")
    yield mount
    for folder in mounts:
        subprocess.run(["umount", str(folder)], check=True)


def test_a_disk_that_fills_up_in_the_middle_leaves_nothing_half_written(tmp_path, mounted):
    root = mounted(tmp_path / "small")
    store = Store(root)
    store.fetch(Identity("steps", {"choice": "other"}), build)

    def too_much(staging):
        build(staging)
        (staging.payload / "big").write_bytes(b"x" * 5_000_000)
        return {}

    with pytest.raises(OSError, match="No space left") as caught:
        store.fetch(IDENTITY, too_much)
    assert caught.value.errno == errno.ENOSPC
    assert nothing_is_left(root)
    assert [store.fault(entry.folder, digests=True) for entry in store.entries()] == [""]
    assert not store.fetch(IDENTITY, build)[1]


def test_a_read_only_store_serves_what_it_has_and_says_why_it_cannot_build(tmp_path, mounted):
    root = mounted(tmp_path / "fixed")
    store = Store(root)
    made, _ = store.fetch(IDENTITY, build)
    subprocess.run(["mount", "-o", "remount,ro", str(root)], check=True)
    entry, shared = store.fetch(IDENTITY, lambda _: pytest.fail("built"))
    assert shared
    assert entry.folder == made.folder
    with pytest.raises(PtxError) as caught:
        store.fetch(Identity("steps", {"choice": "gptq", "seed": 1}), build)
    for part in ("gptq", str(root), "cannot be written to", "does not hold it", "out=/another"):
        assert part in str(caught.value)


def test_a_damaged_entry_of_a_read_only_store_is_explained(tmp_path, mounted):
    root = mounted(tmp_path / "fixed")
    store = Store(root)
    made, _ = store.fetch(IDENTITY, build)
    (made.payload / "a.txt").write_text("")
    subprocess.run(["mount", "-o", "remount,ro", str(root)], check=True)
    with pytest.raises(PtxError, match=r"holds a damaged one \(a.txt has 0 bytes, 5 were written\)"):
        store.fetch(IDENTITY, build)
