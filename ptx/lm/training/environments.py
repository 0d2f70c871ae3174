"""Environments for TRL's trainers: instances with limits, and calls read as evaluation reads them.

TRL drives the turns: it shows the tools in the chat template, calls the methods, appends their results and
keeps them out of the loss. Added here: a call that takes longer than ``seconds`` has failed; the calls of a
reply are read by :mod:`ptx.models.calls`, so every template works whose own calls that module reads back; a
reply that was cut at the limit calls nothing, else a call that never ends would be paid like one that does;
and failures, overruns, cut replies and replies whose call cannot be read are counted.
"""

from __future__ import annotations

import asyncio
import functools
import inspect
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from transformers import TrainerCallback

from ptx.config import Environment, Method
from ptx.errors import StepError
from ptx.hooks.run import Run
from ptx.lm.template import template_of
from ptx.models.call_ways import UnreadableCallError, Way
from ptx.models.calls import read_calls, way_of

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

#: members of an environment that are no tools
CONTRACT = ("reset", "get_reward")


@dataclass
class Acting:
    """The environment of a run: makes instances with limits, and counts what goes wrong."""

    run: Run
    environment: Environment | None
    counts: Counter[str] = field(default_factory=Counter)
    ends: frozenset[int] = frozenset()
    _kinds: dict[type, type] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The name of the choice; the environment's reward is logged under it."""
        return self.run.host.choice_of(self.environment).name

    def make(self) -> Any:
        """An instance whose tools have a limit of time."""
        assert self.environment is not None  # make is given to TRL with an environment only
        made = self.run.host.first("ptx_environment", run=self.run, environment=self.environment)
        kind = type(made)
        if kind not in self._kinds:
            self._kinds[kind] = limited(kind, self.name, self.environment.seconds, self.counts)
        made.__class__ = self._kinds[kind]
        return made

    def options(self) -> dict[str, Any]:
        """What the environment adds to the arguments of TRL's config."""
        return {} if self.environment is None else {"max_tool_calling_iterations": self.environment.turns}

    def extra(self) -> dict[str, Any]:
        """What it adds to the arguments of TRL's trainer."""
        return {} if self.environment is None else {"environment_factory": self.make}

    def attach(self, trainer: Any) -> None:
        """Log the counts with every log of the trainer, and know how a reply ends."""
        if self.environment is not None:
            self.ends = frozenset(trainer.eos_token_ids)
            trainer.add_callback(_Counts(self.counts))


class _Counts(TrainerCallback):  # type: ignore[misc]
    """Adds the shares of replies cut or with an unreadable call, and of calls too slow, to each log."""

    def __init__(self, counts: Counter[str]) -> None:
        self.counts = counts

    def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, float], **_: Any) -> None:
        """TRL logs the frequencies of calls and failures itself."""
        for name, of in (("unreadable", "replies"), ("cut", "replies"), ("overrun", "calls")):
            if self.counts[of]:
                logs[f"tools/{name}"] = self.counts[name] / self.counts[of]
        self.counts.clear()


def limited(kind: type, name: str, seconds: float, counts: Counter[str]) -> type:
    """A subclass called ``name`` whose tools fail after ``seconds``.

    Python cannot end a thread: a tool that never returns stays behind in a thread of its own, which does not
    keep the process alive.
    """
    tools = {
        member: _limit(function, seconds, counts)
        for member, function in inspect.getmembers(kind, predicate=inspect.isfunction)
        if member not in CONTRACT and not member.startswith("_")
    }
    return type(name, (kind,), {**tools, "__doc__": kind.__doc__})


def _limit(tool: Callable[..., Any], seconds: float, counts: Counter[str]) -> Callable[..., Any]:
    said = f"{tool.__name__} took longer than {seconds:g} seconds"

    async def later(*given: Any, **named: Any) -> Any:
        counts["calls"] += 1
        try:
            return await asyncio.wait_for(tool(*given, **named), seconds)
        except TimeoutError:
            counts["overrun"] += 1
            raise TimeoutError(said) from None

    def now(*given: Any, **named: Any) -> Any:
        counts["calls"] += 1
        results: list[tuple[Any, BaseException | None]] = []
        thread = threading.Thread(target=_kept, args=(results, tool, given, named), daemon=True)
        thread.start()
        thread.join(seconds)
        if not results:
            counts["overrun"] += 1
            raise TimeoutError(said)
        value, error = results[0]
        if error is not None:
            raise error
        return value

    return functools.wraps(tool)(later if inspect.iscoroutinefunction(tool) else now)


def _kept(results: list[Any], tool: Callable[..., Any], given: Any, named: Any) -> None:
    """Call a tool in a thread, and keep what it gives or raises."""
    try:
        results.append((tool(*given, **named), None))
    except BaseException as error:  # noqa: BLE001 (raised again in the thread that called)
        results.append((None, error))


def acting_for(run: Run, method: Method, tokenizer: PreTrainedTokenizerBase) -> Acting:
    """The environment of a method, for what its answers are sampled in; it adds nothing where there is none.

    Raises:
        StepError: the template of the tokenizer writes no calls that can be read.
    """
    acting = Acting(run, method.environment)
    if acting.environment is not None:
        _let_trl_read(tokenizer, acting)
    return acting


def _let_trl_read(tokenizer: PreTrainedTokenizerBase, acting: Acting) -> None:
    template = template_of(tokenizer, marked=False) if tokenizer.chat_template else None
    way = template and way_of(template, tokenizer.all_special_tokens)
    if not way:
        raise StepError("the chat template writes no tools, or calls in a way that cannot be read")
    reader: Any = tokenizer
    reader.response_template = {"ptx": way.name}  # TRL asks whether there is one
    reader.parse_response = functools.partial(_parsed, tokenizer, way, acting)


def _parsed(
    tokenizer: Any, way: Way, acting: Acting, ids: Any, *, tools: Any = None, **_: Any
) -> dict[str, Any]:
    """A reply as a message of the assistant, with the calls that it makes."""
    text = tokenizer.decode(ids, skip_special_tokens=True)
    acting.counts["replies"] += 1
    said = {"role": "assistant", "content": text}
    if acting.ends.isdisjoint(ids[-1:]):
        acting.counts["cut"] += 1
        return said
    try:
        calls = read_calls(text, way, [_schema(tool) for tool in tools or ()])
    except UnreadableCallError:
        acting.counts["unreadable"] += 1
        return said
    if not calls:
        return said
    return {**said, "tool_calls": [{"type": "function", "function": call._asdict()} for call in calls]}


def _schema(tool: Any) -> dict[str, Any]:
    return dict(tool) if isinstance(tool, dict) else _schema_of(getattr(tool, "__func__", tool))


@functools.cache
def _schema_of(tool: Callable[..., Any]) -> dict[str, Any]:
    from transformers.utils import get_json_schema

    found: dict[str, Any] = get_json_schema(tool)
    return found
