"""Every run of some sweeps against every other, row by row: bits per byte of one less those of the other.

    python benchmarks/stories/compare.py ptx-out/runs/prune_stories ptx-out/runs/heal_stories

A negative difference says that the first of the pair predicts better; the 95 % interval is that of a paired t-test over the rows.
"""

from __future__ import annotations

import itertools
import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from ptx.records import read_rows
from ptx.stats import paired_difference


def scores(run: Path) -> dict[str, dict[str, float]]:
    """text -> item -> bits per byte."""
    found: dict[str, dict[str, float]] = {}
    for row in read_rows(run / "evaluations" / "perplexity.jsonl"):
        for name, value in row["scores"].items():
            if name.endswith("/bits_per_byte"):
                found.setdefault(name.split("/")[1], {})[row["item"]] = value
    return found


def main(sweeps: Sequence[str]) -> None:
    """Print a line per pair and text."""
    folders = [run for sweep in sweeps for run in sorted(Path(sweep).iterdir()) if (run / "result.json").exists()]
    runs = {json.loads((run / "run.json").read_text())["label"]: scores(run) for run in folders}
    for (first, a), (second, b) in itertools.combinations(runs.items(), 2):
        for line in differences(first, a, second, b):
            print(line)


def differences(first: str, a: dict[str, dict[str, float]], second: str, b: dict[str, dict[str, float]]) -> Iterator[str]:
    """One run less another, a line per text, over the rows that both have."""
    for text in sorted(set(a) & set(b)):
        shared = sorted(set(a[text]) & set(b[text]))
        gap = paired_difference({item: a[text][item] for item in shared}, {item: b[text][item] for item in shared}, "lower")
        yield f"{text}: {first} - {second}: {gap.value:+.4f} [{gap.low:+.4f}, {gap.high:+.4f}] n={gap.n}"


if __name__ == "__main__":
    main(sys.argv[1:])
