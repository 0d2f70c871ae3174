"""All hooks of ptx: this file is the reference manual for plugin authors.

A plugin is a module with functions that are marked ``@ptx.hookimpl`` and named as below. A function may
declare any subset of the arguments. A plugin is found through the entry point group ``ptx``, or as
``./ptxfile.py`` in the working folder. A *collected* hook is answered by every plugin. A *first-result* hook
is answered by the plugin that recognises the type of the configuration; all others return None. To replace a
built-in, answer for the same type with ``@ptx.hookimpl(tryfirst=True)``; to act around one, use
``wrapper=True``.

A plugin may say ``PTX_API = 1``: the version of this interface that it is written for (:data:`API`). Without
it, the plugin is taken as written for the present one.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pluggy

#: the version of this interface; a hook or argument that goes or changes its meaning raises it
API = 1

if TYPE_CHECKING:
    from ptx.config import (
        Choice,
        Command,
        Compressor,
        Data,
        Decode,
        Environment,
        Evaluator,
        Maker,
        Method,
        Model,
        RunConfig,
        Runtime,
        Scorer,
    )
    from ptx.data import DataSet
    from ptx.errors import Problem
    from ptx.hooks.run import Run
    from ptx.records import DataRef, Evaluation, ModelRef

hookspec = pluggy.HookspecMarker("ptx")
hookimpl = pluggy.HookimplMarker("ptx")


@hookspec
def ptx_choices() -> list[Choice]:  # type: ignore[empty-body]
    """The choices that the plugin adds to the config groups. Collected; must not import torch.

    The same name from two plugins in one group is an error that names both.
    """


@hookspec
def ptx_searchpath() -> list[str]:  # type: ignore[empty-body]
    """Further folders of YAML choices: ``pkg://their_package.conf`` or a path. Collected.

    They are searched before the folder of ptx.
    """


@hookspec
def ptx_commands() -> list[Command]:  # type: ignore[empty-body]
    """The verbs that the plugin adds to the command line. Collected; must not import torch."""


@hookspec
def ptx_validate(  # type: ignore[empty-body]
    config: RunConfig, model: Path, data: DataSet | None, models: dict[str, Path]
) -> list[Problem]:
    """The problems of a run that can be found before weights are loaded. Collected; exit code 2.

    All problems are shown together. ``model`` is the folder of the input model, ``data`` the opened data
    choice (None when the run needs none). The hook is called once per training step, with that step as
    ``config.method``; ``models`` holds the further models that the step reads, as far as they exist already.
    """


@hookspec(firstresult=True)
def ptx_resolve(value: Model | Data, cache: Path) -> Path | None:
    """The path of a ``model=`` or ``data=`` choice. First result.

    The path is a model folder, a data file, or a folder with one data file per shape. ``cache`` is a folder
    for generated and downloaded files; they must be complete as soon as they appear (stage, then rename).
    """


@hookspec(firstresult=True)
def ptx_run(run: Run) -> dict[str, Any] | None:
    """Execute one run and return its result, the content of result.json. First result.

    The core answers last. Trackers, energy meters and retries are wrappers around this hook.
    """


@hookspec(firstresult=True)
def ptx_train(run: Run, method: Method, model: ModelRef, data: DataSet) -> ModelRef | None:
    """Train ``model`` and write the result below ``run.folder``. First result.

    Checkpoints belong into ``run.checkpoints``: when a step that was killed is run again, it finds them
    there.
    """


@hookspec(firstresult=True)
def ptx_fit(run: Run, method: Method, model: ModelRef, trainer: Any, checkpoint: Path | None) -> Any | None:
    """Run the training loop of a transformers ``Trainer`` to its end. First result.

    The core answers last. Training resumes from ``checkpoint`` if there is one. Every method that trains by
    ``ptx.lm.training.trainer.run_trainer`` calls this hook, with ``model`` loaded as ``trainer.model``,
    before the result is written. A wrapper may change the model while the loop runs; ``method.qat`` says
    whether it should.
    """


@hookspec(firstresult=True)
def ptx_compress(run: Run, compressor: Compressor, model: ModelRef, data: DataSet | None) -> ModelRef | None:
    """Compress ``model`` and write the result below ``run.folder``. First result."""


@hookspec(firstresult=True)
def ptx_make(run: Run, maker: Maker, model: ModelRef, data: DataSet | None) -> DataRef | None:
    """Make data and write it below ``run.folder``. First result.

    One file ``SHAPE.jsonl`` for each shape that ``maker.gives()`` names: ``ptx.DataRef.write(run.folder /
    "data", {"messages": rows})``. The numbers of the last ``run.log`` stand in the report (``rows_in``,
    ``mean_score``, ``unfinished``). What belongs to a step that was killed is found in ``run.checkpoints``.
    """


@hookspec(firstresult=True)
def ptx_export(run: Run, runtime: Runtime, model: ModelRef) -> ModelRef | None:
    """Convert ``model`` into the package of a runtime, below ``run.folder``. First result.

    Called only for a runtime with ``exports = True``.
    """


@hookspec(firstresult=True)
def ptx_load(runtime: Runtime, model: ModelRef, device: str) -> Any | None:
    """Open a model on a runtime: an object with the methods of :class:`ptx.LanguageModel`. First result."""


@hookspec(firstresult=True)
def ptx_decode(run: Run | None, decode: Decode, lm: Any) -> Any | None:
    """Wrap an opened model in one that spends more compute on an answer. First result.

    The result is again a language model (best of n, majority vote). ``run`` gives access to the scorers; it
    is None in the process that measures latency, which scores nothing.
    """


@hookspec(firstresult=True)
def ptx_evaluate(
    run: Run, evaluator: Evaluator, model: ModelRef, lm: Any | None, baseline: ModelRef | None
) -> Evaluation | None:
    """Measure a model. First result.

    ``lm`` is the model, opened once on its runtime and shared by all evaluators; it is None for an evaluator
    with ``opens_model = False``, which opens the model itself. ``baseline`` is the model that the recipe
    started from. An evaluator with ``compares = True`` gets it in the form that ``run.load`` opens: as a
    package where the runtime exports.
    """


@hookspec(firstresult=True)
def ptx_score(
    run: Run, scorer: Scorer, prompts: list[str], completions: list[str], references: list[str | None]
) -> list[float] | None:
    """Score completions, one float each. First result.

    Prompts are texts; a scorer whose class says ``reads_turns = True`` gets a conversation as a list of
    messages. NaN means that a completion could not be scored, and is counted as such. A :class:`ptx.Score` is
    a float that also holds the reason and the text that a judge wrote.
    """


@hookspec(firstresult=True)
def ptx_environment(run: Run, environment: Environment) -> Any | None:
    """Make an environment: an object whose public methods are tools that a model may call. First result.

    The contract is that of TRL's ``environment_factory``: a tool has a docstring with ``Args:`` and typed
    parameters; ``reset(**row)`` begins the task of a row and may return a text that is put behind the prompt;
    ``get_reward()``, where the class has it, scores the task. One is made for each answer that is written at
    the same time, and used again for later ones. The tools run in this process.
    """


@hookspec
def ptx_log(run: Run, metrics: dict[str, float], step: int) -> None:
    """Receive the progress of the running step, for trackers. Collected.

    An error of a tracker is shown once and does not stop the run.
    """


@hookspec
def ptx_reported(config: RunConfig, sweep: str, folder: Path) -> None:
    """Receive the report of a sweep that has ended, for trackers: its files lie in ``folder``. Collected.

    An error is shown and changes nothing.
    """


@hookspec
def ptx_report(records: list[Any], folder: Path) -> list[str]:  # type: ignore[empty-body]
    """Further sections of a report, as HTML fragments; their files go into ``folder``. Collected.

    A record is what ``ptx.cli.plugin_commands.load_records`` returns: ``record.run`` and ``record.result``
    are the content of run.json and result.json, ``record.metrics`` holds pairs of evaluator and metric,
    and ``record.scores(evaluator)`` the scores of the items. Runs that failed or did not end are among
    them.
    """
