"""ptx: train, compress and evaluate language models in sweeps, and report what each choice costs and gives.

These names are what most plugins need; the further public modules: `ptx docs public-face`.
Importing ptx loads no ML library.
"""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ptx.config import (
    QAT,
    Choice,
    Command,
    Compressor,
    Data,
    Decode,
    Environment,
    Evaluator,
    Lora,
    Maker,
    Method,
    Model,
    Promise,
    RunConfig,
    Runtime,
    Scorer,
    Speed,
    Tracker,
    identity_of,
    setting,
)
from ptx.config.environment import Outside
from ptx.data import DataSet
from ptx.errors import (
    ConfigError,
    Problem,
    PtxError,
    SettingError,
    StepError,
    did_you_mean,
    must_be_at_least,
    must_be_more_than,
    must_be_one_of,
)
from ptx.hooks.hookspecs import hookimpl
from ptx.hooks.host import get_host
from ptx.hooks.run import LanguageModel, Run
from ptx.records import Better, DataRef, Evaluation, Metric, ModelRef, Score

if TYPE_CHECKING:
    from pandas import DataFrame  # type: ignore[import-untyped]

    from ptx.cli.keywords import Each
    from ptx.cli.results import ExportResult, RunResult, SweepResult

__version__ = "0.1.0"

__all__ = [
    "QAT",
    "Better",
    "Choice",
    "Command",
    "Compressor",
    "ConfigError",
    "Data",
    "DataRef",
    "DataSet",
    "Decode",
    "Environment",
    "Evaluation",
    "Evaluator",
    "LanguageModel",
    "Lora",
    "Maker",
    "Method",
    "Metric",
    "Model",
    "ModelRef",
    "Outside",
    "Problem",
    "Promise",
    "PtxError",
    "Run",
    "RunConfig",
    "Runtime",
    "Score",
    "Scorer",
    "SettingError",
    "Speed",
    "StepError",
    "Tracker",
    "compress",
    "did_you_mean",
    "each",
    "evaluate",
    "export",
    "get_host",
    "hookimpl",
    "identity_of",
    "load_sweep",
    "make",
    "must_be_at_least",
    "must_be_more_than",
    "must_be_one_of",
    "setting",
    "sweep",
    "train",
]


def train(*words: str, quiet: bool = False, **settings: Any) -> RunResult:
    """Train a model, then compress and evaluate it: ``ptx.train(method="dpo", method__beta=0.2)``.

    ``words`` are words of the command line, ``settings`` the same by name, with ``__`` for a dot. ``quiet``
    shows no progress. :func:`compress`, :func:`evaluate` and :func:`make` are called in the same way.

    Raises:
        ConfigError: with every problem, before a weight is loaded.
        StepError: the run has failed.
    """
    made: RunResult = _api().single("train", words, settings, quiet=quiet)
    return made


def compress(*words: str, quiet: bool = False, **settings: Any) -> RunResult:
    """Compress a model and evaluate the result: ``ptx.compress(model="tiny", compress=["gptq"])``."""
    made: RunResult = _api().single("compress", words, settings, quiet=quiet)
    return made


def evaluate(*words: str, quiet: bool = False, **settings: Any) -> RunResult:
    """Evaluate a model: ``ptx.evaluate(model="tiny", eval=["bench", "latency"])``."""
    made: RunResult = _api().single("eval", words, settings, quiet=quiet)
    return made


def make(*words: str, quiet: bool = False, **settings: Any) -> RunResult:
    """Make a dataset: ``ptx.make(make="sample", model="tiny").made["sample"]`` is its folder."""
    made: RunResult = _api().single("make", words, settings, quiet=quiet)
    return made


def sweep(*words: Any, verb: str = "train", quiet: bool = False, **settings: Any) -> SweepResult:
    """Run every combination: ``ptx.sweep(method=ptx.each("sft", "dpo"), seed=range(3))``, or a sweep file.

    A run that fails is in ``failed`` of the result; the others go on.

    Raises:
        ConfigError: with every problem, before a weight is loaded.
    """
    made: SweepResult = _api().sweep(words, settings, verb=verb, quiet=quiet)
    return made


def each(*values: Any) -> Each:
    """Several values of one setting, for :func:`sweep`."""
    made: Each = _api().Each(values)
    return made


def export(*words: str, to: Path | str | None = None, quiet: bool = False, **settings: Any) -> ExportResult:
    """Convert a model to a runtime's format: ``ptx.export(model="tiny", runtime="onnx", to="./package")``."""
    made: ExportResult = _api().export_model(words, settings, to=to, quiet=quiet)
    return made


def load_sweep(path: Path | str) -> DataFrame:
    """The runs at or below a folder as a pandas table: one line per run, settings and metrics as columns.

    Raises:
        ConfigError: the path is not a folder, or holds no runs.
    """
    from ptx.report.formats.tables import load_sweep as load

    return load(path)


def _api() -> Any:
    """The module behind these functions, imported when one is called: it stands above the plugins."""
    return import_module("ptx.cli.api")


def __getattr__(name: str) -> Any:
    """``ptx.report(...)`` is the package ``ptx.report`` itself, which can be called."""
    if name == "report":
        return import_module("ptx.report")
    raise AttributeError(f"module 'ptx' has no attribute {name!r}")
