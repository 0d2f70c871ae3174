"""Does ``eval=[latency]`` find a difference where there is one, and none where there is none?

    python benchmarks/latency_aa.py --repetitions 10 --requests 40

Builds a Llama with random weights and one with 1.3 times its layers, and measures, as ``ptx eval`` does (a
fresh process, requests in turns): the first against itself (A/A: the 95 % interval of the ratio should hold 1
at least 9 times of 10) and the second against the first (the interval should exclude 1 every time). Prints
every ratio; exit code 1 when either fails. For a quiet machine.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

LAYERS, MORE = 10, 13


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--repetitions", type=int, default=10)
    parser.add_argument("--requests", type=int, default=40)
    parser.add_argument("--width", type=int, default=512)
    asked = parser.parse_args()

    from ptx import ModelRef, Run, RunConfig, get_host
    from ptx.testing import Silent

    host = get_host()
    with tempfile.TemporaryDirectory(prefix="ptx-aa-") as name:
        folder = Path(name)
        models = {
            layers: ModelRef.of(build(folder / str(layers), layers, asked.width, host, folder))
            for layers in (LAYERS, MORE)
        }
        config = host.choices["eval", "latency"].config_type(
            prompt_tokens=32, new_tokens=16, warmup=3, repeats=asked.requests
        )
        run = Run(
            RunConfig(runtime=host.choices["runtime", "hf"].config_type()),
            host,
            Silent(),
            folder,
            folder / "events.jsonl",
            folder,
            0,
            "cpu",
        )
        held = found = 0
        for repetition in range(asked.repetitions):
            same, more = (
                measure(host, run, config, models[layers], models[LAYERS]) for layers in (LAYERS, MORE)
            )
            held += same["latency/request_ratio"].low <= 1 <= same["latency/request_ratio"].high
            found += more["latency/request_ratio"].low > 1
            print(
                f"{repetition + 1}: A/A {shown(same)}   {MORE / LAYERS} x the layers {shown(more)}",
                flush=True,
            )
    print(
        f"A/A holds 1 in {held} of {asked.repetitions}; the real difference is found in {found} of"
        f" {asked.repetitions}"
    )
    return 0 if held >= 0.9 * asked.repetitions and found == asked.repetitions else 1


def measure(host, run, config, model, baseline):
    evaluation = host.first(
        "ptx_evaluate", run=run, evaluator=config, model=model, lm=None, baseline=baseline
    )
    return {metric.name: metric for metric in evaluation.metrics}


def shown(metrics):
    ratio, floor = metrics["latency/request_ratio"], metrics["latency/same_ratio"]
    return (
        f"{ratio.value:.3f} [{ratio.low:.3f}, {ratio.high:.3f}] (noise floor [{floor.low:.3f},"
        f" {floor.high:.3f}])"
    )


def build(folder, layers, width, host, cache):
    """A Llama with random weights and the embedded model's tokenizer."""
    import shutil

    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    tiny = host.first("ptx_resolve", value=host.choices["model", "tiny"].config_type(), cache=cache)
    torch.manual_seed(0)
    sizes = {
        "hidden_size": width,
        "intermediate_size": 3 * width,
        "num_attention_heads": width // 64,
        "num_hidden_layers": layers,
    }
    LlamaForCausalLM(LlamaConfig(vocab_size=1024, max_position_embeddings=256, **sizes)).save_pretrained(
        folder
    )
    for file in tiny.glob("*token*"):
        shutil.copy(file, folder)
    return folder


if __name__ == "__main__":
    sys.exit(main())
