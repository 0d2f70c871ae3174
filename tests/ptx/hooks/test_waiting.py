"""A plugin that hangs is named with its line; what it prints before the first step is no output of ptx."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
import time

import pytest

from ptx.errors import ConfigError
from ptx.hooks import waiting
from ptx.hooks.waiting import calling, waited_for


@pytest.fixture
def alone(monkeypatch):
    """The thread that looks, which other tests have started, says nothing before the test itself asks."""
    monkeypatch.setattr(waiting, "waited_for", lambda: "")


@pytest.fixture
def impatient(monkeypatch, alone):
    monkeypatch.setattr(waiting, "QUICK", 0.0)
    monkeypatch.setattr(waiting, "LONG", 0.0)


def test_the_innermost_call_is_named_once_with_the_line_where_it_is(impatient):
    with calling("outer", "ptx_train", __file__), calling("mine", "ptx_validate", __file__):
        said = waited_for()
        assert "plugin mine for 0 s: ptx_validate is at test_waiting.py:" in said
        assert "PTX_DISABLE=mine leaves it out" in said
        assert waited_for() == ""
    assert waited_for() == ""


def test_a_step_that_reports_is_not_spoken_of(alone, monkeypatch, tmp_path, make_run):
    monkeypatch.setattr(waiting, "LONG", 0.2)
    run = make_run()
    with calling("mine", "ptx_train", "", run), calling("builtin", "ptx_fit", ""):  # the inner one has no run
        time.sleep(0.3)
        run.say("still here")
        assert waited_for() == ""
        time.sleep(0.3)
        assert "ptx_fit" in (said := waited_for())
        assert "PTX_DISABLE" not in said, "ptx cannot do without itself"


def test_the_word_comes_while_the_plugin_hangs(monkeypatch, capsys):
    monkeypatch.setattr(waiting, "QUICK", 0.1)
    monkeypatch.setattr(waiting, "LOOKS", 0.05)
    waiting._watching.acquire(blocking=False)
    threading.Thread(target=waiting._look, daemon=True).start()
    with calling("mine", "import", __file__):
        for _ in range(100):
            if "plugin mine" in (said := capsys.readouterr().err):
                break
            time.sleep(0.05)
    assert "import is at test_waiting.py" in said


def test_prints_before_the_first_step_go_to_stderr_with_the_name(capsys):
    with calling("mine", "ptx_choices", ""):
        print("one", "two")
        print("three", end="")
    with calling("mine", "ptx_train", ""):
        print("a step may print")
    said = capsys.readouterr()
    assert said.err == "plugin mine: one two\nplugin mine: three"
    assert said.out == "a step may print\n"


@pytest.mark.parametrize("hook", waiting.LISTING)
def test_what_only_lists_and_hangs_is_ended_with_its_name_and_line(monkeypatch, hook):
    monkeypatch.setenv("PTX_PLUGIN_SECONDS", "0.1")
    said = rf"{hook} did not end within 0.1 s, at test_waiting.py:\d+"
    with pytest.raises(ConfigError, match=said), calling("mine", hook, __file__):
        time.sleep(30)
    assert signal.getitimer(signal.ITIMER_REAL)[0] == 0
    assert signal.getsignal(signal.SIGALRM) == signal.SIG_DFL


def test_a_plugin_that_catches_everything_is_ended_too(monkeypatch):
    monkeypatch.setenv("PTX_PLUGIN_SECONDS", "0.1")
    monkeypatch.setattr(waiting, "AGAIN", 0.1)

    def stubborn():
        for patience in (0.3, 30):
            try:
                time.sleep(patience)
            except BaseException:
                if patience > 1:
                    raise

    with pytest.raises(ConfigError, match="PTX_DISABLE=mine"), calling("mine", "ptx_commands", __file__):
        stubborn()


@pytest.mark.parametrize(
    ("hook", "seconds"), [("ptx_train", "0.1"), ("ptx_validate", "0.1"), ("import", "0"), ("import", "much")]
)
def test_what_works_is_never_ended(monkeypatch, hook, seconds):
    monkeypatch.setenv("PTX_PLUGIN_SECONDS", seconds)
    with calling("mine", hook, __file__):
        time.sleep(0.3)


def test_a_plugin_that_does_not_hear_the_timer_is_named_and_a_step_is_not(monkeypatch):
    monkeypatch.setenv("PTX_PLUGIN_SECONDS", "60")
    monkeypatch.setattr(waiting, "DEAF", -60.0)
    with calling("mine", "ptx_commands", __file__):
        assert re.fullmatch(
            r"plugin mine: ptx_commands did not end within 60 s, at test_waiting.py:\d+, in code that cannot"
            r" be interrupted; correct it, or leave it out: PTX_DISABLE=mine",
            waiting.deaf(),
        )
        monkeypatch.setenv("PTX_PLUGIN_SECONDS", "0")
        assert waiting.deaf() == ""
    monkeypatch.setenv("PTX_PLUGIN_SECONDS", "60")
    with calling("mine", "ptx_train", __file__):
        assert waiting.deaf() == ""
    assert waiting.deaf() == ""


@pytest.mark.parametrize(
    ("typed", "seconds"),
    [("1e999", 1e8), ("inf", 1e8), ("nan", 120.0), ("x", 120.0), ("-3", 0.0), ("9" * 400, 1e8)],
)
def test_a_bound_that_is_no_number_of_seconds_is_one_that_the_system_can_hold(monkeypatch, typed, seconds):
    monkeypatch.setenv("PTX_PLUGIN_SECONDS", typed)
    assert waiting.bound() == seconds
    with calling("mine", "ptx_commands", __file__):
        assert signal.getitimer(signal.ITIMER_REAL)[0] <= seconds


def test_a_clock_that_jumps_ends_no_command_and_blames_no_plugin(monkeypatch):
    monkeypatch.setattr(time, "time", lambda: 4e9)  # a laptop that woke up, a clock that was set
    with calling("mine", "ptx_commands", __file__):
        assert waiting.deaf() == ""
        assert waited_for() == ""


def test_the_timer_of_another_is_left_alone(monkeypatch):
    monkeypatch.setenv("PTX_PLUGIN_SECONDS", "0.1")
    signal.setitimer(signal.ITIMER_REAL, 60)
    try:
        with calling("mine", "import", __file__):
            time.sleep(0.3)
        assert signal.getitimer(signal.ITIMER_REAL)[0] > 50
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


def test_a_host_can_be_loaded_in_a_thread_which_has_no_signals():
    heard = []

    def load():
        with calling("mine", "import", ""):
            heard.append(signal.getitimer(signal.ITIMER_REAL)[0])

    thread = threading.Thread(target=load)
    thread.start()
    thread.join(10)
    assert heard == [0.0]


def command_with(ptxfile, folder):
    (folder / "ptxfile.py").write_text(ptxfile)
    command, bounded = [sys.executable, "-m", "ptx", "--help"], {**os.environ, "PTX_PLUGIN_SECONDS": "2"}
    return subprocess.run(command, cwd=folder, env=bounded, capture_output=True, text=True, timeout=300)


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("import time\ntime.sleep(60)", "import did not end within 2 s, at ptxfile.py:2"),
        (
            "import ptx, time\n@ptx.hookimpl\ndef ptx_commands(): time.sleep(60)",
            "plugin ptxfile: ptx_commands did not end within 2 s, at ptxfile.py:3",
        ),
    ],
)
def test_a_hanging_ptxfile_ends_the_command_and_says_how_to_go_on(tmp_path, code, said):
    done = command_with(code, tmp_path)
    assert done.returncode == 2
    assert said in done.stderr
    assert "PTX_DISABLE=ptxfile" in done.stderr


@pytest.mark.slow
def test_a_ptxfile_that_hangs_in_c_code_ends_the_command_too(tmp_path):
    locked_twice = """
import ctypes
lock, library = ctypes.create_string_buffer(64), ctypes.CDLL(None)
library.pthread_mutex_lock(lock)
library.pthread_mutex_lock(lock)
"""
    done = command_with(locked_twice, tmp_path)
    assert done.returncode == 2
    assert done.stderr.count("did not end within 2 s") == 1
    assert "plugin ptxfile: import did not end within 2 s, at ptxfile.py:5, in code that" in done.stderr
    assert "PTX_DISABLE=ptxfile" in done.stderr


@pytest.mark.slow
def test_c_code_that_holds_pythons_lock_is_ended_with_its_line(tmp_path):
    done = command_with("sum(iter(int, 1))", tmp_path)
    assert done.returncode == 1
    assert 'ptxfile.py", line 1 in <module>' in done.stderr
