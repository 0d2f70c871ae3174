"""Compare a served artifact with its model on a text that is longer than any boundary in the configuration.

A sliding window, a chunked attention or a rotary embedding that changes beyond the trained length does
nothing on a short text. A runtime without it equals the model there, and is another model, or dies, on the
first long prompt. The long text consists of the model's own texts, one after the other. Its last tokens are
compared, and the artifact continues it: decoding and reading are different code in every runtime.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import cycle, islice
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray

from ptx.errors import StepError
from ptx.lm.serving.decoding import log_softmax
from ptx.lm.serving.fidelity import EXACT_KL, Fidelity, fidelity_of, row_of
from ptx.lm.serving.token_model import TokenModel
from ptx.models.sizes import context_of

if TYPE_CHECKING:
    from transformers import PreTrainedModel

LEAST = 320  # tokens, where the configuration names no boundary
LONGEST = 16_384  # tokens
LARGEST = 1_000_000_000  # scores of one text; 4 GB
BEYOND, NEW = 64, 16  # tokens that are compared, and that are generated after them
FARTHER = 3.0  # how much larger the divergence of a rounded artifact may be than on short texts
ROUNDED, FLIPS = 0.005, 0.1  # and how much is allowed beyond that: nats per token, and a share of the tokens
CHANGING = ("longrope",)  # rotary embeddings that depend on the length of the text within the context


@dataclass(frozen=True)
class LongText:
    """The text, the model's scores of the next token after each of its last ones, and what it lies beyond."""

    row: list[int]
    expected: NDArray[np.float32]  # (C, V)
    boundaries: tuple[int, ...]

    @property
    def untried(self) -> tuple[int, ...]:
        """The boundaries that the text does not reach."""
        return tuple(at for at in self.boundaries if at >= len(self.row))


def boundaries(config: Any) -> tuple[int, ...]:
    """The lengths of text, below the context, at which the model begins to compute something else."""
    context = context_of(config) or math.inf
    kinds = getattr(config, "layer_types", None)
    found = [getattr(config, "attention_chunk_size", None)]
    if kinds is None or any("sliding" in kind or "local" in kind for kind in kinds):
        found += [getattr(config, name, None) for name in ("sliding_window", "local_attention")]
    for rope in _ropes(config):
        if rope.get("rope_type") in CHANGING:
            found.append(rope.get("original_max_position_embeddings"))
            found.append(getattr(config, "original_max_position_embeddings", None))
    return tuple(sorted({int(at) for at in found if at and 0 < at < context}))


def _ropes(config: Any) -> Iterator[dict[str, Any]]:
    """The rotary settings; Gemma 3 has a set for each kind of layer."""
    given = getattr(config, "rope_parameters", None) or {}
    yield from ([one for one in given.values() if isinstance(one, dict)] or [given])


