"""Kill a sweep again and again, continue it each time, and compare the results with an undisturbed sweep.

    python benchmarks/kill9.py --kills 30 --seed 0 --to kill9

The sweep has 24 runs: 4 methods x 3 compressions x 2 seeds, each measured by two evaluators (``bench`` on
part of its items, and one in the ``ptxfile.py`` that is written into the working folder; no latency, which is
never the same twice). It is run undisturbed once, and then in rounds: ``kill -9`` of the whole process group
at seeded random moments, each followed by the same command. A moment is a number of seconds of the sweep's
own CPU time, so that on a busy machine too the kills fall into the work and not all into the imports. When a
round comes to its end before all kills are made, the next one begins in a new output folder.

After every kill each entry of the store must verify, and none that was there before may have been made again.
At the end of a round every metric and artifact of every run and the report's CSV must equal those of the
undisturbed sweep, and the journals must name each step as finished once. Prints what it saw; exit code 1 on
any difference.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

WORDS = [
    "train",
    "-m",
    "model=tiny",
    "data=tiny",
    "method=sft,dpo,kto,grpo",
    "compress=[],[sparsegpt],[gptq]",
    "seed=0,1",
    "eval=[bench,brevity]",
    "eval.bench.limit=10",
    "method.max_steps=6",
    "method.checkpoint_every=2",
    "data.limit=160",
    "name=kill9",
]

EVALUATOR = '''\
"""The number of words of an answer: a second evaluator, which is deterministic."""

from dataclasses import dataclass

import ptx
from ptx.stats import mean_interval

QUESTIONS = ["What is 3 + 4?", "Which is larger: 12 or 21?", "Say hello.", "What is 9 - 5?"]


@dataclass
class Brevity(ptx.Evaluator):
    """Words per answer."""


@ptx.hookimpl
def ptx_choices():
    return [ptx.Choice("eval", "brevity", Brevity, "words per answer", libraries=("torch", "transformers"))]


@ptx.hookimpl
def ptx_evaluate(run, evaluator, lm):
    if not isinstance(evaluator, Brevity):
        return None
    chats = [[{"role": "user", "content": question}] for question in QUESTIONS]
    apply = lm.tokenizer.apply_chat_template
    prompts = [apply(chat, tokenize=False, add_generation_prompt=True) for chat in chats]
    words = [float(len(answer.split())) for answer in lm.generate(prompts, max_new_tokens=16)]
    mean, low, high = mean_interval(words)
    rows = [{"item": q, "scores": {"brevity/words": n}, "segments": {}} for q, n in zip(QUESTIONS, words)]
    return ptx.Evaluation([ptx.Metric("brevity/words", mean, "words", "lower", low, high, len(words))], rows)
'''


def main() -> int:
    """Run the comparison."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--kills", type=int, default=30)
    parser.add_argument("--seed", type=int, default=0, help="of the moments")
    parser.add_argument("--longest", type=float, default=45.0, help="CPU seconds until a kill, at most")
    parser.add_argument(
        "--workers", type=int, default=2, help="0: the runs are taken by the command's own process"
    )
    parser.add_argument("--to", type=Path, default=Path("kill9"), help="working folder, new")
    options = parser.parse_args()
    options.to.mkdir(parents=True)
    os.chdir(options.to)
    Path("ptxfile.py").write_text(EVALUATOR)
    words = [*WORDS, f"workers={options.workers}"]
    calm = Path("calm")
    say(f"undisturbed: {finished(words, calm):.0f} s; {books(calm)}")
    rng, kills, rounds, wrong = random.Random(options.seed), 0, 0, 0
    while kills < options.kills:
        rounds += 1
        out = Path(f"round-{rounds}")
        made, faults = disturbed(words, out, rng, options.kills - kills, options.longest)
        kills += made
        say(f"round {rounds}: {made} kills; {books(out)}")
        wrong += faults + compare(calm, out)
    say(f"{kills} kills in {rounds} rounds: {'nothing differs' if not wrong else f'{wrong} faults'}")
    return 1 if wrong else 0


def say(text: str) -> None:
    """Print a line with the time."""
    print(f"{time.strftime('%H:%M:%S')}  {text}", flush=True)


def command(words: list[str], out: Path) -> list[str]:
    """The command as a user types it."""
    return [sys.executable, "-m", "ptx", *words, f"out={out}"]


def finished(words: list[str], out: Path) -> float:
    """Run a command to its end; returns the seconds."""
    started = time.monotonic()
    with Path(f"{out}.log").open("a") as log:
        subprocess.run(command(words, out), check=True, stdout=log, stderr=log)
    return time.monotonic() - started


