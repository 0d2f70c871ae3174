"""Score the rows of the texts by the runtime's log-likelihoods, and make metrics from the scores."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from typing import Any

from ptx import Evaluation, LanguageModel, Metric, Run, StepError
from ptx.lm.evaluation.texts import Text, name_of
from ptx.lm.evaluation.texts import read as read_texts
from ptx.lm.evaluation.windows import windows
from ptx.lm.progress import Pace
from ptx.lm.serving.scoring import longest_first, score_tokens
from ptx.lm.tokens import first_token
from ptx.stats.items import latency_column, measure, ratio_scores, unscored
from ptx_perplexity import MOST_WINDOW, Perplexity

SHOWN = 300  # characters of a text that a row keeps
CHUNK = {"cpu": 32, "cuda": 256}  # windows per call of the runtime; progress is reported after each call
Row = dict[str, Any]


def evaluate(run: Run, evaluator: Perplexity, lm: LanguageModel | None) -> Evaluation:
    """Measure bits per byte and perplexity of every text.

    Raises:
        StepError: the tokenizer has no token to put before a text, or no row of a text could be scored.
    """
    assert lm is not None  # Perplexity.opens_model
    size = evaluator.window or min(lm.max_length, MOST_WINDOW)
    prefix = first_token(lm.tokenizer)
    if prefix is None:
        raise StepError(
            "the tokenizer has neither a beginning-of-text nor an end-of-text token, so the first token of a"
            " text cannot be predicted"
        )
    texts = {
        name_of(file): read_texts(file, limit=evaluator.limit, **evaluator.reading())
        for file in evaluator.texts
    }
    metrics: list[Metric] = []
    rows: list[Row] = []
    for name, parts in texts.items():
        made = scored(run, lm, parts, prefix, windows_of=(size, min(evaluator.overlap, size)))
        metrics += measured(name, made)
        rows += made
    return Evaluation(metrics, rows)


def scored(
    run: Run, lm: LanguageModel, texts: Sequence[Text], prefix: int, *, windows_of: tuple[int, int]
) -> list[Row]:
    """The rows of texts: the nats that the model needs for each, its tokens and its bytes.

    The windows of all texts are read together, the longest first. A text whose logits are not finite has the
    status "failed" and no score. ``windows_of`` is their size and their overlap.
    """
    tokens = [tokens_of(lm, text, prefix) for text in texts]
    pieces = [
        (place, seen, targets)
        for place, ids in enumerate(tokens)
        for seen, targets in windows(ids, prefix, *windows_of)
    ]
    nats, pace, started = [0.0] * len(texts), Pace(run), time.perf_counter()
    order, size = longest_first([seen for _, seen, _ in pieces]), CHUNK[run.device]
    for start in range(0, len(order), size):
        part = [pieces[number] for number in order[start : start + size]]
        pairs = [(seen[: len(seen) - len(targets) + 1], targets) for _, seen, targets in part]
        for (place, _, _), (found, _) in zip(part, score_tokens(lm, pairs), strict=True):
            nats[place] -= found
        pace.log({"windows": float(start + len(part))}, start + len(part), len(order))
    each = (time.perf_counter() - started) / max(1, sum(map(len, tokens)))
    return [
        row_of(text, len(ids), own, each * len(ids))
        for text, ids, own in zip(texts, tokens, nats, strict=True)
    ]


def tokens_of(lm: LanguageModel, text: Text, prefix: int) -> list[int]:
    """The tokens of a text that are predicted; a rendered conversation starts with the prefix already."""
    tokens = list(lm.tokenizer(text.text, add_special_tokens=False)["input_ids"])
    return tokens[1:] if tokens[:1] == [prefix] else tokens


def row_of(text: Text, tokens: int, nats: float, seconds: float) -> Row:
    """The row of a text, without its scores."""
    row = {"item": text.item, "scores": {}, "segments": text.segments, "weight": text.bytes}
    row |= {"tokens": tokens, "nats": nats, "prompt": text.text[:SHOWN], **latency_column(seconds)}
    return row if math.isfinite(nats) else {**row, "nats": None, "status": "failed"}


def measured(name: str, rows: Sequence[Row]) -> list[Metric]:
    """Metrics of one text; also fills in the scores of its rows. A row's weight is its bytes.

    Perplexity is not a mean over rows. Its interval and its comparisons use the linearised contribution of
    each row.
    """
    finite = [row for row in rows if row["nats"] is not None]
    bits, perplexity = f"perplexity/{name}/bits_per_byte", f"perplexity/{name}/perplexity"
    if not finite:
        raise StepError(f"{name}: no text could be scored, the model's logits are not finite")
    for row in rows:
        row["scores"] = dict.fromkeys((bits, perplexity))
    columns = [[float(row[key]) for row in finite] for key in ("nats", "tokens", "weight")]
    for row, part in zip(finite, ratio_scores(*columns), strict=True):
        row["scores"] = {bits: row["nats"] / math.log(2) / row["weight"], perplexity: part}
    whole = [metric for metric in measure(perplexity, "perplexity", "lower", finite) if not metric.segment]
    return [*measure(bits, "bits/byte", "lower", finite), *whole, *unscored(f"perplexity/{name}", rows)]
