"""Let a transformers model continue many texts at once, without work for nothing.

``generate`` of transformers reads every prompt, computes every row until the last one has ended, and copies
the whole cache of keys and values for every new token. Here

- equal prompts are read once (the k answers of a group, the n samples of a prompt), and so is the beginning
  that all prompts share (a system prompt, the examples of a few-shot task);
- a row leaves the batch when it has ended: the last row takes its place in the cache;
- the cache has room for new tokens (:class:`Roomy`), so a token copies only its own keys and values.

The choice of each token is the caller's. Matrix products have other shapes than in ``generate``, so scores
differ from its in the last digits (1e-6 relative in float32), which decides only between tokens that are as
good as equally likely.

This works for models whose cache keeps every position unchanged. There is no list of architectures:
:func:`cannot_continue` tries it.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from transformers import DynamicCache
from transformers.cache_utils import DynamicLayer
from typing_extensions import override

from ptx.lm.serving.loglikelihood import shape_of, tolerance_of
from ptx.lm.serving.prefixes import SHORTEST, shared

if TYPE_CHECKING:
    from transformers import PreTrainedModel

Rows = Sequence[Sequence[int]]
#: chooses the next token of each row, from scores (B, V) and the places of the rows in the call
Choose = Callable[[Tensor, list[int]], Tensor]
ROOM = 64  # tokens by which a cache grows


class Roomy(DynamicLayer):  # type: ignore[misc]  # transformers has no types here
    """The keys and values of a layer, in buffers with room for new tokens and fewer rows."""

    def __init__(self, keys: Tensor, values: Tensor) -> None:
        super().__init__()
        self.lazy_initialization(keys, values)
        self.keys, self.values = keys, values
        self._buffers = keys, values

    @override
    def update(self, key_states: Tensor, value_states: Tensor, *_: Any, **__: Any) -> tuple[Tensor, Tensor]:
        """Append keys and values (B, H, T, D); return those of all tokens."""
        count, length = key_states.shape[0], self.keys.shape[-2]
        end = length + key_states.shape[-2]
        if end > self._buffers[0].shape[-2]:
            self._buffers = _roomier(self.keys, end + ROOM), _roomier(self.values, end + ROOM)
        keys, values = self._buffers
        keys[:count, :, length:end] = key_states
        values[:count, :, length:end] = value_states
        self.keys, self.values = keys[:count, :, :end], values[:count, :, :end]
        return self.keys, self.values

    def move(self, sources: Sequence[int], targets: Sequence[int], count: int) -> None:
        """Keep the first ``count`` rows, after some rows were copied to other places."""
        if sources:
            self.keys[targets] = self.keys[sources]
            self.values[targets] = self.values[sources]
        self.keys, self.values = self.keys[:count], self.values[:count]


def _roomier(held: Tensor, length: int) -> Tensor:
    made = held.new_empty((*held.shape[:-2], length, held.shape[-1]))
    made[..., : held.shape[-2], :] = held
    return made


@dataclass
class Batch:
    """Rows that are being continued: their cache, which of its positions are text, and the next positions."""

    model: PreTrainedModel
    cache: DynamicCache
    mask: Tensor | None  # (B, T); None where nothing is padding
    positions: Tensor  # (B, 1)

    def read(self, tokens: Tensor) -> Tensor:
        """Append a token to each row (B,); return the scores of the next one, (B, V)."""
        if self.mask is not None:
            self.mask = torch.cat([self.mask, self.mask.new_ones((len(tokens), 1))], dim=1)
        made = self.model(
            input_ids=tokens[:, None],
            attention_mask=self.mask,
            position_ids=self.positions,
            past_key_values=self.cache,
            use_cache=True,
        )
        self.positions = self.positions + 1
        return torch.as_tensor(made.logits[:, -1])

    def drop(self, ended: Sequence[int]) -> list[int]:
        """Take rows out; the last ones move to their places. Returns the former places of the rest."""
        gone, count = set(ended), len(self.positions) - len(ended)
        targets = [place for place in ended if place < count]
        sources = [place for place in range(count, len(self.positions)) if place not in gone]
        for layer in self.cache.layers:
            layer.move(sources, targets, count)
        order = list(range(count))
        for source, target in zip(sources, targets, strict=True):
            order[target] = source
        self.positions = self.positions[order]
        self.mask = None if self.mask is None else self.mask[order]
        return order


def continued(
    model: PreTrainedModel, rows: Rows, most: int, choose: Choose, ended: Callable[[list[int]], bool]
) -> list[list[int]]:
    """At most ``most`` new tokens after each of ``rows``; the last one may be that with which a row ended.

    Args:
        model: a model for which :func:`cannot_continue` says nothing.
        rows: token ids, at least one in each.
        most: the largest number of new tokens.
        choose: chooses the next tokens.
        ended: whether a row has ended, from its new tokens; asked after every token.
    """
    made: list[list[int]] = [[] for _ in rows]
    going = list(range(len(rows)))
    # the cache of autocast holds nothing in inference mode
    with torch.no_grad(), torch.inference_mode(not torch.is_autocast_enabled(model.device.type)):
        scores, batch = _begin(model, rows)
        while True:
            tokens = choose(scores, going)
            for place, token in zip(going, tokens.tolist(), strict=True):
                made[place].append(token)
            done = [slot for slot, place in enumerate(going) if ended(made[place])]
            if len(done) == len(going) or len(made[going[0]]) == most:
                return made
            if done:
                order = batch.drop(done)
                going, tokens = [going[slot] for slot in order], tokens[order]
            scores = batch.read(tokens)


def _begin(model: PreTrainedModel, rows: Rows) -> tuple[Tensor, Batch]:
    """Read the prompts, each different one once; returns the scores after each row (B, V), and the batch."""
    places: dict[tuple[int, ...], int] = {}
    owners = [places.setdefault(tuple(row), len(places)) for row in rows]
    scores, cache, mask, positions = _read(model, list(places))
    chosen = torch.tensor(owners, device=scores.device)
    layers = [
        Roomy(layer.keys.index_select(0, chosen), layer.values.index_select(0, chosen))
        for layer in cache.layers
    ]
    held = DynamicCache()
    held.layers = layers
    return scores[chosen], Batch(model, held, None if mask is None else mask[chosen], positions[chosen])


def _read(
    model: PreTrainedModel, rows: Sequence[tuple[int, ...]]
) -> tuple[Tensor, DynamicCache, Tensor | None, Tensor]:
    """Read different rows: their common beginning once, then the rests, padded at their beginning."""
    shortest, longest = min(map(len, rows)), max(map(len, rows))
    common = min(shared(min(rows), max(rows)), shortest - 1) if len(rows) > 1 else 0
    common = common if common >= SHORTEST else 0
    header = _head(model, rows[0][:common], len(rows)) if common else None
    pads = [longest - len(row) for row in rows]
    ids = [[row[-1]] * pad + list(row[common:]) for row, pad in zip(rows, pads, strict=True)]
    seen = torch.tensor([[1] * common + [0] * pad + [1] * (longest - common - pad) for pad in pads])
    seen = seen.to(model.device)
    positions = (seen.cumsum(dim=1) - 1).clamp(min=0)
    mask = seen if any(pads) else None
    made = model(
        input_ids=torch.tensor(ids, device=model.device),
        attention_mask=mask,
        position_ids=positions[:, common:],
        past_key_values=header,
        use_cache=True,
        **({"logits_to_keep": 1} if _keeps_logits(model) else {}),
    )
    return made.logits[:, -1], made.past_key_values, mask, positions[:, -1:] + 1


def _head(model: PreTrainedModel, row: Sequence[int], count: int) -> DynamicCache:
    """The cache after ``row``, for ``count`` rows that begin with it."""
    options = {"logits_to_keep": 1} if _keeps_logits(model) else {}
    read = model(input_ids=torch.tensor([row], device=model.device), use_cache=True, **options)
    layers = read.past_key_values.layers
    held = DynamicCache()
    held.layers = [Roomy(_repeated(layer.keys, count), _repeated(layer.values, count)) for layer in layers]
    return held


def _repeated(one: Tensor, count: int) -> Tensor:
    return one.expand(count, *one.shape[1:]).contiguous()


def _forward(model: PreTrainedModel) -> Any:
    """The function whose arguments decide; an adapter passes all on to its base."""
    base: Any = getattr(model, "get_base_model", lambda: model)()
    return base.forward


def _keeps_logits(model: PreTrainedModel) -> bool:
    return "logits_to_keep" in inspect.signature(_forward(model)).parameters


def cannot_continue(model: PreTrainedModel) -> str:
    """Why the model cannot be continued here, in a sentence; empty if a trial shows that it can."""
    key = shape_of(model)
    if key not in _tried:
        _tried[key] = _tried_out(model)
    return _tried[key]


_tried: dict[tuple[Any, ...], str] = {}  # a worker opens many models of one shape


def _tried_out(model: PreTrainedModel) -> str:
    if "position_ids" not in inspect.signature(_forward(model)).parameters:
        return "its forward takes no positions"
    size = model.get_input_embeddings().weight.shape[0]
    text = [(3 + 7 * place) % size for place in range(SHORTEST + 3)]
    # a common beginning, padding and equal rows; padding alone; none of them
    trials = [[text[:-1], [*text[:-2], 5 % size, 9 % size], text[:-1]], [text[:3], text[:5]], [text[:4]] * 2]
    try:
        with torch.inference_mode():
            read = model(input_ids=torch.tensor([text[:2]], device=model.device), use_cache=True)
            if {type(layer) for layer in read.past_key_values.layers} != {DynamicLayer}:
                return "its cache does not keep every position"
            gap = max(_gap(model, rows) for rows in trials)
    except (TypeError, AttributeError, ValueError, RuntimeError, AssertionError) as error:
        return f"a trial failed: {error}"
    if not gap <= tolerance_of(model):  # nan too
        return f"its scores are others than alone, {gap:.2g} nats apart on a trial"
    return ""


def _gap(model: PreTrainedModel, rows: Rows) -> float:
    """The largest difference of log-probabilities between rows that are continued and each read alone."""
    seen: list[list[Tensor]] = [[] for _ in rows]

    def choose(scores: Tensor, going: list[int]) -> Tensor:
        for place, one in zip(going, scores, strict=True):
            seen[place].append(torch.log_softmax(one.float(), dim=-1))
        return scores.argmax(dim=-1)

    # the first row ends first, so that another one takes its place
    made = continued(model, rows, 3, choose, lambda _: len(seen[0]) == 2 and not any(seen[1][2:]))
    gaps = []
    for row, new, steps in zip(rows, made, seen, strict=True):
        whole = torch.tensor([[*row, *new[:-1]]], device=model.device)
        alone = torch.log_softmax(model(input_ids=whole).logits[0, len(row) - 1 :].float(), dim=-1)
        gaps.append(float((torch.stack(steps) - alone).abs().max()))
    return max(gaps)
