"""Kill a sweep again and again, continue it each time, and compare what comes out with an undisturbed one.

    python benchmarks/kill9.py --kills 30 --seed 0

Runs the same command twice in two output folders: once undisturbed, once with ``kill -9`` of the whole process group at random moments,
each followed by the same command. At the end every metric of every run, and the digest of every artifact, must be equal; every
distinct step must have been finished exactly once; ``ptx store verify`` must find nothing. Prints what it saw; exit code 1 on any difference.
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
    "train", "-m", "model=tiny", "data=tiny", "method=sft,dpo", "compress=[],[sparsegpt],[gptq]", "seed=0,1", "eval=[bench]",
    "eval.bench.limit=25", "method.max_steps=12", "method.checkpoint_every=3", "data.limit=400", "name=kill9",
]  # fmt: skip


def main() -> int:
    """Run the comparison."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=30)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--longest", type=float, default=25.0, help="seconds until a kill, at most")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--to", type=Path, default=Path("kill9"))
    options = parser.parse_args()
    options.to.mkdir(parents=True, exist_ok=True)
    words = [*WORDS, f"workers={options.workers}"]
    calm = run(words, options.to / "calm")
    print(f"undisturbed: {calm:.0f} s")
    rng, kills, lived = random.Random(options.seed), 0, 0.0
    while kills < options.kills:
        pause = rng.uniform(0.5, options.longest)
        if not killed_after(words, options.to / "killed", pause):
            print(f"finished after {kills} kills; the rest cannot be made")
            break
        kills += 1
        lived += pause
        print(f"kill {kills} after {pause:.1f} s", flush=True)
    last = run(words, options.to / "killed")
    print(f"killed {kills} times ({lived:.0f} s), then finished in {last:.0f} s")
    return compare(options.to / "calm", options.to / "killed")


def command(words: list[str], out: Path) -> list[str]:
    """The command as a user types it."""
    return [sys.executable, "-m", "ptx", *words, f"out={out}"]


def run(words: list[str], out: Path) -> float:
    """Run to the end; seconds."""
    started = time.monotonic()
    subprocess.run(command(words, out), check=True, stdout=subprocess.DEVNULL)
    return time.monotonic() - started


def killed_after(words: list[str], out: Path, seconds: float) -> bool:
    """Start the command in a process group of its own and kill all of it; False when it had ended before."""
    process = subprocess.Popen(command(words, out), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        return True
    return False


def results(out: Path) -> dict[str, object]:
    """What a report is made of, per run: status, metrics, digest of the artifact."""
    found = {}
    for path in sorted((out / "runs" / "kill9").glob("*/result.json")):
        result = json.loads(path.read_text())
        found[path.parent.name] = [result["status"], result["model"]["digest"], result["metrics"]]
    return found


def compare(calm: Path, killed: Path) -> int:
    """Print and count the differences."""
    first, second = results(calm), results(killed)
    differing = sorted(name for name in {*first, *second} if first.get(name) != second.get(name))
    again = finished_twice(killed)
    left = [path for path in (killed / "store" / "staging").glob("*/*") if path.is_dir()]
    verified = subprocess.run([sys.executable, "-m", "ptx", "store", "verify", "--out", str(killed)], capture_output=True, text=True)
    print(f"runs: {len(first)}; that differ: {differing or 'none'}; steps finished more than once: {again or 'none'}")
    print(f"work left in staging: {len(left)}; store verify: exit {verified.returncode}: {verified.stdout.strip().splitlines()[-1:]}")
    return 1 if differing or again or verified.returncode else 0


def finished_twice(out: Path) -> list[str]:
    """Keys that more than one builder finished, told by the journals of all runs."""
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
