"""The border between ptx and its plugins: what a hook does wrong is said with the name of its plugin.

Every hook function is called through :func:`guard`. Before the first step an exception or a wrong answer ends
the command (exit code 2). In a step a wrong answer fails the step, and an exception stays what it is and
carries the plugin, the hook and the line (:func:`described`). A wrapper of ``ptx_run``, such as a tracker,
cannot fail a run.
"""

from __future__ import annotations

import os
import signal
import traceback
from collections.abc import Callable, Generator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pluggy

from ptx.config import Choice, Command
from ptx.errors import ConfigError, Problem, PtxError, StepError
from ptx.guard.reading import reason
from ptx.hooks.waiting import calling
from ptx.records import DataRef, Evaluation, Metric, ModelRef

#: hooks of the time before the first step -> what their answer is a list of
LISTS: dict[str, type] = {
    "ptx_choices": Choice,
    "ptx_searchpath": str,
    "ptx_commands": Command,
    "ptx_validate": Problem,
    "ptx_report": str,
}
#: hooks with one answer -> its type
ANSWERS: dict[str, type] = {
    "ptx_resolve": Path,
    "ptx_run": dict,
    "ptx_train": ModelRef,
    "ptx_compress": ModelRef,
    "ptx_export": ModelRef,
    "ptx_make": DataRef,
    "ptx_evaluate": Evaluation,
}
EARLY = (*LISTS, "ptx_resolve")
OPENING = ("ptx_load", "ptx_decode")
#: what every opened model has (:class:`ptx.LanguageModel`)
MEMBERS = ("generate", "loglikelihood", "logits", "time_request", "close")
PLACE = "__ptx_place__"  # the attribute of an exception with what :func:`described` adds


@dataclass(frozen=True)
class Guarded:
    """One hook function of a plugin; ``home`` is the file or the folder of its code."""

    plugin: str
    home: str
    hook: str
    names: tuple[str, ...]
    function: Callable[..., Any]

    def fault(self, what: str, error: BaseException | None = None) -> PtxError:
        """The fault of the plugin as ptx's own error: of the command, or of the step."""
        where = f" ({place_of(error, self.home)})" if error is not None else ""
        text = f"plugin {self.plugin}: {self.hook} {what}{where}"
        if self.hook not in EARLY:
            return StepError(text)
        return ConfigError(Problem(text, f"correct it, or leave it out: PTX_DISABLE={self.plugin}"))

    def raised(self, error: BaseException) -> BaseException:
        """What to raise for an exception of the function."""
        if isinstance(error, PtxError) or not isinstance(error, Exception | SystemExit):
            return error
        if isinstance(error, SystemExit) and _by_a_signal(error):
            return error
        if isinstance(error, SystemExit) or (self.hook in EARLY and not isinstance(error, OSError)):
            return self.fault(f"raised {reason(error)}", error)
        if not hasattr(error, PLACE):
            setattr(error, PLACE, _lacking(error) or self._place(error))
        return error

    def _place(self, error: BaseException) -> str:
        return f"plugin {self.plugin}, {self.hook}, {place_of(error, self.home)}"

    def calling(self, given: Sequence[Any]) -> AbstractContextManager[Any]:
        """While the function runs: who it is, and how long it may take without a word."""
        run = self.run_of(given)
        return calling(self.plugin, self.hook, self.home, run) if self.hook != "ptx_run" else nullcontext()

    def __call__(self, *given: Any) -> Any:
        """Call the function; its answer is checked."""
        with self.calling(given):
            try:
                answer = self.function(*given)
            except BaseException as error:
                raised = self.raised(error)
                if raised is error:
                    raise
                raise raised from error
        what = wrong_answer(self.hook, answer) or wrong_scores(self, answer, given)
        if answer is not None and what:
            folder = str(getattr(self.run_of(given), "folder", "") or "run.folder")
            raise self.fault(what.replace(folder, "run.folder"))
        if answer is not None and self.hook in OPENING:
            _openers[type(answer)] = f"plugin {self.plugin}, {self.hook}"
        return answer

    def run_of(self, given: Sequence[Any]) -> Any:
        """The run among the arguments, if the function asks for it."""
        return dict(zip(self.names, given, strict=False)).get("run")

    def around(self, *given: Any) -> Generator[None, Any, Any]:
        """The same for a wrapper: it yields once, and returns the answer."""
        running = self.function(*given)
        try:
            self._resumed(lambda: next(running), starts=True)
        except PtxError:
            raise
        except Exception as error:
            if not _contained(self, error, given):
                raise
            return (yield)
        try:
            inner = yield
        except BaseException as error:  # noqa: BLE001 (the wrapper decides; it raises it again)
            return self._after_error(running, error, given)
        try:
            answer = self._resumed(lambda: running.send(inner))
        except PtxError:
            raise
        except Exception as error:
            if not _contained(self, error, given):
                raise
            return inner
        if answer is None and inner is not None and (self.hook in ANSWERS or self.hook in LISTS):
            raise self.fault("gives no answer: a wrapper ends with `return (yield)`")
        return answer

    def _after_error(self, running: Generator[Any, Any, Any], error: BaseException, given: Any) -> Any:
        try:
            return self._resumed(lambda: running.throw(error))
        except BaseException as other:
            if other is not error and isinstance(other, Exception) and _contained(self, other, given):
                raise error from None
            raise

    def _resumed(self, go: Callable[[], Any], *, starts: bool = False) -> Any:
        """Run a wrapper up to its yield, or from there to its end; returns its answer."""
        try:
            go()
        except StopIteration as ended:
            if starts:
                raise self.fault("did not yield: a wrapper yields once") from None
            return ended.value
        except BaseException as error:
            raised = self.raised(error)
            if raised is error:
                raise
            raise raised from error
        if not starts:
            raise self.fault("yielded twice: a wrapper yields once")
        return None


