"""One training step with three objectives: demonstrations, preferences and safety.

    L = L_sft + lambda_pref * L_pref + lambda_safe * L_safe

Training them one after the other lets each undo some of the one before (recipe=sft_dpo_safety); here every
optimizer step sees all three. L_sft is the loss of ``method=sft`` on conversations, L_pref the sigmoid loss
of DPO on pairs, L_safe the loss of ``method=sft`` on what to answer to safety rows, refusals and harmless
look-alikes alike. Sweep the weights: ``ptx train -m method=mix method.lambda_pref=0.1,0.5,1
method.lambda_safe=0.5,1``.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from ptx import Choice, DataSet, Method, ModelRef, Problem, Run, RunConfig, hookimpl, setting
from ptx.lm.training.method import TrlMethod, above, at_least

LIBRARIES = ("torch", "transformers", "trl", "peft", "accelerate")
#: arguments of TRL's SFTConfig that the method decides
OWNED = {
    "assistant_only_loss": "",
    "completion_only_loss": "",
    "packing": "",
    "padding_free": "",
    "chat_template_path": "",
    "dataset_text_field": "",
    "dataset_kwargs": "",
    "loss_type": "",
}


@dataclass
class Mix(TrlMethod):
    """Demonstrations, preferences and safety in one step; ``batch_size`` counts the examples of each kind."""

    needs: ClassVar[tuple[str, ...]] = ("messages",)
    reads: ClassVar[tuple[str, ...]] = ("pairs", "safety")

    max_length: int | None = setting(
        None, "cut examples to this many tokens (default: 1024, or the model's context where it is shorter)"
    )
    lambda_pref: float = setting(1.0, "weight of the preference loss; 0 leaves it out")
    lambda_safe: float = setting(1.0, "weight of the safety loss; 0 leaves it out")
    beta: float = setting(
        0.1, "in the preference loss, how much leaving the reference costs: higher stays closer"
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        at_least(0, self, "lambda_pref", "0.5")
        at_least(0, self, "lambda_safe", "0.5")
        above(0, self, "beta", "0.1")
        if self.max_length is not None:
            above(0, self, "max_length", "512")


@hookimpl
def ptx_choices() -> list[Choice]:
    """``method=mix``."""
    return [Choice("method", "mix", Mix, "one step on demonstrations, preferences and safety", LIBRARIES)]


@hookimpl
def ptx_validate(config: RunConfig, model: Path, data: DataSet | None) -> list[Problem]:
    """What is wrong before a weight is loaded."""
    if not isinstance(config.method, Mix):
        return []
    from ptx.lm import template
    from ptx.lm.training import validate

    found = validate.problems(config, "mix", "SFTConfig", OWNED, model, data) + template.problems(model)
    return found + (_data_problems(data) if data is not None else [])


def _data_problems(data: DataSet) -> list[Problem]:
    """Safety rows also pass for conversations; here both are needed (that a shape is missing altogether the
    core says).
    """
    found = []
    if "messages" in data.sources and data.sources["messages"].native != "messages":
        what = (
            f"method=mix needs messages beside safety, and the only conversations in {data.name} are made of"
            " its safety rows"
        )
        found.append(Problem(what, "add a file messages.jsonl to the data's folder"))
    if "safety" in data.sources and not any(row.get("reference") for row in data.rows("safety")):
        what = f"the safety rows of {data.name} do not say what to answer: none has a reference"
        found.append(
            Problem(
                what,
                "add a column reference with the refusal, or the helpful answer where the request is"
                " harmless",
            )
        )
    return found


@hookimpl
def ptx_train(run: Run, method: Method, model: ModelRef, data: DataSet) -> ModelRef | None:
    """Train with TRL's SFTTrainer and two more streams of data."""
    if not isinstance(method, Mix):
        return None
    from ptx_mix.train import train

    return train(run, method, model, data)
