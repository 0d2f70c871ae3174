"""Locks: one holder at a time, and none for ever."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import textwrap
import time

from ptx import locks


def test_only_one_of_many_processes_holds_the_lock_at_a_time(tmp_path):
    program = textwrap.dedent(f"""
        import time
        from pathlib import Path
        from ptx.locks import held
        folder = Path({str(tmp_path)!r})
        for _ in range(5):
            with held(folder / "locks" / "k", poll=0.001):
                inside = folder / "inside"
                inside.touch(exist_ok=False)
                time.sleep(0.002)
                inside.unlink()
    """)
    running = [subprocess.Popen([sys.executable, "-c", program]) for _ in range(4)]
    assert [process.wait(60) for process in running] == [0, 0, 0, 0]


def test_the_lock_of_a_dead_process_is_taken_over(tmp_path):
    path = tmp_path / "k"
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    path.write_text(json.dumps({"host": socket.gethostname(), "pid": dead.pid, "started": "1"}))
    with locks.held(path):
        assert json.loads(path.read_text())["pid"] == os.getpid()
    assert not path.exists()


def test_the_lock_of_a_silent_host_is_taken_over_but_not_that_of_a_living_one(tmp_path):
    path = tmp_path / "k"
    path.write_text(json.dumps({"host": "elsewhere", "pid": 1, "started": "1"}))
    assert not locks._stale(path)
    past = time.time() - locks.SILENCE - 1
    os.utime(path, (past, past))
    assert locks._stale(path)


def test_a_waiter_is_told_who_holds_the_lock(tmp_path):
    path = tmp_path / "k"
    said = []
    path.write_text(json.dumps(locks._me()))

    def waiting(owner):
        said.append(owner)
        path.unlink()

    with locks.held(path, waiting, poll=0.001):
        pass
    assert said == [f"process {os.getpid()} on {socket.gethostname()}"]
