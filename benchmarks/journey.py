"""One whole journey on a real model, as a new user takes it: every wait, in the order in which it comes.

    python benchmarks/journey.py --model DIR --train train.jsonl --test test.jsonl --out FOLDER

``--train`` and ``--test`` have a question and an answer per row that ends in ``#### NUMBER``, as GSM8K has
them. In an empty folder: SFT with LoRA on 200 rows; evaluation before and after (benchmark, perplexity,
forgetting); DPO on own pairs (the answer against the same answer with a wrong number); GPTQ; a 4-bit export
to ONNX Runtime; its evaluation; a report. Every stage is a command of ptx in a process of its own.

Prints a table: per command the seconds until the first line, the longest silence, wall and processor seconds;
then the processor seconds between the lines that a user sees. ``--json FILE`` keeps it after every command,
with a digest of every result, so that two versions of ptx can be compared: ``--against FILE`` prints the
ratio and what has changed in the results. A metric is equal if its value is the same to the last bit.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import re
import select
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import psutil

ROWS, PAIRS, ITEMS, HELD, CALIBRATION = 200, 64, 32, 24, 32
DATA = ["data=./data", "eval=[bench,perplexity]"]  # the task and the held-out text lie beside the data
TASK = {
    "task": "sums",
    "dataset_path": "json",
    "test_split": "test",
    "output_type": "multiple_choice",
    "num_fewshot": 0,
    "doc_to_text": "{{question}}",
    "doc_to_choice": "{{choices}}",
    "doc_to_target": "{{label}}",
    "target_delimiter": "",
    "metric_list": [{"metric": "acc", "aggregation": "mean", "higher_is_better": True}],
    "metadata": {"version": 1.0, "apply_chat_template": True},
}
ANSI = re.compile(r"\x1b\[[0-9;?]*[a-zA-Z]")


@dataclass
class Line:
    """What a user sees, and what it took since the line before."""

    text: str
    wall: float
    processor: float


@dataclass
class Stage:
    """One command."""

    name: str
    command: list[str]
    code: int = 0
    wall: float = 0.0
    processor: float = 0.0
    lines: list[Line] = field(default_factory=list)

    @property
    def first(self) -> float:
        """Seconds until the first line."""
        return self.lines[0].wall if self.lines else self.wall

    @property
    def silence(self) -> float:
        """The longest time without a word, in seconds."""
        return max((line.wall for line in self.lines), default=self.wall)


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--train", type=Path, required=True)
    parser.add_argument("--test", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True, help="an empty folder")
    parser.add_argument("--json", type=Path, help="where the figures are kept")
    parser.add_argument("--against", type=Path, help="figures of another journey")
    parser.add_argument("--scale", type=float, default=1.0, help="a share of all rows, for a quick trial")
    asked = parser.parse_args()
    asked.out.mkdir(parents=True, exist_ok=True)
    if any(asked.out.iterdir()):
        parser.error(f"{asked.out} is not empty")
    prepare(asked.out / "data", asked.train, asked.test, asked.scale)
    stages: list[Stage] = []
    for name, words in journey(asked.model.resolve(), asked.out, asked.scale):
        stages.append(run(name, words, asked.out))
        if stages[-1].code:
            print(f"{name} ended with {stages[-1].code}: {stages[-1].lines[-1].text}", file=sys.stderr)
            return 1
        found = {"stages": [asdict(stage) for stage in stages], "results": results(asked.out)}
        if asked.json:  # after every stage: what was measured is kept when a later one is stopped
            asked.json.write_text(json.dumps(found, indent=1))
    show(stages)
    if asked.against:
        compare(json.loads(asked.against.read_text()), found)
    return 0


def prepare(folder: Path, train: Path, test: Path, scale: float) -> None:
    """Write the data: a family of shapes, a task and a held-out text."""
    (folder / "tasks").mkdir(parents=True)
    chance = random.Random(0)
    asked, held = ([json.loads(line) for line in file.open(encoding="utf-8")] for file in (train, test))
    count = counts(scale)
    write(
        folder / "completions.jsonl",
        [{"prompt": row["question"], "completion": row["answer"]} for row in asked[: count["rows"]]],
    )
    write(folder / "pairs.jsonl", [pair(row, chance) for row in asked[ROWS : ROWS + count["pairs"]]])
    items = [item(row, chance) for row in held[: count["items"]]]
    write(folder / "tasks" / "sums.jsonl", items)
    files = {"data_files": {"test": str((folder / "tasks" / "sums.jsonl").resolve())}}
    (folder / "tasks" / "sums.yaml").write_text(json.dumps(TASK | {"dataset_kwargs": files}))
    texts = held[ITEMS : ITEMS + count["held"]]
    write(folder / "heldout.jsonl", [{"text": row["question"] + "\n" + row["answer"]} for row in texts])


def counts(scale: float) -> dict[str, int]:
    """How much of everything this share of a whole journey has."""
    whole = {"rows": ROWS, "pairs": PAIRS, "items": ITEMS, "held": HELD, "calibration": CALIBRATION}
    return {name: max(8, round(scale * number)) for name, number in whole.items()}


def write(file: Path, rows: list[dict[str, Any]]) -> None:
    """One JSON object per line."""
    file.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


def result_of(answer: str) -> int:
    """The number that ends an answer."""
    return int(answer.rpartition("####")[2].replace(",", "").strip())


def pair(row: dict[str, str], chance: random.Random) -> dict[str, str]:
    """The answer, and the same with a wrong number at its end."""
    right = result_of(row["answer"])
    wrong = right + chance.choice((-10, -2, -1, 1, 2, 10))
    steps = row["answer"].rpartition("####")[0]
    return {"prompt": row["question"], "chosen": row["answer"], "rejected": f"{steps}#### {wrong}"}


def item(row: dict[str, str], chance: random.Random) -> dict[str, Any]:
    """A question with four numbers to choose from."""
    right = result_of(row["answer"])
    choices = [right, *(right + step for step in chance.sample((-20, -10, -3, -1, 1, 2, 5, 10), 3))]
    chance.shuffle(choices)
    label = choices.index(right)
    return {"question": row["question"], "choices": [f"#### {one}" for one in choices], "label": label}


def journey(model: Path, out: Path, scale: float) -> Iterator[tuple[str, list[str]]]:
    """The commands; what a later one needs is found when its turn comes."""
    adapted = ["lora=lora", "method.batch_size=8", "method.max_length=256"]
    samples = f"compress.gptq.samples={counts(scale)['calibration']}"
    gptq = ["compress=[gptq]", samples, "compress.gptq.max_length=256"]
    yield "check", ["check", f"model={model}", "data=./data", "method=sft"]
    yield "sft", ["train", "method=sft", f"model={model}", *DATA, *adapted, "name=sft"]
    tuned = model_of(out, "sft")
    yield "dpo", ["train", "method=dpo", f"model={tuned}", *DATA, *adapted, "name=dpo"]
    preferred = model_of(out, "dpo")
    yield "gptq", ["compress", f"model={preferred}", *DATA, *gptq, "name=gptq"]
    packed = model_of(out, "gptq")
    yield "export", ["export", f"model={packed}", "runtime=onnx", "--to", "package"]
    yield "served", ["eval", "model=./package", "runtime=onnx", *DATA, "name=served"]
    yield "report", ["report", "sft", "dpo", "gptq", "served", "--to", "report"]


def model_of(out: Path, name: str) -> str:
    """The model that a sweep has made."""
    (run,) = (
        found for found in (out / "ptx-out/runs" / name).glob("*/model") if "baseline" not in str(found)
    )
    return str(run.relative_to(out))


def run(name: str, words: list[str], out: Path) -> Stage:
    """Run one command, and note when its lines come."""
    stage = Stage(name, ["ptx", *words])
    print(f"$ ptx {' '.join(words)}", flush=True)
    command = [sys.executable, "-m", "ptx", *words]
    started = time.monotonic()
    with subprocess.Popen(
        command,
        cwd=out,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        bufsize=0,  # a line is seen when it comes
        env={**os.environ, "COLUMNS": "160"},
    ) as process:
        watch(process, stage, started)
    stage.code, stage.wall = process.returncode, time.monotonic() - started
    return stage


def watch(process: subprocess.Popen[bytes], stage: Stage, started: float) -> None:
    """Read the lines of a process while it runs; the time of all its descendants counts."""
    assert process.stdout is not None
    spent, last, at = Spent(process.pid), 0.0, started
    while True:
        ready, _, _ = select.select([process.stdout], [], [], 0.25)
        spent.look()
        if not ready:
            continue
        text = process.stdout.readline()
        now, used = time.monotonic(), spent.seconds
        line = Line(ANSI.sub("", text.decode(errors="replace")).strip()[:150], now - at, used - last)
        stage.lines.append(line)
        at, last = now, used
        if not text:
            break
        print(f"  {now - started:7.1f} s  {used:7.1f} CPU s  {line.text}", flush=True)
    stage.processor = spent.seconds


class Spent:
    """Processor seconds of a process and everything that it has started."""

    def __init__(self, pid: int) -> None:
        self.root, self.known = psutil.Process(pid), dict[tuple[int, float], float]()

    def look(self) -> None:
        """Add what was used since the last look; a process that has ended keeps what was seen of it."""
        try:
            family = [self.root, *self.root.children(recursive=True)]
        except psutil.NoSuchProcess:
            return
        for process in family:
            try:
                times = process.cpu_times()
            except psutil.Error:
                continue
            self.known[process.pid, process.create_time()] = times.user + times.system

    @property
    def seconds(self) -> float:
        """All of it."""
        return sum(self.known.values())


def results(out: Path) -> dict[str, Any]:
    """Every number of every run's record, and the digests of the models that were made."""
    found: dict[str, Any] = {}
    for file in sorted((out / "ptx-out/runs").glob("*/*/result.json")):
        recorded = json.loads(file.read_text())
        kind = "baseline" if "baseline" in file.parent.name else "run"
        for metric in recorded.get("metrics", ()):
            name = f"{file.parent.parent.name}/{kind}/{metric['name']}"
            found[f"{name} {metric['segment']}".strip()] = [metric[part] for part in ("value", "low", "high")]
        found[f"{file.parent.parent.name}/{kind}/model"] = recorded["model"]["digest"]
    package = out / "package" / "package.json"
    if package.exists():
        found["package/fidelity"] = json.loads(package.read_text())["fidelity"]
    return found


