"""Make the data and the tasks of ``sweeps/selection.yaml``.

    python benchmarks/noisy_rows.py --out selection

1500 rows of the embedded model's demonstrations, of which every third gets the reply of another row of its
skill and language: a right form, a wrong answer. The column ``wrong`` says which, to count what a selection
keeps. The tasks are those of ``data=tiny``.
"""

from __future__ import annotations

import argparse
import random
from pathlib import Path
from typing import Any

from ptx.files import write_rows
from ptx_tiny.data import messages
from ptx_tiny.tasks import write_tasks

Row = dict[str, Any]


def noisy(rows: list[Row], chance: random.Random) -> list[Row]:
    """The rows, every third with the reply of another row of its skill and language."""
    groups: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        groups.setdefault((row["skill"], row["language"]), []).append(row)
    made = []
    for place, row in enumerate(rows):
        asked, reply = row["messages"]
        others = [
            one["messages"][1] for one in groups[row["skill"], row["language"]] if one["messages"][1] != reply
        ]
        wrong = place % 3 == 0 and bool(others)
        made.append({**row, "wrong": wrong, "messages": [asked, chance.choice(others) if wrong else reply]})
    return made


def main() -> None:
    """Write ``OUT/data/messages.jsonl`` and ``OUT/tasks``."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--rows", type=int, default=1500)
    given = parser.parse_args()
    chance = random.Random(0)
    rows = [row for row in messages() if len(row["messages"]) == 2]
    chance.shuffle(rows)
    (given.out / "data").mkdir(parents=True, exist_ok=True)
    made = noisy(rows[: given.rows], chance)
    write_rows(given.out / "data" / "messages.jsonl", made)
    write_tasks(given.out / "tasks", (given.out / "tasks").absolute())
    print(f"{len(made)} rows, {sum(row['wrong'] for row in made)} of them wrong: {given.out}")


if __name__ == "__main__":
    main()
