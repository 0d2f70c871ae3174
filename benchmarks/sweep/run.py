"""The same sweep by ptx and by plain scripts, in one sitting: wall time, and whether the metrics agree.

    python benchmarks/sweep/run.py --to sweep-bench --sizes 6,24          add 96 for the whole growth

A sweep is methods (sft, dpo, kto, grpo) x compressions (none, sparsegpt, gptq) x seeds, every model measured
by two evaluators: lm-eval on the embedded model's tasks, and words per greedy answer. 6 runs are two methods
and one seed, 24 four methods and two seeds, 96 eight seeds. The scripts (``cell.py``) are one process per
cell, as people write them: every cell trains, compresses and evaluates. ptx takes the runs in its own process
(``--workers 0``), from an empty store, report included. Both get the same model folder, data, trainer
arguments, calibration rows and tasks, and are given one thread. For each size the first half of the cells is
scripted, then ptx runs, then the other half, so that a machine that drifts drifts for both.

Beside the wall time stands the CPU time of each way, which a busy machine changes less. ``own compute`` is
the sum of the seconds that the distinct steps and evaluations took according to ptx's records; an import
happens inside the first step that needs the library and counts there.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import resource
import subprocess
import sys
import time
from pathlib import Path

from ptx import get_host
from ptx.files import cache_folder

QUESTIONS = ["What is 3 + 4?", "Which is larger: 12 or 21?", "Say hello.", "What is 9 - 5?"]
PTXFILE = f'''\
"""Words per answer: a second evaluator."""

from dataclasses import dataclass

import ptx
from ptx.stats import mean_interval

QUESTIONS = {QUESTIONS!r}


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
    chats = [[{{"role": "user", "content": question}}] for question in QUESTIONS]
    apply = lm.tokenizer.apply_chat_template
    prompts = [apply(chat, tokenize=False, add_generation_prompt=True) for chat in chats]
    words = [float(len(answer.split())) for answer in lm.generate(prompts, max_new_tokens=16)]
    mean, low, high = mean_interval(words)
    pairs = zip(QUESTIONS, words)
    rows = [{{"item": q, "scores": {{"brevity/words": n}}, "segments": {{}}}} for q, n in pairs]
    return ptx.Evaluation([ptx.Metric("brevity/words", mean, "words", "lower", low, high, len(words))], rows)
'''
GRPO = "defaults: [grpo]\nrewards: [length]\nmax_completion_length: 24\n"
COMPRESSIONS = ["", "sparsegpt", "gptq"]
SIZES = {
    6: (["sft", "dpo"], 1),
    24: (["sft", "dpo", "kto", "grpo"], 2),
    96: (["sft", "dpo", "kto", "grpo"], 8),
}
RATE, BATCH = 1e-4, 16


def main() -> int:
    """Measure all sizes and print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--to", type=Path, default=Path("sweep-bench"), help="working folder, new")
    parser.add_argument("--sizes", default="6,24", help="of 6, 24 and 96, comma-separated")
    parser.add_argument("--steps", type=int, default=20, help="optimizer steps of a training")
    parser.add_argument("--rows", type=int, default=128, help="rows of data per shape, calibration too")
    parser.add_argument("--limit", type=int, default=50, help="items per task")
    parser.add_argument(
        "--workers", type=int, default=0, help="of ptx; the scripts always run one after the other"
    )
    options = parser.parse_args()
    os.environ |= {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}
    host = get_host()
    inputs = {
        group: host.first(
            "ptx_resolve", value=host.choices[group, "tiny"].config_type(), cache=cache_folder()
        )
        for group in ("model", "data")
    }
    options.to.mkdir(parents=True)
    os.chdir(options.to)
    Path("ptxfile.py").write_text(PTXFILE)
    Path("conf/method").mkdir(parents=True)
    Path("conf/method/brief.yaml").write_text(GRPO)
    lines = [
        measured(int(size), options, {name: str(path) for name, path in inputs.items()})
        for size in options.sizes.split(",")
    ]
    table = [
        (
            "runs  scripts s  ptx s  ptx / scripts  own compute s  ptx / own compute  scripts CPU s  ptx CPU"
            " s  ratio"
        ),
        *lines,
    ]
    print("\n".join(table))
    Path("table.txt").write_text("\n".join(table) + "\n")
    return 0


def measured(size: int, options: argparse.Namespace, inputs: dict[str, str]) -> str:
    """Measure one size both ways; returns its line of the table."""
    methods, seeds = SIZES[size]
    cells = list(itertools.product(methods, COMPRESSIONS, range(seeds)))
    half = len(cells) // 2
    first = [scripted(cell, size, options, inputs) for cell in cells[:half]]
    wall, busy = swept(size, methods, seeds, options, inputs)
    times = [*first, *(scripted(cell, size, options, inputs) for cell in cells[half:])]
    scripts, scripts_busy = (sum(column) for column in zip(*times, strict=True))
    runs = Path(f"ptx-{size}") / "runs" / "bench"
    own = own_compute(runs)
    agree(size, cells, runs)
    walls = (
        f"{size:>4}  {scripts:>9.1f}  {wall:>5.1f}  {wall / scripts:>13.3f}  {own:>13.1f} "
        f" {wall / own:>17.3f}"
    )
    return f"{walls}  {scripts_busy:>13.1f}  {busy:>9.1f}  {busy / scripts_busy:>5.3f}"


