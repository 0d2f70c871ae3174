"""Log-likelihoods of continuations, with what requests share read once and its keys and values used again.

In three stages: a header, once for all rows that begin with it; the stems behind it, in batches; the tails,
in batches over the stems' keys and values. The products have other shapes than in a plain pass, so that
scores move in their last digits (1e-6 relative in float32): asked for, never the default. Rows are padded on
the right. A stem's padding stays in the cache between it and its tails; there it is masked, and positions are
given, so that nothing sees it.

Only for models whose cache keeps every position as it was (no sliding window, no state that is overwritten).
That is not read off a list of architectures but tried: :func:`refusal_reason` scores a few made-up requests
both ways.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence
from transformers import DynamicCache
from transformers.cache_utils import DynamicLayer

from ptx.lm.serving.prefixes import Stem, Tokens, headers, stems

Answer = tuple[float, bool]  # log-probability in nats, and whether greedy decoding gives the continuation
Pair = tuple[Sequence[int], Sequence[int]]  # tokens of the context, tokens of the continuation
#: how far the scores of the trial may lie apart, in nats: rounding, not another position or a forgotten token
TOLERANCE = {torch.float32: 1e-3, torch.float64: 1e-6}
COARSE = 0.1


def shared_answers(
    model: Any, pairs: Sequence[Pair], most: int, batch_size: int
) -> Iterator[list[tuple[int, Answer]]]:
    """(Place of a request, its answer), batch by batch; ``most`` is the model's context, ``batch_size``
    counts rows of a forward pass.
    """
    found = stems(pairs, most)
    for length, places in headers([stem.tokens for stem in found], [stem.wanted for stem in found]):
        group = sorted((found[place] for place in places), key=lambda stem: -len(stem.tokens))
        header = _forward(model, [group[0].tokens[:length]], [1])[1] if length else None
        for start in range(0, len(group), batch_size):
            yield _batch(model, group[start : start + batch_size], length, header, batch_size)


def plain_answers(model: Any, pairs: Sequence[Pair], most: int) -> list[Answer]:
    """The same, one request at a time and nothing shared: what sharing is held against."""
    answers = []
    for place, stem in enumerate(stems([pair], most)[0] for pair in pairs):
        target = next(iter(stem.continuations.values()))
        with torch.inference_mode():
            logits = model(torch.tensor([stem.tokens], device=model.device)).logits[0]
        answers.append(_answer(logits[-len(target) :], pairs[place][1][-len(target) :]))
    return answers


def refusal_reason(model: Any) -> str:
    """Why the model's cache cannot be used so, in a sentence; empty where it can, which is tried."""
    try:
        with torch.inference_mode():
            cache = model(_ids(model, [(1, 2)]), use_cache=True).past_key_values
    except (TypeError, AttributeError) as error:
        return f"the model keeps no keys and values: {error}"
    kinds = {type(layer).__name__ for layer in getattr(cache, "layers", ())}
    if kinds != {DynamicLayer.__name__}:
        return (
            f"the model's cache is made of {', '.join(sorted(kinds)) or type(cache).__name__}, which does not"
            " keep every position"
        )
    size = model.get_input_embeddings().weight.shape[0]
    context = [3 + 7 * place for place in range(24)]
    pairs = [
        (context[:cut], [token, 5, 9][: cut % 4 or 1]) for cut in (24, 23, 21, 18) for token in (4, 6)
    ] * 2
    trial = [([token % size for token in a], [token % size for token in b]) for a, b in pairs]
    trial += [([*a[:-1], (a[-1] + shift) % size], b) for shift in (1, 2, 3, 5) for a, b in trial[:4]]
    try:
        ours = dict(entry for batch in shared_answers(model, trial, len(context) + 4, 4) for entry in batch)
    except TypeError as error:
        return f"the model's forward does not take what it needs: {error}"
    gap = max(
        abs(ours[place][0] - score)
        for place, (score, _) in enumerate(plain_answers(model, trial, len(context) + 4))
    )
    if gap > TOLERANCE.get(model.dtype, COARSE):
        return f"the model gives other scores with it, {gap:.2g} nats apart on a trial"
    return ""


