"""What a child and its own children write into a log passes a pipe that masks keys."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ptx.guard.masked_log import MaskedLog, masked_bytes

VALUE = "sk-proj-0123456789abcdef"
MASKED = b"${oc.env:OPENAI_API_KEY}"


@pytest.fixture(autouse=True)
def _key(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", VALUE)


def written(tmp_path, *parts):
    """The log after a child has written some pieces, each by a call of its own."""
    log = MaskedLog(tmp_path / "log")
    with log.writing() as out:
        for part in parts:
            os.write(out, part)
            time.sleep(0.05)
    log.wait()
    return log.path.read_bytes()


def test_a_key_is_masked_wherever_the_writes_cut_it_and_all_else_is_left_as_it_is(tmp_path):
    key = VALUE.encode()
    assert written(tmp_path, b"a ", key, b" b\n\xff") == b"a " + MASKED + b" b\n\xff"
    assert written(tmp_path, b"a " + key[:7], key[7:9], key[9:] + b"\n") == b"a " + MASKED + b"\n"
    assert written(tmp_path, b"x" * 70_000 + key + b"\n" + key) == b"x" * 70_000 + MASKED + b"\n" + MASKED
    assert written(tmp_path, b"the beginning of one: " + key[:-1]) == b"the beginning of one: " + key[:-1]
    assert written(tmp_path, "größe ".encode()[:3], "größe ".encode()[3:]) == "größe ".encode()


def test_a_line_without_the_beginning_of_a_key_is_in_the_file_at_once(tmp_path):
    log = MaskedLog(tmp_path / "log")
    with log.writing() as out:
        os.write(out, b"step 1")
        deadline = time.monotonic() + 30
        while log.path.read_bytes() != b"step 1" and time.monotonic() < deadline:
            time.sleep(0.01)
        assert log.path.read_bytes() == b"step 1"


def test_a_second_child_appends_and_a_new_log_begins_anew(tmp_path):
    log = MaskedLog(tmp_path / "log")
    for append in (True, True):
        with log.writing(append=append) as out:
            os.write(out, b"one\n")
        log.wait()
    assert log.path.read_bytes() == b"one\none\n"
    assert written(tmp_path, b"two\n") == b"two\n"


def test_a_log_that_cannot_be_written_does_not_stop_its_child(tmp_path):
    log = MaskedLog(Path("/dev/full"))
    with log.writing() as out:
        for _ in range(8):
            os.write(out, b"x" * 65_536)
    log.wait()


PARENT = """
import subprocess, sys, time
from pathlib import Path
from ptx.guard.masked_log import MaskedLog
with MaskedLog(Path(sys.argv[1])).writing() as out:
    subprocess.Popen(["sh", "-c", "echo key $OPENAI_API_KEY; echo; sleep 60"], stdout=out)
time.sleep(60)
"""


def test_after_a_kill_of_the_whole_tree_no_key_stands_in_the_log(tmp_path):
    log = tmp_path / "log"
    with subprocess.Popen([sys.executable, "-c", PARENT, log], start_new_session=True) as parent:
        deadline = time.monotonic() + 60
        while not (log.exists() and b"\n\n" in log.read_bytes()) and time.monotonic() < deadline:
            time.sleep(0.02)
        os.killpg(parent.pid, signal.SIGKILL)
    assert log.read_bytes() == b"key " + MASKED + b"\n\n"


def test_bytes_that_are_no_text_are_masked_too():
    assert masked_bytes(b"\xff" + VALUE.encode() + b"\xfe") == b"\xff" + MASKED + b"\xfe"
