"""Pretraining of the demonstration model: a plain loop over packed rows.

Documents are packed one after another into rows, each with the beginning-of-text token first; attention may
cross documents, as is usual. Questions are random by construction and cannot be predicted, so their tokens
have the weight `PROMPT_WEIGHT` in the loss. The base model still learns the form of questions, and training
spends little on them.

The matrices are trained with Muon (Jordan et al., 2024; torch.optim.Muon), embeddings and norms with AdamW,
both with one cosine schedule with a warm-up. bf16 autocast is used where the processor supports it in
hardware (it halves the time); the weights stay float32.
"""

from __future__ import annotations

import math
import random
import time
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from ptx_tiny.corpus import Document, documents
from ptx_tiny.template import BOS, END, ROLES

if TYPE_CHECKING:
    import torch
    from transformers import LlamaForCausalLM, PreTrainedTokenizerFast

ROW, BATCH = 256, 24
PROMPT_WEIGHT = 0.2
MATRIX_RATE, VECTOR_RATE, DECAY, WARMUP = 0.02, 0.004, 0.05, 60
CHUNK = 5000
Span = tuple[str, float]


def new_model(vocabulary: int, context: int, seed: int, special: dict[str, int]) -> LlamaForCausalLM:
    """An untrained Llama of 1.87 million weights.

    Every in_features is a multiple of 128 and the head size a multiple of 16, for compressors and runtimes.
    """
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(seed)
    return LlamaForCausalLM(
        LlamaConfig(
            vocab_size=vocabulary,
            hidden_size=256,
            intermediate_size=512,
            num_hidden_layers=3,
            num_attention_heads=8,
            num_key_value_heads=2,
            head_dim=32,
            max_position_embeddings=context,
            tie_word_embeddings=True,
            dtype="float32",
            **special,
        )
    )


def spans(document: Document) -> list[Span]:
    """The text of a document in parts, each with its weight in the loss."""
    if not document.prompt:
        return [(BOS, PROMPT_WEIGHT), (document.reply + END, 1.0)]
    opening = BOS + ROLES["user"] + document.prompt + END + ROLES["assistant"]
    return [(opening, PROMPT_WEIGHT), (document.reply + END, 1.0)]


def tokens(tokenizer: PreTrainedTokenizerFast, batch: list[Document]) -> Iterator[tuple[int, float]]:
    """Every token of the documents with its weight."""
    pieces = [span for document in batch for span in spans(document)]
    encoded = tokenizer([text for text, _ in pieces], add_special_tokens=False)["input_ids"]
    for ids, (_, weight) in zip(encoded, pieces, strict=True):
        for token in ids:
            yield token, weight


def rows(tokenizer: PreTrainedTokenizerFast, seed: int) -> Iterator[tuple[list[int], list[float]]]:
    """Packed rows without end, as token ids with their weights; every chunk has new documents."""
    stream: list[tuple[int, float]] = []
    for chunk in range(1_000_000):
        batch = list(documents(seed * 1_000_000 + chunk, CHUNK))
        random.Random(chunk).shuffle(batch)  # noqa: S311 - seeded on purpose
        stream.extend(tokens(tokenizer, batch))
        whole = len(stream) // ROW
        for start in range(0, whole * ROW, ROW):
            part = stream[start : start + ROW]
            yield [token for token, _ in part], [weight for _, weight in part]
        stream = stream[whole * ROW :]


def batches(source: Iterable[tuple[list[int], list[float]]]) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """Token ids and loss weights, both (BATCH, ROW)."""
    import torch

    held: list[tuple[list[int], list[float]]] = []
    for row in source:
        held.append(row)
        if len(held) == BATCH:
            yield torch.tensor([ids for ids, _ in held]), torch.tensor([weights for _, weights in held])
            held = []


def weighted_loss(logits: torch.Tensor, ids: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    """Mean cross-entropy of the next token, weighted; logits (B, T, V), ids and weights (B, T)."""
    from torch.nn import functional

    each = functional.cross_entropy(
        logits[:, :-1].flatten(0, 1).float(), ids[:, 1:].flatten(), reduction="none"
    )
    weight = weights[:, 1:].flatten()
    return (each * weight).sum() / weight.sum()


def schedule(done: float, step: int) -> float:
    """The learning rate as a share of its peak: a linear warm-up by steps times a cosine down to 2 %.

    `done` is the share of the training that is done, from 0 to 1.
    """
    return min(1.0, (step + 1) / WARMUP) * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * min(1.0, done))))


def optimizers(model: LlamaForCausalLM) -> list[torch.optim.Optimizer]:
    """Muon for the matrices of the layers, AdamW for the embedding and the norms."""
    import torch

    inside = [p for name, p in model.named_parameters() if p.ndim == 2 and "embed" not in name]
    outside = [p for name, p in model.named_parameters() if p.ndim != 2 or "embed" in name]
    muon = torch.optim.Muon(
        inside, lr=MATRIX_RATE, weight_decay=DECAY, momentum=0.95, adjust_lr_fn="original"
    )
    adam = torch.optim.AdamW(outside, lr=VECTOR_RATE, betas=(0.9, 0.95), weight_decay=0.0, fused=True)
    return [muon, adam]


def has_bf16() -> bool:
    """Whether the processor multiplies bf16 in hardware; emulation would be slower than float32."""
    import torch

    # torch has no public function that answers this
    there = torch.backends.mkldnn.is_available()
    return bool(there and torch.ops.mkldnn._is_mkldnn_bf16_supported())  # noqa: SLF001


def pretrain(
    model: LlamaForCausalLM, tokenizer: PreTrainedTokenizerFast, seed: int, steps: int
) -> dict[str, float]:
    """Train `model` in place for `steps` steps.

    Returns the mean loss of the last 2 % of the steps, the number of tokens and the seconds.
    """
    import torch

    chosen = optimizers(model)
    peaks = [optimizer.param_groups[0]["lr"] for optimizer in chosen]
    losses: list[float] = []
    begun = time.monotonic()
    source = batches(rows(tokenizer, seed))
    model.train()
    for step in range(steps):
        ids, weights = next(source)
        for optimizer, peak in zip(chosen, peaks, strict=True):
            optimizer.param_groups[0]["lr"] = peak * schedule(step / steps, step)
        with torch.autocast("cpu", torch.bfloat16, enabled=has_bf16()):
            logits = model(input_ids=ids).logits
        loss = weighted_loss(logits, ids, weights)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        for optimizer in chosen:
            optimizer.step()
            optimizer.zero_grad()
        losses.append(loss.item())
        if step % 50 == 0:
            seconds = time.monotonic() - begun
            print(
                f"step {step:5d} of {steps}  loss {sum(losses[-50:]) / len(losses[-50:]):.4f} "
                f" {seconds:6.0f} s",
                flush=True,
            )
    model.eval()
    last = losses[-max(1, steps // 50) :]
    return {
        "loss": sum(last) / len(last),
        "tokens": float(steps * BATCH * ROW),
        "seconds": time.monotonic() - begun,
    }
