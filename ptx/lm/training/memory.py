"""The memory that a training takes, from sizes alone: no library, no weight is read.

The peak is that of the largest moment. The weights and the optimizer's moments are there all the time. Then
either the activations of a forward pass and what the loss computes from them are there, or the gradients of
all weights. What autograd keeps of one layer was counted with ``saved_tensors_hooks`` on Llama, Qwen 3,
Gemma 2, GPT-2 and GPT-NeoX: the input of each norm and its result, the inputs of the linear layers, queries,
keys, values and the result of attention, and the feed-forward block's inner values.

TRL projects onto the vocabulary in tiles of 4096 tokens and 32768 words, so logits are never there as a
whole. On a GPU a kernel works in the tile. On a CPU torch makes up to eight tensors of its size; with 2048
words (:mod:`ptx.lm.training.passes`) they are small. ``benchmarks/memory.py`` compares the sum with measured
peaks.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ptx.models.memory import Memory, Workload
from ptx.models.shape import ModelShape

if TYPE_CHECKING:
    from ptx.lm.training.method import TrlMethod

#: resident bytes of a process that has imported torch, transformers, peft and TRL, and trained something tiny
LIBRARIES = 0.62e9
#: bytes of a GPU that the CUDA context and the libraries' workspaces take
CONTEXT = 0.8e9
TILE_TOKENS, LARGE_TILE = 4096, 32768
#: words of a tile where the output layer is short: seven tensors of 1000 tokens stay in the cache of a CPU
TILE_WORDS = {"cpu": 2048}
#: tensors of a tile's size that are there at once: torch's operations on a CPU, a kernel on a GPU
TILES = {"cpu": 7.0, "cuda": 1.0}
#: measured over counted activations on a CPU, without and with an adapter: the heap keeps freed temporaries
HEAP, HEAP_ADAPTER = 1.3, 1.8
#: values per word of the vocabulary with which a merge is measured: 200 tokens, a dozen tensors (measured)
MERGING = 2400
#: largest share of the free memory that a chosen micro-batch may take
SHARE = 0.85
#: tokens of a micro-batch on a CPU: more at once are no faster, and the system has to clear their memory
WIDEST = 2048


@dataclass(frozen=True)
class Passes:
    """What a method puts through the model for one example.

    ``rows`` sequences of ``length`` tokens have gradients, ``aside`` have none. ``logits`` is the number of
    tensors of tokens times vocabulary that the loss makes. ``rollout`` is how many sequences are sampled at a
    time. ``copies`` is the number of further models of the same size in memory. With ``tokens`` the sequences
    of a micro-batch go through the model in parts of about so many tokens. Of ``group`` sequences the first
    ``shared`` tokens are read once.
    """

    length: int
    rows: int = 1
    aside: int = 0
    logits: float = 0.0
    rollout: int = 0
    copies: float = 0.0
    tokens: int = 0
    group: int = 1
    shared: int = 0

    def at_a_time(self, micro: int) -> int:
        """The sequences with gradients that are in the model at the same time."""
        all_rows = micro * self.rows
        return min(all_rows, -(-self.tokens // self.length)) if self.tokens else all_rows

    def read(self, rows: int) -> int:
        """The tokens of so many sequences that go through the model."""
        return rows * self.length - (rows - -(-rows // self.group)) * self.shared


@dataclass(frozen=True)
class Fit:
    """The examples of a forward pass that fit, and whether only with gradient checkpointing."""

    micro: int
    checkpointing: bool
    memory: Memory


def training_memory(
    method: TrlMethod, work: Workload, passes: Passes, micro: int, *, checkpointing: bool
) -> Memory:
    """The peak of a training with ``micro`` examples in a forward pass."""
    shape, width = work.model, _bytes_per_weight(method, work.device)
    trained = adapter_weights(method, shape) if method.lora is not None else shape.parameters
    each = 4.0 if method.lora is None or width == 4 else 2.0
    weights = _stored_weights(method, shape, width)
    rows = passes.at_a_time(micro)
    tokens = passes.read(rows)
    several = rows < method.batch_size * passes.rows  # gradients of earlier passes wait for later ones
    kept = activations(method, work, passes, rows, checkpointing=checkpointing)
    copy = 2.0 * shape.parameters if narrows(method, work.device) else 0.0
    standing = {
        "libraries": LIBRARIES if work.device == "cpu" else CONTEXT,
        "weights": weights + copy + (each * trained if method.lora is not None else 0.0),
        "optimizer": _moments(method) * each * trained,
        "other models": passes.copies * width * shape.parameters
        + sum(width * other.parameters for other in work.others.values()),
    }
    forward = {
        "activations": kept,
        "loss": _loss(method, work, passes, tokens),
        "gradients": each * (trained if several else shape.tables if method.lora is None else 0.0),
    }
    backward = {
        "activations": kept / max(shape.layers, 1),
        "gradients": each * trained,
    }
    sampling = {"rollouts": _rollouts(method, work, passes, width)}
    merges = method.lora is not None and method.lora.merge
    merging = {"merging": 4.0 * MERGING * shape.words if merges and work.device == "cpu" else 0.0}
    peak = max((forward, backward, sampling, merging), key=lambda part: sum(part.values()))
    least = sum(standing.values()) + each * trained
    least -= 0.0 if _keeps_moments(method) else standing["optimizer"]
    return Memory({name: size for name, size in (standing | peak).items() if size}, least, _host(work))


def activations(
    method: TrlMethod, work: Workload, passes: Passes, rows: int, *, checkpointing: bool
) -> float:
    """The bytes that autograd keeps of ``rows`` sequences until the backward pass."""
    shape, tokens, length = work.model, passes.read(rows), passes.length
    wide = 4.0  # bytes of values that norms compute in float32 whatever the model's dtype
    narrow = 2.0 if _narrow(method, work.device) else 4.0
    frozen = method.lora is not None
    attention = shape.heads * shape.head_size
    normed = max(shape.norms, 2) * (1 if frozen else 2) * shape.hidden
    normed += shape.head_norms * (1 if frozen else 2) * attention
    inner = 2 * shape.hidden + 4 * attention + _inner(shape) + 2 * shape.heads
    inner += length if rows > 1 else 0  # the mask of a padded batch, as numbers, in every layer
    heap = 1.0 if work.device == "cuda" else HEAP_ADAPTER if frozen else HEAP
    layer = heap * tokens * (wide * normed + narrow * inner)
    ends = tokens * wide * 2 * shape.hidden
    if checkpointing:
        return ends + layer + shape.layers * tokens * wide * shape.hidden
    # autocast keeps narrow weights, where none stand beside the weights already
    kept = narrow < wide and not frozen and not narrows(method, work.device)
    casts = 2.0 * shape.parameters if kept else 0.0
    return ends + shape.layers * layer + casts


def _inner(shape: ModelShape) -> float:
    """Values per token that a feed-forward block keeps."""
    return (4.0 if shape.gated else 4.5) * shape.ffn


def _loss(method: TrlMethod, work: Workload, passes: Passes, tokens: int) -> float:
    """The bytes that the loss takes: tiles of the vocabulary, or whole logits where a method needs them."""
    words = work.model.words
    if passes.logits:
        return passes.logits * 4.0 * tokens * words
    wide = 4.0 if work.device == "cpu" or method.dtype == "float32" else 2.0
    tile = TILE_WORDS.get(work.device, LARGE_TILE) if method.speed.short_head else LARGE_TILE
    columns = min(words, tile) if work.device == "cpu" else tile
    return TILES[work.device] * wide * min(tokens, TILE_TOKENS) * columns


def narrows(method: TrlMethod, device: str) -> bool:
    """Whether a copy of the weights in bfloat16 stands beside them (:mod:`ptx.lm.training.narrow`)."""
    return device == "cpu" and bool(method.speed.bf16) and method.lora is None and not method.speed.compile


def narrows_base(method: TrlMethod, device: str) -> bool:
    """Whether an adapter's base is held in bfloat16 while it trains."""
    return device == "cpu" and bool(method.speed.bf16) and method.lora is not None


