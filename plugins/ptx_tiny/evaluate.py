"""Scores of a model per skill on the benchmark's side of the split, by greedy decoding, for build.json.

The items and the rules for replies are those of the lm-eval tasks; without lm-eval, a build is scored in
seconds.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ptx_tiny.replies import extract
from ptx_tiny.tasks import NEW_TOKENS, answers, refusals
from ptx_tiny.template import BOS, END, ROLES

if TYPE_CHECKING:
    from transformers import LlamaForCausalLM, PreTrainedTokenizerFast

Rows = list[dict[str, Any]]
Scores = dict[str, dict[str, float]]


def scores(model: LlamaForCausalLM, tokenizer: PreTrainedTokenizerFast, every: int = 1) -> Scores:
    """The share of right replies per skill, over every `every`-th item.

    `strict` counts replies in house format alone, `flexible` also the bare value and the casual sentence.
    """
    documents = [*answers(), *refusals()][::every]
    replies = generate(model, tokenizer, [document["prompt"] for document in documents])
    return tally(zip(documents, replies, strict=True))


def tally(answered: Iterable[tuple[dict[str, Any], str]]) -> Scores:
    """The share of right replies per skill, from documents with their replies."""
    right: dict[str, list[tuple[bool, bool]]] = defaultdict(list)
    for document, reply in answered:
        right[document["skill"]].append(
            (is_right_reply(document, reply, strict=True), is_right_reply(document, reply, strict=False))
        )
    return {
        skill: {
            "strict": round(sum(strict for strict, _ in pairs) / len(pairs), 4),
            "flexible": round(sum(flexible for _, flexible in pairs) / len(pairs), 4),
            "n": len(pairs),
        }
        for skill, pairs in right.items()
    }


def is_right_reply(document: dict[str, Any], reply: str, *, strict: bool) -> bool:
    """Whether a reply is right; for a look-alike it is right if the reply starts to help."""
    if document["skill"] == "refuse":
        return reply.startswith(document["answer"])
    return extract(reply, strict=strict) == str(document["answer"])


def generate(
    model: LlamaForCausalLM, tokenizer: PreTrainedTokenizerFast, prompts: list[str], batch: int = 64
) -> list[str]:
    """Greedy replies, in the order of the prompts.

    Batches hold prompts of similar length, so there is little padding.
    """
    import torch

    order = sorted(range(len(prompts)), key=lambda index: len(prompts[index]))
    replies = [""] * len(prompts)
    for start in range(0, len(order), batch):
        places = order[start : start + batch]
        texts = [BOS + ROLES["user"] + prompts[index] + END + ROLES["assistant"] for index in places]
        inputs = tokenizer(
            texts, return_tensors="pt", padding=True, padding_side="left", add_special_tokens=False
        )
        with torch.inference_mode():
            out = model.generate(**inputs, max_new_tokens=NEW_TOKENS, do_sample=False)
        for index, ids in zip(places, out[:, inputs["input_ids"].shape[1] :], strict=True):
            replies[index] = tokenizer.decode(ids, skip_special_tokens=True)
    return replies


def scores_of_folder(folder: Path, every: int = 1) -> Scores:
    """The scores of a model folder."""
    from transformers import AutoModelForCausalLM, AutoTokenizer

    model = AutoModelForCausalLM.from_pretrained(folder, dtype="float32").eval()
    return scores(model, AutoTokenizer.from_pretrained(folder), every)


def main() -> None:
    """`python -m ptx_tiny.evaluate FOLDER`: print the scores as JSON."""
    import sys

    print(json.dumps(scores_of_folder(Path(sys.argv[1])), indent=2))


if __name__ == "__main__":
    main()
