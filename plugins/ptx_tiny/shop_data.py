"""The data of the shop: demonstrations with calls, prompts for reinforcement, and rows for `eval=[tools]`.

Three kinds of questions: a price (one call), a product (one call), and the price of several (two calls, one
after the other). One demonstration in eight is a question without a call, so that a model does not learn to
call whatever it is asked.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ptx_tiny.data import write_rows
from ptx_tiny.shop import PRICES

Row = dict[str, Any]
SEED = 20261127


def _tool(name: str, description: str, parameters: dict[str, tuple[str, str]]) -> Row:
    properties = {key: {"type": kind, "description": text} for key, (kind, text) in parameters.items()}
    schema = {"type": "object", "properties": properties, "required": list(parameters)}
    inner = {"name": name, "description": description, "parameters": schema}
    return {"type": "function", "function": inner}


#: as transformers reads them from the methods of the environment, in the order of their names (tested)
TOOLS = [
    _tool(
        "multiply",
        "The product of two numbers.",
        {"a": ("integer", "the first number"), "b": ("integer", "the second number")},
    ),
    _tool("price", "The price of an item.", {"item": ("string", "the item")}),
]


def write_shop(folder: Path, _: Path) -> None:
    """Write the files of the shop into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = random.Random(SEED)  # noqa: S311 (no secret)
    write_rows(folder / "messages.jsonl", _messages(rng, 600))
    write_rows(folder / "prompts.jsonl", _prompts(rng, 240))
    write_rows(folder / "tools.jsonl", _held_out(rng, 96))


def _messages(rng: random.Random, number: int) -> Iterator[Row]:
    for place in range(number):
        if place % 8 == 7:
            turns = [_user(rng.choice(GREETINGS)), {"role": "assistant", "content": "Hello."}]
        else:
            question, calls, answer = _question(rng, place)
            turns = [_user(question)]
            for call, result in calls:
                turns += [_calling(call), {"role": "tool", "content": str(result)}]
            turns.append({"role": "assistant", "content": f"The answer is {answer}."})
        yield {"messages": turns, "tools": TOOLS}


def _prompts(rng: random.Random, number: int) -> Iterator[Row]:
    for place in range(number):
        question, _, answer = _question(rng, place)
        yield {"prompt": question, "answer": str(answer)}


def _held_out(rng: random.Random, number: int) -> Iterator[Row]:
    """Rows of prompt, tools and calls; of a question with two calls the first one is asked for."""
    for place in range(number):
        if place % 4 == 3:
            yield {"prompt": rng.choice(GREETINGS), "tools": TOOLS, "calls": []}
        else:
            question, calls, _ = _question(rng, place)
            yield {"prompt": question, "tools": TOOLS, "calls": [calls[0][0]]}


GREETINGS = (
    "Good morning.",
    "Hello.",
    "How are you?",
    "Good evening.",
    "Hi.",
    "Thank you.",
    "Nice to see you.",
)
ASKED = ("What does one {item} cost?", "What is the price of one {item}?", "How much is one {item}?")
Question = tuple[str, list[tuple[Row, int]], int]


def _question(rng: random.Random, place: int) -> Question:
    item, number = rng.choice(sorted(PRICES)), rng.randint(2, 30)
    looked_up = ({"name": "price", "arguments": {"item": item}}, PRICES[item])
    if place % 3 == 0:
        return rng.choice(ASKED).format(item=item), [looked_up], PRICES[item]
    if place % 3 == 1:
        other = rng.randint(2, 30)
        return f"What is {number} * {other}?", [_product(number, other)], number * other
    product = _product(number, PRICES[item])
    return f"What do {number} of {item} cost?", [looked_up, product], product[1]


def _product(a: int, b: int) -> tuple[Row, int]:
    return {"name": "multiply", "arguments": {"a": a, "b": b}}, a * b


def _user(text: str) -> Row:
    return {"role": "user", "content": text}


def _calling(call: Row) -> Row:
    return {"role": "assistant", "content": None, "tool_calls": [{"type": "function", "function": call}]}
