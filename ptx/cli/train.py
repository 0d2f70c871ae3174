"""``ptx train``, ``ptx make``, ``ptx compress`` and ``ptx eval``: compose, plan, run, report."""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, nullcontext

from ptx.cli.console import PLANNING, Terminal
from ptx.cli.human import numbers_of
from ptx.compose.jobs import Job, compose_jobs
from ptx.config import RunConfig
from ptx.errors import ConfigError, Problem, counted
from ptx.execute.occupied import idle_share
from ptx.execute.sweep import Outcome, run_sweep, sweep_lock, write_step_counts
from ptx.files import read_json
from ptx.hooks.host import Host, get_host
from ptx.plan.forecast import Forecast
from ptx.plan.plan import SweepPlan, command_line

DESCRIPTIONS = {
    "train": (
        "Train a model, then compress and evaluate it.\n`ptx plugins` lists the choices of each group, and"
        " `ptx plugins NAME` the fields of a choice."
    ),
    "make": "Make a dataset with a model: sample, judge, rewrite or select; nothing is trained.",
    "compress": "Compress a model and evaluate the result; nothing is trained.",
    "eval": "Evaluate a model; nothing is trained or compressed.",
}

WORDS = {
    "train": "choices and fields: method=dpo method.beta=0.2 model=./folder data=./file.jsonl seed=1",
    "make": "choices and fields: make=sample make.n=8 model=./folder data=./prompts.jsonl",
    "compress": "choices and fields: model=./folder data=./file.jsonl compress=[gptq] compress.gptq.bits=4",
    "eval": "choices and fields: model=./folder eval=[bench,latency] runtime=onnx",
}

EXAMPLES = {
    "train": """\
examples:
  ptx train method=dpo model=tiny data=tiny_pairs
  ptx train method=sft lora=lora method.lora.r=16 model=./my-folder data=./my.jsonl
  ptx train method=sft method.max_steps=100 method.args.neftune_noise_alpha=5
  ptx train -m method=sft,dpo,kto,grpo 'compress=[],[sparsegpt]' eval=[bench,latency]
  ptx train -m method=dpo method.beta=0.05,0.1,0.5 'seed=range(0,3)'
  ptx train method=sft --dry-run""",
    "make": """\
examples:
  ptx make make=sample make.keep=pairs model=./my-folder data=./prompts.jsonl
  ptx make make=sample make.n=1 make.temperature=0 make.scorer=null model=./teacher data=./prompts.jsonl
  ptx make make=select make.by=length data=./my.jsonl
  ptx check data=ptx-out/runs/SWEEP/RUN/sample      look at what was made
  ptx train method=dpo data=ptx-out/runs/SWEEP/RUN/sample""",
    "compress": """\
examples:
  ptx compress model=./my-folder data=./calibration.jsonl 'compress=[gptq]'
  ptx compress -m model=tiny 'compress=[sparsegpt]' compress.sparsegpt.sparsity=0.3,0.5,0.7""",
    "eval": """\
examples:
  ptx eval model=tiny
  ptx eval model=./my-folder eval=[bench,latency] 'eval.bench.tasks=[./my-tasks]'
  ptx eval -m model=./a,./b eval=[latency]""",
}


def main(verb: str, arguments: Sequence[str]) -> int:
    """Run the verb; returns the exit code."""
    options = _parser(verb).parse_intermixed_args(list(arguments))
    from ptx.execute.cluster import check_cluster

    host = get_host()
    warn_of_broken(host)
    terminal = Terminal()
    with nullcontext() if options.cfg else terminal.waiting(PLANNING):
        jobs = compose_jobs(
            host, verb, options.overrides, multirun=options.multirun, config_dir=options.config_dir
        )
    if options.cfg:
        return _print_configs(host, jobs)
    check_recipe(verb, jobs)
    check_cluster(jobs)
    set_threads(jobs[0].config.threads)
    with terminal:
        forecast = planned(host, verb, jobs, terminal, command_line([verb, *arguments]))
        if options.dry_run:
            return _show(forecast.plan, terminal)
        with sweep_lock(forecast.plan, terminal):
            outcome, idle = carried_out(forecast, jobs[0].config, terminal, options)
            return _conclude(forecast.plan, outcome, terminal, idle)


