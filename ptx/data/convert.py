"""A row of a file to a canonical row: the columns of its form renamed, prompts and replies brought together.

Prompts, chosen, rejected and completions stay texts or message lists, as the file has them; a row that has
both gets message lists. Columns that the form does not use are kept as they are.

Alpaca's ``input`` is put below the instruction, after a blank line, without the sentence "Below is an
instruction ..." of the original script: the chat template of the model does that work today.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ptx.data.layouts.chatgpt import branch_turns
from ptx.data.layouts.glaive import glaive_turns
from ptx.data.names import LEFT_OUT, MEDIA, MEDIA_PLACE, TRAINED_IF, TRAINED_TURNS, WEIGHTS
from ptx.data.records import Row
from ptx.data.shapes import CONTEXTS, Form, has_value
from ptx.data.tools import (
    RowError,
    Turn,
    as_defined,
    defines,
    parsed,
    shown,
    tool_calls,
    tool_definitions,
)
from ptx.data.turns import (
    assistant,
    history_turns,
    is_marked,
    is_turns,
    shared_prefix,
    system_text,
    to_turns,
    user,
)
from ptx.data.values import number

#: columns of canonical rows that a chat template is given: never the file's own
GIVEN = ("tools", "chat_template_kwargs")
#: columns for which a row may be refused
REFUSED = frozenset((*MEDIA, *WEIGHTS, *TRAINED_IF, *TRAINED_TURNS, *LEFT_OUT))
NAME_PROMPT = "name the column of the prompt: data.columns.prompt=COLUMN"


def convert(form: Form, row: Row) -> Row:
    """A row of a file as a canonical row of the form's shape."""
    _refuse_columns(form, row)
    for column in form.parts.values():
        if row.get(column) is None and column not in CONTEXTS:
            raise RowError(f"column {column} is {'empty (null)' if column in row else 'missing'}")
    parts = _unwrapped({part: row.get(column) for part, column in (form.parts | form.beside).items()})
    canonical = CONVERT[form.shape](parts)
    canonical |= _beside(parts, canonical)
    known = {*form.used, *canonical, *GIVEN}
    return {**canonical, **{name: value for name, value in row.items() if name not in known}}


def _refuse_columns(form: Form, row: Row) -> None:
    """Refuse columns that say that a row is more than its text, or is not trained like the others."""
    if REFUSED.isdisjoint(row):
        return
    for name in MEDIA if form.shape != "text" else ():
        if has_value(row.get(name)) and _points_at_media(row):
            fix = f"ptx trains text: leave these rows out, or train their text alone: data.drop=[{name}]"
            raise RowError(f"column {name} holds media", fix)
    for name in WEIGHTS:
        value = number(row.get(name))
        if value is not None and value != 1:
            fix = f"all rows count alike: leave rows out or repeat them, or data.drop=[{name}]"
            raise RowError(f"column {name} weighs the row, got {value}", fix)
    for name in TRAINED_IF:
        if name not in WEIGHTS and _is_denied(name, row.get(name)):
            raise RowError(
                f"column {name} says that the row is not trained",
                f"delete such rows, or data.drop=[{name}] trains them",
            )
    _refuse_marks(row)


def _is_denied(name: str, value: Any) -> bool:
    """Whether a mark says no: false, 0 or their words, as CSV has them; a loss of 0 may be measured."""
    word = value.strip().lower() if isinstance(value, str) else value
    return word is False or word in ("false", "no") or (word in (0, "0") and name != "loss")


def _refuse_marks(row: Row) -> None:
    """Refuse columns that leave the row, or some of its turns, out of training."""
    for name in TRAINED_TURNS:
        if isinstance(row.get(name), list) and row[name]:
            fix = f"write weight: 0 or 1 into the messages, or data.drop=[{name}] trains all replies"
            raise RowError(f"column {name} says which turns are trained, got {shown(row[name])}", fix)
    for name in LEFT_OUT:
        if is_marked(row.get(name)):
            fix = f"delete such rows, or data.drop=[{name}] trains them"
            raise RowError(f"column {name} says that the row is left out, got {row[name]}", fix)


def _points_at_media(row: Row) -> bool:
    """Whether a text of the row has a place for a picture or a recording; else nothing of it is lost."""
    return any(MEDIA_PLACE.search(str(value)) for value in row.values() if isinstance(value, str | list))


def _unwrapped(parts: Row) -> Row:
    """OpenAI's preference rows hold the messages and the tools of the prompt in one object."""
    prompt = parts.get("prompt")
    if isinstance(prompt, dict) and "messages" in prompt:
        return {**parts, "prompt": prompt["messages"], "tools": parts.get("tools") or prompt.get("tools")}
    return parts


def _system_text(canonical: Row) -> str:
    """The text of the first message where it is the system's."""
    turns = canonical.get("messages") or canonical.get("prompt")
    first = turns[0] if isinstance(turns, list) and turns else {}
    return str(first.get("content") or "") if first.get("role") == "system" else ""


