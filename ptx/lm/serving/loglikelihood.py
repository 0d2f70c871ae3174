"""Log-likelihoods of continuations with a prefix cache: tokens that requests share are processed once.

There are three stages. A header is processed once for all rows that begin with it; then the stems after it,
in batches; then the tails, in batches that reuse the keys and values of the stems. The matrix products have
other shapes than in a plain forward pass, so scores differ in their last digits (1e-6 relative in float32).
Rows are padded on the right. The padding of a stem
stays in the cache between the stem and its tails; it is masked and positions are passed explicitly, so it has
no effect.

This works only for models whose cache keeps every position unchanged (no sliding window, no overwritten
state). There is no list of architectures: :func:`refusal_reason` scores a few made-up requests both ways.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence
from transformers import DynamicCache
from transformers.cache_utils import DynamicLayer

from ptx.lm.serving.batching import Batches, is_memory_full
from ptx.lm.serving.prefixes import SHORTEST, Stem, Tokens, headers, stems
from ptx.lm.serving.scoring import ENOUGH, Answer, Pair, Rows, groups, padded

if TYPE_CHECKING:
    from transformers import Cache, PreTrainedModel

#: largest difference between the scores of the trial, in nats: enough for rounding, too small for an error.
#: SmolLM2 has 4e-5, 0.09 and 0.25 by rounding; where its positions are ignored it has 1.6, without its mask 5
TOLERANCE = {torch.float64: 1e-6, torch.float32: 1e-3, torch.float16: 0.25, torch.bfloat16: 0.75}


def shared_answers(
    model: PreTrainedModel, pairs: Sequence[Pair], most: int, batches: Batches
) -> Iterator[list[tuple[int, Answer]]]:
    """(Place of a request, its answer), batch by batch. ``most`` is the model's context length."""
    found = stems(pairs, most)
    for length, places in headers([stem.tokens for stem in found], [stem.wanted for stem in found]):
        group = [found[place] for place in places]
        header = _forward(model, [group[0].tokens[:length]], [1])[1] if length else None
        work = partial(_batch, model, group, length, header, batches)
        for _, answers in batches.parts([len(stem.tokens) - length for stem in group], work):
            yield answers


def plain_answers(model: PreTrainedModel, pairs: Sequence[Pair], most: int, rows: int = 1) -> list[Answer]:
    """The same answers without sharing, ``rows`` requests at a time: what the others are compared with."""
    found = [stems([pair], most)[0] for pair in pairs]
    targets = [stem.continuations[0] for stem in found]
    answers: list[Answer] = []
    for start in range(0, len(found), rows):
        part = slice(start, start + rows)
        scores, _ = _forward(
            model, [stem.tokens for stem in found[part]], [*map(len, targets[part])], keep=False
        )
        answers += map(_answer, scores, targets[part])
    return answers


def logits_of(model: PreTrainedModel, rows: Rows, batch_size: int) -> Iterator[Tensor]:
    """The scores after each token, row by row: float32 (T, V) on the CPU.

    Rows that follow each other are read together, padded at their end.
    """
    yield from (scores.float().cpu() for scores in _scores_of(model, rows, batch_size))


def log_probs_of(model: PreTrainedModel, rows: Rows, batch_size: int) -> Iterator[Tensor]:
    """The same as log-probabilities, computed where the model is."""
    for scores in _scores_of(model, rows, batch_size):
        yield torch.log_softmax(scores.float(), dim=-1).cpu()


def _scores_of(model: PreTrainedModel, rows: Rows, batch_size: int) -> Iterator[Tensor]:
    vocabulary = model.get_input_embeddings().weight.shape[0]
    enough = ENOUGH.get(model.device.type)
    for places in groups(rows, batch_size, vocabulary, in_order=True, enough=enough):
        yield from _together(model, [rows[place] for place in places])


