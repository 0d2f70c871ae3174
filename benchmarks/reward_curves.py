"""Do two settings of GRPO, such as its samplers, learn the same? Reward curves of the same seeds, paired.

    python benchmarks/reward_curves.py                          hf (ptx) beside trl, embedded model, 8 seeds
    python benchmarks/reward_curves.py --values trl,onnx --seeds 4 --steps 20
    python benchmarks/reward_curves.py --setting method.speed.bf16 --values false,true
    python benchmarks/reward_curves.py --model DIR --data FILE --json curves.json

Every run is one of a sweep over the setting and ``seed``. The answers of the two are others, so single curves
differ; the question is whether they differ beyond what seeds do. Printed is, for each third of
the training, the mean reward of both and the mean difference over seeds with its 95 % interval (Student's t).
Exit code 1 when an interval leaves out 0.
"""

from __future__ import annotations

import argparse
import functools
import json
import subprocess
import sys
from pathlib import Path
from statistics import mean, stdev
from typing import Any

from scipy.stats import t

PTX = [sys.executable, "-m", "ptx"]
PARTS = 3


def main() -> int:
    """Run the sweep, then compare its curves."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--setting", default="method.rollout", help="a setting of the method")
    parser.add_argument("--values", default="trl,hf", help="two values of it")
    parser.add_argument("--seeds", type=int, default=8)
    parser.add_argument("--steps", type=int, default=24)
    parser.add_argument("--model", default="tiny")
    parser.add_argument("--data", default="tiny")
    parser.add_argument("--words", nargs="*", default=[], help="further words of the command")
    parser.add_argument("--to", type=Path, default=Path("reward-curves"))
    parser.add_argument("--json", type=Path, help="file for the numbers")
    asked = parser.parse_args()
    first, second = asked.values.split(",")
    command = [
        *("train", "method=grpo", f"{asked.setting}={first},{second}", f"method.max_steps={asked.steps}"),
        f"seed=range({asked.seeds})",
        "-m",
        *(f"model={asked.model}", f"data={asked.data}", "eval=[]", f"out={asked.to}", "name=curves"),
        *asked.words,
    ]
    subprocess.run([*PTX, *command], check=True)
    curves = curves_of(asked.to / "runs" / "curves", asked.setting)
    found = [compared(curves, (first, second), part) for part in range(PARTS)]
    for part, one in enumerate(found, 1):
        print(
            f"third {part}: {first} {one[first]:.3f}, {second} {one[second]:.3f},"
            f" difference {one['difference']:+.3f} [{one['low']:+.3f}, {one['high']:+.3f}]"
        )
    if asked.json:
        asked.json.write_text(json.dumps({"command": command, "thirds": found}, indent=1) + "\n")
    return int(any(one["low"] > 0 or one["high"] < 0 for one in found))


def curves_of(sweep: Path, setting: str) -> dict[tuple[str, int], list[float]]:
    """(value of the setting, seed) -> the mean reward of every step."""
    curves = {}
    for file in sweep.glob("*/run.json"):
        config: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))["config"]
        events = map(json.loads, (file.parent / "events.jsonl").read_text(encoding="utf-8").splitlines())
        logged = [event["metrics"] for event in events if event["event"] == "log"]
        value = functools.reduce(lambda part, name: part[name], setting.split("."), config)
        curves[value if isinstance(value, str) else json.dumps(value), config["seed"]] = [
            one["reward"] for one in logged if "reward" in one
        ]
    return curves


def compared(
    curves: dict[tuple[str, int], list[float]], names: tuple[str, str], part: int
) -> dict[str, float]:
    """The mean rewards in one part of the training, and the paired difference with its interval."""
    seeds = sorted({seed for _, seed in curves})
    means = {name: [mean(third(curves[name, seed], part)) for seed in seeds] for name in names}
    differences = [b - a for a, b in zip(means[names[0]], means[names[1]], strict=True)]
    half = t.ppf(0.975, len(seeds) - 1) * stdev(differences) / len(seeds) ** 0.5
    middle = mean(differences)
    both = {name: mean(values) for name, values in means.items()}
    return both | {"difference": middle, "low": middle - half, "high": middle + half}


def third(curve: list[float], part: int) -> list[float]:
    """The rewards of one part of a curve."""
    return curve[part * len(curve) // PARTS : (part + 1) * len(curve) // PARTS]


if __name__ == "__main__":
    sys.exit(main())
