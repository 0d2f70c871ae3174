"""The border between ptx and its plugins: an exception or a wrong answer of a hook is a fault of that plugin.

It holds for the hooks that are called before the first step. What a step raises is the failure of that step,
and stays as it is.
"""

from __future__ import annotations

import traceback
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pluggy

from ptx.config import Choice, Command
from ptx.errors import ConfigError, Problem, PtxError
from ptx.guard.reading import reason

#: hook -> what its answer is a list of
LISTS: dict[str, type] = {
    "ptx_choices": Choice,
    "ptx_searchpath": str,
    "ptx_commands": Command,
    "ptx_validate": Problem,
    "ptx_report": str,
}
#: hooks with one answer -> its type
ANSWERS: dict[str, type] = {"ptx_resolve": Path}


def watch(manager: pluggy.PluginManager) -> None:
    """Check the calls of the hooks that are called before the first step."""
    manager.add_hookcall_monitoring(lambda *_: None, _checked)


def _checked(
    outcome: pluggy.Result[Any], hook: str, plugins: Sequence[pluggy.HookImpl], given: Mapping[str, Any]
) -> None:
    if hook not in LISTS and hook not in ANSWERS:
        return
    if (error := outcome.exception) is not None:
        if isinstance(error, Exception | SystemExit) and not isinstance(error, PtxError | OSError):
            outcome.force_exception(_fault(_raiser(error, plugins), hook, f"raised {reason(error)}", error))
        return
    answer = outcome.get_result()
    answers = answer if hook in LISTS else [answer]
    if wrong := [one for one in answers if wrong_answer(hook, one)]:
        named = ", ".join(_answering(hook, plugins, given)) or "a plugin"
        outcome.force_exception(_fault(named, hook, wrong_answer(hook, wrong[0])))


def wrong_answer(hook: str, answer: Any) -> str:
    """What is wrong with the answer of a hook; empty if nothing is."""
    if hook in ANSWERS:
        wanted = ANSWERS[hook]
        good = answer is None or isinstance(answer, wanted)
        return "" if good else f"returned {answer!r:.40}, not a {wanted.__name__} or None"
    kind = LISTS[hook]
    if not isinstance(answer, list | tuple):
        return f"returned {answer!r:.40}, not a list of {kind.__name__}"
    wrong = next((one for one in answer if not isinstance(one, kind)), None)
    return "" if wrong is None else f"returned a list with {wrong!r:.40}, which is no {kind.__name__}"


def _answering(hook: str, plugins: Sequence[pluggy.HookImpl], given: Mapping[str, Any]) -> list[str]:
    """The plugins that give a wrong answer: pluggy's result does not name them, so they are asked again."""
    asked = {one.plugin_name: one.function(*(given[name] for name in one.argnames)) for one in plugins}
    return [name for name, found in asked.items() if found is not None and wrong_answer(hook, found)]


def _raiser(error: BaseException, plugins: Sequence[pluggy.HookImpl]) -> str:
    files = {one.function.__code__.co_filename: one.plugin_name for one in plugins}
    frames = traceback.extract_tb(error.__traceback__)
    return next((files[frame.filename] for frame in frames if frame.filename in files), "a plugin")


def _fault(plugin: str, hook: str, what: str, error: BaseException | None = None) -> ConfigError:
    where = f" ({place_of(error)})" if error is not None else ""
    fix = f"correct it, or leave it out: PTX_DISABLE={plugin}"
    return ConfigError(Problem(f"plugin {plugin}: {hook} {what}{where}", fix))


def place_of(error: BaseException, file: str = "") -> str:
    """``FILE:LINE`` where an exception was raised; with ``file``, the last place there."""
    if isinstance(error, SyntaxError) and error.filename:
        return f"{Path(error.filename).name}:{error.lineno}"
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if Path(frame.filename).name == file]
    if not own and (file or not frames):
        return file or "no line"
    where = (own or frames)[-1]
    return f"{Path(where.filename).name}:{where.lineno}"
