"""What a plugin contributes: choices of the config groups, and verbs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Choice:
    """One value of one config group, as a plugin contributes it.

    ``libraries`` are the distributions whose versions decide the result (they go into the key of a step);
    ``version`` is the plugin's own count of changes in behaviour. ``data`` is for a model that brings its own
    data: the data choice taken when none is given. ``suggests`` is for a model too: fields that suit it (a
    learning rate), per choice such as ``method=sft``, taken where nothing was typed, and said.

    ``calls`` names the function that does the work, ``"package.module:function"``, for a method, a compressor, an
    evaluator or a scorer. It is imported when a step of this choice runs, and called with the arguments of the
    hook (``ptx_train``, ``ptx_compress``, ``ptx_evaluate``, ``ptx_score``) that it names. A plugin that answers
    the hook by itself leaves it empty.
    """

    group: str
    name: str
    config_type: type
    help: str = ""
    libraries: tuple[str, ...] = ()
    version: str = "1"
    data: str = ""
    suggests: dict[str, dict[str, Any]] = field(default_factory=dict)
    calls: str = ""


@dataclass(frozen=True)
class Command:
    """A verb that a plugin adds to the command line: ``ptx NAME ...`` calls ``main(arguments)``, which
    returns the exit code.
    """

    name: str
    help: str
    main: Callable[[list[str]], int]
