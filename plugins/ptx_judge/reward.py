"""A reward model: a sequence classifier with one label, whose logit is the score of a conversation.

Only safetensors are read, and no remote code is run.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from ptx import Run, Score, StepError
from ptx.lm.load import load_tokenizer, quiet
from ptx.models.sizes import context_of
from ptx_judge.config import Reward
from ptx_judge.rubric import NAN

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

Turns = list[dict[str, Any]]


def score(run: Run, scorer: Reward, prompts: list[str | Turns], completions: list[str]) -> list[float]:
    """One logit per completion; nan with the status "failed" for one longer than the model's context."""
    import torch

    folder = Path(scorer.model).expanduser()
    model, tokenizer = load(folder, run.device), load_tokenizer(folder)
    encoded = [encode(tokenizer, *pair) for pair in zip(prompts, completions, strict=True)]
    most = min(scorer.max_length, context_of(model.config) or scorer.max_length)
    scores: list[float] = [
        Score(NAN, "failed", f"{len(row)} tokens, the reward model takes {most}") for row in encoded
    ]
    order = sorted(
        (index for index, row in enumerate(encoded) if len(row) <= most),
        key=lambda index: -len(encoded[index]),
    )
    for start in range(0, len(order), scorer.batch_size):
        chosen = order[start : start + scorer.batch_size]
        batch = tokenizer.pad(
            {"input_ids": [encoded[index] for index in chosen]}, padding_side="right", return_tensors="pt"
        ).to(run.device)
        with torch.inference_mode():
            made = model(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"])
        logits = made.logits[:, 0]  # (B,)
        for index, value in zip(chosen, logits.float().tolist(), strict=True):
            scores[index] = value
        # shown and not logged: within a training, a log is a number of that training
        run.console.progress(
            run.label, {"answers": float(start + len(chosen))}, start + len(chosen), len(order)
        )
    return scores


def load(folder: Path, device: str) -> PreTrainedModel:
    """The classifier, in float32 on a CPU and bfloat16 on a GPU.

    Raises:
        StepError: the folder does not hold a reward model.
    """
    quiet()
    from transformers import AutoModelForSequenceClassification

    from ptx.lm.load import dtype_of
    from ptx.lm.weights import open_weights

    try:
        model = open_weights(AutoModelForSequenceClassification, folder, dtype=dtype_of("auto", device))
    except (OSError, ValueError) as error:
        raise StepError(
            f"no reward model could be read from {folder}: {str(error).splitlines()[0]}"
        ) from error
    if model.config.num_labels != 1:
        raise StepError(f"{folder} has {model.config.num_labels} labels, a reward model has one")
    return model.to(device).eval()


def encode(tokenizer: PreTrainedTokenizerBase, prompt: str | Turns, completion: str) -> list[int]:
    """The tokens of a conversation, through the chat template.

    Without a template they are those of the two texts as a pair, as DeBERTa reward models take them.
    """
    if getattr(tokenizer, "chat_template", None):
        asked = [{"role": "user", "content": prompt}] if isinstance(prompt, str) else prompt
        turns = [*asked, {"role": "assistant", "content": completion}]
        text = tokenizer.apply_chat_template(turns, tokenize=False)
        return list(tokenizer(text, add_special_tokens=False)["input_ids"])
    text = prompt if isinstance(prompt, str) else "\n\n".join(str(turn["content"]) for turn in prompt)
    return list(tokenizer(text, completion)["input_ids"])
