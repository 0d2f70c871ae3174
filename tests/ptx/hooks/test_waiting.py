"""A plugin that hangs is named with its line; what it prints before the first step is no output of ptx."""

from __future__ import annotations

import threading
import time

import pytest

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
    with calling("mine", "ptx_train", "", run):
        run.say("still here")
        assert waited_for() == ""
        time.sleep(0.3)
        assert "ptx_train" in waited_for()


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
