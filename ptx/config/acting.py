"""``environment=``: a task that a model solves with tools, for methods that learn from what a model does."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from ptx.config.settings import setting
from ptx.errors import must_be_at_least, must_be_more_than


@dataclass
class Environment:
    """A task with tools (``environment=``, in ``method.environment``).

    ``ptx_environment`` makes an instance, which keeps TRL's contract: its public methods are the tools,
    ``reset(**row)`` begins a task, and ``get_reward()``, where there is one, scores it; ``rewards=False``
    says that there is none. The settings and the version of the plugin are in the key of the step.
    """

    rewards: ClassVar[bool] = True

    turns: int = setting(4, "the turns with calls in one answer; what the model says after the last ends it")
    seconds: float = setting(10.0, "the longest that a call of a tool may take; then it has failed")

    def __post_init__(self) -> None:
        must_be_at_least("method.environment.turns", self.turns, 1, 4)
        must_be_more_than("method.environment.seconds", self.seconds, 0, 10)

    def inputs(self) -> list[Path]:
        """Files whose content decides what the tools do."""
        return []
