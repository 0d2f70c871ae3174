"""Problems of a distillation that are found before the models are loaded."""

from __future__ import annotations

from pathlib import Path

from ptx import DataSet, Lora, Problem, RunConfig
from ptx.lm.compression.targets import linear_layers
from ptx.lm.load import weights_of
from ptx.models import inspection
from ptx_distill.facts import last_attention, shape_of, vocabulary
from ptx_distill.settings import Distill, Gold, OnPolicy, Sequence, Taught

#: configuration -> its choice and TRL's configuration class
CONFIGS: dict[type[Taught], tuple[str, str]] = {
    Distill: ("distill", "SFTConfig"),
    Sequence: ("distill_sequence", "SFTConfig"),
    OnPolicy: ("distill_onpolicy", "DistillationConfig"),
    Gold: ("distill_gold", "gold.GOLDConfig"),
}
#: argument of TRL's configuration that ptx sets -> the setting that decides it; "" for none
OWNED = {
    "assistant_only_loss": "method.assistant_only",
    "completion_only_loss": "method.assistant_only",
    "packing": "",
    "padding_free": "",
    "chat_template_path": "",
    "dataset_text_field": "",
    "dataset_kwargs": "",
    "loss_type": "method.divergence",
    "label_smoothing_factor": "",
    "beta": "method.beta",
    "temperature": "method.temperature",
    "max_completion_length": "method.max_completion_length",
    "lmbda": "method.on_policy",
    "seq_kd": "",
    "use_uld_loss": "",
    "uld_crossentropy_weight": "method.data_weight",
    "teacher_model_name_or_path": "method.teacher",
    "teacher_model_revision": "method.teacher",
    "teacher_model_init_kwargs": "",
    "teacher_tokenizer_name_or_path": "",
}


def problems(config: RunConfig, model: Path, data: DataSet | None, models: dict[str, Path]) -> list[Problem]:
    """All problems of ``config.method``.

    ``models`` holds the folders of its teacher and student, as far as they exist already.
    """
    from ptx.lm import template
    from ptx.lm.training import validate

    method = config.method
    name, trl_name = CONFIGS[type(method)]
    student = models.get("student", model)
    found = validate.problems(config, name, trl_name, OWNED, student, data)
    if getattr(method, "assistant_only", True) and validate.shape_of(method, data) == "messages":
        found += template.problems(student)
    if isinstance(method, Gold) and data is not None and "messages" in data.shapes:
        found += validate.left_out_problems(data, "messages") + validate.ungiven_problems(data, "messages")
    if any(type(method) is type(other) for other in config.compress.values()):
        found.append(
            Problem(
                f"method={name} and compress=[{name}] are the same step twice",
                "leave one out, or write a recipe",
            )
        )
    if inspection.problems(student):
        return found
    found += _layer_problems(method, student)
    teacher = models.get("teacher")
    if teacher is None or inspection.problems(teacher):
        return found
    return found + _pair_problems(method, student, teacher)


def _layer_problems(method: Taught, student: Path) -> list[Problem]:
    depth = shape_of(student).layers
    found = []
    if method.layers is not None and method.layers > depth:
        found.append(
            Problem(
                f"method.layers={method.layers} is more than the {depth} layers of {student}",
                f"try method.layers={depth // 2}",
                fields=("method.layers",),
            )
        )
    if method.keep_layers and method.keep_layers[-1] >= depth:
        what = (
            f"method.keep_layers={method.keep_layers} names layers that {student} does not have: it has"
            f" {depth}, counted from 0"
        )
        found.append(
            Problem(
                what,
                f"try method.layers={len(method.keep_layers)}",
                fields=("method.layers", "method.keep_layers"),
            )
        )
    if isinstance(method.lora, Lora) and not method.lora.merge and (method.layers or method.keep_layers):
        what = (
            "method.lora.merge=false keeps an adapter beside its base, and a student of fewer layers exists"
            " only inside this step"
        )
        fix = "leave it out, so that the adapter is merged"
        found.append(Problem(what, fix, fields=("method.lora.merge",)))
    return found


def _pair_problems(method: Taught, student: Path, teacher: Path) -> list[Problem]:
    """Problems of two models whose tokens or hidden states cannot be compared."""
    found = []
    own, other = shape_of(student), shape_of(teacher)
    if method.reads_tokens and vocabulary(student) != vocabulary(teacher):
        what = (
            f"the teacher {teacher} has another vocabulary than {student}, so its distribution over tokens"
            " cannot be learnt"
        )
        found.append(
            Problem(
                what,
                "try method=distill_gold (other tokenizers), or method=distill_sequence (the teacher's"
                " answers as text)",
            )
        )
    elif isinstance(method, OnPolicy) and own.words != other.words:
        what = (
            f"TRL's on-policy distillation needs embeddings of equal length, and {student} has {own.words}"
            f" rows, {teacher} {other.words}"
        )
        found.append(Problem(what, "try method=distill, which compares the tokens that both have"))
    if isinstance(method, Distill) and method.attention_weight:
        lacking = [
            folder for folder in (student, teacher) if not last_attention(linear_layers(weights_of(folder)))
        ]
        found += [
            Problem(
                f"method.attention_weight={method.attention_weight}: {folder} has no self_attn.q_proj, k_proj"
                " and v_proj",
                "set method.attention_weight=0",
                fields=("method.attention_weight",),
            )
            for folder in lacking
        ]
    if (
        isinstance(method, Distill)
        and method.features_weight
        and method.lora is not None
        and own.width != other.width
    ):
        what = (
            f"method.features_weight={method.features_weight}: hidden states of {own.width} and {other.width}"
            " need a projection, which no adapter trains"
        )
        found.append(
            Problem(
                what,
                "leave out lora=lora, or set method.features_weight=0",
                fields=("method.features_weight",),
            )
        )
    return found
