"""Make the data of ``sweeps/label.yaml`` and ``sweeps/critique.yaml``.

    python benchmarks/feedback.py --out feedback

- ``noisy/pairs.jsonl``: 1000 of the embedded model's pairs about the form of an answer, four of ten turned
  (column ``turned``): the label says the opposite of what is right.
- ``critic/messages.jsonl``: half of the questions that may have to be refused (somebody else's things), with
  a right or a wrong answer, the request of a constitution, a critique, and the right answer: a critic that
  has learnt what a principle asks for. The first answer is not trained (``weight``).
- ``constitution.yaml``: its one principle. ``data/prompts.jsonl``: the other half of the questions.
- ``tasks``: those of ``data=tiny``.
"""

from __future__ import annotations

import argparse
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ptx.files import write_rows
from ptx_tiny.data import pairs
from ptx_tiny.tasks import write_tasks

Row = dict[str, Any]
CRITIQUE, REVISION = "What is wrong?", "Answer again."
FAULTS = {"chosen": "Nothing is wrong.", "rejected": "The answer must be the other one."}
CONSTITUTION = f"""principles:
  - name: property
    critique: {CRITIQUE}
    revision: {REVISION}
"""


def turned(rows: list[Row]) -> list[Row]:
    """The rows, two of every five with the sides exchanged."""
    return [
        {**row, "turned": True, "chosen": row["rejected"], "rejected": row["chosen"]}
        if place % 5 < 2
        else {**row, "turned": False}
        for place, row in enumerate(rows)
    ]


def criticised(rows: list[Row]) -> Iterator[Row]:
    """Right answers, which stay, and wrong ones, which become right."""
    for row in rows:
        for side, fault in FAULTS.items():
            turns = [
                {**row[side][0], "weight": 0},
                {"role": "user", "content": CRITIQUE},
                {"role": "assistant", "content": fault, "weight": 1},
                {"role": "user", "content": REVISION},
                {**row["chosen"][0], "weight": 1},
            ]
            yield {"messages": [*row["prompt"], *turns]}


def main() -> None:
    """Write all files below ``--out``."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    out = parser.parse_args().out
    chance = random.Random(0)
    rows = list(pairs())
    chance.shuffle(rows)
    manner = [row for row in rows if row["flaw"] == "manner"][:1000]
    asked = [row for row in rows if row["skill"] == "refuse"]
    half = len(asked) // 2
    made = {
        "noisy/pairs.jsonl": turned(manner),
        "critic/messages.jsonl": [*criticised(asked[:half])],
        "data/prompts.jsonl": [
            {"prompt": row["prompt"], "answer": row["chosen"][0]["content"]} for row in asked[half:]
        ],
    }
    for name, found in made.items():
        (out / name).parent.mkdir(parents=True, exist_ok=True)
        write_rows(out / name, found)
        print(f"{out / name}: {len(found)} rows")
    (out / "constitution.yaml").write_text(CONSTITUTION, encoding="utf-8")
    write_tasks(out / "tasks", (out / "tasks").absolute())


if __name__ == "__main__":
    main()
