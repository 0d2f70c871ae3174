"""What the tests of plugins get: a model, a run outside of any sweep, and the rules of a plugin."""

from __future__ import annotations

import sys

import pytest

from ptx.files import read_rows
from ptx.models.inspection import problems
from ptx.testing import Silent, check_plugin

PLUGIN = """
from dataclasses import dataclass
from ptx import Choice, Method, hookimpl, setting

@dataclass
class Mine(Method):
    rate: float = {default}

@hookimpl
def ptx_choices():
    return [Choice("method", "mine", Mine, {help!r})]
"""


@pytest.fixture
def plugin(tmp_path, monkeypatch):
    """Write a plugin module that can be imported here and in a new process; returns its name."""

    def write(first_line="", default='setting(0.1, "how fast")', text="a method"):
        (tmp_path / "my_plugin.py").write_text(first_line + PLUGIN.format(default=default, help=text))
        monkeypatch.syspath_prepend(str(tmp_path))
        monkeypatch.setenv("PYTHONPATH", str(tmp_path), prepend=":")
        monkeypatch.delitem(sys.modules, "my_plugin", raising=False)
        return "my_plugin"

    return write


def test_a_plugin_that_keeps_the_rules_passes(plugin):
    check_plugin(plugin())


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ({"first_line": "import sys, types; sys.modules['torch'] = types.ModuleType('torch')"}, "loads"),
        ({"default": "0.1"}, "field rate has no help; use ptx.setting"),
        ({"text": ""}, "method=mine has no help"),
    ],
    ids=["heavy-import", "field-without-help", "choice-without-help"],
)
def test_a_plugin_that_breaks_a_rule_is_refused_with_the_rule(plugin, fault, message, monkeypatch):
    if "torch" in sys.modules:
        monkeypatch.setitem(sys.modules, "torch", sys.modules["torch"])
    with pytest.raises(AssertionError, match=message):
        check_plugin(plugin(**fault))


def test_every_run_of_a_test_has_folders_of_its_own(make_run):
    first, second = make_run(), make_run(seed=3)
    assert first.folder != second.folder
    assert first.folder.is_dir()
    assert first.checkpoints.is_dir()
    assert (second.seed, second.config.seed, second.device) == (3, 3, "cpu")


def test_the_silent_console_keeps_what_a_run_reports(make_run):
    run = make_run()
    run.say("hello")
    run.log({"loss": 0.5}, 1, 2)
    assert isinstance(run.console, Silent)
    assert (run.console.said, run.console.steps) == (["hello"], [(1, {"loss": 0.5})])
    assert [row["event"] for row in read_rows(run.events)] == ["message", "log"]


def test_the_embedded_model_is_a_usable_model_folder(tiny_model):
    assert problems(tiny_model) == []
