"""Make the data of ``sweeps/label.yaml`` and ``sweeps/critique.yaml``.

    python benchmarks/feedback.py --out feedback

- ``noisy/pairs.jsonl``: 1000 of the embedded model's pairs about the form of an answer, four of ten turned
  (column ``turned``): the label says the opposite of what is right.
- ``critic/messages.jsonl``: an answer in another form, the request of a constitution, a critique, and the
  same answer in the wanted form, right or wrong: a critic of the form alone, since the embedded model is too
  small to find wrong answers. The first answer is not trained (``weight``).
- ``constitution.yaml``: its one principle. ``data/prompts.jsonl``: what the critic has not been asked.
- ``tasks``: those of ``data=tiny``.
"""

from __future__ import annotations

import argparse
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ptx.files import write_rows
from ptx_tiny.data import pairs, prompts
from ptx_tiny.tasks import write_tasks

Row = dict[str, Any]
CRITIQUE, REVISION = "What is wrong?", "Answer again."
FAULT = "The form is wrong."
WANTED = ("The answer is ", "La respuesta es ", "Die Antwort ist ")
OTHERS = ("{}", "{}.", "I think it is {}.", "Creo que es {}.", "Ich glaube, es ist {}.")
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


def criticised(rows: list[Row], chance: random.Random) -> Iterator[Row]:
    """Answers of the pairs, right ones and wrong ones, given in another form and then in the wanted one."""
    for row in rows:
        for side in ("chosen", "rejected"):
            said = row[side][0]["content"]
            begin = next((one for one in WANTED if said.startswith(one)), "")
            if begin:
                first = chance.choice(OTHERS).format(said.removeprefix(begin).removesuffix("."))
                turns = [
                    {"role": "assistant", "content": first, "weight": 0},
                    {"role": "user", "content": CRITIQUE},
                    {"role": "assistant", "content": FAULT, "weight": 1},
                    {"role": "user", "content": REVISION},
                    {"role": "assistant", "content": said, "weight": 1},
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
    known = {str(row["prompt"]) for row in rows}
    new = [row for row in prompts() if str(row["prompt"]) not in known]
    made = {
        "noisy/pairs.jsonl": turned(manner),
        "critic/messages.jsonl": [*criticised(rows, chance)],
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
