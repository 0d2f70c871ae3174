"""``runtime=vllm``: vLLM's offline engine serves the model folder on a GPU; several adapters on one base are served at once.

Written after vLLM's documented API (LLM, SamplingParams, LoRARequest). It was not run by its authors: that needs a GPU and vllm, without
which a run is refused before it begins.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ptx import Choice, ModelRef, Problem, RunConfig, Runtime, hookimpl, must_be_one_of, setting

DTYPES = ("auto", "float32", "bfloat16", "float16")
#: arguments of vllm.LLM that have a field here, or that the engine must have
OWNED = (
    "model",
    "tokenizer",
    "dtype",
    "tensor_parallel_size",
    "gpu_memory_utilization",
    "max_model_len",
    "enable_lora",
    "trust_remote_code",
)


@dataclass
class Vllm(Runtime):
    """vLLM, offline engine."""

    dtype: str = setting("auto", "auto, float32, bfloat16 or float16")
    gpu_memory_utilization: float = setting(0.9, "share of the GPU's memory for weights and key-value cache")
    tensor_parallel_size: int = setting(1, "GPUs that share every layer")
    max_model_len: int = setting(0, "context in tokens; 0: the model's own")
    adapters: dict[str, str] = setting(
        {}, "LoRA adapters served on the base, name: folder; an adapter that the run makes is served as 'run'"
    )
    adapter: str = setting("", "which of the adapters answers; empty: the run's own, or none")
    max_lora_rank: int = setting(64, "the largest rank of an adapter")
    args: dict[str, Any] = setting({}, "further arguments of vllm.LLM")

    def __post_init__(self) -> None:
        must_be_one_of("runtime.dtype", self.dtype, DTYPES, "auto")
        if not 0 < self.gpu_memory_utilization <= 1:
            raise ValueError(
                f"runtime.gpu_memory_utilization must be in (0, 1], got {self.gpu_memory_utilization}; try runtime.gpu_memory_utilization=0.9"
            )
        for name, least in (("tensor_parallel_size", 1), ("max_model_len", 0), ("max_lora_rank", 1)):
            if getattr(self, name) < least:
                raise ValueError(f"runtime.{name} must be at least {least}, got {getattr(self, name)}; leave it out")
        if self.adapter not in ("", "run", *self.adapters):
            raise ValueError(
                f"runtime.adapter={self.adapter!r} is not among runtime.adapters ({', '.join(self.adapters) or 'none'}); name it there"
            )
        if taken := sorted(set(self.args) & set(OWNED)):
            raise ValueError(f"runtime.args.{taken[0]} is ptx's to set; use the field of runtime")


@hookimpl
def ptx_choices() -> list[Choice]:
    """``runtime=vllm``."""
    return [Choice("runtime", "vllm", Vllm, "vLLM's offline engine, on a GPU (not run here)", ("vllm", "torch", "transformers"))]


@hookimpl
def ptx_validate(config: RunConfig) -> list[Problem]:
    """That vllm, a GPU and the adapters are there."""
    if not isinstance(config.runtime, Vllm):
        return []
    from importlib.util import find_spec

    from ptx.machine import resolve_device

    found = []
    if find_spec("vllm") is None:
        found.append(Problem("runtime=vllm needs vllm, which is not installed", "pip install 'ptx[vllm]', or take runtime=hf"))
    if resolve_device(config.device) != "cuda":
        found.append(Problem("runtime=vllm needs a GPU, and this run is on the CPU", "take runtime=onnx or runtime=hf"))
    for name, folder in config.runtime.adapters.items():
        if not (Path(folder).expanduser() / "adapter_config.json").is_file():
            found.append(Problem(f"runtime.adapters.{name}: {folder} holds no adapter (adapter_config.json)", "name an adapter's folder"))
    return found


@hookimpl
def ptx_load(runtime: Runtime, model: ModelRef) -> Any | None:
    """Start the engine."""
    if not isinstance(runtime, Vllm):
        return None
    from ptx.lm.load import quiet

    quiet()
    from ptx_vllm.model import load

    return load(runtime, model)
