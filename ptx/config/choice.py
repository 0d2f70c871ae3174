"""The contributions of a plugin: choices of the config groups, and verbs of the command line."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Choice:
    """One value of one config group, contributed by a plugin.

    ``libraries`` are the distributions whose versions decide the result (they go into the key of a step);
    ``version`` is the plugin's own count of changes in behaviour. ``formerly`` lists the names that the
    choice had in earlier versions; a typed word with one of them is read as the present name.

    Two fields are for models. ``data`` is the data choice that is used with the model when none is typed.
    ``suggests`` are settings that suit the model (a learning rate), per choice such as ``method=sft``; those
    of ``make=sample method=sft`` are for a method that learns from what a maker makes. They are used where
    nothing was typed, and shown.

    ``calls`` is the function that does the work of a method, a compressor, a maker, an evaluator or a scorer:
    the function itself, or ``"package.module:function"``, which is imported when a step of this choice runs.
    It is called with those arguments of the hook (``ptx_train``, ``ptx_compress``, ``ptx_make``,
    ``ptx_evaluate``, ``ptx_score``) that it declares. A plugin that implements the hook leaves it empty.
    """

    group: str
    name: str
    config_type: type
    help: str = ""
    libraries: tuple[str, ...] = ()
    version: str = "1"
    data: str = ""
    suggests: dict[str, dict[str, Any]] = field(default_factory=dict)
    calls: str | Callable[..., Any] = ""
    formerly: tuple[str, ...] = ()


@dataclass(frozen=True)
class Command:
    """A verb that a plugin adds to the command line.

    ``ptx NAME ...`` calls ``main(arguments)``, which returns the exit code.
    """

    name: str
    help: str
    main: Callable[[list[str]], int]