def _by_a_signal(error: BaseException) -> bool:
    """Whether the handler of a signal ends the process, whichever plugin it met: Slurm takes the machine."""
    handlers = [signal.getsignal(number) for number in signal.valid_signals()]
    codes = {getattr(getattr(one, "__func__", one), "__code__", None) for one in handlers} - {None}
    return any(frame.f_code in codes for frame, _ in traceback.walk_tb(error.__traceback__))


def guard(manager: pluggy.PluginManager, name: str) -> None:
    """Put the border around every hook function of a plugin that is registered."""
    plugin = manager.get_plugin(name)
    for caller in manager.get_hookcallers(plugin) or ():
        for found in caller.get_hookimpls():
            if found.plugin is plugin and not isinstance(getattr(found.function, "__self__", 0), Guarded):
                guarded = Guarded(name, home_of(plugin), caller.name, found.argnames, found.function)
                function = guarded.around if found.wrapper else guarded.__call__
                object.__setattr__(found, "function", function)


def home_of(plugin: Any) -> str:
    """The file of a plugin, or its folder where it is a package."""
    file = str(getattr(plugin, "__file__", None) or "")
    return str(Path(file).parent) if file.endswith("__init__.py") else file


#: the type of an opened model -> who opened it
_openers: dict[type, str] = {}


def _lacking(error: BaseException) -> str:
    """Whose fault it is that an opened model lacks a method: that of the plugin which opened it."""
    if not isinstance(error, AttributeError) or error.name not in MEMBERS:
        return ""
    opener = _openers.get(type(error.obj))
    return f"{opener}: a ptx.LanguageModel has {error.name}()" if opener else ""


def _contained(hook: Guarded, error: Exception, given: Sequence[Any]) -> bool:
    """Say what a wrapper of ``ptx_run`` has raised; the run goes on without it. Other hooks fail."""
    run = hook.run_of(given)
    if hook.hook != "ptx_run" or run is None:
        return False
    run.say(f"{described(error)}; the run goes on without it")
    return True


def described(error: BaseException) -> str:
    """An exception in words, with the plugin, the hook and the line that it came from."""
    text = reason(error) if isinstance(error, KeyError) or not str(error) else str(error)
    place = getattr(error, PLACE, "")
    return f"{text} ({place})" if place else text


def wrong_answer(hook: str, answer: Any) -> str:
    """What is wrong with the answer of a hook; empty if nothing is."""
    if hook in LISTS:
        return _wrong_list(answer, LISTS[hook])
    if answer is None:
        return ""
    if hook in OPENING:
        closes = callable(getattr(answer, "close", None))
        return "" if closes else f"returned {answer!r:.40}, which is no ptx.LanguageModel: it has no close()"
    wanted = ANSWERS.get(hook)
    if wanted is not None and not isinstance(answer, wanted):
        return f"returned {answer!r:.1000}, not a {wanted.__name__} or None"
    if isinstance(answer, ModelRef | DataRef) and not os.environ.get("RANK", "0").strip("0"):
        return _wrong_folder(answer)  # other ranks do not wait until rank 0 has written it
    return _wrong_evaluation(answer) if isinstance(answer, Evaluation) else ""


def _wrong_folder(made: ModelRef | DataRef) -> str:
    if not Path(made.path).is_dir():
        return f"returned a {type(made).__name__} of {made.path}, where there is no folder"
    return "" if any(Path(made.path).iterdir()) else f"returned {made.path}, a folder without files"


def _wrong_list(answer: Any, kind: type) -> str:
    if not isinstance(answer, list | tuple):
        return f"returned {answer!r:.40}, not a list of {kind.__name__}"
    wrong = [one for one in answer if not isinstance(one, kind)]
    return f"returned a list with {wrong[0]!r:.40}, which is no {kind.__name__}" if wrong else ""


def _wrong_evaluation(found: Evaluation) -> str:
    if what := _wrong_list(found.metrics, Metric):
        return f"{what} (the metrics of an Evaluation)"
    for row in found.rows:
        if not isinstance(row, dict) or not {"item", "scores"} <= row.keys():
            return f"returned the row {row!r:.60}, which lacks item or scores"
    return ""


def wrong_scores(hook: Guarded, answer: Any, given: Sequence[Any]) -> str:
    """What is wrong with the scores of completions: one number for each is wanted."""
    if hook.hook != "ptx_score" or answer is None:
        return ""
    try:
        scores = [float(score) for score in answer]
    except (TypeError, ValueError) as error:
        return f"returned {answer!r:.60}, not a list of numbers ({error}); nan is for what has no score"
    completions = dict(zip(hook.names, given, strict=False)).get("completions")
    if completions is not None and len(scores) != len(completions):
        return f"returned {len(scores)} scores for {len(completions)} completions"
    return ""


def place_of(error: BaseException, home: str = "") -> str:
    """``FILE:LINE`` where an exception was raised; with ``home``, the last place in that file or folder."""
    if isinstance(error, SyntaxError) and error.filename:
        return f"{Path(error.filename).name}:{error.lineno}"
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if home and is_in(frame.filename, home)]
    if not own and (home or not frames):
        return Path(home).name or "no line"
    where = (own or frames)[-1]
    return f"{Path(where.filename).name}:{where.lineno}"


def is_in(file: str, home: str) -> bool:
    """Whether a file is ``home``, lies below it, or has that name."""
    return file == home or file.startswith(f"{home}/") or Path(file).name == home
