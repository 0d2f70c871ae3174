"""Time of ``eval=[bench]`` beside lm-eval's own, for the same model, tasks and batch size, in turns.

    python benchmarks/bench_throughput.py --repeats 8 --limit 100
    python benchmarks/bench_throughput.py --arc ARC-Easy_test.json --shots 5 --repeats 8 --limit 100
    python benchmarks/bench_throughput.py --model DIR --tasks FOLDER --repeats 8 --limit 200

All sides get the model already loaded, in one process and one thread: A is ``lm_eval.evaluator.evaluate``
with ``HFLM``, B is what ``ptx_evaluate`` does for the same tasks, metrics with intervals and rows included,
with ``runtime.prefix_cache=false``, C is B as it is by default. They take turns (A B C, C B A, ...).
``--arc`` makes a multiple-choice task of a file of ARC's questions, whose shortest rows are the examples of
every prompt.

Prints the ratios B / A and C / A of wall and of processor time with the interval of the median, whether B's
scores are A's to the last bit, and how far C's are from them. Exit code 1 when B's are not, when C picks
another answer to more than one item in a hundred, or when B / A of processor times is above 1.05 beyond
noise. The default model and tasks are the embedded ones.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
import tempfile
import time
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TQDM_DISABLE", "1")

MOST, SHIFTED = 1.05, 0.01
ARC = re.compile(
    r"correct answer to the question: (?P<question>.*?)\n\n(?P<choices>Answer1: .*?)\n\nAnswer format",
    re.DOTALL,
)


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", type=Path)
    parser.add_argument("--tasks", nargs="+")
    parser.add_argument("--arc", type=Path, help="a file of ARC questions in the form of LLM-Adapters")
    parser.add_argument("--shots", type=int, default=5, help="examples in a prompt of --arc")
    parser.add_argument("--repeats", type=int, default=8)
    parser.add_argument("--limit", type=int)
    parser.add_argument("--batch-size", type=int, default=64)
    asked = parser.parse_args()

    from ptx import get_host
    from ptx.stats import quantile_interval

    host = get_host()
    cache = Path(tempfile.mkdtemp(prefix="ptx-bench-"))
    model = asked.model or host.first(
        "ptx_resolve", value=host.choices["model", "tiny"].config_type(), cache=cache
    )
    tasks = [str(arc_task(asked.arc, asked.shots, cache))] if asked.arc else asked.tasks
    tasks = tasks or [
        str(
            host.first("ptx_resolve", value=host.choices["data", "tiny"].config_type(), cache=cache) / "tasks"
        )
    ]
    named = sides(host, model, tasks, asked.limit, asked.batch_size, cache)
    for side in named.values():
        side()  # warm
    ratios = {
        (name, clock): [] for name in ("ptx", "ptx with prefix cache") for clock in ("wall", "processor")
    }
    for turn in range(asked.repeats):
        order = list(named) if turn % 2 == 0 else list(named)[::-1]
        found = {name: timed(named[name]) for name in order}
        for (name, clock), values in ratios.items():
            place = ("wall", "processor").index(clock)
            values.append(found[name][place] / found["lm-eval"][place])
        spent = ", ".join(
            f"{name} {found[name][0]:.2f} s ({found[name][1]:.2f} s of processor)" for name in named
        )
        print(f"turn {turn + 1}: {spent}", flush=True)
    intervals = {key: quantile_interval(values, 0.5) for key, values in ratios.items()}
    for (name, clock), (value, low, high) in intervals.items():
        print(
            f"{name} / lm-eval, {clock} time: {value:.3f} [{low:.3f}, {high:.3f}] over {asked.repeats} turns"
        )
    return (
        1 if differing(*(found[name][2] for name in named)) or intervals["ptx", "processor"][1] > MOST else 0
    )


def differing(direct, ours, shared) -> bool:
    """Print how the scores compare; returns whether they differ too much."""
    unequal = {
        name: (value, ours[0].get(name)) for name, value in direct.items() if ours[0].get(name) != value
    }
    print(
        f"{len(direct)} scores of lm-eval, {'all equal in ptx' if not unequal else f'not equal: {unequal}'}"
    )
    picks = [item for item, output in ours[1].items() if shared[1].get(item) != output]
    gaps = {name: shared[0][name] - value for name, value in direct.items() if shared[0][name] != value}
    print(
        f"with the prefix cache {len(picks)} of {len(ours[1])} items are answered otherwise; scores that"
        f" differ: {gaps or 'none'}"
    )
    return bool(unequal) or len(picks) > SHIFTED * len(ours[1])


def arc_task(file, shots, folder):
    """Write an lm-eval task of questions with answers as text; every prompt has the same examples."""
    docs = []
    for row in json.loads(file.read_text(encoding="utf-8")):
        found = ARC.search(row["instruction"])
        choices = [part.strip() for part in re.split(r"Answer\d: ", found["choices"])[1:]] if found else []
        right = int(row["answer"].removeprefix("answer")) - 1
        if right < len(choices):
            docs.append({"question": found["question"].strip(), "choices": choices, "right": right})
    examples = sorted(docs, key=lambda doc: len(doc["question"]) + max(map(len, doc["choices"])))[
        :shots
    ]  # they must fit a small context
    home = folder / "arc"
    home.mkdir()
    for name, part in (("examples", examples), ("items", [doc for doc in docs if doc not in examples])):
        (home / f"{name}.jsonl").write_text("".join(json.dumps(doc) + "\n" for doc in part), encoding="utf-8")
    task = {
        "task": f"arc_{shots}_shots",
        "dataset_path": "json",
        "dataset_kwargs": {
            "data_files": {"test": str(home / "items.jsonl"), "examples": str(home / "examples.jsonl")}
        },
        "test_split": "test",
        "fewshot_split": "examples",
        "fewshot_config": {"sampler": "first_n"},
        "num_fewshot": shots,
        "output_type": "multiple_choice",
        "doc_to_text": "Question: {{question}}\nAnswer:",
        "doc_to_choice": "{{choices}}",
        "doc_to_target": "{{right}}",
        "metric_list": [
            {"metric": name, "aggregation": "mean", "higher_is_better": True} for name in ("acc", "acc_norm")
        ],
    }
    (home / "arc.yaml").write_text(json.dumps(task), encoding="utf-8")
    return home


def timed(side):
    wall, processor = time.perf_counter(), time.process_time()
    found = side()
    return time.perf_counter() - wall, time.process_time() - processor, found


def sides(host, model, tasks, limit, batch_size, folder):
    """Return name -> a function that evaluates the model on the tasks.

    The function of lm-eval returns ``{metric: value}``, the others also ``{item: output}``.
    """
    import torch

    torch.set_num_threads(1)
    from ptx import ModelRef, Run, RunConfig
    from ptx.lm.load import quiet
    from ptx.testing import Silent
    from ptx_bench import Bench
    from ptx_bench.evaluate import evaluate

    quiet()
    runtime = host.choices["runtime", "hf"].config_type(prefix_cache=False)
    sharing = host.choices["runtime", "hf"].config_type()
    lm, shares = (
        host.first("ptx_load", runtime=one, model=ModelRef.of(model), device="cpu")
        for one in (runtime, sharing)
    )
    if shares.prefix_refused:
        raise SystemExit(shares.prefix_refused)
    config = Bench(tasks=tasks, limit=limit, batch_size=batch_size)
    run = Run(
        RunConfig(runtime=runtime), host, Silent(), folder, folder / "events.jsonl", folder, 0, "cpu", "bench"
    )

    def ours(opened):
        found = evaluate(run, config, opened)
        return {metric.name: metric.value for metric in found.metrics if not metric.segment}, {
            row["item"]: row["output"] for row in found.rows
        }

    return {
        "lm-eval": lambda: by_lm_eval(lm, config),
        "ptx": lambda: ours(lm),
        "ptx with prefix cache": lambda: ours(shares),
    }


def by_lm_eval(lm, config):
    """Evaluate with lm-eval's own loop; returns ``{metric: value}``."""
    from lm_eval import evaluator
    from lm_eval.models.huggingface import HFLM

    from ptx_bench.evaluate import load, prepare, wants_template

    found = load(config.tasks)
    prepare(found["tasks"], config)
    values = {}
    for template in (False, True):
        part = {
            name: task for name, task in found["tasks"].items() if wants_template(task, config) is template
        }
        if part:
            made = evaluator.evaluate(
                lm=HFLM(pretrained=lm.model, tokenizer=lm.tokenizer, batch_size=config.batch_size),
                task_dict={"tasks": part, "groups": {}},
                limit=config.limit,
                bootstrap_iters=0,
                log_samples=True,
                apply_chat_template=template,
                fewshot_as_multiturn=True,
            )
            values |= values_of(made)
    return values


def values_of(made):
    """The metrics of lm-eval's results, under the names that ptx gives to them."""
    values = {}
    for task, scores in made["results"].items():
        filters = {sample["filter"] for sample in made["samples"][task]}
        for key, value in scores.items():
            metric, comma, chosen = key.partition(",")
            if comma and "_stderr" not in metric:
                values[f"bench/{task}/{metric}" + (f".{chosen}" if len(filters) > 1 else "")] = value
    return values


if __name__ == "__main__":
    sys.exit(main())
