"""Deliberate mistakes in data, and good public layouts: one small file each, and what ``ptx check`` must say.

A mistake is stopped (exit code 2) or warned of, under the name that ``check.allow`` waives it by. The same
files are given to raw TRL by ``benchmarks/mistakes.py``.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

STOPS, WARNS = "stops", "warns"
LONG = "What is the capital of France?"
Row = dict[str, Any]


@dataclass(frozen=True)
class Case:
    """A file, what is typed with it, and the finding: its name, whether it stops, and what its text holds."""

    name: str
    severity: str
    content: bytes
    holds: tuple[str, ...] = ()
    method: str = ""
    words: tuple[str, ...] = ()
    file: str = "my.jsonl"
    beside: tuple[tuple[str, bytes], ...] = ()
    edit: Callable[[str], str] | None = None  # the chat template of the model
    generation: Row | None = None  # keys of the model's generation_config.json


def lines(rows: Sequence[Row]) -> bytes:
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


def user(text: str) -> Row:
    return {"role": "user", "content": text}


def says(text: Any, **more: Any) -> Row:
    return {"role": "assistant", "content": text, **more}


def talk(number: int) -> Row:
    return {"messages": [user(f"Add {number} and {number + 7}, please."), says(f"It is {2 * number + 7}.")]}


def answer(number: int, **more: Any) -> Row:
    return {
        "prompt": f"Add {number} and {number + 7}, please.",
        "completion": f"It is {2 * number + 7}.",
        **more,
    }


def pair(number: int, **more: Any) -> Row:
    row = answer(number)
    return {"prompt": row["prompt"], "chosen": row["completion"], "rejected": f"No idea of {number}.", **more}


def thumb(number: int, **more: Any) -> Row:
    return {**answer(number), "label": number % 3 == 0, **more}


def ask(number: int, **more: Any) -> Row:
    return {"prompt": f"Add {number} and {number + 7}, please.", "answer": f"{2 * number + 7}", **more}


MAKERS = {"messages": talk, "completions": answer, "pairs": pair, "thumbs": thumb, "prompts": ask}
METHODS = {"messages": "sft", "completions": "sft", "pairs": "dpo", "thumbs": "kto", "prompts": "grpo"}


def among(shape: str, *wrong: Row, count: int = 8) -> bytes:
    """Good rows of a shape, and the wrong ones behind them."""
    return lines([*map(MAKERS[shape], range(count)), *wrong])


def stops(name: str, shape: str, *wrong: Row, holds: Sequence[str] = (), **more: Any) -> Case:
    return Case(name, STOPS, among(shape, *wrong), ("my.jsonl line 9", *holds), METHODS[shape], **more)


def warns(name: str, shape: str, *wrong: Row, holds: Sequence[str] = (), **more: Any) -> Case:
    return Case(name, WARNS, among(shape, *wrong), ("my.jsonl line 9", *holds), METHODS[shape], **more)


def every(
    name: str, severity: str, shape: str, make: Callable[[int], Row], count: int = 24, **more: Any
) -> Case:
    """A mistake of all rows."""
    return Case(
        name, severity, lines([make(number) for number in range(count)]), method=METHODS[shape], **more
    )


def turns(*said: Row) -> Row:
    return {"messages": list(said)}


def shows(reply: str, prompt: str = "Name a colour of the sky.") -> Row:
    return {"prompt": prompt, "completion": reply}


CALL = {"type": "function", "function": {"name": "clock", "arguments": {"zone": "UTC"}}}
TEMPLATE_END = "'<|end|>' }}{% endgeneration %}"
QUESTIONS = [
    f"A farmer keeps {n} hens and sells {n + 3} eggs on every market day of the week in town"
    for n in range(40)
]


def unended(template: str) -> str:
    return template.replace(
        "message['content'] + '<|end|>' }}{% endgeneration %}",
        "message['content'] }}{% endgeneration %}{{- '<|end|>' }}",
    )


def endless(template: str) -> str:
    return template.replace(
        "message['content'] + '<|end|>' }}{% endgeneration %}", "message['content'] }}{% endgeneration %}"
    )


def all_trained(template: str) -> str:
    before = "{{- '<|' + message['role'] + '|>' + message['content'] + '<|end|>' }}"
    return template.replace(before, "{% generation %}" + before + "{% endgeneration %}")


def twice_begun(template: str) -> str:
    return template.replace("{{- bos_token }}", "{{- bos_token }}{{- bos_token }}")


def backwards(template: str) -> str:
    return template.replace("for message in messages %", "for message in messages | reverse %").replace(
        "messages | reverse", "(messages[1:] + messages[:1])"
    )


def unmarked(template: str) -> str:
    return template.replace("{% generation %}", "").replace("{% endgeneration %}", "")


def not_growing(template: str) -> str:
    return "{{- messages | length }} messages. " + unmarked(template)


#: what is learnt
LEARNT = {
    "the end token is outside the loss": Case(
        "end-not-trained", WARNS, among("messages"), ("<|end|>", "generation"), "sft", edit=unended
    ),
    "the template ends no turn": Case(
        "no-end-token", WARNS, among("messages"), ("<|end|>",), "sft", edit=endless
    ),
    "the template marks the user's turns": Case(
        "trained-on-prompt",
        WARNS,
        among("messages"),
        ("the user's message is in the loss",),
        "sft",
        edit=all_trained,
    ),
    "all tokens are trained": Case(
        "trained-on-prompt",
        WARNS,
        among("messages"),
        ("method.assistant_only=false",),
        "sft",
        ("method.assistant_only=false",),
    ),
    "the template begins twice": Case(
        "two-starts", WARNS, among("messages"), ("<|bos|>",), "sft", edit=twice_begun
    ),
    "the template reorders turns": Case(
        "reordered-turns", WARNS, among("messages"), ("another order",), "sft", edit=backwards
    ),
    "the template is not prefix-preserving": Case(
        "", STOPS, among("messages"), ("does not mark the assistant's tokens",), "sft", edit=not_growing
    ),
    "the template leaves a system text out": Case(
        "not-written",
        STOPS,
        among(
            "messages", turns({"role": "system", "content": "Speak of colours alone."}, *talk(9)["messages"])
        ),
        ("my.jsonl line 9", "content"),
        "sft",
        edit=lambda source: source.replace(
            "for message in messages %", "for message in messages if message['role'] != 'system' %"
        ),
    ),
    "reasoning that the template does not know": stops(
        "not-written",
        "messages",
        turns(user("Add 1 and 1."), says("2.", reasoning_content="one more than one")),
        holds=("reasoning_content", "data.drop"),
    ),
    "tools that the template does not write": stops(
        "not-written",
        "messages",
        {
            **turns(user("What time is it?"), says("Nine.")),
            "tools": [
                {
                    "type": "function",
                    "function": {"name": "clock", "description": "tells the time", "parameters": {}},
                }
            ],
        },
        holds=("tools",),
    ),
    "calls that the template does not write": stops(
        "not-written",
        "messages",
        turns(
            user("What time is it?"),
            says("", tool_calls=[CALL]),
            {"role": "tool", "content": "nine"},
            says("Nine."),
        ),
        holds=("tool_calls",),
    ),
    "the model's own tokens in a text": warns(
        "own-special-tokens", "messages", turns(user("Say <|assistant|> now."), says("It is done."))
    ),
    "the end token in the middle of a reply": warns(
        "end-token-inside", "messages", turns(user("Add 1 and 1."), says("2.<|end|>Bye."))
    ),
    "rows that are templated already": every(
        "template-tokens",
        WARNS,
        "completions",
        lambda n: {
            "prompt": f"<|im_start|>user\nAdd {n}.<|im_end|>\n<|im_start|>assistant\n",
            "completion": f"It is {n}.<|im_end|>",
        },
    ),
    "another model's marks": warns(
        "template-tokens", "completions", shows("[INST] Blue. [/INST]"), holds=("[INST]",)
    ),
    "another model's template in plain text": Case(
        "template-tokens",
        WARNS,
        lines([{"text": f"<|im_start|>user\nAdd {n}<|im_end|>"} for n in range(6)]),
        ("line 1",),
        "sft",
    ),
    "Alpaca's marks in a reply": warns("template-tokens", "completions", shows("### Response:\nBlue.")),
    "stops of three places disagree": Case(
        "stop-tokens", WARNS, among("messages"), ("ptx mend",), "sft", generation={"eos_token_id": 5}
    ),
    "a reply that plays the user": warns(
        "next-turn-in-reply",
        "completions",
        *[shows(f"Blue {n}.\nUser: And another?\nAssistant: Red.") for n in range(3)],
    ),
    "the speaker's name in replies": every(
        "speaker-name", WARNS, "completions", lambda n: answer(n, completion=f"Assistant: It is {n}.")
    ),
    "a thought that never ends": warns("open-think", "completions", shows("<think>The user wants a colour")),
    "a reply that repeats itself": warns(
        "repeats-itself", "completions", shows("The colour is blue, I think. " * 20)
    ),
}
#: what is lost
LOST = {
    "rows longer than the method reads": Case(
        "cut-rows",
        WARNS,
        among("completions", shows("blue and red " * 60)),
        ("my.jsonl line 9", "method.max_length="),
        "sft",
        ("method.max_length=128",),
    ),
    "prompts that fill the context": Case(
        "prompt-fills-context",
        STOPS,
        lines([answer(n, prompt=f"Add {n} and one. " * 200) for n in range(6)]),
        ("line 1", "longest prompt"),
        "sft",
    ),
    "sides that differ behind the cut only": Case(
        "same-before-cut",
        WARNS,
        among("pairs", pair(9, chosen="well " * 200 + "yes", rejected="well " * 200 + "no")),
        ("my.jsonl line 9", "method.max_length"),
        "dpo",
        ("method.max_length=128",),
    ),
    "replies cut where they were exported": every(
        "cut-replies", WARNS, "completions", lambda n: answer(n, completion=(f"{n} and so on " * 20)[:120])
    ),
    "replies cut at a number of words": every(
        "cut-replies",
        WARNS,
        "completions",
        lambda n: answer(n, completion=f"{10**n} and" + f" {n} more and" * 11),
        holds=("at 35 words",),
    ),
    "replies that end in three dots": every(
        "three-dots", WARNS, "completions", lambda n: answer(n, completion=f"It is {n} and ...")
    ),
    "code that is cut": warns("open-code", "completions", shows("Here:\n```python\nprint(1)")),
}
#: what is malformed
MALFORMED = {
    "null": stops(
        "unreadable", "completions", {"prompt": "Add 1.", "completion": None}, holds=("completion",)
    ),
    "NaN": Case(
        "unreadable",
        STOPS,
        among("completions") + b'{"prompt": "Add 1.", "completion": NaN}\n',
        ("my.jsonl line 9", "completion"),
        "sft",
    ),
    "None as a text": warns("nothing-as-text", "completions", shows("None"), holds=("'None'",)),
    "nan as a prompt": warns("nothing-as-text", "completions", shows("Blue.", "nan"), holds=("'nan'",)),
    "white space": stops("empty-text", "completions", shows(" \n\t"), holds=("completion is empty",)),
    "zero-width spaces": stops(
        "empty-text", "completions", shows("\u200b\u200b"), holds=("completion is empty",)
    ),
    "an empty prompt": stops("empty-text", "pairs", pair(1, prompt=""), holds=("prompt is empty",)),
    "a number": stops("not-text", "completions", shows(7), holds=("completion must be text, got 7",)),
    "a list as a reply": stops(
        "unreadable", "completions", {"prompt": "a", "completion": ["b"]}, holds=("completion",)
    ),
    "JSON in a text": every(
        "json-in-text",
        WARNS,
        "completions",
        lambda n: answer(n, completion=json.dumps({"answer": f"It is {n}."})),
    ),
    "messages printed as text": warns(
        "printed-messages", "completions", shows("[{'role': 'assistant', 'content': 'x'}]")
    ),
    "a list printed as text": every(
        "printed-list", WARNS, "completions", lambda n: answer(n, completion=f"['Blue {n}', 'Red']")
    ),
    "an empty user's turn in the middle": stops(
        "empty-user-turn", "messages", turns(user("Add 1."), says("2."), user(""), says("Yes?"))
    ),
    "an empty reply in the middle": warns(
        "empty-turn", "messages", turns(user("Add 1."), says(""), user("And 2?"), says("3."))
    ),
    "an empty last reply": stops("empty-reply", "messages", turns(user("Add 1."), says(""))),
    "the assistant first": warns(
        "assistant-first", "messages", turns(says("Hello."), user("Add 1."), says("2."))
    ),
    "two users in a row": warns(
        "same-role-twice", "messages", turns(user("Add 1."), user("Please."), says("2."))
    ),
    "two replies in a row": warns(
        "same-role-twice", "messages", turns(user("Add 1."), says("2."), says("Yes, 2."))
    ),
    "the system in the middle": warns(
        "system-behind",
        "messages",
        turns(user("Add 1."), {"role": "system", "content": "Be brief."}, says("2.")),
    ),
    "an empty system text": warns(
        "empty-system", "messages", turns({"role": "system", "content": ""}, user("Add 1."), says("2."))
    ),
    "a tool's turn without a call": warns(
        "tool-without-call",
        "messages",
        turns(user("What time is it?"), {"role": "tool", "content": "nine"}, says("Nine.")),
    ),
    "an unknown role": stops(
        "unknown-role",
        "messages",
        turns(user("Add 1."), {"role": "asistant", "content": "2."}),
        holds=("did you mean 'assistant'",),
    ),
    "the user last": stops("no-reply-at-end", "messages", turns(user("Add 1."), says("2."), user("Thanks."))),
    "no reply at all": stops("no-reply-at-end", "messages", turns(user("Add 1."))),
    "no reply is trained": stops("no-trained-reply", "messages", turns(user("Add 1."), says("2.", weight=0))),
    "mojibake": warns("mojibake", "completions", shows("Un cafÃ©."), holds=("Ã©",)),
    "letters that were lost": warns("lost-letters", "completions", shows("Un caf\ufffd.")),
    "invalid UTF-8": Case(
        "unreadable",
        STOPS,
        '{"prompt": "Größe?", "completion": "b"}\n'.encode() * 3
        + b'{"prompt": "sch\xf6n", "completion": "b"}\n',
        ("my.jsonl line 4", "iconv"),
        "sft",
    ),
    "control characters": warns("control-characters", "completions", shows("Blue\x07.")),
    "HTML entities": warns("html-entities", "completions", shows("Blue &amp; red.")),
    "HTML": every("html", WARNS, "completions", lambda n: answer(n, completion=f"<p>It is {n}.</p>")),
    "line breaks as two characters": warns("escaped-line-breaks", "completions", shows("Blue.\\n\\nOr red.")),
    "line ends of Windows": every(
        "windows-line-ends", WARNS, "completions", lambda n: answer(n, completion=f"It is\r\n{n}.")
    ),
    "a file in base64": warns("base64", "completions", shows("iVBORw0KGgo" * 50)),
    "an access key": warns("access-key", "completions", shows("Use sk-abcdefghijklmnopqrstuvwx.")),
    "a slot that was never filled": warns(
        "unfilled-slot", "completions", shows("Blue.", "Answer this: {question}")
    ),
    "addresses in place of texts": every(
        "prompt-is-identifier", WARNS, "completions", lambda n: answer(n, prompt=f"https://example.org/{n}")
    ),
    "errors of a program": warns(
        "reply-is-error", "completions", shows("Error code: 429 - too many requests")
    ),
    "replies that begin with a space": every(
        "spaces", WARNS, "completions", lambda n: answer(n, completion=f" It is {n}.")
    ),
    "another model's end mark": warns(
        "template-tokens", "completions", shows("Blue.<\uff5cend\u2581of\u2581sentence\uff5c>")
    ),
    "marks of Harmony": warns(
        "template-tokens", "completions", shows("<|channel|>final<|message|>Blue.<|return|>")
    ),
    "a role with a Cyrillic letter": stops(
        "unknown-role",
        "messages",
        turns(user("Add 1."), {"role": "\u0430ssistant", "content": "2."}),
        holds=("did you mean 'assistant'",),
    ),
    "no-break spaces": warns(
        "invisible-characters", "completions", shows("The sky is blue today.".replace(" ", "\u00a0"))
    ),
    "a mark of byte order in a reply": warns("control-characters", "completions", shows("\ufeffBlue.")),
    "a button of the page": warns(
        "page-text", "completions", shows("Blue.\n\nRegenerate response"), holds=("Regenerate response",)
    ),
    "the time before every reply": every(
        "time-before-reply",
        WARNS,
        "completions",
        lambda n: answer(n, completion=f"[2024-03-{n + 1:02d} 12:05:00] It is {n}."),
    ),
    "letters as escapes": every(
        "escaped-letters", WARNS, "completions", lambda n: answer(n, completion=f"Un caf\\u00e9, {n} fois.")
    ),
    "the system text in every user's turn": every(
        "system-repeated",
        WARNS,
        "messages",
        lambda n: turns(
            {"role": "system", "content": "You are a clerk of the city."},
            user(f"You are a clerk of the city. Add {n}."),
            says(f"{n} it is."),
        ),
    ),
    "two tables with their headers": Case(
        "header-row",
        WARNS,
        (
            "prompt,completion\n"
            + "".join(f"Add {n} and one.,It is {n + 1}.\n" for n in range(6))
            + "prompt,completion\n"
            + "".join(f"Add {n} and two.,It is {n + 2}.\n" for n in range(6))
        ).encode(),
        ("my.csv line 8",),
        "sft",
        file="my.csv",
    ),
    "the numbers of the rows as prompts": every(
        "prompt-is-identifier",
        WARNS,
        "completions",
        lambda n: answer(n, prompt=str(n)),
        holds=("from 0 to 23",),
    ),
    "replies in quotation marks": every(
        "quoted-reply", WARNS, "completions", lambda n: answer(n, completion=f'"It is {n}, as you know."')
    ),
    "texts and conversations": Case(
        "mixed-prompts",
        STOPS,
        among("prompts", ask(9, prompt=[user("Add 9 and 1.")])),
        ("texts and others message lists",),
        "grpo",
    ),
    "other columns in some rows": stops(
        "unreadable",
        "completions",
        {"question": "Add 1.", "reply": "2."},
        holds=("column prompt is missing",),
    ),
    "a misspelt column": every(
        "",
        STOPS,
        "completions",
        lambda n: {"promt": f"Add {n}.", "completion": f"{n}."},
        holds=("promt", "data.columns.prompt"),
    ),
    "a misspelt system column": every(
        "misspelt-column",
        WARNS,
        "completions",
        lambda n: answer(n, sytem="Be brief."),
        holds=("sytem", "did you mean 'system'"),
    ),
    "a misspelt key of messages": every(
        "misspelt-column",
        WARNS,
        "messages",
        lambda n: turns(user(f"Add {n}."), says(f"{n}.", wieght=0)),
        holds=("wieght", "did you mean 'weight'"),
    ),
    "a line that is cut": Case(
        "unreadable",
        STOPS,
        among("completions") + b'{"prompt": "Add 1.", "compl',
        ("my.jsonl line 9",),
        "sft",
    ),
    "a key twice": Case(
        "unreadable",
        STOPS,
        among("completions") + b'{"prompt": "a", "prompt": "b", "completion": "c"}\n',
        ("my.jsonl line 9", "'prompt'"),
        "sft",
    ),
}
#: what contradicts
CONTRADICTS = {
    "rows that repeat": Case(
        "repeated-rows",
        WARNS,
        lines([answer(n % 4) for n in range(12)]),
        ("8 of 12 rows", "make=select"),
        "sft",
    ),
    "rows that nearly repeat": Case(
        "near-duplicates",
        WARNS,
        lines(
            [
                {
                    "prompt": f"{QUESTIONS[n % 12]}{'!' * (n // 12)} How much is it on day {n % 12}?",
                    "completion": f"It is {n % 12}.",
                }
                for n in range(24)
            ]
        ),
        ("nearly the same", "make=select"),
        "sft",
    ),
    "identical sides": stops("identical-sides", "pairs", pair(1, rejected="It is 9."), holds=("identical",)),
    "sides that differ in a full stop": warns(
        "sides-alike", "pairs", pair(1, chosen="It is nine.", rejected="It is Nine")
    ),
    "both orders of a pair": warns(
        "both-orders", "pairs", {**pair(3), "chosen": pair(3)["rejected"], "rejected": pair(3)["chosen"]}
    ),
    "a reply liked and disliked": warns("both-labels", "thumbs", thumb(3, label=False)),
    "the rejected side scored above": warns(
        "scored-below", "pairs", pair(9, score_chosen=1.0, score_rejected=8.0)
    ),
    "all sides swapped by their scores": every(
        "scored-below",
        WARNS,
        "pairs",
        lambda n: pair(n, score_chosen=1.0, score_rejected=8.0),
        holds=("data.columns.chosen=rejected",),
    ),
    "equal scores": every(
        "equal-scores", WARNS, "pairs", lambda n: pair(n, score_chosen=5, score_rejected=5)
    ),
    "the prompt inside one side": stops(
        "prompt-in-one-side", "pairs", {"prompt": LONG, "chosen": f"{LONG} Paris.", "rejected": "Rome."}
    ),
    "the prompt inside replies": every(
        "prompt-in-reply",
        WARNS,
        "completions",
        lambda n: answer(n, completion=f"{answer(n)['prompt']} It is {n}."),
    ),
    "the prompt's turn inside a side": stops(
        "prompt-turn-in-reply",
        "pairs",
        {"prompt": [user("Add 1.")], "chosen": [user("Add 2."), says("2.")], "rejected": [says("3.")]},
    ),
    "a reply that is the prompt": warns("reply-is-prompt", "completions", shows(LONG, LONG)),
    "one refusal for everything": every(
        "one-reply",
        WARNS,
        "messages",
        lambda n: turns(user(f"Add {n}."), says("I am sorry, I cannot help with that.")),
    ),
    "a language code as the reply": every(
        "one-reply", WARNS, "completions", lambda n: answer(n, completion="en")
    ),
    "one chosen side for everything": every(
        "one-reply", WARNS, "pairs", lambda n: pair(n, chosen="I am sorry, I cannot help with that.")
    ),
    "one prompt for everything": every(
        "one-prompt", WARNS, "completions", lambda n: answer(n, prompt="Go on with the story.")
    ),
    "one label": every(
        "one-label", STOPS, "thumbs", lambda n: thumb(n, label=True), holds=("rows of both labels",)
    ),
    "labels that are unbalanced": every(
        "labels-unbalanced", WARNS, "thumbs", lambda n: thumb(n, label=n != 7), holds=("23 true, 1 false",)
    ),
    "labels in blocks": every(
        "labels-in-blocks", WARNS, "thumbs", lambda n: thumb(n, label=n < 12), holds=("2 blocks",)
    ),
    "labels on a scale": every(
        "unreadable", STOPS, "thumbs", lambda n: thumb(n, label=n % 5), holds=("label", "true or false")
    ),
    "disliked replies that are imitated": every(
        "disliked-imitated",
        WARNS,
        "completions",
        lambda n: answer(n, label=n % 2),
        words=("data.shape=completions",),
    ),
    "annotators who disagree": Case(
        "annotators-disagree",
        WARNS,
        lines(
            [
                thumb(n, annotator=by, label=(n * 7 + place * n) % 2 == 0)
                for n in range(24)
                for place, by in enumerate("ab")
            ]
        ),
        ("alpha",),
        "kto",
    ),
    "the longer side is always chosen": every(
        "length-tells",
        WARNS,
        "pairs",
        lambda n: pair(n, chosen=f"It is {n}, and more can be said of it. " * 3),
    ),
    "columns that are swapped": every(
        "swapped-columns",
        WARNS,
        "completions",
        lambda n: {"prompt": f"The city of {n} rivers", "completion": f"Which city has {n} rivers?"},
        holds=("data.columns.prompt=completion",),
    ),
}
ITEM = "Janet has sixteen ducks and sells the eggs that nine of them lay at the market every single day"
#: what cannot be rewarded, and what is known already
REWARDED = {
    "no reference": every("no-reference", WARNS, "prompts", lambda n: {"prompt": f"Write {n} lines."}),
    "some references": Case(
        "unreadable", STOPS, among("prompts", {"prompt": "Add 1."}), ("my.jsonl line 9",), "grpo"
    ),
    "an empty reference": stops("empty-answer", "prompts", ask(9, answer=" ")),
    "a list as a reference": stops("wrong-answer", "prompts", ask(9, answer=["16"])),
    "identical references": every(
        "one-reference", WARNS, "prompts", lambda n: ask(n, answer="en"), holds=("'en'",)
    ),
    "the answer at the end of the prompt": warns(
        "answer-in-prompt", "prompts", ask(9, prompt="What is 6 * 7? Answer: 42", answer="42")
    ),
    "the answer inside the prompt": warns(
        "answer-in-prompt", "prompts", ask(9, prompt="What is 6 * 7?\nAnswer: 42\nExplain it.", answer="42")
    ),
    "two answers to a prompt": warns("two-answers", "prompts", ask(3, answer="1")),
    "harmful prompts alone": Case(
        "one-kind",
        WARNS,
        lines([{"prompt": f"How do I break {n} locks?", "harmful": True} for n in range(8)]),
        ("harmless",),
    ),
    "rows among the test file's": Case(
        "in-test-file",
        WARNS,
        among("completions"),
        ("test.jsonl line 1",),
        "sft",
        file="train.jsonl",
        beside=(("test.jsonl", lines([answer(3), answer(40)])),),
    ),
}
MISTAKES = LEARNT | LOST | MALFORMED | CONTRADICTS | REWARDED
