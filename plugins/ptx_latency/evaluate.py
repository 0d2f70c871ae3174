"""Start the process that measures, and collect its results. Imports no ML library."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import IO, Any

from ptx import Evaluation, ModelRef, Run, StepError
from ptx.files import read_json, write_json
from ptx.guard.children import start_child
from ptx.lm.load import environment
from ptx.stats.items import item_ids, latency_column
from ptx_latency import Latency
from ptx_latency.metrics import REQUEST, Turn, cost, in_turns, observed, scores_of, sizes, timed

THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "MKL_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "NUMEXPR_NUM_THREADS",
)
SHOWN = 15  # lines of a crashed child's stderr in the error


def evaluate(run: Run, evaluator: Latency, model: ModelRef, baseline: ModelRef | None = None) -> Evaluation:
    """Measure ``model`` in a fresh process, in turns with ``baseline`` on the baseline's runtime.

    Raises:
        StepError: the process failed.
    """
    beside = baseline if evaluator.turns else None
    with tempfile.TemporaryDirectory(prefix="ptx-latency-") as folder:
        spec, out = Path(folder, "spec.json"), Path(folder, "out.json")
        write_json(spec, specification(run, evaluator, model, beside))
        call_child(run, evaluator, [str(spec), str(out)])
        found = read_json(out)
    if found["emulated"]:
        return untimed(run, model, found["emulated"])
    if found["beside_emulated"]:
        run.say(f"not compared with the baseline: {found['beside_emulated']}")
    if found["queue"]:
        run.say(
            "this runtime answers one request at a time; the others wait in a queue, and that is part of"
            " their time"
        )
    turns = found["turns"]
    work = (evaluator.prompt_tokens, evaluator.new_tokens, evaluator.batch_size, evaluator.concurrency)
    names = item_ids("request", [work] * len(turns))
    rows = [row_of(evaluator, name, turn) for name, turn in zip(names, turns, strict=True)]
    for row, turn in zip(rows, found["beside"], strict=False):
        row["beside"] = scores_of(evaluator, turn)
    return Evaluation(
        [
            *in_turns(rows),
            *timed(evaluator, turns, run.seed),
            *cost(evaluator, rows),
            *observed(found),
            *sizes(model),
        ],
        rows,
    )


def row_of(config: Latency, name: str, turn: Turn) -> dict[str, Any]:
    """A turn's row in the item table; with several clients also the seconds of each request."""
    scores = scores_of(config, turn)
    row = {"item": name, "scores": scores, "segments": {}} | latency_column(scores[REQUEST])
    return (
        row
        if config.concurrency == 1
        else row | {"requests": [first + rest for _, first, rest in turn["requests"]]}
    )


def untimed(run: Run, model: ModelRef, reason: str) -> Evaluation:
    """The evaluation of an artifact that this runtime only emulates: its size and the reason, no time."""
    run.say(f"time and memory are not measured: {reason}")
    return Evaluation(
        sizes(model),
        [{"item": "latency", "scores": {}, "segments": {}, "status": "emulated", "reason": reason}],
    )


def specification(run: Run, config: Latency, model: ModelRef, beside: ModelRef | None) -> dict[str, Any]:
    """Everything that the child must know, as JSON; it shares nothing else with this process."""
    return {
        **runtime_of(run),
        "decode": run.host.choice_of(run.config.decode).name if run.config.decode else None,
        "decode_config": asdict(run.config.decode) if run.config.decode else {},
        "model": by_value(model),
        "beside": by_value(beside) | runtime_of(run.of_baseline()) if beside else None,
        "device": run.device,
        **asdict(config),
    }


def runtime_of(run: Run) -> dict[str, Any]:
    """The run's runtime, by name and settings."""
    return {
        "runtime": run.host.choice_of(run.config.runtime).name,
        "runtime_config": asdict(run.config.runtime),
    }


def by_value(model: ModelRef) -> dict[str, Any]:
    """A reference as JSON."""
    return {"path": str(model.path.resolve()), "digest": model.digest, "kind": model.kind}


def call_child(run: Run, config: Latency, arguments: list[str]) -> None:
    """Run the child to its end and show its progress; it is killed if this process is interrupted.

    Raises:
        StepError: the child failed; the text holds the end of its stderr.
    """
    threads = dict.fromkeys(THREAD_VARIABLES, str(config.threads))
    env = {
        **os.environ,
        **environment(),
        **threads,
        "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
    }
    command = [sys.executable, "-m", "ptx_latency.child", *arguments]
    with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as stderr:
        child = start_child(
            lambda: subprocess.Popen(
                command, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=stderr, text=True
            )
        )
        try:
            assert child.stdout is not None  # a pipe was asked for
            with child.stdout as lines:
                for line in lines:
                    show(run, line, config.warmup + config.repeats)
            code = child.wait()
        finally:
            child.kill()  # after Ctrl-C or an error here the child must not keep computing
            child.wait()
        if code:
            raise StepError(
                f"the process that measures latency ended with exit code {code}:\n{last_lines(stderr)}"
            )


def show(run: Run, line: str, total: int) -> None:
    """Log progress from a child's line ``request N SECONDS``; other output of libraries is ignored."""
    words = line.split()
    if len(words) == 3 and words[0] == "request":
        run.log({"request_seconds": float(words[2])}, int(words[1]), total)


def last_lines(stderr: IO[str]) -> str:
    """The end of the child's stderr."""
    stderr.seek(0)
    return "\n".join(stderr.read().splitlines()[-SHOWN:]) or "(it wrote nothing; out of memory?)"