def scripted(
    cell: tuple[str, str, int], size: int, options: argparse.Namespace, inputs: dict[str, str]
) -> tuple[float, float]:
    """Run one cell by the plain script; returns its wall seconds and CPU seconds."""
    method, compression, seed = cell
    folder = Path(f"scripts-{size}") / "-".join(map(str, cell))
    folder.mkdir(parents=True)
    given = {
        "method": method,
        "compression": compression,
        "seed": seed,
        **inputs,
        "out": str(folder),
        "result": str(folder / "metrics.json"),
        "steps": options.steps,
        "rows": options.rows,
        "limit": options.limit,
        "learning_rate": RATE,
        "batch_size": BATCH,
        "questions": QUESTIONS,
    }
    return timed(
        [sys.executable, str(Path(__file__).resolve().with_name("cell.py")), json.dumps(given)],
        folder / "log",
    )


def swept(
    size: int, methods: list[str], seeds: int, options: argparse.Namespace, inputs: dict[str, str]
) -> tuple[float, float]:
    """Run the whole sweep by ptx, from an empty store; returns its wall seconds and CPU seconds."""
    names = ",".join("brief" if method == "grpo" else method for method in methods)
    words = [
        f"model={inputs['model']}",
        f"data={inputs['data']}",
        f"method={names}",
        "compress=[],[sparsegpt],[gptq]",
        f"seed={','.join(map(str, range(seeds)))}",
        "scorer.length.words=3",
        f"method.max_steps={options.steps}",
        f"method.batch_size={BATCH}",
        f"method.learning_rate={RATE}",
        f"data.limit={options.rows}",
        "eval=[bench,brevity]",
        f"eval.bench.limit={options.limit}",
        "baseline=false",
        "name=bench",
        f"out=ptx-{size}",
        "device=cpu",
        f"workers={options.workers}",
        "threads=1",
    ]
    return timed([sys.executable, "-m", "ptx", "train", "-m", *words], Path(f"ptx-{size}.log"))


def timed(command: list[str], log: Path) -> tuple[float, float]:
    """Run a command to its end; returns its wall seconds and CPU seconds."""
    before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    with log.open("w") as out:
        subprocess.run(command, check=True, stdout=out, stderr=out)
    seconds, after = time.perf_counter() - started, resource.getrusage(resource.RUSAGE_CHILDREN)
    busy = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    print(f"{seconds:7.1f} s  {busy:6.1f} CPU s  {log}", flush=True)
    return seconds, busy


def results_of(runs: Path) -> dict[tuple[str, str, int], dict]:
    """Return cell -> its result; a cell is named by its swept values."""
    found = {}
    for path in runs.glob("*/run.json"):
        varied = json.loads(path.read_text())["varied"]
        method = varied["method"].replace("brief", "grpo")
        found[method, varied["compress"].strip("[]"), int(varied.get("seed", 0))] = json.loads(
            (path.parent / "result.json").read_text()
        )
    return found


def own_compute(runs: Path) -> float:
    """Return the seconds of the distinct steps and evaluations."""
    parts = [
        part for result in results_of(runs).values() for part in (*result["steps"], *result["evaluations"])
    ]
    return sum({part["key"]: part["seconds"] for part in parts}.values())


def agree(size: int, cells: list[tuple[str, str, int]], runs: Path) -> None:
    """Print how many metrics of the two ways are equal, and the largest difference."""
    results, differences = results_of(runs), []
    for cell in cells:
        theirs = json.loads((Path(f"scripts-{size}") / "-".join(map(str, cell)) / "metrics.json").read_text())
        ours = {
            metric["name"]: metric["value"] for metric in results[cell]["metrics"] if not metric["segment"]
        }
        for name, value in theirs.items():
            task, _, key = name.partition("/")
            metric, _, chosen = key.partition(",")
            known = [f"bench/{task}/{metric}.{chosen}", f"bench/{task}/{metric}", name]
            mine = next((ours[one] for one in known if one in ours), None)
            if mine is not None:
                differences.append((abs(mine - value), name, cell))
    equal = sum(difference == 0 for difference, *_ in differences)
    print(
        f"{size} runs: {equal} of {len(differences)} metrics are equal; largest differences:"
        f" {sorted(differences)[-3:]}",
        flush=True,
    )


if __name__ == "__main__":
    sys.exit(main())
