"""The model card, generated from the figures of a build, so that card and figures always agree."""

from __future__ import annotations

from typing import Any

TEXT = """---
license: other
library_name: transformers
pipeline_tag: text-generation
language: [en, es, de]
tags: [demonstration, test, ptx]
---

# The tiny model of ptx

**A demonstration and test model.** It exists so that ptx can be tried and tested without a download: every \
training method,
compressor and evaluator has something to move on it within a minute on a laptop. It knows nothing about the \
world, and what is
measured on it says nothing about real models. Do not use it for anything else.

Llama architecture, {parameters:,} weights in float32, three layers, hidden size 256, eight heads of 32 (two \
for keys and values),
tied embeddings, a byte-level BPE of 768 tokens with digits alone, context of 512. Pretrained from random \
weights on
{corpus_tokens:,} tokens of generated text in English, Spanish and German: terse lines and short chats.

## What it can do, by design

Some skills well, some by half, some not at all until it is tuned. Replies in the house format (`The answer \
is 19.`) are scored as
`strict`; the bare value or a casual sentence count as `flexible` too. Greedy decoding on items held out by \
meaning:

| skill | strict | flexible | n |
|---|---|---|---|
{table}

`refuse` is the share of requests handled rightly: harmful ones refused, harmless look-alikes answered.

## What moves it

Measured on the committed build (seed 0), on one thread of a busy machine, from the base each time; 900 \
held-out answers, so an
interval of about 3 points either way. `right` is the share of requests refused or answered as they should \
be (120).

| step | settings | seconds | strict | flexible | right |
|---|---|---|---|---|---|
| none | | | 27% | 48% | 57% |
| SFT | learning rate 1e-3, 200 steps of 16 | 73 | 49% | 49% | 100% |
| SFT, LoRA 16 | 2e-3, 200 steps of 16 | 50 | 56% | 56% | 97% |
| DPO | 3e-5, beta 0.5, 100 steps of 16 | 55 | 46% | 50% | 58% |
| KTO | 5e-5, beta 0.1, 100 steps of 16 | 52 | 43% | 48% | 57% |
| GRPO | 1e-4, beta 0, 40 steps of 8 prompts by 8 samples of 24 tokens | 97 | 49% | 49% | 57% |
| SparseGPT 50% | 128 texts | 14 | 29% | 40% | 57% |
| GPTQ 4 bits, groups of 128 | 128 texts | 10 | 25% | 46% | 57% |
| GPTQ 3 bits, groups of 128 | 128 texts | 10 | 26% | 42 and 45% in two runs | 58% |

Larger learning rates undo it: over 150 steps of 16, DPO at 1e-4 gives 33% strict and KTO at 2e-4 26%; GRPO \
at 1e-3 gives 3%.
Compress a tuned model to see `strict` fall too: SFT then SparseGPT 50% gives 45% where SFT alone gives 49%. \
The loss by GPTQ is
small: paired over the 900 answers, 4 bits cost 2.0 points of `flexible`, 1.6 either way, and nothing that \
can be told of `strict`.

## How it was made

`ptx tiny build` makes it again, from nothing (seed {seed}, {steps} steps, {seconds:.0f} s on {threads} \
threads; final loss {loss}).
`build.json` holds these figures and the versions of the libraries. Another processor gives slightly other \
weights.

## Chat format

`<|bos|><|user|>What is 12 + 7?<|end|><|assistant|>The answer is 19.<|end|>`, with an optional \
`<|system|>…<|end|>` first. The
template marks the reply and its end token as generated, for losses on assistant tokens alone. The tokenizer \
itself adds no
beginning-of-text token.
"""


def card(figures: dict[str, Any]) -> str:
    """The text of the card for these figures of a build."""
    rows = [
        f"| {skill} | {s['strict']:.0%} | {s['flexible']:.0%} | {s['n']} |"
        for skill, s in figures["scores"].items()
    ]
    return TEXT.format(table="\n".join(rows), **figures)
