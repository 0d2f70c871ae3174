"""Whether a model folder holds a language model, by its configuration alone. Imports no ML library.

transformers opens nearly any folder as a causal language model: what it does not find is drawn at random,
and where embeddings are tied nothing is missing. A reward model, a classifier or an encoder answers in noise.
What no configuration says is tried when the model is opened (:mod:`ptx.lm.causality`).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ptx.errors import Problem
from ptx.guard.reading import read_object
from ptx.models.adapters import is_adapter, weights_of

#: how the name of an architecture ends -> what it is
HEADS = {
    "ForSequenceClassification": "a classifier of texts",
    "ForTokenClassification": "a classifier of tokens",
    "ForQuestionAnswering": "a model that marks answers in a text",
    "ForMultipleChoice": "a model that picks one of several texts",
    "ForMaskedLM": "an encoder that fills in masked words",
    "ForNextSentencePrediction": "an encoder",
    "ForRewardModel": "a reward model",
    "ForImageClassification": "a classifier of images",
}
#: model types that read in both directions unless they are made decoders
ENCODERS = (
    *("albert", "bert", "camembert", "deberta", "deberta-v2", "distilbert", "electra", "ernie", "esm"),
    *(
        "eurobert",
        "flaubert",
        "funnel",
        "ibert",
        "layoutlm",
        "layoutlmv2",
        "layoutlmv3",
        "longformer",
        "luke",
    ),
    *("mobilebert", "modernbert", "mpnet", "nomic_bert", "nystromformer", "roberta", "roformer"),
    *("roberta-prelayernorm", "squeezebert", "xlm-roberta", "xlm-roberta-xl", "xmod", "yoso"),
)
#: model types that are opened as causal language models and read in both directions
BOTH_WAYS = ("xlnet",)
#: task of a PEFT adapter -> what it is
TASKS = {
    "SEQ_CLS": "a classifier of texts",
    "TOKEN_CLS": "a classifier of tokens",
    "SEQ_2_SEQ_LM": "a model with an encoder and a decoder",
    "QUESTION_ANS": "a model that marks answers in a text",
    "FEATURE_EXTRACTION": "an encoder",
}
GENERATES = "ptx trains and measures models that continue a text (an architecture ...ForCausalLM)"


def kind_of_folder(path: Path) -> str:
    """What the folder holds instead of a language model, in words; empty for one, or if nothing says so."""
    if is_adapter(path):
        task = str(read_object(path / "adapter_config.json").get("task_type", ""))
        if task in TASKS:
            return f"an adapter of {TASKS[task]} ({task})"
    file = (path if (path / "config.json").is_file() else weights_of(path)) / "config.json"
    return kind_of_config(read_object(file)) if file.is_file() else ""


def kind_of_config(config: dict[str, Any]) -> str:
    """What a configuration describes instead of a language model, in words; empty for one."""
    architecture = str(next(iter(config.get("architectures") or []), ""))
    kind = str(config.get("model_type", ""))
    for ending, what in HEADS.items():
        if architecture.endswith(ending):
            labels = len(config.get("id2label") or {"0": "", "1": ""})
            reward = ending == "ForSequenceClassification" and labels == 1
            return f"{'a reward model' if reward else what} ({architecture})"
    if config.get("is_encoder_decoder"):
        return f"a model with an encoder and a decoder ({architecture or kind})"
    if kind in ENCODERS and not config.get("is_decoder"):
        return f"an encoder ({architecture or kind})"
    inner = config.get("text_config")
    text = inner if isinstance(inner, dict) else config
    if kind in BOTH_WAYS or text.get("use_bidirectional_attention") in (True, "all"):
        return f"a model that reads a text in both directions ({architecture or kind})"
    return ""


def language_problems(path: Path) -> list[Problem]:
    """The problem of a folder that holds no language model."""
    what = kind_of_folder(path)
    if not what:
        return []
    reward = what.startswith("a reward model")
    fix = f"to score answers with it, type scorer.reward.model={path}" if reward else GENERATES
    return [Problem(f"{path} holds {what}, not a language model", fix)]
