"""The core plugin: paths as models and data, adapters, steps in other environments, functions of choices.

It also gives the last answer to ``ptx_run`` and ``ptx_fit``. It uses the same hooks as every other plugin; it
is part of the core because no run works without it.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ptx.config import (
    Choice,
    Compressor,
    Data,
    Evaluator,
    Exact,
    Lora,
    Maker,
    Method,
    Model,
    Part,
    RunConfig,
    Runtime,
    Scorer,
    Speed,
    setting,
)
from ptx.data import DataSet
from ptx.errors import Problem
from ptx.execute import launchers
from ptx.hooks.hookspecs import hookimpl
from ptx.hooks.run import Run
from ptx.records import DataRef, Evaluation, ModelRef


@dataclass
class PathModel(Model):
    """A model folder on this machine: ``model=./folder``."""

    path: str = setting(help="the folder")


@dataclass
class PathData(Data):
    """A data file, or a folder with one file per shape: ``data=./my.jsonl``."""

    path: str = setting(help="the file or folder")
    columns: dict[str, str] = setting({}, "canonical column -> the file's column, such as prompt: question")
    shape: str | None = setting(None, "the shape, where the columns fit more than one")


@hookimpl
def ptx_choices() -> list[Choice]:
    """Paths, LoRA, launchers and clusters."""
    return [
        Choice("model", "path", PathModel, "a model folder; written model=./folder"),
        Choice("data", "path", PathData, "a data file or folder; written data=./my.jsonl"),
        Choice("lora", "lora", Lora, "train low-rank adapters instead of all weights"),
        Choice("speed", "fast", Speed, "the losses of TRL to rounding, in less time (the default)"),
        Choice("speed", "exact", Exact, "what TRL does, pass by pass"),
        Choice("launch", "inline", launchers.Inline, "a step runs in the process that executes the run"),
        Choice("launch", "process", launchers.Process, "a step runs in a process of its own"),
        Choice("launch", "torchrun", launchers.Torchrun, "training by several ranks under torchrun (DDP)"),
        Choice(
            "launch",
            "accelerate",
            launchers.Accelerate,
            "training under accelerate launch: FSDP2, DeepSpeed ZeRO, or your file",
        ),
        Choice("cluster", "slurm", launchers.Slurm, "every run a Slurm job, through submitit"),
        Choice("cluster", "ray", launchers.Ray, "every run a Ray task"),
    ]


@hookimpl
def ptx_validate(config: RunConfig) -> list[Problem]:
    """The problems of ``launch=``, ``cluster=``, the devices, and of methods that take no environment."""
    found = launchers.launch_problems(config) + launchers.accelerator_problems(config)
    method = config.method
    if method is not None and method.environment is not None and not method.acts:
        what = f"environment= is set, and this method ({type(method).__name__}) uses no tools"
        found.append(Problem(what, "try method=grpo, or leave environment= out"))
    return found


@hookimpl(trylast=True)
def ptx_resolve(value: Model | Data) -> Path | None:
    """The path of a path choice."""
    return Path(value.path).expanduser() if isinstance(value, PathModel | PathData) else None


@hookimpl(tryfirst=True)
def ptx_train(run: Run, method: Method, model: ModelRef, data: DataSet) -> ModelRef | None:
    """Train in another environment, where the method says so."""
    return _outside(run, "train", method, model, data)


@hookimpl(tryfirst=True)
def ptx_compress(run: Run, compressor: Compressor, model: ModelRef, data: DataSet | None) -> ModelRef | None:
    """Compress in another environment, where the compressor says so; wrappers check the result as usual."""
    return _outside(run, "compress", compressor, model, data)


@hookimpl(tryfirst=True)
def ptx_make(run: Run, maker: Maker, model: ModelRef, data: DataSet | None) -> DataRef | None:
    """Make data in another environment, where the maker says so."""
    made = _outside(run, "make", maker, model, data)
    return None if made is None else DataRef(made.path, made.digest)


@hookimpl(tryfirst=True)
def ptx_export(run: Run, runtime: Runtime, model: ModelRef) -> ModelRef | None:
    """Export in another environment, where the runtime says so; a wrapper of its plugin may check it."""
    return _outside(run, "export", runtime, model, None)


def _outside(run: Run, kind: str, config: Part, model: ModelRef, data: DataSet | None) -> ModelRef | None:
    outside = config.outside()
    if outside is None:
        return None
    from ptx.execute.process import run_in_environment

    return run_in_environment(run, outside, kind, config, model, data)


@hookimpl(trylast=True, specname="ptx_train")
def call_train(run: Run, method: Method, model: ModelRef, data: DataSet) -> ModelRef | None:
    """Call the function that a method's choice names (:attr:`ptx.Choice.calls`)."""
    made: ModelRef | None = run.host.call("ptx_train", method, run=run, method=method, model=model, data=data)
    return made


@hookimpl(trylast=True, specname="ptx_compress")
def call_compress(run: Run, compressor: Compressor, model: ModelRef, data: DataSet | None) -> ModelRef | None:
    """Call the function that a compressor's choice names."""
    made: ModelRef | None = run.host.call(
        "ptx_compress", compressor, run=run, compressor=compressor, model=model, data=data
    )
    return made


@hookimpl(trylast=True, specname="ptx_make")
def call_make(run: Run, maker: Maker, model: ModelRef, data: DataSet | None) -> DataRef | None:
    """Call the function that a maker's choice names."""
    made: DataRef | None = run.host.call("ptx_make", maker, run=run, maker=maker, model=model, data=data)
    return made


@hookimpl(trylast=True, specname="ptx_evaluate")
def call_evaluate(
    run: Run, evaluator: Evaluator, model: ModelRef, lm: Any | None, baseline: ModelRef | None
) -> Evaluation | None:
    """Call the function that an evaluator's choice names."""
    made: Evaluation | None = run.host.call(
        "ptx_evaluate", evaluator, run=run, evaluator=evaluator, model=model, lm=lm, baseline=baseline
    )
    return made


@hookimpl(trylast=True, specname="ptx_score")
def call_score(
    run: Run, scorer: Scorer, prompts: list[str], completions: list[str], references: list[str | None]
) -> list[float] | None:
    """Call the function that a scorer's choice names."""
    texts = {"prompts": prompts, "completions": completions, "references": references}
    made: list[float] | None = run.host.call("ptx_score", scorer, run=run, scorer=scorer, **texts)
    return made


@hookimpl(trylast=True)
def ptx_run(run: Run) -> dict[str, Any]:
    """Run the steps in order, then measure the result."""
    from ptx.execute.steps import execute

    return execute(run)


@hookimpl(trylast=True)
def ptx_fit(trainer: Any, checkpoint: Path | None) -> Any:
    """Run the trainer's own loop."""
    return trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
