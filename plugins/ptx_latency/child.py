"""``python -m ptx_latency.child SPEC.json OUT.json``: open one model on its runtime and time requests.

The number of threads stands in the environment, because libraries read it when they are imported. Prints ``request N SECONDS`` after
each request; results go to OUT.json.
"""

from __future__ import annotations

import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ptx.host import get_host
from ptx.records import ModelRef, read_json, write_json

Timer = Callable[[], tuple[float, float]]


def main(spec_file: str, out_file: str) -> None:
    """Measure what SPEC.json asks for."""
    spec = read_json(Path(spec_file))
    started = time.perf_counter()
    lm = open_model(spec)
    loaded = time.perf_counter() - started
    timer = timer_of(lm, spec)
    requests = [request(timer, number + 1) for number in range(spec["warmup"] + spec["repeats"])][spec["warmup"] :]
    result = {
        "load_seconds": loaded,
        "requests": requests,
        "peak_memory_bytes": peak_memory(),
        "gpu_memory_bytes": gpu_memory(spec["device"]),
    }
    lm.close()
    write_json(Path(out_file), result)


def open_model(spec: dict[str, Any]) -> Any:
    """The model on its runtime, through the plugin that serves it."""
    host = get_host()
    runtime = host.choices["runtime", spec["runtime"]].config_type(**spec["runtime_config"])
    model = ModelRef(Path(spec["model"]["path"]), spec["model"]["digest"], spec["model"]["kind"])
    return host.first("ptx_load", runtime=runtime, model=model, device=spec["device"])


def request(timer: Timer, number: int) -> tuple[float, float]:
    """Time one request and say so."""
    prefill, decode = timer()
    print(f"request {number} {prefill + decode:.6f}", flush=True)
    return prefill, decode


def timer_of(lm: Any, spec: dict[str, Any]) -> Timer:
    """The runtime's own ``time_request``, or a stopwatch around ``generate`` for a runtime that has none."""
    prompt, new, batch = spec["prompt_tokens"], spec["new_tokens"], spec["batch_size"]
    if hasattr(lm, "time_request"):
        return lambda: lm.time_request(prompt, new, batch)
    prompts = [text_of_length(lm.tokenizer, prompt)] * batch
    return lambda: time_generate(lm, prompts, new)


def text_of_length(tokenizer: Any, tokens: int) -> str:
    """A text of about ``tokens`` tokens."""
    words = "the quick brown fox jumps over the lazy dog " * tokens
    return str(tokenizer.decode(tokenizer(words)["input_ids"][:tokens], skip_special_tokens=True))


def time_generate(lm: Any, prompts: list[str], new_tokens: int) -> tuple[float, float]:
    """Seconds to the first token, and for the rest of ``new_tokens``: the second call's excess, scaled up when replies end early."""
    started = time.perf_counter()
    lm.generate(prompts, 1)
    prefill = time.perf_counter() - started
    started = time.perf_counter()
    replies = lm.generate(prompts, new_tokens)
    whole = time.perf_counter() - started
    made = max(len(lm.tokenizer(reply, add_special_tokens=False)["input_ids"]) for reply in replies)
    return prefill, max(whole - prefill, 1e-9) * (new_tokens - 1) / max(1, min(made, new_tokens) - 1)


def peak_memory() -> float:
    """The most physical memory this process has held, in bytes.

    Linux carries ``ru_maxrss`` of the parent over into a child that was started with vfork, so its own high-water mark is read there.
    """
    status = Path("/proc/self/status")
    if status.exists():
        line = next(line for line in status.read_text(encoding="utf-8").splitlines() if line.startswith("VmHWM:"))
        return float(line.split()[1]) * 1024
    return float(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024))


def gpu_memory(device: str) -> float | None:
    """The most GPU memory that torch has held, in bytes; None on a CPU."""
    if device != "cuda":
        return None
    import torch

    return float(torch.cuda.max_memory_allocated())


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
