"""Compare the model's log-probabilities with the baseline's, which are kept in the store."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np

from ptx import Evaluation, LanguageModel, ModelRef, Run, StepError, machine
from ptx.files import digest_of
from ptx.lm.evaluation.divergence import kl, likeliest
from ptx.lm.evaluation.texts import Text
from ptx.lm.evaluation.texts import read as read_texts
from ptx.lm.load import load_model, load_tokenizer
from ptx.lm.progress import Pace
from ptx.lm.serving.scoring import longest_first, read_log_probs
from ptx.lm.tokens import first_token
from ptx.stats.items import latency_column, measure
from ptx_divergence import Divergence

KL, FLIPS = "divergence/kl", "divergence/flips"
SHOWN = 300  # characters of a text that a row keeps
TOGETHER = 32  # rows that the baseline reads at once
Tokens = list[int]


def evaluate(
    run: Run, evaluator: Divergence, lm: LanguageModel | None, baseline: ModelRef | None
) -> Evaluation:
    """KL per token and flipped tokens of ``lm`` against ``baseline``.

    Raises:
        StepError: there is no baseline folder, or the two models have different vocabularies.
    """
    assert lm is not None  # Divergence.opens_model
    # the model folder, also where the runtime opens packages
    source = run.plan.model if run.plan is not None else baseline
    if source is None or source.kind == "package":
        raise StepError("eval=[divergence] needs the model folder that the recipe started from")
    texts = [
        text
        for file in evaluator.texts
        for text in read_texts(file, block=evaluator.block, limit=evaluator.limit)
    ]
    rows = [tokens_of(lm, text, evaluator.tokens) for text in texts]
    _require_same_vocabulary(lm, source)
    folder = run.product(
        "baseline_log_probs",
        ingredients(run, evaluator, source, rows),
        lambda into: _build(run, evaluator, source, rows, into),
    )
    made, pace, started = [dict[str, float]()] * len(rows), Pace(run), time.perf_counter()
    with np.load(folder / "log_probs.npz") as base:
        for done, (number, found) in enumerate(read_log_probs(lm, rows), 1):
            made[number] = _scores((base[f"w{number}"], base[f"p{number}"]), found)
            pace.log({"texts": float(done)}, done, len(rows))
    each = (time.perf_counter() - started) / max(1, sum(map(len, rows)))
    measured = [
        _row(text, tokens, scores) | latency_column(each * len(tokens))
        for text, tokens, scores in zip(texts, rows, made, strict=True)
    ]
    metrics = [*measure(KL, "nats/token", "lower", measured), *measure(FLIPS, "fraction", "lower", measured)]
    return Evaluation(metrics, measured)


def tokens_of(lm: LanguageModel, text: Text, most: int) -> Tokens:
    """The first ``most`` tokens of a text as the model reads it, with the beginning-of-text token."""
    prefix = first_token(lm.tokenizer)
    ids = list(lm.tokenizer(text.text, add_special_tokens=False)["input_ids"])
    # a rendered conversation has it already
    first = [] if prefix is None or ids[:1] == [prefix] else [prefix]
    return (first + ids)[: min(most, lm.max_length)]


def _scores(base: tuple[Any, Any], ours: Any) -> dict[str, float]:
    """Means over a text's tokens."""
    kept, log_probs = base
    flips = ours.argmax(axis=1) != kept[:, 0]
    return {KL: float(kl(kept, log_probs.astype(np.float64), ours).mean()), FLIPS: float(flips.mean())}


def _row(text: Text, tokens: Tokens, scores: dict[str, float]) -> dict[str, Any]:
    """A row of the item table; the number of its tokens is its weight."""
    row = {"item": text.item, "scores": scores, "segments": text.segments, "weight": len(tokens)}
    return row | {"prompt": text.text[:SHOWN]}


def ingredients(run: Run, config: Divergence, baseline: ModelRef, rows: list[Tokens]) -> dict[str, Any]:
    """Everything that decides the baseline's log-probabilities."""
    return {
        "weights": baseline.digest or ModelRef.of(baseline.path).digest,
        "tokens": digest_of(rows),
        "likeliest": config.likeliest,
        "holds": "log-probabilities in float32",
        "device": run.device,
        "libraries": machine.versions(("torch", "transformers", "numpy")),
    }


def _build(run: Run, config: Divergence, baseline: ModelRef, rows: list[Tokens], into: Path) -> None:
    from ptx.lm.serving.loglikelihood import log_probs_of

    run.say(f"the baseline reads {len(rows)} texts, once for all models that are compared with it")
    model = load_model(baseline, dtype="float32", device=run.device).eval()
    order = longest_first(rows)
    arrays: dict[str, Any] = {}
    for number, found in zip(order, log_probs_of(model, [rows[n] for n in order], TOGETHER), strict=True):
        tokens, kept = likeliest(found.numpy(), config.likeliest)
        arrays |= {f"w{number}": tokens.astype(np.int32), f"p{number}": kept.astype(np.float32)}
    np.savez(into / "log_probs.npz", **arrays)


def _require_same_vocabulary(lm: LanguageModel, baseline: ModelRef) -> None:
    """Raise where the vocabularies differ: KL is only defined over the same tokens."""
    if load_tokenizer(baseline.path).get_vocab() != lm.tokenizer.get_vocab():
        raise StepError(
            f"the model's vocabulary differs from that of its baseline {baseline.path}, so there is no KL"
            " between them; leave divergence out"
        )
