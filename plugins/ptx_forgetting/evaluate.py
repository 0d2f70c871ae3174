"""Read the texts with both models and compare.

The baseline's log-probabilities are kept in the store, with its own sums: it reads the texts once, also for
its own row.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ptx import Evaluation, LanguageModel, ModelRef, Run, identity_of, machine
from ptx.files import digest_of
from ptx.lm.evaluation.divergence import kl, likeliest
from ptx.lm.evaluation.texts import Text, name_of
from ptx.lm.evaluation.texts import read as read_texts
from ptx.lm.evaluation.windows import windows
from ptx.lm.load import load_tokenizer
from ptx.lm.progress import Pace
from ptx.lm.serving.scoring import read_log_probs
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
Row = dict[str, Any]
Sums = dict[str, float]
MEASURES = (BITS, KL, FLIPS)


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


@dataclass(frozen=True)
class Baseline:
    """What the baseline says about the passages: by passage and window, and summed up by passage."""

    kept: list[list[Kept]]
    own: list[Sums]


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
    names, rows = [BITS, KL, FLIPS] if base else [BITS], []
    found = base.own if base and _is_baseline(run, model, baseline) else summed(run, lm, passages, base)
    for passage, sums in zip(passages, found, strict=True):
        row = _row(passage, sums, names)
        row["segments"] |= {"text": passage.file} if len(evaluator.files()) > 1 else {}
        rows.append(row if row["scores"] else row | {"scores": dict.fromkeys(names), "status": "failed"})
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
        for text in read_texts(file, block=config.block, limit=config.limit):
            ids = list(tokenizer(text.text, add_special_tokens=False)["input_ids"])
            begins = prefix is None or ids[:1] == [prefix]  # a rendered conversation has it already
            first, rest = (ids[0], ids[1:]) if begins else (prefix, ids)
            if rest:
                found.append(Passage(name_of(file), text, list(windows(rest, first, size, 1))))
    return found


def _log_probs(lm: LanguageModel, passages: list[Passage]) -> Iterator[tuple[int, int, Any]]:
    """(Number of a passage, number of its window, log-probabilities (C, V) of the window's C predictions).

    The windows of all passages are read together, the longest first.
    """
    pieces = [(n, m, *piece) for n, passage in enumerate(passages) for m, piece in enumerate(passage.pieces)]
    for place, found in read_log_probs(lm, [seen for _, _, seen, _ in pieces]):
        n, m, _, targets = pieces[place]
        yield n, m, found[len(found) - len(targets) :]


def summed(run: Run, lm: LanguageModel, passages: list[Passage], base: Baseline | None) -> list[Sums]:
    """Nats, KL from the baseline and flips of each passage, summed over its tokens."""
    found, pace = [dict.fromkeys(MEASURES, 0.0) for _ in passages], Pace(run)
    total = sum(len(passage.pieces) for passage in passages)
    for done, (n, m, probs) in enumerate(_log_probs(lm, passages), 1):
        _add(found[n], passages[n].pieces[m][1], probs, base.kept[n][m] if base else None)
        pace.log({"windows": float(done)}, done, total)
    return found


def _add(sums: Sums, targets: list[int], probs: Any, kept: Kept | None) -> None:
    """Add a window: its targets (C,) and log-probabilities (C, V), and what is kept of the baseline's."""
    sums[BITS] -= float(probs[np.arange(len(targets)), targets].sum())
    if kept is not None:
        tokens, base = kept
        sums[KL] += float(kl(tokens, base.astype(np.float64), probs).sum())
        sums[FLIPS] += float((probs.argmax(axis=1) != tokens[:, 0]).sum())


def _row(passage: Passage, sums: Sums, names: list[str]) -> Row:
    """A row of the item table, weighed by its bytes; without scores if the model's logits are not finite."""
    per = {BITS: math.log(2) * passage.text.bytes, KL: passage.tokens, FLIPS: passage.tokens}
    scores = {name: sums[name] / per[name] for name in names}
    return {
        "item": f"{passage.file}:{passage.text.item}",
        "scores": scores if all(map(math.isfinite, scores.values())) else {},
        "segments": dict(passage.text.segments),
        "weight": passage.text.bytes,
        "prompt": passage.text.text[:SHOWN],
    }


def baseline_log_probs(
    run: Run,
    config: Forgetting,
    passages: list[Passage],
    model: ModelRef,
    lm: LanguageModel,
    baseline: ModelRef,
) -> Baseline:
    """The baseline's log-probabilities by text; computed once for all models that are compared with it."""
    its = run.of_baseline()

    def build(into: Path) -> None:
        run.say(
            f"the baseline reads {len(passages)} general texts, once for all models that are compared with it"
        )
        with nullcontext(lm) if _is_baseline(run, model, baseline) else its.lend(baseline) as opened:
            np.savez(into / "log_probs.npz", **_arrays(run, opened, passages, config.likeliest))

    folder = run.product("general_log_probs", ingredients(its, config, passages, baseline), build)
    with np.load(folder / "log_probs.npz") as held:
        kept = [
            [(held[f"w{n}_{m}"], held[f"p{n}_{m}"]) for m in range(len(passage.pieces))]
            for n, passage in enumerate(passages)
        ]
        own = [dict(zip(MEASURES, map(float, sums), strict=True)) for sums in held["own"]]
    return Baseline(kept, own)


def _arrays(run: Run, lm: LanguageModel, passages: list[Passage], count: int) -> dict[str, Any]:
    """What is kept of every window, and ``own`` (P, 3): the sums of the baseline against what is kept."""
    arrays: dict[str, Any] = {}
    own, pace = [dict.fromkeys(MEASURES, 0.0) for _ in passages], Pace(run)
    total = sum(len(passage.pieces) for passage in passages)
    for done, (n, m, log_probs) in enumerate(_log_probs(lm, passages), 1):
        tokens, kept = likeliest(log_probs, count)
        stored = tokens.astype(np.int32), kept.astype(np.float32)
        arrays[f"w{n}_{m}"], arrays[f"p{n}_{m}"] = stored
        _add(own[n], passages[n].pieces[m][1], log_probs, stored)
        pace.log({"windows": float(done)}, done, total)
    return arrays | {"own": np.array([[sums[name] for name in MEASURES] for sums in own])}


def ingredients(run: Run, config: Forgetting, passages: list[Passage], baseline: ModelRef) -> dict[str, Any]:
    """Everything that decides the baseline's log-probabilities; ``run`` is on its runtime."""
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
        "holds": "log-probabilities in float32 and own sums",
        "device": run.device,
        "libraries": machine.versions((*choice.libraries, "torch", "transformers", "numpy")),
    }


def _is_baseline(run: Run, model: ModelRef, baseline: ModelRef) -> bool:
    """Whether the model that is measured is the baseline, on the baseline's runtime."""
    return model.digest == baseline.digest and run.of_baseline().config.runtime == run.config.runtime


def _same_vocabulary(lm: LanguageModel, model: ModelRef, baseline: ModelRef) -> bool:
    """Whether a KL is defined, which needs the same tokens."""
    return model.digest == baseline.digest or bool(
        load_tokenizer(baseline.path).get_vocab() == lm.tokenizer.get_vocab()
    )
