"""The memory that a compression layer by layer takes, from sizes alone: no library, no weight is read.

The model lies in memory in the dtype in which it is stored; when the result is checked, the input lies beside
it, and the predictions of both on texts are compared. Besides, there are the hidden states of all calibration
rows before and after the present layer, for each of its linear layers the Hessian (a matrix over its inputs,
float32), and while one is solved three more of the largest. The constants follow from peaks that were
measured on a CPU, as the tests have them.
"""

from __future__ import annotations

from ptx.models.memory import Memory, Workload
from ptx.models.shape import ModelShape

#: resident bytes of a process that has imported torch, transformers and llm-compressor, and used them a bit
LIBRARIES = 0.7e9
#: bytes of a GPU that the CUDA context and the libraries' workspaces take
CONTEXT = 0.8e9
SOLVING = 3
#: tensors of the logits of the longest row that a comparison of two models makes, in float32
COMPARING = 10


def compression_memory(work: Workload, samples: int, max_length: int, *, hessians: bool) -> Memory:
    """The peak of a compression that reads ``samples`` rows of at most ``max_length`` tokens."""
    shape = work.model
    rows = min(samples, work.rows or samples)
    length = min(work.longest or max_length, max_length)
    width = shape.stored / max(shape.parameters, 1)  # bytes of a weight as it is stored
    parts = {
        "libraries": LIBRARIES if work.device == "cpu" else CONTEXT,
        "weights before and after": 2.0 * shape.stored,
        "calibration": 2 * rows * length * shape.hidden * max(width, 2.0),
        "Hessians": _hessians(shape) if hessians else 0.0,
        "comparison": COMPARING * 4.0 * length * shape.words,
    }
    host = {} if work.device == "cpu" else {"libraries": 3e9, "weights": float(shape.stored)}
    found = {name: size for name, size in parts.items() if size}
    return Memory(found, least=parts["libraries"] + shape.stored, host=host)


def _hessians(shape: ModelShape) -> float:
    """The Hessians of one layer, and what solving the largest takes."""
    inputs = [shape.hidden] * 5 + [shape.heads * shape.head_size, shape.ffn]
    return 4.0 * (sum(size**2 for size in inputs) + SOLVING * max(inputs) ** 2)
