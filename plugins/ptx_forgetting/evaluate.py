"""Read the texts with both models and compare; the baseline's log-probabilities are kept in the store."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ptx import Evaluation, LanguageModel, ModelRef, Run, identity_of, machine
from ptx.files import digest_of
from ptx.lm.evaluation.divergence import kl, likeliest
from ptx.lm.evaluation.texts import Text, name_of, read
from ptx.lm.evaluation.windows import windows
from ptx.lm.load import load_tokenizer
from ptx.lm.progress import Pace
from ptx.lm.serving.decoding import log_softmax
from ptx.lm.tokens import first_token
from ptx.stats.items import measure, unscored
from ptx_forgetting import Forgetting

BITS, KL, FLIPS = "forgetting/text/bits_per_byte", "forgetting/text/kl", "forgetting/text/flips"
UNITS = {BITS: "bits/byte", KL: "nats/token", FLIPS: "fraction"}
SHOWN = 300  # characters of a text that a row keeps
#: a window: tokens read, and the tokens predicted at their end
Piece = tuple[list[int], list[int]]
#: the most likely tokens (C, K) at a window's C positions, and their log-probabilities (C, K)
Kept = tuple[Any, Any]
#: by text and window
Baseline = list[list[Kept]]
Row = dict[str, Any]


@dataclass(frozen=True)
class Passage:
    """A text as a model reads it."""

    file: str
    text: Text
    pieces: list[Piece]

    @property
    def tokens(self) -> int:
        """The number of predicted tokens."""
        return sum(len(targets) for _, targets in self.pieces)


def evaluate(
    run: Run, evaluator: Forgetting, model: ModelRef, lm: LanguageModel | None, baseline: ModelRef | None
) -> Evaluation:
    """Bits per byte under ``lm``, and its distance from ``baseline`` if both have the same vocabulary."""
    assert lm is not None  # Forgetting.opens_model
    passages = passages_of(evaluator, lm)
    baseline = baseline or model
    base: Baseline | None = None
    if _same_vocabulary(lm, model, baseline):
        base = baseline_log_probs(run, evaluator, passages, model, lm, baseline)
    else:
        run.say(
            "the model's vocabulary differs from its baseline's: bits per byte are compared, KL and flips are"
            " not measured"
        )
    names, rows, pace = [BITS, KL, FLIPS] if base else [BITS], [], Pace(run)
    for number, passage in enumerate(passages):
        row = _row(passage, list(_log_probs(lm, passage)), base[number] if base else None)
        row["segments"] |= {"text": passage.file} if len(evaluator.files()) > 1 else {}
        rows.append(row if row["scores"] else row | {"scores": dict.fromkeys(names), "status": "failed"})
        pace.log({"texts": float(len(rows))}, len(rows), len(passages))
    return Evaluation(
        [
            *(one for name in names for one in measure(name, UNITS[name], "lower", rows)),
            *unscored("forgetting/text", rows),
        ],
        rows,
    )


def passages_of(config: Forgetting, lm: LanguageModel) -> list[Passage]:
    """The texts in windows, in which each token is predicted once.

    For a tokenizer without a beginning-of-text token, a text's own first token is read and not predicted.
    """
    size, found = min(config.window, lm.max_length), []
    tokenizer = lm.tokenizer
    prefix = first_token(tokenizer)
    for file in config.files():
        for text in read(file, block=config.block, limit=config.limit):
            ids = list(tokenizer(text.text, add_special_tokens=False)["input_ids"])
            begins = prefix is None or ids[:1] == [prefix]  # a rendered conversation has it already
            first, rest = (ids[0], ids[1:]) if begins else (prefix, ids)
            if rest:
                found.append(Passage(name_of(file), text, list(windows(rest, first, size, 1))))
    return found


def _log_probs(lm: LanguageModel, passage: Passage) -> Iterator[Any]:
    """Per window the log-probabilities (C, V) at the positions that predict its C tokens."""
    for logits, (_, targets) in zip(
        lm.logits([seen for seen, _ in passage.pieces]), passage.pieces, strict=True
    ):
        yield log_softmax(np.asarray(logits)[len(logits) - len(targets) :])


def _row(passage: Passage, ours: list[Any], base: list[Kept] | None) -> Row:
    """A row of the item table, weighed by its bytes; without scores if the model's logits are not finite."""
    nats, divergence, flips = 0.0, 0.0, 0
    for number, (probs, (_, targets)) in enumerate(zip(ours, passage.pieces, strict=True)):
        nats -= float(probs[np.arange(len(targets)), targets].sum())
        if base is not None:
            tokens, kept = base[number]
            divergence += float(kl(tokens, kept.astype(np.float64), probs).sum())
            flips += int((probs.argmax(axis=1) != tokens[:, 0]).sum())
    scores = {BITS: nats / math.log(2) / passage.text.bytes}
    scores |= {} if base is None else {KL: divergence / passage.tokens, FLIPS: flips / passage.tokens}
    row: Row = {
        "item": f"{passage.file}:{passage.text.item}",
        "scores": scores if all(map(math.isfinite, scores.values())) else {},
    }
    row |= {
        "segments": dict(passage.text.segments),
        "weight": passage.text.bytes,
        "prompt": passage.text.text[:SHOWN],
    }
    return row


def baseline_log_probs(
    run: Run,
    config: Forgetting,
    passages: list[Passage],
    model: ModelRef,
    lm: LanguageModel,
    baseline: ModelRef,
) -> Baseline:
    """The baseline's log-probabilities by text; computed once for all models that are compared with it."""

    def build(into: Path) -> None:
        run.say(
            f"the baseline reads {len(passages)} general texts, once for all models that are compared with it"
        )
        itself = model.digest == baseline.digest
        opened = lm if itself else run.load(baseline)
        try:
            np.savez(into / "log_probs.npz", **_arrays(opened, passages, config.likeliest))
        finally:
            if not itself:
                opened.close()

    folder = run.product("general_log_probs", ingredients(run, config, passages, baseline), build)
    with np.load(folder / "log_probs.npz") as held:
        return [
            [(held[f"w{n}_{m}"], held[f"p{n}_{m}"]) for m in range(len(passage.pieces))]
            for n, passage in enumerate(passages)
        ]


def _arrays(lm: LanguageModel, passages: list[Passage], count: int) -> dict[str, Any]:
    arrays: dict[str, Any] = {}
    for n, passage in enumerate(passages):
        for m, log_probs in enumerate(_log_probs(lm, passage)):
            tokens, kept = likeliest(log_probs, count)
            arrays |= {f"w{n}_{m}": tokens.astype(np.int32), f"p{n}_{m}": kept.astype(np.float32)}
    return arrays


def ingredients(run: Run, config: Forgetting, passages: list[Passage], baseline: ModelRef) -> dict[str, Any]:
    """Everything that decides the baseline's log-probabilities."""
    choice = run.host.choice_of(run.config.runtime)
    return {
        "weights": baseline.digest or ModelRef.of(baseline.path).digest,
        "runtime": {
            "choice": choice.name,
            "version": choice.version,
            "config": identity_of(run.config.runtime),
        },
        "texts": digest_of([passage.pieces for passage in passages]),
        "likeliest": config.likeliest,
        "device": run.device,
        "libraries": machine.versions((*choice.libraries, "torch", "transformers", "numpy")),
    }


def _same_vocabulary(lm: LanguageModel, model: ModelRef, baseline: ModelRef) -> bool:
    """Whether a KL is defined, which needs the same tokens."""
    return model.digest == baseline.digest or bool(
        load_tokenizer(baseline.path).get_vocab() == lm.tokenizer.get_vocab()
    )