def _beside(parts: Row, canonical: Row) -> Row:
    """The tools and the options of the chat template, under the names that TRL gives them.

    Tools that the system text already defines (Hermes) are not given twice.
    """
    made: Row = {}
    system = _system_text(canonical)
    tools = tool_definitions(parts.get("tools"))
    for column in ("messages", "prompt", "completion", "chosen", "rejected") if tools else ():
        if isinstance(canonical.get(column), list):
            made[column] = as_defined(canonical[column], tools)
    if tools and not all(defines(system, tool) for tool in tools):
        made["tools"] = tools
    if has_value(options := parts.get("options")):
        if not isinstance(options, dict):
            raise RowError(f"chat_template_kwargs must be an object, got {shown(options)}")
        made["chat_template_kwargs"] = options
    return made


def _asked(parts: Row) -> Any:
    """The prompt: a text with its context below it, or messages where something precedes it."""
    prompt, context = parts["prompt"], _context(parts)
    if not is_turns(prompt):
        prompt = f"{prompt}\n\n{context}" if context else prompt
        if not (has_value(parts.get("system")) or has_value(parts.get("history"))):
            return prompt
    return _preceded(parts, to_turns(prompt, "prompt") if is_turns(prompt) else [user(prompt)])


def _context(parts: Row) -> Any:
    """What stands below the prompt: a text, or several with blank lines between them."""
    context = parsed(parts.get("context"))
    if isinstance(context, list) and all(isinstance(text, str) for text in context):
        return "\n\n".join(context)
    if isinstance(context, list | dict) and has_value(context):
        fix = "write it as text, or leave it out: data.drop=[NAME]"
        raise RowError(f"the context below the prompt must be text, got {shown(context)}", fix)
    return parts.get("context")


def _preceded(parts: Row, turns: list[Turn]) -> list[Turn]:
    """The turns behind the system text and the earlier turns of the row."""
    if has_value(earlier := parts.get("history")):
        turns = [*history_turns(earlier), *turns]
    system = system_text(parts.get("system"))
    if not has_value(system) or turns[0] == {"role": "system", "content": system}:
        return turns
    if turns[0]["role"] == "system":
        fix = "keep one of them; data.drop=[system] leaves the column out"
        raise RowError("the system column and the first message are two system texts", fix)
    return [{"role": "system", "content": system}, *turns]


def _as_turns(prompt: Any, *replies: Any) -> list[Any]:
    """The prompt and the replies in one kind: texts when all are texts, else message lists."""
    if not any(is_turns(value) for value in (prompt, *replies)):
        return [prompt, *replies]
    lead = to_turns(prompt, "prompt") if is_turns(prompt) else [user(prompt)]
    return [
        lead,
        *(to_turns(reply, "the reply") if is_turns(reply) else [assistant(reply)] for reply in replies),
    ]


def _messages(parts: Row) -> Row:
    if "messages" in parts:
        return {"messages": _preceded(parts, to_turns(parts["messages"], "messages"))}
    if "mapping" in parts:
        return {"messages": branch_turns(parts["mapping"], parts["current_node"])}
    if "chat" in parts:
        turns, tools = glaive_turns(str(parts["chat"]), parts.get("system"))
        return {"messages": turns, **({"tools": tools} if tools else {})}
    prompt = _asked(parts)
    lead = to_turns(prompt, "prompt") if is_turns(prompt) else [user(prompt)]
    if "calls" in parts:
        reply = [{"role": "assistant", "content": None, "tool_calls": tool_calls(parts["calls"])}]
    else:
        reply = _as_turns(lead, parts["completion"])[1]
    if has_value(thought := parts.get("reasoning")) and reply[-1]["role"] == "assistant":
        reply = [*reply[:-1], {"reasoning_content": thought, **reply[-1]}]
    return {"messages": lead + reply}


def _completions(parts: Row) -> Row:
    if is_turns(parts["prompt"]) or is_turns(parts["completion"]):
        raise RowError("prompt and completion must both be texts, as in the first row")
    return {"prompt": _asked(parts), "completion": parts["completion"]}


def _thumbs(parts: Row) -> Row:
    if "messages" in parts:
        turns = _preceded(parts, to_turns(parts["messages"], "messages"))
        if len(turns) < 2 or turns[-1]["role"] != "assistant":
            raise RowError("a labelled conversation must end with the reply that the label judges")
        return {"prompt": turns[:-1], "completion": turns[-1:], "label": parts["label"]}
    prompt, completion = _as_turns(_asked(parts), parts["completion"])
    return {"prompt": prompt, "completion": completion, "label": parts["label"]}


def _prompts(parts: Row) -> Row:
    return {"prompt": _asked(parts), "answer": parts.get("answer")}


