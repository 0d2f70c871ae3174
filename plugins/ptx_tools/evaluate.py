"""``eval=[tools]``: ask, read the calls, judge them, and make rows and metrics."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from ptx import Evaluation, LanguageModel, Metric, Run
from ptx.lm.evaluation.ask import Reply, answers_to, seconds_of
from ptx.lm.evaluation.rates import bounds
from ptx.lm.template import template_of
from ptx.models.call_ways import WAYS, Call, UnreadableCallError, Way
from ptx.models.calls import read_calls, way_of
from ptx.models.chat import TemplateRefusalError
from ptx.stats.items import latency_column, measure, unscored
from ptx_tools import Tools
from ptx_tools.items import IRRELEVANCE, Item, read_items
from ptx_tools.match import argument_fault, arguments_of, parameters_of, verdict
from ptx_tools.recorded import calls_of, read_recorded

Row = dict[str, Any]
#: what a row has at the end: the reply and how its calls are read; no reply: the prompt is too long
Answered = tuple[Reply | str | None, Callable[[], list[Call]]]
ACCURACY, NAMES, ARGUMENTS, SILENT, CALLED, UNPARSED = (
    f"tools/{name}"
    for name in ("accuracy", "name_accuracy", "argument_accuracy", IRRELEVANCE, "relevance", "unparsed")
)
FEW = 30
BOUNDED = (ACCURACY, SILENT, CALLED)
TAGS = WAYS[0]
SYSTEM = """You can call functions. Their definitions, as JSON schemas:
{tools}
For each call write one line, a JSON object with the name and the arguments, between tags:
<tool_call>{{"name": "NAME", "arguments": {{...}}}}</tool_call>
If no function fits the question, answer without a call."""


def evaluate(run: Run, evaluator: Tools, lm: LanguageModel | None) -> Evaluation:
    """Judge the replies of the model, or the recorded ones."""
    items = read_items(evaluator.files, evaluator.limit)
    if evaluator.completions:
        answered = _recorded(run, evaluator, items)
    else:
        assert lm is not None  # Evaluator.opens_model
        answered = _asked(run, evaluator, lm, items)
    clusters = sampled_with(items)
    rows = [judged(item, cluster, one) for item, cluster, one in zip(items, clusters, answered, strict=True)]
    if lm is not None:
        _tell_cut(run, lm, rows, evaluator.max_new_tokens)
    return Evaluation(metrics_of(rows), rows)


def _tell_cut(run: Run, lm: LanguageModel, rows: Sequence[Row], most: int) -> None:
    """Say which calls cannot be read because the reply had no more tokens."""
    lost = [row for row in rows if row["status"] == "unparsed"]
    cut = [
        row for row in lost if len(lm.tokenizer(row["output"], add_special_tokens=False)["input_ids"]) >= most
    ]
    for row in cut:
        row["why"] = f"the reply ends within a call, at eval.tools.max_new_tokens={most}"
    if cut:
        run.say(
            f"{len(cut)} of {len(rows)} replies end within a call, at {most} tokens;"
            f" eval.tools.max_new_tokens={2 * most} leaves them more room"
        )


def _recorded(run: Run, evaluator: Tools, items: Sequence[Item]) -> list[Answered]:
    results = read_recorded(Path(evaluator.completions).expanduser())
    missing = sum(item.id not in results for item in items)
    run.say(f"judging recorded replies of {evaluator.completions}; the model is not asked")
    if missing:
        run.say(f"{missing} of {len(items)} items have no recorded reply")
    found: list[Answered] = []
    for item in items:
        result = results.get(item.id)
        said = result if isinstance(result, str) or result is None else json.dumps(result)
        found.append((said, partial(calls_of, result or "", item.tools)))
    return found


def _asked(run: Run, evaluator: Tools, lm: LanguageModel, items: Sequence[Item]) -> list[Answered]:
    way, texts = prompts_of(run, evaluator, lm, items)
    replies = answers_to(run, lm, texts, evaluator.max_new_tokens)
    return [
        (reply, partial(read_calls, reply or "", way, item.shown))
        for item, reply in zip(items, replies, strict=True)
    ]


def prompts_of(run: Run, evaluator: Tools, lm: LanguageModel, items: Sequence[Item]) -> tuple[Way, list[str]]:
    """How the model writes calls, and the prompts that show it the tools."""
    tokenizer = lm.tokenizer
    template = template_of(tokenizer, marked=False) if tokenizer.chat_template else None
    way = None
    if template and evaluator.prompt != "text":
        try:
            way = way_of(template, tokenizer.all_special_tokens)
        except TemplateRefusalError:
            way = None
    if template and way:
        return way, [template.fit(item.turns, item.shown, ask=True).rendered.text for item in items]
    run.say("the tools stand in the system text, calls between <tool_call> tags: the template writes none")
    chats = [_told(item) for item in items]
    if template is None:
        return TAGS, ["".join(f"{turn['content']}\n" for turn in chat) for chat in chats]
    return TAGS, [_rendered(template, chat) for chat in chats]


def _told(item: Item) -> list[Row]:
    """The turns with the tools in their system text."""
    text = SYSTEM.format(
        tools="\n".join(json.dumps(one["function"], ensure_ascii=False) for one in item.shown)
    )
    own = "\n\n".join(str(turn["content"]) for turn in item.turns if turn["role"] == "system")
    rest = [turn for turn in item.turns if turn["role"] != "system"]
    return [{"role": "system", "content": f"{own}\n\n{text}" if own else text}, *rest]


def _rendered(template: Any, chat: list[Row]) -> str:
    """A chat up to the reply; in the user's turn for a template without a place for a system text."""
    try:
        fitted = template.fit(chat, ask=True)
        if not fitted.lost:
            return str(fitted.rendered.text)
    except TemplateRefusalError:
        pass
    first, second, *rest = chat
    joined = {**second, "content": f"{first['content']}\n\n{second['content']}"}
    return str(template.fit([joined, *rest], ask=True).rendered.text)