def _batch(
    model: Any, group: Sequence[Stem], length: int, header: Any, batch_size: int
) -> list[tuple[int, Answer]]:
    """The answers of some stems behind one header of ``length`` tokens, the longest stem first."""
    before = _repeated(header, [0] * len(group)) if header is not None else None
    tails = sorted(
        ((row, tail) for row, stem in enumerate(group) for tail in stem.tails if tail),
        key=lambda one: -len(one[1]),
    )
    rests, wanted = [stem.tokens[length:] for stem in group], [stem.wanted for stem in group]
    logits, cache = _forward(model, rests, wanted, before, keep=bool(tails))
    answers = [
        (place, _answer(scores, stem.continuations[place]))
        for stem, scores in zip(group, logits, strict=True)
        for place in stem.tails.get((), [])
    ]
    for start in range(0, len(tails), batch_size):
        part = tails[start : start + batch_size]
        for (row, tail), scores in zip(part, _tails(model, group, part, cache), strict=True):
            whole = torch.cat([logits[row], scores])
            answers += [
                (place, _answer(whole, group[row].continuations[place])) for place in group[row].tails[tail]
            ]
    return answers


def _tails(
    model: Any, group: Sequence[Stem], part: Sequence[tuple[int, Tokens]], cache: Any
) -> Iterator[Tensor]:
    """Logits (C, V) of each tail of ``part``, (row of the cache, tokens): after its stem, past the stem's
    padding.
    """
    kept, width = len(group[0].tokens), max(len(tail) for _, tail in part)
    starts = torch.tensor([len(group[row].tokens) for row, _ in part], device=model.device)
    lengths = torch.tensor([len(tail) for _, tail in part], device=model.device)
    stems_seen = torch.arange(kept, device=model.device) < starts[:, None]
    steps = torch.arange(width, device=model.device)
    with torch.inference_mode():
        logits = model(
            _ids(model, [tail for _, tail in part]),
            attention_mask=torch.cat([stems_seen, steps < lengths[:, None]], dim=1).long(),
            position_ids=starts[:, None]
            + torch.minimum(steps, lengths[:, None] - 1),  # padding too stays inside the context
            past_key_values=_repeated(cache, [row for row, _ in part]),
            use_cache=True,
        ).logits
    yield from (scores[: len(tail)] for scores, (_, tail) in zip(logits, part, strict=True))


def _forward(
    model: Any, rows: Sequence[Tokens], wanted: Sequence[int], cache: Any = None, *, keep: bool = True
) -> tuple[list[Tensor], Any]:
    """(The last ``wanted`` logits of each row (C, V), the cache with the rows in it). No token sees the
    padding on its right.
    """
    places = [range(len(row) - count, len(row)) for row, count in zip(rows, wanted, strict=True)]
    kept = sorted(set().union(*places)) if _leaves_out(model) else range(max(map(len, rows)))
    chosen = {"logits_to_keep": torch.tensor(kept, device=model.device)} if _leaves_out(model) else {}
    with torch.inference_mode():
        made = model(_ids(model, rows), past_key_values=cache, use_cache=keep or cache is not None, **chosen)
    at = {place: index for index, place in enumerate(kept)}
    return [
        scores[[at[place] for place in mine]] for scores, mine in zip(made.logits, places, strict=True)
    ], made.past_key_values


def _leaves_out(model: Any) -> bool:
    """Whether the model can be told where its output layer is wanted."""
    return "logits_to_keep" in inspect.signature(model.forward).parameters


def _ids(model: Any, rows: Sequence[Tokens]) -> Tensor:
    return pad_sequence(
        [torch.tensor(row, dtype=torch.long, device=model.device) for row in rows], batch_first=True
    )


def _repeated(cache: Any, rows: Sequence[int]) -> DynamicCache:
    """A cache of its own with these rows of another."""
    chosen = torch.tensor(rows, device=cache.layers[0].keys.device)
    return DynamicCache(
        [(layer.keys.index_select(0, chosen), layer.values.index_select(0, chosen)) for layer in cache.layers]
    )


def _answer(logits: Tensor, continuation: Sequence[int]) -> Answer:
    """Of a continuation (C,) under the logits (C, V) of its places."""
    target = torch.tensor(continuation, device=logits.device)
    log_probs = torch.log_softmax(logits[-len(target) :].float(), dim=-1)
    return float(log_probs.gather(1, target[:, None]).sum()), bool((log_probs.argmax(dim=-1) == target).all())