def _safety(parts: Row) -> Row:
    return {"prompt": _asked(parts), "harmful": parts["harmful"]}


#: how files write the label of a step beside true and false; whatever else there is, the rules refuse
STEP_LABELS = {1: True, 0: False, "1": True, "0": False, "+": True, "-": False}


def _steps(parts: Row) -> Row:
    """A solution step by step; the labels as TRL and Math-Shepherd write them, 1 and true alike."""
    steps, labels = parsed(parts["steps"]), parsed(parts["labels"])
    if not (isinstance(steps, list) and isinstance(labels, list)):
        raise RowError(f"steps and labels must be lists, got {shown(steps)} and {shown(labels)}")
    return {"prompt": _asked(parts), "steps": steps, "labels": [_label(label) for label in labels]}


def _label(value: Any) -> Any:
    return STEP_LABELS.get(value, value) if isinstance(value, int | str) else value


def _text(parts: Row) -> Row:
    return {"text": parts["text"]}


def _pairs(parts: Row) -> Row:
    row = _split({**parts, "system": None, "history": None})
    if not (has_value(parts.get("system")) or has_value(parts.get("history"))):
        return row
    prompt = _asked({**parts, "prompt": row["prompt"], "context": None})
    prompt, chosen, rejected = _as_turns(prompt, row["chosen"], row["rejected"])
    return {"prompt": prompt, "chosen": chosen, "rejected": rejected}


def _split(parts: Row) -> Row:
    """Prompt, chosen and rejected, where need be found in the two conversations."""
    if "messages" in parts:
        turns = to_turns(parts["messages"], "messages")
        return {"prompt": turns[:-1], "chosen": turns[-1:], "rejected": [assistant(parts["rejected"])]}
    chosen, rejected = parts["chosen"], parts["rejected"]
    if "prompt" not in parts:
        return _split_turns(None, chosen, rejected) if is_turns(chosen) else _split_text(chosen, rejected)
    prompt, chosen, rejected = _as_turns(_asked(parts), chosen, rejected)
    return (
        _split_turns(prompt, chosen, rejected)
        if is_turns(prompt)
        else {"prompt": prompt, "chosen": chosen, "rejected": rejected}
    )


def _split_turns(prompt: list[Turn] | None, chosen: Any, rejected: Any) -> Row:
    """Full conversations on both sides: the messages that both begin with are the prompt."""
    chosen, rejected = to_turns(chosen, "chosen"), to_turns(rejected, "rejected")
    count = shared_prefix(chosen, rejected)
    shared = chosen[:count]
    if prompt is None and not shared:
        raise RowError(
            "there is no prompt column, and chosen and rejected begin differently, so the prompt is unknown",
            NAME_PROMPT,
        )
    if prompt is None or (shared and shared[-len(prompt) :] == prompt):
        return {"prompt": shared, "chosen": chosen[count:], "rejected": rejected[count:]}
    return {"prompt": prompt, "chosen": chosen, "rejected": rejected}


MARKER = "\n\nAssistant:"  # Anthropic's HH-RLHF: "\n\nHuman: ...\n\nAssistant: ..."


def _split_text(chosen: Any, rejected: Any) -> Row:
    """Two dialogues as text: the prompt ends at the last ``Assistant:`` of the text that both begin with."""
    if not isinstance(chosen, str) or not isinstance(rejected, str):
        raise RowError(
            f"chosen and rejected must be texts or message lists, got {shown(chosen)} and {shown(rejected)}"
        )
    end = chosen.rfind(MARKER)
    while end > 0 and not rejected.startswith(chosen[: end + len(MARKER)]):
        end = chosen.rfind(MARKER, 0, end)
    if end < 0:
        raise RowError(
            f"there is no prompt column, and {MARKER.strip()!r} does not mark where the prompt of both texts"
            " ends",
            NAME_PROMPT,
        )
    cut = end + len(MARKER)
    return {"prompt": chosen[:cut], "chosen": chosen[cut:], "rejected": rejected[cut:]}


CONVERT: dict[str, Callable[[Row], Row]] = {
    "messages": _messages,
    "completions": _completions,
    "pairs": _pairs,
    "thumbs": _thumbs,
    "prompts": _prompts,
    "safety": _safety,
    "steps": _steps,
    "text": _text,
}


def strip_repeated_prompts(rows: list[Row]) -> list[Row]:
    """The pairs without the prompt in front of each reply, if every reply of every row begins with it."""
    if not rows or not all(_repeats_prompt(row) for row in rows):
        return rows
    return [
        {**row, **{side: row[side][len(row["prompt"]) :] for side in ("chosen", "rejected")}} for row in rows
    ]


def _repeats_prompt(row: Row) -> bool:
    prompt, sides = row["prompt"], (row["chosen"], row["rejected"])
    return (
        isinstance(prompt, str)
        and bool(prompt)
        and all(isinstance(side, str) and side.startswith(prompt) for side in sides)
    )
