"""``ptx export``: convert a model to a runtime's format, write it to a folder, and measure what it lost."""

from __future__ import annotations

import argparse
import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ptx.cli.console import PLANNING, Terminal
from ptx.cli.human import size_text
from ptx.cli.parser import Parser
from ptx.cli.train import set_threads, warn_of_broken
from ptx.compose.jobs import Job, compose_jobs
from ptx.errors import ConfigError, Problem
from ptx.execute.sweep import DONE, status_of
from ptx.files import read_json, sync_folder
from ptx.hooks.host import Host, get_host
from ptx.models.package import read_package
from ptx.plan.plan import command_line
from ptx.records import ModelRef

EXAMPLES = """\
examples:
  ptx export model=tiny                                        4 bits for ONNX Runtime, into ./tiny-onnx-int4
  ptx export model=./my-model runtime=onnx runtime.precision=int8
  ptx export model=./my-gptq-model runtime=onnx --to ./serve   keep the checkpoint's integers where possible
  ptx export model=./my-model runtime=gguf runtime.type=q8_0
  ptx eval model=./tiny-onnx-int4 runtime=onnx eval=[latency]  measure the exported model

`ptx plugins onnx` lists the fields of a runtime."""


def main(verb: str, arguments: Sequence[str]) -> int:
    """Export a model; returns the exit code."""
    options = _parser().parse_intermixed_args(list(arguments))
    host = get_host()
    warn_of_broken(host)
    jobs = compose_jobs(host, verb, options.overrides, config_dir=options.config_dir)
    target = Path(options.to or default_name(host, jobs[0]))
    with Terminal() as terminal:
        run = carried_out(host, jobs, target, terminal, command_line([verb, *arguments]))
    return 0 if status_of(run) == DONE else 1


def _parser() -> argparse.ArgumentParser:
    parser = Parser(
        "ptx export",
        description="Convert a model to the format of a runtime, compare it with the model, and write it to a"
        " folder.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "overrides", nargs="*", metavar="key=value", help="model=DIR runtime=NAME runtime.FIELD=..."
    )
    parser.add_argument("--to", metavar="DIR", help="the folder to write; default ./MODEL-RUNTIME-PRECISION")
    parser.add_argument(
        "--config-dir", metavar="DIR", help="a folder of YAML choices that comes before all others"
    )
    return parser


def default_name(host: Host, job: Job) -> str:
    """Return a folder name like ``tiny-onnx-int4``: the model's name, the runtime's, and the precision."""
    runtime = job.config.runtime
    kind = getattr(runtime, "precision", "") or getattr(runtime, "type", "")
    return "-".join(
        part
        for part in (Path(host.name_of(job.config.model)).name, host.choice_of(runtime).name, kind)
        if part
    )


def _check(host: Host, jobs: Sequence[Job], target: Path) -> None:
    config, problems = jobs[0].config, []
    if len(jobs) > 1:
        problems.append(Problem("ptx export writes one package", "export for one runtime at a time"))
    name = host.choice_of(config.runtime).name
    if not config.runtime.exports:
        made = [
            choice.name
            for (group, _), choice in host.choices.items()
            if group == "runtime" and getattr(choice.config_type, "exports", False)
        ]
        problems.append(
            Problem(
                f"runtime={name} serves a model folder as it is; there is nothing to export",
                f"runtime={' or '.join(made)}",
            )
        )
    for group, given in (
        ("method", config.method),
        ("recipe", config.recipe),
        ("compress", config.compress),
        ("eval", config.eval),
    ):
        if given:
            problems.append(
                Problem(
                    f"ptx export takes no {group}",
                    f"ptx train or ptx compress with runtime={name} does all of it in one run",
                )
            )
    if target.exists():
        problems.append(
            Problem(f"{target} exists already", "remove it, or name another folder with --to DIR")
        )
    if problems:
        raise ConfigError(problems)


def carried_out(host: Host, jobs: Sequence[Job], target: Path, terminal: Terminal, command: str) -> Path:
    """Export a model to ``target``; returns the folder of the run, also if that has failed.

    Raises:
        ConfigError: with every problem; no weight was loaded.
    """
    from ptx.execute.sweep import run_sweep
    from ptx.plan.planner import make_plan

    _check(host, jobs, target)
    set_threads(jobs[0].config.threads)
    with terminal.waiting(PLANNING):
        plan = make_plan(host, "export", jobs, command)
    run = plan.runs[0]
    if run.model.kind == "package":
        raise ConfigError(
            Problem(f"{run.model.path} is already exported", "export the model that it was made from")
        )
    folder = plan.folder / run.id
    outcome = run_sweep(plan, host, terminal)
    if outcome.interrupted:
        raise KeyboardInterrupt
    if outcome.failed:
        terminal.say(f"records  {folder}")
        return folder
    write(Path(read_json(folder / "result.json")["model"]["path"]), target)
    for line in summary(run.model, target, distance(folder)):
        terminal.say(line)
    if run.config.runtime.serves:
        terminal.say(
            f"measure it   ptx eval model={_path(target)} runtime={host.choice_of(run.config.runtime).name}"
        )
    return folder


def distance(run: Path) -> dict[str, float]:
    """What the export of a run has measured of its package: size, and distance from the model."""
    found: dict[str, float] = read_json(run / "result.json")["steps"][-1]["metrics"]
    return found


def write(package: Path, target: Path) -> None:
    """Copy a package out of the store; the folder appears complete or not at all."""
    staged = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        shutil.copytree(package, staged)
        staged.rename(target)
    finally:
        shutil.rmtree(staged, ignore_errors=True)
    sync_folder(target.absolute().parent)


def summary(model: ModelRef, target: Path, metrics: dict[str, Any]) -> list[str]:
    """Return the result in lines: size before and after, distance from the model, and how to serve it."""
    package, before = read_package(target), model.bytes
    after = ModelRef(target).bytes
    lines = [f"{target}: {size_text(before)} -> {size_text(after)}, {after / before:.1%} of it"]
    if "kl" in metrics:
        lines.append(
            f"KL to the model {metrics['kl']:.3g} [{metrics['kl_low']:.3g}, {metrics['kl_high']:.3g}] nats"
            f" per token, {metrics['flips']:.2%} [{metrics['flips_low']:.2%}, {metrics['flips_high']:.2%}] of"
            f" {metrics['compared_tokens']:.0f} tokens flip"
        )
    else:
        lines.append(f"unscored: {package.get('unscored', 'no runtime on this machine can load it')}")
    if package.get("requantised"):
        lines.append("the checkpoint's quantized weights were unpacked and rounded a second time")
    elif package.get("way") == "packed":
        lines.append("the checkpoint's integers and scales were kept as they are")
    return lines + (
        [f"serve it     {package['serve'].format(folder=_path(target))}"] if "serve" in package else []
    )


def _path(target: Path) -> str:
    return str(target) if target.is_absolute() or str(target).startswith(".") else f"./{target}"
