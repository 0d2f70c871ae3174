"""llama.cpp, OpenVINO and plain ONNX Runtime (on optimum-onnx's graphs) beside ONNX Runtime GenAI.

It measures first token, decode, bytes and KL.

    OMP_NUM_THREADS=1 python benchmarks/runtimes/run.py --out /tmp/runtimes [--optimum VENV/bin/python]
        [--openvino VENV/bin/python] [--model ./my-model]

Packages are made by ``ptx export`` (plugins/ptx_optimum and plugins/ptx_openvino have a requirements.txt
each, for a venv; what has none is left out); a second call takes what is there. All are opened in this
process, with one thread; in every turn each answers the same request once, in an order that alternates.
Ratios are medians over turns against ``onnx int8``, above 1 is faster.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

#: name -> words of the export
PACKAGES = {
    "onnx int8": ["runtime=onnx", "runtime.precision=int8"],
    "onnx int4": ["runtime=onnx", "runtime.precision=int4"],
    "onnx fp32": ["runtime=onnx", "runtime.precision=fp32"],
    "gguf f16": ["runtime=gguf", "runtime.type=f16"],
    "gguf q8_0": ["runtime=gguf", "runtime.type=q8_0"],
    "gguf q4_0": ["runtime=gguf", "runtime.type=q4_0"],
    "optimum dynamic": ["runtime=onnx_optimum", "runtime.mode=dynamic"],
    "optimum static": ["runtime=onnx_optimum", "runtime.mode=static"],
    "optimum fp32": ["runtime=onnx_optimum", "runtime.mode=fp32"],
    "openvino int8": ["runtime=openvino", "runtime.precision=int8"],
    "openvino int4": ["runtime=openvino", "runtime.precision=int4"],
    "openvino int4 gptq": ["runtime=openvino", "runtime.precision=int4", "runtime.algorithm=gptq"],
    "openvino fp32": ["runtime=openvino", "runtime.precision=fp32"],
}
BESIDE = "onnx int8"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, required=True, help="folder for packages")
    parser.add_argument("--optimum", default="", help="Python of the environment with optimum-onnx")
    parser.add_argument("--openvino", default="", help="Python of the environment with optimum-intel")
    parser.add_argument("--model", default="tiny")
    parser.add_argument("--turns", type=int, default=20)
    parser.add_argument("--prompt", type=int, default=128)
    parser.add_argument("--new", type=int, default=32)
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    elsewhere = {"runtime=onnx_optimum": options.optimum, "runtime=openvino": options.openvino}
    folders = {
        name: make(options, name, words, elsewhere.get(words[0], ""))
        for name, words in PACKAGES.items()
        if elsewhere.get(words[0], "-")
    }
    times = timed({name: opened(folder) for name, folder in folders.items()}, options)
    show(folders, times)


def make(options: argparse.Namespace, name: str, words: list[str], python: str) -> Path:
    """Export one package, whatever it costs in quality: that is shown."""
    folder: Path = options.out.resolve() / name.replace(" ", "-")
    if folder.is_dir():
        return folder
    command = [
        sys.executable,
        "-m",
        "ptx",
        "export",
        f"model={options.model}",
        *words,
        "runtime.max_perplexity_ratio=1e9",
        "--to",
        str(folder),
    ]
    done = subprocess.run(
        command,
        cwd=options.out,
        env={**os.environ, "PTX_STEP_PYTHON": python},
        capture_output=True,
        text=True,
    )
    if done.returncode:
        sys.exit(f"{name} failed:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
    return folder


def opened(folder: Path) -> Any:
    from ptx import ModelRef, get_host
    from ptx.models.package import read_package

    host = get_host()
    runtime = host.choices["runtime", read_package(folder)["runtime"]].config_type()
    return host.first("ptx_load", runtime=runtime, model=ModelRef(folder, kind="package"), device="cpu")


def timed(lms: dict[str, Any], options: argparse.Namespace) -> dict[str, list[tuple[float, float]]]:
    """Seconds to the first token and for the rest, turn by turn."""
    for lm in lms.values():
        lm.time_request(options.prompt, 4)
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in lms}
    for turn in range(options.turns):
        for name in list(lms) if turn % 2 else reversed(lms):
            times[name].append(lms[name].time_request(options.prompt, options.new))
    return times


def show(folders: dict[str, Path], times: dict[str, list[tuple[float, float]]]) -> None:
    from ptx.stats import quantile_interval

    print(
        f"{'':20}{'first token x':>20}  {'decode x':>20}  {'MB':>7}  KL, nats per token     load average"
        f" {os.getloadavg()[0]:.1f}"
    )
    for name, folder in folders.items():
        ratios = [
            "{:.2f} [{:.2f}, {:.2f}]".format(
                *quantile_interval(
                    [b[part] / a[part] for a, b in zip(times[name], times[BESIDE], strict=True)], 0.5
                )
            )
            for part in (0, 1)
        ]
        size = sum(file.stat().st_size for file in folder.iterdir()) / 1e6
        told = json.loads((folder / "package.json").read_text())["fidelity"]
        kl = told[0] if isinstance(told, list) else next(iter(told.values()))[0]
        print(
            f"{name:20}{ratios[0]:>20}  {ratios[1]:>20}  {size:7.2f}  {kl['value']:.3g} [{kl['low']:.3g},"
            f" {kl['high']:.3g}]"
        )


if __name__ == "__main__":
    main()
