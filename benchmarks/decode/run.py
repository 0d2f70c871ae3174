"""Decode speed, size and quality of the embedded model's packages beside transformers; speed of a 60 M shape.

    OMP_NUM_THREADS=1 python benchmarks/decode/run.py --out /tmp/decode            quiet machine, 20 minutes
    OMP_NUM_THREADS=1 python benchmarks/decode/run.py --out /tmp/decode --rough    a quick try

Every package is made and scored by ptx's own command line; a second call takes what is there. Decode is timed
in one process with one thread: in every turn each model answers the same request once, in an order that
alternates, and the figure is the median over turns of the ratio to the model beside it (interval from order
statistics). Quality is bench/mean on a benchmark drawn by the generator of the embedded one (its held-out
side, up to --larger times as many items), paired item by item with the fp32 original under transformers.
Bytes are the files needed to serve, on both sides: weights, graph, configuration, tokenizer; not READMEs or
what ptx notes beside them.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path
from statistics import median
from typing import Any

PACKED = ["data=tiny", "compress=[gptq]"]
#: name -> words of the ptx command that makes it
CANDIDATES: dict[str, list[str]] = {
    "hf fp32": ["eval", "runtime=hf"],
    "onnx fp32": ["eval", "runtime=onnx", "runtime.precision=fp32"],
    "onnx int8": ["eval", "runtime=onnx", "runtime.precision=int8"],
    "onnx int4": ["eval", "runtime=onnx"],
    "onnx int4, head int8": ["eval", "runtime=onnx", "runtime.head=int8"],
    "onnx int4 fused, head int8": [
        "eval",
        "runtime=onnx",
        "runtime.head=int8",
        "runtime.args.fuse_mlp_gate_up=true",
    ],
    "onnx int4 mixed, head int8": ["eval", "runtime=onnx", "runtime.head=int8", "runtime.mixed=true"],
    "gptq 4/32 -> onnx, head int4": ["compress", *PACKED, "compress.gptq.group_size=32", "runtime=onnx"],
    "gptq 4/32 -> onnx, head int8": [
        "compress",
        *PACKED,
        "compress.gptq.group_size=32",
        "runtime=onnx",
        "runtime.head=int8",
    ],
    "gptq 4/16 -> onnx, head int8": [
        "compress",
        *PACKED,
        "compress.gptq.group_size=16",
        "runtime=onnx",
        "runtime.head=int8",
    ],
}
ROUGH = ("hf fp32", "onnx fp32", "onnx int4, head int8", "gptq 4/32 -> onnx, head int8")
NOTES = ("package.json", "README.md", "build.json", "recipe.yaml", ".gitattributes")
SHAPE = {
    "hidden_size": 512,
    "intermediate_size": 1408,
    "num_hidden_layers": 14,
    "num_attention_heads": 8,
    "num_key_value_heads": 8,
}


def main() -> None:
    options = parse()
    out: Path = options.out
    out.mkdir(parents=True, exist_ok=True)
    names = [name for name in CANDIDATES if not options.rough or name in ROUGH]
    tasks = larger_benchmark(out / "tasks", options.larger)
    made = {
        name: make(
            out, name, ["model=tiny", "eval=[bench]", f"eval.bench.tasks=[{tasks}]", *CANDIDATES[name][1:]]
        )
        for name in names
    }
    shape = random_shape(out / "shape60m")
    large = {
        "hf fp32": {"path": shape},
        "onnx fp32": make(
            out, "60m fp32", [f"model={shape}", "eval=[]", "runtime=onnx", "runtime.precision=fp32"], "export"
        ),
        "onnx int4": make(
            out,
            "60m int4",
            [f"model={shape}", "eval=[]", "runtime=onnx", "runtime.max_perplexity_ratio=100"],
            "export",
        ),
    }
    result = {
        "tiny": table(made, timed({n: m["path"] for n, m in made.items()}, options.turns, 64, 96)),
        "60m": table(
            large, timed({n: m["path"] for n, m in large.items()}, max(5, options.turns // 4), 64, 48)
        ),
    }
    (out / "result.json").write_text(json.dumps(result, indent=2, default=str))
    for title, rows in result.items():
        print(f"\n{title}: one thread, batch 1; load average {os.getloadavg()[0]:.1f}")
        print_table(rows)
    verdicts(result)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--out", type=Path, required=True, help="folder for packages, records and result.json"
    )
    parser.add_argument("--turns", type=int, default=60, help="requests to each model")
    parser.add_argument("--larger", type=int, default=8, help="times the items of the embedded benchmark")
    parser.add_argument("--rough", action="store_true", help="four candidates only")
    return parser.parse_args()


def larger_benchmark(folder: Path, times: int) -> Path:
    """The embedded benchmark with more items from the same generator, on the held-out side."""
    from ptx_tiny import tasks

    if not folder.is_dir():
        # additions, translations and refusals are few on the held-out side: no more than these are distinct
        tasks.ANSWERS_EACH, tasks.CHOICES_EACH = 90 * min(times, 4), 120 * times
        tasks.write_tasks(folder, folder.resolve())
    return folder.resolve()


def make(out: Path, name: str, words: list[str], verb: str | None = None) -> dict[str, Any]:
    """Let ptx make and score one candidate; returns where it lies and its score per item."""
    verb = verb or CANDIDATES[name][0]
    label = "".join(letter if letter.isalnum() else "-" for letter in name)
    # records, not ptx: python -m ptx would take a folder of that name for the package
    command = [sys.executable, "-m", "ptx", verb, *words, f"name={label}", f"out={out / 'records'}"]
    command += ["--to", str(out / f"package-{label}")] if verb == "export" else ["baseline=false"]
    if not (verb == "export" and (out / f"package-{label}").exists()):
        done = subprocess.run(command, cwd=out, capture_output=True, text=True)
        if done.returncode:
            sys.exit(f"{name} failed:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
    (run,) = [path.parent for path in (out / "records" / "runs" / label).glob("*/result.json")]
    rows = run / "evaluations" / "bench.jsonl"
    scores = [json.loads(line) for line in rows.read_text().splitlines()] if rows.exists() else []
    mean = {row["item"]: row["scores"]["bench/mean"] for row in scores if "bench/mean" in row["scores"]}
    return {"path": Path(json.loads((run / "result.json").read_text())["model"]["path"]), "scores": mean}


def random_shape(folder: Path) -> Path:
    """Write a Llama of 60 M parameters with random weights, to measure speed."""
    if not folder.is_dir():
        import torch
        from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM

        from ptx_tiny import MODEL_FOLDER

        torch.manual_seed(0)
        model = LlamaForCausalLM(
            LlamaConfig(vocab_size=24000, max_position_embeddings=1024, tie_word_embeddings=True, **SHAPE)
        )
        print(f"60m: {sum(p.numel() for p in model.parameters()) / 1e6:.1f} M parameters")
        model.save_pretrained(folder)
        AutoTokenizer.from_pretrained(MODEL_FOLDER).save_pretrained(folder)
    return folder.resolve()


def timed(folders: dict[str, Path], turns: int, prompt: int, new: int) -> dict[str, list[float]]:
    """Decode tokens per second of every model, turn by turn."""
    import torch

    torch.set_num_threads(1)
    opened = {name: opener(folder) for name, folder in folders.items()}
    for lm in opened.values():
        lm.time_request(prompt, new)
    speeds: dict[str, list[float]] = {name: [] for name in opened}
    for turn in range(turns):
        for name in list(opened) if turn % 2 else reversed(opened):
            speeds[name].append((new - 1) / opened[name].time_request(prompt, new)[1])
    return speeds


def opener(folder: Path) -> Any:
    """A model on the runtime that its folder is for."""
    import ptx_hf
    import ptx_onnx
    from ptx import ModelRef

    if (folder / "genai_config.json").exists():
        return ptx_onnx.ptx_load(ptx_onnx.Onnx(), ModelRef(folder, kind="package"))
    return ptx_hf.ptx_load(ptx_hf.HF(dtype="float32"), ModelRef(folder), "cpu")


def table(made: dict[str, dict[str, Any]], speeds: dict[str, list[float]]) -> list[dict[str, Any]]:
    """One row per model: speed, ratios, bytes, and the paired loss of quality."""
    from ptx.stats import paired_difference, quantile_interval

    rows = []
    original = made["hf fp32"]
    for name, one in made.items():
        row: dict[str, Any] = {
            "name": name,
            "tokens_per_second": median(speeds[name]),
            "bytes": serving_bytes(one["path"]),
        }
        row["share"] = row["bytes"] / serving_bytes(original["path"])
        for beside in ("hf fp32", "onnx fp32"):
            row[f"against {beside}"] = quantile_interval(
                [a / b for a, b in zip(speeds[name], speeds[beside], strict=True)], 0.5
            )
        if one.get("scores") and one is not original:
            mean = sum(original["scores"].values()) / len(original["scores"])
            found = paired_difference(one["scores"], original["scores"])
            row["relative_change"] = (found.value / mean, found.low / mean, found.high / mean)
            row["items"] = found.n
        rows.append(row)
    return rows


def serving_bytes(folder: Path) -> int:
    """The files that must be there to serve the folder."""
    return sum(file.stat().st_size for file in folder.iterdir() if file.is_file() and file.name not in NOTES)


def print_table(rows: list[dict[str, Any]]) -> None:
    print(
        f"{'':32}{'tok/s':>7}  {'x hf fp32':>20}  {'x onnx fp32':>20}  {'MB':>6}  {'share':>6}  relative"
        " change of bench/mean"
    )
    for row in rows:
        ratios = [
            f"{value:.2f} [{low:.2f}, {high:.2f}]"
            for value, low, high in (row["against hf fp32"], row["against onnx fp32"])
        ]
        change = (
            "{:+.2%} [{:+.2%}, {:+.2%}]".format(*row["relative_change"]) + f" n={row['items']}"
            if "relative_change" in row
            else ""
        )
        print(
            f"{row['name']:32}{row['tokens_per_second']:7.0f}  {ratios[0]:>20}  {ratios[1]:>20} "
            f" {row['bytes'] / 1e6:6.2f}  {row['share']:6.1%}  {change}"
        )


def verdicts(result: dict[str, list[dict[str, Any]]]) -> None:
    """The conditions, intervals included; where no package meets all, which ones each meets."""
    for row in result["tiny"]:
        conditions = {
            ">= 8 x hf": row["against hf fp32"][1] >= 8,
            ">= 2 x onnx fp32": row["against onnx fp32"][1] >= 2,
            "<= 1/5 bytes": row["share"] <= 0.2,
            "loss <= 1 %": row["relative_change"][1] >= -0.01 if "relative_change" in row else None,
        }
        answers = "  ".join(
            f"{name}: {'not measured' if met is None else 'yes' if met else 'no'}"
            for name, met in conditions.items()
        )
        print(f"{row['name']:32}{answers}")
    best = max(result["60m"], key=lambda row: row["against hf fp32"][0])
    print(
        f"60 M shape: {best['name']} decodes {best['against hf fp32'][0]:.2f}"
        f" [{best['against hf fp32'][1]:.2f}, ...] times as fast as hf fp32 (wanted 4.5)"
    )


if __name__ == "__main__":
    main()
