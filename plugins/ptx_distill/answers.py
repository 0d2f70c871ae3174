"""The teacher's answers to all prompts, generated once and kept in the store.

This is sequence-level distillation (Kim & Rush 2016). The answers depend on the teacher, the prompts and the
settings of generation. So a sweep over students, learning rates and loss weights generates them once. An
answer that does not end within ``max_new_tokens`` is left out, because the student would learn to stop too
early.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from ptx import ModelRef, Run, StepError, machine
from ptx.files import digest_of, read_json, write_json
from ptx.lm.load import dtype_of, load_model, load_tokenizer
from ptx.lm.merge import merged
from ptx.lm.training.reference import weights_digest
from ptx.lm.training.rows import prompt_turns
from ptx.lm.training.truncation import prompt_ids
from ptx_distill.settings import Sequence

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

VERSION = 1
LIBRARIES = ("torch", "transformers")
BATCH = 16  # prompts that are answered together


def answer_prompts(
    run: Run, method: Sequence, teacher: ModelRef, rows: list[dict[str, Any]]
) -> list[dict[str, Any]]:
    """Rows of prompt and completion, one for every prompt whose answer was finished.

    Raises:
        StepError: the teacher finished no answer.
    """
    tokenizer = load_tokenizer(teacher.path)
    chat = tokenizer.chat_template is not None
    prompts = [prompt_ids(tokenizer, prompt_turns(row) if chat else row["prompt"]) for row in rows]
    folder = run.product(
        "teacher_answers",
        {
            "version": VERSION,
            "weights": weights_digest(teacher),
            "prompts": digest_of(prompts),
            "max_new_tokens": method.max_new_tokens,
            "sampling": method.sampling,
            "seed": run.seed if method.sampling else None,
            "dtype": str(dtype_of("auto", run.device)).removeprefix("torch."),
            "device": run.device,
            "libraries": machine.versions(LIBRARIES),
        },
        lambda folder: _write_answers(run, method, teacher, tokenizer, prompts, folder),
    )
    found = read_json(folder / "answers.json")
    kept = [
        {"prompt": row["prompt"], "completion": _completion(row, text)}
        for row, text in zip(rows, found, strict=True)
        if text
    ]
    if not kept:
        raise StepError(
            f"the teacher finished none of its {len(rows)} answers within {method.max_new_tokens} tokens;"
            " try a larger method.max_new_tokens"
        )
    if len(kept) < len(rows):
        run.say(
            f"{len(rows) - len(kept)} of {len(rows)} prompts are left out: the answer did not end within"
            f" {method.max_new_tokens} tokens"
        )
    return kept


def _completion(row: dict[str, Any], text: str) -> Any:
    """The answer in the form of its prompt: a text, or a list of turns."""
    return text if isinstance(row["prompt"], str) else [{"role": "assistant", "content": text}]


def _write_answers(
    run: Run,
    method: Sequence,
    teacher: ModelRef,
    tokenizer: PreTrainedTokenizerBase,
    prompts: list[list[int]],
    folder: Path,
) -> None:
    run.say(f"the teacher answers {len(prompts)} prompts (once for all runs that share them)")
    network = load_model(teacher, "auto", run.device)
    network = merged(network).eval()
    torch.manual_seed(run.seed)
    answers = [""] * len(prompts)
    order = sorted(range(len(prompts)), key=lambda place: -len(prompts[place]))
    for start in range(0, len(order), BATCH):
        places = order[start : start + BATCH]
        for place, text in zip(
            places, _generate(network, tokenizer, method, [prompts[place] for place in places]), strict=True
        ):
            answers[place] = text
        run.console.progress(f"{run.label} teacher", {}, min(start + BATCH, len(order)), len(order))
    write_json(folder / "answers.json", answers)


def _generate(
    network: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    method: Sequence,
    prompts: list[list[int]],
) -> list[str]:
    """The answers to a batch of prompts, token ids each; "" for an answer that did not end."""
    width, filler = max(map(len, prompts)), tokenizer.pad_token_id
    ids = torch.tensor(
        [[filler] * (width - len(row)) + row for row in prompts], device=network.device
    )  # (B, T)
    mask = torch.tensor([[0] * (width - len(row)) + [1] * len(row) for row in prompts], device=network.device)
    declared = network.generation_config.eos_token_id
    ends = {tokenizer.eos_token_id, *(declared if isinstance(declared, list) else [declared])} - {None}
    how = (
        {"do_sample": True, "temperature": method.sampling, "top_k": 0, "top_p": 1.0}
        if method.sampling
        else {"do_sample": False}
    )
    with torch.inference_mode():
        made = network.generate(
            input_ids=ids,
            attention_mask=mask,
            max_new_tokens=method.max_new_tokens,
            pad_token_id=filler,
            eos_token_id=sorted(ends),
            **how,
        )[:, width:].tolist()
    found = []
    for row in made:
        end = next((place for place, token in enumerate(row) if token in ends), None)
        found.append("" if end is None else str(tokenizer.decode(row[:end], skip_special_tokens=True)))
    return found
