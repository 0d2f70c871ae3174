"""Make the data and the tasks of ``sweeps/smollm2.yaml`` from public files.

    python benchmarks/smollm2/prepare.py --gsm8k DIR --arc ARC-Easy_test.json --ifeval input_data.jsonl \\
        --safety jailbreakbench.csv --text wikitext2_test.txt --out smollm2

``--gsm8k`` holds train.jsonl and test.jsonl (a question, and an answer that ends in ``#### NUMBER``);
``--arc`` is a list of objects with instruction and answer (LLM-Adapters' form). Training reads the train
split alone, and everything that is measured the test splits.

Written are ``data/messages.jsonl`` (demonstrations), ``data/pairs.jsonl`` (the right solution, and the same
with other numbers in its last steps: the preference is for being right), ``tasks`` (lm-eval), and the files
of the other evaluators.
"""

from __future__ import annotations

import argparse
import csv
import json
import random
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROWS, PAIRS = 400, 160
ITEMS, TEXTS, BLOCK = 200, 40, 1500
LONGEST = 700  # characters of a question and its solution: about 200 tokens
#: instructions that a reply of about a hundred tokens cannot follow, or whose check needs nltk's data
LEFT_OUT = (
    "length_constraints:",
    "change_case:capital_word_frequency",
    "detectable_format:multiple_sections",
    "combination:",
)
COMMON = {
    "dataset_path": "json",
    "test_split": "test",
    "num_fewshot": 0,
    "target_delimiter": "",
    "metadata": {"version": 1.0, "apply_chat_template": True},
}
ARC = {
    "output_type": "multiple_choice",
    "doc_to_text": "{{question}}",
    "doc_to_choice": "{{choices}}",
    "doc_to_target": "{{label}}",
    "metric_list": [{"metric": "acc", "aggregation": "mean", "higher_is_better": True}],
}
LAST_NUMBER = {
    "name": "flexible",
    "filter": [
        {"function": "regex", "regex_pattern": r"(-?[0-9][0-9,]*(?:\.[0-9]+)?)", "group_select": -1},
        {"function": "take_first"},
    ],
}
GSM8K = {
    "output_type": "generate_until",
    "doc_to_text": "{{question}}",
    "doc_to_target": "{{answer}}",
    "generation_kwargs": {"until": ["<|im_end|>"], "max_gen_toks": 128, "do_sample": False},
    "filter_list": [LAST_NUMBER],
    "metric_list": [
        {
            "metric": "exact_match",
            "aggregation": "mean",
            "higher_is_better": True,
            "regexes_to_ignore": [",", r"\.0+$"],
        }
    ],
}


def main() -> None:
    """Read the arguments and write everything."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    for name in ("gsm8k", "arc", "ifeval", "safety", "text", "out"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    asked = parser.parse_args()
    chance = random.Random(0)
    short, test = gsm8k(asked.gsm8k, chance)
    data, tasks = asked.out / "data", asked.out / "tasks"
    write(data / "messages.jsonl", [chat(row) for row in short[:ROWS]])
    write(data / "pairs.jsonl", [pair(row, chance) for row in short[ROWS : ROWS + PAIRS]])
    write(
        asked.out / "heldout.jsonl",
        [{"text": f"{row['question']}\n{row['answer']}"} for row in test[-TEXTS:]],
    )
    write(asked.out / "wikitext2.jsonl", [{"text": text} for text in blocks(asked.text.read_text("utf-8"))])
    others = test[:-TEXTS]
    chance.shuffle(others)
    answers = [{"question": row["question"], "answer": number(row["answer"])} for row in others[:ITEMS]]
    write_task(tasks, "gsm8k_answers", GSM8K, answers)
    items = [item for row in json.loads(asked.arc.read_text("utf-8")) if (item := choice(row))]
    chance.shuffle(items)
    write_task(tasks, "arc_easy", ARC, items[:ITEMS])
    asked_for = [row for row in rows(asked.ifeval) if not left_out(row)]
    chance.shuffle(asked_for)
    write(asked.out / "ifeval.jsonl", asked_for[:ITEMS])
    with asked.safety.open(encoding="utf-8", newline="") as file:
        goals = [{"Goal": row["Goal"], "Target": row["Target"]} for row in csv.DictReader(file)]
    chance.shuffle(goals)
    write(asked.out / "jailbreakbench.jsonl", goals)


def rows(file: Path) -> Iterator[dict[str, Any]]:
    """The objects of a JSONL file."""
    yield from (json.loads(line) for line in file.read_text("utf-8").splitlines() if line.strip())


def gsm8k(folder: Path, chance: random.Random) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The short rows of the train split in a random order, and the test split."""
    train, test = (list(rows(folder / f"{name}.jsonl")) for name in ("train", "test"))
    short = [row for row in train if len(row["question"] + row["answer"]) <= LONGEST]
    chance.shuffle(short)
    return short, test


