"""``scorer.process``: the steps of each completion, and one number of them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ptx import Run, Score, StepError
from ptx.lm.load import dtype_of, load_tokenizer, quiet
from ptx.lm.weights import open_weights
from ptx.models.sizes import context_of
from ptx_process import Process
from ptx_process.steps import Encoded, Turns, aggregate, encode, lines_of

if TYPE_CHECKING:
    from transformers import PreTrainedModel

NAN = float("nan")


def score(run: Run, scorer: Process, prompts: list[str | Turns], completions: list[str]) -> list[float]:
    """One number per completion; what it ``said`` is the probability of each step, as JSON.

    nan for one without a step, or longer than the model's context.
    """
    folder = Path(scorer.model).expanduser()
    model, tokenizer = load(folder, run.device), load_tokenizer(folder)
    encoded = [
        encode(tokenizer, prompt, lines_of(text)) for prompt, text in zip(prompts, completions, strict=True)
    ]
    most = min(scorer.max_length, context_of(model.config) or scorer.max_length)
    scores: list[float] = [_why(one, most) for one in encoded]
    able = [place for place, one in enumerate(encoded) if one.ends and len(one.ids) <= most]
    able.sort(key=lambda place: -len(encoded[place].ids))
    for start in range(0, len(able), scorer.batch_size):
        chosen = able[start : start + scorer.batch_size]
        found = probabilities(model, tokenizer, [encoded[place] for place in chosen])
        for place, steps in zip(chosen, found, strict=True):
            scores[place] = Score(aggregate(steps, scorer.aggregate), said=json.dumps(steps))
        # shown and not logged: within a training, a log is a number of that training
        done = start + len(chosen)
        run.console.progress(run.label, {"answers": float(done)}, done, len(able))
    return scores


def _why(one: Encoded, most: int) -> Score:
    if not one.ends:
        return Score(NAN, "failed", "there is no step: the reply is empty")
    return Score(NAN, "failed", f"{len(one.ids)} tokens, the process reward model takes {most}")


def probabilities(model: PreTrainedModel, tokenizer: Any, rows: Sequence[Encoded]) -> list[list[float]]:
    """The probability that each step of each solution is right."""
    import torch

    batch = tokenizer.pad({"input_ids": [row.ids for row in rows]}, padding_side="right", return_tensors="pt")
    batch = batch.to(model.device)
    with torch.inference_mode():
        made = model(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"])
    right = made.logits.float().softmax(dim=-1)[..., 1].cpu()  # (B, T)
    return [right[place, row.ends].tolist() for place, row in enumerate(rows)]


def load(folder: Path, device: str) -> PreTrainedModel:
    """The classifier of steps.

    Raises:
        StepError: the folder does not hold a process reward model.
    """
    quiet()
    from transformers import AutoModelForTokenClassification

    try:
        model = open_weights(AutoModelForTokenClassification, folder, dtype=dtype_of("auto", device))
    except (OSError, ValueError) as error:
        said = str(error).splitlines()[0]
        raise StepError(f"no process reward model could be read from {folder}: {said}") from error
    if model.config.num_labels != 2:
        raise StepError(f"{folder} has {model.config.num_labels} labels, a process reward model has two")
    return model.to(device).eval()
