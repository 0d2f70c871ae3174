"""Processor seconds of the commands that people wait for, on this machine.

    python benchmarks/startup.py                          prints a line for each command
    python benchmarks/startup.py --json startup.json      and writes the figures
    python benchmarks/startup.py --runs 500 --records 1000

``--help``, a configuration, the plan of a grid of ``--runs`` runs (less the time of a plan of one run, over
the runs), the same grid again, ``ptx runs ls`` over ``--records`` recorded runs, and the wall seconds between
the start of a run in a worker that has run before and the first training step. A figure is the least of
``--times`` calls: what other programs do on the machine makes a call slower, never faster. Exit code 1 when
one is above its goal.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

GRID = ["method=sft", "data=tiny_messages", "eval=[latency]", "--dry-run"]


@dataclass
class Figure:
    """Seconds, of processor time unless the name says otherwise, and the most that they should be."""

    name: str
    seconds: float
    goal: float

    def __str__(self) -> str:
        verdict = "" if self.seconds <= self.goal else "  above its goal"
        return f"{self.name:44s} {self.seconds:8.3f} s  (goal {self.goal:g} s){verdict}"


def seconds_of(words: list[str], folder: Path, times: int) -> float:
    """The least processor time of some calls of ``ptx WORDS``, children included."""
    found = []
    for _ in range(times):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        done = subprocess.run(
            [sys.executable, "-m", "ptx", *words],
            cwd=folder,
            env={**os.environ, "PTX_CACHE": str(folder / "cache")},
            capture_output=True,
            text=True,
            check=False,
        )
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        if done.returncode:
            raise SystemExit(f"ptx {' '.join(words)} failed:\n{done.stderr[-2000:]}")
        found.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return min(found)


def warm_worker(folder: Path, times: int) -> float:
    """The least wall time from the start of a run to its first training step, in a worker that ran before."""
    words = ["train", "-m", f"seed=range(0,{times + 1})", "method=sft", "data=tiny_messages", "workers=1"]
    seconds_of([*words, "method.max_steps=2", "eval=[]", "baseline=false", "out=warm"], folder, 1)
    found = []
    for events in sorted(folder.glob("warm/runs/*/*/events.jsonl")):
        lines = [json.loads(line) for line in events.read_text(encoding="utf-8").splitlines()]
        begun = next(line["time"] for line in lines if line["event"] == "run_started")
        first = next(line["time"] for line in lines if line.get("text", "").startswith("step 1 of"))
        found.append((begun, first - begun))
    return min(seconds for _, seconds in sorted(found)[1:])  # the first run imports the libraries


def records(folder: Path, count: int) -> None:
    """Write ``count`` records of finished runs."""
    metric = {"name": "bench/mean", "value": 0.5, "low": 0.4, "high": 0.6, "n": 9, "better": "higher"}
    for number in range(count):
        place = folder / "o/runs" / f"s{number // 100}" / f"r{number}"
        place.mkdir(parents=True)
        run = {"schema": 1, "id": f"r{number}", "label": f"seed={number}", "verb": "eval", "seed": number}
        run |= {
            "sweep": f"s{number // 100}",
            "config": {},
            "model": {"name": "m", "digest": "d"},
            "steps": [],
        }
        result = {"schema": 1, "status": "done", "error": None, "steps": [], "seconds": 1.0}
        result |= {"metrics": [metric | {"evaluator": "bench", "unit": ""}]}
        (place / "run.json").write_text(json.dumps(run | {"evaluations": [], "versions": {"ptx": "1"}}))
        (place / "result.json").write_text(json.dumps(result | {"evaluations": []}))


def measured(folder: Path, runs: int, count: int, times: int) -> Iterator[Figure]:
    """Every figure, as it is measured."""
    yield Figure("ptx --help", seconds_of(["--help"], folder, times), 0.3)
    yield Figure("ptx train --cfg job", seconds_of(["train", "--cfg", "job"], folder, times), 0.8)
    one = seconds_of(["train", *GRID], folder, times)
    grid = ["train", "-m", f"seed=range(0,{runs})", *GRID]
    for name in (f"plan of {runs} runs, for each run", "the same again, for each run"):
        yield Figure(name, (seconds_of(grid, folder, 1) - one) / runs, 0.01)
    yield Figure("a warm worker's first step, wall time", warm_worker(folder, times), 1.0)
    records(folder, count)
    yield Figure(f"ptx runs ls over {count} runs", seconds_of(["runs", "ls", "--out=o"], folder, times), 1.0)


def main() -> int:
    """Measure, print, write; returns 1 when a figure is above its goal."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--runs", type=int, default=2000)
    parser.add_argument("--records", type=int, default=10_000)
    parser.add_argument("--times", type=int, default=3)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    found = []
    with tempfile.TemporaryDirectory() as folder:
        for figure in measured(Path(folder), options.runs, options.records, options.times):
            print(figure, flush=True)
            found.append(figure)
    if options.json:
        options.json.write_text(json.dumps([asdict(figure) for figure in found], indent=1) + "\n")
    return int(any(figure.seconds > figure.goal for figure in found))


if __name__ == "__main__":
    raise SystemExit(main())
