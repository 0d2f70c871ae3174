"""Prune and quantise a random model of 1B parameters layer by layer, by ptx and by llm-compressor.

    python benchmarks/large_model/run.py                                   1.0 B parameters; both methods
    python benchmarks/large_model/run.py --layers 4 --methods sparsegpt    a quick try
    python benchmarks/large_model/run.py --kill 0.5                        kill ptx half-way and continue

Every run has a process of its own; both see the same calibration tokens in the same order. Prints, per
method, the wall time, the seconds per decoder layer (the first is left out: it holds the tracing), the peak
resident memory, and the ratios; exit code 1 if a ratio is above 1.05 or the peak above 12 GB. The random
model's quality means nothing.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import shutil
import signal
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
MOST_RATIO, MOST_BYTES = 1.05, 12e9


def main() -> int:
    """Make the model, run both ways, compare."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--layers", type=int, default=32)
    parser.add_argument("--hidden", type=int, default=1536)
    parser.add_argument("--ffn", type=int, default=5120)
    parser.add_argument("--samples", type=int, default=16)
    parser.add_argument("--length", type=int, default=128)
    parser.add_argument("--methods", default="sparsegpt,gptq")
    parser.add_argument(
        "--kill", type=float, help="kill ptx after this share of the plain call's time, then continue"
    )
    parser.add_argument("--to", type=Path, default=Path("large-model"))
    options = parser.parse_args()
    options.to.mkdir(parents=True, exist_ok=True)
    model = options.to / f"random-{options.layers}x{options.hidden}"
    if not (model / "config.json").exists():
        measured(["make.py", str(model), str(options.layers), str(options.hidden), str(options.ffn)])
    verdicts = [compared(options, model, method) for method in options.methods.split(",")]
    return 0 if all(verdicts) else 1


def compared(options: argparse.Namespace, model: Path, method: str) -> bool:
    """One method both ways; whether ptx is within the limits."""
    stamps, out = options.to / f"plain-{method}.json", options.to / "ptx-out"
    sample = [str(options.samples), str(options.length)]
    shutil.rmtree(out, ignore_errors=True)
    plain = measured(["plain.py", str(model), method, *sample, str(stamps), str(options.to / "plain-model")])
    plain["per_layer"] = per_layer(json.loads(stamps.read_text()))
    shutil.rmtree(options.to / "plain-model")
    words = [
        "-m",
        "ptx",
        "compress",
        f"model={model}",
        "data=tiny",
        f"compress=[{method}]",
        f"compress.{method}.samples={options.samples}",
    ]
    words += [
        f"compress.{method}.max_length={options.length}",
        "eval=[]",
        "baseline=false",
        f"out={out}",
        f"name={method}",
    ]
    if options.kill:
        measured(words, kill_after=plain["seconds"] * options.kill)
    ours = measured(words)
    ours["per_layer"] = per_layer(layer_times(out))
    good = True
    for name, unit in (("seconds", "s"), ("per_layer", "s per layer"), ("peak_bytes", "bytes at the peak")):
        ratio = ours[name] / plain[name]
        judged = name == "peak_bytes" or (name == "per_layer" and not options.kill)
        good &= not judged or ratio <= MOST_RATIO
        print(
            f"{method}: {unit}: plain {plain[name]:.4g}, ptx {ours[name]:.4g}, ratio {ratio:.3f}", flush=True
        )
    return good and ours["peak_bytes"] <= MOST_BYTES


def measured(words: list[str], kill_after: float | None = None) -> dict[str, float]:
    """Run a Python process; its wall time and the largest resident memory it had."""
    line = [sys.executable, *([str(HERE / words[0]), *words[1:]] if words[0].endswith(".py") else words)]
    started = time.perf_counter()
    process = subprocess.Popen(line, start_new_session=True)
    if kill_after:
        time.sleep(kill_after)
        os.killpg(process.pid, signal.SIGKILL)
        print(f"killed after {kill_after:.0f} s", flush=True)
    _, status, usage = os.wait4(process.pid, 0)
    if status and not kill_after:
        raise SystemExit(f"{' '.join(line)} ended with {os.waitstatus_to_exitcode(status)}")
    return {"seconds": time.perf_counter() - started, "peak_bytes": usage.ru_maxrss * 1024.0}


def per_layer(times: list[float]) -> float:
    """The median time from the end of one stage to the end of the next."""
    return statistics.median(after - before for before, after in itertools.pairwise(times))


def layer_times(out: Path) -> list[float]:
    """Return when each stage ended, from the step's events, without the stages of its checkpoints."""
    (file,) = out.glob("store/steps/*/payload/events.jsonl")
    events: list[dict[str, Any]] = [json.loads(line) for line in file.read_text().splitlines()]
    return [event["time"] for event in events if event["event"] == "stage_finished" and not event["kept"]]


if __name__ == "__main__":
    raise SystemExit(main())
