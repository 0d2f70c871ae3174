"""All the hooks of ptx: this file is the reference manual for plugin authors.

A plugin is a module with functions marked ``@ptx.hookimpl`` and named as below; it may take any subset of the
arguments. It is found through the entry point group ``ptx`` or as ``./ptxfile.py`` in the working folder.
*Collected* hooks ask every plugin; for *first-result* hooks the plugin that recognises the config's type
answers and all others return None ("not mine"). To replace a built-in answer the same type with
``@ptx.hookimpl(tryfirst=True)``; to act around one use ``wrapper=True``.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pluggy

if TYPE_CHECKING:
    from ptx.config import (
        Choice,
        Command,
        Compressor,
        Data,
        Decode,
        Evaluator,
        Method,
        Model,
        RunConfig,
        Runtime,
        Scorer,
    )
    from ptx.data import DataSet
    from ptx.errors import Problem
    from ptx.hooks.run import Run
    from ptx.records import Evaluation, ModelRef

hookspec = pluggy.HookspecMarker("ptx")
hookimpl = pluggy.HookimplMarker("ptx")


@hookspec
def ptx_choices() -> list[Choice]:  # type: ignore[empty-body]
    """The choices this plugin adds to the config groups. Collected; must not import torch.

    A name that two plugins give in one group is an error that names both.
    """


@hookspec
def ptx_searchpath() -> list[str]:  # type: ignore[empty-body]
    """Further folders of YAML choices, ``pkg://their_package.conf`` or a path. Collected; they come before
    ptx's own.
    """


@hookspec
def ptx_commands() -> list[Command]:  # type: ignore[empty-body]
    """Verbs to add to the command line. Collected; must not import torch."""


@hookspec
def ptx_validate(  # type: ignore[empty-body]
    config: RunConfig, model: Path, data: DataSet | None, models: dict[str, Path]
) -> list[Problem]:
    """What is wrong with this run, found before a weight is loaded. Collected; all problems are shown, exit
    code 2.

    ``model`` is the folder of the input model, ``data`` the opened data choice (None when the run needs
    none). Plugins are asked once per training step, with that step as ``config.method``; ``models`` holds
    what it reads beside its input, as far as it is there by now.
    """


@hookspec(firstresult=True)
def ptx_resolve(value: Model | Data, cache: Path) -> Path | None:
    """Make a ``model=`` or ``data=`` choice a path: a model folder; a data file, or a folder with one file
    per shape. First result.

    ``cache`` is a folder for what must be generated or downloaded; what lies there must be complete (stage,
    then rename).
    """


@hookspec(firstresult=True)
def ptx_run(run: Run) -> dict[str, Any] | None:
    """Execute one run and return its result (the content of result.json). First result; the core answers
    last.

    Trackers, energy meters and retries are wrappers around it.
    """


@hookspec(firstresult=True)
def ptx_train(run: Run, method: Method, model: ModelRef, data: DataSet) -> ModelRef | None:
    """Train ``model`` and write the result below ``run.folder``. First result.

    Checkpoints belong into ``run.checkpoints``: a step that was killed finds them there when it is asked
    again.
    """


@hookspec(firstresult=True)
def ptx_fit(run: Run, method: Method, model: ModelRef, trainer: Any, checkpoint: Path | None) -> Any | None:
    """Run the loop of a trainer of transformers' kind to its end, from ``checkpoint`` on if there is one.
    First result; the core answers last.

    Every method that trains by ``ptx.lm.training.trainer.run_trainer`` comes by here, with ``model`` in
    ``trainer.model``, before the result is written. A wrapper changes what is trained for as long as the loop
    runs; ``method.qat`` tells whether it is asked to.
    """


@hookspec(firstresult=True)
def ptx_compress(run: Run, compressor: Compressor, model: ModelRef, data: DataSet | None) -> ModelRef | None:
    """Compress ``model`` and write the result below ``run.folder``. First result."""


@hookspec(firstresult=True)
def ptx_export(run: Run, runtime: Runtime, model: ModelRef) -> ModelRef | None:
    """Convert ``model`` into the runtime's own package below ``run.folder``. First result; only asked when
    ``runtime.exports``.
    """


@hookspec(firstresult=True)
def ptx_load(runtime: Runtime, model: ModelRef, device: str) -> Any | None:
    """Open a model on its runtime: an object with the methods of :class:`ptx.LanguageModel`. First result."""


@hookspec(firstresult=True)
def ptx_decode(run: Run | None, decode: Decode, lm: Any) -> Any | None:
    """Wrap an opened model so that its answers take more compute (best of n, majority vote): again a language
    model. First result.

    ``run`` is there to ask scorers with, and None in the process that measures latency, where nothing needs
    to be scored.
    """


@hookspec(firstresult=True)
def ptx_evaluate(
    run: Run, evaluator: Evaluator, model: ModelRef, lm: Any | None, baseline: ModelRef | None
) -> Evaluation | None:
    """Measure a model. First result.

    ``lm`` is the model opened once on its runtime and shared by the evaluators of the artifact; None when the
    evaluator says ``opens_model = False`` and opens it by itself. ``baseline`` is the model that the recipe
    started from; an evaluator that ``compares`` gets it as ``run.load`` opens it, which is its package where
    the run's runtime exports.
    """


@hookspec(firstresult=True)
def ptx_score(
    run: Run, scorer: Scorer, prompts: list[str], completions: list[str], references: list[str | None]
) -> list[float] | None:
    """Score completions, one float each; NaN means "could not be scored" and is counted as such. First
    result.

    A :class:`ptx.Score` is a float that also says why not, and what a judge wrote.
    """


@hookspec
def ptx_log(run: Run, metrics: dict[str, float], step: int) -> None:
    """Progress numbers of the step that is running, for trackers. Collected, best effort: an error is shown
    once and then ignored.
    """


@hookspec
def ptx_report(records: list[Any], folder: Path) -> list[str]:  # type: ignore[empty-body]
    """Further sections of a report, as HTML fragments; files they need go into ``folder``. Collected."""