def _together(model: PreTrainedModel, rows: Rows) -> Iterator[Tensor]:
    """The scores of rows that are read as one batch; in halves where memory is full."""
    try:
        with torch.inference_mode():
            read = model(input_ids=torch.tensor(padded(rows), device=model.device)).logits
    except Exception as error:
        if len(rows) == 1 or not is_memory_full(error):
            raise
        read = None
    if read is None:  # here the error and its frames are gone
        yield from _together(model, rows[: len(rows) // 2])
        yield from _together(model, rows[len(rows) // 2 :])
        return
    yield from (scores[: len(row)] for row, scores in zip(rows, read, strict=True))


def tolerance_of(model: PreTrainedModel) -> float:
    """How far log-probabilities of one model may be apart by rounding alone, in nats."""
    return TOLERANCE.get(model.dtype, TOLERANCE[torch.bfloat16])


def shape_of(model: PreTrainedModel) -> tuple[Any, ...]:
    """What decides how a model's cache behaves: models of one shape need one trial in a process."""
    kinds = frozenset((type(one), str(getattr(one, "activation_qtype", ""))) for one in model.modules())
    return type(model), model.dtype, model.device, str(model.config), kinds


_tried: dict[tuple[Any, ...], str] = {}  # a worker opens many models of one shape


def refusal_reason(model: PreTrainedModel) -> str:
    """Why the model's cache cannot be shared, in a sentence; empty if a trial shows that it can."""
    shape = shape_of(model)
    if shape not in _tried:
        _tried[shape] = _tried_out(model)
    return _tried[shape]


def _tried_out(model: PreTrainedModel) -> str:
    try:
        with torch.inference_mode():
            cache = model(_ids(model, [(1, 2)]), use_cache=True).past_key_values
    except (TypeError, AttributeError) as error:
        return f"the model does not return keys and values: {error}"
    kinds = {type(layer).__name__ for layer in getattr(cache, "layers", ())}
    if kinds != {DynamicLayer.__name__}:
        return (
            f"the model's cache is a {', '.join(sorted(kinds)) or type(cache).__name__}, which does not"
            " keep every position"
        )
    size = model.get_input_embeddings().weight.shape[0]
    context = [3 + 7 * place for place in range(SHORTEST + 5)]
    pairs = [
        (context[: len(context) - short], [token, 5, 9][: short or 1])
        for short in range(4)
        for token in (4, 6)
    ]
    trial = [([token % size for token in a], [token % size for token in b]) for a, b in pairs]
    trial += [([*a[:-1], (a[-1] + shift) % size], b) for shift in (1, 2, 3) for a, b in trial[:4]]
    most, batches = len(context) + 4, Batches(4, 2**31, 2**31)
    try:
        ours = dict(entry for batch in shared_answers(model, trial, most, batches) for entry in batch)
    except TypeError as error:
        return f"the model's forward lacks an argument: {error}"
    gap = max(
        abs(ours[place][0] - score)
        for place, (score, _) in enumerate(plain_answers(model, trial, most, len(trial)))
    )
    if gap > tolerance_of(model):
        return f"the model gives other scores with it, {gap:.2g} nats apart on a trial"
    return ""


def _batch(
    model: PreTrainedModel,
    found: Sequence[Stem],
    length: int,
    header: Cache | None,
    batches: Batches,
    places: Sequence[int],
) -> list[tuple[int, Answer]]:
    """The answers of the stems at ``places``, longest first, after a header of ``length`` tokens."""
    group = [found[place] for place in places]
    before = _repeated(header, [0] * len(group)) if header is not None else None
    tails = [(row, tail) for row, stem in enumerate(group) for tail in stem.tails if tail]
    rests, wanted = [stem.tokens[length:] for stem in group], [stem.wanted for stem in group]
    logits, cache = _forward(model, rests, wanted, before, keep=bool(tails))
    answers = [
        (place, _answer(scores, stem.continuations[place]))
        for stem, scores in zip(group, logits, strict=True)
        for place in stem.tails.get((), [])
    ]

    def work(chosen: list[int]) -> list[Tensor]:
        return [*_tails(model, group, [tails[one] for one in chosen], cache)]

    # each of them reads the keys and values of its whole stem, too
    lengths = [len(group[row].tokens) + len(tail) for row, tail in tails]
    for chosen, made in batches.parts(lengths, work, batches.kept):
        for (row, tail), scores in zip([tails[one] for one in chosen], made, strict=True):
            whole = torch.cat([logits[row], scores])
            answers += [
                (place, _answer(whole, group[row].continuations[place])) for place in group[row].tails[tail]
            ]
    return answers


def _tails(
    model: PreTrainedModel, group: Sequence[Stem], part: Sequence[tuple[int, Tokens]], cache: Cache
) -> Iterator[Tensor]:
    """Logits (C, V) of each tail in ``part``, given as (row of the cache, tokens)."""
    kept, width = len(group[0].tokens), max(len(tail) for _, tail in part)
    starts = torch.tensor([len(group[row].tokens) for row, _ in part], device=model.device)
    lengths = torch.tensor([len(tail) for _, tail in part], device=model.device)
    stems_seen = torch.arange(kept, device=model.device) < starts[:, None]
    steps = torch.arange(width, device=model.device)
    with torch.inference_mode():
        logits = model(
            _ids(model, [tail for _, tail in part]),
            attention_mask=torch.cat([stems_seen, steps < lengths[:, None]], dim=1).long(),
            # padding gets valid positions too
            position_ids=starts[:, None] + torch.minimum(steps, lengths[:, None] - 1),
            past_key_values=_repeated(cache, [row for row, _ in part]),
            use_cache=True,
        ).logits
    yield from (scores[: len(tail)] for scores, (_, tail) in zip(logits, part, strict=True))


def _forward(
    model: PreTrainedModel,
    rows: Sequence[Tokens],
    wanted: Sequence[int],
    cache: Cache | None = None,
    *,
    keep: bool = True,
) -> tuple[list[Tensor], Any]:
    """(The last ``wanted`` logits of each row (C, V), the cache extended by the rows).

    Padding is on the right, so no token attends to it.
    """
    places = [range(len(row) - count, len(row)) for row, count in zip(rows, wanted, strict=True)]
    selects = _selects_logits(model)
    kept = sorted(set().union(*places)) if selects else range(max(map(len, rows)))
    chosen = {"logits_to_keep": torch.tensor(kept, device=model.device)} if selects else {}
    with torch.inference_mode():
        made = model(_ids(model, rows), past_key_values=cache, use_cache=keep or cache is not None, **chosen)
    at = {place: index for index, place in enumerate(kept)}
    return [
        scores[[at[place] for place in mine]] for scores, mine in zip(made.logits, places, strict=True)
    ], made.past_key_values


def _selects_logits(model: PreTrainedModel) -> bool:
    """Whether the model can compute its output layer at selected positions only."""
    return "logits_to_keep" in inspect.signature(model.forward).parameters


def _ids(model: PreTrainedModel, rows: Sequence[Tokens]) -> Tensor:
    return pad_sequence(
        [torch.tensor(row, dtype=torch.long, device=model.device) for row in rows], batch_first=True
    )


def _repeated(cache: Cache, rows: Sequence[int]) -> DynamicCache:
    """A new cache with the given rows of ``cache``; a row may occur several times."""
    chosen = torch.tensor(rows, device=cache.layers[0].keys.device)
    return DynamicCache(
        [(layer.keys.index_select(0, chosen), layer.values.index_select(0, chosen)) for layer in cache.layers]
    )


def _answer(logits: Tensor, continuation: Sequence[int]) -> Answer:
    """The answer for a continuation (C,) with the logits (C, V) at its positions."""
    target = torch.tensor(continuation, device=logits.device)
    log_probs = torch.log_softmax(logits[-len(target) :].float(), dim=-1)
    return float(log_probs.gather(1, target[:, None]).sum()), bool((log_probs.argmax(dim=-1) == target).all())
