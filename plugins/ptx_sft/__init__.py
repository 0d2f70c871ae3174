"""Supervised fine-tuning: the model imitates the answers in the data (TRL's SFTTrainer).

By default the loss counts the assistant's tokens alone and never the questions. TRL's own default counts
every token of a conversation.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from typing_extensions import override

from ptx import Choice, DataSet, Problem, RunConfig, hookimpl, setting
from ptx.lm.training.memory import Passes
from ptx.lm.training.method import DEFAULT_LENGTH, TrlMethod, above
from ptx.models.memory import Workload

LIBRARIES = ("torch", "transformers", "trl", "peft", "accelerate")
#: arguments of TRL's SFTConfig that the settings below decide
OWNED = {
    "assistant_only_loss": "method.assistant_only",
    "completion_only_loss": "method.assistant_only",
    "packing": "method.packing",
    "chat_template_path": "",
    "dataset_text_field": "",
    "dataset_kwargs": "",
}


@dataclass
class SFT(TrlMethod):
    """Supervised fine-tuning on conversations, on prompts with completions, or on plain text."""

    needs: ClassVar[tuple[str, ...]] = ("messages", "completions", "text")
    parallel: ClassVar[bool] = True

    learning_rate: float = setting(
        1e-4, "peak learning rate of AdamW; large models need less (2e-5), adapters more (2e-4)"
    )
    max_length: int | None = setting(
        None, "cut examples to this many tokens (default: 1024, or the model's context where it is shorter)"
    )
    assistant_only: bool = setting(
        True, "train on the answers only; false: on all tokens. Plain text is always trained on in full"
    )
    packing: bool = setting(
        False,
        "fill every sequence to max_length with several examples; faster, needs flash attention on a GPU",
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.max_length is not None:
            above(0, self, "max_length", "512")

    @override
    def passes(self, work: Workload) -> Passes:
        """One sequence an example, in passes of the tokens that ``speed=`` says; packed ones are full."""
        if self.packing:
            return Passes(self.max_length or DEFAULT_LENGTH)
        return Passes(self.length(work), tokens=self.speed.tokens_of_a_pass(work.device))


@hookimpl
def ptx_choices() -> list[Choice]:
    """Contribute ``method=sft``."""
    help_ = "supervised fine-tuning: imitate the answers in the data"
    return [Choice("method", "sft", SFT, help_, LIBRARIES, calls="ptx_sft.train:train")]


@hookimpl
def ptx_validate(config: RunConfig, model: Path, data: DataSet | None) -> list[Problem]:
    """Problems that are found before the model is loaded."""
    if not isinstance(config.method, SFT):
        return []
    from ptx.lm.template import problems
    from ptx.lm.training import validate

    found = validate.problems(config, "sft", "SFTConfig", OWNED, model, data)
    shape = validate.shape_of(config.method, data)
    return found + (problems(model) if shape == "messages" and config.method.assistant_only else [])
