"""Temporary files end with the process, and those of a killed one with the next command."""

import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from ptx.guard.scratch import outliving, own_temporary_folder, place_outside

KILLED = """
import os, signal, tempfile
from ptx.guard.scratch import own_temporary_folder
with own_temporary_folder():
    tempfile.mkdtemp("wandb-media")
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def test_what_libraries_make_is_gone_at_the_end(place):
    with own_temporary_folder():
        (Path(tempfile.mkdtemp()) / "file").write_text("x")
        assert len(list(place.iterdir())) == 1
    assert list(place.iterdir()) == []
    assert tempfile.gettempdir() == str(place)


def test_what_a_killed_process_left_is_removed_by_the_next_and_that_of_a_living_one_stays(place):
    done = subprocess.run([sys.executable, "-c", KILLED], env={**os.environ, "TMPDIR": str(place)})
    assert done.returncode == -signal.SIGKILL
    (place / "other").mkdir()
    (left,) = place.glob("ptx-scratch-*")
    with own_temporary_folder():
        assert not left.exists()
        (mine,) = place.glob("ptx-scratch-*")
        tempfile.tempdir = str(place)
        with own_temporary_folder():
            assert mine.exists()
    assert [path.name for path in place.iterdir()] == ["other"]


def test_a_place_that_cannot_be_used_stops_nothing(monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", "/nowhere/at/all")
    with own_temporary_folder():
        pass


def test_processes_that_are_started_meanwhile_use_the_folder_and_others_do_not(tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", None)
    made = "import tempfile; print(tempfile.mkdtemp())"
    with own_temporary_folder():
        left = subprocess.run([sys.executable, "-c", made], capture_output=True, text=True).stdout.strip()
        assert Path(left).is_dir()
        assert Path(left).parent.name.startswith("ptx-scratch-")
        assert place_outside() == str(tmp_path)
        with outliving():
            assert os.environ["TMPDIR"] == str(tmp_path)
        assert os.environ["TMPDIR"] == tempfile.gettempdir() != str(tmp_path)
    assert os.environ["TMPDIR"] == str(tmp_path)
    assert list(tmp_path.iterdir()) == []
    monkeypatch.delenv("TMPDIR")
    with own_temporary_folder():
        pass
    assert "TMPDIR" not in os.environ