def disturbed(words: list[str], out: Path, rng: random.Random, most: int, longest: float) -> tuple[int, int]:
    """Kill and continue until the sweep ends by itself, or after ``most`` kills; returns kills and faults."""
    kills = faults = 0
    there: dict[str, str] = {}
    while kills < most:
        pause = rng.uniform(0.5, longest)
        if not killed_after(words, out, pause):
            return kills, faults
        kills += 1
        now = made_at(out)
        again = [key[:12] for key, moment in there.items() if now.get(key) != moment]
        verified = subprocess.run(
            [sys.executable, "-m", "ptx", "store", "verify", "--out", str(out)],
            capture_output=True,
            text=True,
        )
        broken = verified.returncode != 0 and bool(now)
        faults += bool(again) + broken
        say(
            f"  kill {kills} after {pause:.1f} CPU s: {len(now)} entries, made again: {again or 'none'},"
            f" verify: {'broken' if broken else 'whole'}"
        )
        if broken:
            say(f"{verified.stdout}{verified.stderr}")
        there = now
    say(f"  the rest: {finished(words, out):.0f} s")
    return kills, faults


def killed_after(words: list[str], out: Path, seconds: float) -> bool:
    """Start the command in a process group and kill it after some CPU time; False if it ended before."""
    with Path(f"{out}.log").open("a") as log:
        process = subprocess.Popen(command(words, out), stdout=log, stderr=log, start_new_session=True)
    while (code := process.poll()) is None:
        if cpu_seconds(process.pid) > seconds:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            return True
        time.sleep(0.05)
    if code:
        raise SystemExit(f"the command ended by itself with exit code {code}; see {out}.log")
    return False


def cpu_seconds(group: int) -> float:
    """CPU time of a process group so far, with that of its children that have ended."""
    ticks = 0
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
        except OSError:
            continue  # it has just ended
        if int(fields[2]) == group:
            ticks += sum(map(int, fields[11:15]))
    return ticks / os.sysconf("SC_CLK_TCK")


def made_at(out: Path) -> dict[str, str]:
    """Key of each finished step, product and evaluation -> when it was made."""
    records = (json.loads(path.read_text()) for path in sorted((out / "store").glob("*/*/entry.json")))
    return {record["key"]: record["created"] for record in records}


def books(out: Path) -> str:
    """Return the counts of sweep.json: steps asked for, run and shared."""
    counts = json.loads((out / "runs" / "kill9" / "sweep.json").read_text())["books"]
    return ", ".join(f"{name.replace('_', ' ')} {number}" for name, number in counts.items())


def results(out: Path) -> dict[str, object]:
    """Return for each run what a report shows: status, metrics, digest of the artifact."""
    found = {}
    for path in sorted((out / "runs" / "kill9").glob("*/result.json")):
        result = json.loads(path.read_text())
        found[path.parent.name] = [result["status"], result["model"]["digest"], result["metrics"]]
    return found


def compare(calm: Path, killed: Path) -> int:
    """Print and count the differences."""
    first, second = results(calm), results(killed)
    differing = sorted(name for name in {*first, *second} if first.get(name) != second.get(name))
    tables = [(out / "runs" / "kill9" / "report" / "report.csv").read_text() for out in (calm, killed)]
    again = finished_twice(killed)
    left = [path for path in (killed / "store" / "staging").glob("*/*") if path.is_dir()]
    verified = subprocess.run(
        [sys.executable, "-m", "ptx", "store", "verify", "--out", str(killed)], capture_output=True, text=True
    )
    say(
        f"  runs: {len(first)}; that differ: {differing or 'none'}; steps finished more than once:"
        f" {again or 'none'}"
    )
    say(
        f"  report.csv: {len(tables[0].splitlines()) - 1} numbers,"
        f" {'equal' if tables[0] == tables[1] else 'DIFFERENT'}"
    )
    say(
        f"  work left in staging: {len(left)}; store verify: exit {verified.returncode}:"
        f" {verified.stdout.strip().splitlines()[-1:]}"
    )
    return len(differing) + len(again) + (tables[0] != tables[1]) + bool(left) + bool(verified.returncode)


def finished_twice(out: Path) -> list[str]:
    """Return the keys that were built more than once, according to the events of all runs."""
    made: dict[str, int] = {}
    for journal in (out / "runs" / "kill9").glob("*/events.jsonl"):
        for line in journal.read_text().splitlines():
            try:
                event = json.loads(line)
            except ValueError:
                continue  # the line that a kill cut short
            if event["event"] == "step_finished" and not event["shared"]:
                made[event["key"]] = made.get(event["key"], 0) + 1
    return sorted(key[:12] for key, times in made.items() if times > 1)


if __name__ == "__main__":
    sys.exit(main())
