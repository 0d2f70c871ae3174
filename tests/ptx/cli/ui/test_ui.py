"""``ptx ui`` as a command: what it prints, how it ends, and what is wrong with its words."""

from __future__ import annotations

import builtins
import os
import re
import signal
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from ptx.cli.ui import _listen, _root, main, timed_evaluators
from ptx.cli.ui.folders import sweeps_below
from ptx.errors import ConfigError


@pytest.fixture
def started(root):
    """``started("--port", "0")``: a process of ``ptx ui`` that answers, and its address."""
    processes = []

    def start(*words):
        process = subprocess.Popen(
            [sys.executable, "-m", "ptx", "ui", str(root), *words],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=os.environ | {"PTX_UI_TOKEN": "secret"},
        )
        processes.append(process)
        lines = ""
        while "Ctrl-C" not in lines:
            lines += process.stdout.readline() or pytest.fail(lines)
        return process, re.search(r"http://\S+/", lines)[0], lines

    yield start
    for process in processes:
        process.kill()
        process.communicate()


@pytest.mark.slow  # two processes of ptx
def test_it_prints_its_address_survives_a_kill_and_ends_cleanly_at_ctrl_c(started):
    process, address, said = started("--port", "0")
    assert "?token=secret" in said
    assert "ssh -L" in said
    assert b"Sweeps" in urllib.request.urlopen(address).read()
    process.kill()
    process.wait(30)
    port = address.rpartition(":")[2].strip("/")
    process, again, _ = started("--port", port)
    assert again == address
    stream = urllib.request.urlopen(f"{address}events")  # an open page does not keep it from ending
    assert stream.readline()
    process.send_signal(signal.SIGINT)
    rest = process.communicate(timeout=60)[0]
    assert (process.returncode, rest) == (0, "ptx: the page has ended; sweeps go on\n")


def test_it_may_start_before_the_first_sweep_which_appears(tmp_path, monkeypatch, root):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    folder = _root(Path("ptx-out"))
    assert sweeps_below(folder) == {}
    root.rename(elsewhere / "ptx-out")
    assert list(sweeps_below(folder)) == ["first"]


def test_another_port_is_taken_where_none_was_given():
    first = _listen("127.0.0.1", None)
    second = _listen("127.0.0.1", None)
    assert first.getsockname()[1] != second.getsockname()[1]
    first.close()
    second.close()


def problem(*words):
    with pytest.raises(ConfigError) as raised:
        main("ui", words)
    return str(raised.value)


def test_words_that_are_wrong_are_said_with_what_would_be_right(root, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path / "ptx-out" / "runs")
    assert "ptx ui ptx-out" in problem("nothing")
    with socket.create_server(("127.0.0.1", 0)) as busy:
        port = str(busy.getsockname()[1])
        assert f"--port {port}" in problem(str(root), "--port", port)
    assert "--port 99999" in problem(str(root), "--port", "99999")


def test_without_its_libraries_it_says_what_to_install(root, monkeypatch):
    real = builtins.__import__

    def without(name, *more):
        if name == "uvicorn":
            raise ImportError("No module named 'uvicorn'")
        return real(name, *more)

    monkeypatch.setattr(builtins, "__import__", without)
    assert "pip install 'ptx[ui]'" in problem(str(root))


def test_the_help_has_examples(capsys):
    with pytest.raises(SystemExit) as ended:
        main("ui", ["--help"])
    assert ended.value.code == 0
    said = capsys.readouterr().out
    assert "ssh -L" in said
    assert "--private" in said


def test_evaluators_that_run_one_after_the_other_are_known():
    assert "latency" in timed_evaluators()