def sampled_with(items: Sequence[Item]) -> list[str]:
    """The cluster of each item: items that share a function are not independent.

    Fewer functions than :data:`FEW` are no sample: these tools are meant, and only the questions vary.
    """
    found = clusters_of(items)
    if len(set(found)) < FEW:
        return [item.item for item in items]
    return [f"functions {cluster}" for cluster in found]


def judged(item: Item, cluster: str, answered: Answered) -> Row:
    """The row of an item: its scores, or the reason why it has none."""
    reply, read = answered
    row: Row = {
        "item": item.item,
        "cluster": cluster,
        "scores": {},
        "segments": {"category": item.category},
        "status": "ok",
        "prompt": item.turns[-1].get("content"),
        "output": reply,
        **latency_column(seconds_of(reply)),
    }
    if reply is None:
        return {**row, "status": "no reply"}
    try:
        calls = read()
    except UnreadableCallError as error:
        lost = {_rate_of(item): float("nan")}
        return {**row, "status": "unparsed", "why": str(error), "scores": {**lost, UNPARSED: 1.0}}
    row["calls"] = [call._asdict() for call in calls]
    row["scores"] = {**scores_of(item, calls), UNPARSED: 0.0}
    if item.expected:
        row["why"] = verdict(calls, item.expected, item.tools)
    return row


def _rate_of(item: Item) -> str:
    return CALLED if item.expected is None else ACCURACY if item.expected else SILENT


def scores_of(item: Item, calls: Sequence[Call]) -> dict[str, float]:
    """The scores of calls that could be read."""
    if item.expected is None:
        return {CALLED: float(bool(calls))}
    if not item.expected:
        return {SILENT: float(not calls)}
    names = Counter(call.name for call in calls) == Counter(one.name for one in item.expected)
    found = {ACCURACY: float(not verdict(calls, item.expected, item.tools)), NAMES: float(names)}
    arguments = argument_scores(item, calls)
    return {**found, **({ARGUMENTS: sum(arguments) / len(arguments)} if arguments else {})}


def argument_scores(item: Item, calls: Sequence[Call]) -> list[bool]:
    """Right or wrong, for each argument of the calls of expected functions.

    An expected call is compared with that call of its function, among those left, which has the most right
    arguments.
    """
    left, found = list(calls), []
    for wanted in item.expected or ():
        parameters = parameters_of(wanted.name, item.tools)
        tried = [
            (
                call,
                [not argument_fault(name, call, wanted, parameters) for name in arguments_of(call, wanted)],
            )
            for call in left
            if call.name == wanted.name
        ]
        if tried:
            best, rights = max(tried, key=lambda one: sum(one[1]) - sum(not right for right in one[1]))
            left.remove(best)
            found += rights
    return found


def clusters_of(items: Sequence[Item]) -> list[int]:
    """A number for each item, equal for items that share a function, directly or through others."""
    parents = list(range(len(items)))

    def root(place: int) -> int:
        while parents[place] != place:
            parents[place] = parents[parents[place]]
            place = parents[place]
        return place

    first: dict[str, int] = {}
    for place, item in enumerate(items):
        for function in item.functions:
            parents[root(place)] = root(first.setdefault(function, place))
    return [root(place) for place in range(len(items))]


def metrics_of(rows: Sequence[Row]) -> list[Metric]:
    """The rates that have items, the bounds of those with unreadable replies, and the shares without one."""
    found: list[Metric] = []
    for name in (ACCURACY, NAMES, ARGUMENTS, SILENT, CALLED):
        mine = [row for row in rows if name in row["scores"]]
        if mine:
            found += measure(name, "fraction", "higher", mine)
        if name in BOUNDED:
            found += bounds(name, mine, "higher") if mine else []
    answered = [row for row in rows if UNPARSED in row["scores"]]
    return [*found, *measure(UNPARSED, "fraction", "lower", answered), *unscored("tools", rows)]
