"""Make the data and the tasks of ``sweeps/smollm2_makers.yaml`` and ``sweeps/smollm2_reward.yaml``.

    python benchmarks/smollm2/prepare_makers.py --gsm8k DIR --pandalm testset-v1.json --out smollm2_makers

``--gsm8k`` holds train.jsonl and test.jsonl (a question, and an answer that ends in ``#### NUMBER``);
``--pandalm`` is PandaLM's test set (two models' answers to an instruction, and the verdicts of three people).

Written are ``data/prompts.jsonl`` (questions with the number that a program checks), ``data/messages.jsonl``
(other questions with their solutions, to select from), ``tasks`` (questions of the test split, for lm-eval),
``solutions.jsonl`` (others of the test split, solved, for the perplexity),
and ``pairs`` and ``heldout`` (the answer that two people at least prefer, and the other one). The same
instruction is never in both: a reward model is measured on instructions that it has not seen.
"""

from __future__ import annotations

import argparse
import json
import random
from collections import Counter
from pathlib import Path
from typing import Any

from prepare import GSM8K, chat, gsm8k, number, write, write_task

PROMPTS, ITEMS, TEXTS = 1000, 400, 100
#: of the instructions, for measuring the reward model
HELD_OUT = 0.4


def main() -> None:
    """Read the arguments and write everything."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    for name in ("gsm8k", "pandalm", "out"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    asked = parser.parse_args()
    chance = random.Random(0)
    short, test = gsm8k(asked.gsm8k, chance)
    chance.shuffle(test)
    write(asked.out / "data/prompts.jsonl", [question(row) for row in short[:PROMPTS]])
    write(asked.out / "data/messages.jsonl", [chat(row) for row in short[PROMPTS:]])
    texts = [{"text": f"{row['question']}\n{row['answer']}"} for row in test[ITEMS:][:TEXTS]]
    write(asked.out / "solutions.jsonl", texts)
    answers = [{"question": row["question"], "answer": number(row["answer"])} for row in test[:ITEMS]]
    write_task(asked.out / "tasks", "gsm8k_answers", GSM8K, answers)
    judged = [found for row in json.loads(asked.pandalm.read_text("utf-8")) if (found := preferred(row))]
    instructions = sorted({row["prompt"] for row in judged})
    chance.shuffle(instructions)
    held = set(instructions[: round(HELD_OUT * len(instructions))])
    write(asked.out / "pairs/pairs.jsonl", [row for row in judged if row["prompt"] not in held])
    write(asked.out / "heldout/pairs.jsonl", [row for row in judged if row["prompt"] in held])


def question(row: dict[str, str]) -> dict[str, Any]:
    """A question, and the number that a program compares the reply's last one with."""
    return {"prompt": [{"role": "user", "content": row["question"]}], "answer": number(row["answer"])}


def preferred(row: dict[str, Any]) -> dict[str, str] | None:
    """The answer that two of the three people prefer, and the other; None for a tie or three opinions."""
    verdict, voices = Counter(row[f"annotator{person}"] for person in (1, 2, 3)).most_common(1)[0]
    if voices < 2 or verdict not in (1, 2):
        return None
    prompt = "\n\n".join(part for part in (row["instruction"], row["input"]) if part)
    chosen, rejected = row[f"response{verdict}"], row[f"response{3 - verdict}"]
    if not (isinstance(chosen, str) and isinstance(rejected, str)):  # the file holds one reply as false
        return None
    if chosen.strip() == rejected.strip() or not (chosen.strip() and rejected.strip()):
        return None
    return {"prompt": prompt, "chosen": chosen, "rejected": rejected}


if __name__ == "__main__":
    main()
