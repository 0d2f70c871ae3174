"""The memory that a compression layer by layer takes, from sizes alone: no library, no weight is read.

The whole model lies in memory in the dtype in which it is stored. Besides, the hidden states of all
calibration rows before and after the present layer, for each of its linear layers the Hessian (a matrix over
its inputs, float32), and while one is solved three more of the largest.
"""

from __future__ import annotations

from ptx.models.memory import Memory, Workload
from ptx.models.shape import ModelShape

#: resident bytes of a process that has imported torch, transformers and llm-compressor, and compressed a bit
LIBRARIES = 0.93e9
#: bytes of a GPU that the CUDA context and the libraries' workspaces take
CONTEXT = 0.8e9
SOLVING = 3


def compression_memory(work: Workload, samples: int, max_length: int, *, hessians: bool) -> Memory:
    """The peak of a compression that reads ``samples`` rows of at most ``max_length`` tokens."""
    shape = work.model
    rows = min(samples, work.rows or samples)
    tokens = rows * min(work.longest or max_length, max_length)
    width = shape.stored / max(shape.parameters, 1)  # bytes of a weight as it is stored
    parts = {
        "libraries": LIBRARIES if work.device == "cpu" else CONTEXT,
        "weights": float(shape.stored),
        "calibration": 2 * tokens * shape.hidden * max(width, 2.0),
        "Hessians": _hessians(shape) if hessians else 0.0,
    }
    host = {} if work.device == "cpu" else {"libraries": 3e9, "weights": float(shape.stored)}
    found = {name: size for name, size in parts.items() if size}
    return Memory(found, least=parts["libraries"] + parts["weights"], host=host)


def _hessians(shape: ModelShape) -> float:
    """The Hessians of one layer, and what solving the largest takes."""
    inputs = [shape.hidden] * 5 + [shape.heads * shape.head_size, shape.ffn]
    return 4.0 * (sum(size**2 for size in inputs) + SOLVING * max(inputs) ** 2)
