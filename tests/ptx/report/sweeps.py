"""Writers of run folders as real sweeps leave them: the models are made up, the statistics are computed."""

import math
import random
import re
from dataclasses import asdict
from pathlib import Path

from ptx.files import append_event, digest_of, write_json, write_rows
from ptx.records import Metric
from ptx.stats import mean_interval, proportion, quantile_interval

METHODS = {"sft": 0.16, "dpo": 0.05, "kto": 0.01, "grpo": 0.11}
COMPRESSIONS = {
    "[]": (0.0, 9_830_400, 9.2),
    "[sparsegpt]": (-0.15, 9_830_400, 9.1),
    "[gptq]": (-0.07, 2_480_128, 6.1),
}
SKILLS = ("addition", "subtraction", "reverse", "largest", "capitals")
LANGUAGES = ("en", "de", "fr")
NASTY = (
    "<script>alert('x')</script> | `pipe` **bold** [link](https://evil.example) \N{SNOWMAN} \u202e"
    + "very long " * 200
)


def items():
    """(item, task, segments, difficulty) of 300 test items."""
    for index in range(300):
        task = "tiny_answers" if index < 180 else "tiny_choices"
        segments = {
            "skill": SKILLS[index % 5],
            "language": LANGUAGES[index % 3],
            "difficulty": ("easy", "hard")[index // 5 % 2],
        }
        yield f"{task}:{index}", task, segments, (index * 37 % 100) / 100


def bench_rows(skill, seed):
    """Right and wrong answers of a model of that skill; an item's difficulty is the same for every model."""
    generator = random.Random(seed)
    rows = []
    for item, task, segments, difficulty in items():
        chance = min(
            0.97,
            max(
                0.03,
                1.15 * skill + 0.6 * (0.5 - difficulty) - (0.1 if segments["difficulty"] == "hard" else -0.1),
            ),
        )
        right = float(generator.random() < chance)
        prompt = NASTY if item == "tiny_answers:0" else f"What is the {segments['skill']} of {item}?"
        output = NASTY if right else f"<b>wrong</b> {generator.randrange(100)}"
        row = {"item": item, "scores": {f"bench/{task}/exact_match": right}, "segments": segments}
        rows.append(row | {"prompt": prompt, "output": output, "target": "42 & <more>"})
    sizes = {
        task: sum(row["item"].startswith(task) for row in rows) for task in ("tiny_answers", "tiny_choices")
    }
    for row in rows:
        task = row["item"].partition(":")[0]
        row["scores"]["bench/mean"] = (
            row["scores"][f"bench/{task}/exact_match"] * len(rows) / (2 * sizes[task])
        )
    return rows


def bench_metrics(rows):
    found = []
    for task in ("tiny_answers", "tiny_choices"):
        name = f"bench/{task}/exact_match"
        mine = [row for row in rows if name in row["scores"]]
        found.append(share(name, [row["scores"][name] for row in mine]))
        for dimension in ("skill", "language", "difficulty"):
            for value in sorted({row["segments"][dimension] for row in mine}):
                part = [row["scores"][name] for row in mine if row["segments"][dimension] == value]
                found.append(share(name, part, f"{dimension}={value}"))
    mean, low, high = mean_interval([row["scores"]["bench/mean"] for row in rows])
    return [
        *found,
        Metric("bench/mean", mean, "fraction", "higher", max(0.0, low), min(1.0, high), len(rows)),
    ]


def share(name, scores, segment=""):
    low, high = proportion(sum(scores), len(scores))
    return Metric(
        name, math.fsum(scores) / len(scores), "fraction", "higher", low, high, len(scores), segment
    )


def cost_metrics(size, milliseconds, seed):
    generator = random.Random(seed)
    times = [milliseconds / 1000 * generator.lognormvariate(0, 0.08) for _ in range(80)]
    speeds = [16 / time for time in times]
    rate = mean_interval(speeds)
    return [
        Metric("latency/request_seconds", *_first(quantile_interval(times, 0.5)), 80),
        Metric("latency/p95_seconds", *_first(quantile_interval(times, 0.95)), 80),
        Metric("latency/decode_tokens_per_second", rate[0], "tokens/s", "higher", rate[1], rate[2], 80),
        Metric("latency/peak_memory_bytes", size * 3.0, "bytes", "lower", size * 3.0, size * 3.0, 1),
        Metric("size/bytes_on_disk", float(size), "bytes", "lower", float(size), float(size), 1),
        Metric("size/parameters", 2_457_600.0, "parameters", "lower", 2_457_600.0, 2_457_600.0, 1),
    ]


def _first(triple):
    return triple[0], "seconds", "lower", triple[1], triple[2]


class Sweep:
    """Writes one sweep folder, run by run."""

    def __init__(self, folder: Path, name="demo", model="tiny", more_runs=()):
        self.folder, self.name, self.model, self.ids, self.more = (
            folder / name,
            name,
            model,
            [],
            list(more_runs),
        )
        self.folder.mkdir(parents=True)

    def run(
        self,
        varied,
        *,
        skill=0.5,
        size=9_830_400,
        milliseconds=9.2,
        seed=0,
        status="done",
        baseline=False,
        extra=(),
        **changes,
    ):
        values = [
            re.sub(r"[^a-z0-9]+", "", value) or "none" for key, value in varied.items() if key != "seed"
        ]
        ident = "-".join(["baseline"] if baseline else values)[:60] + (
            f"-s{seed}" if "seed" in varied else ""
        )
        folder = self.folder / ident
        (folder / "evaluations").mkdir(parents=True)
        self.ids.append(ident)
        write_json(folder / "run.json", self._run(ident, varied, seed, baseline) | changes)
        append_event(folder / "events.jsonl", "run_started", run=ident)
        self._curves(folder, varied, seed)
        self._sweep()
        if status == "unfinished":
            return folder
        rows = bench_rows(skill, f"{seed} {ident}")
        write_rows(folder / "evaluations" / "bench.jsonl", rows)
        write_rows(folder / "evaluations" / "latency.jsonl", [])
        metrics = (
            []
            if status == "failed"
            else [*bench_metrics(rows), *cost_metrics(size, milliseconds, f"{seed} {ident}"), *extra]
        )
        write_json(folder / "result.json", self._result(varied, status, size, metrics))
        return folder

    def _run(self, ident, varied, seed, baseline):
        host = {
            "name": "bench-01",
            "platform": "Linux x86_64",
            "cpu": "An 8-core CPU",
            "cores": 8,
            "gpu": None,
        }
        versions = {
            "ptx": "0.1.0",
            "torch": "2.13.0",
            "transformers": "5.17.0",
            "trl": "1.16.0",
            "python": "3.11.9",
        }
        model = {"name": self.model, "path": "models/tiny", "digest": digest_of(self.model)}
        return {
            "schema": 1,
            "id": ident,
            "label": "baseline" if baseline else " ".join(f"{k}={v}" for k, v in varied.items()),
            "verb": "train",
            "sweep": self.name,
            "created": "2026-03-01T10:00:00+00:00",
            "command": "ptx train -m method=sft,dpo,kto,grpo 'compress=[],[sparsegpt],[gptq]'",
            "overrides": [f"{k}={v}" for k, v in varied.items()],
            "varied": varied,
            "baseline": baseline,
            "config": self._config(varied, seed, baseline),
            "model": model | {"parameters": 2_457_600, "bytes": 9_830_400, "dtype": "float32"},
            "data": {"name": "tiny", "digest": digest_of("data")},
            "seed": seed,
            "device": "cpu",
            "host": host,
            "versions": versions,
            "steps": self._steps(varied, 0),
            "evaluations": [{"name": "bench", "key": digest_of(ident), "config": {}}],
        }

    def _config(self, varied, seed, baseline):
        config = {
            "model": {"choice": self.model},
            "runtime": {"choice": "hf"},
            "eval": {"bench": {"tasks": ["t"]}, "latency": {}},
            "seed": seed,
            "out": "ptx-out",
        }
        method = {"choice": varied.get("method"), "learning_rate": 0.0005, "lora": None}
        names = [name for name in varied.get("compress", "").strip("[]").split(",") if name]
        others = {key: value for key, value in varied.items() if key not in ("seed", "method", "compress")}
        return config | {
            "method": None if baseline else method,
            "compress": {} if baseline else {name: {"choice": name, "bits": 4} for name in names},
            "varied": others,
        }

    def _curves(self, folder, varied, seed):
        if "method" not in varied:
            return
        generator = random.Random(f"{seed} {varied}")
        for step in range(1, 41):
            metrics = {
                "loss": 2.2 * math.exp(-step / 12) + 0.4 + generator.gauss(0, 0.04),
                "learning_rate": 1e-3 / step,
            }
            if varied["method"] == "grpo":
                metrics["reward"] = 1 - math.exp(-step / 15) + generator.gauss(0, 0.05)
            append_event(
                folder / "events.jsonl", "log", step=step, total=40, metrics=metrics, label=varied["method"]
            )

    def _steps(self, varied, size):
        steps, chain = [], []
        for kind, name in [
            ("train", varied.get("method")),
            *(("compress", c) for c in varied.get("compress", "").strip("[]").split(",")),
        ]:
            if name:
                shared = kind == "train" and varied.get("compress", "[]") != "[]"
                chain.append(name)
                others = {key: value for key, value in varied.items() if key not in ("method", "compress")}
                step = {
                    "name": name,
                    "kind": kind,
                    "key": digest_of([chain, others]),
                    "shared": shared,
                    "seconds": 31.5 if kind == "train" else 4.25,
                }
                steps.append(
                    step | {"bytes": size if kind == "compress" else 9_830_400, "metrics": {"loss": 0.41}}
                )
        return steps

    def _result(self, varied, status, size, metrics):
        steps = self._steps(varied, size)
        chain = [step["name"] for step in steps]
        trace = (
            'Traceback (most recent call last):\n  File "plugins/ptx_dpo/train.py", line 77, in train\n   '
            " raise StepError(text)\nptx.errors.StepError: loss"
        )
        error = (
            {"type": "StepError", "message": f"loss is nan at step 12 {NASTY[:60]}", "traceback": trace}
            if status == "failed"
            else None
        )
        result = {
            "schema": 1,
            "status": status,
            "started": "2026-03-01T10:00:00+00:00",
            "finished": "2026-03-01T10:01:12+00:00",
            "seconds": 72.4,
            "error": error,
        }
        evaluations = [
            {
                "name": name,
                "key": digest_of([name, chain]),
                "shared": False,
                "seconds": 6.0,
                "rows": f"evaluations/{name}.jsonl",
            }
            for name in ("bench", "latency")
        ]
        return result | {
            "steps": steps,
            "model": {
                "path": "store/steps/abc",
                "digest": "abc",
                "kind": "full",
                "bytes": size,
                "runtime": "hf",
            },
            "evaluations": evaluations,
            "metrics": [asdict(metric) | {"evaluator": _evaluator(metric.name)} for metric in metrics],
        }

    def _sweep(self):
        axes = {"method": list(METHODS), "compress": list(COMPRESSIONS)}
        head = {
            "schema": 1,
            "name": self.name,
            "verb": "train",
            "command": "ptx train -m ...",
            "created": "2026-03-01T10:00:00+00:00",
        }
        write_json(self.folder / "sweep.json", head | {"axes": axes, "runs": [*self.ids, *self.more]})


def _evaluator(name):
    group = name.partition("/")[0]
    return "latency" if group == "size" else group


def write_demo(folder, **options):
    """Baseline + 4 methods x 3 compressions."""
    sweep = Sweep(folder, **options)
    sweep.run({}, skill=0.42, baseline=True)
    for method, gain in METHODS.items():
        for compress, (loss, size, milliseconds) in COMPRESSIONS.items():
            sweep.run(
                {"method": method, "compress": compress},
                skill=0.42 + gain + loss,
                size=size,
                milliseconds=milliseconds,
            )
    return sweep
