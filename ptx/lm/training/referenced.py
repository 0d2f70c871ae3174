"""The settings of methods that stay close to a reference model. It imports no ML library."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from typing_extensions import override

from ptx.config import setting
from ptx.lm.training.method import TrlMethod, above


@dataclass
class Referenced(TrlMethod):
    """A method whose loss compares the trained model with another one."""

    learning_rate: float = setting(
        1e-5, "peak learning rate of AdamW; large models need less (1e-6), adapters more"
    )
    max_length: int | None = setting(
        None, "cut prompt and answer to this many tokens (default: 1024, or the model's context)"
    )
    reference: str = setting(
        "input",
        "the model to stay close to: input (that of the step), start (that of the run), an earlier step, or"
        " any model with the same tokens",
        identity=False,
    )
    cache_reference: bool = setting(
        True,
        "compute the reference once and keep it in the store; false: in every batch (the losses are the"
        " same to rounding, and to the last digit with speed=exact)",
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.max_length is not None:
            above(0, self, "max_length", "512")

    @override
    def models(self, before: Mapping[str, Any]) -> dict[str, str]:
        return {} if self.reference == "input" else {"reference": self.reference}

    @property
    def copies(self) -> int:
        """How many further models of the same size are in memory while it trains."""
        return 0 if self.cache_reference or self.lora is not None else 1
