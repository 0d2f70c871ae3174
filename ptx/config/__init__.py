"""The types that a choice's configuration is made of.

A plugin contributes a dataclass per choice (``choice``), derived from one of the empty types (``kinds``, one
per config group); the type is the dispatch key (the plugin whose hook recognises it answers). Fields are made
with :func:`setting` (``settings``), so that ``ptx plugins NAME`` can explain them and a step's key knows
which of them decide the result. A run's configuration (``run``) has a place for each group.
"""

from ptx.config.choice import Choice, Command
from ptx.config.kinds import (
    FORMER_GROUPS,
    GROUPS,
    IN_METHOD,
    QAT,
    Cluster,
    Compressor,
    Data,
    Decode,
    Evaluator,
    Launch,
    Lora,
    Method,
    Model,
    Part,
    Promise,
    Runtime,
    Scorer,
    Tracker,
)
from ptx.config.run import NEUTRAL, RunConfig
from ptx.config.settings import identity_of, setting

__all__ = [
    "FORMER_GROUPS",
    "GROUPS",
    "IN_METHOD",
    "NEUTRAL",
    "QAT",
    "Choice",
    "Cluster",
    "Command",
    "Compressor",
    "Data",
    "Decode",
    "Evaluator",
    "Launch",
    "Lora",
    "Method",
    "Model",
    "Part",
    "Promise",
    "RunConfig",
    "Runtime",
    "Scorer",
    "Tracker",
    "identity_of",
    "setting",
]
