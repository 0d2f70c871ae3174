"""Locks: one holder at a time, and none for ever."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import textwrap
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from ptx.store import locks


def write_owner(folder, **changes):
    folder.mkdir(parents=True, exist_ok=True)
    owner = {"host": "there", **locks._this_process(), "token": "t"} | changes
    (folder / locks.FIRST).write_text(json.dumps(owner))
    return folder / locks.FIRST


def dead_pid():
    dead = subprocess.Popen([sys.executable, "-S", "-c", ""])
    dead.wait()
    return dead.pid


def hold(folder, silence=60.0):
    """A process that holds the lock; returns when it has it."""
    program = f"""
import sys
from pathlib import Path
from ptx.store.locks import LockLostError, held
with held(Path({str(folder)!r}), silence={silence}) as lock:
    print("held", flush=True)
    sys.stdin.readline()
    print(lock.is_mine(), flush=True)
"""
    holder = subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert holder.stdout.readline() == "held\n"
    return holder


def ask(holder):
    """Whether the process still holds the lock, in its words; it ends then."""
    answer, _ = holder.communicate("\n", timeout=60)
    return answer.strip()


def test_only_one_of_many_processes_holds_the_lock_at_a_time(tmp_path):
    program = textwrap.dedent(f"""
        import time
        from pathlib import Path
        from ptx.store.locks import held
        folder = Path({str(tmp_path)!r})
        for _ in range(40):
            with held(folder / "locks" / "k", poll=0.001) as lock:
                inside = folder / "inside"
                inside.touch(exist_ok=False)
                time.sleep(0.002)
                inside.unlink()
                lock.check()
    """)
    running = [subprocess.Popen([sys.executable, "-c", program]) for _ in range(4)]
    assert [process.wait(60) for process in running] == [0, 0, 0, 0]
    assert not (tmp_path / "locks" / "k").exists()


def test_the_lock_of_a_dead_process_is_taken_over_at_once_and_the_new_owner_knows(tmp_path):
    write_owner(tmp_path / "k", pid=dead_pid(), started="1")
    with locks.held(tmp_path / "k") as lock:
        assert json.loads(lock.path.read_text())["pid"] == os.getpid()
        assert "on there" in lock.previous
    assert not (tmp_path / "k").exists()


def test_a_pid_that_was_given_to_another_process_is_not_the_owner(tmp_path):
    write_owner(tmp_path / "k", started="1")
    assert locks.owner_of(tmp_path / "k") == ""


def test_the_same_pid_in_another_container_is_judged_by_its_silence(tmp_path):
    write_owner(tmp_path / "k", place="another boot", pid=dead_pid())
    assert locks.owner_of(tmp_path / "k") != ""


def test_exactly_one_of_many_takes_over_from_the_dead(tmp_path):
    for attempt in range(30):
        folder = tmp_path / str(attempt)
        write_owner(folder, pid=1, started="never")
        with ThreadPoolExecutor(8) as pool:
            taken = list(pool.map(lambda _, folder=folder: locks.try_acquire(folder), range(8)))
        winners = [lock for lock in taken if lock]
        assert len(winners) == 1
        winners[0].check()


def before(monkeypatch, module, name, happens):
    """Have something happen right before the next call of a function."""
    original = getattr(module, name)

    def late(*args, **options):
        monkeypatch.setattr(module, name, original)
        happens()
        return original(*args, **options)

    monkeypatch.setattr(module, name, late)


def test_an_owner_who_gave_the_lock_back_is_not_taken_for_a_dead_one(tmp_path, monkeypatch):
    first, others = locks.try_acquire(tmp_path / "k"), []
    before(
        monkeypatch, locks, "_living_owner", first.release
    )  # while somebody has just found the lock and asks who that is
    before(monkeypatch, os, "link", lambda: others.append(locks.try_acquire(tmp_path / "k")))
    late = locks.try_acquire(tmp_path / "k")
    assert [bool(late), *map(bool, others)].count(True) == 1
    (late or others[0]).check()


def test_who_is_slow_to_take_over_from_the_dead_does_not_rob_a_later_owner(tmp_path, monkeypatch):
    write_owner(tmp_path / "k", pid=dead_pid(), started="1")
    later = []

    def others_come_and_go():
        locks.try_acquire(tmp_path / "k").release()
        later.append(locks.try_acquire(tmp_path / "k"))

    before(monkeypatch, os, "link", others_come_and_go)
    assert locks.try_acquire(tmp_path / "k") is None
    later[0].check()
    later[0].release()
    assert not (tmp_path / "k").exists()


def test_a_folder_that_goes_while_it_is_made_is_made_again(tmp_path, monkeypatch):
    (tmp_path / "k").mkdir()
    before(
        monkeypatch, Path, "is_dir", (tmp_path / "k").rmdir
    )  # mkdir(exist_ok=True) tries, finds a folder, and looks whether it is one
    with locks.held(tmp_path / "k", poll=0.001):
        pass
    (tmp_path / "k").touch()
    with pytest.raises(FileExistsError):
        locks.try_acquire(tmp_path / "k")


def test_what_a_slow_taker_left_behind_when_it_was_killed_is_removed(tmp_path):
    write_owner(tmp_path / "k", pid=dead_pid(), started="1")
    for name in ("after-somebody-of-long-ago", "half-made.tmp"):
        (tmp_path / "k" / name).write_text("{}")
    with locks.held(tmp_path / "k"):
        assert len(list((tmp_path / "k").iterdir())) == 2
    assert not (tmp_path / "k").exists()


def test_a_chain_of_dead_owners_ends_in_one_living_one(tmp_path):
    for pid in range(3):
        lock = locks.try_acquire(tmp_path / "k")
        lock.path.write_text(
            json.dumps(json.loads(lock.path.read_text()) | {"started": "never", "host": str(pid)})
        )
    with locks.held(tmp_path / "k") as lock:
        assert lock.previous.endswith("on 2")
        assert locks.try_acquire(tmp_path / "k") is None
    assert not (tmp_path / "k").exists()


def test_an_owner_elsewhere_is_gone_after_its_silence_by_the_clock_of_the_file_system(tmp_path, monkeypatch):
    monkeypatch.setattr(time, "time", lambda: 0.0)  # a clock of this host that is decades behind
    path = write_owner(tmp_path / "k", place="another boot")
    assert locks.owner_of(tmp_path / "k").endswith("on there")
    past = path.stat().st_mtime - locks.SILENCE - 1
    os.utime(path, (past, past))
    assert locks.owner_of(tmp_path / "k") == ""


def test_an_owner_whose_file_was_emptied_by_a_power_cut_is_gone_after_its_silence(tmp_path):
    path = write_owner(tmp_path / "k")
    path.write_text("")
    assert locks.owner_of(tmp_path / "k") != ""
    os.utime(path, (1, 1))
    assert locks.try_acquire(tmp_path / "k") is not None


def test_a_holder_keeps_the_lock_by_its_heartbeat(tmp_path):
    with locks.held(tmp_path / "k", silence=0.2) as lock:
        before = lock.path.stat().st_mtime_ns
        time.sleep(0.3)
        assert lock.path.stat().st_mtime_ns > before
        owner = json.loads(lock.path.read_text())
        lock.path.write_text(json.dumps(owner | {"place": "another boot"}))
        assert locks.try_acquire(tmp_path / "k", silence=0.2) is None


def test_a_stopped_holder_loses_its_lock_and_notices_when_it_wakes_up(tmp_path):
    holder = hold(tmp_path / "k", silence=0.4)
    holder.send_signal(signal.SIGSTOP)
    assert locks.try_acquire(tmp_path / "k", silence=30) is None
    with locks.held(tmp_path / "k", poll=0.02, silence=0.4) as lock:
        holder.send_signal(signal.SIGCONT)
        assert ask(holder) == "False"
        assert holder.returncode == 0
        lock.check()


def test_a_stopped_holder_that_wakes_up_in_time_still_has_the_lock(tmp_path):
    holder = hold(tmp_path / "k")
    holder.send_signal(signal.SIGSTOP)
    assert locks.try_acquire(tmp_path / "k") is None
    holder.send_signal(signal.SIGCONT)
    assert ask(holder) == "True"
    assert holder.returncode == 0


def test_a_holder_whose_folder_vanished_notices(tmp_path):
    with locks.held(tmp_path / "k", silence=0.1) as lock:
        lock.path.unlink()
        (tmp_path / "k").rmdir()
        time.sleep(0.1)  # some heartbeats that have nothing to touch
        with pytest.raises(locks.LockLostError, match="silent for too long"):
            lock.check()


def test_giving_back_does_not_touch_the_lock_of_the_next_owner(tmp_path):
    overtaken = locks.try_acquire(tmp_path / "k")
    overtaken.path.write_text(json.dumps(json.loads(overtaken.path.read_text()) | {"started": "never"}))
    owner = locks.try_acquire(tmp_path / "k")
    overtaken.release()
    owner.check()


def test_a_waiter_learns_who_holds_the_lock(tmp_path):
    owners = []
    path = write_owner(tmp_path / "k", host=socket.gethostname())

    def waiting(owner):
        owners.append(owner)
        path.unlink()

    with locks.held(tmp_path / "k", waiting, poll=0.001):
        pass
    assert owners == [f"process {os.getpid()} on {socket.gethostname()}"]


def test_the_process_that_holds_a_lock_on_this_machine_can_be_named(tmp_path):
    folder = tmp_path / "k"
    assert locks.pid_of(folder) is None
    with locks.held(folder):
        assert locks.pid_of(folder) == os.getpid()
        owner = json.loads((folder / locks.FIRST).read_text())
        (folder / locks.FIRST).write_text(json.dumps(owner | {"place": "another machine"}))
        assert locks.pid_of(folder) is None
        (folder / locks.FIRST).write_text(json.dumps({"place": owner["place"]}))
        assert locks.pid_of(folder) is None
        (folder / locks.FIRST).write_text(json.dumps(owner))