def write(file: Path, found: list[dict[str, Any]]) -> None:
    """One JSON object a line."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in found), encoding="utf-8")
    print(f"{file}: {len(found)} rows")


def write_task(folder: Path, name: str, task: dict[str, Any], items: list[dict[str, Any]]) -> None:
    """The items and the definition of a task; JSON is YAML too."""
    write(folder / f"{name}.jsonl", items)
    files = {"data_files": {"test": str((folder / f"{name}.jsonl").resolve())}}
    whole = {"task": name, **COMMON, **task, "dataset_kwargs": files}
    (folder / f"{name}.yaml").write_text(json.dumps(whole, indent=1), encoding="utf-8")


def number(answer: str) -> str:
    """The number after ``####``."""
    return answer.rpartition("####")[2].strip().replace(",", "")


def plain(answer: str) -> str:
    """A solution without the marks of GSM8K's calculator."""
    return re.sub(r"<<[^>]*>>", "", answer)


def chat(row: dict[str, str]) -> dict[str, Any]:
    """A demonstration."""
    turns = (("user", row["question"]), ("assistant", plain(row["answer"])))
    return {"messages": [{"role": role, "content": content} for role, content in turns]}


def pair(row: dict[str, str], chance: random.Random) -> dict[str, str]:
    """The right solution, and one whose last line of work and result have another number."""
    chosen = plain(row["answer"])
    right = number(row["answer"])
    wrong = str(int(float(right)) + chance.choice([-10, -2, -1, 1, 2, 3, 5, 10]))
    body, _, _ = chosen.rpartition("####")
    lines = body.rstrip().split("\n")
    lines[-1] = re.sub(rf"(?<![\d.]){re.escape(right)}(?![\d])", wrong, lines[-1])
    rejected = "\n".join([*lines, f"#### {wrong}"])
    return {"prompt": row["question"], "chosen": chosen, "rejected": rejected}


def choice(row: dict[str, str]) -> dict[str, Any] | None:
    """An item of ARC: the question alone, the texts of its answers, and which is right."""
    asked = row["instruction"].partition("question:")[2].partition("Answer format")[0]
    question, *choices = (part.strip() for part in re.split(r"Answer\d+:", asked))
    label = int(row["answer"].removeprefix("answer")) - 1
    return {"question": question, "choices": choices, "label": label} if label < len(choices) else None


def left_out(row: dict[str, Any]) -> bool:
    """Whether a reply of about a hundred tokens cannot follow an instruction of the row."""
    return any(name.startswith(LEFT_OUT) for name in row["instruction_id_list"])


def blocks(text: str) -> list[str]:
    """The first blocks of whole lines."""
    found, block = [], ""
    for line in text.splitlines(keepends=True):
        block += line
        if len(block.encode()) >= BLOCK:
            found.append(block.strip())
            block = ""
    return found[:TEXTS]


if __name__ == "__main__":
    main()
