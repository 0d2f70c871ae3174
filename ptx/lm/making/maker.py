"""The settings that all makers share which let a model write. It imports no library."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from typing_extensions import override

from ptx.config import Maker, setting
from ptx.errors import must_be_at_least


@dataclass
class Answering(Maker):
    """A maker whose rows a model writes."""

    model: str = setting(
        "", "who answers: empty for the model of this step, start, an earlier step, a folder or an id"
    )
    temperature: float = setting(1.0, "temperature of sampling; 0: greedy")
    max_new_tokens: int = setting(256, "an answer that does not end within so many tokens is left out")
    limit: int | None = setting(None, "use only the first N rows")
    chunk: int = setting(64, "prompts per call of the runtime; a step that is killed loses at most one call")

    def __post_init__(self) -> None:
        must_be_at_least("make.temperature", self.temperature, 0, "1.0")
        must_be_at_least("make.max_new_tokens", self.max_new_tokens, 1, 256)
        must_be_at_least("make.limit", self.limit, 1, 100)
        must_be_at_least("make.chunk", self.chunk, 1, 64)

    @override
    def models(self, before: Mapping[str, Any]) -> dict[str, str]:
        return {"model": self.model} if self.model else {}
