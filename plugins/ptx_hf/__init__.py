"""``runtime=hf``: transformers serves the model folder unchanged, on a CPU or a GPU.

It is the reference for every other runtime.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ptx import Choice, ModelRef, Runtime, SettingError, hookimpl, must_be_one_of, setting
from ptx.lm.serving.batching import AUTO

DTYPES = ("auto", "float32", "bfloat16", "float16")


@dataclass
class HF(Runtime):
    """Transformers, eager."""

    dtype: str = setting("auto", "auto (float32 on a CPU, bfloat16 on a GPU), float32, bfloat16 or float16")
    batch_size: Any = setting(
        AUTO,
        "rows per forward pass; auto: as many as fit into memory, at most 32 on a CPU and 256 on a GPU. It"
        " moves the last digits of scores. Where memory is full it is halved",
    )
    prefix_cache: bool = setting(
        True,
        "read the common beginning of log-likelihood requests once; it moves the last digits of scores, and"
        " false gives lm-eval's",
    )

    def __post_init__(self) -> None:
        must_be_one_of("runtime.dtype", self.dtype, DTYPES, "auto")
        if self.batch_size != AUTO and not (isinstance(self.batch_size, int) and self.batch_size >= 1):
            raise SettingError(
                f"runtime.batch_size must be auto or a number from 1 on, got {self.batch_size!r}; try"
                " runtime.batch_size=auto",
                "runtime.batch_size",
            )


@hookimpl
def ptx_choices() -> list[Choice]:
    """``runtime=hf``."""
    return [
        Choice(
            "runtime", "hf", HF, "transformers", ("transformers", "torch", "compressed-tensors"), version="5"
        )
    ]


@hookimpl
def ptx_load(runtime: Runtime, model: ModelRef, device: str) -> Any | None:
    """Open the folder with transformers."""
    if not isinstance(runtime, HF):
        return None
    from ptx.lm.load import quiet

    quiet()
    from ptx_hf.model import load

    return load(runtime, model, device)
