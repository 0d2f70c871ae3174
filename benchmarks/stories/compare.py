"""Compare runs of some sweeps row by row, and show beside it what their two separate intervals would show.

    python benchmarks/stories/compare.py ptx-out/runs/prune_stories ptx-out/runs/heal_stories
        every run against every other
    python benchmarks/stories/compare.py --baseline ptx-out/runs/losses_stories
        every run against the original model

Prints, per two runs and metric (bits per byte of every text; ``bench/mean`` where it was measured), first
less second: the paired difference, the unpaired one, both with their 95 % intervals, and whether each is
found (its interval leaves out zero).
"""

from __future__ import annotations

import argparse
import itertools
from collections.abc import Iterator
from pathlib import Path

from ptx import Metric
from ptx.files import read_json, read_rows
from ptx.stats import Difference, paired_difference, unpaired_difference

ENDS = ("/bits_per_byte", "bench/mean")


class Measured:
    """The metrics of a run, and the scores and weights of its items."""

    def __init__(self, folder: Path) -> None:
        record, result = read_json(folder / "run.json"), read_json(folder / "result.json")
        self.label, self.baseline = str(record["label"]), bool(record.get("baseline"))
        self.metrics: dict[str, Metric] = {}
        self.scores: dict[str, dict[str, float]] = {}
        self.weights: dict[str, dict[str, float] | None] = {}
        for given in result["metrics"]:
            name, evaluator = given["name"], given["evaluator"]
            if name.endswith(ENDS) and not given["segment"]:
                rows = [
                    row
                    for row in read_rows(folder / "evaluations" / f"{evaluator}.jsonl")
                    if name in row["scores"]
                ]
                self.metrics[name] = Metric(
                    **{key: value for key, value in given.items() if key != "evaluator"}
                )
                self.scores[name] = {row["item"]: row["scores"][name] for row in rows}
                self.weights[name] = (
                    {row["item"]: row["weight"] for row in rows}
                    if all("weight" in row for row in rows)
                    else None
                )


def differences(a: Measured, b: Measured) -> Iterator[tuple[str, Difference, Difference]]:
    """(Metric, paired, unpaired) of what both have."""
    for name in sorted(a.metrics.keys() & b.metrics.keys()):
        better = a.metrics[name].better
        paired = paired_difference(a.scores[name], b.scores[name], better, weights=a.weights[name])
        yield name, paired, unpaired_difference(a.metrics[name], b.metrics[name])


def told(found: Difference) -> str:
    """A difference as it is printed."""
    return (
        f"{found.value:+.4f} [{found.low:+.4f}, {found.high:+.4f}] {'not found' if found.tied else 'found'}"
    )


def lines(a: Measured, b: Measured) -> Iterator[str]:
    """Subtract one run from another; returns a line for each metric."""
    for name, paired, unpaired in differences(a, b):
        yield f"{name}: {a.label} - {b.label}: paired {told(paired)}; unpaired {told(unpaired)}; n={paired.n}"


def main() -> None:
    """Print a line per two runs and metric."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--baseline", action="store_true", help="only against the runs of the model as it came"
    )
    parser.add_argument("sweeps", nargs="+", type=Path)
    asked = parser.parse_args()
    runs = [
        Measured(run)
        for sweep in asked.sweeps
        for run in sorted(sweep.iterdir())
        if (run / "result.json").exists()
    ]
    distinct = list(
        {run.label: run for run in runs}.values()
    )  # two sweeps of one model have its baseline twice
    pairs = (
        [(a, b) for b in distinct for a in distinct if b.baseline and a is not b]
        if asked.baseline
        else itertools.combinations(distinct, 2)
    )
    for a, b in pairs:
        for line in lines(a, b):
            print(line)


if __name__ == "__main__":
    main()
