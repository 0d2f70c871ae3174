"""How long a report of many runs takes, how much memory, and how large its files are.

    python -m benchmarks.report_scale                     100, 1,000 and 10,000 runs of 20 metrics
    python -m benchmarks.report_scale 100 --items 50      with 50 items per run, compared item by item

The runs are written as folders, as sweeps leave them; each report is made by ``ptx report`` in a process of
its own, whose CPU seconds and most memory are counted.
"""

from __future__ import annotations

import argparse
import json
import random
import resource
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

METHODS = ("sft", "dpo", "kto", "grpo")
COMPRESSORS = {"[]": 1.0, "[gptq]": 0.25, "[sparsegpt]": 0.6, "[rtn_w3]": 0.2}


def metrics_of(generator: random.Random, count: int, quality: float, size: float) -> list[dict[str, Any]]:
    """``count`` metrics: tasks of a benchmark and their mean, the latency in turns, the size."""
    found = [_metric("bench/mean", quality, 0.02, 1000, "fraction", "higher")]
    found += [
        _metric("latency/request_ratio", size * generator.uniform(0.9, 1.1), 0.05, 40, "ratio", "lower")
    ]
    found += [_metric("size/bytes_on_disk", size * 1e9, 0.0, 1, "bytes", "lower")]
    tasks = max(0, count - len(found))
    found += [
        _metric(f"bench/task_{i}/acc", quality + generator.gauss(0, 0.02), 0.05, 200, "fraction", "higher")
        for i in range(tasks)
    ]
    return found[:count]


def _metric(name: str, value: float, half: float, n: int, unit: str, better: str) -> dict[str, Any]:
    ends = {"value": value, "low": value - half, "high": value + half}
    texts = {"unit": unit, "better": better, "segment": "", "note": ""}  # all that ptx writes
    return {"name": name, **ends, "n": n, **texts, "evaluator": name.partition("/")[0]}


def write_runs(folder: Path, runs: int, metrics: int = 20, items: int = 0) -> Path:
    """Write a sweep of ``runs`` runs (the first is the baseline) below ``folder``; return its folder."""
    generator, sweep = random.Random(runs), folder / "many"
    sweep.mkdir(parents=True)
    names = [f"r{i:05}" for i in range(runs)]
    (sweep / "sweep.json").write_text(json.dumps({"schema": 1, "name": "many", "runs": names, "axes": {}}))
    for i, name in enumerate(names):
        compress = list(COMPRESSORS)[i % 4]
        varied = {
            "method": METHODS[i // 4 % 4],
            "compress": compress,
            "method.learning_rate": f"{i // 16}e-6",
        }
        _write_run(sweep / name, {} if i == 0 else varied, generator, (metrics, items), COMPRESSORS[compress])
    return sweep


def _write_run(
    folder: Path, varied: dict[str, str], generator: random.Random, amount: tuple[int, int], size: float
) -> None:
    folder.mkdir()
    run = {
        "schema": 1,
        "id": folder.name,
        "label": " ".join(f"{k}={v}" for k, v in varied.items()) or "baseline",
        "verb": "train",
        "sweep": "many",
        "created": "2026-03-01T10:00:00+00:00",
        "baseline": not varied,
        "varied": varied,
        "config": {"runtime": {"choice": "hf"}, "eval": {"bench": {}, "latency": {}}, "varied": varied},
        "model": {"name": "m", "digest": "d"},
        "seed": 0,
        "host": {"cpu": "c", "cores": 8},
        "versions": {"ptx": "0.1"},
    }
    quality = min(0.95, max(0.05, generator.gauss(0.6, 0.08) - (1 - size) * 0.1))
    metrics = metrics_of(generator, amount[0], quality, size)
    if amount[1]:
        rows = [
            {
                "item": f"q{i}",
                "scores": {"bench/mean": float(generator.random() < quality)},
                "output": "x" * 40,
            }
            for i in range(amount[1])
        ]
        metrics[0]["value"] = mean = sum(row["scores"]["bench/mean"] for row in rows) / amount[1]
        metrics[0] |= {"low": max(0.0, mean - 0.1), "high": min(1.0, mean + 0.1), "n": amount[1]}
        (folder / "evaluations").mkdir()
        text = "".join(json.dumps(row) + "\n" for row in rows)
        (folder / "evaluations" / "bench.jsonl").write_text(text)
    result = {"schema": 1, "status": "done", "seconds": 60.0, "steps": [], "evaluations": [], "error": None}
    (folder / "run.json").write_text(json.dumps(run))
    (folder / "result.json").write_text(json.dumps(result | {"metrics": metrics}))


def measure(sweep: Path) -> dict[str, float]:
    """CPU seconds, most memory and file sizes of ``ptx report`` on a sweep, in MB."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    command = [sys.executable, "-m", "ptx", "report", str(sweep)]
    subprocess.run(command, check=True, capture_output=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    spent = (after.ru_utime + after.ru_stime) - (before.ru_utime + before.ru_stime)
    sizes = {path.name: path.stat().st_size / 1e6 for path in (sweep / "report").iterdir()}
    return {"seconds": spent, "memory": after.ru_maxrss / 1e3, **sizes}


def main() -> None:
    """Print a line for each number of runs."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("runs", nargs="*", type=int, default=[100, 1000, 10_000])
    parser.add_argument("--metrics", type=int, default=20)
    parser.add_argument("--items", type=int, default=0)
    options = parser.parse_args()
    for runs in options.runs:
        with tempfile.TemporaryDirectory() as folder:
            found = measure(write_runs(Path(folder), runs, options.metrics, options.items))
        text = ", ".join(f"{name} {value:.2f}" for name, value in sorted(found.items()))
        print(f"{runs} runs: {text} (seconds of CPU, MB)", flush=True)


if __name__ == "__main__":
    main()
