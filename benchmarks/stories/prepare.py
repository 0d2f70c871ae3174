"""Split the texts of the stories studies: what is calibrated and healed on, and what is only scored.

    python benchmarks/stories/prepare.py TINY_STORIES.txt WIKITEXT2_TEST.txt stories [BLIMP_FOLDER]

writes ``stories/data/text.jsonl`` (the first 800 stories), ``stories/tinystories.jsonl`` (the rest, in
domain) and ``stories/wikitext2.jsonl`` (100 blocks of whole lines of about 1,000 bytes, out of domain); of a
folder of BLiMP's files (.jsonl) it makes lm-eval tasks in ``stories/blimp``. A story ends where a line is
followed by another without an empty one between.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterable
from pathlib import Path

CALIBRATION = 800
BLOCKS, BLOCK_BYTES = 100, 1000


def stories(text: str) -> list[str]:
    """The stories of a file in which they follow each other line by line."""
    return [part.strip() for part in re.split(r"(?<=[^\n])\n(?=[^\n])", text) if part.strip()]


def blocks(text: str) -> list[str]:
    """The first blocks of whole lines."""
    found, block = [], ""
    for line in text.splitlines(keepends=True):
        block += line
        if len(block.encode()) >= BLOCK_BYTES:
            found.append(block.strip())
            block = ""
    return found[:BLOCKS]


def write(path: Path, texts: Iterable[str]) -> None:
    """One JSON object a line."""
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = [json.dumps({"text": text}, ensure_ascii=False) for text in texts]
    path.write_text("\n".join(rows) + "\n", encoding="utf-8")
    print(f"{path}: {len(rows)} rows")


def write_task(file: Path, to: Path) -> None:
    """Write a BLiMP file as an lm-eval task: the good sentence of a pair must be the likelier one."""
    task = {
        "task": f"blimp_{file.stem}",
        "dataset_path": "json",
        "dataset_kwargs": {"data_files": {"test": str(file.resolve())}},
        "test_split": "test",
        "num_fewshot": 0,
        "output_type": "multiple_choice",
        "doc_to_text": "",
        "doc_to_target": 0,
        "doc_to_choice": "{{[sentence_good, sentence_bad]}}",
        "target_delimiter": "",
        "metric_list": [{"metric": "acc", "aggregation": "mean", "higher_is_better": True}],
    }
    to.mkdir(parents=True, exist_ok=True)
    (to / f"{file.stem}.yaml").write_text(json.dumps(task, indent=1) + "\n", encoding="utf-8")


def main(tiny_stories: str, wikitext: str, to: str, blimp: str = "") -> None:
    """Write the three files, and the tasks."""
    every = stories(Path(tiny_stories).read_text(encoding="utf-8"))
    write(Path(to, "data", "text.jsonl"), every[:CALIBRATION])
    write(Path(to, "tinystories.jsonl"), every[CALIBRATION:])
    write(Path(to, "wikitext2.jsonl"), blocks(Path(wikitext).read_text(encoding="utf-8")))
    for file in sorted(Path(blimp).glob("*.jsonl")) if blimp else []:
        write_task(file, Path(to, "blimp"))


if __name__ == "__main__":
    main(*sys.argv[1:])
