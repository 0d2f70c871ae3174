"""ptx: train, compress and evaluate language models in sweeps, and report what each choice costs and gives.

These names are what most plugins need; the further public modules stand in docs/reference/public-face.md.
Importing ptx loads no ML library.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ptx.config import (
    QAT,
    Choice,
    Command,
    Compressor,
    Data,
    Decode,
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
    "did_you_mean",
    "get_host",
    "hookimpl",
    "identity_of",
    "load_sweep",
    "must_be_at_least",
    "must_be_more_than",
    "must_be_one_of",
    "setting",
]


def load_sweep(path: Path | str) -> DataFrame:
    """The runs at or below a folder as a pandas table: one line per run, settings and metrics as columns.

    Raises:
        ConfigError: the path is not a folder, or holds no runs.
    """
    from ptx.report.formats.tables import load_sweep as load

    return load(path)
