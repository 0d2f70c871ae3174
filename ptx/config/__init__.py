"""The types of configurations.

A plugin contributes one dataclass per choice (``choice``), derived from the base type of its config group
(``kinds``). The type is the dispatch key: the plugin whose hook recognises it answers. Fields are made with
:func:`setting` (``settings``), so that ``ptx plugins NAME`` can explain them and the key of a step contains
those that decide its result. The configuration of a run (``run``) has a field for each group.
"""

from ptx.config.acting import Environment
from ptx.config.choice import Choice, Command
from ptx.config.kinds import (
    FORMER_GROUPS,
    GROUPS,
    IN_METHOD,
    IN_METHOD_BY_DEFAULT,
    QAT,
    Cluster,
    Compressor,
    Data,
    Decode,
    Evaluator,
    Launch,
    Lora,
    Maker,
    Method,
    Model,
    Part,
    Runtime,
    Scorer,
    Tracker,
)
from ptx.config.promise import Promise
from ptx.config.run import NEUTRAL, RunConfig
from ptx.config.settings import identity_of, setting
from ptx.config.speed import Exact, Speed

__all__ = [
    "FORMER_GROUPS",
    "GROUPS",
    "IN_METHOD",
    "IN_METHOD_BY_DEFAULT",
    "NEUTRAL",
    "QAT",
    "Choice",
    "Cluster",
    "Command",
    "Compressor",
    "Data",
    "Decode",
    "Environment",
    "Evaluator",
    "Exact",
    "Launch",
    "Lora",
    "Maker",
    "Method",
    "Model",
    "Part",
    "Promise",
    "RunConfig",
    "Runtime",
    "Scorer",
    "Speed",
    "Tracker",
    "identity_of",
    "setting",
]
