"""``python -m ptx_latency.child SPEC.json OUT.json``: open a model on its runtime and time its requests.

They alternate with the baseline's. The number of threads comes from the environment, because libraries read
it when they are imported. Prints ``request N SECONDS`` after each turn (SECONDS per request) and writes the
results to OUT.json.
"""

from __future__ import annotations

import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ptx import LanguageModel, ModelRef, get_host
from ptx.files import read_json, write_json
from ptx_latency.clients import Served, turn_of
from ptx_latency.energy import Meter

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

#: requests (Served), seconds, joules (None if the machine does not count energy)
Turn = dict[str, Any]
Timer = Callable[[], Turn]


def main(spec_file: str, out_file: str) -> None:
    """Measure what SPEC.json asks for; if the runtime only emulates the model, write just the reason."""
    spec = read_json(Path(spec_file))
    started = time.perf_counter()
    lm = decoding(spec, open_model(spec, spec["model"]))
    result: dict[str, Any] = {
        "load_seconds": time.perf_counter() - started,
        "emulated": getattr(lm, "emulated", ""),
        "beside_emulated": "",
    }
    if not result["emulated"]:
        result |= measure(lm, spec, result)
    write_json(Path(out_file), result)


def measure(lm: LanguageModel, spec: dict[str, Any], result: dict[str, Any]) -> dict[str, Any]:
    """Measure the memory of the artifact alone, then time its requests in turns with the baseline's."""
    meter = Meter(spec["device"])
    timers = [timer_of(lm, spec, meter)]
    warm_up(timers[0], spec["warmup"])
    peak = lm.peak_memory() if hasattr(lm, "peak_memory") else peak_memory()
    found: dict[str, Any] = {"peak_memory_bytes": peak, "gpu_memory_bytes": gpu_memory(spec["device"])}
    if spec["beside"]:  # the baseline is opened only now, so that the memory is the artifact's alone
        beside = open_model(spec, spec["beside"])
        result["beside_emulated"] = getattr(beside, "emulated", "")
        if not result["beside_emulated"]:
            timers.append(timer_of(beside, spec, meter))
            warm_up(timers[1], spec["warmup"])
    times = [turn(timers, number, spec["warmup"]) for number in range(spec["repeats"])]
    queue = (
        spec["concurrency"] > 1 and not hasattr(lm, "time_clients") and not getattr(lm, "concurrent", False)
    )
    return found | {
        "turns": [turned[0] for turned in times],
        "beside": [turned[1] for turned in times if len(turned) > 1],
        "queue": queue,
    }


def open_model(spec: dict[str, Any], model: dict[str, Any]) -> LanguageModel:
    """Open a model on its runtime, through the plugin that serves it."""
    host = get_host()
    served = spec | model  # the baseline may have another runtime
    runtime = host.choices["runtime", served["runtime"]].config_type(**served["runtime_config"])
    ref = ModelRef(Path(model["path"]), model["digest"], model["kind"])
    opened: LanguageModel = host.first("ptx_load", runtime=runtime, model=ref, device=spec["device"])
    return opened


def decoding(spec: dict[str, Any], lm: LanguageModel) -> LanguageModel:
    """The model with its test-time compute.

    The baseline is timed without any, so that the ratio shows the cost of the decoding.
    """
    if spec["decode"] is None:
        return lm
    host = get_host()
    decode = host.choices["decode", spec["decode"]].config_type(**spec["decode_config"])
    wrapped: LanguageModel = host.first("ptx_decode", run=None, decode=decode, lm=lm)
    return wrapped


def warm_up(timer: Timer, requests: int) -> None:
    """Run turns that are not counted."""
    for number in range(requests):
        request(timer, number + 1)


def turn(timers: list[Timer], number: int, warmup: int) -> list[Turn]:
    """Run one turn of requests to each model.

    The order alternates from turn to turn, so that neither model always runs right after the other.
    """
    order = list(range(len(timers))) if number % 2 == 0 else list(range(len(timers)))[::-1]
    found = {index: request(timers[index], warmup + number + 1) for index in order}
    return [found[index] for index in range(len(timers))]


def request(timer: Timer, number: int) -> Turn:
    """Run one model's turn and print its line of progress."""
    found = timer()
    served: list[Served] = found["requests"]
    print(f"request {number} {sum(first + rest for _, first, rest in served) / len(served):.6f}", flush=True)
    return found


def timer_of(lm: LanguageModel, spec: dict[str, Any], meter: Meter | None = None) -> Timer:
    """A function that runs and times one turn, and reads the energy meter before and after.

    It uses the runtime's own ``time_request``, or times ``generate`` for a runtime without one.
    """
    prompt, new, batch = spec["prompt_tokens"], spec["new_tokens"], spec["batch_size"]
    timed_by_runtime = hasattr(lm, "time_request")
    prompts = [] if timed_by_runtime else [text_of_length(lm.tokenizer, prompt)] * batch

    def ask() -> tuple[float, float]:
        first, rest = (
            lm.time_request(prompt, new, batch) if timed_by_runtime else time_generate(lm, prompts, new)
        )
        return first, rest

    def timed() -> Turn:
        before = meter.read() if meter else None
        served, seconds = turn_of(lm, ask, spec)
        return {
            "requests": served,
            "seconds": seconds,
            "joules": meter.since(before) if meter and before else None,
        }

    return timed


def text_of_length(tokenizer: PreTrainedTokenizerBase, tokens: int) -> str:
    """A text of about ``tokens`` tokens."""
    words = "the quick brown fox jumps over the lazy dog " * tokens
    return str(tokenizer.decode(tokenizer(words)["input_ids"][:tokens], skip_special_tokens=True))


def time_generate(lm: LanguageModel, prompts: list[str], new_tokens: int) -> tuple[float, float]:
    """Seconds to the first token, and for the rest of ``new_tokens``.

    The first is the time of a call for one token, the rest the additional time of a call for all, scaled up
    if the replies end early.
    """
    started = time.perf_counter()
    lm.generate(prompts, 1)
    prefill = time.perf_counter() - started
    started = time.perf_counter()
    replies = lm.generate(prompts, new_tokens)
    whole = time.perf_counter() - started
    made = max(len(lm.tokenizer(reply, add_special_tokens=False)["input_ids"]) for reply in replies)
    return prefill, max(whole - prefill, 1e-9) * (new_tokens - 1) / max(1, min(made, new_tokens) - 1)


def peak_memory() -> float:
    """The most physical memory that this process has used, in bytes.

    On Linux a child started with vfork inherits the parent's ``ru_maxrss``; there the process's own
    high-water mark is read from /proc.
    """
    status = Path("/proc/self/status")
    if status.exists():
        line = next(
            line for line in status.read_text(encoding="utf-8").splitlines() if line.startswith("VmHWM:")
        )
        return float(line.split()[1]) * 1024
    return float(
        resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    )


def gpu_memory(device: str) -> float | None:
    """The most GPU memory that torch has allocated, in bytes; None on a CPU."""
    if device != "cuda":
        return None
    import torch

    return float(torch.cuda.max_memory_allocated())


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