def _narrow(method: TrlMethod, device: str) -> bool:
    """Whether products have two bytes: by the dtype, and by autocast where ``auto`` means it."""
    if method.dtype == "float32":
        return False
    return bool(method.speed.bf16) or device == "cuda" or method.dtype != "auto"


def _rollouts(method: TrlMethod, work: Workload, passes: Passes, width: float) -> float:
    """The bytes of sampling: keys and values, twice while they grow, and logits of one token a sequence.

    Autocast keeps a narrow copy of the weights meanwhile.
    """
    shape, narrow = work.model, 2.0 if _narrow(method, work.device) else 4.0
    cached = 2 * shape.layers * shape.pairs * shape.head_size * narrow
    kept = narrows(method, work.device)
    copy = narrow * shape.parameters if passes.rollout and narrow < width and not kept else 0.0
    return copy + passes.rollout * (passes.length * cached * 1.5 + 4 * 4.0 * shape.words)


def adapter_weights(method: TrlMethod, shape: ModelShape) -> float:
    """The weights of a LoRA adapter on all linear layers; on named ones it has fewer."""
    return float(method.lora.r * shape.ends)


def _moments(method: TrlMethod) -> float:
    """The optimizer's values per trained weight."""
    name = str(method.args.get("optim", "adamw_torch"))
    if "8bit" in name:
        return 0.5
    return {"sgd": 0.0, "adafactor": 0.05}.get(name, 2.0)


