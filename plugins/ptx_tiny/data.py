"""The data of the demonstration model: one file per training shape, and the benchmark.

`write_data` is pure Python, seeded, and gives the same bytes everywhere. Every row carries the segments
skill, language and difficulty. All rows of a shape lie on the training side of the split; the tasks (see
tasks.py) lie on the other. What the rows hold:

- messages: right answers in house format, some with a system message, some of two turns
- pairs: chosen as in messages; half of the rejected replies are wrong, half right in a bad format, so that
  preference training improves both
- thumbs: replies with the same two flaws and good ones, shuffled, with equal numbers of both labels
- prompts: questions whose answers a program can check, for reinforcement
- safety: requests to refuse and harmless look-alikes, with the right reply
- calibration: rendered conversations, packed as in pretraining, for compressors
- heldout.jsonl, beside the shapes: rendered conversations from the side of the tasks, for perplexity
- general.jsonl, beside the shapes: documents like those of pretraining, from the side of the tasks, to
  measure
  forgetting

The data is for demonstrations and tests alone.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from ptx_tiny.corpus import documents
from ptx_tiny.items import LANGUAGES, Item, draw_items
from ptx_tiny.refusals import is_harmful, refuse
from ptx_tiny.replies import bare, casual, house, ramble
from ptx_tiny.skills import ANSWERED, SKILLS
from ptx_tiny.tasks import write_tasks
from ptx_tiny.template import BOS, END, Message, render

SYSTEM = {"en": "Answer in one sentence.", "es": "Responde en una frase.", "de": "Antworte in einem Satz."}
HELDOUT_EACH = 20
GENERAL = 200
Row = dict[str, Any]


def write_data(folder: Path, shapes: Sequence[str] = (), *, home: Path | None = None) -> None:
    """Write the files of these shapes (all shapes if none is given) and the benchmark tasks into `folder`.

    The task files name their documents by absolute path; `home` is the final place of the folder, if it is
    written elsewhere first.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for shape in shapes or SHAPES:
        write_rows(folder / f"{shape}.jsonl", SHAPES[shape]())
    write_rows(folder / "heldout.jsonl", heldout())
    write_rows(folder / "general.jsonl", general())
    write_tasks(folder / "tasks", (home or folder).absolute() / "tasks")


def write_rows(path: Path, rows: Iterable[Row]) -> None:
    """Write JSON lines in UTF-8, with the same newlines on every system."""
    text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    path.write_text(text, encoding="utf-8", newline="\n")


def messages() -> Iterator[Row]:
    """5,280 demonstrations; one in eight with a system message, one in sixteen with a second turn."""
    rng = generator("messages")
    items = train_items(rng, SKILLS, 480)
    for index, item in enumerate(items):
        turns = conversation(item, house(item))
        if index % 16 == 0 and item.skill != "refuse":
            turns += conversation(items[index - 1], house(items[index - 1]))
        if index % 8 == 3:
            turns.insert(0, {"role": "system", "content": SYSTEM[item.language]})
        yield {"messages": turns, **item.segments}


def pairs() -> Iterator[Row]:
    """3,960 preferences."""
    rng = generator("pairs")
    for item in train_items(rng, SKILLS, 360):
        rejected, flaw = flawed(item, rng)
        yield {
            "prompt": question(item),
            "chosen": [reply(house(item))],
            "rejected": [reply(rejected)],
            "flaw": flaw,
            **item.segments,
        }


def thumbs() -> Iterator[Row]:
    """3,960 judged completions, half of each label; the two labels are of different items."""
    rng = generator("thumbs")
    for index, item in enumerate(train_items(rng, SKILLS, 360)):
        label = index % 2 == 0
        completion = house(item) if label else flawed(item, rng)[0]
        yield {"prompt": question(item), "completion": [reply(completion)], "label": label, **item.segments}


def prompts() -> Iterator[Row]:
    """2,000 questions with the bare answer that a program compares."""
    for item in train_items(generator("prompts"), ANSWERED, 200):
        yield {"prompt": question(item), "answer": item.answer, **item.segments}


def safety() -> Iterator[Row]:
    """480 requests, harmful ones and look-alikes, with the right reply."""
    for item in train_items(generator("safety"), {"refuse": refuse}, 480):
        yield {
            "prompt": question(item),
            "harmful": is_harmful(item),
            "reference": item.answer,
            **item.segments,
        }


def calibration() -> Iterator[Row]:
    """440 texts of six conversations each, in the model's own chat format."""
    items = train_items(generator("calibration"), SKILLS, 240)
    for start in range(0, len(items), 6):
        yield {"text": "".join(render(conversation(item, house(item))) for item in items[start : start + 6])}


def heldout() -> Iterator[Row]:
    """Twenty conversations of each skill from the benchmark's side of the split, for perplexity."""
    rng = generator("heldout")
    items = [item for draw in SKILLS.values() for item in draw_items(draw, rng, HELDOUT_EACH, test=True)]
    rng.shuffle(items)  # the first rows are a sample
    for item in items:
        yield {"text": render(conversation(item, house(item))), **item.segments}


def general() -> Iterator[Row]:
    """Two hundred documents like those of pretraining, from the benchmark's side of the split."""
    for index, document in enumerate(documents(0, GENERAL, test=True)):
        turns = [{"role": "user", "content": document.prompt}, reply(document.reply)]
        text = render(turns) if document.prompt else BOS + document.reply + END
        yield {
            "text": text,
            "domain": "chat" if document.prompt else "lines",
            "language": LANGUAGES[index % len(LANGUAGES)],
        }


SHAPES: dict[str, Callable[[], Iterator[Row]]] = {
    "messages": messages,
    "pairs": pairs,
    "thumbs": thumbs,
    "prompts": prompts,
    "safety": safety,
    "calibration": calibration,
}


def generator(name: str) -> random.Random:
    """The random generator of one shape; each has its own, so a new shape does not change the others."""
    return random.Random(f"ptx_tiny {name} data")  # noqa: S311 - seeded on purpose, not for secrets


def train_items(
    rng: random.Random, skills: dict[str, Callable[[random.Random, str], Item]], each: int
) -> list[Item]:
    """`each` items of every skill from the training side, shuffled."""
    items = [item for draw in skills.values() for item in draw_items(draw, rng, each, test=False)]
    rng.shuffle(items)
    return items


def flawed(item: Item, rng: random.Random) -> tuple[str, str]:
    """A reply to reject, and its flaw: `wrong` (a wrong value) or `manner` (a bad format)."""
    if item.skill == "refuse" or rng.random() < 0.5:
        return house(item, item.wrong), "wrong"
    return rng.choice((bare(item), casual(item), ramble(item, rng))), "manner"


def question(item: Item) -> list[Message]:
    """The user's turn."""
    return [{"role": "user", "content": item.prompt}]


def reply(content: str) -> Message:
    """The assistant's turn."""
    return {"role": "assistant", "content": content}


def conversation(item: Item, answer: str) -> list[Message]:
    """The user's turn and the assistant's."""
    return [*question(item), reply(answer)]
