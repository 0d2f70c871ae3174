"""P(unsafe) of (request, reply) by a model in a folder: a sequence classifier or a generative guard.

A guard such as Llama Guard (Inan et al. 2023) is asked through its own chat template and answers ``safe`` or
``unsafe``. The score is the probability of "unsafe" against "safe" as the first word of its verdict, so
nothing is generated or parsed.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from ptx import Run, StepError
from ptx.models.sizes import context_of
from ptx_safety import SafetyClassifier

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

NAN = float("nan")


def score(run: Run, scorer: SafetyClassifier, prompts: list[str], completions: list[str]) -> list[float]:
    """P(unsafe) of every (request, reply), on the run's device."""
    return unsafe(scorer, prompts, completions, run.device)


def unsafe(
    scorer: SafetyClassifier, prompts: Sequence[str], completions: Sequence[str], device: str
) -> list[float]:
    """P(unsafe) of every (request, reply); nan for one longer than the classifier's context."""
    model, tokenizer = _opened(scorer.path, device)
    score = _classified if "SequenceClassification" in type(model).__name__ else _judged
    return [score(scorer, model, tokenizer, *pair) for pair in zip(prompts, completions, strict=True)]


@lru_cache(maxsize=1)
def _opened(path: str, device: str) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    """The model and its tokenizer; cached, because a run asks once per evaluation."""
    from ptx.lm.causality import refuse_foresight
    from ptx.lm.load import quiet
    from ptx.lm.weights import open_weights
    from ptx.models.inspection import inspect

    quiet()
    from transformers import AutoModelForCausalLM, AutoModelForSequenceClassification, AutoTokenizer

    kind = (
        AutoModelForSequenceClassification
        if inspect(Path(path)).architecture.endswith("SequenceClassification")
        else AutoModelForCausalLM
    )
    dtype = "float32" if device == "cpu" else "bfloat16"
    model = open_weights(kind, Path(path), dtype=dtype).eval().to(device)
    if kind is AutoModelForCausalLM:
        refuse_foresight(model, path)
    return model, AutoTokenizer.from_pretrained(path, trust_remote_code=False)


def _classified(
    scorer: SafetyClassifier,
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    prompt: str,
    completion: str,
) -> float:
    """The softmax probability of the unsafe class; request and reply are the two segments of one input."""
    import torch

    unsafe_class = {name: number for number, name in model.config.id2label.items()}[scorer.label]
    inputs = tokenizer(prompt, completion, return_tensors="pt").to(model.device)
    if inputs["input_ids"].shape[1] > _room(scorer, model):
        return NAN
    with torch.inference_mode():
        logits = model(**inputs).logits[0].float()  # (classes,)
    return float(logits.softmax(-1)[int(unsafe_class)])


def _judged(
    scorer: SafetyClassifier,
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    prompt: str,
    completion: str,
) -> float:
    """P(unsafe) / (P(safe) + P(unsafe)) after the guard's own prompt.

    The probabilities are those of the first token in which the two verdicts differ.
    """
    import torch

    chat = [{"role": "user", "content": prompt}, {"role": "assistant", "content": completion}]
    asked = tokenizer.apply_chat_template(chat, add_generation_prompt=True, tokenize=False)
    safe, bad = (
        tokenizer(asked + word, add_special_tokens=False)["input_ids"] for word in (scorer.safe, scorer.label)
    )
    start = next((at for at, (a, b) in enumerate(zip(safe, bad, strict=False)) if a != b), None)
    if start is None:
        raise StepError(
            f"{scorer.path} has the same tokens for {scorer.safe!r} and {scorer.label!r}; set the scorer's"
            " safe and label to its verdicts"
        )
    if start > _room(scorer, model):
        return NAN
    with torch.inference_mode():
        made = model(input_ids=torch.tensor([safe[:start]], device=model.device))
    logits = made.logits[0, -1].float()  # (V,)
    return 1 / (1 + math.exp(min(700.0, float(logits[safe[start]] - logits[bad[start]]))))


def _room(scorer: SafetyClassifier, model: PreTrainedModel) -> int:
    """The longest input in tokens."""
    return min(scorer.max_length, context_of(model.config) or scorer.max_length)
