"""A hook that raises, or gives an answer of another kind, is a fault of its plugin, which is named."""

import signal
import sys
from pathlib import Path

import pluggy
import pytest

from ptx import hookimpl
from ptx.errors import ConfigError, StepError
from ptx.hooks import hookspecs
from ptx.hooks.border import guard, place_of


@pytest.fixture
def hook(module_named):
    """``hook(ptx_...=function)``: the hooks of a manager with one good plugin and this one."""

    def make(**functions):
        manager = pluggy.PluginManager("ptx")
        manager.add_hookspecs(hookspecs)
        manager.register(module_named("good", ptx_searchpath=hookimpl(lambda: ["conf"])), name="good")
        marked = {name: hookimpl(function) for name, function in functions.items()}
        manager.register(module_named("mine", **marked), name="mine")
        for name in ("good", "mine"):
            guard(manager, name)
        return manager.hook

    return make


def raising(error):
    def call():
        raise error

    return call


@pytest.mark.parametrize("answer", [3, "conf", [1], {"a": 1}])
def test_a_wrong_answer_is_named_with_the_plugin_that_gave_it(hook, answer):
    with pytest.raises(ConfigError, match=r"plugin mine: ptx_searchpath returned .*PTX_DISABLE=mine"):
        hook(ptx_searchpath=lambda: answer).ptx_searchpath()


@pytest.mark.parametrize("error", [KeyError("nope"), RuntimeError("x"), SystemExit(0), RecursionError()])
def test_an_exception_is_named_with_the_plugin_and_the_line(hook, error):
    with pytest.raises(ConfigError, match=r"plugin mine: ptx_commands raised .* .test_border.py:\d+."):
        hook(ptx_commands=raising(error)).ptx_commands()


def test_our_own_errors_and_interruptions_pass(hook):
    for error in (StepError("own"), KeyboardInterrupt()):
        with pytest.raises(type(error)):
            hook(ptx_commands=raising(error)).ptx_commands()


def test_a_signal_that_ends_the_process_passes(hook):
    """Slurm preempts a job while a plugin trains: submitit queues it again and exits."""
    before = signal.signal(signal.SIGUSR2, lambda *_: sys.exit(-1))
    try:
        with pytest.raises(SystemExit):
            hook(ptx_commands=lambda: signal.raise_signal(signal.SIGUSR2)).ptx_commands()
    finally:
        signal.signal(signal.SIGUSR2, before)


def test_a_first_result_of_another_kind_is_refused(hook):
    def resolve(value, cache):
        return "a text"

    with pytest.raises(ConfigError, match="plugin mine: ptx_resolve returned 'a text', not a Path or None"):
        hook(ptx_resolve=resolve).ptx_resolve(value=None, cache=Path())


def test_good_answers_pass(hook):
    assert hook(ptx_searchpath=lambda: ["mine"]).ptx_searchpath() == [["mine"], ["conf"]]
    assert hook(ptx_commands=lambda: []).ptx_commands() == [[]]  # noqa: PIE807 (pluggy marks it)


def test_a_syntax_error_is_at_its_own_line(tmp_path):
    file = tmp_path / "x.py"
    file.write_text("\n\n(")
    with pytest.raises(SyntaxError) as caught:
        compile(file.read_text(), str(file), "exec")
    assert place_of(caught.value) == "x.py:3"