def _parser(verb: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        f"ptx {verb}",
        description=DESCRIPTIONS[verb],
        epilog=EXAMPLES[verb],
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "overrides",
        nargs="*",
        metavar="key=value",
        help=WORDS[verb],
    )
    parser.add_argument(
        "-m", "--multirun", action="store_true", help="run every combination of the listed values"
    )
    parser.add_argument("--cfg", choices=["job"], help="print the composed configuration, and run nothing")
    parser.add_argument(
        "--dry-run", action="store_true", help="check everything, print the plan, and run nothing"
    )
    parser.add_argument(
        "--config-dir", metavar="DIR", help="a folder of YAML choices that comes before all others"
    )
    parser.add_argument("--fail-fast", action="store_true", help="stop after the first run that fails")
    parser.add_argument(
        "--retry-failed",
        action="store_true",
        help="also run those runs of a sweep again that failed in an earlier command",
    )
    return parser


def warn_of_broken(host: Host) -> None:
    """Print which plugins could not be loaded."""
    for plugin in host.broken:
        if "PTX_DISABLE" not in plugin.error:
            print(
                f"ptx: plugin {plugin.name} ({plugin.origin}) is not loaded: {plugin.error}", file=sys.stderr
            )


def check_recipe(verb: str, jobs: Sequence[Job]) -> None:
    """Check that the steps suit the verb.

    Raises:
        ConfigError: they do not; all problems together.
    """
    problems = []
    for job in jobs:
        config = job.config
        if verb == "train" and config.method is None and not config.recipe:
            problems.append(
                Problem(
                    "ptx train needs a method or a recipe", "method=sft, or use `ptx compress` or `ptx eval`"
                )
            )
        if verb == "make" and config.make is None:
            problems.append(Problem("ptx make needs a maker", "make=sample"))
        if verb not in ("make", "train") and config.make is not None:
            problems.append(Problem(f"ptx {verb} makes no data, but make= is given", "use `ptx make`"))
        if verb != "train" and (config.method is not None or config.recipe):
            problems.append(
                Problem(f"ptx {verb} trains nothing, but a method or recipe is given", "use `ptx train`")
            )
        if verb == "compress" and not config.compress:
            problems.append(Problem("ptx compress needs a compressor", "compress=[gptq]"))
        if verb in ("eval", "make") and config.compress:
            problems.append(
                Problem(f"ptx {verb} compresses nothing, but compress= is given", "use `ptx compress`")
            )
        if config.launch is not None and config.launch.kinds and verb not in config.launch.kinds:
            problems.append(
                Problem(f"launch= is given, and no step of ptx {verb} runs there", "leave it out")
            )
    if problems:
        raise ConfigError(problems)


def set_threads(threads: int) -> None:
    """Set the CPU threads of this process and its children; call it before torch is imported."""
    if threads:
        for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS"):
            os.environ[name] = str(threads)


def _print_configs(host: Host, jobs: Sequence[Job]) -> int:
    from omegaconf import OmegaConf

    from ptx.plan.serialize import plain

    for number, job in enumerate(jobs):
        if len(jobs) > 1:
            print(f"# job {number}: {' '.join(job.overrides)}")
        print(OmegaConf.to_yaml(OmegaConf.create(plain(job.config, host))), end="")
    return 0


def planned(host: Host, verb: str, jobs: Sequence[Job], terminal: Terminal, command: str) -> Forecast:
    """Make the plan of some jobs, and print it with its forecast.

    Raises:
        ConfigError: with every problem; no weight was loaded.
    """
    from ptx.plan.planner import make_plan

    with terminal.waiting(PLANNING):
        plan = make_plan(host, verb, jobs, command)
    for note in plan.notes:
        terminal.say(note)
    terminal.say(describe(plan))
    forecast = Forecast(plan, host)
    for line in forecast.lines():
        terminal.say(line)
    return forecast


def _show(plan: SweepPlan, terminal: Terminal) -> int:
    """Print the runs of a plan; returns the exit code."""
    for run in plan.runs:
        chain = " → ".join([str(run.model.path.name), *(step.name for step in run.steps)])
        terminal.say(
            f"  {run.id}: {chain}; measured by {', '.join(m.name for m in run.evaluations) or 'nothing'}"
        )
    return 0


def carried_out(
    forecast: Forecast, config: RunConfig, terminal: Terminal, manner: argparse.Namespace
) -> tuple[Outcome, float | None]:
    """Execute a plan; returns how its runs have ended, and the idle share of its workers."""
    began = time.time()
    outcome = _run_plan(forecast, config, terminal, manner)
    return outcome, _idle(forecast.plan, config, began)


