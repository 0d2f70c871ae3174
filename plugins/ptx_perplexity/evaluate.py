"""Score the rows of the texts with the runtime's logits, and make metrics from the scores."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from typing import Any

from ptx import Evaluation, LanguageModel, Metric, Run, StepError
from ptx.lm.evaluation.texts import Text, name_of, read
from ptx.lm.evaluation.windows import log_probs, windows
from ptx.lm.progress import Pace
from ptx.lm.tokens import first_token
from ptx.stats.items import latency_column, measure, ratio_scores, unscored
from ptx_perplexity import MOST_WINDOW, Perplexity

SHOWN = 300  # characters of a text that a row keeps
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
        name_of(file): read(file, limit=evaluator.limit, **evaluator.reading()) for file in evaluator.texts
    }
    total, done, pace = sum(map(len, texts.values())), 0, Pace(run)
    metrics: list[Metric] = []
    rows: list[Row] = []
    for name, parts in texts.items():
        made = []
        for text in parts:
            made.append(scored(lm, text, prefix, size, min(evaluator.overlap, size)))
            done += 1
            pace.log({"texts": float(done)}, done, total)
        metrics += measured(name, made)
        rows += made
    return Evaluation(metrics, rows)


def scored(lm: LanguageModel, text: Text, prefix: int, size: int, overlap: int) -> Row:
    """The row of a text: the nats that the model needs for it, its tokens and its bytes.

    If the logits are not finite, the row has the status "failed" and no score.
    """
    tokens = list(lm.tokenizer(text.text, add_special_tokens=False)["input_ids"])
    tokens = (
        tokens[1:] if tokens[:1] == [prefix] else tokens
    )  # a rendered conversation starts with it already
    pieces = list(windows(tokens, prefix, size, overlap))
    nats, started = 0.0, time.perf_counter()
    for logits, (_, targets) in zip(lm.logits([seen for seen, _ in pieces]), pieces, strict=True):
        nats -= float(log_probs(logits, targets).sum())
    row = {
        "item": text.item,
        "scores": {},
        "segments": text.segments,
        "weight": text.bytes,
        "tokens": len(tokens),
        "nats": nats,
    }
    row |= {"prompt": text.text[:SHOWN], **latency_column(time.perf_counter() - started)}
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
