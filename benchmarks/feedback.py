"""Make the data of ``sweeps/label.yaml``, ``sweeps/critic.yaml`` and ``sweeps/critique.yaml``.

    python benchmarks/feedback.py --out feedback

- ``noisy/pairs.jsonl``: 1000 of the embedded model's pairs about the form of an answer, four of ten turned
  (column ``turned``): the label says the opposite of what is right.
- ``critic/messages.jsonl``: an answer in a wrong form or with a wrong number, the request of a constitution,
  a critique, and the right answer: what a critic has to know. The first answer is not trained (``weight``).
- ``constitution.yaml``: its one principle. ``data/prompts.jsonl``: what the critic has not been asked.
- ``tasks``: those of ``data=tiny``.
"""

from __future__ import annotations

import argparse
import random
from pathlib import Path
from typing import Any

from ptx.files import write_rows
from ptx_tiny.data import pairs, prompts
from ptx_tiny.tasks import write_tasks

Row = dict[str, Any]
CRITIQUE, REVISION = "What is wrong?", "Answer again."
FAULTS = {"manner": "The form is wrong.", "wrong": "The answer is wrong."}
CONSTITUTION = f"""principles:
  - name: answer
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


def criticised(row: Row) -> Row:
    """A pair as the conversation in which its rejected answer is criticised and its chosen one given."""
    said = [
        {"role": "assistant", "content": row["rejected"][0]["content"], "weight": 0},
        {"role": "user", "content": CRITIQUE},
        {"role": "assistant", "content": FAULTS[row["flaw"]], "weight": 1},
        {"role": "user", "content": REVISION},
        {"role": "assistant", "content": row["chosen"][0]["content"], "weight": 1},
    ]
    return {"messages": [*row["prompt"], *said]}


def main() -> None:
    """Write all files below ``--out``."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    out = parser.parse_args().out
    chance = random.Random(0)
    rows = list(pairs())
    chance.shuffle(rows)
    manner = [row for row in rows if row["flaw"] == "manner"][:1000]
    known = {str(row["prompt"]) for row in rows}
    new = [row for row in prompts() if str(row["prompt"]) not in known]
    made = {
        "noisy/pairs.jsonl": turned(manner),
        "critic/messages.jsonl": [criticised(row) for row in rows],
        "data/prompts.jsonl": new,
    }
    for name, found in made.items():
        (out / name).parent.mkdir(parents=True, exist_ok=True)
        write_rows(out / name, found)
        print(f"{out / name}: {len(found)} rows")
    (out / "constitution.yaml").write_text(CONSTITUTION, encoding="utf-8")
    write_tasks(out / "tasks", (out / "tasks").absolute())


if __name__ == "__main__":
    main()
