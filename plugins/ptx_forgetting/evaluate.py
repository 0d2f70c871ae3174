"""Reading the texts with both models: the log-probabilities of the model as it came are kept in the store,
the other's stand beside them.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ptx import Evaluation, LanguageModel, ModelRef, Run, machine
from ptx.config import identity_of
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
Piece = tuple[list[int], list[int]]  # tokens read, tokens predicted at the end of them
Words = tuple[
    Any, Any
]  # the likeliest words (C, K) of a window's C tokens, and their log-probabilities (C, K)
Kept = list[list[Words]]  # by text and window
Row = dict[str, Any]


@dataclass(frozen=True)
class Passage:
    """A text as a model reads it."""

    file: str
    text: Text
    pieces: list[Piece]

    @property
    def tokens(self) -> int:
        """How many are predicted."""
        return sum(len(targets) for _, targets in self.pieces)


def evaluate(
    run: Run, config: Forgetting, model: ModelRef, lm: LanguageModel | None, baseline: ModelRef | None
) -> Evaluation:
    """Bits per byte under ``lm``, and how far it is from ``baseline`` where both have the same words."""
    assert lm is not None  # General.opens_model
    passages = passages_of(config, lm)
    baseline = baseline or model
    base: Kept | None = None
    if _same_words(lm, model, baseline):
        base = before(run, config, passages, model, lm, baseline)
    else:
        run.say(
            "the vocabulary is not that of the model as it came: bits per byte can be compared, KL and flips"
            " there are none"
        )
    names, rows, pace = [BITS, KL, FLIPS] if base else [BITS], [], Pace(run)
    for number, passage in enumerate(passages):
        row = _row(passage, list(_log_probs(lm, passage)), base[number] if base else None)
        row["segments"] |= {"text": passage.file} if len(config.files()) > 1 else {}
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
    """The texts in windows, each token predicted once; without a token that stands first, a text's own first
    token does.
    """
    size, found = min(config.window, lm.max_length), []
    tokenizer = lm.tokenizer
    prefix = first_token(tokenizer)
    for file in config.files():
        for text in read(file, block=config.block, limit=config.limit):
            ids = list(tokenizer(text.text, add_special_tokens=False)["input_ids"])
            begins = prefix is None or ids[:1] == [prefix]  # a rendered conversation brings its own
            first, rest = (ids[0], ids[1:]) if begins else (prefix, ids)
            if rest:
                found.append(Passage(name_of(file), text, list(windows(rest, first, size, 1))))
    return found


def _log_probs(lm: LanguageModel, passage: Passage) -> Iterator[Any]:
    """Per window the log-probabilities (C, V) under which its C tokens are predicted."""
    for logits, (_, targets) in zip(
        lm.logits([seen for seen, _ in passage.pieces]), passage.pieces, strict=True
    ):
        yield log_softmax(np.asarray(logits)[len(logits) - len(targets) :])


def _row(passage: Passage, ours: list[Any], base: list[Words] | None) -> Row:
    """A row of the item table, weighed by its bytes; without scores where the model's logits are not
    finite.
    """
    nats, far, flips = 0.0, 0.0, 0
    for number, (probs, (_, targets)) in enumerate(zip(ours, passage.pieces, strict=True)):
        nats -= float(probs[np.arange(len(targets)), targets].sum())
        if base is not None:
            words, kept = base[number]
            far += float(kl(words, kept.astype(np.float64), probs).sum())
            flips += int((probs.argmax(axis=1) != words[:, 0]).sum())
    scores = {BITS: nats / math.log(2) / passage.text.bytes}
    scores |= {} if base is None else {KL: far / passage.tokens, FLIPS: flips / passage.tokens}
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


def before(
    run: Run,
    config: Forgetting,
    passages: list[Passage],
    model: ModelRef,
    lm: LanguageModel,
    baseline: ModelRef,
) -> Kept:
    """What the model as it came says of each text; read once for all models that are held against it."""

    def build(into: Path) -> None:
        run.say(
            f"the model as it came reads {len(passages)} general texts, once for all models held against it"
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
            words, kept = likeliest(log_probs, count)
            arrays |= {f"w{n}_{m}": words.astype(np.int32), f"p{n}_{m}": kept.astype(np.float32)}
    return arrays


def ingredients(run: Run, config: Forgetting, passages: list[Passage], baseline: ModelRef) -> dict[str, Any]:
    """All that decides what the model as it came says."""
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


def _same_words(lm: LanguageModel, model: ModelRef, baseline: ModelRef) -> bool:
    """KL is over words: two models with different vocabularies have none."""
    return model.digest == baseline.digest or bool(
        load_tokenizer(baseline.path).get_vocab() == lm.tokenizer.get_vocab()
    )
