"""Time of ptx beside the tools it is built on: the same model, rows and machine, in turns (A B B A).

    python benchmarks/speed/run.py                                         the embedded model, minutes
    python benchmarks/speed/run.py --model DIR --data train.jsonl --rows 8 --json benchmarks/speed.json
    python benchmarks/speed/run.py --device cuda                           skips without a GPU

``sft``: TRL's SFTTrainer with TRL's defaults (float32 on a CPU that has no bfloat16) beside ``method=sft``;
seconds of ``train()``, and the losses of both. ``dpo``, ``kto``: the same for DPO and KTO. ``grpo``: the same
for GRPO, whose answers (``--rows`` of them a step) transformers samples on both sides. ``reference``: TRL's
pass for ``precompute_ref_log_probs`` beside ptx's for the same pairs, and how far the numbers are apart.
``perplexity``: lm-eval's rolling log-likelihood beside the scores of ``eval=[perplexity]``.

``--data`` is a file of JSON lines with ``question`` and ``answer``. A CPU's times are those of the processor,
a GPU's those of the clock, synchronised. Prints every ratio with its turns, and writes them as JSON. Exit
code 1 when a ratio misses its goal by more than a turn's noise.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import tempfile
import time
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TQDM_DISABLE", "1")

#: part -> largest allowed ptx / other by device
GOALS = {
    "sft": {"cpu": 1 / 1.5, "cuda": 1 / 4},
    "dpo": {"cpu": 1 / 1.5, "cuda": 1 / 3},
    "kto": {"cpu": 1 / 1.5, "cuda": 1 / 3},
    "grpo": {"cpu": 1 / 1.5, "cuda": 1 / 1.5},
    "reference": {"cpu": 1.1, "cuda": 1.1},
    "perplexity": {"cpu": 1.05, "cuda": 1.05},
}
TURNS = "ABBA"


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("parts", nargs="*", default=list(GOALS), help=f"of {', '.join(GOALS)}")
    parser.add_argument("--model", type=Path, help="a model folder with a chat template (default: tiny)")
    parser.add_argument("--data", type=Path, help="JSON lines of question and answer (default: tiny's)")
    parser.add_argument("--rows", type=int, default=16, help="rows of an optimizer step")
    parser.add_argument("--steps", type=int, default=2)
    parser.add_argument("--pairs", type=int, default=48)
    parser.add_argument("--texts", type=int, default=48)
    parser.add_argument("--tokens", type=int, default=64, help="of a sampled answer, at most")
    parser.add_argument("--words", type=int, default=8, help="a longer answer is paid less; some must be")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--json", type=Path, help="file for the numbers")
    asked = parser.parse_args()
    if unknown := set(asked.parts) - set(GOALS):
        parser.error(f"no part {', '.join(unknown)}; there are {', '.join(GOALS)}")

    import scoring
    import torch
    import training
    from setting import Setting

    if asked.device == "cuda" and not torch.cuda.is_available():
        print("no GPU here: the benchmarks of a GPU are skipped")
        return 0
    if asked.device == "cpu":
        torch.set_num_threads(1)
    with tempfile.TemporaryDirectory(prefix="ptx-speed-") as scratch:
        setting = Setting(asked, Path(scratch))
        sides = {**vars(training), **vars(scoring)}
        found = {part: measured(part, sides[part](setting), asked) for part in asked.parts}
    return int(any(min(one["ratios"]) > GOALS[part][asked.device] for part, one in found.items()))


def measured(part, sides, asked):
    """One part's turns; printed, and added to the file at once."""
    one = turns(*sides, asked.device)
    goal = GOALS[part][asked.device]
    print(f"{part}: ptx / other {one['ratio']:.2f} (turns {one['ratios']}; goal {goal:.2f}); {one['same']}")
    if asked.json:
        known = json.loads(asked.json.read_text(encoding="utf-8")) if asked.json.exists() else {}
        known[f"{part} {asked.device}"] = {"machine": machine(asked), "asked": shown(asked), **one}
        asked.json.write_text(json.dumps(known, indent=1) + "\n", encoding="utf-8")
    return one


def machine(asked):
    import torch

    from ptx.machine import cpu_name, versions

    return {
        "date": time.strftime("%Y-%m-%d"),
        "device": torch.cuda.get_device_name() if asked.device == "cuda" else cpu_name(),
        "threads": torch.get_num_threads(),
        "load": round(os.getloadavg()[0], 1),
        "python": platform.python_version(),
        "versions": versions(("torch", "transformers", "trl", "lm-eval")),
    }


def shown(asked):
    """What was asked, without the places of files."""
    return {
        name: value.name if isinstance(value, Path) else value
        for name, value in vars(asked).items()
        if name not in ("json", "parts")
    }


def without_ptx(call):
    """The call with PyTorch's own products, which ptx leaves to oneDNN on some processors."""
    from torch.nn import Linear

    def called():
        ours = Linear.forward
        Linear.forward = getattr(ours, "plain", ours)
        try:
            return call()
        finally:
            Linear.forward = ours

    return called


def turns(other, ours, compared, device):
    """Time both in turns; each returns (seconds, result)."""
    spent, results = {"A": [], "B": []}, {}
    for side in TURNS:
        seconds, results[side] = without_ptx(other)() if side == "A" else ours()
        spent[side].append(round(seconds, 3))
        print(f"  {'other' if side == 'A' else 'ptx'}: {seconds:.2f} s", file=sys.stderr, flush=True)
    ratios = [round(mine / theirs, 3) for theirs, mine in zip(spent["A"], spent["B"], strict=True)]
    whole = sum(spent["B"]) / sum(spent["A"])
    return {
        "clock": "processor" if device == "cpu" else "wall",
        "other_seconds": spent["A"],
        "ptx_seconds": spent["B"],
        "ratios": ratios,
        "ratio": round(whole, 3),
        "same": compared(results["A"], results["B"]),
    }


if __name__ == "__main__":
    sys.exit(main())