def _keeps_moments(method: TrlMethod) -> bool:
    """Whether the optimizer certainly holds two moments in the device's memory: others page or fold them."""
    return str(method.args.get("optim", "adamw_torch")).startswith("adamw_torch")


def _bytes_per_weight(method: TrlMethod, device: str) -> float:
    """Bytes of a weight in memory, as :func:`ptx.lm.training.trainer.load_policy` loads it."""
    if method.dtype == "auto":
        return 2.0 if device == "cuda" and method.lora is not None else 4.0
    if method.dtype == "float16" and method.lora is None:
        return 4.0
    return 4.0 if method.dtype == "float32" else 2.0


def _stored_weights(method: TrlMethod, shape: ModelShape, width: float) -> float:
    """Bytes of the weights; QLoRA keeps linear layers in 4 bits with a scale for each 64."""
    if method.lora is not None and method.lora.quantize:
        return 0.53 * (shape.parameters - shape.tables) + 2.0 * shape.tables
    return width * shape.parameters


def _host(work: Workload) -> dict[str, float]:
    """The machine's own memory beside a GPU: libraries, and the weights while they are read."""
    if work.device == "cpu":
        return {}
    return {"libraries": 3e9, "weights": float(work.model.stored)}


def fit(method: TrlMethod, work: Workload, free: float, ranks: int = 1) -> Fit:
    """The largest micro-batch whose peak is within ``free`` bytes, and on a CPU not wider than it gains by.

    Without gradient checkpointing, which costs up to four times the time, as long as one example fits so;
    else with it. Where nothing fits the answer is one example with checkpointing, and its memory says so.
    """
    most = SHARE * free
    for checkpointing in (False, True):
        for micro in divisors(method.batch_size // ranks):
            memory = method.memory(work, micro, checkpointing=checkpointing)
            if memory.total <= most and not _needless(method, work, micro):
                return Fit(micro, checkpointing, memory)
    return Fit(1, True, memory)


def _needless(method: TrlMethod, work: Workload, micro: int) -> bool:
    """Whether a smaller micro-batch is as fast: on a CPU, unless the answers to a prompt share its passes."""
    passes = method.passes(work)
    tokens = passes.at_a_time(micro) * passes.length
    return work.device == "cpu" and micro > 1 and not passes.rollout and tokens > WIDEST


def fits(method: TrlMethod, work: Workload, free: float, ranks: int = 1) -> bool:
    """Whether the training fits into ``free`` bytes as it is set, without gradient checkpointing."""
    return method.memory(work, method.shares(ranks)[0], checkpointing=False).total <= SHARE * free


def divisors(batch: int) -> list[int]:
    """The numbers that divide a batch, largest first."""
    return [size for size in range(batch, 0, -1) if not batch % size]
