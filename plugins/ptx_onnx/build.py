"""Run the model builder of onnxruntime-genai, in a process of its own.

The builder prints, leaves modules with common names (``builders``, ``loaders``) on the import path, and keeps
the model in memory. So it runs as ``python -m onnxruntime_genai.models.builder``, offline, and its output is
shown only when it fails.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from ptx import StepError
from ptx.lm.load import environment
from ptx_onnx import Onnx

BUILDER = "onnxruntime_genai.models.builder"
SHOWN = 12  # last lines of a failed builder's output that are shown
HEAD, EMBEDDING = "/lm_head/MatMul", "/model/embed_tokens/Gather"


def options_of(config: Onnx) -> dict[str, Any]:
    """Return the builder's ``--extra_options``.

    It converts, and takes over the integers that a checkpoint brings. What is float afterwards is rounded
    elsewhere.
    """
    options: dict[str, Any] = {"hf_token": False, "windowed_kv_cache": False}
    if config.precision == "fp32":
        return options
    return options | {
        "accuracy_level": config.accuracy_level,
        "nodes_to_exclude": f"{HEAD},{EMBEDDING}",
    }


def build(
    config: Onnx, source: Path, out: Path, extra: dict[str, Any], scratch: Path, threads: int | None = None
) -> None:
    """Build a package in ``out`` from the model folder ``source``, in float32 unless its weights are packed.

    Raises:
        StepError: the builder failed; the message has the end of its output.
    """
    pairs = [
        f"{name}={str(value).lower() if isinstance(value, bool) else value}"
        for name, value in (options_of(config) | extra | config.args).items()
    ]
    command = [
        sys.executable,
        "-m",
        BUILDER,
        "-i",
        str(source),
        "-o",
        str(out),
        "-p",
        config.precision,
        "-e",
        "cpu",
        "-c",
        str(scratch),
    ]
    env = {
        **os.environ,
        **environment(),
        **({"OMP_NUM_THREADS": str(threads)} if threads else {}),
        "HF_HUB_OFFLINE": "1",
        "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
    }
    done = subprocess.run(
        [*command, "--extra_options", *pairs],
        env=env,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
    )
    if done.returncode:
        words = "\n".join((done.stdout + done.stderr).splitlines()[-SHOWN:])
        raise StepError(
            f"the model builder of onnxruntime-genai ended with exit code {done.returncode}:\n{words}"
        )