def long_text(
    network: PreTrainedModel, rows: Sequence[Sequence[int]], most: int | None = None
) -> LongText | None:
    """The long text made of ``rows``, at most ``most`` tokens; None if the model's context holds none.

    The texts are taken again from the first one until there are enough tokens.
    """
    config = network.config.get_text_config()
    found = boundaries(config)
    wanted = max(LEAST, *(at + BEYOND for at in found)) if found else LEAST
    context = context_of(config) or wanted + NEW
    room = min(context - NEW, most - NEW if most else math.inf, LONGEST, LARGEST // config.vocab_size)
    length = int(min(wanted, room))
    if length < 2 or (not found and length < 2 * max(map(len, rows))):
        return None
    row = list(islice(cycle([token for text in rows for token in text]), length))
    return LongText(row, last_scores(network, row, min(BEYOND, length)), found)


def last_scores(network: PreTrainedModel, row: Sequence[int], count: int) -> NDArray[np.float32]:
    """The scores of the next token after each of the last ``count`` tokens of ``row``: (count, V)."""
    fewer = (
        {"logits_to_keep": count} if "logits_to_keep" in inspect.signature(network.forward).parameters else {}
    )
    with torch.inference_mode():
        scores = network(input_ids=torch.tensor([list(row)], device=network.device), use_cache=False, **fewer)
    return np.asarray(scores.logits[0, -count:].float().cpu().numpy())


def compare_long(lm: TokenModel, text: LongText, *, drawn: bool = False) -> Fidelity:
    """KL(model || artifact) and flips over the last tokens of the text.

    With ``drawn`` the runtime gives no scores over the vocabulary: the KL is then unknown, and the figure is
    that of the text's own tokens alone, which is at most the KL.
    """
    count = len(text.expected)
    if drawn:
        return _compare_own(lm, text)
    (served,) = lm.logits([text.row])
    per_token = [row_of(text.expected[at : at + 1], served[at - count :][:1]) for at in range(count)]
    return fidelity_of(per_token, count)


def _compare_own(lm: TokenModel, text: LongText) -> Fidelity:
    """The divergence of (the text's next token, any other token), a lower bound of the KL (data processing).

    The text goes on from token to token, so a runtime that keeps its cache reads the text once.
    """
    own = text.row[len(text.row) - len(text.expected) + 1 :]
    log_p = log_softmax(text.expected[:-1])
    scored = lm.scored([text.row[:-1]], [own])[0]
    found = [
        (_binary(float(expected[token]), q), float(likeliest != expected.argmax()))
        for expected, token, (q, likeliest) in zip(log_p, own, scored, strict=True)
    ]
    return fidelity_of(found, len(own))


def _binary(log_p: float, log_q: float) -> float:
    p, q = math.exp(min(log_p, -1e-12)), math.exp(min(log_q, -1e-12))
    rest = (1 - p) * (math.log1p(-p) - math.log1p(-q))
    return max(0.0, p * (math.log(p) - math.log(q)) + rest) if q > 0 else math.inf


def check_long(short: Fidelity, found: Fidelity, text: LongText, what: str, *, exact: bool = True) -> None:
    """Refuse an artifact that is much farther from its model on a long text than on short ones.

    An artifact that equals the model on short texts has to equal it on the long one, unless not ``exact``: a
    runtime with a rounded cache.

    Raises:
        StepError: it is; the message holds both figures and the boundary in the configuration.
    """
    near = max(0.0, short.kl.value)
    same = exact and short.kl.value <= EXACT_KL
    allowed = 10 * EXACT_KL if same else FARTHER * near + ROUNDED
    flips = FARTHER * short.flips.value + FLIPS
    if not (found.kl.value <= allowed and found.flips.value <= flips):
        where = f" (the configuration has a boundary at {', '.join(map(str, text.boundaries))} tokens)"
        raise StepError(
            f"{what} is not the model on long texts: at {len(text.row)} tokens {found.figures}, on short"
            f" texts {short.figures}{where if text.boundaries else ''}; use runtime=hf"
        )


def check_continues(lm: TokenModel, text: LongText, what: str) -> None:
    """Refuse an artifact that cannot generate after the long text, or generates what it does not score so.

    Two rows are continued together, because a batch is served by other code than one row.

    Raises:
        StepError: the runtime fails, or less than half of the new tokens are those that it finds likeliest.
    """
    half = len(text.row) // 2
    rows = [text.row, text.row[half:] + text.row[:half]]
    try:
        made = np.stack(list(lm.steps(rows, NEW, endless=True)), axis=1).tolist()
        same = [
            token == likeliest
            for row, new in zip(rows, made, strict=True)
            for token, (_, likeliest) in zip(new, lm.scored([row + new[:-1]], [new])[0], strict=True)
        ]
    except (RuntimeError, ValueError, IndexError) as error:
        raise StepError(
            f"{what} cannot continue a text of {len(text.row)} tokens: {error}; use runtime=hf"
        ) from error
    if sum(same) < len(same) / 2:
        raise StepError(
            f"{what} continues a text of {len(text.row)} tokens otherwise than it scores it: {sum(same)} of"
            f" {len(same)} new tokens are its likeliest; use runtime=hf"
        )
