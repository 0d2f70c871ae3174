"""Good data in the layouts of public sets: they pass untouched, and with no warning but those that are named.

The rows are small and new; columns, keys and notation are those of the sets that the names say.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from tests.ptx.cli.check.mistakes import CALL, Case, Row, lines, says, user

PLACES = ("Oslo", "Lima", "Cairo", "Quito", "Hanoi", "Accra", "Riga", "Sofia", "Tunis", "Dakar")
FOODS = ("bread", "rice", "soup", "cheese", "figs", "beans", "fish", "plums", "olives", "corn")


def ask(n: int) -> str:
    return (
        f"What do people in {PLACES[n % 10]} eat with {FOODS[(n // 10 + n) % 10]}?",
        f"Is {FOODS[n % 10]} dear in {PLACES[(n * 3) % 10]} this year?",
        f"Name {n + 2} things that one can do with {FOODS[n % 10]}.",
    )[n % 3]


def reply(n: int) -> str:
    return (
        f"They like {FOODS[(n + 3) % 10]}, and on {n + 1} days a year {FOODS[(n + 5) % 10]}.",
        f"No: {n + 4} coins buy enough for a family.",
        f"Bake it, boil it, or trade it for {FOODS[(n + 7) % 10]} {n} times.",
    )[n % 3]


def other(n: int) -> str:
    return f"Hard to say about number {n}, {FOODS[(n + 1) % 10]} perhaps, or else {PLACES[(n + 2) % 10]}."


def rows(make: Callable[[int], Any], count: int = 30) -> bytes:
    return lines([make(n) for n in range(count)])


def good(
    make: Callable[[int], Any], method: str, *words: str, file: str = "my.jsonl", allow: tuple[str, ...] = ()
) -> Case:
    return Case("", "", rows(make), allow, method, words, file)


def table(separator: str, *columns: str) -> bytes:
    made = [separator.join(columns)]
    made += [separator.join(f'"{text}"' for text in (ask(n), reply(n))) for n in range(30)]
    return "\n".join(made).encode()


def turns(n: int) -> list[Row]:
    return [user(ask(n)), says(reply(n)), user(ask(n + 31)), says(reply(n + 17))]


def pairs(n: int, **more: Any) -> Row:
    return {"prompt": ask(n), "chosen": reply(n), "rejected": other(n), **more}


def dialogue(n: int, last: str) -> str:
    return f"\n\nHuman: {ask(n)}\n\nAssistant: {reply(n)}\n\nHuman: {ask(n + 31)}\n\nAssistant: {last}"


TOOL = {"type": "function", "function": {"name": "clock", "description": "the time", "parameters": {}}}

#: name -> the data, with the findings that it may have: they are true of it
GOOD: dict[str, Case] = {
    "UltraChat: messages with an id": good(lambda n: {"prompt_id": f"{n}", "messages": turns(n)}, "sft"),
    "OpenAI: messages with a system text": good(
        lambda n: {"messages": [{"role": "system", "content": "Be brief."}, *turns(n)]}, "sft"
    ),
    "OpenAI: weights of messages": good(
        lambda n: {
            "messages": [user(ask(n)), says(other(n), weight=0), user(ask(n + 31)), says(reply(n), weight=1)]
        },
        "sft",
    ),
    "ShareGPT: from and value": good(
        lambda n: {"conversations": [{"from": "human", "value": ask(n)}, {"from": "gpt", "value": reply(n)}]},
        "sft",
    ),
    "Alpaca: instruction, input and output": good(
        lambda n: {
            "instruction": ask(n),
            "input": "" if n % 2 else f"It is year {n}.",
            "output": reply(n),
            "text": "",
        },
        "sft",
        "data.shape=completions",
    ),
    "Dolly: instruction, context and response": good(
        lambda n: {"instruction": ask(n), "context": "", "response": reply(n), "category": "open_qa"}, "sft"
    ),
    "GSM8K: question and answer": good(
        lambda n: {"question": ask(n), "answer": f"{reply(n)}\n#### {n + 1}"}, "sft"
    ),
    "OpenOrca: system prompt, question, response": good(
        lambda n: {"id": f"{n}", "system_prompt": "Be brief.", "question": ask(n), "response": reply(n)},
        "sft",
    ),
    "LIMA: texts in turn": good(lambda n: {"conversations": [ask(n), reply(n)], "source": "web"}, "sft"),
    "Capybara: input and output": good(
        lambda n: {"source": "x", "conversation": [{"input": ask(n), "output": reply(n)}]}, "sft"
    ),
    "Magpie: a conversation and its texts": good(
        lambda n: {
            "instruction": ask(n),
            "response": reply(n),
            "conversations": [{"from": "human", "value": ask(n)}, {"from": "gpt", "value": reply(n)}],
        },
        "sft",
    ),
    "a list in one file": Case(
        "",
        "",
        json.dumps([{"prompt": ask(n), "completion": reply(n)} for n in range(30)]).encode(),
        (),
        "sft",
        file="my.json",
    ),
    "a spreadsheet with semicolons": Case(
        "", "", table(";", "prompt", "completion"), (), "sft", file="my.csv"
    ),
    "a table with tabs": Case("", "", table("\t", "question", "answer"), (), "sft", file="my.tsv"),
    "a spreadsheet in Latin-1": Case(
        "",
        "",
        (
            "prompt,completion\n"
            + "".join(
                f'"Was kostet Käse in {PLACES[n % 10]}, Größe {n}?","{n} Münzen, würde ich sagen."\n'
                for n in range(30)
            )
        ).encode("cp1252"),
        (),
        "sft",
        file="my.csv",
    ),
    "TinyStories: plain text": Case(
        "",
        "",
        "\n<|endoftext|>\n".join(f"Once {ask(n)} {reply(n)}\nThe end." for n in range(30)).encode(),
        (),
        "sft",
        file="my.txt",
    ),
    "WikiText: text": good(lambda n: {"text": f"{ask(n)} {reply(n)} {other(n)}"}, "sft"),
    "code in fences": good(
        lambda n: {
            "prompt": f"Print {n} in {PLACES[n % 10]}.",
            "completion": f"```python\nprint({n})\n```\nIt prints {n}.",
        },
        "sft",
    ),
    "mathematics": good(
        lambda n: {
            "problem": f"Let $x < {n}$ and $\\nabla f \\neq {n}$. Find x for {PLACES[n % 10]}.",
            "solution": f"$x = {n - 1}$, since \\nu & y > {n}.",
        },
        "sft",
    ),
    "other languages": good(
        lambda n: {
            "prompt": f"{PLACES[n % 10]}で{n}個の{FOODS[n % 10]}は?",
            "completion": f"{n}円です。Ça dépend, naïf {FOODS[n % 10]} 🙂",
        },
        "sft",
    ),
    "short labels": good(
        lambda n: {"prompt": f"Is it good? {ask(n)} {reply(n)}", "completion": "yes" if n * 7 % 3 else "no"},
        "sft",
    ),
    "reasoning in think marks": good(
        lambda n: {"prompt": ask(n), "completion": f"<think>{other(n)}</think>{reply(n)}"}, "sft"
    ),
    "hh-rlhf: two dialogues": good(
        lambda n: {"chosen": dialogue(n, reply(n + 3)), "rejected": dialogue(n, other(n))}, "dpo"
    ),
    "UltraFeedback: pairs with scores": good(
        lambda n: {
            "prompt": ask(n),
            "prompt_id": f"{n}",
            "chosen": [user(ask(n)), says(reply(n))],
            "rejected": [user(ask(n)), says(other(n))],
            "score_chosen": 8.0 + n % 2,
            "score_rejected": 3.5,
        },
        "dpo",
    ),
    "Orca pairs: system, question, chosen, rejected": good(
        lambda n: {"system": "Be brief.", "question": ask(n), "chosen": reply(n), "rejected": other(n)}, "dpo"
    ),
    "Chatbot Arena: two conversations and a winner": good(
        lambda n: {
            "question_id": f"{n}",
            "model_a": "koala-13b",
            "model_b": "vicuna-13b",
            "winner": ("model_a", "model_b", "tie", "tie (bothbad)")[n % 4],
            "judge": "arena_user_1",
            "conversation_a": [user(ask(n)), says(other(n) if n % 2 else reply(n))],
            "conversation_b": [user(ask(n)), says(reply(n) if n % 2 else other(n))],
            "turn": 1,
            "anony": True,
            "language": "English",
            "tstamp": 1.0 + n,
        },
        "dpo",
    ),
    "SHP: a post, two comments, a flag and scores": good(
        lambda n: {
            "post_id": f"{n}",
            "domain": "askculinary_train",
            "history": ask(n),
            "score_A": 3 + n % 2,
            "score_B": 4 - n % 2,
            "human_ref_A": reply(n) if n % 2 else other(n),
            "human_ref_B": other(n) if n % 2 else reply(n),
            "labels": n % 2,
            "score_ratio": 1.3,
        },
        "dpo",
    ),
    "Nectar: a list of ranked answers": good(
        lambda n: {
            "prompt": f"\n\nHuman: {ask(n)}\n\nAssistant:",
            "answers": [
                {"answer": other(n), "model": "m", "rank": 2.0},
                {"answer": reply(n), "model": "m", "rank": 1.0},
            ],
            "num_responses": 2,
            "good_natured": True,
        },
        "dpo",
    ),
    "a log with thumbs for some replies": good(
        lambda n: {
            "prompt": ask(n),
            "response": reply(n) if n % 3 else other(n),
            "feedback": (None, "thumbs_up", "thumbs_down")[(n * 7) % 3],
        },
        "kto",
    ),
    "pairs of messages": good(
        lambda n: {"prompt": [user(ask(n))], "chosen": [says(reply(n))], "rejected": [says(other(n))]}, "dpo"
    ),
    "BLiMP: minimal pairs": good(
        lambda n: {
            "prompt": f"Which is right, number {n}?",
            "chosen": f"The {FOODS[n % 10]} that {PLACES[n % 10]} has sells {n}.",
            "rejected": f"The {FOODS[n % 10]} that {PLACES[n % 10]} has sell {n}.",
        },
        "dpo",
    ),
    "KTO mix: messages and labels": good(
        lambda n: {
            "prompt": [user(ask(n))],
            "completion": [says(reply(n) if n % 2 else other(n))],
            "label": bool(n % 2),
        },
        "kto",
    ),
    "labels as numbers": good(
        lambda n: {"prompt": ask(n), "completion": reply(n) if n % 2 else other(n), "label": n % 2}, "kto"
    ),
    "labels as words, five to one": good(
        lambda n: {"prompt": ask(n), "completion": reply(n), "label": "bad" if n % 6 == 0 else "good"}, "kto"
    ),
    "prompts with answers": good(lambda n: {"prompt": f"Add {n} and {n * n}.", "answer": n + n * n}, "grpo"),
    "prompts that quote other answers": good(
        lambda n: {"prompt": f"Q: 1+1? Answer: 2\nQ: {n}+{n * n}? Answer:", "answer": str(n + n * n)}, "grpo"
    ),
    "multiple choice": good(
        lambda n: {"prompt": f"{ask(n)} A: {n}, B: {n + 1}, C: none", "answer": "ABC"[n % 3]}, "grpo"
    ),
    "harmful and harmless prompts": good(lambda n: {"prompt": ask(n), "harmful": n % 2 == 0}, ""),
    "tools, called as text": good(
        lambda n: {
            "messages": [
                user(ask(n)),
                says(f"<tool_call>{json.dumps(CALL['function'] | {'arguments': {'zone': n}})}</tool_call>"),
                {"role": "tool", "content": f"{n}:00"},
                says(reply(n)),
            ]
        },
        "sft",
    ),
}
