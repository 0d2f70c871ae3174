"""``ptx train``, ``ptx make``, ``ptx compress`` and ``ptx eval``: compose, plan, run, report."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

from ptx.cli.parser import Parser
from ptx.compose.jobs import Job, compose_jobs
from ptx.errors import ConfigError, Problem
from ptx.hooks.host import Host, get_host

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
    host = get_host()
    warn_of_broken(host)
    if options.cfg:
        return _print_configs(host, _jobs(host, verb, options))
    from ptx.cli import running
    from ptx.cli.console import PLANNING, Terminal
    from ptx.execute.cluster import check_cluster

    terminal = Terminal()
    with terminal.waiting(PLANNING):
        jobs = _jobs(host, verb, options)
    check_recipe(verb, jobs)
    check_cluster(jobs)
    set_threads(jobs[0].config.threads)
    return running.run(host, verb, jobs, terminal, arguments, options)


def _jobs(host: Host, verb: str, options: argparse.Namespace) -> list[Job]:
    return compose_jobs(
        host, verb, options.overrides, multirun=options.multirun, config_dir=options.config_dir
    )


def _parser(verb: str) -> argparse.ArgumentParser:
    parser = Parser(
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
