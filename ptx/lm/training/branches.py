"""Rows that begin alike are read once up to where they part.

Both answers to a question have its prompt before them, and so have the answers of a group that GRPO samples;
trainers put every row through the model whole. Here such rows become one sequence, the trunk and then a
branch for each row: a token sees the trunk and its own branch, and has the position that it has in its row.
So every log-probability and every gradient is that of the rows apart, save for the last digits, and the
trunk is computed once. The last token of what is shared begins every branch, since from there each row
predicts a token of its own.

A sequence of several rows needs attention with a mask of its size. Whether it pays is reckoned in
multiplications: those of the weights grow with the tokens, those of attention with their square.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from types import MethodType
from typing import Any

import torch
from torch import Tensor

from ptx.config import Speed
from ptx.lm.progress import replaced
from ptx.lm.training.distributed import ranks
from ptx.models.shape import reads_branches


@dataclass(frozen=True)
class Bundle:
    """Rows that go through the model as one sequence; ``shared`` tokens come before their branches."""

    rows: tuple[int, ...]
    shared: int
    length: int


@dataclass(frozen=True)
class Work:
    """Multiplications of one layer: ``weights`` for a token, ``width`` of attention for a pair of tokens.

    Without ``width`` no attention with a mask is possible, and nothing is shared.
    """

    weights: float
    width: int

    def of(self, length: int, *, alone: bool) -> float:
        """Of a sequence; an ordinary row needs no mask, and its attention leaves out what is ahead."""
        return length * self.weights + (1 if alone else 2) * self.width * length**2


#: the work of a model whose rows share nothing
APART = Work(1, 0)


def work_of(network: Any) -> Work:
    """What a layer of this model multiplies, without its adapter."""
    config = network.config.get_text_config()
    fit = reads_branches(config.to_dict())
    if not fit or config._attn_implementation != "sdpa" or _drops(network):  # noqa: SLF001 (no other name)
        return APART
    width = config.num_attention_heads * (
        getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    )
    tables = {id(part.weight) for part in (network.get_input_embeddings(), network.get_output_embeddings())}
    weights = sum(
        part.numel()
        for name, part in network.named_parameters()
        if id(part) not in tables and "lora_" not in name
    )
    return Work(max(weights, 1) / config.num_hidden_layers, width)


def _drops(network: Any) -> bool:
    """Whether dropout is on: rows apart would each lose other values."""
    layers = (part for part in network.modules() if isinstance(part, torch.nn.Dropout))
    return any(layer.training and layer.p > 0 for layer in layers)


def bundles(rows: Sequence[Sequence[int]], work: Work) -> list[Bundle]:
    """Every row in one bundle, with the rows that begin as it does where that is less work."""
    made: list[Bundle] = []
    before: Sequence[int] = ()
    for place in sorted(range(len(rows)), key=lambda place: tuple(rows[place])):
        row = rows[place]
        one = Bundle((place,), 0, len(row))
        wider = _joined(made[-1], one, _alike(before, row) - 1, rows) if made and work.width else None
        if wider and _work(wider, work) < _work(made[-1], work) + _work(one, work):
            made[-1] = wider
        else:
            made.append(one)
        before = row
    return made


def _work(bundle: Bundle, work: Work) -> float:
    return work.of(bundle.length, alone=len(bundle.rows) == 1)


def _alike(one: Sequence[int], other: Sequence[int]) -> int:
    """The number of first tokens that two rows have in common."""
    pairs = enumerate(zip(one, other, strict=False))
    return next((place for place, (mine, theirs) in pairs if mine != theirs), min(len(one), len(other)))


def _joined(bundle: Bundle, one: Bundle, shared: int, rows: Sequence[Sequence[int]]) -> Bundle | None:
    """The bundle with another row, which comes after its last one in the order of tokens."""
    shared = min(shared, bundle.shared) if len(bundle.rows) > 1 else shared
    if shared < 1:
        return None
    places = (*bundle.rows, *one.rows)
    return Bundle(places, shared, shared + sum(len(rows[place]) - shared for place in places))


def passes_of(made: Sequence[Bundle], tokens: int) -> list[list[Bundle]]:
    """The bundles of each pass: the longest first, at least ``tokens`` a pass where there are; 0: all."""
    passes: list[list[Bundle]] = []
    for bundle in sorted(made, key=lambda bundle: -bundle.length):
        if passes and (not tokens or len(passes[-1]) * passes[-1][0].length < tokens):
            passes[-1].append(bundle)
        else:
            passes.append([bundle])
    return passes


class Layout:
    """Where the tokens of a padded batch lie in the sequences of its passes, one after the other."""

    def __init__(self, passes: Sequence[Sequence[Bundle]], mask: Tensor) -> None:
        lengths = mask.sum(dim=1).tolist()
        rows = [(0, 0, 0, 0)] * len(lengths)
        begin, self.sizes = 0, list[tuple[int, int]]()
        for made in passes:
            self.sizes.append((len(made), made[0].length))
            for bundle in made:
                at = begin + bundle.shared
                for own, row in enumerate(bundle.rows):
                    rows[row] = begin, at, bundle.shared, own + 1
                    at += lengths[row] - bundle.shared
                begin += made[0].length
        self.total = begin
        self.trunk, self.branch, self.shared, self.number = torch.tensor(rows, device=mask.device).unbind(1)
        self.first = mask.int().argmax(dim=1)  # the column of a row's first token

    def places(self, row: Tensor, column: Tensor) -> Tensor:
        """The places of tokens that are in these columns of the batch."""
        token = column - self.first[row]
        inside = token - self.shared[row]
        return torch.where(inside < 0, self.trunk[row] + token, self.branch[row] + inside)

    def passes(self, ids: Tensor, mask: Tensor, labels: Tensor) -> Iterator[dict[str, Tensor]]:
        """What each pass reads: (S, L) ids, positions, targets of the next token, and who sees whom."""
        row, column = mask.nonzero(as_tuple=True)
        at, token = self.places(row, column), column - self.first[row]
        flat = {
            "input_ids": ids.new_zeros(self.total).index_put((at,), ids[row, column]),
            "position_ids": ids.new_zeros(self.total).index_put((at,), token),
            "shift_labels": self._targets(mask, labels),
        }
        part = ids.new_full((self.total,), -1)
        part[at] = torch.where(token < self.shared[row], 0, self.number[row])
        begin = 0
        for size in self.sizes:
            cut = slice(begin, begin + size[0] * size[1])
            begin = cut.stop
            made = {name: values[cut].view(size) for name, values in flat.items()}
            parts = part[cut].view(size)
            if bool((parts == 0).any()):
                yield made | {"attention_mask": visible(parts)}
            else:  # rows as they came, whose positions count up
                del made["position_ids"]
                yield made | {"attention_mask": (parts >= 0).long()}

    def _targets(self, mask: Tensor, labels: Tensor) -> Tensor:
        row, column = labelled(mask, labels)
        targets = labels.new_full((self.total,), -100)
        return targets.index_put((self.places(row, column),), labels[row, column + 1])


def labelled(mask: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """Rows and columns of the tokens after which a label is to be predicted."""
    row, column = ((labels[:, 1:] != -100) & (mask[:, :-1] > 0)).nonzero(as_tuple=True)
    return row, column


def visible(parts: Tensor) -> Tensor:
    """(S, 1, L, L): a token sees what is before it in the trunk, which is part 0, and in its own part."""
    seen, seeing = parts[:, None, None, :], parts[:, None, :, None]
    ahead = torch.ones(parts.shape[1], parts.shape[1], dtype=torch.bool, device=parts.device).triu(1)
    return ((seen == 0) | (seen == seeing)) & ~ahead


#: what the fused output layer gives for each token
PER_TOKEN = ("log_probs", "entropy", "log_sum_sq_probs", "mean_logits", "is_top1")
KNOWN = frozenset(("input_ids", "attention_mask", "labels", "use_cache", "num_items_in_batch"))


def is_plain(given: dict[str, Any]) -> bool:
    """Whether a batch is rows of text with labels, padded at one or both ends, and nothing else."""
    mask = given.get("attention_mask")
    if given.keys() - KNOWN or mask is None or mask.ndim != 2 or given.get("labels") is None:
        return False
    changes = (mask[:, 1:] != mask[:, :-1]).sum(dim=1) + (mask[:, 0] > 0) + (mask[:, -1] > 0)
    return bool((changes == 2).all())  # one piece in every row


def spread(call: Callable[..., Any], given: dict[str, Any], work: Work, tokens: int) -> Any:
    """What a model with TRL's fused output layer gives for a padded batch: by bundles, in passes."""
    ids, mask, labels = given["input_ids"], given["attention_mask"], given["labels"]
    rows = [
        [token for token, real in zip(row, here, strict=True) if real]
        for row, here in zip(ids.tolist(), mask.tolist(), strict=True)
    ]
    layout = Layout(passes_of(bundles(rows, work), tokens), mask)
    if layout.total == ids.numel():
        return call(**given, fused_lm_head=True)
    found = [call(**part, use_cache=False, fused_lm_head=True) for part in layout.passes(ids, mask, labels)]
    row, column = labelled(mask, labels)
    at = layout.places(row, column)

    def whole(name: str) -> Tensor | None:
        parts = [getattr(one, name) for one in found]
        if parts[0] is None:
            return None
        flat = torch.cat([part.reshape(-1) for part in parts])
        return flat.new_zeros(ids.shape[0], ids.shape[1] - 1).index_put((row, column), flat[at])

    values = {name: whole(name) for name in PER_TOKEN}
    real = labels[:, 1:] != -100
    items = given.get("num_items_in_batch")
    items = real.sum().clamp(min=1) if items is None else items
    assert values["log_probs"] is not None
    return type(found[0])(loss=-values["log_probs"].sum() / items, label_mask=real, **values)