def _idle(plan: SweepPlan, config: RunConfig, began: float) -> float | None:
    """The idle share of this command's workers; None where it has none on this machine."""
    if not config.workers or config.cluster is not None:
        return None
    return idle_share([plan.folder / run.id for run in plan.runs], config.workers, began, time.time())


def _run_plan(
    forecast: Forecast, config: RunConfig, terminal: Terminal, options: argparse.Namespace
) -> Outcome:
    """Execute the runs in this process, in workers or on a cluster, and show the state of a sweep."""
    from ptx.cli.board import Board
    from ptx.execute.cluster import run_on_cluster
    from ptx.execute.pool import run_in_workers

    plan, host = forecast.plan, forecast.host
    manner = {"fail_fast": options.fail_fast, "retry_failed": options.retry_failed or not plan.is_sweep}
    with ExitStack() as shown:
        if plan.is_sweep:
            parallel = None if config.cluster is not None else max(config.workers, 1)
            seconds = {key: found.seconds for key, found in forecast.expected.items() if found}
            board = Board(plan, parallel, retry_failed=manner["retry_failed"], expected=seconds)
            shown.enter_context(terminal.watching(board))
        if config.cluster is not None:
            return run_on_cluster(plan, host, terminal, config, **manner)
        if config.workers:
            return run_in_workers(plan, host, terminal, config.workers, threads=config.threads, **manner)
        return run_sweep(plan, host, terminal, **manner)


def _conclude(plan: SweepPlan, outcome: Outcome, terminal: Terminal, idle: float | None) -> int:
    """Print how the runs have ended, and write the report; returns the exit code."""
    if outcome.kept:
        terminal.say(f"{outcome.kept} of {len(plan.runs)} runs were done already and are kept")
    for name, message in outcome.failed:
        terminal.say(f"failed: {name}: {message}")
    for name, message in outcome.left:
        terminal.say(f"failed earlier: {name}: {message}")
    if outcome.left:
        number = (
            f"{len(outcome.left)} runs that failed earlier are"
            if len(outcome.left) > 1
            else "the run that failed earlier is"
        )
        terminal.say(f"{number} not run again; the same command with --retry-failed tries again")
    if outcome.interrupted:
        raise KeyboardInterrupt
    failed = bool(outcome.failed or outcome.left)
    if outcome.waiting:
        terminal.say(
            f"{outcome.done} runs have ended, {outcome.waiting} are on the cluster; the same command again"
            " collects their results"
        )
        return 1 if failed else 0
    counts = write_step_counts(plan, idle)
    terminal.say(
        f"steps: {counts['steps_asked']} asked for, {counts['steps_ran']} ran,"
        f" {counts['steps_shared']} shared; evaluations: {counts['evaluations_asked']} asked for,"
        f" {counts['evaluations_ran']} ran, {counts['evaluations_shared']} shared"
    )
    if idle is not None:
        terminal.say(f"workers: {idle:.0%} of their time without a run")
    for line in made_by(plan):
        terminal.say(line)
    return finish(plan, terminal, failed=failed)


def made_by(plan: SweepPlan) -> Iterator[str]:
    """A line for each dataset that the runs have made: where it is, and its numbers."""
    for folder in [plan.folder / run.id for run in plan.runs]:
        result = read_json(folder / "result.json") if (folder / "result.json").is_file() else {}
        for step in result.get("steps") or []:
            if step["kind"] == "make":
                numbers = "  ".join(f"{name} {value:.4g}" for name, value in numbers_of(step["metrics"]))
                yield f"data     {folder / step['name']}\n         {numbers}"


def finish(plan: SweepPlan, terminal: Terminal, *, failed: bool) -> int:
    """Write the report of a sweep, and give it to the trackers; returns the exit code."""
    from ptx.cli import report

    folder = plan.folder
    report.write([folder], folder / "report", terminal.rich)
    report.publish(plan.runs[0].config, folder, terminal.rich)
    terminal.say(f"records  {folder}")
    return 1 if failed else 0


def describe(plan: SweepPlan) -> str:
    """Describe a plan in one line: its runs, its steps, and how many of them are in the store."""
    asked = [step for run in plan.runs for step in run.steps]
    distinct = {step.key: step for step in asked}
    stored = sum(plan.store.find(step.identity) is not None for step in distinct.values())
    return (
        f"{counted(len(plan.runs), 'run')}; {counted(len(asked), 'step')} asked for,"
        f" {len(distinct)} distinct, {stored} of them in the store already"
    )
