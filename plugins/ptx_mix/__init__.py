"""One training step with three objectives: demonstrations, preferences and safety.

    L = L_sft + lambda_pref * L_pref + lambda_safe * L_safe

When the objectives are trained one after the other (recipe=sft_dpo_safety), each undoes some of the one
before; here every optimizer step sees all three. L_sft is the loss of ``method=sft`` on conversations. L_pref
is the sigmoid loss of DPO on pairs. L_safe is the loss of ``method=sft`` on the reference answers of safety
rows, both refusals and answers to harmless look-alikes. To sweep the weights: ``ptx train -m method=mix
method.lambda_pref=0.1,0.5,1 method.lambda_safe=0.5,1``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from typing_extensions import override

from ptx import Choice, DataSet, Problem, RunConfig, hookimpl, setting
from ptx.lm.training.memory import Passes
from ptx.lm.training.method import TrlMethod, above, at_least
from ptx.models.memory import Workload

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
        0.1, "in the preference loss, penalty for leaving the reference: higher stays closer"
    )
    reference: str = setting(
        "input",
        "in the preference loss, the model to stay close to: input (that of the step), start (that of the"
        " run), an earlier step, or any model with the same tokens",
        identity=False,
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        at_least(0, self, "lambda_pref", "0.5")
        at_least(0, self, "lambda_safe", "0.5")
        above(0, self, "beta", "0.1")
        if self.max_length is not None:
            above(0, self, "max_length", "512")

    @override
    def models(self, before: Mapping[str, Any]) -> dict[str, str]:
        return {} if self.reference == "input" or not self.lambda_pref else {"reference": self.reference}

    @override
    def passes(self, work: Workload) -> Passes:
        """A demonstration, both answers of a pair and a safety row."""
        return Passes(self.length(work), rows=4)


@hookimpl
def ptx_choices() -> list[Choice]:
    """Contribute ``method=mix``."""
    help_ = "one step on demonstrations, preferences and safety"
    return [Choice("method", "mix", Mix, help_, LIBRARIES, version="2", calls="ptx_mix.train:train")]


@hookimpl
def ptx_validate(config: RunConfig, model: Path, data: DataSet | None) -> list[Problem]:
    """Problems that are found before the model is loaded."""
    if not isinstance(config.method, Mix):
        return []
    from ptx.lm import template
    from ptx.lm.training import validate

    found = validate.problems(config, "mix", "SFTConfig", OWNED, model, data) + template.problems(model)
    if data is None:
        return found
    if "pairs" in data.sources:
        found += validate.row_problems(data, "pairs", model)
    return found + _data_problems(data)


def _data_problems(data: DataSet) -> list[Problem]:
    """Problems of the data: conversations that are safety rows, and safety rows without a reference.

    Safety rows can be read as conversations too, but this method needs both kinds. That a shape is missing
    altogether is reported by the core.
    """
    found = []
    if "messages" in data.sources and data.sources["messages"].native != "messages":
        what = (
            f"method=mix needs messages beside safety, and the only conversations in {data.name} are its"
            " safety rows"
        )
        found.append(Problem(what, "add a file messages.jsonl to the data's folder"))
    if "safety" in data.sources and not any(row.get("reference") for row in data.rows("safety")):
        what = f"no safety row of {data.name} has a reference answer"
        found.append(
            Problem(
                what,
                "add a column reference with the refusal, or the helpful answer where the request is"
                " harmless",
            )
        )
    return found