def base_network(model: Any) -> Any:
    """The model without the shell of its adapter."""
    return model.get_base_model() if hasattr(model, "get_base_model") else model


@contextlib.contextmanager
def bundled(trainer: Any, speed: Speed, device: str) -> Iterator[None]:
    """While a trainer trains, its model reads batches by :func:`spread`.

    With several ranks it does not: a sharded model has to be called equally often in all of them. Nor does it
    with noise on the embeddings (NEFTune), whose size depends on the padded length, or with a loss on what
    the router of a mixture does with a whole batch.
    """
    network = base_network(trainer.model)
    noise = getattr(trainer.args, "neftune_noise_alpha", None)
    routed = getattr(network.config.get_text_config(), "output_router_logits", False)
    if not speed.share_prefix or ranks() > 1 or noise or routed:
        yield
        return
    usual, tokens = network.forward, speed.tokens_of_a_pass(device)
    work = functools.cache(lambda: work_of(network))  # only a language model is asked

    @functools.wraps(type(network).forward)  # generation asks for the names of its arguments
    def forward(_: Any, *args: Any, fused_lm_head: bool = False, **given: Any) -> Any:
        said = {name: value for name, value in given.items() if value is not None}  # peft says all names
        if fused_lm_head and not args and is_plain(said):
            return spread(usual, said, work(), tokens)
        return usual(*args, **given, **({"fused_lm_head": True} if fused_lm_head else {}))

    with replaced(network, "forward", MethodType(forward, network)):
        yield