def show(stages: list[Stage]) -> None:
    """The two tables."""
    print(f"\n{'command':<10}{'first line':>12}{'silence':>10}{'wall s':>10}{'CPU s':>10}")
    for stage in stages:
        row = f"{stage.first:>12.1f}{stage.silence:>10.1f}{stage.wall:>10.1f}{stage.processor:>10.1f}"
        print(f"{stage.name:<10}{row}")
    wall, processor = sum(one.wall for one in stages), sum(one.processor for one in stages)
    print(f"{'sum':<10}{'':>22}{wall:>10.1f}{processor:>10.1f}\n")
    waits = [(line.processor, line.wall, one.name, line.text) for one in stages for line in one.lines]
    print("the longest waits, by processor seconds, until the line named")
    for used, seconds, name, text in sorted(waits, reverse=True)[:24]:
        print(f"{used:>8.1f} CPU s {seconds:>8.1f} s  {name:<8}{text[:90]}")


def compare(before: dict[str, Any], after: dict[str, Any]) -> None:
    """The ratio of the times, and the numbers that differ."""
    old = {stage["name"]: stage["processor"] for stage in before["stages"]}
    new = {stage["name"]: stage["processor"] for stage in after["stages"]}
    print("\nprocessor seconds, before and after")
    for name, seconds in new.items():
        print(f"{name:<10}{old.get(name, 0):>10.1f}{seconds:>10.1f}")
    print(f"{'sum':<10}{sum(old.values()):>10.1f}{sum(new.values()):>10.1f}")
    one, other = before["results"], after["results"]
    changed = [name for name in sorted({*one, *other}) if one.get(name) != other.get(name)]
    print(f"{len(one.keys() & other.keys()) - len(changed)} numbers are the same, {len(changed)} are not")
    for name in changed:
        print(f"  {name}: {one.get(name)} -> {other.get(name)}")


if __name__ == "__main__":
    sys.exit(main())
