"""Scoring the rows of the texts through the runtime's logits, and making metrics of them."""

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
from ptx.stats.items import lasted, measure, ratio_scores, unscored
from ptx_perplexity import MOST_WINDOW, Perplexity

SHOWN = 300  # characters of a text that a row keeps
Row = dict[str, Any]


def evaluate(run: Run, config: Perplexity, lm: LanguageModel | None) -> Evaluation:
    """Bits per byte and perplexity of every text of ``config``."""
    assert lm is not None  # Perplexity.opens_model
    size = config.window or min(lm.max_length, MOST_WINDOW)
    prefix = first_token(lm.tokenizer)
    if prefix is None:
        raise StepError(
            "the tokenizer has neither a first nor an end token, so that nothing can stand before a text's"
            " first word"
        )
    texts = {name_of(file): read(file, limit=config.limit, **config.reading()) for file in config.texts}
    total, done, pace = sum(map(len, texts.values())), 0, Pace(run)
    metrics: list[Metric] = []
    rows: list[Row] = []
    for name, parts in texts.items():
        made = []
        for text in parts:
            made.append(scored(lm, text, prefix, size, min(config.overlap, size)))
            done += 1
            pace.log({"texts": float(done)}, done, total)
        metrics += measured(name, made)
        rows += made
    return Evaluation(metrics, rows)


def scored(lm: LanguageModel, text: Text, prefix: int, size: int, overlap: int) -> Row:
    """A row: the nats that the model needs for the text, its tokens and bytes. Logits that are not finite are
    a status, not a score.
    """
    tokens = list(lm.tokenizer(text.text, add_special_tokens=False)["input_ids"])
    tokens = tokens[1:] if tokens[:1] == [prefix] else tokens  # a rendered conversation brings its own
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
    row |= {"prompt": text.text[:SHOWN], **lasted(time.perf_counter() - started)}
    return row if math.isfinite(nats) else {**row, "nats": None, "status": "failed"}


def measured(name: str, rows: Sequence[Row]) -> list[Metric]:
    """Metrics of one text; fills in the scores of its rows. A row's weight is its bytes.

    Perplexity is no mean of rows; its interval and comparisons rest on the linearised part that each row has
    in it.
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
